"""What commands print: aligned tables, JSON, amounts with units, a sign of life."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_SHORT = 16  # characters; narrower columns are never wrapped where the terminal is too narrow


def print_json(data: Any) -> None:
    """Strict JSON: what is not a finite number becomes null."""
    print(json.dumps(_finite(data), indent=2, allow_nan=False))


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(k): _finite(v) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(v) for v in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data


def print_table(headers: Sequence[str], rows: Sequence[Sequence[Any]], right: str = "") -> None:
    """A table, by rich on a terminal. ``right`` holds an ``r`` for each column of numbers, in
    order, and anything else for the others."""
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    aligned = ["right" if mark == "r" else "left" for mark in right.ljust(len(headers))]
    if sys.stdout.isatty() and has_rich():
        from rich import box
        from rich.console import Console
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
        for header, justify, *column in zip(headers, aligned, *cells, strict=True):
            short = max(map(len, column), default=0) <= _SHORT
            table.add_column(header, justify=justify, overflow="fold", no_wrap=short)
        for row in cells:
            table.add_row(*row)
        Console(markup=False, highlight=False).print(table)
        return
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    for row in [list(headers), *cells]:
        parts = [
            cell.rjust(width) if justify == "right" else cell.ljust(width)
            for cell, width, justify in zip(row, widths, aligned, strict=True)
        ]
        print("  ".join(parts).rstrip())


def printable(text: str) -> str:
    """Names come out of models and drivers: control characters must not reach the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def print_fields(fields: dict[str, Any]) -> None:
    """Lines of name and value, the values aligned."""
    width = max(map(len, fields)) + 2
    for name, value in fields.items():
        print(f"{name:{width}}{value}")


@contextmanager
def working(message: str) -> Iterator[None]:
    """Shows on a terminal that something takes its time; silent elsewhere. Nothing moves: a
    spinner's thread would disturb what is measured meanwhile."""
    if not sys.stderr.isatty():
        yield
        return
    print(f"{message} … ", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def amount(nbytes: int) -> str:
    """Bytes as people read them: 1.5 MiB."""
    for size, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if nbytes >= size:
            return f"{nbytes / size:.1f} {unit}"
    return f"{nbytes} B"


def count(number: int) -> str:
    """A count as people read it: 12.3 M. Below 10,000 it is exact."""
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= max(factor, 10_000):
            amount = number / factor
            return f"{amount:.{2 if amount < 10 else 1 if amount < 100 else 0}f} {unit}"
    return str(number)


def dimensions(shape: Sequence[int]) -> str:
    """1x3x224x224, as `--shape` takes it; `scalar` for no dimensions."""
    return "x".join(map(str, shape)) or "scalar"


def has_rich() -> bool:
    """Whether the optional package rich is there."""
    try:
        import rich  # noqa: F401
    except ImportError:
        return False
    return True

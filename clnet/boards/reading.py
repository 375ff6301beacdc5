"""Reads a board file, strictly: a key that is unknown, missing or of another type is an error."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from clnet.boards.board import CHOICES, FACTS, Board, Driver, Fact, Figures, Pitfall, Scalar
from clnet.errors import ClnetError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_T = TypeVar("_T")


def read_board(path: Path) -> Board:
    """One board file. Raises ClnetError, naming file and key, where it is not valid."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ClnetError(f"{path}: {error}") from None
    table = _Table(content, path)
    board = Board(
        name=table.take("name", str),
        description=table.take("description", str),
        device=table.take("device", str),
        measured=table.take("measured", bool),
        measurements=table.take("measurements", str),
        devices=table.strings("devices"),
        machines=table.strings("machines"),
        facts=tuple(_fact(t) for t in table.tables("facts")),
        figures=tuple(_figures(t) for t in table.tables("figures")),
        drivers=tuple(_driver(t) for t in table.tables("drivers")),
        pitfalls=tuple(_pitfall(t) for t in table.tables("pitfalls")),
        sources=table.mapping("sources", str),
    )
    table.end()
    if board.name != path.stem:
        raise table.error("name", f"must be the file's own, {path.stem!r}, not {board.name!r}")
    if not board.devices:
        raise table.error("devices", "at least one name is needed")
    _check_sources(board, table)
    return board


def _check_sources(board: Board, table: _Table) -> None:
    """Nothing is stated without a source, and no source stands there for nothing."""
    told: tuple[Fact | Figures | Driver | Pitfall, ...]
    told = (*board.facts, *board.figures, *board.drivers, *board.pitfalls)
    used = {item.source for item in told}
    if unknown := sorted(used - set(board.sources)):
        raise table.error(f"sources.{unknown[0]}", "missing, but referred to")
    if unused := sorted(set(board.sources) - used):
        raise table.error(f"sources.{unused[0]}", "nothing refers to it")


def _fact(table: _Table) -> Fact:
    name = table.take("name", str)
    if name not in FACTS:
        raise table.error("name", f"{name!r} is none of {', '.join(FACTS)}")
    value: Scalar = table.take("value", FACTS[name])
    if name in CHOICES and value not in CHOICES[name]:
        raise table.error("value", f"{value!r} is none of {', '.join(CHOICES[name])}")
    if not isinstance(value, bool | str):
        _check_positive(table, "value", value)
    fact = Fact(name, value, table.take("source", str), table.take("driver", str, ""))
    table.end()
    return fact


def _figures(table: _Table) -> Figures:
    milliseconds = table.mapping("milliseconds", float)
    figures = Figures(
        table.take("runtime", str),
        table.take("on", str),
        milliseconds,
        table.take("source", str),
    )
    table.end()
    for model, latency in milliseconds.items():
        _check_positive(table, f"milliseconds.{model}", latency)
    return figures


def _check_positive(table: _Table, key: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise table.error(key, f"{value} is not a positive number")


def _driver(table: _Table) -> Driver:
    driver = Driver(
        table.take("name", str),
        tuple(table.take("commands", str).strip().splitlines()),
        table.take("source", str),
        table.take("remark", str, ""),
    )
    table.end()
    return driver


def _pitfall(table: _Table) -> Pitfall:
    pitfall = Pitfall(table.take("text", str), table.take("source", str))
    table.end()
    return pitfall


class _Table:
    """A TOML table that must be used up: every key is taken once, as the type it has to be."""

    def __init__(self, content: Mapping[str, Any], file: Path, where: str = "") -> None:
        self._rest, self._file, self._where = dict(content), file, where

    def error(self, key: str, reason: str) -> ClnetError:
        return ClnetError(f"{self._file}: {self._where}{key}: {reason}")

    def take(self, key: str, kind: type[_T], default: _T | None = None) -> _T:
        if key not in self._rest:
            if default is None:
                raise self.error(key, "missing")
            return default
        return self._typed(key, self._rest.pop(key), kind)

    def strings(self, key: str) -> tuple[str, ...]:
        items = enumerate(self.take(key, list), 1)
        return tuple(self._typed(f"{key}[{i}]", item, str) for i, item in items)

    def tables(self, key: str) -> list[_Table]:
        items = enumerate(self.take(key, list, []), 1)
        return [
            _Table(self._typed(f"{key}[{i}]", t, dict), self._file, f"{self._where}{key}[{i}].")
            for i, t in items
        ]

    def mapping(self, key: str, kind: type[_T]) -> dict[str, _T]:
        items = self.take(key, dict).items()
        return {name: self._typed(f"{key}.{name}", value, kind) for name, value in items}

    def end(self) -> None:
        for key in self._rest:
            raise self.error(key, "unknown key")

    def _typed(self, key: str, value: Any, kind: type[_T]) -> _T:
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:  # exactly: true is no number
            raise self.error(key, f"must be {_KINDS[kind]}, not {value!r:.60}")
        if value == "":
            raise self.error(key, "is empty")
        result: _T = value
        return result


_KINDS: Mapping[type, str] = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "an array",
    dict: "a table",
}

"""`clnet boards`: what is known of boards, and how to get OpenCL on each."""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clnet.cli.arguments import add_json
from clnet.cli.output import amount, print_fields, print_json, print_table, printable
from clnet.errors import DeviceError

if TYPE_CHECKING:
    from clnet.boards import Board, Figures

_WIDTH = 100  # columns; running text is no wider
_FACT_NAMES = {
    "cpu": "CPU",
    "clock_mhz": "clock",
    "memory_policy": "memory sharing",
    "local_memory": "local memory",
    "local_memory_bytes": "local memory",
    "cache_bytes": "cache",
    "cache_line_bytes": "cache line",
    "max_work_group_size": "work-group limit",
    "work_group_multiple": "work-group multiple",
    "fp32_gflops": "fp32 rate",
    "fp16_gflops": "fp16 rate",
    "bandwidth_gbs": "memory bandwidth",
}
_UNITS = {
    "clock_mhz": "MHz",
    "max_work_group_size": "work-items",
    "work_group_multiple": "work-items",
    "vector_width": "floats",
    "fp32_gflops": "GFLOP/s",
    "fp16_gflops": "GFLOP/s",
    "bandwidth_gbs": "GB/s",
}
_LOCAL_MEMORY = {"global": "ordinary cached memory: no gain", "local": "a memory of its own"}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "boards",
        help="list the known boards, or show what is known of one",
        description="Lists the boards that clnet knows. `*` marks the one that this machine seems"
        " to be. `clnet boards show NAME` prints facts, published figures and how to get OpenCL.",
    )
    add_json(parser)
    parser.set_defaults(run=run)
    commands = parser.add_subparsers(metavar="show NAME")
    show = commands.add_parser("show", help="print everything that is known of one board")
    show.add_argument("name", metavar="NAME", help="as `clnet boards` lists it")
    # Without a default of its own, it leaves a --json before `show` alone.
    json_help = "answer in JSON"
    show.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=json_help)
    show.set_defaults(run=run_show)


def run(arguments: argparse.Namespace) -> int:
    """List the boards."""
    from clnet.boards import load_boards

    here = this_board()
    known = [
        {
            "name": board.name,
            "description": board.description,
            "device": board.device,
            "fp16": board.fact("fp16"),
            "memory_policy": board.fact("memory_policy"),
            "records": _records(board),
            "measured": board.measured,
            "here": here is not None and board.name == here.name,
        }
        for board in load_boards()
    ]
    if arguments.json:
        print_json(known)
        return 0
    rows = [
        (
            "*" if b["here"] else "",
            b["name"],
            b["device"],
            _value("fp16", b["fp16"]),
            b["memory_policy"] or "unknown",
            b["records"],
            _value("measured", b["measured"]),
        )
        for b in known
    ]
    headers = ("", "board", "device", "fp16", "sharing", "records", "measured")
    print_table(headers, rows, right="     r")
    return 0


def this_board() -> Board | None:
    """The board that this machine seems to be: by the kernel's words, else by a device."""
    from clnet.boards import board_of, board_of_machine

    if board := board_of_machine():
        return board
    try:
        from clnet.runtime.devices import devices

        found = [board_of(device.info) for device in devices()]
    except DeviceError:  # the list is of use before OpenCL works
        return None
    return next((board for board in found if board is not None), None)


def run_show(arguments: argparse.Namespace) -> int:
    """Show one board."""
    from clnet.boards import find_board, records_path

    board = find_board(arguments.name)
    if arguments.json:
        path = str(records_path(board))
        print_json({**dataclasses.asdict(board), "records": _records(board), "records_path": path})
    else:
        _show(board)
    return 0


def _records(board: Board) -> int:
    from clnet.boards import records_path
    from clnet.tuning import store

    return sum(1 for _ in store.read(records_path(board)))


def _show(board: Board) -> None:
    number = {source: f"[{i}]" for i, source in enumerate(board.sources, 1)}
    print(printable(f"{board.name}: {board.description}"))
    _paragraph(board.measurements)
    print()
    records = _records(board)
    print_fields(
        {
            "device": printable(board.device),
            "OpenCL name": printable(" or ".join(board.devices)),
            "machine": printable(" or ".join(board.machines) or "any"),
            "tuning records": str(records)
            if records
            else f"none yet: clnet tune MODEL --board {board.name}",
        }
    )
    _heading("Facts")
    rows = [
        (_fact_name(f.name), _value(f.name, f.value), number[f.source], f.driver)
        for f in board.facts
    ]
    print_table(("fact", "value", "source", "with"), rows)
    _heading("Published latencies of other runtimes (ms, batch 1)")
    if board.figures:
        _print_figures(board.figures, number)
    else:
        print("none found")
    _heading("How to get OpenCL")
    for i, driver in enumerate(board.drivers):
        print("\n" if i else "", end="")
        _paragraph(f"{driver.name} {number[driver.source]}")
        for command in driver.commands:
            print(f"    {printable(command)}")
        if driver.remark:
            _paragraph(driver.remark, indent="  ")
    _heading("Pitfalls")
    for pitfall in board.pitfalls:
        _paragraph(f"{pitfall.text} {number[pitfall.source]}", first="- ", indent="  ")
    _heading("Sources")
    width = max(map(len, number.values())) + 1
    for source, text in board.sources.items():
        _paragraph(text, first=f"{number[source]:{width}}", indent=" " * width)


def _print_figures(figures: Sequence[Figures], number: dict[str, str]) -> None:
    models = list(dict.fromkeys(model for f in figures for model in f.milliseconds))
    rows = [
        (
            f.runtime,
            f.on,
            *(f"{f.milliseconds[m]:g}" if m in f.milliseconds else "-" for m in models),
            number[f.source],
        )
        for f in figures
    ]
    right = "  " + "r" * len(models)
    print_table(("runtime", "on", *models, "source"), rows, right=right)


def _fact_name(name: str) -> str:
    return _FACT_NAMES.get(name, name.replace("_", " "))


def _value(name: str, value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "local_memory":
        return _LOCAL_MEMORY[value]
    if name.endswith("_bytes"):
        return amount(value)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{text} {_UNITS.get(name, '')}".rstrip()


def _heading(text: str) -> None:
    print(f"\n{text}")


def _paragraph(text: str, first: str = "", indent: str = "") -> None:
    """Text in lines that fit the terminal; links stay whole."""
    width = min(_WIDTH, shutil.get_terminal_size().columns)
    lines = textwrap.wrap(
        printable(text), width, initial_indent=first or indent, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    print("\n".join(lines))

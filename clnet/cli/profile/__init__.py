"""`clnet profile MODEL`: where the time goes, layer by layer, against the device's ceilings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clnet.cli.arguments import add_model, positive
from clnet.cli.output import dimensions, print_fields, print_json, print_table, working
from clnet.errors import InputError

if TYPE_CHECKING:
    from clnet.session.profile import Profile


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "profile",
        help="show where a model's time goes",
        description="Times every layer of a model on random inputs by the driver's profiling, in"
        " runs of their own, and compares with what the device can do at most, which is measured"
        " too: `roof` is the least time that its multiply-adds and memory allow, as a share of the"
        " time taken. Winograd's method and caches can go beyond 100 %.",
    )
    add_model(parser)
    parser.add_argument(
        "--runs", metavar="N", type=positive, help="runs (default: as many as two seconds hold)"
    )
    parser.add_argument(
        "--trace", metavar="FILE", type=Path, help="write a timeline for Perfetto or Chrome"
    )
    parser.add_argument(
        "--html", metavar="FILE", type=Path, help="write a page with tables and a roofline chart"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Profile, print, write what was asked for."""
    import clnet
    from clnet.cli.bench import fill_inputs
    from clnet.cli.profile.data import as_data, trace
    from clnet.cli.profile.page import page
    from clnet.session.profile import profile

    with working(f"compiling {arguments.model}"):
        session = clnet.load(
            arguments.model,
            arguments.device,
            arguments.precision,
            dict(arguments.shape),
            arguments.weights,
        )
    with session, working(f"profiling {arguments.model}"):
        fill_inputs(session)
        result = profile(session, arguments.runs)
    if arguments.trace:
        _write(arguments.trace, trace(result, arguments.model))
    if arguments.html:
        _write(arguments.html, page(result, Path(arguments.model).name))
    if arguments.json:
        print_json({"model": arguments.model, **as_data(result)})
    else:
        _print(result)
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def _print(result: Profile) -> None:
    from clnet.cli.profile.data import RATE_COLUMNS, fields, rate_cells

    rows = [
        (x.layer.name, x.layer.kind, x.layer.candidate, dimensions(x.layer.shape), x.launches,
         *rate_cells(x.rates, result))
        for x in result.layers
    ]  # fmt: skip
    headers = ("layer", "kind", "kernel", "output", "launches", *RATE_COLUMNS)
    print_table(headers, rows, right="    rrrrrr")
    print()
    kinds = [(kind, number, *rate_cells(rates, result)) for kind, number, rates in result.kinds()]
    print_table(("kind", "layers", *RATE_COLUMNS), kinds, right=" rrrrrr")
    print()
    print_fields(fields(result))

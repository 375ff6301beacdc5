"""`clnet info MODEL`: what a model consists of."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clnet.cli.arguments import add_model
from clnet.cli.output import amount, count, dimensions, print_fields, print_json, print_table
from clnet.errors import InputError

if TYPE_CHECKING:
    from clnet.graph import Graph


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "info",
        help="show inputs, outputs, layers and size of a model, draw it",
        description="Shows a model's inputs, outputs and nodes with their parameters,"
        " multiply-adds (MACs) and memory, and what it takes on the device. Works without a device"
        " too, and for a Caffe or Darknet network without its weights.",
    )
    add_model(parser)
    parser.add_argument("--svg", metavar="FILE", type=Path, help="draw the model's graph")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Describe the model."""
    from clnet.cli.info.description import describe
    from clnet.importers import read_model
    from clnet.passes.pipeline import tidy

    path = Path(arguments.model)
    graph = read_model(path, dict(arguments.shape), arguments.weights, untrained=True)
    tidy(graph)
    description = describe(graph)
    if arguments.svg is not None:
        _draw(graph, arguments.svg, path.stem, description["totals"])
    description["plan"] = _plan(graph, arguments)  # which rewrites the graph
    if arguments.json:
        print_json({"model": arguments.model, **description})
    else:
        _print(description)
        if arguments.svg is not None:
            print(f"drawn in {arguments.svg}")
    return 0


def _plan(graph: Graph, arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Kernels and arena on the device; None where there is none and none was asked for."""
    from clnet.errors import DeviceError

    try:
        from clnet.runtime.devices import find_device
        from clnet.session.compile import plan_graph

        device = find_device(arguments.device)
    except DeviceError:
        if arguments.device is not None:
            raise
        return None
    kernels, arena = plan_graph(graph, device, arguments.precision)
    return {
        "device": str(device),
        "precision": arguments.precision,
        "kernels": kernels,
        "arena_bytes": arena.nbytes,
        "arena_lower_bound": arena.lower_bound,
    }


def _print(description: dict[str, Any]) -> None:
    for kind in ("input", "output"):
        rows = [(t["name"], t["dtype"], dimensions(t["shape"])) for t in description[f"{kind}s"]]
        print_table((kind, "dtype", "shape"), rows)
        print()
    headers = ("node", "op", "output", "parameters", "MACs", "memory")
    print_table(headers, [_row(node) for node in description["nodes"]], right="   rrr")
    totals, plan = description["totals"], description["plan"]
    fields = {
        "nodes": totals["nodes"],
        "parameters": count(totals["parameters"]),
        "weights": amount(totals["weight_bytes"]),
        "multiply-adds": count(totals["macs"]),
    }
    if plan:
        fields["device"] = plan["device"]
        fields["kernels"] = plan["kernels"]
        fields["arena"] = (
            f"{amount(plan['arena_bytes'])} (at least {amount(plan['arena_lower_bound'])})"
        )
    print()
    print_fields(fields)


def _row(node: dict[str, Any]) -> tuple[str, ...]:
    return (
        node["name"],
        " ".join(filter(None, (node["op"], node["details"]))),
        dimensions(node["output"]),
        count(node["parameters"]) if node["parameters"] else "",
        count(node["macs"]) if node["macs"] else "",
        amount(node["output_bytes"]),
    )


def _draw(graph: Graph, path: Path, name: str, totals: dict[str, int]) -> None:
    from clnet.cli.info.boxes import diagram
    from clnet.cli.info.picture import draw

    subtitle = " · ".join(
        (
            f"{totals['nodes']} nodes",
            f"{count(totals['parameters'])} parameters ({amount(totals['weight_bytes'])})",
            f"{count(totals['macs'])} multiply-adds",
        )
    )
    try:
        path.write_text(draw(diagram(graph), name, subtitle), encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None

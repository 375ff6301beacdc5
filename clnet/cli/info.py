"""`clnet info MODEL`: what a model consists of."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clnet.cli.arguments import add_model
from clnet.cli.output import amount, count, dimensions, print_fields, print_json, print_table

if TYPE_CHECKING:
    from clnet.graph import Graph, Value


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "info",
        help="show inputs, outputs, nodes and size of a model",
        description="Shows a model's inputs, outputs and nodes with their parameters and"
        " multiply-adds (MACs), and what it takes on the device. Works without a device too.",
    )
    add_model(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Describe the model."""
    from clnet.importers import read_model

    graph = read_model(Path(arguments.model), dict(arguments.shape), arguments.weights)
    description = describe(graph)
    description["plan"] = _plan(graph, arguments)
    if arguments.json:
        print_json({"model": arguments.model, **description})
    else:
        _print(description)
    return 0


def describe(graph: Graph) -> dict[str, Any]:
    """A graph as plain data: inputs, outputs, nodes, totals."""
    from clnet.ops.base import workload_of

    weights = [v for v in graph.values() if v.data is not None]
    nodes = [
        {
            "name": node.name,
            "op": node.op.label,
            "output": node.output.spec.shape,
            "parameters": sum(
                v.spec.size for v in node.inputs if v is not None and v.data is not None
            ),
            "macs": node.op.multiply_adds(workload_of(node)),
        }
        for node in graph.nodes
    ]
    return {
        "inputs": [_tensor(value.name, value) for value in graph.inputs],
        "outputs": [_tensor(name, value) for name, value in graph.outputs.items()],
        "nodes": nodes,
        "totals": {
            "nodes": len(nodes),
            "parameters": sum(v.spec.size for v in weights),
            "weight_bytes": sum(v.spec.nbytes for v in weights),
            "macs": sum(node["macs"] for node in nodes),
        },
    }


def _tensor(name: str, value: Value) -> dict[str, Any]:
    return {"name": name, "dtype": value.spec.dtype, "shape": value.spec.shape}


def _plan(graph: Graph, arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Launches and arena on the device; None where there is none and none was asked for."""
    from clnet.errors import DeviceError

    try:
        from clnet.runtime.devices import find_device
        from clnet.session.compile import plan_graph

        device = find_device(arguments.device)
    except DeviceError:
        if arguments.device is not None:
            raise
        return None
    launches, arena = plan_graph(graph, device, arguments.precision)
    return {
        "device": str(device),
        "precision": arguments.precision,
        "launches": launches,
        "arena_bytes": arena.nbytes,
        "arena_lower_bound": arena.lower_bound,
    }


def _print(description: dict[str, Any]) -> None:
    for kind in ("input", "output"):
        rows = [(t["name"], t["dtype"], dimensions(t["shape"])) for t in description[f"{kind}s"]]
        print_table((kind, "dtype", "shape"), rows)
        print()
    rows_ = [
        (
            n["name"],
            n["op"],
            dimensions(n["output"]),
            count(n["parameters"]) if n["parameters"] else "",
            count(n["macs"]) if n["macs"] else "",
        )
        for n in description["nodes"]
    ]
    print_table(("node", "op", "output", "parameters", "MACs"), rows_, right="   rr")
    totals, plan = description["totals"], description["plan"]
    fields = {
        "nodes": totals["nodes"],
        "parameters": count(totals["parameters"]),
        "weights": amount(totals["weight_bytes"]),
        "multiply-adds": count(totals["macs"]),
    }
    if plan:
        fields["device"] = plan["device"]
        fields["launches"] = plan["launches"]
        fields["arena"] = (
            f"{amount(plan['arena_bytes'])} (at least {amount(plan['arena_lower_bound'])})"
        )
    print()
    print_fields(fields)

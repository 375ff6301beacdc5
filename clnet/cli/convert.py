"""`clnet convert MODEL OUT.onnx`: any model as ONNX."""

from __future__ import annotations

import argparse
from pathlib import Path

from clnet.cli.arguments import add_json, add_model_file
from clnet.cli.output import amount, print_fields, print_json, working
from clnet.errors import InputError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "convert",
        help="write a model of any format as ONNX",
        description="Reads a model of any format and writes it as ONNX: constants computed,"
        " batch normalisation and transpositions folded away, all shapes fixed. Quantised models"
        " compute in float32 and round as before. What a model remembers between runs becomes"
        " inputs and outputs. Needs no device.",
    )
    add_model_file(parser)
    parser.add_argument("out", metavar="OUT.onnx", type=Path, help="the file to write")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read, simplify, write."""
    from clnet.exporters.onnx import carry_states, to_onnx, write_model
    from clnet.importers import read_model
    from clnet.passes.pipeline import simplify

    source, out = Path(arguments.model), arguments.out
    if out.suffix.lower() != ".onnx":
        raise InputError(f"{out} does not end in .onnx, which is the only format that is written")
    if out.exists() and out.samefile(source):
        raise InputError(f"{out} is the model itself")
    with working(f"converting {source}"):
        graph = read_model(source, dict(arguments.shape), arguments.weights)
        simplify(graph)
        carry_states(graph)
        model = to_onnx(graph)
        write_model(model, out)
    result = {
        "model": arguments.model,
        "written": str(out),
        "opset": model.opset_import[0].version,
        "nodes": len(model.graph.node),
        "bytes": out.stat().st_size,
    }
    if arguments.json:
        print_json(result)
    else:
        size = amount(int(result["bytes"]))
        written = {"written": f"{out}, {size}"}
        print_fields(written | {name: result[name] for name in ("opset", "nodes")})
    return 0

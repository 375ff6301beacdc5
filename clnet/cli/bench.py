"""`clnet bench MODEL`: how long a model takes."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from clnet.cli.arguments import add_model, positive
from clnet.cli.output import amount, print_fields, print_json, working

if TYPE_CHECKING:
    from clnet.session.session import Session

_SECONDS = 3.0  # of measuring, where --runs does not say how often
_FEWEST = 5


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "bench",
        help="measure a model's latency",
        description="Measures a model on random inputs, from launching it to having its outputs"
        " mapped for reading.",
    )
    add_model(parser)
    parser.add_argument(
        "--runs", metavar="N", type=positive, help=f"runs (default: as many as {_SECONDS:.0f} s do)"
    )
    parser.add_argument(
        "--warmup", metavar="N", type=positive, default=3, help="runs before that (default: 3)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure the model."""
    import clnet

    with working(f"compiling {arguments.model}"):
        session = clnet.load(
            arguments.model,
            arguments.device,
            arguments.precision,
            dict(arguments.shape),
            arguments.weights,
        )
    with session, working(f"running {arguments.model}"):
        fill_inputs(session)
        for _ in range(arguments.warmup):
            _run_once(session)
        before = session.stats.bytes_copied
        latencies = _measure(session, arguments.runs)
        result = _result(
            session, latencies, (session.stats.bytes_copied - before) // len(latencies)
        )
    if arguments.json:
        print_json({"model": arguments.model, **result})
    else:
        _print(result)
    return 0


def fill_inputs(session: Session) -> None:
    """Random numbers; zeros where integers may be indices."""
    import numpy as np

    rng = np.random.default_rng(0)
    for info in session.inputs:
        with session.map_input(info.name) as view:
            view[...] = rng.random(info.shape, np.float32) if view.dtype.kind == "f" else 0


def _run_once(session: Session) -> float:
    """Milliseconds from the first launch to all outputs being readable."""
    started = time.perf_counter()
    session.execute()
    for info in session.outputs:
        with session.map_output(info.name):
            pass
    return (time.perf_counter() - started) * 1e3


def _measure(session: Session, runs: int | None) -> list[float]:
    if runs is not None:
        return [_run_once(session) for _ in range(runs)]
    latencies: list[float] = []
    end = time.perf_counter() + _SECONDS
    while len(latencies) < _FEWEST or time.perf_counter() < end:
        latencies.append(_run_once(session))
    return latencies


def _result(session: Session, latencies: list[float], copied: int) -> dict[str, Any]:
    import numpy as np

    stats = session.stats
    return {
        "device": str(session.device),
        "precision": session.precision,
        "runs": len(latencies),
        "median_ms": float(np.median(latencies)),
        "min_ms": min(latencies),
        "p95_ms": float(np.percentile(latencies, 95)),
        "launches": stats.launches,
        "bytes_copied_per_run": copied,
        "arena_bytes": stats.arena_bytes,
        "arena_lower_bound": stats.arena_lower_bound,
        "weight_bytes": stats.weight_bytes,
        "load_seconds": stats.load_seconds,
        "build_seconds": stats.build_seconds,
    }


def _print(result: dict[str, Any]) -> None:
    print_fields(
        {
            "device": result["device"],
            "precision": result["precision"],
            "latency": f"{result['median_ms']:.3f} ms median, {result['min_ms']:.3f} minimum,"
            f" {result['p95_ms']:.3f} p95 of {result['runs']} runs",
            "launches": f"{result['launches']} a run",
            "copied": f"{amount(result['bytes_copied_per_run'])} a run",
            "arena": amount(result["arena_bytes"]),
            "weights": amount(result["weight_bytes"]),
            "loading": f"{result['load_seconds']:.2f} s, of that {result['build_seconds']:.2f} s"
            " building kernels",
        }
    )

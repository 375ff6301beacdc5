"""A profile in the forms that tables, pages and programs take."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clnet.session.profile import Profile, Rates


def fields(result: Profile) -> dict[str, str]:
    """The profile in a few lines."""
    ceilings, gaps = result.ceilings, result.gaps
    between = f", {sum(gaps) / len(gaps) * 1e6:.1f} us between two" if gaps else ""
    return {
        "device": result.device,
        "precision": result.precision,
        "latency": f"{result.latency * 1e3:.3f} ms, median of {result.runs} runs without profiling",
        "kernels": f"{result.busy * 1e3:.3f} ms in {len(result.timeline)} launches{between}",
        "ceilings": f"{ceilings.multiply_adds * 2e-9:.1f} GFLOP/s in multiply-adds,"
        f" {ceilings.bandwidth * 1e-9:.1f} GB/s to and from memory",
    }


RATE_COLUMNS = ("ms", "share", "GFLOP/s", "GB/s", "roof")


def rate_cells(rates: Rates, result: Profile) -> tuple[str, ...]:
    """For the columns above."""
    return (
        f"{rates.seconds * 1e3:.3f}",
        f"{rates.seconds / result.busy:.1%}" if result.busy else "",
        f"{rates.gflops:.1f}" if rates.multiply_adds else "",
        f"{rates.gigabytes:.1f}",
        f"{rates.of_roof(result.ceilings):.0%}",
    )


def as_data(result: Profile) -> dict[str, Any]:
    """Everything but the timeline, in milliseconds, GFLOP/s and GB/s."""
    return {
        "device": result.device,
        "precision": result.precision,
        "runs": result.runs,
        "latency_ms": result.latency * 1e3,
        "kernels_ms": result.busy * 1e3,
        "launches": len(result.timeline),
        "gaps_ms": sum(result.gaps) * 1e3,
        "ceilings": {
            "gflops": result.ceilings.multiply_adds * 2e-9,
            "gigabytes_per_second": result.ceilings.bandwidth * 1e-9,
        },
        "kinds": [
            {"kind": kind, "layers": number, **_rates(rates, result)}
            for kind, number, rates in result.kinds()
        ],
        "layers": [
            {
                "name": x.layer.name,
                "kind": x.layer.kind,
                "candidate": x.layer.candidate,
                "output": x.layer.shape,
                "launches": x.launches,
                **_rates(x.rates, result),
            }
            for x in result.layers
        ],
    }


def _rates(rates: Rates, result: Profile) -> dict[str, Any]:
    return {
        "ms": rates.seconds * 1e3,
        "share": rates.seconds / result.busy if result.busy else 0.0,
        "multiply_adds": rates.multiply_adds,
        "bytes": rates.nbytes,
        "gflops": rates.gflops,
        "gigabytes_per_second": rates.gigabytes,
        "of_roof": rates.of_roof(result.ceilings),
    }


def trace(result: Profile, model: str) -> str:
    """One run in the Trace Event Format, which Perfetto and chrome://tracing open."""
    names = [("process_name", 0, model), ("thread_name", 1, result.device)]
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": name, "pid": 1, "tid": thread, "args": {"name": value}}
        for name, thread, value in names
    ]
    events += [
        {
            "ph": "X",
            "name": launch.layer.name or launch.layer.kind,
            "cat": launch.layer.kind,
            "pid": 1,
            "tid": 1,
            "ts": launch.span.start * 1e6,
            "dur": launch.span.seconds * 1e6,
            "args": {
                "kernel": launch.kernel,
                "candidate": launch.layer.candidate,
                "output": list(launch.layer.shape),
                "multiply_adds": launch.layer.multiply_adds,
            },
        }
        for launch in result.timeline
    ]
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})

"""Checks any op, in every candidate, against its NumPy reference on a device."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from unittest import mock

import numpy as np
import pytest

from clnet.calls import Candidate, Workload
from clnet.graph import Graph, GraphBuilder
from clnet.ops import Case
from clnet.passes.pipeline import optimize
from clnet.runtime.devices import Device, find_device
from clnet.session.session import Session


@lru_cache(maxsize=1)
def device() -> Device:
    """The device under test: CLNET_DEVICE or the best there is."""
    return find_device()


_patching = Lock()


def plain_session(
    source: Callable[[], Graph], precision: str, choose: Callable[..., Candidate]
) -> Session:
    """A session that leaves the layout of tensors alone: the op itself is tested. Patching is for
    one thread at a time: two that overlap would leave the patch in place for good."""

    def passes(graph: Graph, precision: str, _: int | None, **_joins: bool) -> None:
        optimize(graph, precision)

    with _patching, mock.patch("clnet.session.compile.optimize", passes):
        return Session(lambda _: source(), device(), precision, choose=choose)


def graph_of(case: Case, arrays: list[np.ndarray | None]) -> Graph:
    """A graph of the case's single node; its constant inputs are constants."""
    build = GraphBuilder("case")
    values = []
    for i, (arg, array) in enumerate(zip(case.inputs, arrays, strict=True)):
        if arg is None or array is None:
            values.append(None)
        elif arg.constant:
            values.append(build.constant(array, f"in{i}"))
        else:
            values.append(build.input(f"in{i}", array.shape, array.dtype.name))
    outputs = build.add(case.op, *values, name="node")
    for i, value in enumerate(outputs if isinstance(outputs, tuple) else (outputs,)):
        build.output(value, f"out{i}")
    return build.graph


def arrays_of(case: Case, precision: str = "fp32") -> list[np.ndarray | None]:
    """The case's inputs, always the same; for fp16 with values that a half can hold."""
    rng = np.random.default_rng(0)
    arrays = [a.make(rng) if a is not None else None for a in case.inputs]
    if precision == "fp16":
        arrays = [
            a.astype(np.float16).astype(a.dtype) if a is not None and a.dtype == np.float32 else a
            for a in arrays
        ]
    return arrays


def candidate_names(case: Case, precision: str = "fp32") -> list[str]:
    """All the ways the op offers for this case on the device under test."""
    info, block = device().info, getattr(case.op, "block", 0)
    if "PoCL 3.0" in info.driver and block > (info.channel_block or block):
        pytest.skip("PoCL 3.0's compiler aborts on vectors wider than the processor's")
    names: list[str] = []

    arrays = arrays_of(case, precision)

    def spy(workload: Workload, candidates: list[Candidate]) -> Candidate:
        if type(workload.op) is type(case.op) and not names:
            names.extend(c.name for c in candidates)
        return candidates[0]

    plain_session(lambda: graph_of(case, arrays), precision, spy).close()
    return names


def run(
    case: Case,
    candidate: str | None = None,
    precision: str = "fp32",
    vary: Callable[[Candidate], Candidate] = lambda c: c,
) -> list[np.ndarray]:
    """The case's outputs from the device, by the named candidate in the form that ``vary`` gives
    it."""
    arrays = arrays_of(case, precision)

    def choose(workload: Workload, candidates: list[Candidate]) -> Candidate:
        named = [c for c in candidates if c.name == candidate]
        same = type(workload.op) is type(case.op)  # in half it names another dtype
        return vary(named[0]) if named and same else candidates[0]

    source = graph_of(case, arrays)
    with plain_session(lambda: source, precision, choose) as session:
        feeds = {i.name: arrays[int(i.name[2:])] for i in session.inputs}
        return list(session.run(feeds).values())


def check(
    case: Case,
    candidate: str | None = None,
    precision: str = "fp32",
    vary: Callable[[Candidate], Candidate] = lambda c: c,
) -> None:
    """Fail where a candidate's output differs from the reference's in shape, dtype or value."""
    arrays = arrays_of(case, precision)
    expected = case.op.reference(*arrays)
    inferred = graph_of(case, arrays).nodes[0].outputs
    tolerance = case.tolerance if precision == "fp32" else case.tolerance_fp16
    results = run(case, candidate, precision, vary)
    for value, want, got in zip(inferred, expected, results, strict=True):
        want = np.asarray(want)
        assert got.shape == want.shape == value.spec.shape, f"shapes {got.shape}, {want.shape}"
        assert want.dtype.name == value.spec.dtype, f"dtypes {want.dtype}, {value.spec.dtype}"
        assert got.dtype == want.dtype, f"dtypes {got.dtype}, {want.dtype}"
        if precision == "fp16" and device().info.fp16 and np.issubdtype(want.dtype, np.floating):
            # Half arithmetic saturates its sums (common.h), so infinities become the largest half.
            got, want = np.clip(got, -65504, 65504), np.clip(want, -65504, 65504)
        assert_close(got, want, tolerance)


def assert_close(got: np.ndarray, want: np.ndarray, tolerance: float) -> None:
    """Exact for integers and bools; else within ``tolerance`` of the largest finite magnitude."""
    if not np.issubdtype(want.dtype, np.floating):
        np.testing.assert_array_equal(got, want)
        return
    finite = np.isfinite(want)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(got[~finite], want[~finite])
    scale = max(1e-30, float(np.abs(want[finite], dtype=np.float64).max(initial=0)))
    error = np.abs(got[finite].astype(np.float64) - want[finite].astype(np.float64))
    worst = error.max(initial=0)
    assert worst <= tolerance * scale, f"error {worst:.3g} at magnitude {scale:.3g}"

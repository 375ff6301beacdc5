"""Every op that a model may hold is written as ONNX, which then computes the same."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from exporters.onnx_runner import run_onnx

from clnet import importers
from clnet.errors import UnsupportedError
from clnet.exporters.onnx import to_onnx
from clnet.graph import GraphBuilder
from clnet.ops import Case, Op, registry
from clnet.ops.elementwise import Elementwise
from clnet.ops.recurrent import Recurrent

#: What detectors end with in other formats has no words in ONNX; others are too new there to be
#: read elsewhere, and sampling has them for images only.
REFUSED = ("DetectionOutput", "DetectionPostProcess", "BitCast", "CumProd", "GridSample",
           "ToFormat")  # fmt: skip
IMPORTERS = "".join(p.read_text() for p in Path(importers.__file__).parent.rglob("*.py"))
#: dtypes for which ONNX has no such op, though others. A Dropout ends in a step, in training.
REFUSED_DTYPES = {
    ("BitShiftLeft", "int32"), ("BitShiftRight", "int32"), ("Dropout", "int32"), ("Neg", "uint8"),
    ("PRelu", "uint8"), ("Pow", "uint8"),
}  # fmt: skip
#: What onnxruntime lacks: ops of a dtype.
LACKING = {
    ("CumSum", "uint64"), ("ReduceMax", "uint64"), ("ReduceMin", "uint64"), ("Unique", "int32"),
    ("Where", "bool"),
}  # fmt: skip


#: Cases that onnxruntime refuses: LRN of an even size, the smallest of no truth values. Random
#: numbers are others.
LEFT_OUT = {("LRN", 1), ("ReduceMin", 48), *(("RandomNumbers", i) for i in range(2))}
CASES = [
    pytest.param(case, id=f"{op.__name__}-{case.op.label}-{number}")
    for op in registry()
    for number, case in enumerate(op.cases())
    if (case.op.label, number) not in LEFT_OUT
]


@pytest.mark.parametrize("case", CASES)
def test_every_case_of_every_op(case: Case) -> None:
    arrays = tamed(case)
    dtype = next(a.dtype.name for a in reversed(arrays) if a is not None)
    build = GraphBuilder()
    values, feeds = [], {}
    for i, array in enumerate(arrays):
        if array is None:
            values.append(None)
        elif case.inputs[i].constant:
            values.append(build.constant(array))
        else:
            values.append(build.input(f"x{i}", array.shape, array.dtype.name))
            feeds[f"x{i}"] = array
    made = build.add(case.op, *values, name="node")
    for i, value in enumerate(made if isinstance(made, tuple) else [made]):
        build.output(value, f"y{i}")
    label = case.op.label
    try:
        model = to_onnx(build.graph)
    except UnsupportedError as error:
        assert re.search("node node: ONNX has no|ONNX does not take", str(error))
        assert label in REFUSED or (label, dtype) in REFUSED_DTYPES or not is_imported(case.op)
        return
    if (label, dtype) in LACKING:
        return
    got = run_onnx(model, feeds)
    with np.errstate(all="ignore"):
        wanted = case.op.reference(*arrays)
    for i, want in enumerate(wanted):
        same(got[f"y{i}"], np.asarray(want), case.tolerance)


def is_imported(op: Op) -> bool:
    """Whether models of any format may hold it; the others are for training."""
    name = op.label if isinstance(op, Elementwise) else type(op).__name__
    return onnx.defs.has(name) or re.search(rf"\b{name}\b", IMPORTERS) is not None


def tamed(case: Case) -> list[np.ndarray | None]:
    """The case's inputs, without what ONNX leaves open: extreme operands of elementwise functions,
    division of whole numbers by zero, indices out of range."""
    rng = np.random.default_rng(0)
    arrays = [a.make(rng) if a is not None else None for a in case.inputs]
    if isinstance(case.op, Elementwise) and arrays[0] is not None and arrays[0].ndim == 1:
        arrays = [a[:86] if a is not None else None for a in arrays]
    if case.op.label in ("Div", "Mod"):
        divisor = arrays[1]
        assert divisor is not None
        divisor[divisor == 0] = 1
    if case.op.label == "Pow":
        arrays = [np.abs(a) if a is not None else None for a in arrays]
    if isinstance(case.op, Recurrent) and arrays[6] is not None:
        arrays[6] = arrays[6].clip(1)  # onnxruntime forgets the state of an empty sequence
    if case.op.label == "RoiAlign":
        x, _, numbers = arrays
        assert x is not None and numbers is not None
        arrays[2] = numbers.clip(0, len(x) - 1)
    if case.op.label in ("Gather", "GatherElements", "ScatterElements"):
        x, indices, *_ = arrays
        assert x is not None and indices is not None
        size = x.shape[case.op.axis]
        arrays[1] = np.asarray(indices.clip(-size, size - 1))
    return arrays


def same(got: np.ndarray, want: np.ndarray, tolerance: float) -> None:
    """Equal, or floats within the tolerance of the largest magnitude."""
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    if np.issubdtype(want.dtype, np.floating):
        scale = np.abs(want[np.isfinite(want)]).max(initial=1e-6)
        np.testing.assert_allclose(got, want, rtol=0, atol=max(tolerance, 1e-5) * scale)
    else:
        np.testing.assert_array_equal(got, want)

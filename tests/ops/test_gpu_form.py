"""The shapes that kernels take on GPUs (groups, tiles of four) compute the same; any device can
run them, so they are tested without a GPU."""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness import candidate_names, check, device

from clnet.ops import Case
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.gemm import Gemm, MatMul
from clnet.ops.instance_normalization import InstanceNormalization
from clnet.ops.pooling import AveragePool, MaxPool
from clnet.ops.reduce import Reduce
from clnet.ops.softmax import LogSoftmax, Softmax

OPS = (
    Conv, ConvTranspose, Gemm, MatMul, InstanceNormalization, AveragePool, MaxPool, Reduce,
    Softmax, LogSoftmax,
)  # fmt: skip
CASES = [
    pytest.param(case, id=f"{case.op.label}-{i}") for op in OPS for i, case in enumerate(op.cases())
]


@pytest.fixture(autouse=True)
def as_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    info = device().info
    gpu = replace(info, kind="gpu", vector_width=4, blas=False)
    monkeypatch.setitem(vars(device()), "info", gpu)


@pytest.mark.parametrize("case", CASES)
def test_gpu_form_equals_the_reference(case: Case) -> None:
    for name in candidate_names(case):
        check(case, name)

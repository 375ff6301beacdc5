"""The shapes that kernels take on other devices compute the same: groups and tiles of four on GPUs,
single elements where a driver has no vectors, vectors of four on ARM. Any device can run them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness import candidate_names, check, device

from clnet.ops import Case
from clnet.ops.batch_statistics import BatchNormalizationGradient, BatchNormalizationTraining
from clnet.ops.conv import Conv
from clnet.ops.conv.gradient import ConvWeightGradient
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.dice_loss import DiceLoss
from clnet.ops.gemm import Gemm, MatMul
from clnet.ops.grid_sample import GridSample
from clnet.ops.instance_normalization import InstanceNormalization
from clnet.ops.layer_normalization import LayerNormalization
from clnet.ops.pooling import AveragePool, MaxPool
from clnet.ops.pooling.max_pool_gradient import MaxPoolGradient
from clnet.ops.recurrent import Recurrent
from clnet.ops.reduce import Reduce
from clnet.ops.softmax import LogSoftmax, Softmax
from clnet.ops.softmax_cross_entropy import SoftmaxCrossEntropy

OPS = (
    Conv, ConvTranspose, Gemm, MatMul, InstanceNormalization, AveragePool, MaxPool, Reduce,
    Softmax, LogSoftmax, BatchNormalizationTraining, BatchNormalizationGradient,
    ConvWeightGradient, DiceLoss, MaxPoolGradient, SoftmaxCrossEntropy,
    LayerNormalization, GridSample, Recurrent,
)  # fmt: skip
CASES = [
    pytest.param(case, id=f"{case.op.label}-{i}") for op in OPS for i, case in enumerate(op.cases())
]


FORMS = {
    "gpu": {"kind": "gpu", "vector_width": 4},
    "scalar": {"kind": "cpu", "vector_width": 1},
    "neon": {"kind": "cpu", "vector_width": 4},
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(device().info, blas=False, **FORMS[request.param])
    monkeypatch.setitem(vars(device()), "info", other)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("case", CASES)
def test_other_form_equals_the_reference(case: Case) -> None:
    for name in candidate_names(case):
        check(case, name)

"""Winograd's convolution: its transforms, its accuracy, where it is offered and comes first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from harness import candidate_names, device, run

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.ops import Arg, Case, Op
from clnet.ops.blocked import BlockedConv
from clnet.ops.blocked.packing import BlockPoints
from clnet.ops.conv import Conv
from clnet.ops.conv.winograd_tiles import POINTS, TransformWeights
from clnet.ops.lowering import ceil_div
from clnet.tensor_spec import TensorSpec
from clnet.tuning.space import Space

GPU = DeviceInfo(kind="gpu", compute_units=4)
CPU = DeviceInfo(compute_units=2, vector_width=16)
SAME = Conv((1, 1), (1, 1, 1, 1), (1, 1))
BLOCKED = BlockedConv((1, 1), (1, 1, 1, 1), (1, 1), 1, 16)


def lower(
    x: tuple[int, ...],
    m: int,
    info: DeviceInfo = GPU,
    *,
    op: Op = SAME,
    kernel: tuple[int, int] = (3, 3),
    groups: int = 1,
    constant: bool = True,
) -> list[Candidate]:
    w = (m, x[1] // groups, *kernel)
    if isinstance(op, BlockedConv):
        x = (x[0], ceil_div(x[1], 16), *x[2:], 16)
    specs = TensorSpec(x), TensorSpec(w)
    (y,) = op.infer(*specs, None)
    workload = Workload(op, (*specs, None), (y,), (False, constant, False))
    return op.lower(workload, info)


def names(*args: object, **options: object) -> list[str]:
    return [c.name for c in lower(*args, **options)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("tile", "taps"), [(2, 3), (4, 3), (2, 5)])
def test_weights_interpolate_the_product_of_polynomials(tile: int, taps: int) -> None:
    """At every point p, weights times inputs over Lagrange's divisor are the product's value."""
    w = np.random.default_rng(0).standard_normal((1, 1, taps, taps))
    side = tile + taps - 1
    packed = TransformWeights(tile)(w).reshape(side, side)
    points, powers = POINTS[side], np.arange(taps)
    for i, p in enumerate(points):
        for j, q in enumerate(points):
            value = p**powers @ w[0, 0] @ q**powers
            divisor = np.prod([p - r for r in points if r != p] + [q - r for r in points if r != q])
            np.testing.assert_allclose(packed[i, j], value / divisor)
    np.testing.assert_allclose(packed[-1, -1], w[0, 0, -1, -1])  # both at infinity


def test_weights_are_blocks_with_zeros_behind() -> None:
    w = np.random.default_rng(0).standard_normal((5, 3, 3, 3)).astype(np.float32)
    packed = BlockPoints(2, 4)(w)
    assert packed.shape == (2, 16, 3, 4) and packed.dtype == np.float32
    assert not packed[1, :, :, 1:].any()
    np.testing.assert_array_equal(packed[1, :, :, 0], TransformWeights(2)(w)[:, 4])


def test_equal_transforms_of_a_weight_share_memory() -> None:
    assert BlockPoints(2, 8) == BlockPoints(2, 8) != BlockPoints(4, 8)


@pytest.mark.parametrize("channels", [16, 128, 1024])
@pytest.mark.parametrize("kind", ["signed", "positive"])
@pytest.mark.parametrize("form", ["gpu", "blocked", "blocked 5x5"])
def test_outputs_are_exact_however_many_channels(
    channels: int, kind: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound holds for every number of channels up to 1024, so none is excluded."""
    like = {"kind": "gpu", "vector_width": 4} if form == "gpu" else {"kind": "cpu"}
    monkeypatch.setitem(vars(device()), "info", replace(device().info, **like))  # type: ignore[arg-type]
    taps = 5 if form == "blocked 5x5" else 3
    w = np.random.default_rng(0).standard_normal((8, channels, taps, taps))
    op, x = SAME, (1, channels, 12, 16)
    if form != "gpu":
        op, x = BLOCKED, (1, channels // 16, 12, 16, 16)
    x_arg = Arg(x, low=0.0 if kind == "positive" else -1.0)
    inputs = (x_arg, Arg(w.shape, constant=True, values=w), None)
    case = Case(op, inputs)
    found = [n for n in candidate_names(case) if n.startswith("winograd")]
    assert len(found) == (1 if taps == 5 else 2)
    arrays = [a and a.make(np.random.default_rng(0)) for a in inputs]
    (want,) = op.reference(*(None if a is None else a.astype(np.float64) for a in arrays))
    for name in found:
        (got,) = run(case, name)
        assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max(), name


@pytest.mark.parametrize(("op", "info"), [(SAME, GPU), (BLOCKED, CPU)], ids=["gpu", "blocked"])
def test_only_plain_windows_with_constant_weights(op: Conv | BlockedConv, info: DeviceInfo) -> None:
    x = (1, 64, 56, 56)
    assert "winograd_4" in names(x, 64, info, op=op)
    assert "winograd_4" not in names(x, 64, info, op=op, kernel=(3, 2))
    of_five = [n for n in names(x, 64, info, op=op, kernel=(5, 5)) if n.startswith("winograd")]
    assert of_five == ([] if info.kind == "gpu" else ["winograd_2"])
    for change in ({"strides": (2, 2)}, {"dilations": (2, 2)}, {"groups": 2}):
        other = replace(op, **change)  # type: ignore[arg-type]
        assert "winograd_4" not in names(x, 64, info, op=other, groups=int("groups" in change) + 1)
    assert isinstance(op, BlockedConv) or "winograd_4" not in names(x, 64, constant=False)


@pytest.mark.parametrize(
    "x, m, first",
    [
        ((1, 64, 128, 192), 64, "winograd_4"),
        ((1, 64, 56, 56), 64, "winograd_4"),
        ((1, 256, 28, 28), 256, "winograd_4"),
        ((1, 1024, 8, 12), 1024, "winograd_2"),  # few pixels, large weights
        ((1, 512, 7, 7), 512, "direct"),
    ],
)
def test_order_on_a_cpu(x: tuple[int, ...], m: int, first: str) -> None:
    found = names(x, m, CPU, op=BLOCKED)
    assert found[0] == first and {"winograd_2", "winograd_4"} < set(found)


@pytest.mark.parametrize(("op", "info"), [(SAME, GPU), (BLOCKED, CPU)], ids=["gpu", "blocked"])
def test_variants_keep_the_limits_of_the_device(op: Op, info: DeviceInfo) -> None:
    small = replace(info, max_allocation=1 << 20)
    for candidate in lower((1, 32, 56, 56), 32, small, op=op):
        assert all(nbytes <= 1 << 20 for nbytes in candidate.workspace), candidate.name
    assert "winograd_4" not in names((1, 256, 56, 56), 256, small, op=op)


@pytest.mark.parametrize("size", [1, 6, 28])
def test_every_point_of_the_search_space_can_be_asked_for(size: int) -> None:
    candidates = lower((1, 128, size, size), 128, CPU, op=BLOCKED)
    assert len(list(Space(candidates, CPU).points())) > len(candidates)

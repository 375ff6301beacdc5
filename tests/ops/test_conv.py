"""What the cases of Conv and ConvTranspose cannot say: errors, packing, launch geometry."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from clnet.calls import Candidate, KernelCall, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.conv import Conv
from clnet.ops.conv.geometry import Geometry
from clnet.ops.conv.packing import BlockChannels, BlockPhases
from clnet.ops.conv.tiles import channel_tiles, split
from clnet.ops.conv_transpose import ConvTranspose
from clnet.tensor_spec import TensorSpec

CPU = DeviceInfo(compute_units=2, vector_width=16)
GPU = replace(CPU, kind="gpu", vector_width=4, max_work_group_size=12)


def lower(
    op: Conv, x: tuple[int, ...], w: tuple[int, ...], info: DeviceInfo, *, constant: bool = True
) -> list[Candidate]:
    specs = TensorSpec(x), TensorSpec(w)
    workload = Workload(op, (*specs, None), op.infer(*specs, None), (False, constant, False))
    return op.lower(workload, info)


@pytest.mark.parametrize(
    "x, w, attributes, reason",
    [
        ((1, 4, 8, 8), (6, 3, 3, 3), {}, "do not fit"),
        ((1, 4, 8, 8), (5, 2, 3, 3), {"groups": 2}, "do not divide"),
        ((1, 4, 2, 8), (6, 4, 3, 3), {}, "larger than the padded input"),
        ((1, 4, 8, 8), (6, 4, 3, 3), {"strides": (1,)}, "do not fit 2 spatial"),
        ((1, 4, 8, 8), (6, 4, 3, 3), {"strides": (0, 1)}, "must be positive"),
        ((1, 4), (6, 4), {}, "0 spatial dimensions"),
    ],
)
def test_what_does_not_fit_is_refused(
    x: tuple[int, ...], w: tuple[int, ...], attributes: dict[str, object], reason: str
) -> None:
    fields = {"strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1), **attributes}
    with pytest.raises(ShapeError, match=reason):
        Conv(**fields).infer(TensorSpec(x), TensorSpec(w))  # type: ignore[arg-type]


def test_transposed_output_must_not_vanish() -> None:
    op = ConvTranspose((1, 1), (3, 3, 3, 3), (1, 1))
    with pytest.raises(ShapeError, match="leave nothing"):
        op.infer(TensorSpec((1, 2, 4, 4)), TensorSpec((2, 2, 3, 3)))


def test_packed_channels_are_blocks_with_zeros_behind() -> None:
    w = np.arange(2 * 3 * 2 * 2, dtype=np.float32).reshape(6, 2, 2) + 1
    packed = BlockChannels(2, 4)(w)
    assert packed.shape == (2, 1, 1, 4, 4)
    np.testing.assert_array_equal(packed[1, 0, 0, :, 1], w[4].ravel())
    assert not packed[..., 3].any()


def test_phases_share_out_the_kernel() -> None:
    w = np.arange(3, dtype=np.float32).reshape(1, 1, 3) + 1
    packed = BlockPhases(1, 1, (1, 1, 2))(w)
    np.testing.assert_array_equal(packed.reshape(2, 2), [[3, 1], [0, 2]])  # the last tap first


def test_equal_packings_of_a_weight_share_memory() -> None:
    assert BlockChannels(2, 8) == BlockChannels(2, 8) != BlockChannels(1, 8)


@pytest.mark.parametrize("info", [CPU, GPU])
def test_launches_keep_the_limits_of_the_device(info: DeviceInfo) -> None:
    op = Conv((1, 1), (1, 1, 1, 1), (1, 1))
    for candidate in lower(op, (2, 5, 9, 9), (7, 5, 3, 3), info):
        for call in candidate.calls:
            assert isinstance(call, KernelCall)
            assert math.prod(call.local_size or (1,)) <= info.max_work_group_size


def test_large_layers_keep_every_core_busy() -> None:
    op = Conv((1, 1), (0,) * 4, (1, 1))
    first = lower(op, (1, 96, 56, 56), (24, 96, 1, 1), replace(CPU, compute_units=8))[0]
    (call,) = first.calls
    assert isinstance(call, KernelCall)
    assert 16 <= math.prod(call.global_size) <= 128


def test_weights_that_change_are_packed_on_the_device() -> None:
    op = Conv((1, 1), (0,) * 4, (1, 1))
    for candidate in lower(op, (1, 32, 20, 20), (32, 32, 1, 1), CPU, constant=False):
        assert not candidate.packed


def test_tiles_fit_the_registers() -> None:
    for registers in (16, 32):
        for shape in ((1, 1, 49), (2, 7, 7), (40, 112, 112), (3, 5, 1)):
            tiles = channel_tiles(*shape, registers)
            assert list(tiles.values()) == sorted(tiles.values()) and min(tiles.values()) == 1
            for blocks, rows, columns in tiles:
                assert blocks * rows * columns + blocks < registers
                assert all(t <= s for t, s in zip((blocks, rows, columns), shape, strict=True))


def test_split_covers_everything() -> None:
    for outer, inner, items in ((5, 48, 16), (262, 2, 16), (1, 1, 16), (7, 3, 1)):
        a, b = split(outer, inner, items)
        assert 1 <= a <= outer and 1 <= b <= inner
        assert math.ceil(outer / a) * math.ceil(inner / b) <= 2 * max(items, 1)


def test_geometry_knows_whether_padding_is_seen() -> None:
    def geometry(size: int, pads: tuple[int, int], stride: int) -> Geometry:
        op = Conv((stride,), pads, (1,))
        x, w = TensorSpec((1, 1, size)), TensorSpec((1, 1, 3))
        return Geometry.of(x, w, op.infer(x, w)[0], op.strides, op.pads, op.dilations, 1)

    assert geometry(8, (1, 0), 1).touches_padding
    assert geometry(8, (0, 1), 1).touches_padding
    assert not geometry(8, (0, 1), 4).touches_padding  # the last window ends before it

"""A convolution's gradient: ConvTranspose for the data, a kernel of its own for the weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np

from clnet.calls import Call, Candidate, Define, In, KernelCall, Out, Ref, Work, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.conv.geometry import Geometry, check_attributes
from clnet.ops.lowering import ceil_div, float_defines, grid, round_up
from clnet.ops.reduce import Reduce
from clnet.tensor_spec import TensorSpec


def conv_vjp(build: GraphBuilder, node: Node, grad: Value | None) -> tuple[Value | None, ...]:
    """Gradients of x, w and, where there is one, b."""
    from clnet.ops.conv_transpose import ConvTranspose  # which takes its gradient from here

    op = node.op
    x, w, *b = node.inputs
    assert x is not None and w is not None and grad is not None
    geometry = (op.strides, op.pads, op.dilations, op.groups)
    rank = x.spec.rank - 2
    rest = tuple(  # what the last window leaves over at the end of each dimension
        (size + ahead + behind - dilation * (kernel - 1) - 1) % stride
        for size, kernel, stride, dilation, ahead, behind in zip(
            x.spec.shape[2:], w.spec.shape[2:], op.strides, op.dilations, op.pads[:rank],
            op.pads[rank:], strict=True,
        )
    )  # fmt: skip
    dx = build.add(ConvTranspose(*geometry, output_padding=rest), grad, w)
    dw = build.add(ConvWeightGradient(w.spec.shape[2:], *geometry), x, grad)
    positions = (0, *range(2, 2 + rank))
    db = [build.add(Reduce("Sum", positions, keepdims=False), grad) for _ in b[:1] if b[0]]
    return dx, dw, *db


@register
@dataclass(frozen=True)
class ConvWeightGradient(Op):
    """dw[m, c, k] = sum over n, p of dy[n, m, p] * x[n, c, p * stride + k * dilation - pad].

    Inputs x[N, C, *S] and dy[N, M, *P] of a convolution with these attributes; ``kernel`` is the
    spatial shape of its weights. Output dw[M, C / groups, *kernel].
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int = 1

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, dy = inputs
        assert x is not None and dy is not None
        check_attributes(x.rank - 2, self.strides, self.pads, self.dilations, self.groups)
        if not x.is_float or (dy.rank, dy.dtype, dy.shape[0]) != (x.rank, x.dtype, x.shape[0]):
            raise ShapeError(f"gradient {dy} does not fit the convolution of {x}")
        if dy.size == 0:
            raise ShapeError(f"gradient of the convolution of {x}, which has no outputs")
        if x.shape[1] % self.groups or dy.shape[1] % self.groups:
            raise ShapeError(f"{x} and {dy} do not divide into {self.groups} groups")
        return (x.with_shape((dy.shape[1], x.shape[1] // self.groups, *self.kernel)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, dy = inputs
        assert x is not None and dy is not None
        (spec,) = self.infer(TensorSpec.of(x), TensorSpec.of(dy))
        rank, out = x.ndim - 2, dy.shape[2:]
        padding = [(0, 0), (0, 0), *zip(self.pads[:rank], self.pads[rank:], strict=True)]
        padded = np.pad(x.astype(np.float64), padding)
        padded = padded.reshape(len(x), self.groups, -1, *padded.shape[2:])
        grads = dy.reshape(len(dy), self.groups, spec.shape[0] // self.groups, -1)
        dw = np.zeros((self.groups, spec.shape[0] // self.groups, *spec.shape[1:]))
        whole = (slice(None),) * 3
        for tap in product(*map(range, self.kernel)):
            window = tuple(
                slice(k * d, k * d + (o - 1) * s + 1, s)
                for k, d, o, s in zip(tap, self.dilations, out, self.strides, strict=True)
            )
            seen = padded[whole + window].reshape(*padded.shape[:3], -1)
            dw[whole + tap] = np.einsum("ngmp,ngcp->gmc", grads, seen)
        return (dw.reshape(spec.shape).astype(x.dtype),)

    def multiply_adds(self, workload: Workload) -> int:
        dw = workload.output
        return workload.input(1).size * (dw.size // dw.shape[0])

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, dy = workload.input(0), workload.input(1)
        geometry = Geometry.of(
            x, workload.output, dy, self.strides, self.pads, self.dilations, self.groups
        )
        return [_rows(geometry, x.dtype, device)]

    @classmethod
    def cases(cls) -> Iterable[Case]:
        def case(
            x: tuple[int, ...], dy: tuple[int, ...], kernel: tuple[int, ...], *attributes: object
        ) -> Case:
            return Case(cls(kernel, *attributes), (Arg(x), Arg(dy)))  # type: ignore[arg-type]

        yield case((2, 1, 12, 11), (2, 6, 8, 7), (5, 5), (1, 1), (0,) * 4, (1, 1))
        yield case((4, 8, 20, 20), (4, 16, 18, 18), (3, 3), (1, 1), (0,) * 4, (1, 1))
        yield case((3, 11, 6, 7), (3, 33, 6, 7), (3, 3), (1, 1), (1,) * 4, (1, 1))
        yield case((2, 6, 9, 8), (2, 4, 3, 8), (3, 2), (3, 1), (1, 2, 0, 0), (1, 2), 2)
        yield case((1, 5, 4, 4), (1, 5, 4, 4), (3, 3), (1, 1), (1,) * 4, (1, 1), 5)
        yield case((2, 3, 17), (2, 4, 5), (4,), (3,), (0, 1), (1,))
        yield case((1, 2, 30), (1, 3, 20), (13,), (1,), (2, 0), (1,))
        yield case((1, 2, 4), (1, 3, 6), (5,), (1,), (3, 3), (1,))
        yield case((1, 2, 4, 5, 6), (1, 3, 3, 5, 3), (2, 1, 3), (1, 1, 2), (0, 0, 1, 0, 0, 1),
                   (1, 1, 1))  # fmt: skip


def _rows(g: Geometry, dtype: str, device: DeviceInfo) -> Candidate:
    """dy as rows of neighbouring channels first, then one work-item for a vector of them, a few
    input channels and the taps of a row. Long sums are split and added up in a third call."""
    vector = min(device.vector_width, 1 << (g.mg - 1).bit_length())
    row = round_up(g.mg, vector)
    sums = 12 if device.is_cpu else 8  # vectors of them that the registers hold
    taps = g.kernel[2] if g.kernel[2] <= sums else 1
    most = max(1, sums // taps)
    tile = ceil_div(g.cg, ceil_div(g.cg, most))
    items = g.groups * (row // vector) * ceil_div(g.cg, tile) * (g.taps // taps)
    wanted = device.compute_units * (8 if device.is_cpu else 256)
    if device.is_cpu:  # an item is worth its start
        wanted = max(1, min(wanted, g.n * g.pixels * g.groups * g.mg * g.cg * g.taps >> 16))
    lines = g.n * g.out[0] * g.out[1]
    per_split = ceil_div(lines, min(lines, ceil_div(wanted, items)))
    splits = ceil_div(lines, per_split)
    size = g.groups * g.mg * g.cg * g.taps
    defines: tuple[Define, ...] = (
        *float_defines(dtype, device),
        ("VW", vector), ("TILE_C", tile), ("TILE_K", taps),
        ("SPLITS", splits), ("LINES_PER_SPLIT", per_split),
        ("BATCH", g.n), ("GROUPS", g.groups), ("GROUP_IN", g.cg), ("GROUP_OUT", g.mg),
        *_triple("IN", g.size), *_triple("OUT", g.out), *_triple("KERNEL", g.kernel),
        *_triple("STRIDE", g.strides), *_triple("DILATION", g.dilations), *_triple("PAD", g.pads),
    )  # fmt: skip

    def call(name: str, args: tuple[Ref, ...], count: int, heavy: bool = False) -> KernelCall:
        alone = heavy and device.is_cpu
        return KernelCall(
            "conv_weight_gradient", f"conv_weight_gradient_{name}", args,
            (count,) if alone else grid(count), (1,) if alone else None, defines,
        )  # fmt: skip

    rows_size = g.n * g.pixels * g.groups * row
    itemsize = np.dtype(dtype).itemsize
    workspace = [rows_size * itemsize]
    calls: list[Call] = [call("rows", (In(1), Work(0)), rows_size // vector)]
    if splits == 1:
        calls += [call("sums", (In(0), Work(0), Out()), items, heavy=True)]
    else:
        workspace += [splits * size * max(4, itemsize)]
        calls += [
            call("sums", (In(0), Work(0), Work(1)), items * splits, heavy=True),
            call("total", (Work(1), Out()), size),
        ]
    return Candidate("rows", tuple(calls), tuple(workspace))


def _triple(stem: str, values: tuple[int, int, int]) -> tuple[Define, ...]:
    return tuple((f"{stem}_{n}", v) for n, v in zip("DHW", values, strict=True))

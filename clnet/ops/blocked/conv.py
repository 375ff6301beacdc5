"""BlockedConv: two-dimensional convolution of blocked channels, with bias and epilogue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.blocked.depthwise import depthwise
from clnet.ops.blocked.geometry import Window
from clnet.ops.blocked.layout import blocked, unblocked
from clnet.ops.blocked.product import Product, Source
from clnet.ops.blocked.ways import ways
from clnet.ops.conv import Conv
from clnet.ops.expression import Expression
from clnet.ops.lowering import ceil_div
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class BlockedConv(Op):
    """Conv with its result's channels in blocks: y[N, ceil(M / block), OH, OW, block].

    Inputs x[N, ceil(C / block), H, W, block], or x[N, C, H, W] where C is small, constant weights
    w[M, C / groups, KH, KW] and bias b[M] or None, then the epilogue's extras, blocked too. With
    groups, each must fill whole blocks, or be a single channel that gives a single one (depthwise).
    """

    foldable: ClassVar[bool] = False  # a reference in NumPy would take minutes
    channel_axes: ClassVar[tuple[int, ...]] = (1, 4)

    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int
    block: int
    epilogue: Expression = Expression()  # noqa: RUF009  (frozen)

    @property
    def label(self) -> str:
        return "Conv"

    @property
    def conv(self) -> Conv:
        """The same over plain channels, without the epilogue."""
        return Conv(self.strides, self.pads, self.dilations, self.groups)

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, w = inputs[0], inputs[1]
        assert x is not None and w is not None
        plain = x
        if x.rank == 4 and self.groups > 1:
            raise ShapeError(f"{x} in {self.groups} groups is not in blocks")
        if x.rank == 5:
            n, b, height, width, block = x.shape
            channels = w.shape[1] * self.groups
            if block != self.block or b != ceil_div(channels, block):
                raise ShapeError(f"{x} does not hold {channels} channels in blocks of {self.block}")
            plain = x.with_shape((n, channels, height, width))
        (y,) = self.conv.infer(plain, *inputs[1:3])
        n, m, height, width = y.shape
        return (y.with_shape((n, ceil_div(m, self.block), height, width, self.block)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, w = inputs[0], inputs[1]
        assert x is not None and w is not None
        if x.ndim == 5:
            x = unblocked(x, w.shape[1] * self.groups)
        (y,) = self.conv.reference(x, *inputs[1:3])
        y = blocked(y, self.block)
        extras = [a for a in inputs[3:] if a is not None]
        return (self.epilogue.evaluate(y, *extras) if self.epilogue.steps else y,)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, w = workload.input(0), workload.input(1)
        window = self.window(x, w)
        if w.shape[1] == 1 and self.groups > 1:
            found = depthwise(workload, device, window)
            return [] if found is None else [found]
        product = Product(workload, device, window, self.groups, self.source(x, window))
        return ways(product)

    def kind(self, workload: Workload) -> str:
        w = workload.input(1)
        size = "x".join(map(str, w.shape[2:]))
        if self.groups == 1:
            return f"Conv {size}"
        return f"Conv {size} {'depthwise' if w.shape[1] == 1 else 'grouped'}"

    def multiply_adds(self, workload: Workload) -> int:
        n, _, height, width, _ = workload.output.shape
        return n * height * width * workload.input(1).size

    def window(self, x: TensorSpec, w: TensorSpec) -> Window:
        """The convolution's window over ``x``."""
        (y,) = self.infer(x, w)
        size = (x.shape[2], x.shape[3])
        kernel = (w.shape[2], w.shape[3])
        out = (y.shape[2], y.shape[3])
        (sy, sx), (dy, dx), (top, left) = self.strides, self.dilations, self.pads[:2]
        return Window(size, out, kernel, (sy, sx), (dy, dx), (top, left))

    def source(self, x: TensorSpec, window: Window) -> Source:
        """Where the kernel of a product finds ``x``."""
        if x.rank == 4:
            return "plain"
        return "copied" if x.dtype != "float32" or window.touches_padding else "direct"

    @classmethod
    def cases(cls) -> Iterable[Case]:
        def conv(
            x: tuple[int, ...], w: tuple[int, ...], stride: int = 1, pad: int = 0,
            dilation: int = 1, groups: int = 1, bias: bool = True,
        ) -> Case:  # fmt: skip
            op = cls((stride, stride), (pad,) * 4, (dilation, dilation), groups, x[-1])
            if len(x) == 4:
                op = replace(op, block=8)
            b = (Arg((w[0],), constant=True),) if bias else ()
            return Case(op, (Arg(x), Arg(w, constant=True), *b))

        yield conv((1, 2, 9, 11, 8), (24, 16, 1, 1))
        yield conv((2, 3, 5, 7, 8), (10, 19, 1, 1), bias=False)
        yield conv((1, 1, 1, 1, 8), (5, 8, 1, 1))
        yield conv((1, 2, 13, 15, 4), (7, 8, 1, 1), stride=2)
        yield conv((1, 2, 12, 30, 8), (16, 16, 3, 3), pad=1)
        yield conv((2, 1, 9, 9, 8), (20, 5, 3, 3), stride=2, pad=1)
        yield conv((1, 2, 11, 10, 16), (33, 30, 3, 3), pad=2, dilation=2)
        yield conv((1, 2, 8, 8, 8), (8, 16, 2, 5), bias=False)
        yield conv((1, 4, 9, 8, 4), (16, 8, 3, 3), pad=1, groups=2)
        yield conv((1, 3, 21, 18), (10, 3, 7, 7), stride=2, pad=3)
        yield conv((2, 1, 9, 9), (16, 1, 3, 3), pad=1)
        yield conv((1, 3, 11, 14), (10, 3, 3, 3), pad=1, dilation=2)
        yield conv((2, 2, 9, 10), (3, 2, 5, 3), bias=False)
        yield conv((2, 3, 14, 17, 8), (24, 1, 3, 3), pad=1, groups=24)
        yield conv((1, 2, 15, 9, 8), (13, 1, 5, 5), stride=2, pad=2, groups=13)
        yield conv((1, 1, 3, 2, 4), (4, 1, 3, 3), pad=1, groups=4, bias=False)
        yield conv((1, 1, 9, 10, 8), (8, 1, 3, 3), pad=2, dilation=2, groups=8)
        last = Expression.of("Add").then(Expression.of("Mul"), 0).then(Expression.of("Relu"), 0)
        for w, groups, pad in (((12, 8, 3, 3), 1, 1), ((8, 1, 3, 3), 8, 1), ((12, 8, 1, 1), 1, 0)):
            blocks = ceil_div(w[0], 8)
            op = cls((1, 1), (pad,) * 4, (1, 1), groups, 8, last)
            yield Case(
                op,
                (
                    Arg((1, 1, 7, 9, 8)), Arg(w, constant=True), Arg((w[0],), constant=True),
                    Arg((1, blocks, 7, 9, 8)), Arg((1, blocks, 1, 1, 8)),
                ),
            )  # fmt: skip

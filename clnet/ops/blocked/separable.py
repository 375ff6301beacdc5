"""SeparableConv: a depthwise convolution and the 1x1 convolution behind it, as one launch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, Define, Packed, Workload
from clnet.device_info import DeviceInfo
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.blocked.conv import BlockedConv
from clnet.ops.blocked.depthwise import tile_defines, tiles
from clnet.ops.blocked.geometry import Window
from clnet.ops.blocked.packing import pack_bias, pack_weights
from clnet.ops.blocked.product import Product, stage_defines
from clnet.ops.expression import Expression
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class SeparableConv(Op):
    """y = epilogue(pointwise(middle(depthwise(x)))), where what is between them stays in a cache.

    Inputs x[N, B, H, W, block], the depthwise convolution's constant weights [C, 1, KH, KW] and
    bias [C] or None, the other's [M, C, 1, 1] and [M] or None, then the epilogue's extras.
    ``middle`` has no operand but the depthwise result.
    """

    foldable: ClassVar[bool] = False  # a reference in NumPy would take minutes
    channel_axes: ClassVar[tuple[int, ...]] = (1, 4)
    own_inputs: ClassVar[int] = 5

    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    channels: int
    block: int
    middle: Expression = Expression()  # noqa: RUF009  (frozen)
    epilogue: Expression = Expression()  # noqa: RUF009  (frozen)

    @property
    def depthwise(self) -> BlockedConv:
        """The first convolution."""
        return BlockedConv(
            self.strides, self.pads, self.dilations, self.channels, self.block, self.middle
        )

    @property
    def pointwise(self) -> BlockedConv:
        """The second convolution."""
        return BlockedConv((1, 1), (0, 0, 0, 0), (1, 1), 1, self.block, self.epilogue)

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (between,) = self.depthwise.infer(*inputs[:3])
        return self.pointwise.infer(between, *inputs[3:])

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (between,) = self.depthwise.reference(*inputs[:3])
        return self.pointwise.reference(between, *inputs[3:])

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        window = self.depthwise.window(workload.input(0), workload.input(1))
        packed, defines = self.ahead(workload, device, 1, window)
        product = Product(workload, device, window, 1, "depthwise", 3, packed, defines)
        found = product.candidate("separable")
        return [] if found is None else [found]

    def ahead(
        self, workload: Workload, device: DeviceInfo, index: int, window: Window
    ) -> tuple[tuple[Packed, ...], tuple[Define, ...]]:
        """Constants and macros of the depthwise convolution, whose weights are input ``index``."""
        w = workload.input(index)
        packed = (
            pack_weights(index, w, 1, self.block, 1),
            pack_bias(index + 1, workload.has(index + 1), w, 1, self.block),
        )
        defines = tile_defines(window, tiles(window, self.block)[0])
        return packed, (*defines, *stage_defines("MIDDLE", self.middle, workload, device))

    def kind(self, workload: Workload) -> str:
        return f"Conv {'x'.join(map(str, workload.input(1).shape[2:]))} separable"

    def multiply_adds(self, workload: Workload) -> int:
        n, _, height, width, _ = workload.output.shape
        return n * height * width * (workload.input(1).size + workload.input(3).size)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        clip, add = Expression.of("Clip", min=-1.0, max=1.5), Expression.of("Add")
        for block, c, m, stride, k, middle, epilogue in (
            (8, 16, 24, 1, 3, clip, Expression()),
            (8, 13, 9, 2, 3, Expression(), Expression.of("Relu")),
            (16, 40, 16, 1, 5, Expression.of("HardSwish"), add),
            (4, 4, 30, 2, 3, clip, add),
        ):
            op = cls((stride,) * 2, (k // 2,) * 4, (1, 1), c, block, middle, epilogue)
            blocks, out = -(-c // block), (-(-12 // stride), -(-9 // stride))
            constants = [Arg(s, constant=True) for s in ((c, 1, k, k), (c,), (m, c, 1, 1), (m,))]
            extras = [Arg((1, -(-m // block), *out, block))] if epilogue == add else []
            yield Case(op, (Arg((1, blocks, 12, 9, block)), *constants, *extras))

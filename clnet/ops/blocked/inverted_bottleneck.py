"""InvertedBottleneck: a 1x1, a depthwise and another 1x1 convolution, as one launch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.blocked.conv import BlockedConv
from clnet.ops.blocked.geometry import common_tile
from clnet.ops.blocked.packing import pack_bias, pack_weights
from clnet.ops.blocked.product import Product, registers, stage_defines
from clnet.ops.blocked.separable import SeparableConv
from clnet.ops.conv.tiles import channel_tiles
from clnet.ops.expression import Expression
from clnet.ops.lowering import ceil_div
from clnet.tensor_spec import TensorSpec

#: Rows of the expanded input that an item has at least, about, where its tiles are costed.
ROWS = 8


@register
@dataclass(frozen=True)
class InvertedBottleneck(Op):
    """y = separable(entry(expansion(x))), of which only x and y need more than a cache (Sandler et
    al., MobileNetV2, 2018, who call it an inverted residual; the sum is the epilogue's).

    Inputs x[N, B, H, W, block], the expansion's constant weights [C, E, 1, 1] and bias [C] or None,
    then those of ``separable``. ``entry`` has no operand but the expansion's result.
    """

    foldable: ClassVar[bool] = False  # a reference in NumPy would take minutes
    channel_axes: ClassVar[tuple[int, ...]] = (1, 4)
    own_inputs: ClassVar[int] = 7

    entry: Expression
    separable: SeparableConv  #: without an epilogue
    epilogue: Expression = Expression()  # noqa: RUF009  (frozen)

    @property
    def block(self) -> int:
        """Channels of a block."""
        return self.separable.block

    @property
    def expansion(self) -> BlockedConv:
        """The first convolution."""
        return BlockedConv((1, 1), (0, 0, 0, 0), (1, 1), 1, self.block, self.entry)

    @property
    def tail(self) -> SeparableConv:
        """The others."""
        return replace(self.separable, epilogue=self.epilogue)

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (between,) = self.expansion.infer(*inputs[:3])
        return self.tail.infer(between, *inputs[3:])

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (between,) = self.expansion.reference(*inputs[:3])
        return self.tail.reference(between, *inputs[3:])

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, w, block = workload.input(0), workload.input(1), self.block
        (between,) = self.expansion.infer(x, w)
        window = self.separable.depthwise.window(between, workload.input(3))
        packed, defines = self.separable.ahead(workload, device, 3, window)
        width = window.size[1]
        costs = channel_tiles(between.shape[1], 1, ROWS * width, registers(block), room=(1, width))
        tile_b, _, tile_x = common_tile(costs)
        product = Product(
            workload, device, window, 1, "expanded", 5,
            (
                pack_weights(1, w, 1, block, block), pack_bias(2, workload.has(2), w, 1, block),
                *packed,
            ),
            (
                *defines, *stage_defines("ENTRY", self.entry, workload, device),
                ("EXPAND_FROM", w.shape[1]), ("EXPAND_B", tile_b), ("EXPAND_X", tile_x),
            ),
            # In halves x is widened as well.
            row_elements=(tile_b + (x.dtype == "float16") * x.shape[1]) * width * block,
        )  # fmt: skip
        found = product.candidate("inverted")
        return [] if found is None else [found]

    def kind(self, workload: Workload) -> str:
        return f"Conv {'x'.join(map(str, workload.input(3).shape[2:]))} inverted"

    def multiply_adds(self, workload: Workload) -> int:
        (n, _, height, width, _), (_, _, ih, iw, _) = workload.output.shape, workload.input(0).shape
        expansion, depthwise, pointwise = (workload.input(i).size for i in (1, 3, 5))
        return n * (ih * iw * expansion + height * width * (depthwise + pointwise))

    @classmethod
    def cases(cls) -> Iterable[Case]:
        clip, add = Expression.of("Clip", min=-1.0, max=1.5), Expression.of("Add")
        for block, e, c, m, stride, k, entry, epilogue in (
            (8, 8, 16, 24, 1, 3, clip, Expression()),
            (8, 11, 27, 9, 2, 3, Expression(), Expression.of("Relu")),
            (16, 24, 40, 16, 1, 5, Expression.of("HardSwish"), add),
            (4, 3, 4, 30, 2, 3, clip, add),
        ):
            middle = Expression.of("Relu") if k == 3 else Expression()
            separable = SeparableConv((stride,) * 2, (k // 2,) * 4, (1, 1), c, block, middle)
            out = (ceil_div(12, stride), ceil_div(9, stride))
            shapes = ((c, e, 1, 1), (c,), (c, 1, k, k), (c,), (m, c, 1, 1), (m,))
            constants = [Arg(s, constant=True) for s in shapes]
            extras = [Arg((2, ceil_div(m, block), *out, block))] if epilogue == add else []
            x = Arg((2, ceil_div(e, block), 12, 9, block))
            yield Case(cls(entry, separable, epilogue), (x, *constants, *extras))

"""PooledConv: a convolution and the maximum over windows of its results, as one launch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.device_info import DeviceInfo
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.blocked.conv import BlockedConv
from clnet.ops.blocked.product import Product
from clnet.ops.blocked.ways import ways
from clnet.ops.expression import Expression
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class PooledConv(Op):
    """The largest of each ``pool`` rows and columns of epilogue(convolution), which does not leave
    the registers. The windows do not overlap; rows and columns that fill none are not computed.

    Inputs are those of BlockedConv, without extras for its epilogue.
    """

    foldable: ClassVar[bool] = False  # a reference in NumPy would take minutes

    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int
    block: int
    pool: tuple[int, int]
    epilogue: Expression = Expression()  # noqa: RUF009  (frozen)

    @property
    def label(self) -> str:
        return "Conv"

    @property
    def conv(self) -> BlockedConv:
        """The convolution alone."""
        return BlockedConv(
            self.strides, self.pads, self.dilations, self.groups, self.block, self.epilogue
        )

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        (y,) = self.conv.infer(*inputs)
        n, blocks, height, width, block = y.shape
        return (y.with_shape((n, blocks, height // self.pool[0], width // self.pool[1], block)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (y,) = self.conv.reference(*inputs)
        n, blocks, height, width, block = y.shape
        (ph, pw), out = self.pool, (height // self.pool[0], width // self.pool[1])
        windows = y[:, :, : out[0] * ph, : out[1] * pw].reshape(
            n, blocks, out[0], ph, out[1], pw, block
        )
        return (windows.max(axis=(3, 5)),)

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        x, w = workload.input(0), workload.input(1)
        conv = self.conv
        window = conv.window(x, w)
        source = conv.source(x, window)
        product = Product(workload, device, window, self.groups, source, pool=self.pool)
        return ways(product)

    def kind(self, workload: Workload) -> str:
        return f"{self.conv.kind(workload)} pooled"

    def multiply_adds(self, workload: Workload) -> int:
        n, _, height, width, _ = workload.output.shape
        return n * height * width * self.pool[0] * self.pool[1] * workload.input(1).size

    @classmethod
    def cases(cls) -> Iterable[Case]:
        relu = Expression.of("Relu")
        for x, w, stride, pad, pool, epilogue in (
            ((2, 1, 12, 13), (6, 1, 5, 5), 1, 2, (2, 2), relu),
            ((2, 1, 9, 11, 8), (16, 6, 3, 3), 1, 0, (2, 2), Expression()),
            ((1, 2, 14, 11, 4), (7, 8, 3, 3), 2, 1, (3, 2), relu),
            ((1, 1, 8, 9, 16), (20, 16, 1, 1), 1, 0, (1, 3), Expression.of("HardSwish")),
            ((1, 2, 11, 10, 4), (8, 4, 3, 3), 1, 1, (2, 3), Expression()),
            ((2, 2, 11, 14, 8), (20, 13, 3, 3), 1, 1, (2, 2), relu),
            ((2, 1, 14, 13, 8), (16, 6, 5, 5), 1, 0, (2, 2), relu),
        ):
            groups = x[1] if x[-1] == 4 and w[1] == 4 else 1
            block = x[-1] if len(x) == 5 else 8
            op = cls((stride,) * 2, (pad,) * 4, (1, 1), groups, block, pool, epilogue)
            yield Case(op, (Arg(x), Arg(w, constant=True), Arg((w[0],), constant=True)))

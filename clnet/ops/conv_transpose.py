"""ConvTranspose: the transpose of a convolution (deconvolution), gathered output by output."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np

from clnet.calls import Candidate, In, KernelCall, Out, Values, Workload, tunable
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Node, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.conv import Conv
from clnet.ops.conv.channels import channels
from clnet.ops.conv.geometry import check_attributes
from clnet.ops.conv.gradient import ConvWeightGradient
from clnet.ops.conv.phases import by_phase, transposed
from clnet.ops.conv.problem import ConvProblem, kernel_defines
from clnet.ops.conv.scatter import scatter
from clnet.ops.conv.sharing import split_fits, split_launch, split_options
from clnet.ops.expression import Expression
from clnet.ops.lowering import ceil_div, options
from clnet.ops.reduce import Reduce
from clnet.tensor_spec import TensorSpec


@register
@dataclass(frozen=True)
class ConvTranspose(Op):
    """y[n, m, p] = epilogue(b[m] + sum of w[c, m, k] * x[n, c, i] over all c, k and i with
    i * stride + k * dilation - pad = p).

    Inputs x[N, C, *S], w[C, M / groups, *K], b[M] or None, then the epilogue's extras. ``pads``
    (ahead of each dimension, then behind) crop the output, ``output_padding`` extends its end.
    """

    foldable: ClassVar[bool] = False  # a reference in NumPy would take minutes

    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int = 1
    output_padding: tuple[int, ...] = ()  #: none: all zero
    epilogue: Expression = Expression()  # noqa: RUF009  (frozen)

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        x, w, b = inputs[0], inputs[1], inputs[2] if len(inputs) > 2 else None
        assert x is not None and w is not None
        rank = x.rank - 2
        check_attributes(rank, self.strides, self.pads, self.dilations, self.groups)
        extra = self.output_padding or (0,) * rank
        if len(extra) != rank or min(extra) < 0:
            raise ShapeError(f"output_padding {list(extra)} does not fit {rank} dimensions")
        if w.rank != x.rank or w.size == 0 or w.shape[0] != x.shape[1]:
            raise ShapeError(f"weights {list(w.shape)} do not fit {x}")
        if x.shape[1] % self.groups:
            raise ShapeError(f"{x.shape[1]} input channels do not divide by {self.groups}")
        channels = w.shape[1] * self.groups
        if b is not None and b.shape != (channels,):
            raise ShapeError(f"bias {list(b.shape)} does not fit {channels} output channels")
        if not x.is_float or any(s is not None and s.dtype != x.dtype for s in inputs):
            raise ShapeError("inputs are not all of one floating dtype")
        out = tuple(
            (x.shape[2 + i] - 1) * self.strides[i] + self.dilations[i] * (w.shape[2 + i] - 1) + 1
            + extra[i] - self.pads[i] - self.pads[rank + i]
            for i in range(rank)
        )  # fmt: skip
        if min(out) < 1 or min(x.shape[2:]) < 1:
            raise ShapeError(f"pads {list(self.pads)} leave nothing of the output of {x}")
        return (x.with_shape((x.shape[0], channels, *out)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, w, b = inputs[0], inputs[1], inputs[2] if len(inputs) > 2 else None
        extras = [a for a in inputs[3:] if a is not None]
        assert x is not None and w is not None
        (spec,) = self.infer(*(None if a is None else TensorSpec.of(a) for a in inputs))
        rank, size, out = x.ndim - 2, x.shape[2:], spec.shape[2:]
        grouped = x.reshape(x.shape[0], self.groups, -1, *size).astype(np.float64)
        kernels = w.reshape(self.groups, -1, *w.shape[1:])
        full = [self.pads[i] + max(out[i], (size[i] - 1) * self.strides[i]
                + self.dilations[i] * (w.shape[2 + i] - 1) + 1) for i in range(rank)]  # fmt: skip
        y = np.zeros((x.shape[0], self.groups, w.shape[1], *full))
        for tap in product(*map(range, w.shape[2:])):
            window = (
                slice(k * d, k * d + (i - 1) * s + 1, s)
                for k, d, i, s in zip(tap, self.dilations, size, self.strides, strict=True)
            )
            where: tuple[Any, ...] = (..., *window)
            weights: tuple[Any, ...] = (..., *tap)
            y[where] += np.einsum("ngc...,gcm->ngm...", grouped, kernels[weights])
        crop: tuple[Any, ...] = (
            ...,
            *(slice(p, p + o) for p, o in zip(self.pads, out, strict=False)),
        )
        y = y[crop].reshape(spec.shape)
        if b is not None:
            y += b.reshape(-1, *(1,) * rank)
        y = y.astype(x.dtype)
        return (self.epilogue.evaluate(y, *extras) if self.epilogue.steps else y,)

    def multiply_adds(self, workload: Workload) -> int:
        weights = workload.input(1)
        return workload.input(0).size * (weights.size // weights.shape[0])

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        problem = transposed(workload, device)
        phases = by_phase(problem) if device.is_cpu else None
        if phases is None:
            return [_gather(problem)]
        found = [channels(phases), _gather(problem)]
        if 4 * problem.geometry.mg < problem.cpu_width:  # whose vectors would be mostly empty
            found.reverse()
        small = scatter(problem)
        if small is None:
            return found
        return [*found, small] if problem.constant_weights else [small, *found]

    def vjp(
        self, build: GraphBuilder, node: Node, grads: tuple[Value | None, ...]
    ) -> tuple[Value | None, ...]:
        x, w, *b = node.inputs
        assert x is not None and w is not None
        geometry = (self.strides, self.pads, self.dilations, self.groups)
        dx = build.add(Conv(*geometry), grads[0], w)
        dw = build.add(ConvWeightGradient(w.spec.shape[2:], *geometry), grads[0], x)
        positions = (0, *range(2, x.spec.rank))
        db = [build.add(Reduce("Sum", positions, keepdims=False), grads[0]) for _ in b[:1] if b[0]]
        return dx, dw, *db

    @classmethod
    def cases(cls) -> Iterable[Case]:
        def case(x: tuple[int, ...], w: tuple[int, ...], *attributes: Any, **rest: Any) -> Case:
            op = cls(*attributes, **rest)
            bias = w[1] * op.groups
            (y,) = op.infer(TensorSpec(x), TensorSpec(w))
            extras = [Arg(y.shape)] * (op.epilogue.arity - 1)
            inputs = Arg(x), Arg(w, constant=x[0] == 1), Arg((bias,)), *extras
            return Case(op, inputs, differentiable=not op.epilogue.steps)

        add = Expression.of("Add")
        yield case((1, 20, 6, 10), (20, 18, 2, 2), (2, 2), (0,) * 4, (1, 1), epilogue=add)
        yield case((2, 3, 7, 5), (3, 5, 3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 1, (1, 1))
        yield case((1, 6, 5, 9), (6, 4, 4, 4), (2, 2), (1, 1, 1, 1), (1, 1), 2)
        yield case((1, 4, 6, 4), (4, 3, 3, 2), (1, 3), (0, 1, 2, 0), (2, 3), 1, (0, 2))
        yield case((2, 4, 9), (4, 2, 3), (4,), (1, 0), (1,), 2)
        yield case(
            (1, 4, 9, 8), (4, 3, 3, 2), (2, 1), (1, 1, 0, 2), (1, 2), 2, (1, 0), epilogue=add
        )
        yield case((2, 5, 8, 7), (5, 18, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1))
        yield case((1, 2, 3, 4, 3), (2, 3, 2, 3, 2), (2, 1, 2), (0, 1, 0, 1, 1, 0), (1, 1, 1))


def _gather(problem: ConvProblem) -> Candidate:
    g = problem.geometry
    pixels = ceil_div(g.out[2], g.strides[2])

    def make(values: Values) -> Candidate | None:
        tile_x, tile_m, split = values["TILE_X"], values["TILE_M"], values["SPLIT"]
        if split > 1 and not split_fits(problem, tile_m * tile_x):
            return None
        tiles = ceil_div(pixels, tile_x) * g.strides[2] * g.out[1] * g.out[0]
        size, local, shared = split_launch(split, tiles, g.groups * ceil_div(g.mg, tile_m), g.n)
        sizes = (g.n, g.groups, g.cg, g.mg, *g.size, *g.out, *g.pads)
        tile = (("TILE_X", tile_x), ("TILE_M", tile_m))
        call = KernelCall(
            "conv_transpose",
            "conv_transpose",
            (In(0), In(1), *problem.bias, Out(), *map(np.int32, sizes), *problem.extras),
            size,
            local,
            (*problem.defines(), *kernel_defines(g), *tile, *shared),
        )
        return Candidate("gather", (call,))

    tile_m, tile_x = next(t for t in (4, 2, 1) if g.mg >= t), 4 if pixels > 2 else 1
    items = g.n * g.groups * ceil_div(g.mg, tile_m) * ceil_div(g.pixels, tile_x)
    candidate = tunable(
        make,
        {
            "TILE_X": options(tile_x, (1, 2, 4, 8)),
            "TILE_M": options(tile_m, (1, 2, 4, 8)),
            "SPLIT": split_options(problem, items),
        },
    )
    assert candidate is not None
    return candidate

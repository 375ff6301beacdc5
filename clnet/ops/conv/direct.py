"""Direct convolution: each work-item sums a small tile of outputs. Any shape, any device."""

from __future__ import annotations

import math

import numpy as np

from clnet.calls import Candidate, Define, In, KernelCall, Out, Values, tunable
from clnet.ops.conv.geometry import Geometry
from clnet.ops.conv.packing import blocked_weights
from clnet.ops.conv.padding import Padded, padded_input
from clnet.ops.conv.problem import ConvProblem, kernel_defines
from clnet.ops.conv.sharing import split_fits, split_launch, split_options
from clnet.ops.gpu_tiles import gpu_tiles
from clnet.ops.lowering import ceil_div, options, round_up

#: Pixels of a row in a work-item's tile.
WIDTH = 4
#: Taps of a row that the kernel unrolls at most.
UNROLLED = 7
#: Taps of all channels that one turn of the kernel's loop should have, in float and in half.
TURN, TURN_HALF = 9, 18
#: An input element that is used so often is worth a copy with its padding around it.
USES = 128


def direct(problem: ConvProblem) -> Candidate:
    """The candidate that takes everything."""
    g = problem.geometry
    family = gpu_tiles(problem.device, problem.dtype)
    plain: Padded = (In(0), g.size, (), ())

    def make(values: Values) -> Candidate | None:
        width, tile_m, split = values["VW"], values["TILE_M"], values["SPLIT"]
        padded = bool(values["PADDED"])
        if (split > 1 and not split_fits(problem, tile_m * width)) or (padded and width != WIDTH):
            return None
        x, extent, pad_calls, work = (
            padded_input(problem, 0, row_of_vectors(g)) if padded else plain
        )
        weights = blocked_weights(problem, tile_m, len(work))
        tiles = ceil_div(g.out[2], width) * g.out[1] * g.out[0]
        size, local, shared = split_launch(split, tiles, g.groups * ceil_div(g.mg, tile_m), g.n)
        sizes = (g.groups, g.cg, g.mg, *extent, *g.out, *((0, 0, 0) if padded else g.pads))
        tile = (("VW", width), ("TILE_M", tile_m), ("ALIGNED", int(g.out[2] % width == 0)))
        call = KernelCall(
            "conv_direct",
            "conv_direct",
            (x, weights.ref, *problem.bias, Out(), *map(np.int32, sizes), *problem.extras),
            size,
            local,
            (
                *problem.defines(), *kernel_defines(g), *tile, *shared,
                *(_distances(problem, extent) if padded else ()),
            ),
        )  # fmt: skip
        return Candidate("direct", (*pad_calls, *weights.calls, call), (*work, *weights.workspace),
                         weights.packed)  # fmt: skip

    widths = (WIDTH, 1) if g.out[2] > 2 else (1,)
    tile = max(8, family.direct) if _plenty(problem) else family.direct
    tiles = options(tile, (4, 8, 1)) if g.mg > 1 else (1,)
    items = g.n * g.groups * ceil_div(g.mg, tiles[0]) * ceil_div(g.pixels, widths[0])
    splits = split_options(problem, items)
    candidate = tunable(
        make,
        {"TILE_M": tiles, "VW": widths, "SPLIT": splits, "PADDED": _padded_options(problem)},
    )
    assert candidate is not None
    return candidate


def _padded_options(problem: ConvProblem) -> tuple[int, ...]:
    """Whether a padded input may be read by vectors, the default first."""
    g = problem.geometry
    if problem.device.is_cpu or g.out[2] <= 2 or g.kernel[2] > UNROLLED:
        return (0,)
    if sum(padded_input(problem, 0, row_of_vectors(g))[3]) > problem.device.max_allocation:
        return (0,)
    uses = g.mg * g.taps // math.prod(g.strides)
    padded = gpu_tiles(problem.device, problem.dtype).padded or _plenty(problem)
    return options(int(padded and uses >= USES), (0, 1))


def _plenty(problem: ConvProblem) -> bool:
    """Whether tiles of 8 x 4 outputs fill the GPU."""
    g = problem.geometry
    return problem.fills(g.n * g.groups * g.mg * g.pixels // 32)


def row_of_vectors(g: Geometry) -> int:
    """Elements of a row in which every tile finds whole vectors."""
    span = (WIDTH - 1) * g.strides[2] + (g.kernel[2] - 1) * g.dilations[2] + 1
    last = (round_up(g.out[2], WIDTH) - WIDTH) * g.strides[2]
    return last + round_up(span, WIDTH)


def _distances(problem: ConvProblem, extent: tuple[int, ...]) -> tuple[Define, ...]:
    """Macros of a kernel that reads an input of that extent, padding included."""
    g = problem.geometry
    turn = TURN_HALF if problem.device.fp16 and problem.dtype == "float16" else TURN
    step = max(n for n in (1, 2, 4, 8) if g.cg % n == 0 and (n == 1 or n * g.taps <= turn))
    return (
        ("PADDED", 1), ("STEP", step),
        ("X_C", math.prod(extent)), ("X_D", math.prod(extent[1:])), ("X_H", extent[2]),
    )  # fmt: skip

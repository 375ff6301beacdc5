"""The ordered list of graph rewrites that every model goes through."""

from __future__ import annotations

from collections.abc import Callable

from clnet.graph import Graph
from clnet.passes.constant_folding import fold_constants
from clnet.passes.dead_code import remove_dead_code
from clnet.passes.drop_identities import drop_identities
from clnet.passes.fold_affine import fold_affine
from clnet.passes.fold_pad import fold_pads
from clnet.passes.fuse_elementwise import fuse_elementwise
from clnet.passes.fuse_epilogue import fuse_epilogues
from clnet.passes.fuse_updates import fuse_updates
from clnet.passes.move_transposes import move_transposes
from clnet.passes.precision import to_half
from clnet.passes.simplify_arithmetic import simplify_arithmetic

#: Each rewrite leaves a graph that computes the same. Transpositions go first, for all others see
#: more where none is in between. Weights absorb what they can before
#: elementwise nodes are joined; then the joint ones move behind the op that feeds them.
REWRITES: tuple[Callable[[Graph], None], ...] = (
    remove_dead_code,
    drop_identities,
    fold_constants,
    move_transposes,
    fold_pads,
    fold_affine,
    simplify_arithmetic,
    fuse_elementwise,
    fuse_epilogues,
    fuse_updates,
    remove_dead_code,
)


def optimize(graph: Graph, precision: str = "fp32") -> None:
    """Rewrite ``graph`` in place: simpler, fused, and in the precision asked for."""
    for rewrite in REWRITES:
        rewrite(graph)
    if precision == "fp16":
        to_half(graph)

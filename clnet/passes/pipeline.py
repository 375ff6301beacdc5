"""The ordered list of graph rewrites that every model goes through."""

from __future__ import annotations

from collections.abc import Callable

from clnet.graph import Graph
from clnet.passes.absorb_unblock import absorb_unblocks
from clnet.passes.block_channels import block_channels
from clnet.passes.constant_folding import fold_constants
from clnet.passes.dead_code import remove_dead_code
from clnet.passes.drop_identities import drop_identities
from clnet.passes.fold_affine import fold_affine
from clnet.passes.fold_pad import fold_pads
from clnet.passes.fuse_elementwise import fuse_elementwise
from clnet.passes.fuse_epilogue import fuse_epilogues
from clnet.passes.fuse_expansion import fuse_expansions
from clnet.passes.fuse_layer_normalization import fuse_layer_normalization
from clnet.passes.fuse_max_pool import fuse_max_pools
from clnet.passes.fuse_separable import fuse_separable
from clnet.passes.fuse_updates import fuse_updates
from clnet.passes.move_transposes import move_transposes
from clnet.passes.precision import to_half
from clnet.passes.simplify_arithmetic import simplify_arithmetic

#: Each rewrite leaves a graph that computes the same. Transpositions go first, for all others see
#: more where none is in between. Weights absorb what they can before elementwise nodes are joined.
SIMPLIFICATIONS: tuple[Callable[[Graph], None], ...] = (
    remove_dead_code,
    drop_identities,
    fold_constants,
    move_transposes,
    fold_pads,
    fold_affine,
)
#: Those after which every layer is still the file's.
TIDYING = SIMPLIFICATIONS[:4]
#: The joint nodes move behind the op that feeds them.
FUSIONS: tuple[Callable[[Graph], None], ...] = (
    simplify_arithmetic,
    fuse_layer_normalization,
    fuse_elementwise,
    fuse_epilogues,
    fuse_updates,
)


def tidy(graph: Graph) -> None:
    """Rewrite ``graph`` in place to what people would draw: without dead code, arithmetic on
    constants, and the transpositions that other formats' layouts need."""
    for rewrite in (*TIDYING, remove_dead_code):
        rewrite(graph)


def simplify(graph: Graph) -> None:
    """Rewrite ``graph`` in place, so that it has fewer nodes, and none of a kind of our own."""
    for rewrite in (*SIMPLIFICATIONS, remove_dead_code):
        rewrite(graph)


def optimize(
    graph: Graph, precision: str = "fp32", block: int | None = None, *, expansions: bool = False
) -> None:
    """Rewrite ``graph`` in place: simpler, fused, in the precision asked for, and for devices that
    want it with channels in blocks of ``block``, with large ``expansions`` joined."""
    for rewrite in (*SIMPLIFICATIONS, *FUSIONS, remove_dead_code):
        rewrite(graph)
    if precision == "fp16":
        to_half(graph)
    if block:
        block_channels(graph, block)
        fuse_separable(graph)
        if expansions:
            fuse_expansions(graph)
        fuse_max_pools(graph)
        absorb_unblocks(graph)

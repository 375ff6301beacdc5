"""The ways in which a convolution of blocked channels can be computed."""

from __future__ import annotations

from clnet.calls import Candidate
from clnet.ops.blocked.few_maps import FewMaps
from clnet.ops.blocked.product import Product
from clnet.ops.blocked.winograd import Winograd, winograd_tiles


def ways(product: Product) -> list[Candidate]:
    """A convolution's product and what else computes it, the cheapest by multiply-adds ahead."""
    workload, window, pool = product.workload, product.window, product.pool
    x, w, y = workload.input(0), workload.input(1), workload.output
    n, blocks, height, width, block = y.shape
    pixels = n * height * width * pool[0] * pool[1]
    found = [(pixels * blocks * block * w.shape[1] * window.taps, product.candidate("direct"))]
    for tile in winograd_tiles(x, window, product.groups, pool):
        way = Winograd(workload, product.device, window, tile, pool)
        found.append((way.cost, way.candidate()))
    few = FewMaps(workload, product.device, window, pool)
    if product.source == "plain" and few.serves:
        found.append((few.cost, few.candidate()))
    found.sort(key=lambda ranked: ranked[0])
    return [candidate for _, candidate in found if candidate is not None]

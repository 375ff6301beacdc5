"""The register tiles of GPU kernels compute the same, also those that no default chooses here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from harness import check, device

from clnet.calls import Candidate
from clnet.ops import Case
from clnet.ops.conv import Conv
from clnet.ops.gemm import Gemm, MatMul
from clnet.ops.gpu_tiles import FAMILIES, GpuTiles, gpu_tiles

CONVOLUTIONS = [pytest.param(case, id=f"{i}") for i, case in enumerate(Conv.cases())]
POINTWISE = [p for p in CONVOLUTIONS if set(p.values[0].inputs[1].shape[2:]) == {1}]
PRODUCTS = [
    pytest.param(case, id=f"{op.__name__}-{i}")
    for op in (Gemm, MatMul)
    for i, case in enumerate(op.cases())
]


@pytest.fixture(autouse=True)
def as_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(device().info, blas=False, kind="gpu", vector_width=4)
    monkeypatch.setitem(vars(device()), "info", other)


def vary(candidate: Candidate, wanted: Mapping[str, int]) -> Candidate:
    """The candidate with these values where it offers them."""
    space = candidate.space
    assert space is not None
    offered = {k: v for k, v in wanted.items() if v in space.options.get(k, ())}
    return space.vary({**candidate.values, **offered}) or candidate


#: Enough for every way through the kernels; each value is met.
WIDE = {"PADDED": 1, "TILE_M": 8, "SPLIT": 1, "BLOCK": 8, "ROWS": 8}
SHARED = {"PADDED": 1, "TILE_M": 4, "SPLIT": 2, "BLOCK": 4, "ROWS": 4}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions(case: Case) -> None:
    check(case, "direct", "fp32", lambda c: vary(c, WIDE))
    check(case, "direct", "fp16", lambda c: vary(c, SHARED))


@pytest.mark.parametrize("case", POINTWISE)
def test_pointwise_convolutions(case: Case) -> None:
    check(case, "pointwise", "fp32", lambda c: vary(c, WIDE))
    check(case, "pointwise", "fp16", lambda c: vary(c, SHARED))


@pytest.mark.parametrize("case", PRODUCTS)
def test_products(case: Case) -> None:
    check(case, "tile", "fp32", lambda c: vary(c, WIDE))
    check(case, "tile_packed", "fp16", lambda c: vary(c, SHARED))


def test_a_family_is_known_by_its_name() -> None:
    names, in_float, in_half = FAMILIES[0]
    found = replace(device().info, name=f"{names[0]}-G99 (Panfrost)", fp16=True)
    assert gpu_tiles(found, "float32") == in_float
    assert gpu_tiles(found, "float16") == in_half
    assert gpu_tiles(replace(found, fp16=False), "float16") == in_float
    assert gpu_tiles(replace(found, name="another"), "float32") == GpuTiles()

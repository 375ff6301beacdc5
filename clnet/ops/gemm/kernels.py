"""clnet's own ways to compute a matrix product: register tiles, and few vectors at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clnet.calls import (
    Candidate,
    Define,
    In,
    KernelCall,
    Out,
    Packed,
    PackedRef,
    Ref,
    SearchSpace,
    Work,
)  # fmt: skip
from clnet.device_info import DeviceInfo
from clnet.ops.gemm.panels import PackPanels, Transpose
from clnet.ops.gemm.product import Product
from clnet.ops.lowering import ceil_div, float_defines, grid, round_up
from clnet.ops.rows import dividing_width, fitting_width, group_size
from clnet.tensor_spec import TensorSpec

#: More vectors than this are a matrix.
FEW = 4
#: Fewer rows of a than this are multiplied faster than a b that changes is packed.
MANY = 128


@dataclass(frozen=True)
class Tile:
    """What a work-item holds in registers: ``rows`` times ``vectors`` vectors of ``width``."""

    rows: int
    vectors: int
    width: int

    @property
    def columns(self) -> int:
        """Columns of the tile."""
        return self.vectors * self.width


def tiles(p: Product, device: DeviceInfo) -> list[Tile]:
    """Tiles worth trying, the untuned default first."""
    if not device.is_cpu:
        return [Tile(min(p.m, rows), vectors, 4) for rows, vectors in ((4, 1), (8, 1), (4, 2))]
    width = device.vector_width
    vectors = 2 if p.n > width else 1
    # Accumulators must fit the registers. More than 8 rows of a, a power of two apart, do not fit
    # the ways of a first-level cache either, so 12 only pay where they are not.
    limits = (8, 12, 4) if width >= 16 else (6, 4)
    found = [Tile(_even_rows(p.m, limit), vectors, width) for limit in limits]
    return list(dict.fromkeys(found))


def _even_rows(m: int, most: int) -> int:
    """Rows of a tile, at most ``most``, that waste the least on ``m`` rows; the more the better."""
    return m if m <= most else min(range(most, most // 2, -1), key=lambda t: round_up(m, t))


def tiled(p: Product, device: DeviceInfo) -> list[Candidate]:
    """gemm_tile with each tile; b is packed, or read as it is where it fits."""
    packed, direct = [], []
    for tile in tiles(p, device):
        name = f"tile_{tile.rows}x{tile.vectors}"
        panel = tile.columns if device.is_cpu else round_up(p.n, tile.columns)
        packed.append(_tile_candidate(f"{name}_packed", p, device, tile, panel))
        if not p.trans_b and p.n % tile.columns == 0:
            direct.append(_tile_candidate(name, p, device, tile, None))
        elif not p.trans_b and not p.b_constant and p.m <= FEW:
            narrow = Tile(tile.rows, 1, dividing_width(p.n, device))
            direct.append(_tile_candidate(f"{name}_narrow", p, device, narrow, None))
    if device.is_cpu and (p.b_constant or p.m >= MANY):
        return [*packed, *direct]
    return direct or packed


def _tile_candidate(
    name: str, p: Product, device: DeviceInfo, tile: Tile, panel: int | None
) -> Candidate:
    """One tile; ``panel`` is the width of b's panels, None where b stays as it is."""
    dtype = p.output.dtype
    along = not device.is_cpu and not p.trans_a and p.k % 4 == 0 and tile.width == 4
    defines: tuple[Define, ...] = (
        *float_defines(dtype, device),
        ("VW", tile.width), ("TILE_M", tile.rows), ("VECTORS", tile.vectors),
        ("A_ALONG", int(along)),
        ("M", p.m), ("N", p.n), ("K", p.k),
        ("A_MATRIX(z)", p.matrix_text(p.a_batch)), ("B_MATRIX(z)", p.matrix_text(p.b_batch)),
        ("A_M", 1 if p.trans_a else p.k), ("A_K", p.m if p.trans_a else 1),
        ("PANEL", panel or p.n),
        ("ALPHA_ONE", int(p.alpha == 1)),
        *p.c_defines("C_M", "C_N"),
        *p.epilogue_defines(device),
    )  # fmt: skip
    calls: list[KernelCall] = []
    packed: tuple[Packed, ...] = ()
    workspace: tuple[int, ...] = ()
    b: Ref = In(1)
    if panel is not None:
        panels = ceil_div(p.n, panel)
        spec = TensorSpec((p.b_count, panels, p.k, panel), dtype)
        if p.b_constant:
            b, packed = PackedRef(), (Packed(1, PackPanels(panel, p.trans_b), spec),)
        else:
            b, workspace = Work(), (spec.nbytes,)
            size = grid(panels * panel, ceil_div(p.k, 16), p.b_count)
            strides = (("B_K", 1), ("B_N", p.k)) if p.trans_b else (("B_K", p.n), ("B_N", 1))
            numbers = (("N", p.n), ("K", p.k), ("PANEL", panel))
            macros = (*float_defines(dtype, device), *numbers, *strides)
            calls.append(KernelCall("gemm_pack", "gemm_pack", (In(1), b), size, None, macros))
    factors = (np.float32(p.alpha), np.float32(p.beta))
    args = (In(0), b, *p.c_refs, Out(), *factors, *p.extra_refs)
    across, down = ceil_div(p.n, tile.columns), ceil_div(p.m, tile.rows)
    if device.is_cpu:
        size, local_sizes = (across, down, p.count), [(1, 1, 1)]
    else:
        size = (round_up(across, 8), round_up(down, 8), p.count)
        shapes = ((8, 8, 1), (8, 4, 1), (4, 8, 1), (8, 2, 1), (8, 1, 1), (4, 1, 1))
        limit = device.max_work_group_size
        local_sizes = [s for s in shapes if s[0] * s[1] <= limit]
    space = SearchSpace({"MULADD": _forms(device)}, local_sizes)
    calls.append(KernelCall("gemm", "gemm_tile", args, size, local_sizes[0], defines))
    return Candidate(name, tuple(calls), workspace, packed, space=space)


def vectors(p: Product, device: DeviceInfo) -> list[Candidate]:
    """gemv, where few rows of a meet b, or few columns of b meet a."""
    found = []
    if p.m <= FEW and (p.m == 1 or not p.trans_a) and (p.trans_b or p.b_constant):
        w: Ref = In(1)
        packed: tuple[Packed, ...] = ()
        if not p.trans_b:
            spec = TensorSpec((*p.b_batch, p.n, p.k), p.output.dtype)
            w, packed = PackedRef(), (Packed(1, Transpose(), spec),)
        layout: tuple[Define, ...] = (
            ("HEIGHT", p.n), ("COUNT", p.m), ("Y_I", 1), ("Y_J", p.n),
            ("W_MATRIX(z)", p.matrix_text(p.b_batch)), ("X_MATRIX(z)", p.matrix_text(p.a_batch)),
            *p.c_defines("C_J", "C_I"),
        )  # fmt: skip
        call = _gemv(p, device, (w, In(0)), p.n, layout)
        found.append(Candidate("gemv", (call,), packed=packed, space=_gemv_space(device)))
    elif p.n <= FEW and not p.trans_a and (p.n == 1 or p.trans_b):
        layout = (
            ("HEIGHT", p.m), ("COUNT", p.n), ("Y_I", p.n), ("Y_J", 1),
            ("W_MATRIX(z)", p.matrix_text(p.a_batch)), ("X_MATRIX(z)", p.matrix_text(p.b_batch)),
            *p.c_defines("C_I", "C_J"),
        )  # fmt: skip
        call = _gemv(p, device, (In(0), In(1)), p.m, layout)
        found.append(Candidate("gemv", (call,), space=_gemv_space(device)))
    return found


def _gemv(
    p: Product, device: DeviceInfo, operands: tuple[Ref, Ref], height: int,
    layout: tuple[Define, ...],
) -> KernelCall:  # fmt: skip
    rows = 4 if device.is_cpu else 1
    launches = ceil_div(height, rows)
    group = group_size(p.k, launches, device)
    defines = (
        *float_defines(p.output.dtype, device),
        ("VW", fitting_width(p.k, device)), ("ROWS", rows), ("GROUP", group),
        ("K", p.k),
        *layout,
        *p.epilogue_defines(device),
    )  # fmt: skip
    args = (*operands, *p.c_refs, Out(), np.float32(p.alpha), np.float32(p.beta), *p.extra_refs)
    first = (launches * group,) if group > 1 else grid(launches)
    local = (group, 1) if group > 1 else None
    return KernelCall("gemv", "gemv", args, (*first, p.count), local, defines)


def _gemv_space(device: DeviceInfo) -> SearchSpace:
    return SearchSpace({"MULADD": _forms(device)})


def _forms(device: DeviceInfo) -> list[int]:
    """Forms of multiply-add, the device's own first."""
    first = {"fma": 0, "mad": 1, "plain": 2}[device.multiply_add]
    return [first, *(f for f in (0, 1, 2) if f != first)]

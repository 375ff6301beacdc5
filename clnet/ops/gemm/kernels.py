"""clnet's own ways to compute a matrix product: register tiles, and few vectors at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    Values,
    Work,
    tunable,
)
from clnet.device_info import DeviceInfo
from clnet.ops.gemm.panels import PackPanels, Transpose
from clnet.ops.gemm.product import Product
from clnet.ops.gpu_tiles import gpu_tiles
from clnet.ops.lowering import ceil_div, float_defines, grid, options, round_up
from clnet.ops.rows import dividing_width, group_options, width_options
from clnet.tensor_spec import TensorSpec

#: More vectors than this are a matrix.
FEW = 4
#: Fewer rows of a than this are multiplied faster than a b that changes is packed.
MANY = 128
#: A tile of three vectors is the default where that computes at most so much of what two would.
WORTHWHILE = 0.96


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


def _tiles(p: Product, device: DeviceInfo) -> Mapping[str, Sequence[int]]:
    """Rows and vectors of the tiles worth trying, the untuned default first."""
    if not device.is_cpu:
        rows = gpu_tiles(device, p.output.dtype).gemm
        across = 8 if device.max_work_group_size >= 64 else 4
        down = 8 if device.max_work_group_size >= 64 else 1
        return {
            "ROWS": options(min(p.m, rows), [n for n in (4, 8, 2) if n <= p.m]),
            "VECTORS": (1, 2),
            "LOCAL_X": options(across, (4, 8, 16)),
            "LOCAL_Y": options(down, (1, 2, 4, 8)),
        }
    # More than 8 rows of a, a power of two apart, do not fit the ways of a first-level cache, so 12
    # only pay where they are not.
    width, most = device.vector_width, _accumulators(device)
    limits = (8, 12, 6, 4) if width >= 16 else (6, 4)
    even = [_even_rows(p.m, limit, 2) for limit in limits]
    vectors = [v for v in (2, 1, 3) if p.n > (v - 1) * width]
    if 3 in vectors:
        rows = _even_rows(p.m, most // 3, 3)
        wide = round_up(p.m, rows) * round_up(p.n, 3 * width)
        usual = round_up(p.m, even[0]) * round_up(p.n, 2 * width)
        if wide <= WORTHWHILE * usual:
            even, vectors = [rows, *even], [3, 2, 1]
        else:
            even.append(rows)
    return {"ROWS": list(dict.fromkeys(even)), "VECTORS": vectors}


def _accumulators(device: DeviceInfo) -> int:
    """Vectors of sums that a CPU's registers hold beside what is multiplied."""
    return 24 if device.vector_width >= 16 else 12


def _even_rows(m: int, most: int, vectors: int) -> int:
    """Rows of a tile, at most ``most``, that waste the least on ``m`` rows; the more the better.
    Fewer than ten vectors do not fill the time that a multiply-add takes."""
    if m <= most:
        return m
    return min(
        range(most, most // 2, -1),
        key=lambda t: round_up(m, t) * max(t * vectors, 10) / t,
    )


def tiled(p: Product, device: DeviceInfo) -> list[Candidate]:
    """gemm_tile on a packed b, or on b as it is where tiles fit it."""
    width = device.vector_width if device.is_cpu else 4
    found = [_tile_candidate("tile_packed", p, device, width, packed=True)]
    if not p.trans_b:
        if p.m <= FEW and not p.b_constant and p.n % width:
            width = dividing_width(p.n, device)
        found.append(_tile_candidate("tile", p, device, width, packed=False))
    if not device.is_cpu or not (p.b_constant or p.m >= MANY):
        found.reverse()
    return [c for c in found if c is not None]


def _tile_candidate(
    name: str, p: Product, device: DeviceInfo, width: int, *, packed: bool
) -> Candidate | None:
    """gemm_tile with vectors of ``width``; unless ``packed``, b stays as it is."""

    def make(values: Values) -> Candidate | None:
        tile = Tile(values["ROWS"], values["VECTORS"], width)
        if device.is_cpu and tile.rows * tile.vectors > _accumulators(device):
            return None
        local = (values.get("LOCAL_X", 1), values.get("LOCAL_Y", 1), 1)
        if local[0] * local[1] > device.max_work_group_size:
            return None
        if not packed:
            if p.n % tile.columns:
                return None
            return Candidate(name, (_tile_call(p, device, tile, local, In(1), p.n),))
        panel = tile.columns if device.is_cpu else round_up(p.n, tile.columns)
        spec = TensorSpec((p.b_count, ceil_div(p.n, panel), p.k, panel), p.output.dtype)
        if p.b_constant:
            call = _tile_call(p, device, tile, local, PackedRef(), panel)
            return Candidate(name, (call,), packed=(Packed(1, PackPanels(panel, p.trans_b), spec),))
        calls = (_pack_call(p, device, panel), _tile_call(p, device, tile, local, Work(), panel))
        return Candidate(name, calls, (spec.nbytes,))

    found = _tiles(p, device)
    if not packed:  # the default, which is the first, must fit
        found = {**found, "VECTORS": [v for v in found["VECTORS"] if p.n % (v * width) == 0]}
        if not found["VECTORS"]:
            return None
    return tunable(make, found)


def _pack_call(p: Product, device: DeviceInfo, panel: int) -> KernelCall:
    """b, which changes, as panels in workspace 0."""
    size = grid(round_up(p.n, panel), ceil_div(p.k, 16), p.b_count)
    strides = (("B_K", 1), ("B_N", p.k)) if p.trans_b else (("B_K", p.n), ("B_N", 1))
    numbers = (("N", p.n), ("K", p.k), ("PANEL", panel))
    macros = (*float_defines(p.output.dtype, device), *numbers, *strides)
    return KernelCall("gemm_pack", "gemm_pack", (In(1), Work()), size, None, macros)


def _tile_call(
    p: Product, device: DeviceInfo, tile: Tile, local: tuple[int, ...], b: Ref, panel: int
) -> KernelCall:
    """The product with ``b`` in panels of this width, in work-groups of ``local``."""
    along = not device.is_cpu and not p.trans_a and p.k % 4 == 0 and tile.width == 4
    defines: tuple[Define, ...] = (
        *float_defines(p.output.dtype, device),
        ("VW", tile.width), ("TILE_M", tile.rows), ("VECTORS", tile.vectors),
        ("A_ALONG", int(along)), ("RUN", _run(p, device, along=along)),
        ("M", p.m), ("N", p.n), ("K", p.k),
        ("A_MATRIX(z)", p.matrix_text(p.a_batch)), ("B_MATRIX(z)", p.matrix_text(p.b_batch)),
        ("A_M", 1 if p.trans_a else p.k), ("A_K", p.m if p.trans_a else 1),
        ("PANEL", panel),
        ("ALPHA_ONE", int(p.alpha == 1)),
        *p.c_defines("C_M", "C_N"),
        *p.epilogue_defines(device),
    )  # fmt: skip
    factors = (np.float32(p.alpha), np.float32(p.beta))
    args = (In(0), b, *p.c_refs, Out(), *factors, *p.extra_refs)
    across = round_up(ceil_div(p.n, tile.columns), local[0])
    down = round_up(ceil_div(p.m, tile.rows), local[1])
    return KernelCall("gemm", "gemm_tile", args, (across, down, p.count), local, defines)


def _run(p: Product, device: DeviceInfo, *, along: bool) -> int:
    """Products of a turn of the loop: all where nothing ends with it. Halves that are added up in a
    straight line are computed in pairs by Mali's compiler, those that a loop carries are not."""
    half = device.fp16 and p.output.dtype == "float16"
    if along:
        return next(n for n in ((16, 8, 4) if half else (4,)) if p.k % n == 0)
    return 64 if half else p.k


def vectors(p: Product, device: DeviceInfo) -> list[Candidate]:
    """gemv, where few rows of a meet b, or few columns of b meet a."""
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
        return _gemv(p, device, (w, In(0)), p.n, layout, packed)
    if p.n <= FEW and not p.trans_a and (p.n == 1 or p.trans_b):
        layout = (
            ("HEIGHT", p.m), ("COUNT", p.n), ("Y_I", p.n), ("Y_J", 1),
            ("W_MATRIX(z)", p.matrix_text(p.a_batch)), ("X_MATRIX(z)", p.matrix_text(p.b_batch)),
            *p.c_defines("C_I", "C_J"),
        )  # fmt: skip
        return _gemv(p, device, (In(0), In(1)), p.m, layout, ())
    return []


def _gemv(
    p: Product, device: DeviceInfo, operands: tuple[Ref, Ref], height: int,
    layout: tuple[Define, ...], packed: tuple[Packed, ...],
) -> list[Candidate]:  # fmt: skip
    rows = 4 if device.is_cpu else 1
    factors = (np.float32(p.alpha), np.float32(p.beta))
    args = (*operands, *p.c_refs, Out(), *factors, *p.extra_refs)

    def make(values: Values) -> Candidate:
        group, launches = values["GROUP"], ceil_div(height, values["ROWS"])
        defines = (
            *float_defines(p.output.dtype, device),
            ("VW", values["VW"]), ("ROWS", values["ROWS"]), ("GROUP", group),
            ("K", p.k),
            *layout,
            *p.epilogue_defines(device),
        )  # fmt: skip
        first = (launches * group,) if group > 1 else grid(launches)
        local = (group, 1) if group > 1 else None
        call = KernelCall("gemv", "gemv", args, (*first, p.count), local, defines)
        return Candidate("gemv", (call,), packed=packed)

    candidate = tunable(
        make,
        {
            "VW": width_options(p.k, device),
            "ROWS": options(rows, (1, 2, 4, 8)),
            "GROUP": group_options(p.k, ceil_div(height, rows), device),
        },
    )
    return [candidate] if candidate else []

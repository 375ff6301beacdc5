"""The parameters of CLBlast's kernels, and which of their values fit together on a device.

The rules are those of CLBlast's kernels and of the routines that launch them; where either would
read or write past an end, as a few do that CLBlast itself allows, stricter ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from clnet.calls import Values
from clnet.device_info import DeviceInfo

#: More results of one work-item than registers anywhere: such kernels only take long to compile.
MOST_RESULTS = 256
#: XgemmDirect, which has a variant for each transposition, takes longer: PoCL builds one with 64
#: results for more than a minute.
MOST_DIRECT_RESULTS = 16


@dataclass(frozen=True)
class Variant:
    """Options of every parameter, the first of each being the point to start from."""

    name: str
    options: Mapping[str, tuple[int, ...]]
    fits: Callable[[Values], bool]


#: From a device and the bytes of an element.
Variants = Callable[[DeviceInfo, int], Sequence[Variant]]


def _xgemm(info: DeviceInfo, size: int) -> list[Variant]:
    """Tiles of MWG x NWG, computed by MDIMC x NDIMC work-items, in steps of KWG."""

    def common(v: Values) -> bool:
        return (
            v["MWG"] % (v["MDIMC"] * v["VWM"]) == 0
            and v["NWG"] % (v["NDIMC"] * v["VWN"]) == 0
            and v["MWG"] % (v["MDIMA"] * v["VWM"]) == 0
            and v["NWG"] % (v["NDIMB"] * v["VWN"]) == 0
            and v["MWG"] * v["NWG"] <= MOST_RESULTS * v["MDIMC"] * v["NDIMC"]
            and _group_fits(info, v["MDIMC"], v["NDIMC"])
        )

    def tiles_fit(v: Values) -> bool:
        items = v["MDIMC"] * v["NDIMC"]
        local = size * v["KWG"] * (v["SA"] * v["MWG"] + v["SB"] * v["NWG"])
        return (
            common(v)
            and v["KWG"] % v["KWI"] == 0
            and all(items % v[d] == 0 and v["KWG"] % (items // v[d]) == 0 for d in _LOADING)
            and local <= info.local_memory
        )

    def registers_fit(v: Values) -> bool:
        return (
            common(v)
            and v["KREG"] % v["VWN"] == 0
            and (v["MDIMA"], v["NDIMB"]) == (v["MDIMC"], v["NDIMC"])
            and v["MWG"] == v["NWG"]  # others are wrong, and write past the end
        )

    edges, sides = (8, 16, 32, 64, 128), (1, 2, 4, 8, 16, 32)
    none = dict.fromkeys(("STRM", "STRN", "SA", "SB"), (0,))
    tiles = {
        "MWG": edges, "NWG": edges, "KWG": (16, 32), "MDIMC": sides, "NDIMC": sides,
        "MDIMA": sides, "NDIMB": sides, "KWI": (2, 1, 4, 8), "VWM": _WIDTHS, "VWN": _WIDTHS,
        "STRM": (0, 1), "STRN": (0, 1), "SA": (0, 1), "SB": (0, 1), "GEMMK": (0,), "KREG": (1,),
    }  # fmt: skip
    registers = {
        "MWG": edges, "NWG": edges, "KWG": (1,), "MDIMC": sides, "NDIMC": sides,
        "MDIMA": sides, "NDIMB": sides, "KWI": (1,), "VWM": _WIDTHS, "VWN": _WIDTHS,
        **none, "GEMMK": (1,), "KREG": (1, 2, 4, 8, 16),
    }  # fmt: skip
    in_tiles = {"MWG": 64, "NWG": 64, "KWG": 16, "VWM": 4, "VWN": 4, **_group(8, 8)}
    in_registers = {**in_tiles, "KWG": 1, "KREG": 4}
    if info.is_cpu:  # a lot to compute for each work-item, in wide vectors
        width = min(info.vector_width, 8)
        edge, vectors = 16 * width, {"VWM": width, "VWN": 1}
        in_tiles.update({"MWG": edge, "NWG": edge, "KWG": 32, **vectors})
        edge = 4 * width  # two vectors of eight rows for each: what registers hold
        in_registers.update({"MWG": edge, "NWG": edge, **vectors, **_group(2, max(edge // 8, 1))})
    return [
        Variant("tiles", _ahead(tiles, in_tiles), tiles_fit),
        Variant("registers", _ahead(registers, in_registers), registers_fit),
    ]


def _group(m: int, n: int) -> dict[str, int]:
    """A work-group of m x n items, which load as they compute."""
    return {"MDIMC": m, "MDIMA": m, "NDIMC": n, "NDIMB": n}


def _xgemm_direct(info: DeviceInfo, size: int) -> list[Variant]:
    """Square tiles of WGD, in local memory with or without padding, for matrices as they are."""

    def fits(v: Values) -> bool:
        items, tile = v["MDIMCD"] * v["NDIMCD"], v["WGD"]
        local = size * tile * (2 * tile + v["PADA"] + v["PADB"])
        loads = (v["MDIMAD"], v["NDIMBD"])
        return (
            tile % v["KWID"] == 0
            and all(tile % (v[d] * v["VWMD"]) == 0 for d in ("MDIMCD", "MDIMAD"))
            and all(tile % (v[d] * v["VWND"]) == 0 for d in ("NDIMCD", "NDIMBD"))
            and all(items % d == 0 and tile % (items // d) == 0 for d in loads)
            and tile * tile <= MOST_DIRECT_RESULTS * items
            and local <= info.local_memory
            and _group_fits(info, v["MDIMCD"], v["NDIMCD"])
        )

    sides, widths = (8, 16, 32, 4, 2), _WIDTHS[:-1]
    options = {
        "WGD": (32, 8, 16, 64), "MDIMCD": sides, "NDIMCD": sides, "MDIMAD": sides,
        "NDIMBD": sides, "KWID": (2, 1, 4, 8, 16), "VWMD": widths, "VWND": widths,
        "PADA": (1, 0), "PADB": (1, 0),
    }  # fmt: skip
    first = {"VWMD": min(info.vector_width, 4), "VWND": 1}
    return [Variant("direct", _ahead(options, first), fits)]


def _xgemv(info: DeviceInfo, size: int) -> list[Variant]:
    options = {"WGS1": (64, 32, 128, 256), "WPT1": (1, 2, 4)}
    return [Variant("any", options, lambda v: _vector_fits(info, v["WGS1"], size))]


def _xgemv_fast(info: DeviceInfo, size: int) -> list[Variant]:
    """A transposed matrix, whose rows are loaded at once.

    More than one result per work-item is not offered: CLBlast (1.5.3 and others) then checks the
    wrong size of such a matrix, and writes past the end of a result that is short.
    """
    options = {"WGS2": (64, 16, 32, 128, 256), "WPT2": (1,), "VW2": (1,)}
    return [Variant("fast", options, lambda v: _vector_fits(info, v["WGS2"], size))]


def _xgemv_fast_rot(info: DeviceInfo, size: int) -> list[Variant]:
    """A matrix as it is, by tiles of WPT3 x WGS3."""

    def fits(v: Values) -> bool:
        return (
            v["WPT3"] % v["VW3"] == 0
            and v["WGS3"] % v["WPT3"] == 0
            and _vector_fits(info, v["WGS3"], size * (1 + v["WPT3"]))
        )

    options = {"WGS3": (64, 16, 32, 128), "WPT3": (8, 1, 2, 4, 16, 32), "VW3": (4, 1, 2, 8)}
    return [Variant("fast", options, fits)]


def _xaxpy(info: DeviceInfo, size: int) -> list[Variant]:
    options = {"WGS": (64, 128, 256, 512, 1024), "WPT": (1, 2, 4, 8), "VW": (4, 1, 2, 8)}
    return [Variant("vectors", options, lambda v: _vector_fits(info, v["WGS"], 0))]


def _gemm_routine(info: DeviceInfo, size: int) -> list[Variant]:
    """Below which size cubed m n k is left to XgemmDirect: at none, at all, and between."""
    options = {"XGEMM_MIN_INDIRECT_SIZE": (224, 1, 96, 160, 320, 448, 1024)}
    return [Variant("threshold", options, lambda v: True)]


SPACES: Mapping[str, Variants] = {
    "Xgemm": _xgemm,
    "XgemmDirect": _xgemm_direct,
    "GemmRoutine": _gemm_routine,
    "Xgemv": _xgemv,
    "XgemvFast": _xgemv_fast,
    "XgemvFastRot": _xgemv_fast_rot,
    "Xaxpy": _xaxpy,
}

_WIDTHS = (1, 2, 4, 8, 16)
#: How many of a work-group's items load along a tile's edge; the others share its depth.
_LOADING = ("MDIMA", "NDIMB")


def _ahead(options: Mapping[str, tuple[int, ...]], first: Values) -> dict[str, tuple[int, ...]]:
    """The options with the given ones first."""
    moved = {}
    for name, values in options.items():
        start = first.get(name, values[0])
        moved[name] = (start, *(v for v in values if v != start))
    return moved


def _group_fits(info: DeviceInfo, *sides: int) -> bool:
    total = 1
    for side in sides:
        total *= side
    limits = info.max_work_item_sizes
    return total <= info.max_work_group_size and all(
        side <= limit for side, limit in zip(sides, limits, strict=False)
    )


def _vector_fits(info: DeviceInfo, items: int, bytes_each: int) -> bool:
    return _group_fits(info, items) and items * bytes_each <= info.local_memory

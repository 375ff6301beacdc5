"""Small helpers that ops share when they lower themselves. Pure data in, pure data out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from clnet.calls import Define
from clnet.device_info import DeviceInfo

#: OpenCL C type of an element in memory, by dtype. bool is one byte of 0 or 1.
STORAGE_TYPES = {
    "float32": "float", "float16": "half", "float64": "double", "bool": "uchar",
    "int8": "char", "int16": "short", "int32": "int", "int64": "long",
    "uint8": "uchar", "uint16": "ushort", "uint32": "uint", "uint64": "ulong",
}  # fmt: skip
#: The other way round, for whole numbers.
INTEGER_TYPES = {t: d for d, t in STORAGE_TYPES.items() if not d.startswith(("float", "bool"))}


def ceil_div(a: int, b: int) -> int:
    """a / b rounded up."""
    return -(-a // b)


def round_up(a: int, b: int) -> int:
    """The smallest multiple of b that is not below a."""
    return ceil_div(a, b) * b


def options(default: int, values: Sequence[int]) -> tuple[int, ...]:
    """A tunable's values with its default ahead."""
    return (default, *(v for v in values if v != default))


def strides_of(shape: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides in elements."""
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))


def index_text(shape: Sequence[int], strides: Sequence[int], variable: str = "i") -> str:
    """OpenCL C: where the element lies whose flat position in ``shape`` is ``variable``, in memory
    that is walked by ``strides`` (0: broadcast)."""
    terms = []
    inner = math.prod(shape)
    for extent, stride in zip(shape, strides, strict=True):
        inner //= extent
        if stride:
            position = f"{variable} / {inner}" if inner > 1 else variable
            if extent * inner != math.prod(shape):
                position = f"({position}) % {extent}"
            terms.append(f"({position}) * {stride}" if stride != 1 else f"({position})")
    return " + ".join(terms) or "0"


def float_defines(dtype: str, device: DeviceInfo) -> tuple[Define, ...]:
    """STORAGE, COMPUTE and MULADD of ``common.h`` for tensors of a floating dtype."""
    storage = {"float16": 16, "float32": 32, "float64": 64}[dtype]
    compute = 32 if storage == 16 and not device.fp16 else storage
    form = {"fma": 0, "mad": 1, "plain": 2}[device.multiply_add]
    return (("STORAGE", storage), ("COMPUTE", compute), ("MULADD", form))


def compute_type(dtype: str, device: DeviceInfo) -> str:
    """OpenCL C type in which elements of a dtype are computed."""
    if dtype == "float16" and not device.fp16:
        return "float"
    return STORAGE_TYPES[dtype]


def grid(*sizes: int, multiple: int = 64) -> tuple[int, ...]:
    """A global size for kernels that guard their first dimension: it is rounded up, so that the
    driver finds a good local size whatever the problem. Kernels compare with the true size."""
    first = max(1, sizes[0])
    if first > multiple:
        first = round_up(first, multiple)
    return (first, *(max(1, s) for s in sizes[1:]))


def merge_dimensions(
    shape: Sequence[int], strides: Sequence[Sequence[int]]
) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """Drop dimensions of one and merge neighbours that every operand walks alike.

    Returns the shape that is left and each operand's strides over it.
    """
    merged: list[int] = []
    walks: list[list[int]] = [[] for _ in strides]
    for d, extent in enumerate(shape):
        if extent == 1:
            continue
        if merged and all(w[-1] == s[d] * extent for w, s in zip(walks, strides, strict=True)):
            merged[-1] *= extent
            for w, s in zip(walks, strides, strict=True):
                w[-1] = s[d]
        else:
            merged.append(extent)
            for w, s in zip(walks, strides, strict=True):
                w.append(s[d])
    return tuple(merged), [tuple(w) for w in walks]

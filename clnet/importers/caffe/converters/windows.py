"""Sizes of windows, which convolutions and pooling spell alike."""

from __future__ import annotations

from clnet.errors import ModelError
from clnet.importers.caffe.message import Message


def extents(
    param: Message, stem: str, rank: int, default: int | None, low: int = 0
) -> tuple[int, ...]:
    """One number per spatial dimension: of a repeated field, of one for all, or of ``stem_h`` and
    ``stem_w``. The field is named as the stem, but ``kernel_size``."""
    field = "kernel_size" if stem == "kernel" else stem
    both = (f"{stem}_h", f"{stem}_w")
    if any(param.has(f) for f in both):
        if rank != 2 or param.has(field):
            raise ModelError(f"{param.name} has {both[0]} or {both[1]} beside {field}, or for "
                             f"{rank} spatial dimensions")  # fmt: skip
        return tuple(param.integer(f, default, low) for f in both)
    values = param.integers(field, low)
    if not values:
        return (param.integer(field, default, low),) * rank
    if len(values) not in (1, rank):
        raise ModelError(
            f"{param.name}.{field} has {len(values)} numbers for {rank} spatial dimensions"
        )
    return values * rank if len(values) == 1 else values

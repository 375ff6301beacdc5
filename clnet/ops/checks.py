"""Small checks that the shape rules of several ops share."""

from __future__ import annotations

from clnet.errors import ShapeError, UnsupportedError
from clnet.tensor_spec import TensorSpec


def present(spec: TensorSpec | None, name: str, min_rank: int = 0) -> TensorSpec:
    """The spec of a required input, at least of ``min_rank``. Raises ShapeError."""
    if spec is None:
        raise ShapeError(f"input {name} is missing")
    if spec.rank < min_rank:
        raise ShapeError(f"input {name} {spec} needs at least {min_rank} dimensions")
    return spec


def one_float_dtype(*specs: TensorSpec | None) -> None:
    """All present inputs have the same floating dtype. Raises ShapeError, UnsupportedError."""
    dtypes = {s.dtype for s in specs if s is not None}
    if len(dtypes) > 1:
        raise ShapeError(f"inputs of different dtypes {', '.join(sorted(dtypes))}")
    if not all(s.is_float for s in specs if s is not None):
        raise UnsupportedError(f"dtype {dtypes.pop()} where a floating one is needed")


def per_channel(x: TensorSpec, *specs: TensorSpec) -> None:
    """Each spec is one value per channel of x[N, C, ...]. Raises ShapeError."""
    for spec in specs:
        if spec.shape != (x.shape[1],):
            raise ShapeError(f"{spec} is not one value per channel of {x}")


def normal_axis(axis: int, rank: int) -> int:
    """``axis`` counted from the front. Raises ShapeError where there is no such axis."""
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} is outside a tensor of rank {rank}")
    return axis % rank

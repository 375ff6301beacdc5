"""Axis numbers as ONNX writes them."""

from __future__ import annotations

from clnet.errors import ShapeError


def checked_axis(axis: int, rank: int) -> int:
    """``axis`` counted from the front. Raises ShapeError outside [-rank, rank)."""
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} is outside a tensor of rank {rank}")
    return axis % rank

"""The table of converters. Each makes clnet's ops out of one kind of operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clnet.importers.tflite.node import TfliteNode

#: Gives the operator's output, or a tuple of several.
Convert = Callable[["TfliteNode"], Any]

#: All inputs, as a value of ``linear``.
ALL = -1


@dataclass(frozen=True)
class Converter:
    """How to convert an operator, and what that says about quantised tensors.

    Scaling the inputs ``linear`` by a positive number scales the outputs as much, so that the
    operator may be applied to quantised numbers as they are; ``exact``: it only moves, picks or
    counts them, so that they need no rounding afterwards; ``activated``: the fused activation is
    part of it rather than applied to its output.
    """

    convert: Convert
    linear: tuple[int, ...] = ()
    exact: bool = False
    activated: bool = False


_CONVERTERS: dict[tuple[str, bool], Converter] = {}


def converter(
    *names: str, linear: tuple[int, ...] = (), exact: bool = False, custom: bool = False,
    activated: bool = False,
) -> Callable[[Convert], Convert]:  # fmt: skip
    """Decorator: the function converts operators of these names."""

    def add(function: Convert) -> Convert:
        for name in names:
            _CONVERTERS[name, custom] = Converter(function, linear, exact, activated)
        return function

    return add


def find_converter(name: str, is_custom: bool) -> Converter | None:
    """The converter for a kind of operator, or None."""
    return _CONVERTERS.get((name, is_custom))

"""CLBlast through pyclblast, where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from clnet.calls import BlasCall


@lru_cache(maxsize=1)
def available() -> bool:
    """Whether pyclblast can be imported."""
    return importlib.util.find_spec("pyclblast") is not None


def bind(call: BlasCall, queue: Any, buffers: Sequence[Any]) -> Callable[[], object]:
    """A callable that enqueues the routine on ``buffers`` (one per operand of the call)."""
    raise NotImplementedError

"""A model file as what a session is made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from clnet.errors import ModelError
from clnet.graph import Graph
from clnet.importers import read_model

Shapes = Mapping[str, Sequence[int]]
#: Makes the graph anew for given shapes of inputs: compiling uses it up.
Source = Callable[["Shapes | None"], Graph]


def model_source(model: str | Path, weights: str | Path | None = None) -> Source:
    """Reads a model file, with a second one of ``weights`` where the format has that."""

    def source(shapes: Shapes | None) -> Graph:
        return read_model(Path(model), shapes, Path(weights) if weights is not None else None)

    return source


@contextmanager
def naming(model: str | Path) -> Iterator[None]:
    """Errors from inside tell which file they are about."""
    try:
        yield
    except ModelError as error:
        raise error.located(file=Path(model)) from error
    except RecursionError as error:
        raise ModelError("nested too deeply", file=Path(model)) from error

"""Names, shapes and dtypes of a model's inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clnet.errors import InputError, ModelError
from clnet.importers.names import shown
from clnet.importers.tflite.model import Tensor, TfliteModel
from clnet.importers.tflite.tensors import dtype_of
from clnet.tensor_spec import TensorSpec


def input_specs(
    model: TfliteModel, shapes: Mapping[str, Sequence[int]]
) -> dict[int, tuple[str, TensorSpec]]:
    """Name and spec of each input by tensor.

    An open first dimension is a batch of 1 unless ``shapes`` says otherwise; other open dimensions
    must be given. Raises InputError where ``shapes`` does not fit, ModelError where it is needed.
    """
    if len(set(model.inputs)) < len(model.inputs):
        raise ModelError("the same tensor is two inputs")
    names = unique_names(model, model.inputs, "input")
    unknown = [name for name in shapes if name not in names]
    if unknown:
        there = ", ".join(map(shown, names)) or "none"
        raise InputError(f"input_shapes names {unknown[0]!r}; the model's inputs are {there}")
    specs = {}
    for number, name in zip(model.inputs, names, strict=True):
        tensor = model.tensors[number]
        shape = _shape(tensor, name, shapes.get(name))
        specs[number] = (name, TensorSpec(shape, dtype_of(tensor.type)))
    return specs


def unique_names(model: TfliteModel, numbers: Sequence[int], kind: str) -> list[str]:
    """A name for each of these tensors; those without one, or with another's, get a number."""
    names: list[str] = []
    for i, number in enumerate(numbers):
        name = model.tensors[number].name or f"{kind}_{i}"
        names.append(name if name not in names else f"{name}:{kind}_{i}")
    return names


def _shape(tensor: Tensor, name: str, given: Sequence[int] | None) -> tuple[int, ...]:
    declared = tensor.signature
    text = f"[{', '.join('?' if d < 0 else str(d) for d in declared)}]"
    if given is not None:
        fits = len(given) == len(declared) and all(
            d < 0 or d == g or i == 0 for i, (d, g) in enumerate(zip(declared, given, strict=True))
        )
        if not fits:
            raise InputError(
                f"input {shown(name)} is {text} in the model; {list(given)} does not fit"
            )
        return tuple(int(d) for d in given)
    if any(d < 0 for d in declared[1:]):
        example = ", ".join(str(d) if d >= 0 else "…" for d in declared)
        raise ModelError(
            f"input {shown(name)} is {text}: open dimensions; "
            f"pass input_shapes={{{shown(name)}: ({example})}}"
        )
    return tuple(1 if d < 0 else d for d in declared)

"""Shapes and dtypes of a model's inputs: what the file says, completed by what the caller says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import ValueInfoProto

from clnet.errors import InputError, ModelError, UnsupportedError
from clnet.importers.names import shown
from clnet.importers.onnx.tensors import MAX_RANK, dtype_of
from clnet.tensor_spec import TensorSpec

Dim = int | str | None  # a number, a name that stands for one number everywhere, or open


def input_specs(
    inputs: Sequence[ValueInfoProto], shapes: Mapping[str, Sequence[int]]
) -> dict[str, TensorSpec]:
    """The spec of each input by name.

    An open first dimension is a batch of 1 unless ``shapes`` says otherwise; other open dimensions
    must be given. Raises InputError where ``shapes`` does not fit, ModelError where it is needed.
    """
    names = [i.name for i in inputs]
    if len(set(names)) < len(names):
        raise ModelError("two inputs have the same name")
    unknown = [name for name in shapes if name not in names]
    if unknown:
        there = ", ".join(map(shown, names)) or "none"
        raise InputError(f"input_shapes names {unknown[0]!r}; the model's inputs are {there}")
    declared = {i.name: _declared(i) for i in inputs}
    symbols: dict[str, int] = {}
    for name, shape in shapes.items():
        symbols |= _symbols(name, declared[name], shape)
    return {
        i.name: TensorSpec(
            _shape(i.name, declared[i.name], shapes.get(i.name), symbols),
            dtype_of(i.type.tensor_type.elem_type),
        )
        for i in inputs
    }


def _declared(info: ValueInfoProto) -> list[Dim] | None:
    """The dimensions in the file; None where it leaves even the rank open."""
    if not info.type.HasField("tensor_type"):
        raise UnsupportedError(f"input {shown(info.name)} is not a tensor")
    tensor = info.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    if len(tensor.shape.dim) > MAX_RANK:
        raise ModelError(f"input {shown(info.name)} has {len(tensor.shape.dim)} dimensions")
    return [
        d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else d.dim_param or None
        for d in tensor.shape.dim
    ]


def _symbols(name: str, declared: list[Dim] | None, shape: Sequence[int]) -> dict[str, int]:
    """What the shape of an input says about named dimensions."""
    if declared is None:
        return {}
    fits = len(declared) == len(shape) and all(
        not isinstance(d, int) or d == s or i == 0
        for i, (d, s) in enumerate(zip(declared, shape, strict=True))
    )
    if not fits:
        raise InputError(
            f"input {shown(name)} is {_text(declared)} in the model; {list(shape)} does not fit"
        )
    return {d: int(s) for d, s in zip(declared, shape, strict=True) if isinstance(d, str)}


def _shape(
    name: str, declared: list[Dim] | None, given: Sequence[int] | None, symbols: Mapping[str, int]
) -> tuple[int, ...]:
    if given is not None:
        return tuple(int(d) for d in given)
    if declared is None:
        raise ModelError(f"input {shown(name)} has no shape; pass input_shapes={{{name!r}: (…)}}")
    dims = [symbols.get(d, d) if isinstance(d, str) else d for d in declared]
    if dims and not isinstance(dims[0], int):
        dims[0] = 1
    if not all(isinstance(d, int) for d in dims):
        example = ", ".join(str(d) if isinstance(d, int) else "…" for d in dims)
        raise ModelError(
            f"input {shown(name)} is {_text(declared)}: open dimensions; "
            f"pass input_shapes={{{shown(name)}: ({example})}}"
        )
    return tuple(d for d in dims if isinstance(d, int))


def _text(declared: Sequence[Dim]) -> str:
    return f"[{', '.join('?' if d is None else str(d)[:20] for d in declared)}]"

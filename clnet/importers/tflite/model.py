"""What is read of a TFLite file: its tensors and operators as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite

from clnet.errors import ModelError, UnsupportedError
from clnet.importers.tflite.flat import FlatFile

#: Names of the built-in operators by number.
BUILTINS: dict[int, str] = {
    number: name for name, number in vars(tflite.BuiltinOperator).items() if isinstance(number, int)
}
#: Types whose scales mean something; converters leave them on floats, too.
_INTEGERS = {
    tflite.TensorType.INT4, tflite.TensorType.INT8, tflite.TensorType.UINT8,
    tflite.TensorType.INT16, tflite.TensorType.INT32, tflite.TensorType.INT64,
}  # fmt: skip
#: In old files the number is a byte, and this one says that a newer field holds it.
_NUMBER_ELSEWHERE = 127
MAX_RANK = 8


@dataclass(frozen=True)
class Quantization:
    """real = scale * (stored - zero point), per tensor or per index of ``axis``. float64."""

    scales: np.ndarray
    zero_points: np.ndarray
    axis: int = 0

    @property
    def per_tensor(self) -> bool:
        """Whether one scale holds for all elements."""
        return self.scales.size == 1

    @property
    def scale(self) -> float:
        """The only scale."""
        return float(self.scales[0])

    @property
    def zero_point(self) -> float:
        """The only zero point."""
        return float(self.zero_points[0])


@dataclass(frozen=True)
class Tensor:
    """A tensor of the file. ``signature`` is its shape with -1 for open dimensions."""

    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    type: int
    data: np.ndarray  #: the bytes of a constant; none where it is computed
    quantization: Quantization | None
    sparsity: Any
    is_variable: bool


@dataclass(frozen=True)
class Atrous:
    """Dilations, and padding (both begins, then both ends), of a convolution that the file has as
    three operators."""

    dilations: tuple[int, int]
    pads: tuple[int, ...]


@dataclass(frozen=True)
class Operator:
    """An operator: ``name`` as TensorFlow Lite spells it, positions of tensors (-1: absent)."""

    name: str
    is_custom: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any  #: the generated table, None where there is none
    custom_options: bytes
    atrous: Atrous | None = None


@dataclass(frozen=True)
class TfliteModel:
    """The first subgraph of a file, which is the model."""

    file: FlatFile
    name: str
    tensors: Sequence[Tensor]
    operators: Sequence[Operator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def parse(data: memoryview) -> TfliteModel:
    """Read all but the values of the tensors. Raises ModelError."""
    if len(data) < 8 or bytes(data[4:8]) != b"TFL3":
        raise ModelError("not a TFLite model: the identifier TFL3 is missing")
    file = FlatFile(data)
    root = file.table(tflite.Model.GetRootAs(data, 0))
    subgraphs = file.tables(root, "Subgraphs")
    if not subgraphs:
        raise ModelError("the model has no subgraphs")
    graph = subgraphs[0]
    buffers = file.tables(root, "Buffers")
    codes = [_code(file, c) for c in file.tables(root, "OperatorCodes")]
    tensors = [_tensor(file, t, buffers) for t in file.tables(graph, "Tensors")]
    operators = [_operator(file, o, codes) for o in file.tables(graph, "Operators")]
    model = TfliteModel(
        file,
        file.text(graph, "Name") or "model",
        tensors,
        operators,
        file.integers(graph, "Inputs"),
        file.integers(graph, "Outputs"),
    )
    used = [*model.inputs, *model.outputs, *(t for o in operators for t in o.outputs)]
    optional = [t for o in operators for t in o.inputs]
    if any(not 0 <= t < len(tensors) for t in used) or any(
        not -1 <= t < len(tensors) for t in optional
    ):
        raise ModelError(f"damaged: a tensor outside the {len(tensors)} that there are")
    return model


def _code(file: FlatFile, code: Any) -> tuple[str, bool]:
    """The name of an operator, and whether it is a custom one."""
    number = code.DeprecatedBuiltinCode()
    if number >= _NUMBER_ELSEWHERE or number < code.BuiltinCode():
        number = code.BuiltinCode()
    if number == tflite.BuiltinOperator.CUSTOM:
        return file.text(code, "CustomCode"), True
    return BUILTINS.get(number, f"builtin operator {number}"), False


def _operator(file: FlatFile, operator: Any, codes: Sequence[tuple[str, bool]]) -> Operator:
    index = operator.OpcodeIndex()
    if index >= len(codes):
        raise ModelError(f"damaged: operator code {index} of {len(codes)}")
    if operator.LargeCustomOptionsOffset():
        raise UnsupportedError("options of a custom operator outside the FlatBuffers part")
    name, is_custom = codes[index]
    return Operator(
        name,
        is_custom,
        file.integers(operator, "Inputs"),
        file.integers(operator, "Outputs"),
        _options(file, operator),
        bytes(file.numbers(operator, "CustomOptions").astype(np.uint8)),
    )


def _options(file: FlatFile, operator: Any) -> Any:
    """The table of an operator's options as the class that its type names."""
    names = {n: name for name, n in vars(tflite.BuiltinOptions).items() if isinstance(n, int)}
    kind = names.get(operator.BuiltinOptionsType(), "")
    union = operator.BuiltinOptions()
    if union is None or kind in ("", "NONE"):
        return None
    options = getattr(tflite, kind)()
    options.Init(union.Bytes, union.Pos)
    return file.table(options)


def _tensor(file: FlatFile, tensor: Any, buffers: Sequence[Any]) -> Tensor:
    shape = file.integers(tensor, "Shape")
    signature = file.integers(tensor, "ShapeSignature") or shape
    name = file.text(tensor, "Name")
    if len(shape) > MAX_RANK or len(signature) != len(shape) or min(shape, default=0) < 0:
        raise ModelError(f"tensor {name[:80]!r} has the shape {list(shape)[: MAX_RANK + 1]}")
    if tensor.Buffer() >= len(buffers):
        raise ModelError(f"damaged: buffer {tensor.Buffer()} of {len(buffers)}")
    quantization = None
    if tensor.Type() in _INTEGERS:
        quantization = _quantization(file, file.child(tensor, "Quantization"), shape)
    return Tensor(
        name,
        shape,
        signature,
        tensor.Type(),
        _data(file, buffers[tensor.Buffer()]),
        quantization,
        file.child(tensor, "Sparsity"),
        tensor.IsVariable(),
    )


def _data(file: FlatFile, buffer: Any) -> np.ndarray:
    """The bytes of a buffer, which large models keep behind the FlatBuffers part. Not copied."""
    offset, size = buffer.Offset(), buffer.Size()
    if offset > 1:
        if offset + size > file.size:
            raise ModelError(f"damaged: a buffer of {size} bytes from {offset} on")
        return np.frombuffer(file.data, np.uint8, size, offset)
    if buffer.DataIsNone():
        return np.empty(0, np.uint8)
    data: np.ndarray = buffer.DataAsNumpy()
    return data


def _quantization(file: FlatFile, table: Any, shape: tuple[int, ...]) -> Quantization | None:
    if table is None:
        return None
    scales = file.numbers(table, "Scale").astype(np.float64)
    zero_points = file.numbers(table, "ZeroPoint").astype(np.float64)
    if not scales.size:
        return None
    if not zero_points.size:
        zero_points = np.zeros_like(scales)
    axis = (
        0 if len(shape) == 1 else table.QuantizedDimension()
    )  # of biases it is often the weights'
    if zero_points.size == 1:
        zero_points = np.broadcast_to(zero_points, scales.shape)
    fits = scales.size == 1 or (0 <= axis < len(shape) and shape[axis] == scales.size)
    positive = np.isfinite(scales).all() and scales.min() >= 0
    if not fits or zero_points.shape != scales.shape or not positive:
        raise ModelError(f"damaged: {scales.size} scales along axis {axis} of {list(shape)}")
    return Quantization(scales, zero_points, axis)

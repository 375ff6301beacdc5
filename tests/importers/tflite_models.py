"""Small TFLite models made here, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

_TYPES = {
    name: getattr(tflite.TensorType, name.upper())
    for name in ("float32", "float16", "float64", "int4", "int8", "int16", "int32", "int64",
                 "uint8", "uint32", "bool")
}  # fmt: skip


@dataclass
class Tensor:
    """A tensor of the file. ``data`` makes it a constant; ``scales`` quantise it."""

    shape: Sequence[int]
    dtype: str = "float32"
    data: np.ndarray | None = None
    scales: Sequence[float] = ()
    zero_points: Sequence[int] = ()
    axis: int = 0
    signature: Sequence[int] | None = None
    sparsity: Mapping[str, Any] | None = None
    is_variable: bool = False

    @classmethod
    def of(cls, array: Any, **more: Any) -> Tensor:
        """A constant."""
        array = np.asarray(array)
        return cls(array.shape, array.dtype.name, array, **more)


@dataclass
class Op:
    """An operator: tensors by name ("" is absent), and the class and fields of its options."""

    name: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    options: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    custom_options: bytes = b""


def model(
    tensors: Mapping[str, Tensor], ops: Sequence[Op], inputs: Sequence[str], outputs: Sequence[str]
) -> bytes:
    """The file's bytes."""
    build = flatbuffers.Builder(1024)
    names = list(tensors)
    buffers = [_table(build, "Buffer")]
    made = []
    for name, tensor in tensors.items():
        number = 0
        if tensor.data is not None:
            number = len(buffers)
            raw = np.ascontiguousarray(tensor.data).view(np.uint8).reshape(-1)
            buffers.append(_table(build, "Buffer", Data=raw))
        made.append(_tensor(build, name, tensor, number))
    kinds = list(dict.fromkeys(op.name for op in ops))
    codes = [_code(build, kind) for kind in kinds]
    operators = [_operator(build, op, kinds.index(op.name), names) for op in ops]
    graph = _table(
        build,
        "SubGraph",
        Tensors=_vector(build, made),
        Inputs=np.array([names.index(n) for n in inputs], np.int32),
        Outputs=np.array([names.index(n) for n in outputs], np.int32),
        Operators=_vector(build, operators),
        Name=build.CreateString("test"),
    )
    root = _table(
        build,
        "Model",
        Version=3,
        OperatorCodes=_vector(build, codes),
        Subgraphs=_vector(build, [graph]),
        Buffers=_vector(build, buffers),
    )
    build.Finish(root, b"TFL3")
    return bytes(build.Output())


def single(
    name: str,
    feeds: Mapping[str, Tensor],
    outputs: Sequence[Tensor],
    options: str = "",
    **fields: Any,
) -> bytes:
    """A model of one operator over these tensors in order; those without data are its inputs."""
    results = {f"y{i}": t for i, t in enumerate(outputs)}
    used = [n for n in feeds if not n.startswith("absent")]
    op = Op(name, [n if n in used else "" for n in feeds], list(results), options, fields)
    tensors = {**{n: feeds[n] for n in used}, **results}
    return model(tensors, [op], [n for n in used if feeds[n].data is None], list(results))


def _vector(build: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    build.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        build.PrependUOffsetTRelative(offset)
    return int(build.EndVector())


def _table(build: flatbuffers.Builder, kind: str, **fields: Any) -> int:
    """A table of the schema; arrays and strings become vectors."""
    ready = {
        name: build.CreateNumpyVector(value if isinstance(value, np.ndarray) else np.int32(value))
        if isinstance(value, np.ndarray | list | tuple)
        else value
        for name, value in fields.items()
    }
    getattr(tflite, f"{kind}Start")(build)
    for name, value in ready.items():
        getattr(tflite, f"{kind}Add{name}")(build, value)
    return int(getattr(tflite, f"{kind}End")(build))


def _tensor(build: flatbuffers.Builder, name: str, tensor: Tensor, buffer: int) -> int:
    fields: dict[str, Any] = {
        "Shape": np.array(tensor.shape, np.int32), "Type": _TYPES[tensor.dtype], "Buffer": buffer,
        "Name": build.CreateString(name), "IsVariable": tensor.is_variable,
    }  # fmt: skip
    if tensor.signature is not None:
        fields["ShapeSignature"] = np.array(tensor.signature, np.int32)
    if tensor.scales:
        zero_points = tensor.zero_points or [0] * len(tensor.scales)
        fields["Quantization"] = _table(
            build, "QuantizationParameters",
            Scale=np.array(tensor.scales, np.float32),
            ZeroPoint=np.array(zero_points, np.int64),
            QuantizedDimension=tensor.axis,
        )  # fmt: skip
    if tensor.sparsity is not None:
        fields["Sparsity"] = _sparsity(build, **tensor.sparsity)
    return _table(build, "Tensor", **fields)


def _sparsity(
    build: flatbuffers.Builder,
    order: Sequence[int],
    block_map: Sequence[int],
    levels: Sequence[int | tuple[Sequence[int], Sequence[int]]],
) -> int:
    """Each level is dense (its extent) or sparse (its segments and indices)."""
    made = []
    for level in levels:
        if isinstance(level, int):
            made.append(_table(build, "DimensionMetadata", Format=0, DenseSize=level))
            continue
        segments, indices = (_table(build, "Int32Vector", Values=np.array(v, np.int32))
                             for v in level)  # fmt: skip
        kind = tflite.SparseIndexVector.Int32Vector
        made.append(
            _table(build, "DimensionMetadata", Format=1, ArraySegmentsType=kind,
                   ArraySegments=segments, ArrayIndicesType=kind, ArrayIndices=indices)
        )  # fmt: skip
    return _table(
        build, "SparsityParameters", TraversalOrder=np.array(order, np.int32),
        BlockMap=np.array(block_map, np.int32), DimMetadata=_vector(build, made),
    )  # fmt: skip


def _code(build: flatbuffers.Builder, name: str) -> int:
    number = getattr(tflite.BuiltinOperator, name, None)
    fields: dict[str, Any] = {"Version": 2 if name == "BROADCAST_TO" else 1}
    if number is None:
        number, fields["CustomCode"] = tflite.BuiltinOperator.CUSTOM, build.CreateString(name)
    fields |= {"BuiltinCode": number, "DeprecatedBuiltinCode": min(number, 127)}
    return _table(build, "OperatorCode", **fields)


def _operator(build: flatbuffers.Builder, op: Op, code: int, names: Sequence[str]) -> int:
    fields: dict[str, Any] = {
        "OpcodeIndex": code,
        "Inputs": np.array([names.index(n) if n else -1 for n in op.inputs], np.int32),
        "Outputs": np.array([names.index(n) for n in op.outputs], np.int32),
    }
    if op.options:
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, op.options)
        fields["BuiltinOptions"] = _table(build, op.options, **op.fields)
    if op.custom_options:
        fields["CustomOptions"] = np.frombuffer(op.custom_options, np.uint8)
    return _table(build, "Operator", **fields)

"""TensorProto → NumPy: raw bytes, typed fields, and data in files beside the model."""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath

import numpy as np
from onnx import TensorProto, numpy_helper

from clnet.errors import ModelError, UnsupportedError
from clnet.importers.onnx.narrow import WIDER, stored_bytes, widened

_T = TensorProto
#: ONNX's element types: dtype of a tensor, dtype of its stored bits, field of unpacked values.
#: Narrower ones than NumPy has are in narrow.py.
_TYPES: dict[int, tuple[str, str, str]] = {
    _T.FLOAT: ("float32", "float32", "float_data"),
    _T.DOUBLE: ("float64", "float64", "double_data"),
    _T.FLOAT16: ("float16", "uint16", "int32_data"),
    _T.BOOL: ("bool", "uint8", "int32_data"),
    _T.INT8: ("int8", "int8", "int32_data"),
    _T.INT16: ("int16", "int16", "int32_data"),
    _T.INT32: ("int32", "int32", "int32_data"),
    _T.INT64: ("int64", "int64", "int64_data"),
    _T.UINT8: ("uint8", "uint8", "int32_data"),
    _T.UINT16: ("uint16", "uint16", "int32_data"),
    _T.UINT32: ("uint32", "uint32", "uint64_data"),
    _T.UINT64: ("uint64", "uint64", "uint64_data"),
}
#: NumPy's own limit is 64 (32 before NumPy 2).
MAX_RANK = 32


def dtype_of(element_type: int) -> str:
    """The dtype for one of ONNX's element types. Raises UnsupportedError."""
    if element_type in WIDER:
        return WIDER[element_type]
    if element_type not in _TYPES:
        known = element_type in _T.DataType.values()
        name = _T.DataType.Name(element_type) if known else str(element_type)
        raise UnsupportedError(f"tensors of type {name} are not supported")
    return _TYPES[element_type][0]


def read_tensor(
    tensor: TensorProto, folder: Path | None, raw: np.ndarray | None = None
) -> np.ndarray:
    """The tensor's values, not copied where they are raw bytes.

    ``raw`` are bytes that were taken out of the message; ``folder`` is where data files may be.
    Raises ModelError where sizes do not fit, before anything is allocated.
    """
    shape = tuple(tensor.dims)
    if len(shape) > MAX_RANK or any(d < 0 for d in shape):
        raise ModelError(f"a tensor has the shape {list(shape)[: MAX_RANK + 1]}")
    if tensor.HasField("segment"):
        raise UnsupportedError("tensors in segments are not supported")
    dtype = dtype_of(tensor.data_type)
    is_narrow = tensor.data_type in WIDER
    _, bits, field = _TYPES.get(tensor.data_type, (dtype, "uint8", "int32_data"))
    nbytes = math.prod(shape) * np.dtype(bits).itemsize
    if is_narrow:
        nbytes = stored_bytes(tensor.data_type, math.prod(shape))
    if tensor.data_location == _T.EXTERNAL:
        raw = _external(tensor, folder, nbytes)
    elif raw is None and (tensor.HasField("raw_data") or nbytes == 0):
        raw = np.frombuffer(tensor.raw_data, np.uint8)
    if raw is None:
        if is_narrow:
            return _narrow(tensor)
        values = _unpacked(getattr(tensor, field), bits, math.prod(shape))
    elif raw.nbytes != nbytes:
        raise ModelError(f"a {dtype}{list(shape)} tensor has {raw.nbytes} bytes, not {nbytes}")
    elif is_narrow:
        return _narrow(TensorProto(dims=shape, data_type=tensor.data_type, raw_data=bytes(raw)))
    else:
        values = raw.view(bits)
    return _as_dtype(values, tensor.data_type, dtype).reshape(shape)


def _narrow(tensor: TensorProto) -> np.ndarray:
    """Elements of a type that NumPy lacks, widened."""
    try:
        return widened(numpy_helper.to_array(tensor))
    except (ValueError, OverflowError) as error:
        raise ModelError(f"a damaged tensor: {error}") from error


def _unpacked(values: object, bits: str, size: int) -> np.ndarray:
    if len(values) != size:  # type: ignore[arg-type]
        raise ModelError(f"a tensor of {size} elements has {len(values)} values")  # type: ignore[arg-type]
    wide = np.array(values)
    return wide.astype(bits)


def _as_dtype(values: np.ndarray, element_type: int, dtype: str) -> np.ndarray:
    if element_type == _T.BOOL:
        return values != 0  # any other bit pattern would break NumPy's bool
    return values.view(dtype)


def _external(tensor: TensorProto, folder: Path | None, nbytes: int) -> np.ndarray:
    """Bytes of a file beside the model, mapped. Never one outside the model's folder."""
    entries = {e.key: e.value for e in tensor.external_data}
    location = entries.get("location", "")
    shown = repr(location[:80])
    if folder is None:
        raise ModelError(f"data in the file {shown}, but the model itself is not a file")
    parts = PurePosixPath(location.replace("\\", "/"))
    if not location or "\0" in location or parts.is_absolute() or ".." in parts.parts:
        raise ModelError(f"external data at {shown} is outside the model's folder")
    try:
        offset = int(entries.get("offset") or 0)
        path = (folder / parts).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ModelError(f"external data at {shown} is outside the model's folder")
        if not path.is_file():
            raise ModelError(f"external data at {shown} does not exist")
        size = path.stat().st_size
        length = int(entries.get("length") or nbytes)
    except (ValueError, OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise ModelError(f"external data at {shown}: {error}") from error
    if offset < 0 or length != nbytes or offset + length > size:
        raise ModelError(
            f"external data at {shown}: {length} bytes from {offset} on of {size}, "
            f"where the tensor needs {nbytes}"
        )
    if nbytes == 0:
        return np.empty(0, np.uint8)
    return np.memmap(path, np.uint8, "r", offset, (nbytes,))

"""The values of constant tensors: plain, packed in 4 bits, sparse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tflite
from tflite import DimensionType, SparseIndexVector, TensorType

from clnet.errors import ModelError, UnsupportedError
from clnet.importers.tflite.flat import FlatFile
from clnet.importers.tflite.model import Tensor

#: dtypes by number; 4-bit integers are widened to a byte.
_DTYPES: dict[int, str] = {
    TensorType.FLOAT32: "float32", TensorType.FLOAT16: "float16", TensorType.FLOAT64: "float64",
    TensorType.INT8: "int8", TensorType.INT16: "int16", TensorType.INT32: "int32",
    TensorType.INT64: "int64", TensorType.UINT8: "uint8", TensorType.UINT16: "uint16",
    TensorType.UINT32: "uint32", TensorType.UINT64: "uint64", TensorType.BOOL: "bool",
    TensorType.INT4: "int8",
}  # fmt: skip
#: A sparse tensor with fewer values is none that anybody trained: it only asks for memory.
_MAX_DENSE_PER_VALUE = 256

_INDEX_VECTORS = {
    SparseIndexVector.Int32Vector: "Int32Vector",
    SparseIndexVector.Uint16Vector: "Uint16Vector",
    SparseIndexVector.Uint8Vector: "Uint8Vector",
}


def dtype_of(type_number: int) -> str:
    """The dtype of a type of tensor. Raises UnsupportedError."""
    if type_number not in _DTYPES:
        names = {n: name for name, n in vars(TensorType).items() if isinstance(n, int)}
        name = names.get(type_number, str(type_number))
        raise UnsupportedError(f"tensors of type {name} are not supported")
    return _DTYPES[type_number]


def stored_values(file: FlatFile, tensor: Tensor) -> np.ndarray:
    """The values of a constant as the file has them, in its shape. Sizes are checked first."""
    dtype = dtype_of(tensor.type)
    size = math.prod(tensor.shape)
    if tensor.sparsity is not None:
        values = _values(tensor, dtype, None)
        return _densified(file, tensor, values)
    return _values(tensor, dtype, size).reshape(tensor.shape)


def _values(tensor: Tensor, dtype: str, size: int | None) -> np.ndarray:
    """The buffer in its dtype; ``size`` elements unless that is None."""
    data = tensor.data
    if tensor.type == TensorType.INT4:
        if size is not None and data.size != -(-size // 2):
            raise ModelError(f"4-bit integers {list(tensor.shape)} in {data.size} bytes")
        pairs = np.stack([data << 4, data], -1).view(np.int8).reshape(-1) >> 4
        return pairs[:size]
    itemsize = np.dtype(dtype).itemsize
    if data.size % itemsize or (size is not None and data.size != size * itemsize):
        raise ModelError(f"a {dtype}{list(tensor.shape)} tensor has {data.size} bytes")
    values = data != 0 if dtype == "bool" else data.view(dtype)
    return np.require(values, requirements="A")


def _densified(file: FlatFile, tensor: Tensor, values: np.ndarray) -> np.ndarray:
    """A sparse tensor in full.

    The format walks a tree whose levels are the dimensions in ``traversal order``: those of the
    tensor, in blocks, then those within a block, which ``block map`` assigns to the former. A
    level's nodes have either all children or those that segments of indices list.
    """
    sparsity, shape = tensor.sparsity, tensor.shape
    order, blocks = file.integers(sparsity, "TraversalOrder"), file.integers(sparsity, "BlockMap")
    levels = file.tables(sparsity, "DimMetadata")
    rank, size = len(shape), math.prod(shape)
    fits = len(order) == len(levels) and sorted(order) == list(range(rank + len(blocks)))
    if not fits or any(not 0 <= b < rank for b in blocks):
        raise ModelError(f"damaged: the sparse format of a tensor {list(shape)}")
    if size > _MAX_DENSE_PER_VALUE * (values.size + 16):
        raise ModelError(f"{values.size} values for a sparse tensor {list(shape)}")
    coordinates = np.zeros((len(order), 1), np.int64)
    for dimension, level in zip(order, levels, strict=True):
        parents, index = _children(file, level, coordinates.shape[1], size)
        coordinates = coordinates[:, parents]
        coordinates[dimension] = index
    if coordinates.shape[1] != values.size:
        raise ModelError(f"{values.size} values for {coordinates.shape[1]} places of a tensor")
    places = coordinates[:rank]
    for i, dimension in enumerate(blocks):
        extent = levels[order.index(rank + i)].DenseSize()
        places[dimension] = places[dimension] * extent + coordinates[rank + i]
    dense = np.zeros(shape, values.dtype)
    dense[tuple(places)] = values
    return dense


def _children(file: FlatFile, level: Any, parents: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The parent of each node of a level, and its index there. At most ``most`` nodes."""
    if level.Format() == DimensionType.DENSE:
        extent = level.DenseSize()
        if extent < 0 or parents * extent > most:
            raise ModelError("damaged: a sparse tensor has more places than elements")
        return np.repeat(np.arange(parents), extent), np.tile(np.arange(extent), parents)
    segments = _index_vector(file, level, "ArraySegments")
    index = _index_vector(file, level, "ArrayIndices")
    counts = np.diff(segments)
    if counts.size != parents or (counts < 0).any() or counts.sum() != index.size:
        raise ModelError("damaged: the segments of a sparse tensor do not fit")
    if index.size > most or (index < 0).any():
        raise ModelError("damaged: the indices of a sparse tensor do not fit")
    return np.repeat(np.arange(parents), counts), index


def _index_vector(file: FlatFile, level: Any, field: str) -> np.ndarray:
    kind = _INDEX_VECTORS.get(getattr(level, f"{field}Type")())
    union = getattr(level, field)()
    if kind is None or union is None:
        raise ModelError("damaged: a sparse tensor without indices")
    vector = getattr(tflite, kind)()
    vector.Init(union.Bytes, union.Pos)
    return file.numbers(file.table(vector), "Values").astype(np.int64)

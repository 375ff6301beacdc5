"""Element types that neither NumPy nor OpenCL has. clnet computes with the next wider type, whose
values stay those that the narrow one has: casts and quantisation round to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper

from clnet.errors import ModelError

_T = TensorProto


@dataclass(frozen=True)
class FloatFormat:
    """Values of so many significant bits, the leading one counted, evenly spaced below the power
    of two ``low``. Beyond ``high``, if that is not taken instead, is ``beyond``."""

    bits: int
    low: int
    high: float
    beyond: float


#: Formats of the floating types.
FORMATS: dict[int, FloatFormat] = {
    _T.BFLOAT16: FloatFormat(8, -126, float(ml_dtypes.finfo("bfloat16").max), math.inf),
    _T.FLOAT8E4M3FN: FloatFormat(4, -6, 448.0, math.nan),
    _T.FLOAT8E4M3FNUZ: FloatFormat(4, -7, 240.0, math.nan),
    _T.FLOAT8E5M2: FloatFormat(3, -14, 57344.0, math.inf),
    _T.FLOAT8E5M2FNUZ: FloatFormat(3, -15, 57344.0, math.nan),
    _T.FLOAT4E2M1: FloatFormat(2, 0, 6.0, 6.0),
}
#: Bits and signedness of the integer types.
INTEGERS: dict[int, tuple[int, bool]] = {
    _T.INT4: (4, True), _T.UINT4: (4, False), _T.INT2: (2, True), _T.UINT2: (2, False),
}  # fmt: skip
#: The dtype that stands for each type.
WIDER: dict[int, str] = {
    **dict.fromkeys((*FORMATS, _T.FLOAT8E8M0), "float32"),
    **{element: "int8" if signed else "uint8" for element, (_, signed) in INTEGERS.items()},
}


def stored_bytes(element: int, count: int) -> int:
    """Bytes of so many elements as ONNX stores them."""
    bits = INTEGERS[element][0] if element in INTEGERS else 4 if element == _T.FLOAT4E2M1 else 8
    return -(-count * (16 if element == _T.BFLOAT16 else bits) // 8)


def widened(array: np.ndarray) -> np.ndarray:
    """Elements of ml_dtypes as what stands for them; other arrays as they are."""
    element = int(helper.np_dtype_to_tensor_dtype(array.dtype))
    return array.astype(WIDER[element]) if element in WIDER else array


def narrowed(array: np.ndarray, element: int) -> np.ndarray:
    """The other way round."""
    return array.astype(helper.tensor_dtype_to_np_dtype(element)) if element in WIDER else array


def limits(element: int) -> tuple[int, int]:
    """The smallest and largest value of an integer type, narrow or not."""
    if element in INTEGERS:
        bits, signed = INTEGERS[element]
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(element))
    if dtype.kind not in "iu":
        raise ModelError(f"{_T.DataType.Name(element)} is no integer type")
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)

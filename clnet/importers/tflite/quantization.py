"""What the integers of quantised tensors stand for."""

from __future__ import annotations

import numpy as np

from clnet.errors import ModelError
from clnet.importers.quantization import split_factors
from clnet.importers.tflite.model import Quantization, Tensor
from clnet.importers.tflite.tensors import dtype_of

#: dtypes of quantised activations. int32 with a scale is a bias.
QUANTIZED = ("int8", "uint8", "int16")
_LARGEST_CHANGE = 2.0**24


def is_quantized(tensor: Tensor) -> bool:
    """Whether the tensor holds small integers that stand for real numbers."""
    if tensor.quantization is None or dtype_of(tensor.type) not in QUANTIZED:
        return False
    return tensor.quantization.per_tensor


def dequantized(values: np.ndarray, quantization: Quantization) -> np.ndarray:
    """The real numbers that stored ones stand for, as float32."""
    codes = centred(values, quantization)
    return (codes * _along(quantization.scales, values.ndim, quantization)).astype(np.float32)


def centred(values: np.ndarray, quantization: Quantization) -> np.ndarray:
    """Stored numbers less their zero points, float64."""
    zero_points = _along(quantization.zero_points, values.ndim, quantization)
    return values.astype(np.float64) - zero_points


def _along(numbers: np.ndarray, rank: int, quantization: Quantization) -> np.ndarray:
    if quantization.per_tensor:
        return numbers.reshape(())
    return numbers.reshape([-1 if d == quantization.axis else 1 for d in range(rank)])


def change_of_scale(source: np.ndarray | float, target: float) -> np.ndarray:
    """What turns codes of the scale ``source`` into those of ``target``, float32. Raises ModelError
    for scales so far apart that no trained model has them."""
    with np.errstate(all="ignore"):
        factors = np.asarray(source, np.float32) / np.float32(target)
    if not (factors <= _LARGEST_CHANGE).all():
        raise ModelError(f"scales of {np.max(source)} and {target} in one operator")
    return factors


def product_scales(x: float, weights: Quantization, y: float) -> tuple[np.ndarray, np.ndarray]:
    """What stands between a sum of products of codes and the codes of the result: a power of two
    and the rest, between 1 and 2, per output channel or for all. float32."""
    with np.errstate(over="ignore"):
        product = np.float32(x) * weights.scales.astype(np.float32)
    return split_factors(change_of_scale(product, y))

"""Quantised ONNX models: integers as exact as ONNX has them, narrow element types."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from evaluate import evaluate
from importers.onnx_models import model
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from clnet.graph import Graph
from clnet.importers.onnx import read_model_proto
from clnet.ops.cast import Cast

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (2, 4, 7, 9)).astype(np.float32)


def whole(*shape: int, dtype: str = "int8") -> np.ndarray:
    limits = np.iinfo(dtype)
    return RNG.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)


def read(nodes: list[Any], given: dict[str, np.ndarray], outputs: list[str], opset: int) -> Any:
    return model(nodes, {"x": X.shape}, outputs, given, opset)


def casts(graph: Graph) -> int:
    return sum(isinstance(node.op, Cast) for node in graph.nodes)


@pytest.mark.parametrize("zero", [np.uint8(128), np.int8(-3)])
def test_a_quantised_convolution_equals_onnx(zero: Any) -> None:
    """As nodes between quantisations, and as one node of integers."""
    w, b = whole(6, 2, 3, 3), RNG.integers(-500, 500, 6).astype(np.int32)
    scales = RNG.uniform(0.001, 0.01, 6).astype(np.float32)
    given = {"s": np.float32(1 / 127), "z": np.asarray(zero), "w": w, "ws": scales,
             "wz": np.zeros(6, np.int8), "b": b, "ys": np.float32(0.02),
             "yz": np.asarray(zero)}  # fmt: skip
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("QLinearConv", ["q", "s", "z", "w", "ws", "wz", "ys", "yz", "b"], ["y"], group=2,
             pads=[1, 1, 0, 0]),
        node("DequantizeLinear", ["y", "ys", "yz"], ["real"]),
    ]  # fmt: skip
    proto = read(nodes, given, ["y", "real"], 19)
    graph = read_model_proto(proto)
    got = evaluate(graph, {"x": X})
    want = ReferenceEvaluator(proto).run(None, {"x": X})
    for a, b in zip(got.values(), want, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_integers_between_quantisations_are_never_made() -> None:
    node = helper.make_node
    given = {"s": np.float32(0.01), "z": np.uint8(128), "w": whole(6, 4, 1, 1),
             "ws": np.float32(0.02)}  # fmt: skip
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("DequantizeLinear", ["w", "ws"], ["dw"]),
        node("Conv", ["d", "dw"], ["y"]),
    ]
    proto = read(nodes, given, ["y"], 19)
    graph = read_model_proto(proto)
    used = {v for n in graph.nodes for v in n.inputs}
    assert not any(isinstance(n.op, Cast) and n.output in used for n in graph.nodes)
    want = ReferenceEvaluator(proto).run(None, {"x": X})[0]
    np.testing.assert_allclose(evaluate(graph, {"x": X})["y"], want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("depth", "products"), [(16, 1), (2000, 2)])
def test_products_of_integers_are_exact_whatever_their_size(depth: int, products: int) -> None:
    """Long sums of the largest numbers leave what float32 holds."""
    a, b = np.full((3, depth), 255, np.uint8), np.full((depth, 2), -128, np.int8)
    a[0] = whole(depth, dtype="uint8")
    zeros = {"az": np.uint8(7), "bz": np.array([3, -5], np.int8)}
    node = helper.make_node("MatMulInteger", ["x", "b", "az", "bz"], ["y"])
    info = helper.make_tensor_value_info("x", TensorProto.UINT8, a.shape)
    proto = model([node], {}, ["y"], {"b": b, **zeros})
    proto.graph.input.append(info)
    graph = read_model_proto(proto)
    want = (a.astype(int) - 7) @ (b.astype(int) - zeros["bz"])
    got = evaluate(graph, {"x": a})["y"]
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, want)
    assert sum(n.op.label == "MatMul" for n in graph.nodes) == products


def test_scales_for_blocks_of_an_axis() -> None:
    scales = RNG.uniform(0.1, 1, (2, 2, 7, 9)).astype(np.float32)
    node = helper.make_node("QuantizeLinear", ["x", "s"], ["y"], axis=1, block_size=3,
                            output_dtype=TensorProto.INT8)  # fmt: skip
    y = evaluate(read_model_proto(read([node], {"s": scales}, ["y"], 21)), {"x": X})["y"]
    want = np.rint(X / scales.repeat(3, 1)[:, :4]).clip(-128, 127)
    np.testing.assert_array_equal(y, want)


@pytest.mark.parametrize(
    ("element", "dtype"),
    [
        (TensorProto.BFLOAT16, ml_dtypes.bfloat16),
        (TensorProto.FLOAT8E4M3FN, ml_dtypes.float8_e4m3fn),
        (TensorProto.FLOAT8E4M3FNUZ, ml_dtypes.float8_e4m3fnuz),
        (TensorProto.FLOAT8E5M2, ml_dtypes.float8_e5m2),
        (TensorProto.FLOAT8E5M2FNUZ, ml_dtypes.float8_e5m2fnuz),
        (TensorProto.FLOAT4E2M1, ml_dtypes.float4_e2m1fn),
    ],
)
def test_casts_to_narrow_floats_round_as_these_types_do(element: int, dtype: Any) -> None:
    x = np.stack([X * s for s in (1e-9, 1e-4, 1e-2, 1, 5)]).astype(np.float32)
    node = helper.make_node("Cast", ["x"], ["y"], to=element)
    y = evaluate(read_model_proto(model([node], {"x": x.shape}, ["y"], {}, 23)), {"x": x})["y"]
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, x.astype(dtype).astype(np.float32))


@pytest.mark.parametrize("name", ["int4", "uint4", "int2", "uint2", "float4_e2m1fn", "bfloat16",
                                  "float8_e4m3fn"])  # fmt: skip
def test_weights_of_narrow_types_are_read(name: str) -> None:
    values = np.arange(-2, 2) if not name.startswith("u") else np.arange(4)
    w = np.resize(values, 9).astype(name)
    tensor = numpy_helper.from_array(w, "w")
    element = helper.make_node("CastLike", ["x", "w"], ["like"])
    dequantised = helper.make_node("Cast", ["w"], ["real"], to=TensorProto.FLOAT)
    proto = model([element, dequantised], {"x": [9]}, ["like", "real"], {}, 25)
    proto.graph.initializer.append(tensor)
    x = np.linspace(-1.9, 1.9, 9).astype(np.float32)
    got = evaluate(read_model_proto(proto), {"x": x})
    np.testing.assert_array_equal(got["real"], w.astype(np.float32))
    if not name.startswith("u"):
        np.testing.assert_array_equal(got["like"], x.astype(name).astype(got["like"].dtype))


def grid(bits: np.ndarray, scale: float, zero: int) -> np.ndarray:
    """What stored integers stand for."""
    real: np.ndarray = (bits.astype(np.float64) - zero) * scale
    return real


@pytest.mark.parametrize(
    ("op", "attributes", "function"),
    [
        ("QLinearAdd", {}, lambda x, z: x + z),
        ("QLinearMul", {}, lambda x, z: x * z),
        ("QLinearConcat", {"axis": 1}, lambda x, z: np.concatenate([x, z], 1)),
        ("QLinearSigmoid", {}, lambda x: 1 / (1 + np.exp(-x))),
        ("QLinearLeakyRelu", {"alpha": 0.1}, lambda x: np.where(x < 0, x / 10, x)),
        ("QLinearGlobalAveragePool", {}, lambda x: x.mean((2, 3), keepdims=True)),
        ("QLinearAveragePool", {"kernel_shape": [7, 3], "strides": [1, 3]},
         lambda x: x.reshape(2, 4, 7, 3, 3).mean((2, 4))[:, :, None]),
        ("QLinearSoftmax", {"axis": -1}, lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
    ],
)  # fmt: skip
def test_ops_on_integers_of_com_microsoft(op: str, attributes: Any, function: Any) -> None:
    scales = {"s": np.float32(0.02), "z": np.uint8(100), "s2": np.float32(0.05), "z2": np.uint8(9),
              "s3": np.float32(0.037), "z3": np.uint8(3)}  # fmt: skip
    x, other = whole(*X.shape, dtype="uint8"), whole(*X.shape, dtype="uint8")
    inputs, result = ["x", "s", "z"], ["s3", "z3"]
    arrays = [grid(x, 0.02, 100)]
    if op in ("QLinearAdd", "QLinearMul", "QLinearConcat"):
        inputs, arrays = [*inputs, "o", "s2", "z2"], [*arrays, grid(other, 0.05, 9)]
    names = [*result, *inputs] if op == "QLinearConcat" else [*inputs, *result]
    node = helper.make_node(op, names, ["y"], domain="com.microsoft", **attributes)
    proto = model([node], {}, ["y"], {**scales, "o": other})
    proto.graph.input.append(helper.make_tensor_value_info("x", TensorProto.UINT8, x.shape))
    got = evaluate(read_model_proto(proto), {"x": x})["y"]
    want = (np.rint(function(*arrays) / 0.037) + 3).clip(0, 255)
    assert got.dtype == np.uint8
    assert np.abs(got - want).max() <= 1 and (got == want).mean() > 0.99


def test_quantized_gemm_of_com_microsoft() -> None:
    a, b, c = whole(3, 20, dtype="uint8"), whole(5, 20), RNG.integers(-999, 999, 5).astype("i4")
    given = {"as": np.float32(0.02), "az": np.uint8(3), "b": b, "bs": np.float32(0.1),
             "bz": np.int8(1), "c": c, "ys": np.float32(0.7), "yz": np.int8(4)}  # fmt: skip
    sums = (a.astype(int) - 3) @ (b.astype(int) - 1).T + c
    names = ["x", "as", "az", "b", "bs", "bz", "c"]
    for more, want in (([], sums * 0.004), (["ys", "yz"], np.rint(sums * 0.004 / 0.7) + 4)):
        node = helper.make_node("QGemm", [*names, *more], ["y"], domain="com.microsoft", transB=1,
                                alpha=2.0)  # fmt: skip
        proto = model([node], {}, ["y"], given)
        proto.graph.input.append(helper.make_tensor_value_info("x", TensorProto.UINT8, a.shape))
        got = evaluate(read_model_proto(proto), {"x": a})["y"]
        np.testing.assert_allclose(got, want.clip(-128, 127) if more else want, rtol=1e-5)

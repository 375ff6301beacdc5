"""What is written as ONNX is valid, and ONNX's own evaluator computes the same from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from evaluate import evaluate
from onnx.reference import ReferenceEvaluator

from clnet.errors import InputError, UnsupportedError
from clnet.exporters.onnx import to_onnx, write_onnx
from clnet.graph import Graph, GraphBuilder, Value
from clnet.importers import read_model
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.elementwise import elementwise
from clnet.ops.gemm import Gemm, MatMul
from clnet.ops.pooling import AveragePool, GlobalAveragePool, MaxPool
from clnet.ops.reshape import Reshape
from clnet.ops.softmax import Softmax


def network(batch: int) -> Graph:
    """Everything that is written, one behind the other."""
    rng = np.random.default_rng(0)
    build = GraphBuilder("everything")

    def weight(*shape: int) -> Value:
        return build.constant(0.5 * rng.standard_normal(shape).astype(np.float32))

    x = build.input("x", (batch, 2, 12, 11))
    y = build.add(
        Conv((1, 2), (1, 0, 0, 1), (2, 1), 2), x, weight(4, 1, 3, 2),
        weight(4),
    )  # fmt: skip
    y = build.add(elementwise("Relu"), y)
    y = build.add(ConvTranspose((2, 1), (0,) * 4, (1, 1), 1, (1, 0)), y, weight(4, 3, 2, 2))
    y = build.add(elementwise("LeakyRelu", alpha=0.3), y)
    y = build.add(MaxPool((2, 2), (2, 1), (0, 1, 1, 0), (1, 1), True), y)
    y = build.add(AveragePool((2, 2), (1, 1), (1, 0, 0, 0), (1, 1), count_include_pad=True), y)
    pooled = build.add(GlobalAveragePool(), y)
    y = build.add(elementwise("Mul"), y, build.add(elementwise("Sigmoid"), pooled))
    y = build.add(Reshape((batch, 3, y.spec.size // batch // 3)), y)
    y = build.add(elementwise("Tanh"), y)
    y = build.add(Reshape((batch, y.spec.size // batch)), y)
    features = y.spec.shape[1]
    y = build.add(
        Gemm(0.5, 2.0, trans_b=True),
        y,
        weight(6, features),
        weight(6),
    )
    y = build.add(MatMul(), y, weight(6, 5))
    build.output(build.add(Softmax(1), y), "scores")
    return build.graph


@pytest.mark.parametrize("batch", [1, 3])
def test_onnx_computes_the_same_at_any_batch_size(batch: int, tmp_path: Path) -> None:
    write_onnx(network(1), tmp_path / "net.onnx")
    x = np.random.default_rng(batch).standard_normal((batch, 2, 12, 11)).astype(np.float32)
    expected = evaluate(network(batch), {"x": x})["scores"]
    model = onnx.load(tmp_path / "net.onnx")
    (found,) = ReferenceEvaluator(model).run(["scores"], {"x": x})
    np.testing.assert_allclose(found, expected, atol=1e-5)
    ours = evaluate(read_model(tmp_path / "net.onnx", {"x": x.shape}), {"x": x})["scores"]
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_values_of_one_name_are_kept_apart() -> None:
    build = GraphBuilder()
    x = build.input("y", (1, 3))
    y = build.add(elementwise("Add"), x, build.constant(np.ones(3, np.float32), "y"), name="y")
    build.output(build.add(elementwise("Relu"), y), "y")
    model = to_onnx(build.graph)
    (found,) = ReferenceEvaluator(model).run(
        None, {model.graph.input[0].name: -np.ones((1, 3), np.float32)}
    )
    np.testing.assert_array_equal(found, np.zeros((1, 3)))


def test_what_onnx_lacks_is_named() -> None:
    build = GraphBuilder()
    x = build.input("x", (1, 3))
    build.output(build.add(elementwise("TanhGradient"), x, x, name="slope"))
    with pytest.raises(UnsupportedError, match="node slope: ONNX has no TanhGradient"):
        to_onnx(build.graph)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*gone/net\.onnx: No such file"):
        write_onnx(network(1), tmp_path / "gone" / "net.onnx")

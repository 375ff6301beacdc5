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
from clnet.ops.cast import Cast
from clnet.ops.concat import Concat
from clnet.ops.conv import Conv
from clnet.ops.conv_transpose import ConvTranspose
from clnet.ops.depth_to_space import SpaceToDepth
from clnet.ops.dropout import Dropout
from clnet.ops.elementwise import elementwise
from clnet.ops.expand import Expand
from clnet.ops.gemm import Gemm, MatMul
from clnet.ops.pad import Pad
from clnet.ops.pooling import AveragePool, GlobalAveragePool, MaxPool
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.resize import Resize
from clnet.ops.slice import Slice
from clnet.ops.softmax import Softmax
from clnet.ops.tile import Tile
from clnet.ops.transpose import Transpose


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
    write_onnx(network(1), tmp_path / "net.onnx", open_batch=True)
    x = np.random.default_rng(batch).standard_normal((batch, 2, 12, 11)).astype(np.float32)
    expected = evaluate(network(batch), {"x": x})["scores"]
    model = onnx.load(tmp_path / "net.onnx")
    (found,) = ReferenceEvaluator(model).run(["scores"], {"x": x})
    np.testing.assert_allclose(found, expected, atol=1e-5)
    ours = evaluate(read_model(tmp_path / "net.onnx", {"x": x.shape}), {"x": x})["scores"]
    np.testing.assert_allclose(ours, expected, atol=1e-5)


SINGLE = {
    "concat": (Concat(1), 2),
    "transpose": (Transpose((0, 2, 1, 3)), 1),
    "mean": (Reduce("Mean", (2, 3), False), 1),
    "sum": (Reduce("Sum", (1,), True), 1),
    "largest": (Reduce("Max", (2,), True), 1),
    "nearest": (Resize((1, 3, 8, 10), (1.0, 1.0, 2.0, 2.0), coordinate_mode="asymmetric",
                       nearest_mode="floor"), 1),
    "linear": (Resize((1, 3, 6, 5), mode="linear", coordinate_mode="align_corners"), 1),
    "odd": (Resize((1, 3, 3, 5), (1.0, 1.0, 0.87, 1.0)), 1),
    "smooth": (Resize((1, 3, 3, 2), antialias=True, mode="linear"), 1),
    "slice": (Slice((1, -2), (3, 9), (1, 3)), 1),
    "reversed": (Slice((-1,), (-99,), (2,), (-1,)), 1),
    "pad": (Pad((0, 1, 0, 2, 0, 0, 1, 0), value=0.5), 1),
    "edge": (Pad((0, 0, 1, 2, 0, 0, 1, 0), "edge"), 1),
    "expand": (Expand((1, 3, 4, 5)), 1),
    "cast": (Cast("int32"), 1),
    "blocks": (SpaceToDepth(2), 1),
    "tile": (Tile((1, 2, 1, 1)), 1),
    "dropout": (Dropout(0.5), 1),
    "clip": (elementwise("Clip", min=-0.5, max=6.0), 1),
    "scale": (elementwise("Scale", factor=1.5), 1),
    "shift": (elementwise("Shift", offset=-2.0), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", SINGLE)
def test_single_ops_at_any_batch_size(name: str) -> None:
    op, count = SINGLE[name]
    shape = (3, 4, 6) if name == "blocks" else (3, 4, 5)

    def graph(batch: int) -> Graph:
        build = GraphBuilder()
        inputs = [build.input(f"x{i}", (batch, *shape)) for i in range(count)]
        build.output(build.add(op, *inputs), "y")
        return build.graph

    rng = np.random.default_rng(0)
    x = {f"x{i}": 2 * rng.standard_normal((3, *shape)).astype(np.float32) for i in range(count)}
    expected = [evaluate(graph(1), {n: a[k : k + 1] for n, a in x.items()})["y"][0]
                for k in range(3)]  # fmt: skip
    (found,) = ReferenceEvaluator(to_onnx(graph(1), open_batch=True)).run(["y"], x)
    np.testing.assert_allclose(found, expected, atol=1e-5)


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

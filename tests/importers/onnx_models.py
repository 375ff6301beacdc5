"""Small ONNX models made here, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper


def model(
    nodes: Sequence[NodeProto],
    inputs: dict[str, Sequence[int | str | None]],
    outputs: Sequence[str],
    initializers: dict[str, np.ndarray] | None = None,
    opset: int = 17,
    **more: Any,
) -> ModelProto:
    """A model of float inputs; outputs are named only."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (initializers or {}).items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=imports, **more)


def many_ops() -> ModelProto:
    """A small network with most kinds of static arguments: shapes, pads, axes, scales, sizes."""
    rng = np.random.default_rng(1)

    def weights(*shape: int) -> np.ndarray:
        return rng.uniform(-0.5, 0.5, shape).astype(np.float32)

    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c1"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["r1"]),
        node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Pad", ["p1", "pads"], ["p2"], mode="edge"),
        node("Slice", ["p2", "starts", "ends", "axes"], ["s1"]),
        node("Resize", ["s1", "", "scales"], ["z1"], mode="linear"),
        node("Conv", ["z1", "w2"], ["c2"], group=2, strides=[2, 2], auto_pad="SAME_UPPER"),
        node("Clip", ["c2", "low", "high"], ["k1"]),
        node("Split", ["k1", "sizes"], ["d1", "d2"], axis=1),
        node("Concat", ["d2", "d1"], ["j1"], axis=1),
        node("Shape", ["j1"], ["h1"]),
        node("ConstantOfShape", ["h1"], ["f1"], value=helper.make_tensor("", 1, [1], [0.5])),
        node("Add", ["j1", "f1"], ["a1"]),
        node("Transpose", ["a1"], ["t1"], perm=[0, 2, 3, 1]),
        node("Reshape", ["t1", "flat"], ["v1"]),
        node("Gemm", ["v1", "w3", "b3"], ["g1"], transB=1, alpha=0.5),
        node("Tile", ["g1", "repeats"], ["l1"]),
        node("Expand", ["l1", "wide"], ["e1"]),
        node("Softmax", ["e1"], ["y"], axis=-1),
    ]
    initializers = {
        "w1": weights(4, 2, 3, 3), "b1": weights(4), "w2": weights(6, 2, 3, 3),
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "starts": np.array([1, 0]),
        "ends": np.array([7, 6]), "axes": np.array([2, 3]),
        "scales": np.array([1, 1, 2, 2], np.float32), "low": np.float32(-1), "high": np.float32(1),
        "sizes": np.array([2, 4]), "flat": np.array([0, -1]), "w3": weights(5, 216),
        "b3": weights(5), "repeats": np.array([1, 2]), "wide": np.array([3, 1, 10]),
    }  # fmt: skip
    return model(nodes, {"x": ["batch", 2, 10, 10]}, ["y"], initializers)

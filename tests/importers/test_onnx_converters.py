"""Forms of nodes across opsets give what ONNX's own reference gives, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from evaluate import evaluate
from importers.onnx_models import model
from onnx import ModelProto, NodeProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator

from clnet.graph import Graph
from clnet.importers.onnx import read_model_proto

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(-1, 1, (2, 4, 7, 9)).astype(np.float32)
KERNEL = RNG.uniform(-1, 1, (6, 2, 3, 3)).astype(np.float32)
BACK = RNG.uniform(-1, 1, (4, 3, 3, 4)).astype(np.float32)


def case(
    opset: int,
    op: str,
    x: np.ndarray = IMAGE,
    outputs: int = 1,
    /,
    *arguments: Any,
    **attributes: Any,
) -> Any:
    """A node over x and constant arguments (None: absent)."""
    names = ["" if a is None else f"a{i}" for i, a in enumerate(arguments)]
    node = helper.make_node(op, ["x", *names], [f"y{i}" for i in range(outputs)], **attributes)
    given = {f"a{i}": np.asarray(a) for i, a in enumerate(arguments) if a is not None}
    text = ",".join(f"{k}={v}" for k, v in attributes.items())
    return pytest.param(node, given, x, opset, id=f"{op}-{opset}-{text}"[:70])


CASES = [
    case(11, "Conv", IMAGE, 1, KERNEL, group=2, auto_pad="SAME_UPPER", strides=[2, 3]),
    case(11, "Conv", IMAGE, 1, KERNEL, group=2, auto_pad="SAME_LOWER", strides=[2, 2]),
    case(11, "Conv", IMAGE, 1, KERNEL, group=2, auto_pad="VALID", dilations=[1, 2]),
    case(11, "ConvTranspose", IMAGE, 1, BACK, strides=[2, 2], output_padding=[1, 0]),
    case(11, "ConvTranspose", IMAGE, 1, BACK, strides=[2, 2], pads=[1, 0, 0, 1]),
    case(12, "MaxPool", IMAGE, 1, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    case(12, "MaxPool", IMAGE, 2, kernel_shape=[2, 2], strides=[2, 2]),
    case(11, "AveragePool", IMAGE, 1, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
    case(11, "AveragePool", IMAGE, 1, kernel_shape=[2, 2], count_include_pad=1,
         pads=[1, 0, 0, 1]),
    case(13, "Softmax"), case(13, "LogSoftmax", axis=0),
    case(11, "Hardmax", IMAGE, 1, axis=3), case(13, "Hardmax", IMAGE, 1, axis=1),
    case(6 + 1, "Clip", IMAGE, 1, min=-0.25, max=0.5), case(7, "Clip", IMAGE, 1, max=0.5),
    case(12, "Clip", IMAGE, 1, np.float32(-0.5)), case(13, "Clip", IMAGE, 1, None, np.float32(0)),
    case(11, "Squeeze", IMAGE[:, :1], 1, axes=[-3]), case(13, "Squeeze", IMAGE[:1, :1]),
    case(13, "Squeeze", IMAGE[:, :1], 1, np.array([1])),
    case(11, "Unsqueeze", IMAGE, 1, axes=[0, -1]), case(13, "Unsqueeze", IMAGE, 1, np.array([2])),
    case(7, "Reshape", IMAGE, 1, np.array([0, -1, 9])),
    case(14, "Reshape", IMAGE[:0], 1, np.array([0, 4, 3]), allowzero=1),
    case(9, "Flatten"), case(13, "Flatten", IMAGE, 1, axis=-1),
    case(13, "Flatten", IMAGE, 1, axis=0),
    case(9, "Slice", IMAGE, 1, starts=[1, -3], ends=[1000, -1], axes=[2, 3]),
    case(13, "Slice", IMAGE, 1, np.array([5, -1]), np.array([1, -(2**62)]), np.array([2, -1]),
         np.array([-2, -3])),
    case(10, "Slice", IMAGE, 1, np.array([1]), np.array([2])),
    case(11, "Split", IMAGE, 2, axis=1), case(11, "Split", IMAGE, 2, axis=-1, split=[4, 5]),
    case(13, "Split", IMAGE, 3, np.array([1, 5, 3]), axis=3),
    case(18, "Split", IMAGE, 3, axis=2, num_outputs=3),
    case(7, "Pad", IMAGE, 1, pads=[0, 0, 1, 2, 0, 0, 2, 1], mode="reflect"),
    case(7, "Pad", IMAGE, 1, pads=[0, 1, 0, 0, 0, 0, 0, 1], value=2.5),
    case(13, "Pad", IMAGE, 1, np.array([0, 0, 1, 2, 0, 0, 0, 1]), np.float32(3)),
    case(18, "Pad", IMAGE, 1, np.array([1, 2, 0, 1]), None, np.array([-1, 1]), mode="edge"),
    case(13, "ReduceSum", IMAGE, 1, np.array([1, -1]), keepdims=0),
    case(11, "ReduceSum", IMAGE, 1, axes=[1, -1]), case(13, "ReduceMean", IMAGE, 1, axes=[2]),
    case(18, "ReduceMax", IMAGE, 1, np.array([0])), case(13, "ReduceL2"),
    case(13, "ReduceSum", IMAGE, 1, noop_with_empty_axes=1),
    case(13, "ArgMax", IMAGE, 1, axis=-1, keepdims=0),
    case(11, "TopK", IMAGE, 2, np.array([3]), axis=1),
    case(13, "Gemm", IMAGE[0, 0], 1, IMAGE[1, 0], transB=1, alpha=0.5),
    case(13, "Transpose"), case(13, "Expand", IMAGE[:, :1], 1, np.array([4, 1, 9])),
    case(13, "Tile", IMAGE, 1, np.array([1, 2, 1, 3])),
    case(13, "Gather", IMAGE, 1, np.array([[0, -1]]), axis=2),
    case(15, "BatchNormalization", IMAGE, 1, *np.abs(IMAGE[0, :, 0, :4].T)),
    case(14, "Trilu", IMAGE, 1, np.array(1), upper=0),
    case(13, "EyeLike", IMAGE[0, 0], 1, k=1), case(15, "Shape", IMAGE, 1, start=-3, end=-1),
    case(13, "Pow", IMAGE, 1, np.array([2])), case(13, "Mean", IMAGE, 1, IMAGE[:1], IMAGE[:, :1]),
    case(13, "DepthToSpace", IMAGE, 1, blocksize=2, mode="CRD"),
    case(17, "LayerNormalization", IMAGE, 1, IMAGE[0, 0, 0]), case(20, "Gelu", approximate="tanh"),
    case(21, "GroupNormalization", IMAGE, 1, np.arange(4.0, dtype=np.float32),
         np.ones(4, np.float32), num_groups=2),
    case(18, "CenterCropPad", IMAGE, 1, np.array([5, 12]), axes=[2, 3]), case(14, "HardSwish"),
    case(11, "CumSum", IMAGE, 1, np.int64(-2), exclusive=1, reverse=1),
]  # fmt: skip


@pytest.mark.parametrize(("node", "given", "x", "opset"), CASES)
def test_node_equals_onnx(
    node: NodeProto, given: dict[str, np.ndarray], x: np.ndarray, opset: int
) -> None:
    proto = model([node], {"x": x.shape}, list(node.output), given, opset)
    want = ReferenceEvaluator(proto).run(None, {"x": x})
    got = list(evaluate(read_model_proto(proto), {"x": x}).values())
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def read(node: NodeProto, opset: int = 17, **given: np.ndarray) -> Graph:
    """A graph of one node over the image and constants."""
    return read_model_proto(model([node], {"x": IMAGE.shape}, list(node.output), given, opset))


def run(node: NodeProto, opset: int = 17, **given: np.ndarray) -> np.ndarray:
    """The first output of a node over the image and constants."""
    return evaluate(read(node, opset, **given), {"x": IMAGE})[node.output[0]]


@pytest.mark.parametrize(
    ("attributes", "pads", "extra"),
    [
        ({"auto_pad": "SAME_UPPER"}, (0, 1, 1, 1), (0, 0)),
        ({"auto_pad": "SAME_LOWER"}, (1, 1, 0, 1), (0, 0)),
        ({"output_shape": [12, 20]}, (2, 0, 1, 0), (0, 0)),
        ({"output_shape": [12, 20], "auto_pad": "SAME_UPPER"}, (1, 0, 2, 0), (0, 0)),
        ({"output_shape": [16, 21]}, (0, 0, 0, 0), (1, 1)),
    ],
)
def test_wanted_shape_of_a_transposed_convolution_decides_its_pads(
    attributes: dict[str, Any], pads: tuple[int, ...], extra: tuple[int, ...]
) -> None:
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], **attributes)
    op = read(node, w=BACK).nodes[0].op
    assert (op.pads, op.output_padding) == (pads, extra)


@pytest.mark.parametrize(("auto_pad", "pads"), [("SAME_UPPER", (1, 0, 1, 1)),
                                                ("SAME_LOWER", (1, 1, 1, 0))])  # fmt: skip
def test_same_padding_of_pools(auto_pad: str, pads: tuple[int, ...]) -> None:
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 2], strides=[2, 2],
                            auto_pad=auto_pad, ceil_mode=1)  # fmt: skip
    op = read(node).nodes[0].op
    assert (op.pads, op.ceil_mode) == (pads, False)


@pytest.mark.parametrize(("axis", "rows"), [(None, 2), (2, 8), (-2, 8), (3, 56), (0, 1)])
def test_softmax_of_old_flattens_its_input_to_a_matrix(axis: int | None, rows: int) -> None:
    attributes = {} if axis is None else {"axis": axis}
    x = np.exp(IMAGE.reshape(rows, -1))
    want = (x / x.sum(1, keepdims=True)).reshape(IMAGE.shape)
    got = run(helper.make_node("Softmax", ["x"], ["y"], **attributes), 11)
    np.testing.assert_allclose(got, want, rtol=1e-5)
    logs = run(helper.make_node("LogSoftmax", ["x"], ["y"], **attributes), 11)
    np.testing.assert_allclose(logs, np.log(want), rtol=1e-4, atol=1e-5)


def test_upsample_repeats_pixels() -> None:
    doubled = IMAGE.repeat(2, 2).repeat(3, 3)
    scales = [1.0, 1.0, 2.0, 3.0]
    old = run(helper.make_node("Upsample", ["x"], ["y"], scales=scales), 7)
    new = run(helper.make_node("Upsample", ["x", "s"], ["y"]), 9, s=np.array(scales, "f4"))
    np.testing.assert_array_equal(old, doubled)
    np.testing.assert_array_equal(new, doubled)


def test_resize_of_opset_10_rounds_up_where_it_shrinks() -> None:
    node = helper.make_node("Resize", ["x", "s"], ["y"], mode="nearest")
    y = run(node, 10, s=np.array([1, 1, 0.6, 0.6], "f4"))
    np.testing.assert_array_equal(y, IMAGE[:, :, [0, 2, 4, 5]][:, :, :, [0, 2, 4, 5, 7]])


def test_negative_pads_crop() -> None:
    node = helper.make_node("Pad", ["x", "p"], ["y"])
    y = run(node, p=np.array([0, 0, -1, 0, 0, 0, -2, 1]))
    np.testing.assert_array_equal(y, np.pad(IMAGE[:, :, 1:-2], [(0, 0)] * 3 + [(0, 1)]))


def test_batch_normalization_of_all_opsets() -> None:
    statistics = {name: np.abs(IMAGE[0, :, 0, i]) + 0.1 for i, name in enumerate("sbmv")}
    s, b, m, v = (a[:, None, None] for a in statistics.values())
    for opset in (7, 9, 14, 15):
        node = helper.make_node("BatchNormalization", ["x", *"sbmv"], ["y"], epsilon=1e-3)
        want = (IMAGE - m) / np.sqrt(v + 1e-3) * s + b
        np.testing.assert_allclose(run(node, opset, **statistics), want, rtol=1e-4, atol=1e-5)


def test_dropout_passes_its_input_and_a_mask_of_ones() -> None:
    node = helper.make_node("Dropout", ["x"], ["y", "mask"])
    outputs = read(node, 12).outputs
    assert outputs["y"].name == "x" and outputs["mask"].spec.dtype == "bool"
    assert read(node, 7).outputs["mask"].spec.dtype == "float32"


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(
    ("activation", "params", "function"),
    [
        ("Relu", [], lambda v: np.maximum(v, 0)),
        ("LeakyRelu", [0.5], lambda v: np.where(v < 0, v * 0.5, v)),
        ("Clip", [-0.5, 1.0], lambda v: v.clip(-0.5, 1)),
        ("HardSigmoid", [0.3, 0.4], lambda v: (v * 0.3 + 0.4).clip(0, 1)),
    ],
)
def test_fused_convolution_of_com_microsoft(
    activation: str, params: list[float], function: Any, residual: bool
) -> None:
    plain = run(helper.make_node("Conv", ["x", "w"], ["y"], group=2), w=KERNEL)
    z = np.linspace(-1, 1, plain.size, dtype=np.float32).reshape(plain.shape)
    node = helper.make_node(
        "FusedConv", ["x", "w", "", "z"] if residual else ["x", "w"], ["y"],
        domain="com.microsoft", group=2, activation=activation,
        **({"activation_params": params} if params else {}),
    )  # fmt: skip
    want = function(plain + z if residual else plain)
    np.testing.assert_allclose(run(node, w=KERNEL, z=z), want, rtol=1e-5, atol=1e-6)


def test_fused_products_of_com_microsoft() -> None:
    a = IMAGE[0, 0]
    product = run(
        helper.make_node("FusedMatMul", ["x", "b"], ["y"], domain="com.microsoft", transB=1,
                         alpha=0.5), b=IMAGE
    )  # fmt: skip
    np.testing.assert_allclose(product, 0.5 * IMAGE @ IMAGE.swapaxes(2, 3), rtol=1e-4, atol=1e-5)
    gemm = helper.make_node("FusedGemm", ["a", "b"], ["y"], domain="com.microsoft", transA=1,
                            activation="LeakyRelu", activation_alpha=0.5)  # fmt: skip
    y = run(gemm, a=a, b=a)
    np.testing.assert_allclose(y, np.where(a.T @ a < 0, a.T @ a / 2, a.T @ a), rtol=1e-4)


def test_branch_with_a_known_condition() -> None:
    def graph(op: str) -> Any:
        return helper.make_graph(
            [helper.make_node(op, ["x"], [f"y_{op}"])], op, [],
            [helper.make_tensor_value_info(f"y_{op}", TensorProto.FLOAT, None)],
        )  # fmt: skip

    node = helper.make_node("If", ["c"], ["y"], then_branch=graph("Relu"), else_branch=graph("Neg"))
    np.testing.assert_array_equal(run(node, c=np.array(False)), -IMAGE)


def test_function_of_the_model_with_attributes_and_absent_inputs() -> None:
    slope = helper.make_node("LeakyRelu", ["a"], ["t"])
    slope.attribute.add(name="alpha", ref_attr_name="slope", type=1)
    clip = helper.make_node("Clip", ["t", "", "top"], ["b"])
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function("own", "Leaky", ["a", "top"], ["b"], [slope, clip], opsets,
                                    attributes=["slope"])  # fmt: skip
    call = helper.make_node("Leaky", ["x"], ["y"], domain="own", slope=0.5)
    proto: ModelProto = model([call], {"x": IMAGE.shape}, ["y"], functions=[function])
    got = evaluate(read_model_proto(proto), {"x": IMAGE})["y"]
    np.testing.assert_allclose(got, np.where(IMAGE < 0, IMAGE / 2, IMAGE))

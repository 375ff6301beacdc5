"""Forms of nodes across opsets give what ONNX's own reference gives, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from evaluate import evaluate
from importers.onnx_models import model
from onnx import ModelProto, NodeProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator

from clnet import ModelError, UnsupportedError
from clnet.graph import Graph
from clnet.importers.onnx import read_model_proto
from clnet.runtime.devices import find_device
from clnet.session.session import Session

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(-1, 1, (2, 4, 7, 9)).astype(np.float32)
KERNEL = RNG.uniform(-1, 1, (6, 2, 3, 3)).astype(np.float32)
BACK = RNG.uniform(-1, 1, (4, 3, 3, 4)).astype(np.float32)
PLACES = RNG.integers(-7, 7, (2, 4, 2, 9))


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
    case(11, "Hardmax", IMAGE[:, 0, 0], 1, axis=1), case(13, "Hardmax", IMAGE, 1, axis=1),
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
    case(13, "GatherElements", IMAGE, 1, PLACES, axis=2),
    case(13, "GatherND", IMAGE, 1, np.array([[[1], [-1]], [[0], [3]]]), batch_dims=1),
    case(13, "GatherND", IMAGE, 1, np.array([[1, -1], [0, 3]])),
    case(18, "ScatterElements", IMAGE, 1, PLACES, IMAGE[:, :, :2], axis=2, reduction="mul"),
    case(18, "ScatterND", IMAGE, 1, np.array([[1, -1], [0, 3], [1, 3]]), IMAGE[0, :3],
         reduction="add"),
    case(11, "OneHot", np.floor(3 * IMAGE), 1, np.int64(3), np.array([0.5, 2], "f4"), axis=1),
    case(10, "ReverseSequence", IMAGE, 1, np.array([3, 1]), time_axis=1, batch_axis=0),
    case(9, "Compress", IMAGE, 1, np.array([True, False, True]), axis=1),
    case(20, "GridSample", IMAGE, 1, IMAGE[:, :2].transpose(0, 2, 3, 1), mode="cubic"),
    case(18, "LpPool", IMAGE, 1, kernel_shape=[3, 2], strides=[2, 3], p=3, pads=[1, 0, 1, 1]),
    case(17, "LayerNormalization", IMAGE, 3, IMAGE[0, 0], axis=2),
    case(18, "GroupNormalization", IMAGE, 1, np.array([1, 2], "f4"), np.array([3, 4], "f4"),
         num_groups=2),
    case(20, "DFT", IMAGE[..., None], 1, np.int64(6), np.int64(-2), onesided=1),
    case(17, "DFT", IMAGE[..., :2], 1, np.int64(9), axis=2, inverse=1),
    case(12, "Einsum", IMAGE, 1, KERNEL[:4, 0, 0], equation="nchw,cd->ndwh"),
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


def test_hardmax_of_old_flattens_its_input_to_a_matrix() -> None:
    got = run(helper.make_node("Hardmax", ["x"], ["y"]), 11).reshape(2, -1)
    np.testing.assert_array_equal(got.argmax(1), IMAGE.reshape(2, -1).argmax(1))
    assert got.sum() == 2


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


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]), ("bij,bjk->bki", [(2, 3, 4), (2, 4, 5)]),
        ("...ij,...jk", [(2, 1, 3, 4), (3, 4, 2)]), ("ii->i", [(3, 3)]),
        ("iji,j", [(2, 3, 2), (3,)]),
        ("i,j->ji", [(2,), (3,)]), ("ij,ij->", [(2, 3), (2, 3)]), ("abc->ca", [(2, 3, 4)]),
        ("b...d,d->b...", [(2, 3, 4, 5), (5,)]), ("ij,kj,kl->i", [(2, 3), (4, 3), (4, 5)]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_einsum_equals_numpy(equation: str, shapes: list[tuple[int, ...]], dtype: str) -> None:
    arrays = {f"a{i}": (RNG.uniform(-3, 3, s)).astype(dtype) for i, s in enumerate(shapes)}
    node = helper.make_node("Einsum", list(arrays), ["y"], equation=equation)
    got = run(node, **arrays)
    want = np.einsum(equation, *arrays.values())
    assert got.dtype == want.dtype and got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_operands_of_old_opsets_meet_at_an_axis() -> None:
    node = helper.make_node("Mul", ["x", "c"], ["y"], broadcast=1, axis=1)
    factors = np.arange(4, dtype=np.float32)
    want = IMAGE * factors[:, None, None]
    np.testing.assert_array_equal(run(node, 6, c=factors), want)
    slopes = run(helper.make_node("PRelu", ["x", "c"], ["y"]), 6, c=factors)
    np.testing.assert_array_equal(slopes, np.where(IMAGE < 0, want, IMAGE))


def test_norms_of_partial_windows() -> None:
    node = helper.make_node("LpPool", ["x"], ["y"], kernel_shape=[1, 2], strides=[1, 2], p=2,
                            ceil_mode=1)  # fmt: skip
    squares = np.pad(IMAGE**2, [(0, 0)] * 3 + [(0, 1)])
    want = np.sqrt(squares[..., ::2] + squares[..., 1::2])
    np.testing.assert_allclose(run(node, 18), want, rtol=1e-5)


def test_random_numbers_are_drawn_anew_at_every_run() -> None:
    node = helper.make_node("RandomNormalLike", ["x"], ["y"], mean=3.0, scale=0.5, seed=4.0)
    proto = model([node], {"x": [1000]}, ["y"])
    x = np.zeros(1000, np.float32)
    with Session(lambda _: read_model_proto(proto), find_device()) as session:
        first, second = (session.run({"x": x})["y"] for _ in range(2))
    assert not np.array_equal(first, second)
    assert abs(first.mean() - 3) < 0.1 and abs(first.std() - 0.5) < 0.1
    np.testing.assert_array_equal(evaluate(read_model_proto(proto), {"x": x})["y"], first)


def test_pooled_region_of_a_map_of_half_the_size() -> None:
    """Its corners belong to it: columns 1..4 and rows 1..3 of image 1."""
    node = helper.make_node("MaxRoiPool", ["x", "r"], ["y"], pooled_shape=[1, 2], spatial_scale=0.5)
    y = run(node, r=np.array([[1, 2, 2, 8, 6]], np.float32))
    part = IMAGE[1, :, 1:4, 1:5]
    np.testing.assert_array_equal(y, part.reshape(1, 4, 3, 2, 2).max((2, 4))[:, :, None])


def test_unpooling_undoes_pooling() -> None:
    window = {"kernel_shape": [2, 2], "strides": [2, 2]}
    pool = helper.make_node("MaxPool", ["x"], ["p", "i"], **window)
    back = helper.make_node("MaxUnpool", ["p", "i", "shape"], ["y"], **window)
    shape = np.array([2, 4, 6, 9])
    proto = model([pool, back], {"x": IMAGE[:, :, :6, :8].shape}, ["p", "y"], {"shape": shape})
    got = evaluate(read_model_proto(proto), {"x": IMAGE[:, :, :6, :8]})
    blocks = got["y"][..., :8].reshape(2, 4, 3, 2, 4, 2)
    assert got["y"].shape == tuple(shape) and np.count_nonzero(got["y"]) == got["p"].size
    np.testing.assert_array_equal(blocks.sum((3, 5)), got["p"])


def test_deformable_convolution_without_shifts_is_a_convolution() -> None:
    window: dict[str, Any] = {
        "strides": [2, 1],
        "dilations": [1, 2],
        "pads": [1, 2, 1, 0],
        "group": 2,
    }
    want = run(helper.make_node("Conv", ["x", "w"], ["y"], **window), w=KERNEL)
    shifts = np.zeros((2, 4 * 9, *want.shape[2:]), np.float32)
    node = helper.make_node("DeformConv", ["x", "w", "s"], ["y"], offset_group=2, **window)
    np.testing.assert_allclose(run(node, 19, w=KERNEL, s=shifts), want, rtol=1e-4, atol=1e-5)


def test_blocks_of_columns_add_up_to_an_image() -> None:
    blocks = IMAGE.reshape(2, 4, 63)[:, :, :12]
    node = helper.make_node("Col2Im", ["b", "size", "block"], ["y"], strides=[1, 1])
    got = run(node, 18, b=blocks, size=np.array([4, 5]), block=np.array([2, 2]))
    want = np.zeros((2, 1, 4, 5), np.float32)
    for i, j in np.ndindex(2, 2):
        want[:, 0, i : i + 3, j : j + 4] += blocks[:, 2 * i + j].reshape(2, 3, 4)
    np.testing.assert_allclose(got, want, rtol=1e-5)


def body(nodes: list[NodeProto], inputs: list[str], outputs: list[str]) -> Any:
    """A loop's body."""
    return helper.make_graph(
        nodes, "body", [helper.make_tensor_value_info(n, 1, None) for n in inputs],
        [helper.make_tensor_value_info(n, 1, None) for n in outputs],
    )  # fmt: skip


def test_loop_of_known_length_is_unrolled() -> None:
    """x doubled while the number of the iteration is below two; each state is collected."""
    nodes = [
        helper.make_node("Add", ["v", "v"], ["w"]),
        helper.make_node("Less", ["i", "two"], ["on"]),
        helper.make_node("Identity", ["w"], ["seen"]),
    ]
    loop = body(nodes, ["i", "c", "v"], ["on", "w", "seen"])
    node = helper.make_node("Loop", ["trips", "", "x"], ["y", "all"], body=loop)
    graph = read(node, trips=np.array(9), two=np.array(2))
    got = evaluate(graph, {"x": IMAGE})
    np.testing.assert_array_equal(got["y"], 8 * IMAGE)
    np.testing.assert_array_equal(got["all"], np.stack([2 * IMAGE, 4 * IMAGE, 8 * IMAGE]))


def test_loop_that_depends_on_what_it_computes_is_refused() -> None:
    nodes = [helper.make_node("ReduceMax", ["v"], ["top"], keepdims=0),
             helper.make_node("Less", ["top", "two"], ["on"])]  # fmt: skip
    node = helper.make_node("Loop", ["", "", "x"], ["y"], body=body(nodes, ["i", "c", "v"],
                                                                    ["on", "v"]))  # fmt: skip
    with pytest.raises(UnsupportedError, match="whether a loop goes on must be a constant"):
        read(node, two=np.float32(2))


def test_loop_without_an_end_is_refused() -> None:
    nodes = [helper.make_node("Neg", ["v"], ["w"])]
    endless = body(nodes, ["i", "c", "v"], ["c", "w"])
    with pytest.raises(ModelError, match="more than 10000 nodes in functions and loops"):
        read(helper.make_node("Loop", ["", "", "x"], ["y"], body=endless))


def test_scan_walks_over_any_axis_both_ways() -> None:
    """Running sums over columns from the right, collected from the left along the last axis."""
    nodes = [helper.make_node("Add", ["s", "e"], ["t"]), helper.make_node("Neg", ["t"], ["n"])]
    node = helper.make_node(
        "Scan", ["zero", "x"], ["y", "all"], body=body(nodes, ["s", "e"], ["t", "n"]),
        num_scan_inputs=1, scan_input_axes=[3], scan_input_directions=[1],
        scan_output_axes=[-1], scan_output_directions=[1],
    )  # fmt: skip
    got = evaluate(read(node, zero=np.zeros((2, 4, 7), np.float32)), {"x": IMAGE})
    sums = IMAGE[..., ::-1].cumsum(3)
    np.testing.assert_allclose(got["y"], sums[..., -1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got["all"], -sums[..., ::-1], rtol=1e-4, atol=1e-5)


def test_short_fourier_transforms_of_a_signal() -> None:
    signal = IMAGE[:, :, :, 0].reshape(2, 28)
    window = np.hanning(8).astype(np.float32)
    node = helper.make_node("STFT", ["s", "step", "w"], ["y"])
    y = run(node, s=signal, step=np.array(5), w=window)
    for frame in range(5):
        want = np.fft.rfft(signal[:, 5 * frame : 5 * frame + 8] * window)
        got = y[:, frame, :, 0] + 1j * y[:, frame, :, 1]
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


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

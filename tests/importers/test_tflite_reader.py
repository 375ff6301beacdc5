"""How TFLite files are read: names, shapes, constants of all forms, refusals."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluate import evaluate

pytest.importorskip("tflite", reason="the extra clnet[tflite] is not installed")

import tflite
from importers.tflite_models import Op, Tensor, model, single

from clnet import InputError, ModelError, ShapeError, UnsupportedError
from clnet.graph import Graph
from clnet.importers import read_model
from clnet.importers.tflite import read_tflite


def write(data: bytes, folder: Path) -> Path:
    """The bytes as a file."""
    path = folder / "model.tflite"
    path.write_bytes(data)
    return path


def relu(shape: Sequence[int], signature: Sequence[int] | None = None) -> bytes:
    """One RELU over an input of this shape."""
    return single("RELU", {"x": Tensor(shape, signature=signature)}, [Tensor(shape)])


def product_with(weights: Tensor, folder: Path) -> Graph:
    """x times weights that are stored in some form."""
    columns = weights.shape[0]
    shape = weights.shape
    tensors = {
        "x": Tensor((2, shape[1])),
        "w": weights,
        "f": Tensor(shape),
        "y": Tensor((2, columns)),
    }
    form = "DENSIFY" if weights.sparsity else "DEQUANTIZE"
    ops = [Op(form, ["w"], ["f"]),
           Op("FULLY_CONNECTED", ["x", "f"], ["y"], "FullyConnectedOptions")]  # fmt: skip
    return read_tflite(write(model(tensors, ops, ["x"], ["y"]), folder))


def test_names_shapes_and_dtypes_stay(tmp_path: Path) -> None:
    data = single("CAST", {"in:0": Tensor((2, 5, 6, 3), "uint8")}, [Tensor((2, 5, 6, 3))])
    graph = read_model(write(data, tmp_path))
    (x,) = graph.inputs
    assert (x.name, x.spec.shape, x.spec.dtype) == ("in:0", (2, 5, 6, 3), "uint8")
    assert graph.outputs["y0"].spec.shape == (2, 5, 6, 3)


def test_nameless_and_equal_names_are_numbered(tmp_path: Path) -> None:
    tensors = {"name": Tensor((2,)), "y": Tensor((2,))}
    data = model(tensors, [Op("RELU", ["name"], ["y"])], ["name"], ["y", "y"])
    graph = read_tflite(write(data.replace(b"\4\0\0\0name", b"\0\0\0\0name"), tmp_path))
    assert [v.name for v in graph.inputs] == ["input_0"]
    assert list(graph.outputs) == ["y", "y:output_1"]


def test_open_batch_is_one_unless_given(tmp_path: Path) -> None:
    path = write(relu((1, 3), (-1, 3)), tmp_path)
    assert read_tflite(path).inputs[0].spec.shape == (1, 3)
    assert read_tflite(path, {"x": (4, 3)}).inputs[0].spec.shape == (4, 3)


@pytest.mark.parametrize(
    ("signature", "given", "error", "text"),
    [
        ((1, -1), None, ModelError, r"'x' is \[1, \?\]: open .*input_shapes=\{'x': \(1, …\)\}"),
        ((1, 3), {"z": (1, 3)}, InputError, "names 'z'; the model's inputs are 'x'"),
        ((1, 3), {"x": (1, 4)}, InputError, r"'x' is \[1, 3\] in the model; \[1, 4\] does not"),
        ((1, 3), {"x": (3,)}, InputError, "does not fit"),
    ],
)
def test_shapes_that_do_not_fit(
    signature: tuple[int, ...], given: dict[str, Any] | None, error: type[Exception], text: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    data = relu([abs(d) for d in signature], signature)
    with pytest.raises(error, match=text):
        read_tflite(write(data, tmp_path), given)


def test_absurd_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="larger than"):
        read_tflite(write(relu((60_000, 60_000, 60)), tmp_path))


def test_shapes_are_computed_from_the_input_not_read(tmp_path: Path) -> None:
    """What files say of other tensors is what one input gave."""
    tensors = {
        "x": Tensor((1, 4, 6), signature=(-1, 4, 6)), "s": Tensor((3,), "int32"),
        "zero": Tensor.of(np.int32([0])), "one": Tensor.of(np.int32([1])),
        "n": Tensor((), "int32"), "c": Tensor.of(np.int32(24)), "t": Tensor((2,), "int32"),
        "y": Tensor((1, 24)),
    }  # fmt: skip
    ops = [
        Op("SHAPE", ["x"], ["s"], "ShapeOptions", {"OutType": 2}),
        Op("STRIDED_SLICE", ["s", "zero", "one", "one"], ["n"], "StridedSliceOptions",
           {"ShrinkAxisMask": 1}),
        Op("PACK", ["n", "c"], ["t"], "PackOptions", {"ValuesCount": 2}),
        Op("RESHAPE", ["x", "t"], ["y"]),
    ]  # fmt: skip
    path = write(model(tensors, ops, ["x"], ["y"]), tmp_path)
    graph = read_tflite(path, {"x": (5, 4, 6)})
    assert graph.outputs["y"].spec.shape == (5, 24)
    assert [n.op.label for n in graph.nodes] == ["Reshape"]


def test_half_precision_weights(tmp_path: Path) -> None:
    w = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float16)
    graph = product_with(Tensor.of(w), tmp_path)
    x = np.ones((2, 4), np.float32)
    assert [n.op.label for n in graph.nodes] == ["Gemm"]
    want = x @ w.T.astype(np.float32)
    np.testing.assert_allclose(evaluate(graph, {"x": x})["y"], want, rtol=1e-5)


def test_four_bit_weights(tmp_path: Path) -> None:
    values = np.array([[-8, 7, 1], [0, -1, 3]], np.int8)
    flat = np.append(values.reshape(-1), 0) & 15
    packed = (flat[:-1:2] | flat[1::2] << 4).astype(np.uint8)
    tensor = Tensor((2, 3), "int4", packed, [0.5])
    graph = product_with(tensor, tmp_path)
    x = np.eye(3, dtype=np.float32)[:2]
    np.testing.assert_allclose(evaluate(graph, {"x": x})["y"], x @ values.T * 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("pads", "crops", "more", "joined"),
    [
        (((2, 3), (4, 6)), ((0, 1), (0, 1)), {}, True),
        (((2, 3), (4, 6)), ((1, 0), (2, 3)), {}, True),
        (((1, 0), (0, 1)), ((0, 0), (0, 1)), {}, True),
        (((2, 3), (4, 6)), ((3, 0), (0, 1)), {}, False),  # crops what the convolution made
        (((2, 3), (4, 6)), ((0, 1), (0, 1)), {"Padding": 0}, False),
        (((2, 3), (4, 6)), ((0, 1), (0, 1)), {"DilationHFactor": 2}, False),
    ],
)
@pytest.mark.parametrize("operator", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_dilated_convolution_in_three_operators_is_one(
    operator: str, pads: Any, crops: Any, more: dict[str, int], joined: bool, tmp_path: Path
) -> None:
    """Where a middle value is an output, too, nothing is joined: the two must agree."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 13, 14, 3)).astype(np.float32)
    w = rng.normal(size=(3, 3, 3, 3) if operator == "CONV_2D" else (1, 3, 3, 3))
    fields = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1,
              "FusedActivationFunction": 1, **more}  # fmt: skip
    tensors = {
        "x": Tensor(x.shape), "b": Tensor.of(np.int32([2, 3])), "p": Tensor.of(np.int32(pads)),
        "c": Tensor.of(np.int32(crops)), "w": Tensor.of(w.astype(np.float32)),
        "bias": Tensor.of(np.float32([1, 2, 3])),
        "s": Tensor((6, 9, 9, 3)), "y": Tensor((6, 7, 7, 3)), "z": Tensor((1, 13, 20, 3)),
    }  # fmt: skip
    options = "Conv2DOptions" if operator == "CONV_2D" else "DepthwiseConv2DOptions"
    ops = [
        Op("SPACE_TO_BATCH_ND", ["x", "b", "p"], ["s"], "SpaceToBatchNDOptions"),
        Op(operator, ["s", "w", "bias"], ["y"], options, fields),
        Op("BATCH_TO_SPACE_ND", ["y", "b", "c"], ["z"], "BatchToSpaceNDOptions"),
    ]
    graph = read_tflite(write(model(tensors, ops, ["x"], ["z"]), tmp_path))
    labels = [n.op.label for n in graph.nodes]
    assert (labels == ["Transpose", "Conv", "Transpose", "Relu"]) == joined
    got = evaluate(graph, {"x": x})["z"]  # now, for the file is mapped and changes below
    apart = read_tflite(write(model(tensors, ops, ["x"], ["z", "y"]), tmp_path))
    np.testing.assert_allclose(got, evaluate(apart, {"x": x})["z"], rtol=1e-4, atol=1e-5)


SPARSE = np.array([[0, 0, 1, 2], [0, 0, 3, 4], [5, 6, 0, 0], [7, 8, 0, 0]], np.float32)


@pytest.mark.parametrize(
    ("order", "block_map", "levels", "values"),
    [
        ((0, 1), (), (4, ((0, 2, 4, 6, 8), (2, 3, 2, 3, 0, 1, 0, 1))), range(1, 9)),
        ((1, 0), (), (4, ((0, 2, 4, 6, 8), (2, 3, 2, 3, 0, 1, 0, 1))), (5, 7, 6, 8, 1, 3, 2, 4)),
        ((0, 1, 2, 3), (0, 1), (2, ((0, 1, 2), (1, 0)), 2, 2), range(1, 9)),
        ((0, 1, 2), (1,), (4, ((0, 1, 2, 3, 4), (1, 1, 0, 0)), 2), range(1, 9)),
    ],
    ids=["rows", "columns", "blocks", "row blocks"],
)  # fmt: skip
def test_sparse_weights(
    order: Any, block_map: Any, levels: Any, values: Any, tmp_path: Path
) -> None:
    sparsity = {"order": order, "block_map": block_map, "levels": levels}
    graph = product_with(Tensor((4, 4), data=np.array(values, np.float32), sparsity=sparsity),
                         tmp_path)  # fmt: skip
    (weights,) = [v for n in graph.nodes for v in n.inputs if v is not None and v.data is not None]
    np.testing.assert_array_equal(weights.data, SPARSE)


@pytest.mark.parametrize(
    ("shape", "sparsity", "text"),
    [
        ((4, 4), {"order": (0, 0), "block_map": (), "levels": (4, 4)}, "sparse format"),
        ((4, 4), {"order": (0, 1), "block_map": (7,), "levels": (4, 4)}, "sparse format"),
        ((4, 4), {"order": (0, 1), "block_map": (), "levels": (4, ((0, 9), (1,)))}, "segments"),
        ((4, 4), {"order": (0, 1), "block_map": (), "levels": (1, ((0, 1), (-1,)))}, "indices"),
        ((4, 4), {"order": (0, 1), "block_map": (), "levels": (10**6, 10**6)}, "more places"),
        ((4, 4), {"order": (0, 1), "block_map": (), "levels": (4, 4)}, "1 values for 16"),
        ((4, 4), {"order": (0, 1), "block_map": (), "levels": (1, ((0, 1), (99,)))}, "damaged"),
        ((10**4, 10**5), {"order": (0, 1), "block_map": (), "levels": (1, 1)}, "1 values for"),
    ],
)
def test_damaged_sparse_weights(shape: Any, sparsity: Any, text: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=text):
        product_with(Tensor(shape, data=np.float32([1]), sparsity=sparsity), tmp_path)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "is empty"), (b"TFL3", "identifier TFL3"), (b"\0" * 100, "identifier TFL3"),
        (b"\x08\0\0\0TFL3" + b"\xff" * 40, "beyond the file"),
        (b"\xff\xff\xff\x7fTFL3" + b"\0" * 40, "outside the file"),
        (b"\x08\0\0\0TFL3", "outside the file"),
    ],
)  # fmt: skip
def test_what_is_no_model(data: bytes, text: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=text) as caught:
        read_tflite(write(data, tmp_path))
    assert str(caught.value).startswith(str(tmp_path)) and len(str(caught.value).splitlines()) == 1


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        read_tflite(tmp_path / "absent.tflite")


@pytest.mark.parametrize(
    ("tensors", "ops", "text"),
    [
        ({}, [Op("NEG", ["t"], ["y"])], "'t' is read before it is computed"),
        ({}, [Op("NEG", ["x"], ["t"]), Op("NEG", ["x"], ["t"]), Op("ADD", ["t", "t"], ["y"])],
         "made twice"),
        ({}, [Op("NEG", ["x"], ["x"]), Op("NEG", ["x"], ["y"])], "made twice"),
        ({"v": Tensor((2,), is_variable=True)}, [Op("ADD", ["x", "v"], ["y"])], "variable 'v'"),
        ({"c": Tensor((3,), data=np.float32([1]))}, [Op("ADD", ["x", "c"], ["y"])], "has 4 bytes"),
        ({"c": Tensor((2, 2), "int8", scales=[1.0, 2.0, 3.0])}, [], "3 scales along axis 0"),
        ({"c": Tensor((1,) * 9)}, [], "has the shape"),
        ({}, [Op("NEG", ["x"], ["y", "t"])], "2 outputs instead of 1"),
        ({}, [Op("IF", ["x"], ["y"]), Op("WHILE", ["x"], ["t"])], r"IF \(118\)"),
    ],
)  # fmt: skip
def test_wrong_graphs_are_refused(
    tensors: dict[str, Tensor], ops: Sequence[Op], text: str, tmp_path: Path
) -> None:
    known = {"x": Tensor((2,)), "t": Tensor((2,)), "y": Tensor((2,)), **tensors}
    with pytest.raises((ModelError, UnsupportedError), match=text) as caught:
        read_tflite(write(model(known, ops, ["x"], ["y"]), tmp_path))
    assert len(str(caught.value).splitlines()) == 1


def test_operators_that_no_output_needs_may_be_anything(tmp_path: Path) -> None:
    tensors = {"x": Tensor((2,)), "t": Tensor((2,)), "y": Tensor((2,))}
    ops = [Op("WHILE", ["x"], ["t"]), Op("NEG", ["x"], ["y"])]
    graph = read_tflite(write(model(tensors, ops, ["x"], ["y"]), tmp_path))
    assert [n.op.label for n in graph.nodes] == ["Neg"]


def test_vectors_within_each_other_end_soon(tmp_path: Path) -> None:
    """Ten thousand operators that all have the same ten thousand inputs."""
    tensors = {"x": Tensor((2,)), "y": Tensor((2,))}
    op = Op("ADD_N", ["x"] * 10_000, ["y"])
    data = bytearray(model(tensors, [op] + [Op("NEG", ["x"], ["y"])] * 10_000, ["x"], ["y"]))
    graph = tflite.Model.GetRootAs(data, 0).Subgraphs(0)
    first = graph.Operators(0)._tab.Pos
    start = graph._tab.Vector(graph._tab.Offset(10))
    assert graph.OperatorsLength() == 10_001 and first > start
    for i in range(10_001):
        struct.pack_into("<I", data, start + 4 * i, first - start - 4 * i)
    began = time.process_time()
    with pytest.raises(ModelError, match="overlap"):
        read_tflite(write(bytes(data), tmp_path))
    assert time.process_time() - began < 5


def test_without_its_packages_the_format_is_refused_in_one_line(tmp_path: Path) -> None:
    path = write(relu((2,)), tmp_path)
    code = (
        "import sys; sys.modules['tflite'] = None\n"
        "from pathlib import Path\nfrom clnet import ClnetError\n"
        "from clnet.importers import read_model\n"
        f"try: read_model(Path({str(path)!r}))\nexcept ClnetError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "needs the package tflite: pip install 'clnet[tflite]'" in done.stdout

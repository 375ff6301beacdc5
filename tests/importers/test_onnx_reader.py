"""How ONNX files are read: shapes of inputs, weights and where they are, names, refusals."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from evaluate import evaluate
from importers.onnx_models import many_ops, model
from onnx import ModelProto, TensorProto, helper, numpy_helper

from clnet import InputError, ModelError, ShapeError, UnsupportedError
from clnet.importers.onnx import NotConstantError, read_model_proto, read_onnx
from clnet.importers.onnx.wire import nested, take_out_weights

node = helper.make_node


def relu(*shape: int | str | None) -> ModelProto:
    """One Relu over an input of this shape."""
    return model([node("Relu", ["x"], ["y"])], {"x": shape}, ["y"])


def write(proto: ModelProto, folder: Path) -> Path:
    """The model as a file."""
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def test_open_batch_is_one_unless_given() -> None:
    assert read_model_proto(relu("n", 3)).inputs[0].spec.shape == (1, 3)
    assert read_model_proto(relu(None, 3)).inputs[0].spec.shape == (1, 3)
    given = read_model_proto(relu("n", 3), input_shapes={"x": (4, 3)})
    assert given.inputs[0].spec.shape == (4, 3)


def test_named_dimension_of_one_input_holds_for_all() -> None:
    proto = model([node("Add", ["a", "b"], ["y"])], {"a": ["n", "w"], "b": ["n", "w"]}, ["y"])
    graph = read_model_proto(proto, input_shapes={"a": (2, 5)})
    assert [v.spec.shape for v in graph.inputs] == [(2, 5), (2, 5)]


@pytest.mark.parametrize(
    ("shape", "given", "error", "text"),
    [
        ((1, "w"), None, ModelError, r"'x' is \[1, w\]: open .*input_shapes=\{'x': \(1, …\)\}"),
        ((1, 3), {"z": (1, 3)}, InputError, "names 'z'; the model's inputs are 'x'"),
        ((1, 3), {"x": (1, 4)}, InputError, r"'x' is \[1, 3\] in the model; \[1, 4\] does not"),
        ((1, 3), {"x": (3,)}, InputError, "does not fit"),
        ((1, 10**12), None, ShapeError, "larger than"),
    ],
)
def test_shapes_that_do_not_fit(
    shape: tuple[Any, ...], given: dict[str, Any] | None, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        read_model_proto(relu(*shape), input_shapes=given)


def test_input_without_a_shape_needs_one() -> None:
    proto = relu(1)
    proto.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(ModelError, match="'x' has no shape; pass input_shapes"):
        read_model_proto(proto)
    assert read_model_proto(proto, input_shapes={"x": (2, 2)}).inputs[0].spec.shape == (2, 2)


def test_weights_of_all_forms_and_types() -> None:
    arrays = {
        t: np.array([0, 1, 3], t)
        for t in ("float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8",
                  "uint16", "uint32", "uint64", "bool")
    }  # fmt: skip
    tensors = [numpy_helper.from_array(a, f"raw_{t}") for t, a in arrays.items()]
    for t, a in arrays.items():
        kind = helper.np_dtype_to_tensor_dtype(a.dtype)
        tensors.append(helper.make_tensor(f"typed_{t}", kind, a.shape, a.tolist()))
    tensors.append(helper.make_tensor("bf16", TensorProto.BFLOAT16, [3], [0.0, 1.0, 3.0]))
    names = [t.name for t in tensors]
    proto = model([node("Identity", [n], [f"y_{n}"]) for n in names], {}, [f"y_{n}" for n in names])
    proto.graph.initializer.extend(tensors)
    outputs = read_model_proto(proto).outputs
    for name in names:
        dtype = "float32" if name == "bf16" else name.partition("_")[2]
        value = outputs[f"y_{name}"]
        assert value.spec.dtype == dtype
        np.testing.assert_array_equal(value.data, np.array([0, 1, 3], dtype))


def test_large_weights_are_mapped_not_copied(tmp_path: Path) -> None:
    big = np.arange(1 << 20, dtype=np.float32)
    path = write(model([node("Add", ["x", "w"], ["y"])], {"x": [1 << 20]}, ["y"], {"w": big}),
                 tmp_path)  # fmt: skip
    tracemalloc.start()
    graph = read_onnx(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    weights = graph.nodes[0].inputs[1]
    assert weights is not None and weights.data is not None
    np.testing.assert_array_equal(weights.data, big)
    assert peak < big.nbytes / 4


def test_what_is_left_without_weights_is_the_same_message() -> None:
    proto = many_ops()
    data = proto.SerializeToString()
    message, spans = take_out_weights(memoryview(data))
    light = ModelProto.FromString(message)
    assert spans and all(t.HasField("raw_data") for t in proto.graph.initializer)
    for i, (start, end) in spans.items():
        assert not light.graph.initializer[i].HasField("raw_data")
        light.graph.initializer[i].raw_data = data[start:end]
    assert light == proto


def test_floats_that_are_no_bytes_are_mapped_too() -> None:
    """Packed, they stand in the file as raw data would; in several parts they are joined."""
    values = np.arange(600, dtype=np.float32)
    proto = ModelProto()
    proto.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [600], values))
    data = proto.SerializeToString()
    message, spans = take_out_weights(memoryview(data))
    assert not ModelProto.FromString(message).graph.initializer[0].float_data
    np.testing.assert_array_equal(np.frombuffer(data[slice(*spans[0])], np.float32), values)
    twice = proto.graph.initializer[0].SerializeToString() * 2  # parsed, repeated fields are joined
    message, spans = take_out_weights(memoryview(b"".join(nested(7, nested(5, [twice])))))
    assert not spans and len(ModelProto.FromString(message).graph.initializer[0].float_data) == 1200


class TestExternalData:
    """Weights in a file beside the model."""

    W = np.arange(6, dtype=np.float32)

    def path(self, folder: Path, **entries: object) -> Path:
        """A model whose w is in a file."""
        proto = model([node("Add", ["x", "w"], ["y"])], {"x": [6]}, ["y"], {"w": self.W})
        tensor = proto.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=str(value))
        return write(proto, folder)

    def test_is_mapped_at_its_offset(self, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "w.bin").write_bytes(b"12345" + self.W.tobytes())
        path = self.path(tmp_path, location="sub/w.bin", offset=5, length=24)
        x = np.ones(6, np.float32)
        np.testing.assert_array_equal(evaluate(read_onnx(path), {"x": x})["y"], self.W + 1)

    @pytest.mark.parametrize(
        ("location", "more", "text"),
        [
            ("../w.bin", {}, "outside the model's folder"),
            ("/etc/passwd", {}, "outside the model's folder"),
            ("..\\w.bin", {}, "outside the model's folder"),
            ("out/w.bin", {}, "outside the model's folder"),
            ("absent.bin", {}, "does not exist"),
            (".", {}, "does not exist"),
            ("pipe", {}, "does not exist"),
            ("w.bin", {"offset": 1}, "24 bytes from 1 on of 24"),
            ("w.bin", {"offset": -1}, "24 bytes from -1"),
            ("w.bin", {"length": 10**12}, "needs 24"),
            ("w.bin", {"offset": "x"}, "invalid literal"),
        ],
    )
    def test_elsewhere_is_refused(
        self, tmp_path: Path, location: str, more: dict[str, object], text: str
    ) -> None:
        folder = tmp_path / "model"
        folder.mkdir()
        for place in (tmp_path, folder):
            (place / "w.bin").write_bytes(self.W.tobytes())
        (folder / "out").symlink_to(tmp_path)
        os.mkfifo(folder / "pipe")
        with pytest.raises(ModelError, match=text) as caught:
            read_onnx(self.path(folder, location=location, **more))
        assert str(caught.value).startswith(f"{folder / 'model.onnx'}: ")

    def test_of_a_model_in_memory_is_refused(self, tmp_path: Path) -> None:
        path = self.path(tmp_path, location="w.bin")
        with pytest.raises(ModelError, match="the model itself is not a file"):
            read_model_proto(onnx.load(path, load_external_data=False))


def test_all_unsupported_ops_are_named_at_once() -> None:
    nodes = [node("Optional", ["x"], ["a"]), node("Relu", ["a"], ["b"]),
             node("Multinomial", ["b"], ["c"]),
             node("Own", ["c"], ["y"], domain="mine")]  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"ops: Multinomial, Optional, mine\.Own$"):
        read_model_proto(model(nodes, {"x": [2, 2]}, ["y"]))


def test_unsorted_nodes_are_sorted_and_dead_ones_dropped() -> None:
    nodes = [node("Neg", ["a"], ["y"]), node("Relu", ["x"], ["a"]), node("Exp", ["x"], ["dead"])]
    graph = read_model_proto(model(nodes, {"x": [2]}, ["y"]))
    assert [n.op.label for n in graph.nodes] == ["Relu", "Neg"]


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ([node("Add", ["x", "b"], ["a"]), node("Neg", ["a"], ["b"])], "depend on its own output"),
        ([node("Add", ["x", "w"], ["b"])], "'w' is neither an input"),
        ([node("Neg", ["x"], ["b"]), node("Exp", ["x"], ["b"])], "'b' is made twice"),
        ([node("Neg", ["x"], ["x"]), node("Neg", ["x"], ["b"])], "'x' is made twice"),
        ([node("Neg", ["x"], ["a"])], "nothing makes the output 'b'"),
        ([node("Neg", [], ["b"])], "0 inputs instead of 1"),
        ([node("Elu", ["x"], ["b"], alpha=[1.0])], "alpha is not a number"),
        ([node("Softmax", ["x"], ["b"], axis=7)], "axis 7"),
        ([node("Reshape", ["x", "x"], ["b"])], "input 1 must be a constant"),
    ],
)
def test_wrong_graphs_are_refused(nodes: list[Any], text: str) -> None:
    with pytest.raises(ModelError, match=text) as caught:
        read_model_proto(model(nodes, {"x": [2]}, ["b"]))
    assert len(str(caught.value).splitlines()) == 1


def test_computed_shape_names_the_inputs_it_comes_from() -> None:
    nodes = [node("Cast", ["s"], ["i"], to=TensorProto.INT64), node("Reshape", ["x", "i"], ["y"])]
    proto = model(nodes, {"x": [4], "s": [2]}, ["y"])
    with pytest.raises(NotConstantError) as caught:
        read_model_proto(proto)
    assert caught.value.inputs == ("s",)
    fixed = read_model_proto(proto, constants={"s": np.array([2, 2], np.float32)})
    assert fixed.outputs["y"].spec.shape == (2, 2) and [v.name for v in fixed.inputs] == ["x"]


@pytest.mark.parametrize("op", ["ConstantOfShape", "Expand", "Tile", "Reshape", "Range", "Resize"])
def test_huge_tensors_are_refused_without_memory(op: str) -> None:
    sizes = np.array([10**6, 10**6])
    inputs, given = {
        "ConstantOfShape": (["s"], {"s": sizes}),
        "Expand": (["x", "s"], {"s": sizes}),
        "Tile": (["x", "s"], {"s": sizes}),
        "Reshape": (["x", "s"], {"s": sizes}),
        "Range": (["a", "b", "c"], {"a": np.int64(0), "b": np.int64(10**12), "c": np.int64(1)}),
        "Resize": (["x", "", "", "s"], {"s": sizes}),
    }[op]
    proto = model([node(op, inputs, ["t"]), node("Neg", ["t"], ["y"])], {"x": [1, 1]}, ["y"], given)
    tracemalloc.start()
    with pytest.raises(ModelError):
        read_model_proto(proto)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_constants_of_one_value_take_no_memory_and_not_too_much_of_the_device_s() -> None:
    def read(count: int) -> None:
        nodes = [node("ConstantOfShape", ["s"], [f"w{i}"]) for i in range(count)]
        nodes += [node("MatMul", ["x", f"w{i}"], [f"y{i}"]) for i in range(count)]
        given = {"s": np.array([4096, 20000])}
        read_model_proto(model(nodes, {"x": [1, 4096]}, [f"y{i}" for i in range(count)], given))

    tracemalloc.start()
    read(1)
    with pytest.raises(ModelError, match="655360000 bytes of such in all"):
        read(2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "Conv", "ConvTranspose"])
def test_much_work_over_constants_is_left_to_the_device(op: str) -> None:
    inputs = ["c"] if "Pool" in op else ["c", "w"]
    given = {"c": np.zeros((1, 1, 400, 400), "f4"), "w": np.zeros((1, 1, 3, 3), "f4")}
    nodes = [node(op, inputs, ["y"], kernel_shape=[3, 3])]
    assert len(read_model_proto(model(nodes, {}, ["y"], given)).nodes) == 1


def test_names_do_not_reach_the_terminal_as_they_are() -> None:
    proto = model([node("Neg", ["\x1b[31m\n" * 50], ["y"])], {"x": [2]}, ["y"])
    with pytest.raises(ModelError) as caught:
        read_model_proto(proto)
    text = str(caught.value)
    assert text.isprintable() and len(text) < 300

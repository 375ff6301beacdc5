"""The files: prototxt's text, old forms of nets, phases, blobs in all their forms, and errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluate import evaluate
from harness import device
from importers.caffe_models import (
    Blobs,
    build,
    caffemodel,
    inputs_text,
    layer_text,
    nested,
    number,
    varint,
    write_model,
)

import clnet
from clnet.cli import main
from clnet.errors import InputError, ModelError, UnsupportedError
from clnet.importers import read_model
from clnet.importers.caffe import read_caffe
from clnet.importers.caffe.message import Message
from clnet.importers.caffe.text import parse_text

RNG = np.random.default_rng(1)
W = RNG.uniform(-1, 1, (2, 3, 2, 2)).astype(np.float32)
B = RNG.uniform(-1, 1, 2).astype(np.float32)
IN = inputs_text({"x": (1, 3, 4, 4)})
CONV = """layer { name: "c" type: "Convolution" bottom: "x" top: "y"
          convolution_param { num_output: 2 kernel_size: 2 } }"""


def outputs(path: Path, weights: Path | None = None) -> dict[str, np.ndarray]:
    graph = read_caffe(path, weights or path.with_suffix(".caffemodel"))
    rng = np.random.default_rng(0)
    feeds = {v.name: rng.uniform(-1, 1, v.spec.shape).astype(np.float32) for v in graph.inputs}
    return evaluate(graph, feeds)


def shapes(text: str, blobs: Blobs | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs and outputs of a net."""
    graph = build(text, blobs)
    return (
        {v.name: v.spec.shape for v in graph.inputs},
        {n: v.spec.shape for n, v in graph.outputs.items()},
    )


# Text


def test_text_in_all_its_forms() -> None:
    message = parse_text(r"""
        # a comment: { "
        name: "a\tb\"\x41\101" 'c' ; whole: -12, hex: 0x1F octal: 017 real: 1.5e-3f dot: .5
        point: 2.  word: MAX yes: true no: 0 inner { list: [1, 2 ,3] list: 4 empty: [] }
        angled: < text: 'q"' > nested { nested { } } other: { a: 1 };
        minus: -inf
        """)
    assert message.text("name") == 'a\tb"AAc'
    assert [message.integer(f) for f in ("whole", "hex", "octal")] == [-12, 31, 15]
    assert [message.real(f) for f in ("real", "dot", "point")] == [0.0015, 0.5, 2.0]
    assert message.choice("word", "AVE", ("MAX", "AVE")) == "MAX"
    assert (message.flag("yes"), message.flag("no", True)) == (True, False)
    assert message.message("inner").integers("list") == (1, 2, 3, 4)
    assert message.message("inner").integers("empty") == ()
    assert message.message("angled").text("text") == 'q"'
    assert message.message("other").integer("a") == 1
    with pytest.raises(ModelError, match="minus is not a finite number"):
        message.real("minus")


def test_text_escapes_are_bytes_of_utf8() -> None:
    assert parse_text(r'name: "\345\215\267\xe7\xa7\xaf"').text("name") == "卷积"
    assert parse_text('name: "卷积"').text("name") == "卷积"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("layer {", "line 1: the end"),
        ("layer {\n name: 1\n}}", "line 3: '}' stands where a field should begin"),
        ("name 3", "needs ':'"),
        ("name: ", "line 1: the end is not a value"),
        ("\nname: 'abc", "line 2"),
        ("a: 1abc", "is not expected"),
        ("a: 09", "'09' is not a number"),
        ("a: [1 2]", "stands where ',' or ']' should"),
        ("a: [1,", "the end is not a value"),
        ("a: }", "'}' is not a value"),
        ("a: -", "line 1: '-' is not expected"),
        ("\0", "is not expected"),
        ("a {" * 200, "nested too deeply"),
        ("a: " + "9" * 5000, "is not a number"),
        ("3: 4", "stands where a field should begin"),
    ],
)
def test_malformed_text_is_refused_by_its_line(text: str, reason: str) -> None:
    with pytest.raises(ModelError) as error:
        parse_text(text)
    assert reason in str(error.value)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("text", "read", "reason"),
    [
        ("a: 1.5", lambda m: m.integer("a"), "a is not a whole number"),
        ("a: 5000000000", lambda m: m.integer("a"), "a is 5000000000"),
        ("a: -1", lambda m: m.integer("a", low=0), "a is -1"),
        ("a: 1 a: 2", lambda m: m.integer("a"), "a is given 2 times"),
        ("", lambda m: m.integer("a"), "a is missing"),
        ("a: 'x'", lambda m: m.real("a"), "a is not a finite number"),
        ("a: 1e999", lambda m: m.real("a"), "a is not a finite number"),
        ("a: maybe", lambda m: m.flag("a"), "a is neither true nor false"),
        ("a: x", lambda m: m.text("a"), "a is not a quoted text"),
        ("a: 1", lambda m: m.text("a"), "a is not a quoted text"),
        ("a: 'MAX'", lambda m: m.choice("a", "MAX", ("MAX",)), "is not one of MAX"),
        ("a: 7", lambda m: m.choice("a", "MAX", ("MAX",)), "'7' is not one of MAX"),
        ("a: 1", lambda m: m.message("a"), "a is not a group in braces"),
    ],
)  # fmt: skip
def test_fields_of_a_wrong_type_are_refused(text: str, read: Any, reason: str) -> None:
    with pytest.raises(ModelError) as error:
        read(parse_text(text))
    assert reason in str(error.value)


def test_a_file_of_another_encoding_is_read(tmp_path: Path) -> None:
    """Only names must be UTF-8: comments of old nets are in any encoding."""
    path = write_model(tmp_path, "", caffemodel({"c": [W, B]}))
    path.write_bytes(b"\xef\xbb\xbf# \xbe\xed\xbb\xfd\r\n" + (IN + CONV).encode())
    assert outputs(path)["y"].shape == (1, 2, 3, 3)


# Nets


def test_inputs_of_all_forms() -> None:
    relu = 'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }'
    forms = (
        'input: "x" input_dim: 2 input_dim: 3 input_dim: 4 input_dim: 5',
        'input: "x" input_shape { dim: [2, 3, 4, 5] }',
        'layer { name: "d" type: "Input" top: "x" input_param { shape { dim: [2, 3, 4, 5] } } }',
        'layer { name: "d" type: "DummyData" top: "x" dummy_data_param { num: 2 channels: 3 '
        "height: 4 width: 5 data_filler { value: 1 } } }",
    )
    for form in forms:
        assert shapes(f"{form} {relu}") == ({"x": (2, 3, 4, 5)}, {"y": (2, 3, 4, 5)})


def test_input_shapes_win(tmp_path: Path) -> None:
    path = write_model(tmp_path, IN + CONV, caffemodel({"c": [W, B]}))
    graph = read_caffe(path, path.with_suffix(".caffemodel"), {"x": (2, 3, 9, 8)})
    assert graph.outputs["y"].spec.shape == (2, 2, 8, 7)
    with pytest.raises(InputError, match="input_shapes names 'z'; the model's inputs are 'x'"):
        read_caffe(path, path.with_suffix(".caffemodel"), {"z": (1,)})
    with pytest.raises(ModelError, match=r"needs \[2, 4, 2, 2\]"):
        read_caffe(path, path.with_suffix(".caffemodel"), {"x": (2, 4, 9, 8)})


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ('type: "Data" transform_param { crop_size: 7 mean_value: 1 mean_value: 2 mean_value: 3 }',
         (1, 3, 7, 7)),
        ('type: "Data" transform_param { crop_size: 7 force_gray: true }', (1, 1, 7, 7)),
        ('type: "ImageData" image_data_param { new_height: 5 new_width: 6 batch_size: 9 }',
         (1, 3, 5, 6)),
        ('type: "MemoryData" memory_data_param { batch_size: 9 channels: 2 height: 5 width: 6 }',
         (1, 2, 5, 6)),
        ('type: "AnnotatedData" transform_param { force_color: true '
         "resize_param { height: 5 width: 6 prob: 1 } }", (1, 3, 5, 6)),
        ('type: "Data" data_param { batch_size: 64 }', None),
        ('type: "HDF5Data" hdf5_data_param { source: "a" batch_size: 2 }', None),
    ],
)  # fmt: skip
def test_data_layers_are_inputs(layer: str, shape: tuple[int, ...] | None) -> None:
    text = f'layer {{ name: "d" top: "x" top: "label" {layer} }}'
    text += 'layer { name: "r" type: "ReLU" bottom: "x" top: "x" }'
    text += 'layer { name: "l" type: "SoftmaxWithLoss" bottom: "x" bottom: "label" top: "loss" }'
    if shape is None:
        with pytest.raises(ModelError, match=r"has no shape; pass input_shapes=\{'x'"):
            shapes(text)
    else:
        assert shapes(text) == ({"x": shape}, {"x": shape})


def layer(name: str, kind: str, bottoms: str, tops: str, rest: str = "") -> str:
    """A layer; bottoms and tops by spaces."""
    return layer_text(kind, bottoms.split(), tops.split(), rest).replace('"l"', f'"{name}"', 1)


def test_losses_measures_and_labels_are_dropped() -> None:
    text = (
        inputs_text({"x": (2, 3)})
        + 'layer { name: "d" type: "HDF5Data" top: "z" top: "label" top: "weight" }'
        + layer("cut", "Slice", "label", "l1 l2")
        + layer("r", "ReLU", "x", "y")
        + layer("loss", "SoftmaxWithLoss", "y l1", "loss")
        + layer("own", "EuclideanLoss", "y l2", "other")
        + layer("sum", "Eltwise", "loss other", "total")
        + layer("acc", "Accuracy", "y l1", "accuracy")
    )
    assert shapes(text) == ({"x": (2, 3)}, {"y": (2, 3)})


def test_inputs_that_only_losses_read_are_dropped() -> None:
    text = inputs_text({"x": (2, 3), "label": (2,)}) + layer("r", "ReLU", "x", "y")
    text += layer("loss", "SoftmaxWithLoss", "y label", "loss")
    assert shapes(text) == ({"x": (2, 3)}, {"y": (2, 3)})


def test_a_label_that_the_net_itself_reads_is_an_input() -> None:
    text = 'layer { name: "d" type: "DummyData" top: "x" top: "m" dummy_data_param { '
    text += "shape { dim: 2 dim: 3 } } }" + layer("e", "Eltwise", "x m", "y")
    assert shapes(text) == ({"x": (2, 3), "m": (2, 3)}, {"y": (2, 3)})


def test_outputs_are_what_nobody_reads() -> None:
    text = (
        inputs_text({"x": (2, 4), "unused": (1,)})
        + layer("a", "ReLU", "x", "a")
        + layer("b", "Sigmoid", "a", "a")
        + layer("s", "Slice", "a", "p q")
        + layer("quiet", "Silence", "q", "")
        + layer("t", "TanH", "a", "a")
    )
    assert shapes(text) == ({"x": (2, 4), "unused": (1,)}, {"p": (2, 2), "a": (2, 4)})


def test_in_place_layers_write_the_blob_anew() -> None:
    text = (
        inputs_text({"x": (3,)})
        + layer("a", "Power", "x", "early", "power_param { scale: 10 }")
        + layer("b", "Power", "x", "x", "power_param { shift: 1 }")
        + layer("c", "Power", "x", "late", "power_param { scale: 10 }")
    )
    got = evaluate(build(text), {"x": np.array([1, 2, 3], np.float32)})
    np.testing.assert_array_equal(got["early"], [10, 20, 30])
    np.testing.assert_array_equal(got["late"], [20, 30, 40])


@pytest.mark.parametrize(
    ("rule", "there"),
    [
        ("include { phase: TEST }", True),
        ("include { phase: TRAIN }", False),
        ("include { phase: TRAIN } include { phase: 1 }", True),
        ("exclude { phase: TEST }", False),
        ("exclude { phase: TRAIN }", True),
        ('include { stage: "deploy" }', True),
        ('include { stage: "other" }', False),
        ('exclude { stage: "deploy" stage: "other" }', True),
        ('include { not_stage: "deploy" }', False),
        ("include { min_level: 3 }", False),
        ("include { min_level: 1 max_level: 2 }", True),
        ("include { max_level: 1 }", False),
    ],
)
def test_phases_stages_and_levels(rule: str, there: bool) -> None:
    text = inputs_text({"x": (2,)}) + 'state { phase: TRAIN level: 2 stage: "deploy" }'
    text += layer("a", "ReLU", "x", "a") + layer("b", "ReLU", "x", "b", rule)
    assert list(shapes(text)[1]) == (["a", "b"] if there else ["a"])


def test_a_layer_for_each_phase_makes_the_same_blob() -> None:
    data = (
        'layer {{ name: "d" type: "Input" top: "x" include {{ phase: {} }} input_param {{ {} }} }}'
    )
    text = data.format("TRAIN", "shape { dim: 9 }") + data.format("TEST", "shape { dim: 2 }")
    assert shapes(text + layer("a", "ReLU", "x", "a")) == ({"x": (2,)}, {"a": (2,)})


V1 = """layers { name: "c" type: CONVOLUTION bottom: "x" top: "y" blobs_lr: 1 blobs_lr: 2
                 weight_decay: 1 convolution_param { num_output: 2 kernel_size: 2 pad: 1 } }
        layers { name: "r" type: RELU bottom: "y" top: "y" }
        layers { name: "p" type: POOLING bottom: "y" top: "p"
                 pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
        layers { name: "i" type: INNER_PRODUCT bottom: "p" top: "i"
                 inner_product_param { num_output: 3 } }
        layers { name: "l" type: SOFTMAX_LOSS bottom: "i" bottom: "label" }"""
V0 = """layers { layer { name: "pad" type: "padding" pad: 1 } bottom: "x" top: "padded" }
        layers { layer { name: "c" type: "conv" num_output: 2 kernelsize: 2 stride: 1
                         weight_filler { type: "gaussian" } blobs_lr: 1. }
                 bottom: "padded" top: "y" }
        layers { layer { name: "r" type: "relu" } bottom: "y" top: "y" }
        layers { layer { name: "p" type: "pool" pool: MAX kernelsize: 2 stride: 2 }
                 bottom: "y" top: "p" }
        layers { layer { name: "i" type: "innerproduct" num_output: 3 } bottom: "p" top: "i" }"""


def test_nets_of_2014_and_2013(tmp_path: Path) -> None:
    """The same net in three forms, with weights in the forms of their times."""
    weights = {"c": [W, B], "i": [RNG.uniform(-1, 1, (3, 18)), np.zeros(3)]}
    modern = V1.replace("layers {", "layer {").replace("blobs_lr: 1 blobs_lr: 2", "")
    for old, new in (
        ("CONVOLUTION", "Convolution"),
        ("RELU", "ReLU"),
        ("POOLING", "Pooling"),
        ("INNER_PRODUCT", "InnerProduct"),
        ("SOFTMAX_LOSS", "SoftmaxWithLoss"),
    ):
        modern = modern.replace(f"type: {old}", f'type: "{new}"')  # fmt: skip
    label = 'input: "label" input_dim: [1, 1, 1, 1]'

    def old_blob(array: Any) -> bytes:
        dims = [1] * (4 - np.ndim(array)) + list(np.shape(array))
        shape = b"".join(number(f, d) for f, d in zip((1, 2, 3, 4), dims, strict=True))
        return shape + nested(5, np.asarray(array, "<f4").tobytes())

    v1 = b"".join(
        nested(2, nested(4, n.encode()) + b"".join(nested(6, old_blob(a)) for a in arrays))
        for n, arrays in weights.items()
    )
    v0 = b"".join(
        nested(2, nested(1, nested(1, n.encode())
                         + b"".join(nested(50, old_blob(a)) for a in arrays)))
        for n, arrays in weights.items()
    )  # fmt: skip
    flat = 'input: "x" input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 4\n'
    want = outputs(write_model(tmp_path, IN + label.replace("input_dim: [1, 1, 1, 1]",
                   "input_shape { dim: 1 }") + modern, caffemodel(weights)))["i"]  # fmt: skip
    assert want.shape == (1, 3) and np.abs(want).max() > 0.1
    for text, model in ((flat + label + V1, v1), (flat + V0, v0), (flat + V0, v1)):
        np.testing.assert_array_equal(outputs(write_model(tmp_path, text, model))["i"], want)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("net: 'x.prototxt' base_lr: 0.01", "not a Caffe net: it has no layers"),
        (IN + "layer { }", "the layer '' has no type"),
        (IN + "layer { type: 'ReLU' } layers { type: RELU }", "mixes layer and layers"),
        ('input: "x" input_dim: 1 layer { type: "ReLU" }', "1 inputs, but"),
        (IN + 'input: "z"' + layer("a", "ReLU", "x", "y"), "2 inputs, but 1 shapes"),
        (IN + layer("a", "ReLU", "z", "y"), "ReLU 'a': no layer before it makes the blob 'z'"),
        (IN + layer("a", "ReLU", "b", "c") + layer("b", "ReLU", "c", "b"), "makes the blob 'b'"),
        (IN + layer("a", "ReLU", "x", "y") + layer("b", "ReLU", "x", "y"), "'y' is made twice"),
        (IN + layer("a", "Slice", "x", "y y"), "'y' is made twice"),
        (IN + layer("a", "Silence", "x", ""), "no outputs"),
        (IN + layer("a", "ReLU", "x", "y", "include { phase: TEST } exclude { phase: TRAIN }"),
         "both include and exclude"),
        (IN + layer("a", "ReLU", "x", "y z"), "has 2 tops, but makes 1"),
        (IN + layer("a", "ReLU", "x x", "y"), "has 2 bottoms instead of one"),
        (IN + layer("a", "Axpy", "x", "y"), "has 1 bottoms and needs 2"),
        (IN + layer("a", "Foo", "x", "y") + layer("b", "Python", "y", "z"),
         "node Foo 'a': layers of type Foo, Python are not supported"),
        (IN + layer("a", "ReLU", "x", "y", "relu_param { negative_slop: 1 }"),
         "the parameter relu_param.negative_slop is not known"),
        (IN + layer("a", "DetectionOutput", "x x x", "y",
                    "detection_output_param { num_classes: 2 nms_param { soft: true } }"),
         "do not fit"),
        (IN + layer("a", "Convolution", "x", "y", "convolution_param { num_output: 2 }"),
         "convolution_param.kernel_size is missing"),
        (IN + layer("a", "Convolution", "x", "y",
                    "convolution_param { num_output: 2 kernel_size: 2 kernel_h: 2 }"),
         "beside kernel_size"),
        (IN + layer("a", "Convolution", "x", "y",
                    "convolution_param { num_output: 2 kernel_size: 2 group: 2 }"), "2 groups"),
        (IN + layer("a", "Convolution", "x", "y",
                    "convolution_param { num_output: 4000000000 kernel_size: 4000000000 }"),
         "weights of the shape"),
        (IN + layer("a", "Pooling", "x", "y", "pooling_param { kernel_size: 2 pad: 2 }"),
         "padding of [2, 2]"),
        (IN + layer("a", "Pooling", "x", "y z", "pooling_param { pool: AVE kernel_size: 2 }"),
         "a second top"),
        (IN + layer("a", "Pooling", "x", "y", "pooling_param { kernel_size: 9 }"), "does not fit"),
        (IN + layer("a", "Reshape", "x", "y", "reshape_param { shape { dim: -1 dim: 5 } }"),
         "cannot be reshaped"),
        (IN + layer("a", "Tile", "x", "y", "tile_param { tiles: 4000000000 }"), "larger than"),
        (IN + layer("a", "Softmax", "x", "y", "softmax_param { axis: 4 }"),
         "softmax_param.axis is 4"),
        (inputs_text({"x": (1 << 20, 1 << 20, 9)}) + layer("a", "ReLU", "x", "y"), "larger than"),
        (inputs_text({"x": (1 << 33,)}) + layer("a", "ReLU", "x", "y"), "dim is 8589934592"),
    ],
)  # fmt: skip
def test_wrong_nets_are_refused_in_one_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    with pytest.raises(ModelError) as error:
        read_caffe(path)
    message = str(error.value)
    assert reason in message and message.startswith(str(path)) and "\n" not in message


def test_tensors_are_counted_together() -> None:
    text = inputs_text({"x": (1 << 30,)})
    for i in range(40):
        text += layer(f"a{i}", "Sigmoid", "x", f"y{i}")
    with pytest.raises(ModelError, match="its tensors exceed 128 GiB"):
        build(text)


def test_fields_of_forks_beside_the_parameters_change_nothing() -> None:
    rest = "quantization_param { bits: 8 } new_flag: true relu6_param { x: 1 } param { lr_mult: 1 }"
    assert shapes(IN + layer("a", "ReLU", "x", "y", rest))[1] == {"y": (1, 3, 4, 4)}


def test_layers_of_forks_that_training_alone_needs_change_nothing() -> None:
    text = layer("odd", "Augmentation", "x", "z", "include { phase: TRAIN }")
    text += layer("loss", "FancyLoss", "x", "loss") + layer("a", "ReLU", "x", "y")
    assert list(shapes(IN + text)[1]) == ["y"]


# Weights


def model_of(name: str, *blobs: bytes) -> bytes:
    return nested(100, nested(1, name.encode()) + b"".join(nested(7, b) for b in blobs))


def shape_of(array: np.ndarray) -> bytes:
    return nested(7, nested(1, b"".join(map(varint, array.shape))))


def unpacked(array: np.ndarray) -> bytes:
    return b"".join(varint(5 << 3 | 5) + v.tobytes() for v in array.astype("<f4").reshape(-1))


FORMS: Mapping[str, Any] = {
    "packed": lambda a: shape_of(a) + nested(5, a.astype("<f4").tobytes()),
    "values first": lambda a: nested(5, a.astype("<f4").tobytes()) + shape_of(a),
    "with differences": lambda a: shape_of(a) + nested(5, a.astype("<f4").tobytes())
    + nested(6, a.astype("<f4").tobytes()),
    "in pieces": lambda a: nested(5, a.astype("<f4").tobytes()[:4]) + shape_of(a)
    + nested(5, a.astype("<f4").tobytes()[4:]),
    "one by one": lambda a: shape_of(a) + unpacked(a),
    "one by one, then shape": lambda a: unpacked(a) + shape_of(a),
    "doubles": lambda a: shape_of(a) + nested(8, a.astype("<f8").tobytes()),
    "half": lambda a: number(10, 2) + shape_of(a) + nested(12, a.astype("<f2").tobytes()),
    "raw": lambda a: number(10, 1) + shape_of(a) + nested(12, a.astype("<f4").tobytes()),
    "four dimensions": lambda a: b"".join(
        number(f, d) for f, d in zip((1, 2, 3, 4), [1] * (4 - a.ndim) + list(a.shape), strict=True)
    ) + nested(5, a.astype("<f4").tobytes()),
    "dimensions one by one": lambda a: nested(7, b"".join(number(1, d) for d in a.shape))
    + nested(5, a.astype("<f4").tobytes()),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_blobs_in_all_forms(tmp_path: Path, form: str) -> None:
    want = outputs(write_model(tmp_path, IN + CONV, caffemodel({"c": [W, B]})))["y"]
    model = model_of("c", FORMS[form](W), FORMS[form](B))
    got = outputs(write_model(tmp_path, IN + CONV, model))["y"]
    np.testing.assert_allclose(got, want, atol=2e-3 if form == "half" else 0)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (b"", "the file is empty"),
        (b"\x0a\x03net", "not a caffemodel, or one without weights"),
        (b"layer { name: 'c' }", ""),
        (model_of("other", FORMS["packed"](W)), "no weights for the layer 'c'"),
        (model_of("c", FORMS["packed"](W)), "1 blobs of the layer 'c', which needs 2"),
        (model_of("c", FORMS["packed"](W[:1]), FORMS["packed"](B)),
         "blob 0 of the layer 'c' is [1, 3, 2, 2], but the net needs [2, 3, 2, 2]"),
        (model_of("c", shape_of(W) + nested(5, b"1234" * 23), FORMS["packed"](B)),
         "has 23 values for the shape [2, 3, 2, 2]"),
        (model_of("c", shape_of(W) + nested(5, b"12345"), FORMS["packed"](B)),
         "in the middle of a number"),
        (model_of("c", shape_of(W), FORMS["packed"](B)), "has 0 values"),
        (model_of("c", number(10, 7) + shape_of(W) + nested(12, b"1"), FORMS["packed"](B)),
         "raw weights of type 7"),
        (model_of("c", nested(7, nested(1, varint(1 << 62) * 40))), "no tensor can have"),
        (caffemodel({"c": [W, B]})[:-3], "ends early"),
        (nested(100, number(5, 1) * ((1 << 20) + 1)), "too many small fields"),
    ],
)  # fmt: skip
def test_wrong_weights_are_refused_in_one_line(tmp_path: Path, model: bytes, reason: str) -> None:
    path = write_model(tmp_path, IN + CONV, model)
    weights = path.with_suffix(".caffemodel")
    with pytest.raises(ModelError) as error:
        read_caffe(path, weights)
    message = str(error.value)
    assert reason in message and message.startswith(str(weights)) and "\n" not in message


def test_weights_of_other_layers_and_of_both_phases_do_no_harm(tmp_path: Path) -> None:
    model = model_of("more") + caffemodel({"c": [W * 0, B], "extra": [B]})
    model += caffemodel({"c": [W, B]}) + model_of("c")  # the last with blobs counts
    want = outputs(write_model(tmp_path, IN + CONV, caffemodel({"c": [W, B]})))["y"]
    got = outputs(write_model(tmp_path, IN + CONV, model))["y"]
    np.testing.assert_array_equal(got, want)


def test_a_net_without_weights_takes_a_file_without(tmp_path: Path) -> None:
    path = write_model(tmp_path, IN + layer("a", "ReLU", "x", "y"), nested(1, b"net"))
    assert outputs(path)["y"].shape == (1, 3, 4, 4)


def test_weights_that_layers_share_may_stand_once(tmp_path: Path) -> None:
    shared = 'param { name: "w" } param { name: "b" } convolution_param'
    twin = CONV.replace("convolution_param", shared)
    text = IN + twin + twin.replace('"c"', '"d"').replace('"y"', '"z"')
    got = outputs(write_model(tmp_path, text, caffemodel({"c": [W, B]})))
    np.testing.assert_array_equal(got["y"], got["z"])


def test_files_that_are_not_there(tmp_path: Path) -> None:
    path = write_model(tmp_path, IN + CONV, b"")
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        read_caffe(path, tmp_path / "absent.caffemodel")
    with pytest.raises(ModelError, match="cannot be read"):
        read_caffe(tmp_path)
    net = path.rename(tmp_path / "alone.prototxt")
    with pytest.raises(ModelError, match="needs its weights: none are given"):
        read_model(net)
    assert read_model(net, untrained=True).outputs


def test_a_net_runs_on_the_device(tmp_path: Path) -> None:
    """Detection and all: the last step is the host's."""
    text = IN + CONV + (
        layer("bn", "BatchNorm", "y", "y") + layer("sc", "Scale", "y", "y")
        + layer("re", "ReLU", "y", "y") + layer("po", "Pooling", "y", "p",
                                                "pooling_param { kernel_size: 2 stride: 2 }")
        + layer("pb", "PriorBox", "p x", "priors", "prior_box_param { min_size: 2 }")
        + layer("fl", "Flatten", "p", "f")
        + layer("lo", "InnerProduct", "f", "loc", "inner_product_param { num_output: 16 }")
        + layer("co", "InnerProduct", "f", "conf", "inner_product_param { num_output: 8 }")
        + layer("de", "DetectionOutput", "loc conf priors", "boxes",
                "detection_output_param { num_classes: 2 confidence_threshold: 0.4 }")
    )  # fmt: skip
    uniform = RNG.uniform
    blobs = {
        "c": [W, B], "bn": [uniform(-1, 1, 2), uniform(0.5, 1, 2), np.ones(1)],
        "sc": [uniform(0.5, 1, 2)], "lo": [uniform(-1, 1, (16, 8)), uniform(-1, 1, 16)],
        "co": [uniform(-0.1, 0.1, (8, 8)), np.array([0, 0, 0, 0.9, 0, 0.8, 0, 0])],
    }  # fmt: skip
    path = write_model(tmp_path, text, caffemodel(blobs))
    x = uniform(-1, 1, (1, 3, 4, 4)).astype(np.float32)
    weights = path.with_suffix(".caffemodel")
    with clnet.load(path, device(), weights=weights) as session:
        got = session(x)
    want = evaluate(read_caffe(path, weights), {"x": x})
    assert 0 < got["boxes"].shape[2] < 5
    np.testing.assert_allclose(got["boxes"], want["boxes"], atol=1e-5)


def test_a_photo_for_a_batch_is_refused_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = IN.replace("dim: 1 ", "dim: 10 ") + CONV
    path = write_model(tmp_path, text, caffemodel({"c": [W, B]}))
    assert main(["run", str(path), "--image", str(tmp_path / "photo.jpg")]) == 2
    assert "x is a batch of 10: give --shape x=1x3x4x4" in capsys.readouterr().err


def test_parameters_that_a_message_names_twice_are_seen_once() -> None:
    message = Message("p")
    message.add("a", 1)
    assert list(message.unread()) == ["p.a"]
    assert message.integer("a") == 1
    assert not list(message.unread())


def test_unsupported_is_said_of_the_first_layer_and_all_types() -> None:
    many = "".join(layer(f"l{i}", f"T{i:02}", "x", f"y{i}") for i in range(12))
    with pytest.raises(UnsupportedError, match="T09 and 2 more are not supported"):
        build(IN + many)

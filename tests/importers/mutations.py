"""Damaged and hostile models made out of good ones, always the same for the same number."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from golden import DATA
from importers.onnx_models import many_ops
from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto, TensorProto, helper

from clnet.importers.onnx.wire import take_out_weights

Rng = np.random.Generator
Change = Callable[[ModelProto, Rng, Path], None]

#: How often each real model is taken; those with many kernels take longer to run.
REAL = {
    "models_onnx_mnist8/mnist-8.onnx": 6,
    "models_onnx_openseeface/mnv3_detection_opt.onnx": 1,
    "models_ultraface/onnx/version-RFB-320.onnx": 1,
    "models_blazeface/onnx/face_detection_front_128x128_barracuda.onnx": 1,
    "models_portrait_seg/prisma/prisma_nchw.onnx": 1,
}
HUGE = (-1, 0, 1 << 16, 1 << 20, 10**6, 1 << 31, (1 << 31) - 1, 10**12, 1 << 40, (1 << 63) - 1)


@cache
def base_models() -> list[bytes]:
    """Models to start from: one made here, and real ones where the data folder is."""
    models = [many_ops().SerializeToString()] * 3
    for name, times in REAL.items():
        if (DATA / name).is_file():
            models += [(DATA / name).read_bytes()] * times
    return models


def mutate(number: int, folder: Path) -> tuple[str, Path]:
    """Write mutation ``number`` into an empty ``folder``. Returns what was done, and the model."""
    rng = np.random.default_rng(number)
    models = base_models()
    base = models[int(rng.integers(len(models)))]
    path = folder / "model.onnx"
    if number % 3 == 0:
        change = BYTES[number // 3 % len(BYTES)]
        path.write_bytes(change(bytearray(base), rng))
        return change.__name__, path
    model = ModelProto.FromString(base)
    alter = FIELDS[number % len(FIELDS)]
    alter(model, rng, folder)
    path.write_bytes(model.SerializeToString())
    return alter.__name__, path


def truncated(data: bytearray, rng: Rng) -> bytes:
    return bytes(data[: rng.integers(len(data))])


def flipped(data: bytearray, rng: Rng) -> bytes:
    for position in rng.integers(len(data), size=rng.integers(1, 9)):
        data[position] ^= 1 << int(rng.integers(8))
    return bytes(data)


def flipped_outside_weights(data: bytearray, rng: Rng) -> bytes:
    _, spans = take_out_weights(memoryview(bytes(data)))
    weights = np.zeros(len(data), bool)
    for start, end in spans.values():
        weights[start:end] = True
    for position in rng.choice(np.flatnonzero(~weights), size=rng.integers(1, 4)):
        data[position] ^= 1 << int(rng.integers(8))
    return bytes(data)


def overwritten(data: bytearray, rng: Rng) -> bytes:
    start = int(rng.integers(len(data)))
    data[start : start + 32] = rng.bytes(int(rng.integers(1, 64)))
    return bytes(data)


BYTES = (truncated, flipped_outside_weights, flipped, overwritten, flipped_outside_weights)


def pick(items: object, rng: Rng) -> object:
    """One of a protobuf's repeated items."""
    return items[int(rng.integers(len(items)))]  # type: ignore[arg-type,index]


def huge_dimension_of_a_weight(model: ModelProto, rng: Rng, _: Path) -> None:
    tensor = pick(model.graph.initializer, rng)
    tensor.dims[:] = [int(pick(HUGE, rng)) for _ in range(max(1, len(tensor.dims)))]


def huge_dimension_of_the_input(model: ModelProto, rng: Rng, _: Path) -> None:
    dims = pick(model.graph.input, rng).type.tensor_type.shape.dim
    if dims:
        pick(dims, rng).dim_value = int(pick(HUGE, rng))


def huge_numbers_in_a_constant(model: ModelProto, rng: Rng, _: Path) -> None:
    tensors = [t for t in model.graph.initializer if t.data_type == TensorProto.INT64]
    tensors += [
        a.t for n in model.graph.node for a in n.attribute
        if a.type == AttributeProto.TENSOR and a.t.data_type == TensorProto.INT64
    ]  # fmt: skip
    if tensors:
        tensor = tensors[int(rng.integers(len(tensors)))]
        size = int(np.prod(tensor.dims))
        tensor.ClearField("int64_data")
        tensor.raw_data = np.array([pick(HUGE, rng) for _ in range(size)], np.int64).tobytes()


def huge_constant_of_shape(model: ModelProto, rng: Rng, _: Path) -> None:
    """A node that asks for 10^12 or so elements, in front of another."""
    shape = [int(pick(HUGE[2:], rng)) for _ in range(rng.integers(1, 4))]
    node = pick([n for n in model.graph.node if n.input], rng)
    op = pick(("ConstantOfShape", "Expand", "Tile", "Reshape"), rng)
    sizes = helper.make_node("Constant", [], ["evil_shape"], value_ints=shape)
    inputs = ["evil_shape"] if op == "ConstantOfShape" else [node.input[0], "evil_shape"]
    model.graph.node.insert(0, helper.make_node(op, inputs, ["evil"]))
    model.graph.node.insert(0, sizes)
    node.input[0] = "evil"


def cycle(model: ModelProto, rng: Rng, _: Path) -> None:
    node = pick(model.graph.node, rng)
    if node.input:
        node.input[0] = model.graph.node[-1].output[0]


def missing_initializer(model: ModelProto, rng: Rng, _: Path) -> None:
    del model.graph.initializer[int(rng.integers(len(model.graph.initializer)))]


def duplicate_name(model: ModelProto, rng: Rng, _: Path) -> None:
    node = pick(model.graph.node, rng)
    node.output[0] = pick(model.graph.node, rng).output[0]


def external_data(model: ModelProto, rng: Rng, folder: Path) -> None:
    """Data in a file: outside, missing, too short, a directory, a pipe, behind a link."""
    tensor = pick(model.graph.initializer, rng)
    os.mkfifo(folder / "pipe")
    (folder / "out").symlink_to("/etc")
    (folder / "loop").symlink_to("loop")
    (folder / "short.bin").write_bytes(b"123")
    places = ("../secret.bin", "/etc/passwd", "out/passwd", "absent.bin", "short.bin", ".", "pipe",
              "loop", "a/../../b", "", "\0", "..\\secret.bin", "x" * 5000)  # fmt: skip
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (
        ("location", pick(places, rng)),
        ("offset", str(pick((*HUGE, "x", "1e9"), rng))),
        ("length", str(pick((*HUGE, "x", "1e9"), rng))),
    ):
        if rng.random() < 0.8:
            tensor.external_data.add(key=key, value=str(value))


def wrong_attribute(model: ModelProto, rng: Rng, _: Path) -> None:
    nodes = [n for n in model.graph.node if n.attribute]
    if not nodes:
        return
    attribute = nodes[int(rng.integers(len(nodes)))].attribute
    chosen = pick(attribute, rng)
    value = pick(([], [0], [-1], [1 << 40] * 2, [3, 3], 0, -5, 1 << 62, 1.5, "x", b"\xff", [0.5]),
                 rng)  # fmt: skip
    kind = AttributeProto.INTS if value == [] else None
    chosen.CopyFrom(helper.make_attribute(chosen.name, value, attr_type=kind))


def attribute_removed(model: ModelProto, rng: Rng, _: Path) -> None:
    node = pick(model.graph.node, rng)
    if node.attribute:
        del node.attribute[int(rng.integers(len(node.attribute)))]


def other_op(model: ModelProto, rng: Rng, _: Path) -> None:
    ops = ("Relu", "Reshape", "Gather", "Resize", "If", "Loop", "Conv", "TopK", "Squeeze", "Range",
           "NonMaxSuppression", "Softmax", "ConvTranspose", "LayerNormalization", "\n", "Gelu",
           "CastLike", "Einsum", "Pad", "Where", "ReduceMax", "BatchNormalization", "Attention",
           "GroupNormalization", "CenterCropPad", "Range", "Trilu", "Upsample")  # fmt: skip
    pick(model.graph.node, rng).op_type = str(pick(ops, rng))


def inputs_mixed_up(model: ModelProto, rng: Rng, _: Path) -> None:
    node = pick(model.graph.node, rng)
    names = [name for n in model.graph.node for name in n.output]
    names += [t.name for t in model.graph.initializer] + ["", "nowhere"]
    node.input[:] = [str(pick(names, rng)) for _ in range(rng.integers(0, 5))]


def node_removed(model: ModelProto, rng: Rng, _: Path) -> None:
    del model.graph.node[int(rng.integers(len(model.graph.node)))]


def nodes_shuffled(model: ModelProto, rng: Rng, _: Path) -> None:
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes[i] for i in rng.permutation(len(nodes)))


def other_type(model: ModelProto, rng: Rng, _: Path) -> None:
    pick(model.graph.initializer, rng).data_type = int(rng.integers(0, 30))


def other_opset(model: ModelProto, rng: Rng, _: Path) -> None:
    for opset in model.opset_import:
        opset.version = int(pick((0, 6, 7, 9, 11, 13, 18, 22, 1000, -1), rng))


def functions_that_explode(model: ModelProto, rng: Rng, _: Path) -> None:
    """Each calls the next twice; or the last calls the first."""
    depth = int(pick((3, 40), rng))
    endless = bool(rng.integers(2))
    for i in range(depth):
        following = f"f{i + 1}" if i + 1 < depth or endless else "f0"
        body = [NodeProto(op_type=following, domain="evil", input=["a"], output=["t"]),
                NodeProto(op_type=following, domain="evil", input=["t"], output=["b"])]  # fmt: skip
        if endless and i + 1 == depth:
            body = [NodeProto(op_type="Relu", input=["a"], output=["b"])]
        model.functions.append(
            FunctionProto(
                name=f"f{i}",
                domain="evil",
                input=["a"],
                output=["b"],
                node=body,
                opset_import=[helper.make_opsetid("evil", 1)],
            )
        )
    model.opset_import.append(helper.make_opsetid("evil", 1))
    node = pick([n for n in model.graph.node if n.input], rng)
    model.graph.node.insert(
        0, NodeProto(op_type="f0", domain="evil", input=[node.input[0]], output=["evil_f"])
    )
    model.graph.output[0].name = "evil_f"


def deep_branches(model: ModelProto, rng: Rng, _: Path) -> None:
    """Branches within branches, nearly as deep as a protobuf may be."""
    name = model.graph.node[0].input[0]
    inner = [helper.make_node("Relu", [name], ["deep"])]
    nothing = helper.make_graph([], "n", [], [])
    made = "deep"
    for depth in range(int(pick((2, 20, 30), rng))):
        graph = helper.make_graph(inner, "g", [], [helper.make_tensor_value_info(made, 1, None)])
        made, yes = f"deep{depth}", f"yes{depth}"
        inner = [
            helper.make_node("Constant", [], [yes], value_int=1),
            helper.make_node("If", [yes], [made], then_branch=graph, else_branch=nothing),
        ]
    model.graph.node.extend(inner)
    model.graph.output[0].name = made


def hostile_names(model: ModelProto, rng: Rng, _: Path) -> None:
    node = pick([n for n in model.graph.node if n.input], rng)
    node.name = "a\nTraceback\x1b[31m" * int(rng.integers(1, 2000))
    node.input[0] = "\u202e\n" * 1000


FIELDS: tuple[Change, ...] = (
    huge_dimension_of_a_weight, huge_dimension_of_the_input, huge_numbers_in_a_constant,
    huge_constant_of_shape, cycle, missing_initializer, duplicate_name, external_data,
    wrong_attribute, attribute_removed, other_op, inputs_mixed_up, node_removed, nodes_shuffled,
    other_type, other_opset, functions_that_explode, deep_branches, hostile_names,
)  # fmt: skip

"""Which of ONNX's own test cases clnet does not take on, and why."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto

from clnet.errors import UnsupportedError
from clnet.importers.onnx.scope import OLDEST_OPSET, domain_of
from clnet.importers.onnx.tensors import dtype_of

#: Kinds of ops outside those of image classifiers, detectors and segmenters.
OUTSIDE: dict[str, str] = {
    "recurrent networks": "RNN GRU LSTM",
    "quantised arithmetic": "QuantizeLinear DequantizeLinear DynamicQuantizeLinear QLinearConv "
    "QLinearMatMul ConvInteger MatMulInteger",
    "loops": "Loop Scan LinearAttention",
    "sequences and optionals": "SequenceAt SequenceConstruct SequenceEmpty SequenceErase "
    "SequenceInsert SequenceLength SequenceMap SplitToSequence ConcatFromSequence Optional "
    "OptionalGetElement OptionalHasElement",
    "text": "StringConcat StringNormalizer StringSplit RegexFullMatch TfIdfVectorizer",
    "random numbers": "Bernoulli RandomUniformLike RandomNormalLike RandomUniform RandomNormal "
    "Multinomial",
    "outputs whose shape depends on values": "NonZero Unique Compress",
    "signal processing": "DFT STFT MelWeightMatrix",
    "losses and optimizers as nodes": "SoftmaxCrossEntropyLoss NegativeLogLikelihoodLoss Adam "
    "Adagrad Momentum Gradient",
    "scattering, and gathering element by element": "GatherElements GatherND Scatter "
    "ScatterElements ScatterND TensorScatter OneHot",
    "sampling at computed places": "GridSample AffineGrid RoiAlign DeformConv Col2Im MaxUnpool",
    "other norms": "LpPool GlobalLpPool LpNormalization",
    "linear algebra beyond matrix products": "Einsum Det",
    "scans along an axis": "CumProd ReverseSequence",
    "reinterpreted bits": "BitCast",
    "encoded images": "ImageDecoder",
}
#: Cases of ops outside the list, which clnet computes nevertheless, but for these.
SINGLE = {
    f"test_attention_4d_causal_fp16{suffix}": "float16: two roundings of half away from NumPy's "
    "order of operations, ONNX's tolerance is one"
    for suffix in ("", "_expanded")
}
#: In names of cases of attention that compute in float16.
HALF = ("fp16", "softmax_precision")
_REASONS = {op: f"op outside the list: {kind}" for kind, ops in OUTSIDE.items()
            for op in ops.split()}  # fmt: skip


def reason_to_exclude(name: str, model: ModelProto) -> str | None:
    """Why a case is left out, or None where it must pass."""
    if name in SINGLE:
        return SINGLE[name]
    if name.startswith("test_attention") and any(w in name for w in HALF) and in_half():
        return "attention in half arithmetic: sums are rounded, infinities become the largest half"
    versions = {domain_of(o.domain): o.version for o in model.opset_import}
    if versions.get("", OLDEST_OPSET) < OLDEST_OPSET:
        return f"opset {versions['']}: clnet reads {OLDEST_OPSET} and newer"
    for node in _nodes(model.graph):
        if domain_of(node.domain).startswith("ai.onnx."):
            return f"another domain: {node.domain}"
        if node.op_type in _REASONS:
            return _REASONS[node.op_type]
    for kind in _types(model.graph):
        if kind is not None:
            return kind
    if "training_dropout" in name and "zero_ratio" not in name:
        return "random numbers: dropout in training mode"
    return None


@cache
def in_half() -> bool:
    """Whether the device computes in half. Another process asks: OpenCL's threads must not be there
    when the cases' processes are forked off."""
    command = [sys.executable, "-m", "clnet", "devices", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return any(d["preferred"] and d["fp16"] for d in json.loads(done.stdout))


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _nodes(attribute.g)


def _types(graph: GraphProto) -> Iterator[str | None]:
    """For each tensor that the model names a type of: why it cannot be, or None."""
    for info in (*graph.input, *graph.output, *graph.value_info):
        yield _unfit(info.type)
    for node in _nodes(graph):
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                yield _unfit_element(attribute.t.data_type)
            elif attribute.name == "to" and attribute.type == AttributeProto.INT:
                yield _unfit_element(attribute.i)


def _unfit(kind: TypeProto) -> str | None:
    if not kind.HasField("tensor_type"):
        return "not a tensor: sequence, optional or map"
    return _unfit_element(kind.tensor_type.elem_type)


def _unfit_element(element: int) -> str | None:
    name = TensorProto.DataType.Name(element)
    if element == TensorProto.STRING:
        return "elements that are text"
    if element == TensorProto.BFLOAT16:
        return "bfloat16, which neither NumPy nor OpenCL has: clnet computes it as float32"
    try:
        dtype_of(element)
    except UnsupportedError:
        return f"element type {name}"
    return None

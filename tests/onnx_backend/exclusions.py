"""Which of ONNX's own test cases clnet does not take on, and why."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from clnet.importers.onnx.scope import domain_of

#: Ops that give or take what is no tensor of numbers.
NO_TENSORS: dict[str, str] = {
    "sequences and optionals": "SequenceAt SequenceConstruct SequenceEmpty SequenceErase "
    "SequenceInsert SequenceLength SequenceMap SplitToSequence ConcatFromSequence Optional "
    "OptionalGetElement OptionalHasElement",
    "text": "StringConcat StringNormalizer StringSplit RegexFullMatch TfIdfVectorizer",
}
#: Ops of tensors that clnet does not have.
MISSING: dict[str, str] = {
    "random numbers, which are others everywhere": "Bernoulli RandomUniformLike",
    "encoded images": "ImageDecoder",
}
#: Single cases, with the reason.
SINGLE = {
    **{
        f"test_attention_4d_causal_fp16{suffix}": "float16: two roundings of half away from "
        "NumPy's order of operations, ONNX's tolerance is one"
        for suffix in ("", "_expanded")
    },
    **{
        f"test_dft_inverse{suffix}": "the expected values are ONNX's own rounding errors around "
        "0, larger than its tolerance"
        for suffix in ("", "_opset19")
    },
    "test_scan_sum": "Scan before opset 9, which had a batch of its own",
}
#: In names of cases of attention that compute in float16.
HALF = ("fp16", "softmax_precision")


def reason_beyond_tensors(model: ModelProto) -> str | None:
    """Why a case is none of inference on tensors of numbers, or None where it is."""
    for node in _nodes(model.graph):
        if domain_of(node.domain) == "ai.onnx.preview.training":
            return "an op of training"
        for kind, ops in NO_TENSORS.items():
            if node.op_type in ops.split():
                return kind
    for info in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        if not info.type.HasField("tensor_type"):
            return "sequences and optionals"
        if info.type.tensor_type.elem_type == TensorProto.STRING:
            return "text"
    return None


def reason_to_exclude(name: str, model: ModelProto) -> str | None:
    """Why a case of tensors is left out, or None where it must pass."""
    if name in SINGLE:
        return SINGLE[name]
    if name.startswith("test_attention") and any(w in name for w in HALF) and in_half():
        return "attention in half arithmetic: sums are rounded, infinities become the largest half"
    for node in _nodes(model.graph):
        if domain_of(node.domain) == "ai.onnx.ml":
            return "classical machine learning (ai.onnx.ml)"
        for kind, ops in MISSING.items():
            if node.op_type in ops.split():
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

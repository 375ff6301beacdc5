"""Einsum, as matrix products, and determinants."""

from __future__ import annotations

import math
import re
from functools import reduce
from typing import Any

from clnet.errors import ModelError, ShapeError
from clnet.graph import Value
from clnet.importers.onnx.node import OnnxNode
from clnet.importers.onnx.registry import converter
from clnet.ops.determinant import Determinant
from clnet.ops.elementwise import elementwise
from clnet.ops.expand import Expand
from clnet.ops.gemm import MatMul
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice
from clnet.ops.transpose import Transpose

#: A value and the label of each of its axes.
Labelled = tuple[Value, str]
#: Labels of the axes that an ellipsis stands for, from the last on.
_ELLIPSIS = "0123456789"


@converter("Det")
def determinant(node: OnnxNode) -> Any:
    return node.add(Determinant(), node.input())


@converter("Einsum")
def einsum(node: OnnxNode) -> Any:
    """From the left, pair by pair: a matrix product over the labels that only the pair has."""
    operands = node.all_inputs()
    terms, result = _terms(node.any_text("equation"), operands)
    labelled = [_diagonal(node, v, t) for v, t in zip(operands, terms, strict=True)]
    sizes: dict[str, int] = {}
    for value, labels in labelled:
        for label, size in zip(labels, value.spec.shape, strict=True):
            if sizes.setdefault(label, size) == 1:
                sizes[label] = size
            if size not in (1, sizes[label]):
                raise ShapeError(f"axes of {size} and {sizes[label]} elements have one label")
    labelled = [_widened(node, one, sizes) for one in labelled]

    def contract(a: Labelled, b: Labelled) -> Labelled:
        position = labelled.index(b)
        later = result + "".join(labels for _, labels in labelled[position + 1 :])
        return _product(node, _summed(node, a, b[1] + later), _summed(node, b, a[1] + later), later)

    value, labels = _summed(node, reduce(contract, labelled), result)
    if sorted(labels) != sorted(result):
        raise ModelError("the result has labels that no operand has, or one twice")
    return _ordered(node, (value, labels), result)[0]


def _terms(equation: str, operands: list[Value]) -> tuple[list[str], str]:
    """Labels of each operand and of the result, the axes of an ellipsis as digits."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands) or not re.fullmatch("[A-Za-z.,]*", left + right):
        raise ModelError(f"the equation {equation[:60]!r} for {len(operands)} operands")
    most = 0
    for i, (term, value) in enumerate(zip(terms, operands, strict=True)):
        named = term.replace("...", "")
        rest = value.spec.rank - len(named) if "..." in term else 0
        if "." in named or not 0 <= rest <= len(_ELLIPSIS) or len(named) + rest != value.spec.rank:
            raise ModelError(f"the labels {term!r} for {value.spec}")
        most = max(most, rest)
        terms[i] = term.replace("...", _ELLIPSIS[:rest][::-1])
    if not arrow:  # labels that appear once, in alphabetic order
        every = "".join(terms)
        once = sorted(c for c in set(every) if every.count(c) == 1 and c not in _ELLIPSIS)
        right = "..." + "".join(once)
    right = right.replace("...", _ELLIPSIS[:most][::-1])
    if "." in right:
        raise ModelError(f"the equation {equation[:60]!r}")
    return terms, right


def _diagonal(node: OnnxNode, value: Value, labels: str) -> Labelled:
    """Of axes with one label the common diagonal."""
    for label in sorted(set(labels)):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            size = value.spec.shape[first]
            if value.spec.shape[second] != size:
                raise ShapeError(f"the diagonal of {value.spec}")
            others = [i for i in range(len(labels)) if i not in (first, second)]
            turned = node.add(Transpose((*others, first, second)), value)
            kept = tuple(value.spec.shape[i] for i in others)
            flat = node.add(Reshape((*kept, size * size)), turned)
            value = node.add(Slice((0,), (size * size,), (len(kept),), (size + 1,)), flat)
            labels = "".join(labels[i] for i in others) + label
    return value, labels


def _widened(node: OnnxNode, one: Labelled, sizes: dict[str, int]) -> Labelled:
    """With all axes as long as their labels are elsewhere."""
    value, labels = one
    shape = tuple(sizes[label] for label in labels)
    return (value if value.spec.shape == shape else node.add(Expand(shape), value)), labels


def _summed(node: OnnxNode, one: Labelled, needed: str) -> Labelled:
    """Summed up over the labels that nobody needs."""
    value, labels = one
    axes = tuple(i for i, label in enumerate(labels) if label not in needed)
    if not axes:
        return one
    kept = "".join(label for label in labels if label in needed)
    return node.add(Reduce("Sum", axes, False), value), kept


def _ordered(node: OnnxNode, one: Labelled, order: str) -> Labelled:
    """With its axes in another order."""
    value, labels = one
    perm = tuple(labels.index(label) for label in order)
    return (value if labels == order else node.add(Transpose(perm), value)), order


def _product(node: OnnxNode, a: Labelled, b: Labelled, later: str) -> Labelled:
    """The product of two operands, summed up over the labels that only they have."""
    common = [label for label in a[1] if label in b[1]]
    batch = "".join(label for label in common if label in later)
    inner = "".join(label for label in common if label not in later)
    rows = "".join(label for label in a[1] if label not in b[1])
    columns = "".join(label for label in b[1] if label not in a[1])
    left, _ = _ordered(node, a, batch + rows + inner)
    right, _ = _ordered(node, b, batch + inner + columns)
    m, n = len(batch), len(batch) + len(rows)
    counts = [
        math.prod(shape)
        for shape in (left.spec.shape[:m], left.spec.shape[m:n], left.spec.shape[n:],
                      right.spec.shape[len(batch + inner) :])
    ]  # fmt: skip
    shape = left.spec.shape[:n] + right.spec.shape[len(batch + inner) :]
    if left.spec.is_float and inner:
        left = node.add(Reshape((counts[0], counts[1], counts[2])), left)
        right = node.add(Reshape((counts[0], counts[2], counts[3])), right)
        y = node.add(MatMul(), left, right)
    else:
        left = node.add(Reshape((counts[0], counts[1], counts[2], 1)), left)
        right = node.add(Reshape((counts[0], 1, counts[2], counts[3])), right)
        y = node.add(elementwise("Mul"), left, right)
        y = node.add(Reduce("Sum", (2,), False), y) if inner else y
    return node.add(Reshape(shape), y), batch + rows + columns

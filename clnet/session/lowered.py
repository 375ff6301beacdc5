"""A graph's nodes with what was chosen to compute each."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from clnet.calls import BlasCall, Call, Candidate, HostCall, In, KernelCall, Out, Ref
from clnet.errors import ShapeError
from clnet.graph import Node
from clnet.ops.base import workload_of


@dataclass(frozen=True)
class Scratch:
    """Key of a workspace: which node's, and which of its several."""

    node: Node
    index: int


@dataclass
class LoweredNode:
    """A node with the candidate chosen for it, and its operands by reference."""

    node: Node
    candidate: Candidate

    def key(self, ref: Ref) -> Hashable:
        """The tensor that a call's reference means."""
        if ref.role == "work":
            return Scratch(self.node, ref.index)
        if ref.role == "packed":
            packed = self.candidate.packed[ref.index]
            source = None if packed.input is None else self.node.inputs[packed.input]
            return (source, packed.pack)
        operands = self.node.inputs if ref.role == "in" else self.node.outputs
        value = operands[ref.index]
        assert value is not None, f"{self.node}: absent operand {ref}"
        return value


@dataclass(frozen=True)
class Layer:
    """What a node is and how it is computed, for people. ``nbytes`` are its operands', each counted
    once: the least that has to be moved."""

    name: str
    kind: str  #: of op
    candidate: str
    shape: tuple[int, ...]  #: of its first output
    multiply_adds: int
    nbytes: int

    @classmethod
    def of(cls, lowered: LoweredNode) -> Layer:
        """From the node itself."""
        node, workload = lowered.node, workload_of(lowered.node)
        operands = {v for v in (*node.inputs, *node.outputs) if v is not None}
        return cls(
            node.name,
            node.op.kind(workload),
            lowered.candidate.name,
            node.output.spec.shape,
            node.op.multiply_adds(workload),
            sum(v.spec.nbytes for v in operands),
        )


def on_host(node: Node) -> Candidate:
    """What reads values of varying shape is computed by the op's reference."""
    present = [i for i, v in enumerate(node.inputs) if v is not None]

    def compute(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        operands: list[np.ndarray | None] = [None] * len(node.inputs)
        for i, array in zip(present, arrays, strict=True):
            operands[i] = array
        try:
            result: tuple[np.ndarray, ...] = node.op.reference(*operands)
        except (ValueError, IndexError) as error:
            raise ShapeError(f"on fewer elements than planned: {error}", node=node.name) from error
        return result

    outputs = tuple(Out(i) for i in range(len(node.outputs)))
    return Candidate("host", (HostCall(compute, tuple(In(i) for i in present), outputs),))


def refs_of(call: Call) -> tuple[Ref, ...]:
    """The operands of a call in the order it names them."""
    if isinstance(call, KernelCall):
        return tuple(a for a in call.args if isinstance(a, Ref))
    if isinstance(call, BlasCall):
        return call.operands
    assert isinstance(call, HostCall)
    return call.inputs + call.outputs

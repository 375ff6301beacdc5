"""Graph, Node and Value: a model as a list of nodes in execution order, in single assignment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clnet.tensor_spec import TensorSpec

#: Results larger than this are not folded, and reading and writing more than this in all is not
#: either: a Range or Expand, or a thousand of them, must not eat the memory of a board.
MAX_FOLDED_BYTES = 64 << 20
MAX_FOLDING_BYTES = 512 << 20


@dataclass(eq=False)
class Value:
    """A tensor in the graph. Compared by identity; ``name`` is for people and for inputs/outputs.

    ``data`` holds a constant's values, or a state's first ones. A ``state`` (a weight in training)
    keeps its memory from run to run and may be updated in place. A value that ``varies`` may have
    fewer elements than ``spec`` says, which only a run can tell.
    """

    name: str
    spec: TensorSpec
    data: np.ndarray | None = None
    state: bool = False
    varies: bool = False

    @property
    def is_constant(self) -> bool:
        """Whether the values are known for good when the session is compiled."""
        return self.data is not None and not self.state

    def __repr__(self) -> str:
        return f"<{self.name} {self.spec}>"


@dataclass(eq=False)
class Node:
    """One op applied to values. ``inputs`` holds None for optional inputs that are absent."""

    op: Any  # an clnet.ops.Op; the graph itself needs to know nothing of it
    inputs: list[Value | None]
    outputs: list[Value]
    name: str = ""

    @property
    def output(self) -> Value:
        """The first output."""
        return self.outputs[0]

    def __repr__(self) -> str:
        return f"<Node {self.name}: {self.op}>"


@dataclass(eq=False)
class Graph:
    """Nodes in execution order between ``inputs`` and ``outputs`` (by name)."""

    name: str = "model"
    inputs: list[Value] = field(default_factory=list)
    outputs: dict[str, Value] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    _folding_left: int = MAX_FOLDING_BYTES

    def folds(self, op: Any, inputs: Sequence[Value | None], outputs: Iterable[TensorSpec]) -> bool:
        """Whether to compute ``op`` now rather than on the device: its inputs are constants, and
        the bytes it reads and writes are within what is left for that in this graph."""
        present = [v for v in inputs if v is not None]
        if not op.foldable or not all(v.is_constant for v in present):
            return False
        written = sum(s.nbytes for s in outputs)
        moved = written + sum(v.spec.nbytes for v in present)
        if written > MAX_FOLDED_BYTES or moved > self._folding_left:
            return False
        self._folding_left -= moved
        return True

    def values(self) -> Iterator[Value]:
        """Every value once: inputs, then each node's operands in order."""
        seen: set[int] = set()
        for value in self._all_values():
            if id(value) not in seen:
                seen.add(id(value))
                yield value

    def _all_values(self) -> Iterator[Value]:
        yield from self.inputs
        for node in self.nodes:
            yield from (v for v in node.inputs if v is not None)
            yield from node.outputs
        yield from self.outputs.values()

    def states(self) -> list[Value]:
        """The values that keep their memory between runs."""
        return [v for v in self.values() if v.state]

    def producers(self) -> dict[Value, Node]:
        """Which node makes each value."""
        return {v: node for node in self.nodes for v in node.outputs}

    def consumers(self) -> dict[Value, list[Node]]:
        """Which nodes read each value, once per node, in order."""
        result: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for value in dict.fromkeys(v for v in node.inputs if v is not None):
                result.setdefault(value, []).append(node)
        return result

    def private_links(self) -> Iterator[tuple[Node, Node]]:
        """(source, node), in order, for each node whose first input ``source`` makes for it alone:
        no other node reads it, and it is no output."""
        producers, consumers = self.producers(), self.consumers()
        outputs = set(self.outputs.values())
        for node in self.nodes:
            x = node.inputs[0] if node.inputs else None
            if x in producers and x not in outputs and consumers[x] == [node]:
                yield producers[x], node

    def replace(self, old: Value, new: Value) -> None:
        """Let every reader of ``old`` read ``new``, the graph's outputs included."""
        for node in self.nodes:
            node.inputs = [new if v is old else v for v in node.inputs]
        self.outputs = {n: new if v is old else v for n, v in self.outputs.items()}

    def remove(self, nodes: Iterable[Node]) -> None:
        """Drop nodes whose outputs nobody reads any more."""
        gone = set(nodes)
        self.nodes = [n for n in self.nodes if n not in gone]

"""Models that remember earlier runs, for a format that keeps nothing between them."""

from __future__ import annotations

from clnet.graph import Graph
from clnet.ops.update import Update


def carry_states(graph: Graph) -> None:
    """Let what each state holds come in as an input, and what it holds next go out as an output."""
    for node in [n for n in graph.nodes if isinstance(n.op, Update)]:
        state, value = node.inputs
        assert state is not None and value is not None
        state.state, state.data = False, None
        graph.inputs.append(state)
        graph.outputs[node.name] = value
        graph.remove([node])

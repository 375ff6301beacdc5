"""What things are called in an ONNX model, where each name may stand for one thing only."""

from __future__ import annotations

from collections.abc import Iterable

from clnet.graph import Graph, Value


class FreshNames:
    """Names that differ from those ``taken`` and from each other."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._numbers: dict[str, int] = {}

    def __call__(self, stem: str) -> str:
        """``stem``, with a number behind it where that is taken."""
        name = stem
        while name in self._taken:
            self._numbers[stem] = self._numbers.get(stem, 1) + 1
            name = f"{stem}_{self._numbers[stem]}"
        self._taken.add(name)
        return name


class Names:
    """A name of its own for every value of ``graph``, and ``fresh`` ones for what is added; nodes
    have theirs apart from values.

    What is an output of the graph is called so, inputs keep their names unless those are an
    output's, and all others give way to these.
    """

    def __init__(self, graph: Graph) -> None:
        self._names: dict[Value, str] = {}
        self.fresh = FreshNames(graph.outputs)
        self.fresh_node = FreshNames()
        made = {v for node in graph.nodes for v in node.outputs}
        for name, value in graph.outputs.items():
            if value in made or value.name == name:
                self._names.setdefault(value, name)
        for value in graph.values():  # inputs first
            if value not in self._names:
                self._names[value] = self.fresh(value.name or "value")

    def __getitem__(self, value: Value) -> str:
        return self._names[value]

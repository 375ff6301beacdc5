"""Which nodes a graph needs, and in which order they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from onnx import AttributeProto, GraphProto, NodeProto

from clnet.errors import ModelError
from clnet.importers.names import shown


def label_of(node: NodeProto) -> str:
    """What people call a node: its name, or what it makes."""
    name = node.name or next(iter(node.output), "")
    return f"{shown(node.op_type)[1:-1]} {shown(name)}"


def execution_order(
    nodes: Sequence[NodeProto], outputs: Sequence[str], is_known: Callable[[str], bool]
) -> list[NodeProto]:
    """The nodes that ``outputs`` depend on, each behind those it reads from.

    The file's own order is kept where it is one. Raises ModelError for names made twice, names
    that nothing makes, and cycles.
    """
    makers: dict[str, int] = {}
    for i, node in enumerate(nodes):
        for name in filter(None, node.output):
            if name in makers or is_known(name):
                raise ModelError(f"{shown(name)} is made twice", node=label_of(node))
            makers[name] = i

    def sources(i: int) -> Iterator[int]:
        for name in reads(nodes[i]):
            if name in makers:
                yield makers[name]
            elif not is_known(name):
                raise ModelError(
                    f"its input {shown(name)} is neither an input of the model nor an initializer "
                    "nor made by a node",
                    node=label_of(nodes[i]),
                )

    found: list[int] = []
    waiting: dict[int, Iterator[int]] = {}  # the path from an output, in order
    done: set[int] = set()

    def enter(i: int) -> None:
        if i in waiting:
            raise ModelError("its inputs depend on its own output", node=label_of(nodes[i]))
        waiting[i] = sources(i)

    for name in outputs:
        if name not in makers:
            if not is_known(name):
                raise ModelError(f"nothing makes the output {shown(name)}")
            continue
        if makers[name] not in done:
            enter(makers[name])
        while waiting:
            current = next(reversed(waiting))
            following = next((s for s in waiting[current] if s not in done), None)
            if following is not None:
                enter(following)
            else:
                del waiting[current]
                done.add(current)
                found.append(current)
    in_file_order = all(s < i for i in found for s in sources(i))
    return [nodes[i] for i in (sorted(found) if in_file_order else found)]


def reads(node: NodeProto) -> list[str]:
    """The names a node reads, those that its subgraphs take from outside included."""
    names = [name for name in node.input if name]
    for graph in subgraphs(node):
        own = {i.name for i in graph.input} | {t.name for t in graph.initializer}
        own.update(name for inner in graph.node for name in inner.output)
        inside = [o.name for o in graph.output]
        inside += [name for inner in graph.node for name in reads(inner)]
        names += [name for name in inside if name not in own]
    return names


def subgraphs(node: NodeProto) -> list[GraphProto]:
    """The graphs among a node's attributes: branches and loop bodies."""
    return [a.g for a in node.attribute if a.type == AttributeProto.GRAPH]

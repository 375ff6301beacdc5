"""How each op is said in ONNX's ops, by family."""

from __future__ import annotations

from dataclasses import replace

from clnet.exporters.onnx.registry import find_spelling
from clnet.exporters.onnx.spellings import (  # noqa: F401  (registers them)
    detection,
    indexing,
    layers,
    movement,
    reduction,
    resize,
    windows,
)
from clnet.exporters.onnx.spellings.functions import spell_expression
from clnet.exporters.onnx.writer import NodeWriter, has_op
from clnet.ops.expression import Expression


def spell(write: NodeWriter) -> str | tuple[str, ...]:
    """Add the nodes that compute what ``write.node`` does; the names of its outputs.

    An op has a function of its own, or ONNX's name in its spellings. Raises UnsupportedError where
    it has neither.
    """
    epilogue: Expression | None = getattr(write.op, "epilogue", None)
    if epilogue is not None and epilogue.steps:
        return _with_epilogue(write, epilogue)
    own = find_spelling(type(write.op))
    if own is not None:
        return own(write)
    for name, fields in write.op.spellings.get("onnx", {}).items():
        if has_op(name):
            attributes = {foreign: getattr(write.op, field) for foreign, field in fields.items()}
            return write.add_several(len(write.node.outputs), name, *write.inputs, **attributes)
    raise write.unsupported(write.op.label)


def _with_epilogue(write: NodeWriter, epilogue: Expression) -> str:
    """The op as it would be without, then what is fused behind it."""
    own = write.op.own_inputs
    extras = write.inputs[own:]
    write.op, write.inputs = replace(write.op, epilogue=Expression()), write.inputs[:own]
    made = spell(write)
    result = made if isinstance(made, str) else made[0]
    return spell_expression(write, epilogue, [result, *extras], write.spec().dtype)

"""Parts of a tensor."""

from __future__ import annotations

from typing import Any

from clnet.errors import ModelError
from clnet.importers.tflite.node import TfliteNode, normalized
from clnet.importers.tflite.registry import converter
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice
from clnet.ops.split import Split


@converter("SLICE", linear=(0,), exact=True)
def slice_(node: TfliteNode) -> Any:
    """``size`` elements from ``begin`` on; -1: all that are left."""
    x, begins, sizes = node.input(), node.integers_of(1), node.integers_of(2)
    shape = x.spec.shape
    if not len(begins) == len(sizes) == len(shape):
        raise ModelError(f"{len(begins)} begins and {len(sizes)} sizes for {x.spec}")
    ends = [d if s == -1 else b + s for b, s, d in zip(begins, sizes, shape, strict=True)]
    if any(not 0 <= b <= e <= d for b, e, d in zip(begins, ends, shape, strict=True)):
        raise ModelError(f"{list(sizes)} elements from {list(begins)} on of {x.spec}")
    return node.add(Slice(begins, tuple(ends)), x)


@converter("STRIDED_SLICE", linear=(0,), exact=True)
def strided_slice(node: TfliteNode) -> Any:
    """Bit i of a mask is about entry i of the lists: it takes all up to the border (begin, end),
    stands for the dimensions that no entry is about (ellipsis), inserts a dimension (new axis), or
    takes one element and drops the dimension (shrink)."""
    x = node.input()
    begins, ends, strides = (node.integers_of(i) for i in (1, 2, 3))
    if not len(begins) == len(ends) == len(strides) or 0 in strides:
        raise ModelError("begins, ends and strides differ in length, or a stride is 0")

    def masked(mask: str, entry: int) -> bool:
        return bool(node.option(mask, 0) >> entry & 1)

    entries = range(len(begins))
    given = [i for i in entries if not masked("EllipsisMask", i) and not masked("NewAxisMask", i)]
    if len(given) > x.spec.rank or sum(masked("EllipsisMask", i) for i in entries) > 1:
        raise ModelError(f"{len(begins)} entries for {x.spec}")
    taken: list[range] = []
    shape: list[int] = []
    for entry in (*entries, len(begins)):
        if entry == len(begins) or masked("EllipsisMask", entry):
            behind = sum(i > entry for i in given)
            whole = x.spec.shape[len(taken) : x.spec.rank - behind]
            taken += map(range, whole)
            shape += whole
        elif masked("NewAxisMask", entry):
            shape.append(1)
        else:
            extent, start, stop = x.spec.shape[len(taken)], begins[entry], ends[entry]
            if node.option("Offset", False):
                stop += start
            if masked("ShrinkAxisMask", entry):
                if not -extent <= start < extent:
                    raise ModelError(f"element {start} of {extent}")
                taken.append(range(start % extent, start % extent + 1))
                continue
            first = None if masked("BeginMask", entry) else start
            last = None if masked("EndMask", entry) else stop
            taken.append(range(*slice(first, last, strides[entry]).indices(extent)))
            shape.append(len(taken[-1]))
    op = Slice(
        tuple(r.start for r in taken),
        tuple(r.stop if r.stop >= 0 else -d - 1 for r, d in zip(taken, x.spec.shape, strict=True)),
        tuple(range(len(taken))),
        tuple(r.step for r in taken),
    )
    part = node.add(op, x)
    return part if part.spec.shape == tuple(shape) else node.add(Reshape(tuple(shape)), part)


@converter("SPLIT", linear=(1,), exact=True)
def split(node: TfliteNode) -> Any:
    """Into as many equal parts as there are outputs, along the axis in input 0."""
    x, parts = node.input(1), node.outputs
    axis = normalized(int(node.scalar(0)), x.spec.rank)
    if not parts or x.spec.shape[axis] % parts:
        raise ModelError(f"axis {axis} of {x.spec} does not divide into {parts}")
    return node.add(Split(axis, (x.spec.shape[axis] // parts,) * parts), x)


@converter("SPLIT_V", linear=(0,), exact=True)
def split_by_sizes(node: TfliteNode) -> Any:
    """-1 is what is left."""
    x, sizes = node.input(0), list(node.integers_of(1))
    axis = normalized(int(node.scalar(2)), x.spec.rank)
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.spec.shape[axis] - sum(sizes) - 1
    return node.add(Split(axis, tuple(sizes)), x)


@converter("UNPACK", linear=(0,), exact=True)
def unpack(node: TfliteNode) -> Any:
    """Every slice along an axis, which is dropped."""
    x = node.input()
    shape = x.spec.shape
    axis = normalized(node.option("Axis", 0), len(shape))
    if not shape or shape[axis] != node.outputs:
        raise ModelError(f"axis {axis} of {x.spec} does not make {node.outputs} outputs")
    narrower = Reshape((*shape[:axis], *shape[axis + 1 :]))
    if node.outputs == 1:
        return node.add(narrower, x)
    parts = node.add(Split(axis, (1,) * node.outputs), x)
    return tuple(node.add(narrower, part) for part in parts)

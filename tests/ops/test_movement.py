"""Copies that the memory plan drops, views of any kind, and results shorter than planned."""

from __future__ import annotations

import numpy as np
import pytest
from harness import device

from clnet.calls import Chain, In, Out
from clnet.device_info import DeviceInfo
from clnet.graph import Graph, GraphBuilder
from clnet.ops.base import Op
from clnet.ops.concat import Concat
from clnet.ops.elementwise import elementwise
from clnet.ops.non_max_suppression import NonMaxSuppression
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice
from clnet.ops.split import Split
from clnet.ops.strided_copy import View, copy_call
from clnet.ops.transpose import Transpose
from clnet.session.session import Session

ROW = 256  # floats: a multiple of what any device aligns buffers to


def between(op: Op) -> Graph:
    """The op with arithmetic before and behind it."""
    build = GraphBuilder("between")
    x = build.input("x", (4, ROW))
    made = build.add(op, build.add(elementwise("Neg"), x))
    for i, value in enumerate(made if isinstance(made, tuple) else (made,)):
        build.output(build.add(elementwise("Relu"), value), f"y{i}")
    return build.graph


def kernels(session: Session) -> int:
    """How many a run takes, of which CPUs join several to a launch."""
    calls = [bound.call for bound in session.compiled.executable.calls]
    return sum(len(call.parts) if isinstance(call, Chain) else 1 for call in calls)


@pytest.mark.parametrize(
    "op",
    [
        Reshape((2, 2 * ROW)),
        Slice((1,), (3,)),
        Split(0, (1, 3)),
        Transpose((0, 1)),
    ],
)
def test_what_only_looks_at_its_input_costs_no_launch(op: Op) -> None:
    x = np.random.default_rng(0).standard_normal((4, ROW), np.float32)
    with Session(lambda _: between(op), device()) as session:
        got = list(session.run([x]).values())
        assert kernels(session) <= 1 + len(got)
    for have, want in zip(got, op.reference(-x), strict=True):
        np.testing.assert_array_equal(have, np.maximum(want, 0))


def test_inputs_are_computed_into_their_place_of_a_concatenation() -> None:
    build = GraphBuilder("join")
    x = build.input("x", (1, ROW))
    parts = [build.add(elementwise(f), x) for f in ("Neg", "Abs")]
    build.output(build.add(Concat(0), *parts, parts[0]), "y")
    x_value = np.random.default_rng(0).standard_normal((1, ROW), np.float32)
    with Session(lambda _: build.graph, device()) as session:
        y = session.run([x_value])["y"]
        assert kernels(session) == 3  # only the part that is needed twice is copied
    np.testing.assert_array_equal(y, np.concatenate([-x_value, abs(x_value), -x_value]))


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_the_kernel_fits_the_views(kind: str) -> None:
    def kernel(shape: tuple[int, ...], read: View, local: int = 1 << 15) -> str:
        info = DeviceInfo(kind=kind, local_memory=local)
        return copy_call(In(), Out(), 4, shape, read, View.of(shape), info).kernel

    image = View.of((3, 40, 50)).permuted((1, 2, 0))
    assert kernel((40, 50, 3), image) == "transpose_block"  # too narrow for square tiles
    square = "transpose_block" if kind == "cpu" else "transpose_local"
    assert kernel((50, 40), View.of((40, 50)).permuted((1, 0))) == square
    assert kernel((50, 40), View.of((40, 50)).permuted((1, 0)), 100) == "transpose_block"
    assert kernel((40, 50), View((64, 1), 7)) == "copy_runs"
    assert kernel((40, 50), View((-50, -1), 1999)) == "copy_elements"


def test_suppression_returns_only_what_stays() -> None:
    build = GraphBuilder("boxes")
    op = NonMaxSuppression(False, 3, 0.5, 0.3)
    inputs = build.input("boxes", (1, 4, 4)), build.input("scores", (1, 1, 4))
    build.output(build.add(op, *inputs), "chosen")
    boxes = np.array([[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [1, 3, 0, 2], [0, 9, 1, 8]]], np.float32)
    scores = np.array([[[0.5, 0.9, 0.5, 0.2]]], np.float32)
    with Session(lambda _: build.graph, device()) as session:
        chosen = session.run([boxes, scores])["chosen"]
    np.testing.assert_array_equal(chosen, [[0, 0, 1], [0, 0, 2]])

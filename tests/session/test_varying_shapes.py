"""What follows a NonMaxSuppression has the number of rows that the run found."""

from __future__ import annotations

import numpy as np
import pytest
from harness import device

from clnet.graph import Graph, GraphBuilder
from clnet.ops.elementwise import elementwise
from clnet.ops.gather import Gather
from clnet.ops.non_max_suppression import NonMaxSuppression
from clnet.ops.reshape import Reshape
from clnet.ops.slice import Slice
from clnet.session.session import Session

COUNT = 20


def detector(_: object) -> Graph:
    """Boxes doubled, the best of them chosen, and gathered: as exported detectors end."""
    build = GraphBuilder()
    boxes = build.input("boxes", (1, COUNT, 4))
    boxes = build.add(elementwise("Add"), boxes, boxes)
    scores = build.input("scores", (1, 1, COUNT))
    chosen = build.add(NonMaxSuppression(False, COUNT, 0.5, 0.3), boxes, scores)
    index = build.add(Slice((2,), (3,), (1,), (1,)), chosen)
    index = build.add(Reshape((COUNT,)), index)
    build.output(build.add(Gather(1), boxes, index), "best")
    build.output(chosen, "chosen")
    return build.graph


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("kept", [0, 1, 7])
def test_rows_follow_the_run(kept: int, precision: str) -> None:
    corners = np.arange(COUNT, dtype=np.float32)[:, None] + np.array([0, 0, 0.5, 0.5], np.float32)
    scores = np.zeros((1, 1, COUNT), np.float32)
    scores[0, 0, :kept] = np.linspace(0.9, 0.5, kept)
    with Session(detector, device(), precision) as session:
        for _ in range(2):
            results = session.run({"boxes": corners[None], "scores": scores})
            assert results["chosen"].tolist() == [[0, 0, i] for i in range(kept)]
            np.testing.assert_allclose(results["best"], 2 * corners[None, :kept])

"""`clnet info --svg`: a picture that any viewer takes, every layer in it and none over another."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from clnet.cli.info.boxes import diagram
from clnet.cli.info.layers import Layers
from clnet.cli.info.layout import lay_out
from clnet.cli.info.picture import draw
from clnet.graph import Graph, GraphBuilder
from clnet.ops.batch_normalization import BatchNormalization
from clnet.ops.concat import Concat
from clnet.ops.conv import Conv
from clnet.ops.elementwise import elementwise

SVG = "{http://www.w3.org/2000/svg}"


def residual(blocks: int, name: str = "x") -> Graph:
    """Blocks of two convolutions, each with batch normalisation, beside a shortcut."""
    build = GraphBuilder()
    y = build.input(name, (1, 2, 4, 4))
    weights = build.constant(np.ones((2, 2, 3, 3), np.float32))
    ones = [build.constant(np.ones(2, np.float32)) for _ in range(4)]
    conv = Conv((1, 1), (1, 1, 1, 1), (1, 1))
    for _ in range(blocks):
        z = y
        for _ in range(2):
            z = build.add(BatchNormalization(), build.add(conv, z, weights, None), *ones)
            z = build.add(elementwise("Relu"), z)
        y = build.add(elementwise("Add"), y, z)
    build.output(y, "y")
    return build.graph


def test_what_belongs_to_a_layer_stands_in_its_box() -> None:
    drawn = diagram(residual(1))
    assert [(b.title, b.then) for b in drawn.boxes] == [
        ("x", []),
        ("Conv 3x3", ["BatchNorm", "Relu"]),
        ("Conv 3x3", ["BatchNorm", "Relu"]),
        ("Add", []),
        ("y", []),
    ]
    assert sorted(drawn.arrows) == [(0, 1), (0, 3), (1, 2), (2, 3), (3, 4)]
    assert drawn.boxes[1].parameters == 36 + 4 * 2 and drawn.boxes[1].macs == 2 * 2 * 9 * 16


def test_a_value_that_two_read_ends_its_box() -> None:
    build = GraphBuilder()
    x = build.input("x", (1, 2, 4, 4))
    weights = build.constant(np.ones((2, 2, 1, 1), np.float32))
    y = build.add(Conv((1, 1), (0,) * 4, (1, 1)), x, weights, None)
    build.output(build.add(Concat(1), y, build.add(elementwise("Relu"), y)), "y")
    drawn = diagram(build.graph)
    assert [b.title for b in drawn.boxes] == ["x", "Conv 1x1", "Relu", "Concat", "y"]
    assert sorted(drawn.arrows) == [(0, 1), (1, 2), (1, 3), (2, 3), (3, 4)]


@pytest.mark.parametrize("blocks", [1, 50])
def test_the_picture(blocks: int) -> None:
    graph = residual(blocks)
    root = ET.fromstring(draw(diagram(graph), "a net", "of some size"))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    texts = ["".join(t.itertext()) for t in root.iter(f"{SVG}text")]
    assert texts.count("Conv 3x3") == 2 * blocks and texts.count("Add") == blocks
    boxes = [r for r in root.iter(f"{SVG}rect") if r.get("class") == "box"]
    assert len(boxes) == 3 * blocks + 2
    corners = [(float(b.get("x", 0)), float(b.get("y", 0))) for b in boxes]
    across, down = float(boxes[0].get("width", 0)), float(boxes[0].get("height", 0))
    for (x, y), (u, v) in itertools.combinations(corners, 2):
        assert abs(x - u) >= across or abs(y - v) >= down
    assert max(x for x, _ in corners) + across <= width
    assert max(y for _, y in corners) + down <= height
    assert height < 3000 and width < 4000
    arrows = [p for p in root.iter(f"{SVG}path") if p.get("class") in ("arrow", "skip")]
    assert len(arrows) == 4 * blocks + 1
    assert not re.search(r"href=|<script|url\((?!#)", ET.tostring(root, "unicode"))


def test_shortcuts_run_beside_what_they_skip() -> None:
    """A block's layers stand in one line, and its shortcut keeps clear of them."""
    drawn = diagram(residual(1))
    layout = lay_out(len(drawn.boxes), drawn.arrows, 100, 20, 1000)
    xs = [x for x, _ in layout.centres]
    assert max(xs) - min(xs) < 1
    (long,) = [p for p, n in zip(layout.paths, layout.lengths, strict=True) if n > 1]
    assert min(abs(x - xs[0]) for x, _ in long[1:-1]) > 50


def test_order_without_crossings() -> None:
    """Two branches that were given crosswise."""
    layers = Layers(6, [(0, 1), (0, 2), (2, 3), (1, 4), (3, 5), (4, 5)])
    assert [row for row in layers.rows if len(row) > 1] in (
        [[1, 2], [4, 3]],
        [[2, 1], [3, 4]],
    )


def test_names_out_of_a_model_do_no_harm() -> None:
    root = ET.fromstring(draw(diagram(residual(1, '<b>"\x00\n&')), "<i>\x1b", ""))
    assert any("<b>" in "".join(t.itertext()) for t in root.iter(f"{SVG}text"))


def test_no_nodes_at_all() -> None:
    build = GraphBuilder()
    build.output(build.input("x", (1,)), "x")
    root = ET.fromstring(draw(diagram(build.graph), "empty", ""))
    assert sum(r.get("class") == "box" for r in root.iter(f"{SVG}rect")) == 2


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from clnet.cli import main

    (tmp_path / "net.cfg").write_text(
        "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=2\nsize=3\npad=1\n"
    )
    arguments = ["info", str(tmp_path / "net.cfg"), "--svg"]
    assert main([*arguments, str(tmp_path / "net.svg")]) == 0
    assert "drawn in" in capsys.readouterr().out  # without weights, too
    assert ET.parse(tmp_path / "net.svg").getroot().tag == f"{SVG}svg"
    assert main([*arguments, str(tmp_path / "gone" / "net.svg")]) == 2
    assert "cannot write" in capsys.readouterr().err

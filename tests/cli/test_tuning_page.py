"""The page of `clnet tune --report`, from a made-up tuning."""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness import device
from html_check import check_page

from clnet.calls import Candidate, KernelCall, Workload
from clnet.cli.tuning_page import page, work_group
from clnet.ops.conv import Conv
from clnet.session.tune import TuningReport
from clnet.tensor_spec import TensorSpec
from clnet.tuning.space import Space
from clnet.tuning.tuner import Tuned


def tuned() -> Tuned:
    op = Conv((1, 1), (1,) * 4, (1, 1), 1)
    x, w = TensorSpec((1, 8, 20, 20)), TensorSpec((8, 8, 3, 3))
    workload = Workload(op, (x, w), op.infer(x, w), (False, True))
    space = Space(workload.candidates(device().info), device().info)
    points = list(space.points())[:6]
    times = {p: 1e-3 * (6 - i) for i, p in enumerate(points[:5])}
    failures = {points[5]: "crashes: <script>alert(1)</script>"}
    best = min(times, key=times.__getitem__)
    return Tuned(workload, best, times[best], 1e-6, 6e-3, times, failures, share=0.75)


def test_the_page_shows_layers_heat_maps_failures_and_the_device() -> None:
    report = TuningReport(device(), [tuned()], 2, 1, 12.0, 8e-3, 4e-3, 1e-5, ["a note"])
    text = page("some/model.onnx", report)
    tags = check_page(text, heat_maps=2)
    assert "script" not in tags and "&lt;script&gt;" in text
    for words in ("2.00x", "75.0%", "a note", "model.onnx", device().info.driver[:10], ">1.00<"):
        assert words in text
    assert text.count('class="bar') == 2


def test_a_page_without_results_is_a_page() -> None:
    check_page(page("m.onnx", TuningReport(device(), [], 3, 3)), heat_maps=0)


@pytest.mark.parametrize(
    ("local", "shown"),
    [(None, "driver's"), ((1,), "1"), ((8, 4, 1), "8x4"), ((1, 1, 1), "1"), ((1, 16), "1x16")],
)
def test_work_groups_are_named_by_their_size(local: tuple[int, ...] | None, shown: str) -> None:
    call = KernelCall("conv_direct", "conv_direct", (), (64, 64, 64), local)
    pack = replace(call, global_size=(8,), local_size=(8,))
    assert work_group(Candidate("c", (pack, call))) == shown

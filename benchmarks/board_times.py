"""Predicted latencies of whole models on boards, out of static figures: nothing is measured.

A layer takes as long as the issues of its innermost loops at the GPU's clock, or as its operands
from memory, whichever is longer. Launches, what lies around the loops, idle parts of tiles and
caches are left out: a board will be slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import models
from benchmarks.board_compilers import Figures, compiled
from clnet.boards import find_board
from clnet.calls import Candidate, KernelCall, Workload
from clnet.device_info import DeviceInfo
from clnet.importers import read_model
from clnet.runtime.devices import Device
from clnet.runtime.programs import assemble
from clnet.session.compile import lowered_workloads

#: Kernels whose loops multiply and add; others are taken to wait for memory.
HEAVY = ("conv_direct", "conv_pointwise", "gemm_tile")


@dataclass(frozen=True)
class Target:
    """A board, its GPU's compiler, and what is taken of the GPU."""

    board: str
    gpu: str
    lanes: int  #: work-items that a core issues an instruction for in a cycle
    bandwidth: float  #: GB/s


#: Lanes by Arm's data sheet (clpeak agrees for RK3588); bandwidths by clpeak, and that of
#: 32 bits of LPDDR4-2112, of which nobody published a measurement.
TARGETS = (Target("rk3588", "g610", 64, 27.0), Target("rk3566", "g52", 16, 8.4))
COLUMNS = (
    "board", "model", "precision", "predicted ms", "of it multiplying", "launches",
    "ncnn Vulkan, published ms",
)  # fmt: skip
MODELS = {"mobilenet_v2": "MobileNetV2", "resnet18": "ResNet-18"}


def predictions(target: Target, info: DeviceInfo) -> Iterator[str]:
    """Lines of a table of one board."""
    board = find_board(target.board)
    cores, clock = board.fact("compute_units"), board.fact("clock_mhz")
    assert isinstance(cores, int)
    assert isinstance(clock, int)
    info = replace(info, compute_units=cores)
    rate = cores * target.lanes * clock * 1e6
    published = next(f for f in board.figures if f.runtime.startswith("ncnn Vulkan"))
    for name, title in MODELS.items():
        for precision in ("fp32", "fp16"):
            layers = _layers(name, info, precision)
            sources = sorted({s for _, c in layers if (s := _heavy(c))})
            figures = dict(zip(sources, compiled(target.gpu, sources), strict=True))
            seconds = busy = 0.0
            for workload, candidate in layers:
                loop = figures.get(_heavy(candidate) or "")
                computing = _issues(workload, loop) / rate
                waiting = _bytes(workload, candidate) / (target.bandwidth * 1e9)
                seconds += max(computing, waiting)
                busy += computing if computing > waiting else 0
            launches = sum(len(c.calls) for _, c in layers)
            yield (
                f"| {target.board} | {title} | {precision} | {seconds * 1e3:.1f} "
                f"| {busy / seconds:.0%} | {launches} | {published.milliseconds[title]} |"
            )


def _layers(name: str, info: DeviceInfo, precision: str) -> list[tuple[Workload, Candidate]]:
    """What a session without tuning would compute on such a device."""
    device = Device(0, "", None)
    vars(device)["info"] = info
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        models.build(name, path)
        lowered = lowered_workloads(read_model(path), device, precision)
    return [(workload, candidates[0]) for workload, candidates in lowered]


def _heavy(candidate: Candidate) -> str | None:
    """The source of the call that multiplies and adds."""
    for call in candidate.calls:
        if isinstance(call, KernelCall) and call.kernel in HEAVY:
            return assemble(call)
    return None


def _issues(workload: Workload, loop: Figures | str | None) -> float:
    """Issues of all work-items together."""
    if loop is None:
        return 0
    if isinstance(loop, str):
        raise SystemExit(f"board_kernels: {workload.op}: {loop}")
    total: int = workload.op.multiply_adds(workload)
    return total * loop.issues / loop.multiply_adds


def _bytes(workload: Workload, candidate: Candidate) -> int:
    """What has to be moved: operands once, workspaces to and fro."""
    operands = (*workload.inputs, *workload.outputs)
    return sum(s.nbytes for s in operands if s is not None) + 2 * sum(candidate.workspace)

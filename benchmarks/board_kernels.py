"""What boards' compilers make of the heavy kernels, for every tile that the tuner is offered.

    python -m benchmarks.board_kernels [--gpus g52 …] [--output boards/kernels.md]

Needs the board compilers: CLNET_BOARD_COMPILERS, or ../shared/tools/board-compilers. Nothing runs.
A 3x3 and a 1x1 convolution and a matrix product are compiled with each register tile for each GPU,
in float and half, as clnet would on that device; board_compilers.py says what is counted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path

from benchmarks import board_times
from benchmarks.board_compilers import COMPILERS, ROOT, Figures, compiled, device_info
from clnet.calls import Candidate, KernelCall, Workload
from clnet.device_info import DeviceInfo
from clnet.ops.conv import Conv
from clnet.ops.gemm import Gemm
from clnet.runtime.programs import assemble
from clnet.tensor_spec import TensorSpec

GPUS = ("g52", "g610", "pi5", "a740", "jsl", "adl")
#: The parameters that shape a register tile; the others choose work-groups.
TILE = ("TILE_M", "VW", "PADDED", "BLOCK", "ROWS", "VECTORS")
COLUMNS = (
    "kernel", "dtype", "GPU", "tile", "multiply-adds", "loads", "instructions", "issues",
    "multiply-adds / instruction", "instructions that multiply and add", "multiply-adds / load",
    "registers", "spills",
)  # fmt: skip
TITLE = """\
# Heavy kernels on boards' GPUs

Made by `python -m benchmarks.board_kernels` with the compilers of Mesa 25.0.7; nothing was run.
Figures are those of a turn of the innermost loop, for one work-item, as counted by
`benchmarks/board_compilers.py`; registers and spills are the whole kernel's. In half, an
instruction on a pair does two multiply-adds, and a load of four elements has 64 bits. Bold is the
family's default tile (`clnet/ops/gpu_tiles.py`). Problems: a 3x3 convolution 64->64 at 56x56, a 1x1
one 96->96 at 56x56, the product of 1344x512 and 512x384.
"""
PREDICTED = """\
## Predicted latencies

A prediction, not a measurement: `benchmarks/board_times.py` says how it is made and what it leaves
out. ncnn's figures are published ones (see the boards' files).
"""


@dataclass(frozen=True)
class Variant:
    """A kernel with one tile."""

    kernel: str
    tile: str
    default: bool
    source: str


def heavy(dtype: str) -> Iterator[tuple[str, str, Workload]]:
    """Name, candidate and workload of each."""
    conv3, conv1 = Conv((1, 1), (1, 1, 1, 1), (1, 1)), Conv((1, 1), (0, 0, 0, 0), (1, 1))
    rows: list[tuple[str, str, Conv | Gemm, tuple[tuple[int, ...], ...]]] = [
        ("3x3", "direct", conv3, ((1, 64, 56, 56), (64, 64, 3, 3), (64,))),
        ("1x1", "pointwise", conv1, ((1, 96, 56, 56), (96, 96, 1, 1), (96,))),
        ("GEMM", "tile", Gemm(), ((1344, 512), (512, 384))),
    ]
    for name, candidate, op, shapes in rows:
        specs = tuple(TensorSpec(shape, dtype) for shape in shapes)
        constant = (False, *(True for _ in specs[1:]))
        yield name, candidate, Workload(op, specs, op.infer(*specs), constant)


def variants(info: DeviceInfo, dtype: str) -> Iterator[Variant]:
    """Every tile of every heavy kernel."""
    for name, wanted, workload in heavy(dtype):
        candidate = next(c for c in workload.candidates(info) if c.name == wanted)
        assert candidate.space is not None
        shaping = {k: v for k, v in candidate.space.options.items() if k in TILE}
        for values in product(*shaping.values()):
            tile = dict(zip(shaping, values, strict=True))
            if made := candidate.space.vary({**candidate.values, **tile}):
                default = all(candidate.values[k] == v for k, v in tile.items())
                text = " ".join(f"{k}={v}" for k, v in tile.items())
                yield Variant(name, text, default, _source(made))


def _source(candidate: Candidate) -> str:
    call = candidate.calls[-1]
    assert isinstance(call, KernelCall)
    return assemble(call)


def rows(gpu: str, info: DeviceInfo, dtype: str) -> list[str]:
    """The lines of one GPU and dtype."""
    offered = list(variants(info, dtype))
    found = compiled(gpu, [v.source for v in offered])
    return [row(gpu, dtype, v, f) for v, f in zip(offered, found, strict=True)]


def row(gpu: str, dtype: str, variant: Variant, found: Figures | str) -> str:
    """A line of the table."""
    tile = f"**{variant.tile}**" if variant.default else variant.tile
    cells: list[object] = [variant.kernel, dtype, gpu, tile]
    if isinstance(found, str):
        cells += [found, *[""] * (len(COLUMNS) - len(cells) - 1)]
    else:
        cells += [
            found.multiply_adds, found.loads, found.instructions, found.issues,
            f"{found.multiply_adds / found.instructions:.2f}",
            f"{found.multiply_add_instructions / found.instructions:.0%}",
            f"{found.multiply_adds / found.loads:.1f}" if found.loads else "",
            *("" if n is None else n for n in (found.registers, found.spills)),
        ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def main() -> int:
    """Compile, write, return the exit status."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--gpus", nargs="+", choices=GPUS, default=list(GPUS))
    parser.add_argument("--output", type=Path, default=ROOT / "boards/kernels.md")
    options = parser.parse_args()
    if not (COMPILERS / "on-gpu").exists():
        print(f"board_kernels: no board compilers at {COMPILERS} (CLNET_BOARD_COMPILERS)")
        return 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lines_of, options.gpus))
    times = [*heading(board_times.COLUMNS), *chain(*(times for _, times in found))]
    print(*times, sep="\n")
    table = [*heading(COLUMNS), *chain(*(table for table, _ in found))]
    options.output.write_text("\n".join((TITLE, *table, "", PREDICTED, *times, "")))
    return 0


def lines_of(gpu: str) -> tuple[list[str], list[str]]:
    """One GPU's lines of both tables."""
    info = device_info(gpu)
    table, times = [], []
    for dtype in ("float32", "float16") if info.fp16 else ("float32",):
        table += rows(gpu, info, dtype)
    for target in board_times.TARGETS:
        if target.gpu == gpu:
            times += board_times.predictions(target, info)
    print(gpu, file=sys.stderr, flush=True)
    return table, times


def heading(columns: Sequence[str]) -> tuple[str, str]:
    """The first two lines of a table."""
    return f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"


if __name__ == "__main__":
    sys.exit(main())

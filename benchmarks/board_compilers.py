"""Board GPUs' compilers, and what their disassembly tells of a kernel's innermost loop.

That loop is the shortest that multiplies and adds. In it are counted, for one work-item,

- instructions, but for those that do nothing. One that repeats itself counts as often, and two that
  are issued at once (Bifrost's FMA and ADD, VideoCore's add and multiply) count as two;
- issues: the same, but two at once count as one;
- multiply-adds, by element: an instruction on a pair of halves counts as two, unless Mesa computes
  one half in both places. VideoCore has none: its multiplications count;
- the instructions that do them;
- loads from memory, each as one, whatever its width.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

from clnet.device_info import DeviceInfo

ROOT = Path(__file__).resolve().parent.parent
COMPILERS = Path(
    os.environ.get("CLNET_BOARD_COMPILERS") or ROOT / "../shared/tools/board-compilers"
)
#: What makes Mesa's compilers print statistics and disassembly.
DEBUG = {
    "BIFROST_MESA_DEBUG": "shaders,shaderdb", "V3D_DEBUG": "shaderdb,cs",
    "IR3_SHADER_DEBUG": "cs,disasm", "INTEL_DEBUG": "cs",
}  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """A kernel's innermost loop. Registers and spills are the whole kernel's, None where the
    compiler does not tell."""

    instructions: int
    issues: int
    multiply_adds: int
    multiply_add_instructions: int
    loads: int
    registers: int | None
    spills: int | None


#: Instructions, those issued together in one tuple, and where each loop begins and ends.
Program = tuple[list[tuple[str, ...]], list[tuple[int, int]]]


def compiled(gpu: str, sources: Sequence[str]) -> list[Figures | str]:
    """What a GPU's compiler makes of each program's one kernel, or why it refuses."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "sources.json"
        path.write_text(json.dumps(list(sources)))
        printed = _on_gpu(gpu, path, DEBUG)
    parts = re.split(r"^@@ \d+$", printed.partition("\n@@ end")[0], flags=re.MULTILINE)[1:]
    if len(parts) != len(sources):
        raise SystemExit(f"board_kernels: {gpu}'s compiler died: {printed[-400:]}")
    return [figures(gpu, part) for part in parts]


def device_info(gpu: str) -> DeviceInfo:
    """The GPU as clnet sees it there."""
    found = re.search(r"^@@ device (.*)", _on_gpu(gpu, "", {}), re.MULTILINE)
    if not found:
        raise SystemExit(f"board_kernels: no {gpu}")
    fields = json.loads(found[1])
    return DeviceInfo(**{**fields, "max_work_item_sizes": tuple(fields["max_work_item_sizes"])})


def _on_gpu(gpu: str, argument: str | Path, debug: Mapping[str, str]) -> str:
    command = [COMPILERS / "on-gpu", gpu, sys.executable, "-m", "benchmarks.board_worker", argument]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **debug}, text=True, errors="replace", check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ).stdout  # fmt: skip


def figures(gpu: str, text: str) -> Figures | str:
    """What a compiler printed of one kernel, as figures; or why there are none."""
    if refused := re.search(r"^@@ refused: (.*)", text, re.MULTILINE):
        return refused[1]
    family = next(f for name, f in FAMILIES if re.match(name, gpu))
    program, loops = family.parse(text)
    bodies = [program[start:end] for start, end in loops]
    found = [body for body in bodies if any(family.multiply_adds(i) for b in body for i in b)]
    if not found:
        return "no loop that multiplies and adds"
    body = min(found, key=len)
    flat = [instruction for together in body for instruction in together]
    counts = [family.multiply_adds(i) for i in flat]
    return Figures(
        len(flat), sum(bool(b) for b in body), sum(counts), sum(bool(n) for n in counts),
        sum(bool(re.search(family.load, i)) for i in flat),
        _last(family.registers, text), _last(family.spills, text),
    )  # fmt: skip


def _last(pattern: str, text: str) -> int | None:
    """The number that a pattern finds last: of several compilations that one is used."""
    numbers = re.findall(pattern, text)
    return int(numbers[-1]) if numbers else None


def _valhall(text: str) -> Program:
    """Jumps tell how many instructions they leave out."""
    lines = [line for line in text[: text.rindex("SHADER-DB")].splitlines() if line.strip()]
    final = takewhile(lambda line: re.match(r"   [A-Z][^=]*$", line), reversed(lines))
    program = [(line.strip(),) for line in reversed(list(final))]
    loops = [
        (i + 1 - int(back[1]), i + 1)
        for i, (line,) in enumerate(program)
        if (back := re.search(r"^BRANCH.*offset:-(\d+)", line))
    ]
    return [() if i[0].startswith("NOP") else i for i in program], loops


def _bifrost(text: str) -> Program:
    """Clauses are labels; * and + begin the halves of what is issued at once."""
    program: list[tuple[str, ...]] = []
    starts: dict[str, int] = {}
    loops = []
    for line in text[text.rindex("\nclause_0:") :].splitlines():
        if label := re.match(r"(clause_\d+):", line):
            starts[label[1]] = len(program)
        elif half := re.match(r" +([*+])([A-Z].*)", line):
            if half[1] == "*":
                program.append(())
            if not half[2].startswith("NOP"):
                program[-1] += (half[2],)
            back = re.search(r"^(?:JUMP|BRANCH).*(clause_\d+)", half[2])
            if back and back[1] in starts:
                loops.append((starts[back[1]], len(program)))
    return program, loops


def _v3d(text: str) -> Program:
    """Jumps are relative to the fourth instruction behind them, in bytes; the three between run."""
    text = text[: text.rindex("SHADER-DB")]
    program, loops = [], []
    for line in re.findall(r"^0x[0-9a-f]{16} (.*)", text, re.MULTILINE):
        if back := re.match(r"bu?\.?\w* +-(\d+),", line):
            loops.append((len(program) + 4 - int(back[1]) // 8, len(program) + 4))
        parts = tuple(p.strip() for p in line.split(";"))
        program.append(tuple(p for p in parts if p and not p.startswith(("nop", "thrsw", "ldtmu"))))
    return program, loops


def _ir3(text: str) -> Program:
    """(rptN) repeats an instruction; labels begin with l."""
    program: list[tuple[str, ...]] = []
    starts: dict[str, int] = {}
    loops = []
    for line in re.findall(r"^MESA: info: (.*)", text, re.MULTILINE):
        if label := re.match(r"l(\d+):$", line):
            starts[label[1]] = len(program)
        elif parts := re.match(r"((?:\([a-z]+\d*\))*)([a-z][\w.]*\b.*)", line):
            repeat = re.search(r"\(rpt(\d)\)", parts[1])
            idle = parts[2].startswith("nop")
            program += [() if idle else (parts[2],)] * (1 + int(repeat[1]) if repeat else 1)
            back = re.search(r"^(?:br|jump)\b.*#l(\d+)", parts[2])
            if back and back[1] in starts:
                loops.append((starts[back[1]], len(program)))
        elif line.startswith("; CL: outputs"):
            starts.clear()
    return program, loops


def _intel(text: str) -> Program:
    """The variant for 16 work-items at once; `while` ends a loop."""
    text = text[text.rindex("\nSIMD16 shader") + 1 :].partition("\nSIMD")[0]
    program: list[tuple[str, ...]] = []
    starts: dict[str, int] = {}
    loops = []
    for line in text.splitlines():
        if label := re.match(r"(LABEL\d+):", line):
            starts[label[1]] = len(program)
        elif parts := re.match(r"(?:\(.*?\) *)?([a-z][\w.]*\(\d+\).*)", line):
            program.append((parts[1],))
            back = re.match(r"while\(\d+\) +JIP: +(LABEL\d+)", parts[1])
            if back and back[1] in starts:
                loops.append((starts[back[1]], len(program)))
    return program, loops


def _mali(instruction: str) -> int:
    if not instruction.startswith("FMA."):
        return 0
    if not instruction.startswith("FMA.v2f16"):
        return 1
    operands = instruction.split(",")[1:]
    return 1 if all(re.search(r"\.h(00|11)\b|0x0|#0", o) for o in operands) else 2


def _begins(*words: str) -> Callable[[str], int]:
    return lambda instruction: int(instruction.startswith(words))


@dataclass(frozen=True)
class Family:
    """How to read what a compiler prints."""

    parse: Callable[[str], Program]
    multiply_adds: Callable[[str], int]
    load: str
    registers: str
    spills: str


FAMILIES = (
    (r"g52", Family(_bifrost, _mali, r"^LOAD\.", r"(\d+) work regs", r"(\d+):\d+ spills")),
    (r"g610", Family(_valhall, _mali, r"^LOAD\.", r"(\d+) work regs", r"(\d+):\d+ spills")),
    (r"pi", Family(_v3d, _begins("fmul"), r"\btmua", r"(\d+) max-temps", r"(\d+):\d+ spills")),
    (r"a\d", Family(_ir3, _begins("mad.f"), r"^ldg", r"(\d+) full,", r"(\d+) stp")),
    (
        r"",
        Family(
            _intel, _begins("mad("), r"^sends?\(", r"(?!)()", r"SIMD16 shader:.*?(\d+):\d+ spills"
        ),
    ),
)

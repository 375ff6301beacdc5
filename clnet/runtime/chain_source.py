"""The source of a chain: the files of its parts as functions, and a kernel that calls them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np

from clnet import resources
from clnet.calls import Chain, KernelCall

_MACRO = re.compile(r"^\s*#define (\w+)", re.MULTILINE)
_KERNEL = re.compile(r"__kernel\s+void\s+(\w+)\s*\(")
#: What a file declares at its top: types, and functions, which begin in the first column.
_TYPE = re.compile(r"^\s*typedef .*?(\w+);", re.MULTILINE)
_FUNCTION = re.compile(r"^[A-Za-z]\w*(?:\(\w+\))?[ \w*]* \**(\w+)\((?!.*;$)", re.MULTILINE)
#: A kernel of a chain is a function with its place in the range as its first arguments.
_PLACE = "const size_t id_0, const size_t id_1, const size_t id_2, "
_PLACE += "const size_t size_0, const size_t size_1, const size_t size_2, "
_RANGE = """
#define __local
#define barrier(flags)
#define get_global_id(d) id_##d
#define get_group_id(d) id_##d
#define get_local_id(d) 0
#define get_global_size(d) size_##d
"""
#: Parts may see the same memory as elements of other types, which C lets a compiler take for other
#: memory: nothing may move across this. PoCL's mem_fence does nothing.
_NEXT = """
#ifdef __has_builtin
#if __has_builtin(__atomic_signal_fence)
#define NEXT_PART __atomic_signal_fence(__ATOMIC_ACQ_REL);
#endif
#endif
#ifndef NEXT_PART
#define NEXT_PART mem_fence(CLK_GLOBAL_MEM_FENCE);
#endif
"""


def chain_source(chain: Chain, assemble: Callable[[KernelCall], str]) -> str:
    """Every part's file, as ``assemble`` gives it, once per set of macros, its names made its own;
    then the kernel."""
    files: dict[tuple[str, object], int] = {}
    texts = [_RANGE, _NEXT]
    functions = []
    for part in chain.parts:
        key = part.source, part.defines
        if key not in files:
            files[key] = len(files)
            texts.append(_own_names(assemble(part), f"_{files[key]}"))
        functions.append(f"{part.kernel}_{files[key]}")
    parameters = [f"__global uchar* a{i}" for i in range(len(chain.args))]
    if chain.team == 1:
        lines = [
            f"{_loop(part, operands, function)} NEXT_PART"
            for part, operands, function in zip(chain.parts, chain.operands, functions, strict=True)
        ]
    else:
        texts.append((resources.kernels_path() / "include" / "team.h").read_text())
        parameters[-1] = "volatile __global int* turns"
        lines = _turns(chain, functions)
    body = "".join(f"    {line}\n" for line in lines)
    texts.append(f"__kernel void {chain.kernel}({', '.join(parameters)}) {{\n{body}}}\n")
    return "".join(texts)


def _own_names(text: str, suffix: str) -> str:
    """A file whose kernels are functions, whose declarations end in ``suffix``, and which leaves no
    macro behind."""
    kernels = _KERNEL.findall(text)
    declared = {*kernels, *_TYPE.findall(text), *_FUNCTION.findall(text)}
    macros = {*declared, *_MACRO.findall(text)}
    text = _KERNEL.sub(rf"static void \1({_PLACE}", text)
    renamed = "".join(f"#define {name} {name}{suffix}\n" for name in sorted(declared))
    undone = "".join(f"#undef {name}\n" for name in sorted(macros))
    return f"{renamed}{text}\n{undone}"


def _turns(chain: Chain, functions: list[str]) -> list[str]:
    """The calls of a team: neighbours that are not shared out are one turn."""
    lines: list[str] = []
    alone: list[str] = []

    def flush() -> None:
        if alone:
            lines.append(f"SHARED({len(lines)}, 1, 1, {{ {' NEXT_PART '.join(alone)} }})")
            alone.clear()

    for part, operands, shares, function in zip(
        chain.parts, chain.operands, chain.shares, functions, strict=True
    ):
        if shares == 1:
            alone.append(_loop(part, operands, function))
        else:
            flush()
            s0, s1, _ = sizes = _sizes(part)
            place = [f"place % {s0}", f"place / {s0} % {s1}", f"place / {s0 * s1}"]
            call = _call(part, operands, function, place)
            lines.append(f"SHARED({len(lines)}, {shares}, {math.prod(sizes)}, {call})")
    flush()
    return [*lines, f"LEAVE({len(lines)}, {chain.team})"]


def _loop(part: KernelCall, operands: tuple[int, ...], function: str) -> str:
    """A call's whole range, one place after the other."""
    sizes = _sizes(part)
    place = [f"id_{d}" if size > 1 else "0" for d, size in enumerate(sizes)]
    loops = "".join(
        f"for (size_t id_{d} = 0; id_{d} < {sizes[d]}; ++id_{d}) "
        for d in (2, 1, 0)
        if sizes[d] > 1
    )
    return loops + _call(part, operands, function, place) + ";"


def _call(part: KernelCall, operands: tuple[int, ...], function: str, place: list[str]) -> str:
    """One place of a call's range."""
    numbers = iter(operands)
    given = [
        _literal(a) if isinstance(a, np.generic) else f"(__global void*)a{next(numbers)}"
        for a in part.args
    ]
    return f"{function}({', '.join([*place, *map(str, _sizes(part)), *given])})"


def _sizes(part: KernelCall) -> tuple[int, int, int]:
    a, b, c = (*part.global_size, 1, 1)[:3]
    return a, b, c


def _literal(scalar: np.generic) -> str:
    """A scalar argument as OpenCL C text."""
    if isinstance(scalar, np.floating):
        return f"{float(scalar).hex()}{'f' if scalar.itemsize < 8 else ''}"
    return f"{int(scalar)}" + ("L" if scalar.itemsize == 8 else "")

"""Assembles the source of a program: a kernel file with its macros, or a chain of several."""

from __future__ import annotations

import re

import numpy as np

from clnet import resources
from clnet.calls import Chain, KernelCall

_INCLUDE = re.compile(r'^#include "([a-z0-9_]+\.h)"$', re.MULTILINE)
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


def assemble(call: KernelCall) -> str:
    """The complete source of a call's program: its defines, then the file with its includes."""
    defines = "".join(f"#define {name} {value}\n" for name, value in call.defines)
    if isinstance(call, Chain):
        return defines + _chain(call)
    text = resources.kernel_path(call.source).read_text()
    text = _INCLUDE.sub(lambda m: (resources.kernels_path() / "include" / m[1]).read_text(), text)
    return defines + text


def _chain(chain: Chain) -> str:
    """Every part's file once per set of macros, its names made its own, then the kernel that calls
    them in order."""
    files: dict[tuple[str, object], int] = {}
    texts, calls = [_RANGE], []
    for part, operands in zip(chain.parts, chain.operands, strict=True):
        key = part.source, part.defines
        if key not in files:
            files[key] = len(files)
            texts.append(_own_names(assemble(part), f"_{files[key]}"))
        calls.append(_loop(part, operands, f"{part.kernel}_{files[key]}"))
    parameters = ", ".join(f"__global uchar* a{i}" for i in range(len(chain.args)))
    texts.append(f"__kernel void {chain.kernel}({parameters}) {{\n{''.join(calls)}}}\n")
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


def _loop(part: KernelCall, operands: tuple[int, ...], function: str) -> str:
    """A call's whole range, one place after the other."""
    sizes = (*part.global_size, 1, 1)[:3]
    numbers = iter(operands)
    given = [
        _literal(a) if isinstance(a, np.generic) else f"(__global void*)a{next(numbers)}"
        for a in part.args
    ]
    places = [f"id_{d}" if size > 1 else "0" for d, size in enumerate(sizes)]
    loops = "".join(
        f"for (size_t id_{d} = 0; id_{d} < {sizes[d]}; ++id_{d}) "
        for d in (2, 1, 0)
        if sizes[d] > 1
    )
    return f"    {loops}{function}({', '.join([*places, *map(str, sizes), *given])});\n"


def _literal(scalar: np.generic) -> str:
    """A scalar argument as OpenCL C text."""
    if isinstance(scalar, np.floating):
        return f"{float(scalar).hex()}{'f' if scalar.itemsize < 8 else ''}"
    return f"{int(scalar)}" + ("L" if scalar.itemsize == 8 else "")

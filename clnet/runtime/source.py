"""Assembles the source of a program: a kernel file with its macros, or a chain of several."""

from __future__ import annotations

import re

from clnet import resources
from clnet.calls import Chain, KernelCall
from clnet.runtime.chain_source import chain_source

_INCLUDE = re.compile(r'^#include "([a-z0-9_]+\.h)"$', re.MULTILINE)


def assemble(call: KernelCall) -> str:
    """The complete source of a call's program: its defines, then the file with its includes."""
    defines = "".join(f"#define {name} {value}\n" for name, value in call.defines)
    if isinstance(call, Chain):
        return defines + chain_source(call, assemble)
    text = resources.kernel_path(call.source).read_text()
    text = _INCLUDE.sub(lambda m: (resources.kernels_path() / "include" / m[1]).read_text(), text)
    return defines + text

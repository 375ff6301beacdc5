"""Lends PoCL a linker on machines that have none.

PoCL turns each kernel into a shared library with the program `ld`, and aborts the whole process
without it. Where nobody may install binutils, the PyPI package `ziglang` brings LLVM's linker; this
module puts it on the search path under the name that PoCL calls.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import tempfile
from pathlib import Path

import platformdirs

# PoCL asks for libgcc and libc as a C compiler would, which needs their development files; kernels
# use nothing of them that the process has not loaded already.
_SCRIPT = """#!/bin/sh
for argument do
    shift
    case $argument in -l* | -L* | --*as-needed) ;; *) set -- "$@" "$argument" ;; esac
done
exec {zig} ld.lld "$@"
"""


def lend_linker() -> None:
    """Adds an `ld` to this process's search path if there is none and pip has brought one."""
    if shutil.which("ld"):
        return
    package = importlib.util.find_spec("ziglang")
    if package is None or package.origin is None:
        return
    script = _SCRIPT.format(zig=shlex.quote(str(Path(package.origin).parent / "zig")))
    folder = platformdirs.user_cache_path("clnet") / "linker"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
        file.write(script)
    os.chmod(file.name, 0o755)
    os.replace(file.name, folder / "ld")
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), str(folder)])

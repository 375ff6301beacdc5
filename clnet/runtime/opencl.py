"""The one place that imports pyopencl, after the environment has been prepared for it."""

from __future__ import annotations

import importlib
import os
import warnings
from typing import Any

from clnet.errors import DeviceError
from clnet.runtime import icd

icd.prepare()
os.environ.setdefault("PYOPENCL_NO_CACHE", "1")  # clnet keeps its own cache of programs

try:
    cl: Any = importlib.import_module("pyopencl")
except ImportError as error:
    raise DeviceError(
        f"pyopencl cannot be imported: {error}; `clnet doctor` says how to mend it"
    ) from None
# Compilers that talk about success would fill the user's screen; errors carry the log anyway.
warnings.filterwarnings("ignore", category=cl.CompilerWarning)

"""Builds OpenCL programs, one after the other, with whichever compiler is behind the device.

board_worker.py SOURCES.json    a list of texts; without one, the device is described

A line ``@@ NUMBER`` stands ahead of what each program makes the compiler print, ``@@ refused:
REASON`` behind it where it fails, and ``@@ end`` at the end.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from clnet.runtime.devices import devices
from clnet.runtime.opencl import cl


def say(text: str) -> None:
    """Print between what the compiler prints, which lies in the C library's buffers."""
    ctypes.CDLL(None).fflush(None)
    os.write(1, f"\n@@ {text}\n".encode())


def main() -> None:
    """Build all."""
    device = devices()[0]
    if not sys.argv[1]:
        say(f"device {json.dumps(asdict(device.info))}")
        return
    for number, source in enumerate(json.loads(Path(sys.argv[1]).read_text())):
        say(str(number))
        try:
            cl.Program(device.context, source).build(cache_dir=False)
        except cl.Error as error:
            say(f"refused: {str(error).splitlines()[0]}")
    say("end")


if __name__ == "__main__":
    main()

"""Builds programs in processes beside this one, for drivers that compile one at a time (PoCL).

They meet in the cache on disk: what a worker has built, this process loads.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence

from clnet.calls import KernelCall
from clnet.runtime.child import python_command


def start_worker(device_index: int, calls: Sequence[KernelCall]) -> subprocess.Popen[bytes]:
    """Start a process that builds the programs of ``calls``. Whatever befalls it, the programs are
    only missing from the cache afterwards; it must not be killed, as PoCL's own cache would suffer.
    """
    process = subprocess.Popen(
        python_command("-m", "clnet.runtime.build_worker"),
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,  # out of Ctrl-C's reach
    )  # fmt: skip
    assert process.stdin is not None
    with process.stdin as pipe:
        pickle.dump((device_index, list(calls)), pipe)
    return process


def main() -> None:
    """Build what stands on standard input."""
    from clnet.runtime.devices import devices
    from clnet.runtime.programs import ProgramCache

    index, calls = pickle.load(sys.stdin.buffer)
    cache = ProgramCache(devices()[index])
    for call in calls:
        cache.program(call)


if __name__ == "__main__":
    main()

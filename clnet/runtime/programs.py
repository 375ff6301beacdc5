"""Assembles kernel sources, builds them in parallel, and keeps their binaries on disk."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import platformdirs

from clnet.calls import Chain, KernelCall
from clnet.errors import BuildError
from clnet.runtime.build_worker import start_worker
from clnet.runtime.devices import Device
from clnet.runtime.opencl import cl
from clnet.runtime.source import assemble

_MAGIC = b"clnet-program-1\n"
#: The cache is pruned to this size, the longest unused first, so many seconds after the last time.
CACHE_BYTES, PRUNE_SECONDS = 512 << 20, 60.0
#: A build takes less: whoever holds a lock for longer has been stopped (Ctrl-Z).
LOCK_SECONDS = 20.0
#: Fewer new programs than this per process are not worth starting one.
PROGRAMS_PER_PROCESS = 5
OPTIONS = ("-cl-std=CL1.2", "-w")


def fix_local_size(call: KernelCall) -> KernelCall:
    """The call with a local size of its own choice that its source promises, for PoCL.

    PoCL makes a kernel's machine code when it knows the local size: at the first launch, unless the
    source tells. Without a wish of the call's, up to 64
    neighbours along the first dimension become one work-group.
    """
    sizes = call.local_size
    if sizes is None:
        first = next(n for n in range(64, 0, -1) if call.global_size[0] % n == 0)
        sizes = (first,) + (1,) * (len(call.global_size) - 1)
    promise = ", ".join(map(str, (*sizes, 1, 1)[:3]))
    attribute = f"__kernel __attribute__((reqd_work_group_size({promise})))"
    return replace(call, local_size=sizes, defines=(*call.defines, ("__kernel", attribute)))


def cache_folder() -> Path:
    """Where binaries are kept: ``CLNET_CACHE``, or the user's cache folder."""
    root = os.environ.get("CLNET_CACHE") or platformdirs.user_cache_dir("clnet")
    return Path(root) / "programs"


class ProgramCache:
    """Programs of one device: each is built once per process, and once per machine."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._built: dict[str, Any] = {}
        self._lock = threading.Lock()

    def build(self, calls: Iterable[KernelCall]) -> None:
        """Build all that the calls need, several at a time. Raises BuildError for the first bad."""
        sources = {self._key(c): c for c in map(self.fit, calls)}
        missing = [c for key, c in sources.items() if key not in self._built]
        if not missing:
            return
        if self._device.is_pocl:
            self._build_in_processes(missing)
        else:
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                list(pool.map(self.program, missing))
        _prune_if_due()

    def _build_in_processes(self, calls: list[KernelCall]) -> None:
        """PoCL compiles one program at a time per process, so others do it where it pays. A long
        chain has crashed its compiler: that is another's end then, and a BuildError here."""
        new = [c for c in calls if self._is_new(c)]
        parts = sum(len(c.parts) if isinstance(c, Chain) else 1 for c in new)
        count = min(os.cpu_count() or 1, len(new), parts // PROGRAMS_PER_PROCESS)
        workers = [start_worker(self._device.index, new[i::count]) for i in range(count)]
        statuses = [worker.wait() for worker in workers]
        lost = [c for c in new if isinstance(c, Chain) and self._is_new(c)]
        if lost and any(status < 0 for status in statuses):
            raise BuildError(f"{self._device}: the compiler crashed on a chain of kernels")
        for call in calls:
            self.program(call)

    def _is_new(self, call: KernelCall) -> bool:
        return not (cache_folder() / self._key(call)).exists()

    def fit(self, call: KernelCall) -> KernelCall:
        """The call as this device's driver likes it best."""
        return fix_local_size(call) if self._device.is_pocl else call

    def kernel(self, call: KernelCall) -> tuple[Any, tuple[int, ...] | None]:
        """A kernel object of its own, whose arguments can stay bound, and its local size."""
        call = self.fit(call)
        return cl.Kernel(self.program(call), call.kernel), call.local_size

    def program(self, call: KernelCall) -> Any:
        """The built program of a fitted call."""
        key = self._key(call)
        with self._lock:
            program = self._built.get(key)
        if program is None:
            with _alone(key):
                program = self._load(key) or self._compile(key, call)
            with self._lock:
                program = self._built.setdefault(key, program)
        return program

    def _key(self, call: KernelCall) -> str:
        info = self._device.info
        parts = (assemble(call), *OPTIONS, info.name, info.platform, info.driver)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _compile(self, key: str, call: KernelCall) -> Any:
        program = cl.Program(self._device.context, assemble(call))
        try:
            program.build(options=list(OPTIONS), cache_dir=False)
            cl.Kernel(program, call.kernel)  # some drivers (Mali) compile only here
        except cl.Error as error:
            log = " | ".join(line.strip() for line in str(error).splitlines()[:12] if line.strip())
            raise BuildError(f"{call.source}:{call.kernel} on {self._device}: {log}") from None
        _store(cache_folder() / key, program.get_info(cl.program_info.BINARIES)[0])
        return program

    def _from_binary(self, binary: bytes) -> Any:
        program = cl.Program(self._device.context, [self._device.cl_device], [binary])
        return program.build(options=list(OPTIONS), cache_dir=False)

    def _load(self, key: str) -> Any | None:
        binary = _read(cache_folder() / key)
        if binary is None:
            return None
        try:
            return self._from_binary(binary)
        except cl.Error:  # a binary of another driver build: compile the source instead
            return None


_caches: weakref.WeakKeyDictionary[Device, ProgramCache] = weakref.WeakKeyDictionary()


def program_cache(device: Device) -> ProgramCache:
    """The one program cache of a device."""
    return _caches.setdefault(device, ProgramCache(device))


@contextmanager
def _alone(key: str) -> Iterator[None]:
    """One process at a time builds a program: PoCL aborts where two do, as its own cache, which
    they share, holds halves of both. A process that was stopped holds others up for a while only.
    """
    folder = cache_folder().parent / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / key[:2]).open("w")
    except OSError:  # a read-only cache: nobody writes there, but nobody waits either
        yield
        return
    with file:
        deadline = time.monotonic() + LOCK_SECONDS
        while time.monotonic() < deadline:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.01)
        yield


def _read(path: Path) -> bytes | None:
    """A cached binary, or None where it is absent, damaged or not ours."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
                return None
            content = file.read()
        os.utime(path)
    except OSError:
        return None
    head, digest, binary = content[:16], content[16:48], content[48:]
    if head != _MAGIC or hashlib.sha256(binary).digest() != digest:
        return None
    return binary


def _store(path: Path, binary: bytes) -> None:
    """Keep a binary, whole or not at all. A cache that cannot be written is only slower."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            try:
                file.write(_MAGIC + hashlib.sha256(binary).digest() + binary)
                file.flush()
                os.replace(file.name, path)
            except OSError:
                os.unlink(file.name)


def _prune_if_due() -> None:
    """A tuner builds kernels by the thousand, and looking through the cache takes time."""
    marker = cache_folder().parent / "pruned"
    with suppress(OSError):
        if not marker.exists() or time.time() - marker.stat().st_mtime > PRUNE_SECONDS:
            marker.touch()
            prune_cache()


def prune_cache(limit: int = CACHE_BYTES) -> None:
    """Drop the longest unused binaries until the cache is within ``limit`` bytes."""
    try:
        entries = [(p.stat().st_mtime, p.stat().st_size, p) for p in cache_folder().iterdir()]
    except OSError:
        return
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= limit:
            break
        with suppress(OSError):  # not ours to delete
            path.unlink(missing_ok=True)
        total -= size

"""Files of tuning records: lines are appended, never changed.

Several processes may append at once, and any of them may be killed or find the disk full: a line
is written under a lock and taken back if it does not fit; a torn last line, which only a killed
process leaves, is closed by the next one and skipped by readers.
"""

from __future__ import annotations

import fcntl
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from clnet.tuning.record import RecordError, TuningRecord

#: A file that is larger is not read: records are a few hundred bytes each.
MAX_BYTES = 64 << 20


def user_records() -> Path:
    """Where the user's own records are kept: ``CLNET_CACHE``, or the user's data folder."""
    root = os.environ.get("CLNET_CACHE") or platformdirs.user_data_dir("clnet")
    return Path(root) / "tuning.jsonl"


def append(path: Path, record: TuningRecord) -> None:
    """Add a record. Raises OSError where it cannot be kept; the file then is as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        end = os.fstat(descriptor).st_size
        torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
        line = b"\n" * torn + record.to_json().encode() + b"\n"
        try:
            written = os.write(descriptor, line)
            if written < len(line):
                raise OSError(f"{path}: no room for a record")
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, end)
            raise
    finally:
        os.close(descriptor)


def read(path: Path) -> Iterator[TuningRecord]:
    """The records of a file in order; nothing where there is no file. Lines that are not records
    are skipped with one warning."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return
    except OSError as error:
        warnings.warn(f"tuning records cannot be read: {error}", stacklevel=2)
        return
    if len(content) > MAX_BYTES:
        warnings.warn(f"{path}: too large for tuning records: not read", stacklevel=2)
        return
    bad = []
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            try:
                yield TuningRecord.from_json(line.decode(errors="replace"))
            except RecordError as error:
                bad.append(f"line {number}: {error}")
    if bad:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        warnings.warn(f"{path}: {bad[0]}{more}: skipped", stacklevel=2)

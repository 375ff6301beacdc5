"""The chooser that sessions use unless told otherwise: the user's tuning records, then the boards',
else the untuned default."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from clnet.resources import boards_path
from clnet.runtime.devices import Device
from clnet.tuning import clblast, store
from clnet.tuning.choice import RecordedChoice
from clnet.tuning.record import TuningRecord


def tuned_choice(device: Device) -> RecordedChoice:
    """What is known of this device from files. Nothing is measured. From now on CLBlast computes as
    is recorded there, too."""
    choice = RecordedChoice(device.info, records(store.user_records()), board_records())
    clblast.apply(device, choice)
    return choice


def board_records() -> Iterator[TuningRecord]:
    """The records that come with clnet, of all boards: each names the device that it is for."""
    for path in sorted(boards_path().glob("*.tuning.jsonl")):
        yield from records(path)


def records(path: Path) -> tuple[TuningRecord, ...]:
    """The records of a file, read again only when it has changed."""
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return _records(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)
def _records(path: Path, changed: int, size: int) -> tuple[TuningRecord, ...]:
    return tuple(store.read(path))

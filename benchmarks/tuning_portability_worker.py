"""`python -m benchmarks.tuning_portability_worker MODEL NAME=RECORDS ...`: milliseconds of a run of
the model on this device, untuned and with each file's records, taken in turn."""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from clnet.importers import read_model
from clnet.runtime.devices import find_device
from clnet.session.compile import Chooser, first_candidate
from clnet.session.session import Session
from clnet.session.tune import seconds_per_run
from clnet.tuning import store
from clnet.tuning.choice import RecordedChoice
from clnet.tuning.record import DeviceKey

ROUNDS, ROUND_SECONDS = 7, 0.3


def main(arguments: list[str]) -> None:
    """Print a line of JSON."""
    device, model = find_device(), Path(arguments[0])
    key = DeviceKey.of(device.info)
    choices: dict[str, Chooser] = {"untuned": first_candidate}
    for name, _, path in (a.partition("=") for a in arguments[1:]):
        records = [replace(r, device=key) for r in store.read(Path(path))]
        choices[name] = RecordedChoice(device.info, records)
    sessions = {
        name: Session(lambda shapes: read_model(model, shapes), device, choose=choose)
        for name, choose in choices.items()
    }
    samples: dict[str, list[float]] = {name: [] for name in sessions}
    for session in sessions.values():
        for info in session.inputs:
            with session.map_input(info.name) as view:
                view[...] = np.float32(0.5)
        seconds_per_run(session, 2)
    count = max(1, round(ROUND_SECONDS / seconds_per_run(sessions["untuned"], 2)))
    for _ in range(ROUNDS):
        for name, session in sessions.items():
            samples[name].append(seconds_per_run(session, count))
    print(json.dumps({name: statistics.median(s) * 1e3 for name, s in samples.items()}))


if __name__ == "__main__":
    main(sys.argv[1:])

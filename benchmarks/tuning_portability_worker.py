"""`python -m benchmarks.tuning_portability_worker MODEL NAME=RECORDS ...`: milliseconds of a run of
the model on this device, untuned and with each file's records, taken in turn."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from clnet.importers import read_model
from clnet.runtime.devices import find_device
from clnet.session.compare import compare
from clnet.session.compile import Chooser, compile_graph, first_candidate
from clnet.tuning import store
from clnet.tuning.choice import RecordedChoice
from clnet.tuning.record import DeviceKey


def main(arguments: list[str]) -> None:
    """Print a line of JSON."""
    device, model = find_device(), Path(arguments[0])
    key = DeviceKey.of(device.info)
    choices: dict[str, Chooser] = {"untuned": first_candidate}
    for name, _, path in (a.partition("=") for a in arguments[1:]):
        records = [replace(r, device=key) for r in store.read(Path(path))]
        choices[name] = RecordedChoice(device.info, records)
    models = [
        compile_graph(read_model(model), device, choose=choose) for choose in choices.values()
    ]
    times, _ = compare(models)
    print(json.dumps({name: t * 1e3 for name, t in zip(choices, times, strict=True)}))


if __name__ == "__main__":
    main(sys.argv[1:])

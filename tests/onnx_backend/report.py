"""Runs ONNX's own backend tests through clnet and tells what passed, what failed, and what was
left out for which reason: ``python -m onnx_backend.report [PART OF A NAME]``."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import textwrap
import warnings
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from onnx_backend.cases import BackendCase, load_cases
from onnx_backend.exclusions import reason_to_exclude

_CASES: dict[str, BackendCase] = {}  # for the workers, which are forked off


def outcome(name: str) -> str | None:
    """What went wrong with a case, in one line, or None."""
    try:
        _CASES[name].run()
    except Exception as error:  # whatever it is, it is the report's content
        lines = [line for line in str(error).splitlines() if line.strip()]
        return f"{type(error).__name__}: {' '.join(lines[:4])[:300]}"
    return None


def main(part: str = "") -> int:
    """Run all cases whose names contain ``part``. Returns how many failed, at most 1."""
    warnings.simplefilter("ignore")  # ONNX's scripts provoke NumPy's
    with contextlib.redirect_stdout(io.StringIO()):
        cases = [case for case in load_cases() if part in case.name]
    excluded: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        reason = reason_to_exclude(case.model())
        if reason is None:
            _CASES[case.name] = case
        else:
            excluded[reason].append(case.name)
    for reason, names in sorted(excluded.items()):
        print(f"EXCLUDED {len(names)}: {reason}")
        print(textwrap.fill(" ".join(names), 100, initial_indent="  ", subsequent_indent="  "))
    failed = 0
    with ProcessPoolExecutor(os.cpu_count(), get_context("fork")) as pool:
        outcomes = pool.map(outcome, _CASES, chunksize=8)
        try:
            for name, error in zip(_CASES, outcomes, strict=True):
                if error is not None:
                    failed += 1
                    print(f"FAILED {name}: {error}", flush=True)
        except BrokenProcessPool:
            print("FAILED: a worker process crashed")
            return 1
    left_out = sum(map(len, excluded.values()))
    print(f"{len(_CASES) - failed} passed, {failed} failed, {left_out} excluded")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

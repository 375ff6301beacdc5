"""Runs ONNX's own backend tests through clnet and tells what passed, what failed, and what was
left out for which reason: ``python -m onnx_backend.report [PART OF A NAME [EVERY]]``."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import textwrap
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from threading import Lock

from onnx_backend.cases import BackendCase, load_cases
from onnx_backend.exclusions import reason_beyond_tensors, reason_to_exclude

#: Seconds for one case; a process that takes longer is ended.
PATIENCE = 120
_FORK = Lock()  # or a process would inherit, and keep open, the pipe of another lane
_CASES: dict[str, BackendCase] = {}  # for the workers, which are forked off


def outcome(name: str) -> str | None:
    """What went wrong with a case, in one line, or None."""
    try:
        _CASES[name].run()
    except Exception as error:  # whatever it is, it is the report's content
        lines = [line for line in str(error).splitlines() if line.strip()]
        return f"{type(error).__name__}: {' '.join(lines[:4])[:300]}"
    return None


def outcomes(names: list[str]) -> Iterator[tuple[str, str | None]]:
    """Each case with its outcome. As many processes as cores share the cases; where one dies, the
    case it was at has failed, and another process takes over."""
    lanes = os.cpu_count() or 1
    with ThreadPoolExecutor(lanes) as pool:
        for lane in pool.map(_lane, [names[i::lanes] for i in range(lanes)]):
            yield from lane


def _lane(names: list[str]) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    while len(found) < len(names):
        with _FORK:
            here, there = Pipe(duplex=False)
            process = get_context("fork").Process(target=_work, args=(names[len(found) :], there))
            process.start()
            there.close()
        try:
            while len(found) < len(names):
                if not here.poll(PATIENCE):
                    process.kill()
                found.append((names[len(found)], here.recv()))
        except EOFError:
            process.join()
            found.append((names[len(found)], f"the process ended with {process.exitcode}"))
    return found


def _work(names: list[str], results: Connection) -> None:
    for name in names:
        results.send(outcome(name))


def main(part: str = "", every: str = "1") -> int:
    """Run all cases whose names contain ``part``, or ``every`` so many of them only the first.
    Returns how many failed, at most 1."""
    warnings.simplefilter("ignore")  # ONNX's scripts provoke NumPy's
    with contextlib.redirect_stdout(io.StringIO()):
        cases = [case for case in load_cases() if part in case.name][:: int(every)]
    excluded: dict[str, list[str]] = defaultdict(list)
    of_tensors = Counter[str]()
    passed = Counter[str]()
    for case in cases:
        model = case.model()
        reason = reason_beyond_tensors(model)
        of_tensors[case.kind] += reason is None
        reason = reason or reason_to_exclude(case.name, model)
        if reason is None:
            _CASES[case.name] = case
        else:
            excluded[reason].append(case.name)
    for reason, names in sorted(excluded.items()):
        print(f"EXCLUDED {len(names)}: {reason}")
        print(textwrap.fill(" ".join(names), 100, initial_indent="  ", subsequent_indent="  "))
    for name, error in outcomes(list(_CASES)):
        if error is None:
            passed[_CASES[name].kind] += 1
        else:
            print(f"FAILED {name}: {error}", flush=True)
    for kind, count in of_tensors.items():
        share = passed[kind] / max(1, count)
        print(f"{kind}: {passed[kind]} of {count} cases of tensors passed ({share:.1%})")
    failed = len(_CASES) - passed.total()
    print(f"{passed.total()} passed, {failed} failed, {len(cases) - len(_CASES)} excluded")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

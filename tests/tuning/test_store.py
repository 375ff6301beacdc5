"""Records survive what befalls files: torn lines, full disks, kills, other writers."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from clnet.tuning import store
from clnet.tuning.record import DeviceKey, RecordError, TuningRecord, WorkloadKey
from clnet.tuning.space import Point

RECORD = TuningRecord(
    WorkloadKey("Conv", "Conv()", ("float32", "*float32"), ((1, 3, 8, 8), (4, 3, 3, 3))),
    DeviceKey("a cpu", "PoCL", "3.1", 2), "0123", Point.of("channels", {"TILE": 4}),
    1e-3, 1e-5, 2e-3, "2026-11-21", "0.1.0",
)  # fmt: skip

WRITER = """
import sys
sys.path[:0] = [{tests!r}, {root!r}]
from dataclasses import replace
from pathlib import Path
from clnet.tuning import store
from tuning.test_store import RECORD
for number in range({count}):
    store.append(Path(sys.argv[1]), replace(RECORD, source=f"{{sys.argv[2]}}-{{number}}"))
    print(number, flush=True)
"""


def writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    tests = Path(__file__).parents[1]
    code = WRITER.format(tests=str(tests), root=str(tests.parent), count=count)
    command = [sys.executable, "-c", code, str(path), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_record_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "records.jsonl"
    store.append(path, RECORD)
    store.append(path, replace(RECORD, source="4567"))
    assert [r.source for r in store.read(path)] == ["0123", "4567"]
    assert next(store.read(path)) == RECORD


def test_no_file_is_no_record(tmp_path: Path) -> None:
    assert list(store.read(tmp_path / "absent.jsonl")) == []


GOOD = json.loads(RECORD.to_json())


@pytest.mark.parametrize(
    "line",
    [
        "", "{", "null", "[]", '{"workload": 1}', "\x00\xff", "[" * 5000, '"' + "x" * 70_000 + '"',
        json.dumps({**GOOD, "seconds": "soon"}), json.dumps({**GOOD, "seconds": float("nan")}),
        json.dumps({**GOOD, "point": {"candidate": 1, "values": {}}}),
        json.dumps({**GOOD, "point": {"candidate": "x", "values": {"T": "__kernel"}}}),
        json.dumps({**GOOD, "device": None}),
    ],
    ids=range(13),
)  # fmt: skip
def test_a_damaged_line_is_refused(line: str) -> None:
    with pytest.raises(RecordError, match="not a tuning record"):
        TuningRecord.from_json(line)


def test_damaged_lines_are_skipped_with_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    good = RECORD.to_json()
    path.write_text(f"{good}\nnonsense\n\n{good[:50]}\n{good}\n")
    with pytest.warns(UserWarning, match="line 2.*and 1 more: skipped") as warned:
        assert list(store.read(path)) == [RECORD, RECORD]
    assert len(warned) == 1


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    store.append(path, RECORD)
    with path.open("a") as file:
        file.write(RECORD.to_json()[:100])  # a process was killed here
    store.append(path, RECORD)
    with pytest.warns(UserWarning, match="line 2"):
        assert list(store.read(path)) == [RECORD, RECORD]


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    path, count = tmp_path / "records.jsonl", 60
    writers = [writer(path, name, count) for name in "ab"]
    assert [w.wait() for w in writers if w.communicate()] == [0, 0]
    sources = sorted(r.source for r in store.read(path))
    assert sources == sorted(f"{name}-{i}" for name in "ab" for i in range(count))


def test_killed_writers_leave_all_that_was_finished(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    finished = 0
    for attempt in range(4):
        process = writer(path, str(attempt), 100_000)
        assert process.stdout is not None
        process.stdout.readline()  # it writes now
        time.sleep(0.02 * attempt)
        process.send_signal(signal.SIGKILL)
        finished += 1 + len(process.communicate()[0].splitlines())
    store.append(path, RECORD)
    kept = sum(1 for _ in store.read(path))
    assert kept >= finished + 1  # one more may be written than was said


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    store.append(path, RECORD)
    before = path.read_bytes()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 40, len(before) + 40))
        try:
            store.append(path, RECORD)
        except OSError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert path.read_bytes() == before


def test_where_nothing_can_be_written_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(OSError, match="Read-only"):
        store.append(tmp_path / "records.jsonl", RECORD)

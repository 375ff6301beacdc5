"""Programs kept on disk: used when whole and our own, built anew otherwise."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from harness import check, device

from clnet.calls import KernelCall
from clnet.errors import BuildError
from clnet.ops import Arg, Case
from clnet.ops.cast import Cast
from clnet.runtime import programs
from clnet.runtime.programs import ProgramCache, cache_folder, prune_cache

CALL = KernelCall("cast", "cast", (), (64,))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.setenv("CLNET_CACHE", str(tmp_path))
    return cache_folder()


def builds(call: KernelCall = CALL) -> int:
    """How often a new process would compile the call's source."""
    compile_source = ProgramCache._compile
    with mock.patch.object(
        ProgramCache, "_compile", autospec=True, side_effect=compile_source
    ) as m:
        ProgramCache(device()).kernel(call)
    return m.call_count


def entry(folder: Path) -> Path:
    """The one entry, after a first build."""
    assert builds() == 1
    (path,) = folder.iterdir()
    return path


def test_the_second_process_builds_nothing(folder: Path) -> None:
    entry(folder)
    assert builds() == 0


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def of_another_driver(path: Path) -> None:
    """Whole, but not a binary that this driver made."""
    path.unlink()
    programs._store(path, b"\x7fELF of another world" * 50)


def writable_by_others(path: Path) -> None:
    path.chmod(0o666)


def of_another_user(path: Path) -> None:
    if os.getuid():
        pytest.skip("only root can give a file away")
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize(
    "damage",
    [flip_a_bit, truncate, empty, of_another_driver, writable_by_others, of_another_user],
)
def test_a_bad_entry_is_built_anew_and_replaced(
    folder: Path, damage: Callable[[Path], None]
) -> None:
    damage(entry(folder))
    assert builds() == 1
    assert builds() == 0


def test_the_rebuilt_program_computes(folder: Path) -> None:
    case = Case(Cast("int32"), (Arg((50,), "float32", -9, 9),))
    with mock.patch.object(programs, "_caches", {}):
        check(case)
    for path in folder.iterdir():
        flip_a_bit(path)
    with mock.patch.object(programs, "_caches", {}):
        check(case)


def test_a_read_only_cache_only_slows_down(folder: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read-only")

    with mock.patch.object(programs.tempfile, "NamedTemporaryFile", refuse):
        assert builds() == 1
        assert builds() == 1


def test_a_cache_that_cannot_be_replaced_leaves_nothing_behind(folder: Path) -> None:
    with mock.patch.object(programs.os, "replace", side_effect=PermissionError):
        assert builds() == 1
    assert list(folder.iterdir()) == []


def test_a_file_in_the_folders_place_only_slows_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CLNET_CACHE", str(tmp_path / "file"))
    assert builds() == 1


def test_the_key_holds_what_the_binary_depends_on() -> None:
    cache = ProgramCache(device())
    keys = {cache._key(CALL), cache._key(KernelCall("cast", "cast", (), (64,), None, (("A", 1),)))}
    for field in ("name", "platform", "driver"):
        other = mock.Mock(info=replace(device().info, **{field: "other"}))
        keys.add(ProgramCache(other)._key(CALL))
    with mock.patch.object(programs, "assemble", lambda call: "other source"):
        keys.add(cache._key(CALL))
    assert len(keys) == 6


def test_pruning_drops_the_longest_unused(folder: Path) -> None:
    folder.mkdir(parents=True)
    for age, name in enumerate("dcba"):
        (folder / name).write_bytes(bytes(100))
        os.utime(folder / name, (1000 - age, 1000 - age))
    prune_cache(250)
    assert sorted(p.name for p in folder.iterdir()) == ["c", "d"]


def test_pruning_gives_way_where_it_may_not_delete(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "a").write_bytes(bytes(100))
    with mock.patch.object(Path, "unlink", side_effect=PermissionError):
        prune_cache(0)


def test_a_kernel_that_does_not_compile_is_one_clear_error() -> None:
    broken = KernelCall("cast", "cast", (), (64,), None, (("SOURCE", "no_such_type"),))
    with pytest.raises(BuildError, match=r"cast:cast on .*no_such_type") as caught:
        ProgramCache(device()).program(broken)
    assert "\n" not in str(caught.value)


def test_programs_build_at_once(folder: Path) -> None:
    calls = [KernelCall("cast", "cast", (), (64,), None, (("UNUSED", n),)) for n in range(4)]
    ProgramCache(device()).build(calls)
    assert len(list(folder.iterdir())) == 4
    assert np.all([builds(call) == 0 for call in calls])


def test_a_process_that_was_stopped_does_not_hold_others_up(folder: Path) -> None:
    locks = folder.parent / "locks"
    locks.mkdir(parents=True)
    cache = ProgramCache(device())
    with (
        (locks / cache._key(CALL)[:2]).open("w") as held,
        mock.patch.object(programs, "LOCK_SECONDS", 0.2),
    ):
        fcntl.flock(held, fcntl.LOCK_EX)
        assert cache.program(CALL)

"""The linker that PoCL is lent. Nothing here needs PoCL or the package that brings the linker."""

from __future__ import annotations

import importlib.machinery
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from clnet.runtime import linker


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without `ld` whose `zig` prints its arguments."""
    programs = tmp_path / "bin"
    programs.mkdir()
    package = tmp_path / "zig lang"
    package.mkdir()
    zig = package / "zig"
    zig.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    zig.chmod(0o755)
    spec = importlib.machinery.ModuleSpec("ziglang", None, origin=str(package / "__init__.py"))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(linker.importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(linker.platformdirs, "user_cache_path", lambda name: tmp_path / name)
    return tmp_path


def test_a_machines_own_linker_stays(bare: Path) -> None:
    own = bare / "bin" / "ld"
    own.touch(mode=0o755)
    linker.lend_linker()
    assert shutil.which("ld") == str(own)
    assert not (bare / "clnet").exists()


def test_without_the_package_nothing_changes(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linker.importlib.util, "find_spec", lambda name: None)
    linker.lend_linker()
    assert os.environ["PATH"] == str(bare / "bin")


def test_lends_a_linker_that_wants_no_development_files(bare: Path) -> None:
    linker.lend_linker()
    linker.lend_linker()
    lent = shutil.which("ld")
    assert lent == str(bare / "clnet" / "linker" / "ld")
    assert os.environ["PATH"].count(os.pathsep) == 1
    arguments = ["-shared", "-L/usr/lib", "-o", "a b.so", "k.o", "-lgcc", "--as-needed", "-lc"]
    printed = subprocess.run([lent, *arguments], capture_output=True, text=True, check=True)
    assert printed.stdout.splitlines() == ["ld.lld", "-shared", "-o", "a b.so", "k.o"]

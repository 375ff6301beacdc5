"""What OpenCL's loader is shown. Nothing here needs an OpenCL implementation."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from clnet.runtime import icd

LOADABLE = "libc.so.6"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty /etc/OpenCL/vendors, an empty cache and nothing from pip."""
    vendors = tmp_path / "vendors"
    vendors.mkdir()
    # An empty value is both 'not set' to the code and put back by monkeypatch afterwards.
    for name in (*icd.LOADER_VARIABLES, "POCL_AFFINITY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(icd, "_SYSTEM_VENDORS", vendors)
    monkeypatch.setattr(icd, "_FROM_PIP", {})
    monkeypatch.setattr(icd, "_UNREGISTERED", ())
    monkeypatch.setattr(icd, "_bundled_with_pyopencl", lambda: None)
    monkeypatch.setattr(icd.platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path


def shown(machine: Path) -> dict[str, str]:
    """The files that the loader is shown instead of the system's."""
    return icd._registered(Path(os.environ["OCL_ICD_VENDORS"]))


def from_pip(monkeypatch: pytest.MonkeyPatch, library: Path) -> None:
    monkeypatch.setattr(icd, "_FROM_PIP", {"an-opencl": library.name})
    monkeypatch.setattr(icd, "_file_from_pip", lambda distribution, name: library)


def test_leaves_the_loader_alone_where_nothing_is_missed(machine: Path) -> None:
    (machine / "vendors" / "pocl.icd").write_text("libpocl.so\n")
    icd.prepare()
    assert "OCL_ICD_VENDORS" not in os.environ
    assert not (machine / "cache").exists()


def test_pins_pocls_threads_unless_the_user_says_otherwise(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    icd.prepare()
    assert os.environ["POCL_AFFINITY"] == "1"
    monkeypatch.setenv("POCL_AFFINITY", "0")
    icd.prepare()
    assert os.environ["POCL_AFFINITY"] == "0"


def test_shows_what_pip_installed_beside_the_systems_own(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine / "vendors" / "mesa.icd").write_text("libMesaOpenCL.so.1\n")
    from_pip(monkeypatch, machine / "lib" / "libintelocl.so")
    icd.prepare()
    expected = {
        "mesa.icd": "libMesaOpenCL.so.1",
        "pip-an-opencl.icd": str(machine / "lib" / "libintelocl.so"),
    }
    assert shown(machine) == expected
    icd.prepare()
    assert shown(machine) == expected
    assert len(list((machine / "cache" / "clnet" / "opencl-vendors").iterdir())) == 1


def test_a_second_process_reuses_the_folder(machine: Path) -> None:
    files = {"a.icd": "liba.so"}
    first = icd._vendors_folder(files)
    before = (first / "a.icd").stat().st_mtime_ns
    assert icd._vendors_folder(files) == first
    assert (first / "a.icd").stat().st_mtime_ns == before
    assert icd._vendors_folder({"a.icd": "other.so"}) != first


@pytest.mark.parametrize("variable", icd.LOADER_VARIABLES)
def test_respects_the_users_choice(
    machine: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    from_pip(monkeypatch, machine / "libintelocl.so")
    monkeypatch.setenv(variable, "/elsewhere")
    icd.prepare()
    assert os.environ[variable] == "/elsewhere"
    assert variable == "OCL_ICD_VENDORS" or "OCL_ICD_VENDORS" not in os.environ


def test_an_unreadable_file_does_not_hide_the_rest(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine / "vendors" / "gone.icd").symlink_to(machine / "nowhere")
    (machine / "vendors" / "good.icd").write_text("libgood.so")
    from_pip(monkeypatch, machine / "libpip.so")
    icd.prepare()
    assert shown(machine).keys() == {"good.icd", "pip-an-opencl.icd"}


def test_a_cache_that_cannot_be_written_is_said_and_survived(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine / "cache").write_text("in the way")
    from_pip(monkeypatch, machine / "libpip.so")
    with pytest.warns(UserWarning, match=r"pip-an-opencl\.icd stays invisible"):
        icd.prepare()
    assert "OCL_ICD_VENDORS" not in os.environ


def test_registers_a_driver_that_came_without_a_file(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign = machine / "mali0"
    monkeypatch.setattr(icd, "_UNREGISTERED", ((sign, "mali", ("libabsent.so.1", LOADABLE)),))
    icd.prepare()
    assert "OCL_ICD_VENDORS" not in os.environ  # no such GPU
    sign.touch()
    icd.prepare()
    assert shown(machine) == {"mali.icd": LOADABLE}


def test_a_registered_driver_is_not_registered_twice(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(icd, "_UNREGISTERED", ((machine, "mali", (LOADABLE,)),))
    (machine / "vendors" / "vendor.icd").write_text("/usr/lib/libmali-g610.so")
    icd.prepare()
    assert "OCL_ICD_VENDORS" not in os.environ


def test_pips_pocl_is_added_only_for_a_loader_that_does_not_know_it(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = machine / ".libs"
    bundled.mkdir()
    (bundled / "pocl.icd").write_text("libpocl-0.so")
    monkeypatch.setattr(icd, "_bundled_with_pyopencl", lambda: bundled)
    (bundled / "libOpenCL-0.so").touch()
    icd.prepare()
    assert "OCL_ICD_VENDORS" not in os.environ
    (bundled / "libOpenCL-0.so").unlink()
    icd.prepare()
    assert shown(machine) == {"pip-pocl.icd": str(bundled / "libpocl-0.so")}


def test_files_tell_which_library_loads(machine: Path) -> None:
    vendors = machine / "vendors"
    (vendors / "a-good.icd").write_text(LOADABLE)
    (vendors / "b-absent.icd").write_text("libabsent.so.7\n")
    (vendors / "c-empty.icd").write_text("\n")
    (vendors / "d-gone.icd").symlink_to(machine / "nowhere")
    good, absent, empty, gone = icd.icd_files()
    assert (good.library, good.loads, good.error) == (LOADABLE, True, "")
    assert not absent.loads and absent.error.startswith("libabsent.so.7: cannot open shared")
    assert not empty.loads and empty.error == "the file is empty"
    assert not gone.loads and "No such file" in gone.error


def test_a_library_that_kills_the_process_is_named(machine: Path) -> None:
    source = "__attribute__((constructor)) static void f(void) { __builtin_trap(); }"
    library = machine / "libdies.so"
    try:
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)],
            input=source, text=True, check=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("no C compiler")
    (machine / "vendors" / "dies.icd").write_text(str(library))
    (found,) = icd.icd_files()
    assert not found.loads and "signal" in found.error

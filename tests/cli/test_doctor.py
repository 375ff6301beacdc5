"""doctor on machines that lack things: what it says, and the command that it gives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clnet.cli import main
from clnet.cli.doctor import gpus, libraries, survey
from clnet.cli.doctor.finding import Finding
from clnet.cli.doctor.machine import Gpu, Machine
from clnet.cli.doctor.survey import Device, Platform, Survey
from clnet.runtime.icd import IcdFile

POCL = IcdFile(Path("/etc/OpenCL/vendors/pocl.icd"), "libpocl.so.2", True)
RUSTICL = IcdFile(Path("/etc/OpenCL/vendors/rusticl.icd"), "libRusticlOpenCL.so.1", True)
CPU = Device(0, "0:0", "a cpu", "Portable Computing Language", "", "cpu")
GPU = Device(1, "1:0", "Mali-G610", "rusticl", "", "gpu")
ON_CPU = Survey("libOpenCL.so.1", (Platform("Portable Computing Language", "3"),), (CPU,))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """An arm64 board without anything, and a user who is not root."""
    return Machine(tmp_path, environment={}, architecture="aarch64", is_root=False)


def make(machine: Machine, *files: str) -> None:
    for file in files:
        path = machine.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def render_node(machine: Machine, driver: str) -> None:
    make(machine, "dev/dri/renderD128", f"sys/bus/drivers/{driver}/bind")
    device = machine.root / "sys/class/drm/renderD128/device"
    device.mkdir(parents=True)
    (device / "driver").symlink_to(machine.root / "sys/bus/drivers" / driver)


def about(findings: list[Finding], word: str) -> Finding:
    (found,) = (f for f in findings if word in f"{f.what} {f.detail}")
    return found


def test_no_driver_at_all(machine: Machine) -> None:
    (finding,) = libraries.icd_files([], machine)
    assert finding.status == "failed" and finding.fix == "sudo apt install pocl-opencl-icd"


def test_pips_pocl_is_offered_where_it_exists(tmp_path: Path) -> None:
    pc = Machine(tmp_path, {}, "x86_64", is_root=False)
    (finding,) = libraries.icd_files([], pc)
    assert "pip install pocl-binary-distribution" in finding.fix
    assert libraries.pocl(Machine(tmp_path, {}, "x86_64", is_root=True)) == (
        "apt install pocl-opencl-icd"
    )


def test_a_variable_that_hides_the_drivers(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"OCL_ICD_VENDORS": "/nowhere"})
    (finding,) = libraries.icd_files([], machine)
    assert "/nowhere" in finding.detail and finding.fix == "unset OCL_ICD_VENDORS"


@pytest.mark.parametrize(
    ("library", "fix"),
    [
        ("libpocl.so.2.10.0", "sudo apt install --reinstall pocl-opencl-icd"),
        ("libRusticlOpenCL.so.1", "sudo apt install --reinstall mesa-opencl-icd"),
        ("libforgotten.so", "sudo rm /etc/OpenCL/vendors/x.icd"),
    ],
)
def test_an_icd_file_whose_library_does_not_load(machine: Machine, library: str, fix: str) -> None:
    file = IcdFile(Path("/etc/OpenCL/vendors/x.icd"), library, False, f"{library}: not found")
    (finding,) = libraries.icd_files([file], machine)
    assert (finding.status, finding.fix) == ("failed", fix)
    assert library in finding.detail


def test_pocl_without_a_linker(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(machine.root))
    finding = libraries.icd_files([POCL], machine)[-1]
    assert finding.status == "failed" and "apt install binutils" in finding.fix


def test_no_loader(machine: Machine) -> None:
    reason = "pyopencl cannot be imported: libOpenCL.so.1: cannot open shared object file"
    (finding,) = libraries.loader(Survey(error=reason), [POCL], machine)
    assert finding.status == "failed" and finding.fix == "sudo apt install ocl-icd-libopencl1"
    reason = "pyopencl cannot be imported: No module named 'pyopencl'"
    (finding,) = libraries.loader(Survey(error=reason), [POCL], machine)
    assert "-m pip install" in finding.fix and "pyopencl" in finding.fix


def test_a_driver_that_breaks_all_others_can_be_found(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", "import os; os.abort()"]
    monkeypatch.setattr(survey, "python_command", lambda *arguments: command)
    (finding,) = libraries.loader(survey.survey(), [POCL, RUSTICL], machine)
    assert (finding.status, finding.detail) == ("failed", "a driver crashes (signal 6)")
    assert finding.fix.splitlines() == [
        "OCL_ICD_VENDORS=/etc/OpenCL/vendors/pocl.icd clnet doctor",
        "OCL_ICD_VENDORS=/etc/OpenCL/vendors/rusticl.icd clnet doctor",
    ]


def test_a_platform_without_devices(machine: Machine) -> None:
    alone, last = libraries.platforms(Survey("l", (Platform("rusticl", "3"),)), machine)
    assert alone.status == "note" and last.status == "failed" and last.fix


def test_arms_driver_without_its_icd_file(machine: Machine) -> None:
    make(machine, "dev/mali0", "usr/lib/aarch64-linux-gnu/libmali-valhall-g610-g6p0-x11.so")
    finding = about(gpus.gpus(ON_CPU, [POCL], machine), "no ICD file")
    assert finding.fix == (
        "sudo mkdir -p /etc/OpenCL/vendors && "
        "echo /usr/lib/aarch64-linux-gnu/libmali-valhall-g610-g6p0-x11.so"
        " | sudo tee /etc/OpenCL/vendors/mali.icd"
    )


def test_arms_driver_missing_or_mismatched(machine: Machine) -> None:
    make(machine, "dev/mali0")
    assert "apt-cache search libmali" in about(gpus.gpus(ON_CPU, [], machine), "not installed").fix
    make(machine, "usr/lib/libmali.so")
    mali = IcdFile(Path("mali.icd"), "libmali.so", True)
    assert "version" in about(gpus.gpus(ON_CPU, [mali], machine), "finds no GPU").detail


@pytest.mark.parametrize(
    ("driver", "name"),
    [("panthor", "panfrost"), ("panfrost", "panfrost"), ("v3d", "v3d"), ("msm", "freedreno")],
)
def test_mesa_needs_to_be_told(machine: Machine, driver: str, name: str) -> None:
    render_node(machine, driver)
    finding = about(gpus.gpus(ON_CPU, [POCL, RUSTICL], machine), "RUSTICL_ENABLE is not set")
    assert finding.fix == f"export RUSTICL_ENABLE={name}"
    finding = about(gpus.gpus(ON_CPU, [POCL], machine), "not installed")
    assert finding.fix == f"sudo apt install mesa-opencl-icd\nexport RUSTICL_ENABLE={name}"
    told = Machine(machine.root, {"RUSTICL_ENABLE": f"llvmpipe,{name}:0"}, is_root=False)
    assert "no device appears" in about(gpus.gpus(ON_CPU, [RUSTICL], told), "is set, but").detail


def test_intel_graphics(machine: Machine) -> None:
    render_node(machine, "i915")
    finding = about(gpus.gpus(ON_CPU, [POCL], machine), "Intel's OpenCL driver")
    assert finding.fix == "sudo apt install intel-opencl-icd"


def test_a_user_outside_the_render_group(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    render_node(machine, "i915")
    monkeypatch.setattr(Machine, "may_use", lambda self, gpu: False)
    monkeypatch.setattr(Machine, "group", lambda self, gpu: "render")
    finding = about(gpus.gpus(ON_CPU, [POCL], machine), "may not open")
    assert finding.status == "failed"
    assert finding.fix.startswith("sudo usermod -aG render $USER")


def test_a_gpu_beside_software_only(machine: Machine) -> None:
    render_node(machine, "panfrost")
    assert about(gpus.gpus(ON_CPU, [POCL], machine), "idle").status == "warning"
    served = Survey("l", ON_CPU.platforms, (CPU, GPU))
    findings = gpus.gpus(served, [POCL, RUSTICL], machine)
    assert [f.status for f in findings] == ["ok"]
    assert findings[0].what == "/dev/dri/renderD128 (panfrost)"


def test_nvidia(machine: Machine) -> None:
    make(machine, "proc/driver/nvidia/version", "usr/lib/libnvidia-opencl.so.1")
    finding = about(gpus.gpus(ON_CPU, [POCL], machine), "ICD file")
    assert finding.fix.endswith("tee /etc/OpenCL/vendors/nvidia.icd")


def test_boards(machine: Machine) -> None:
    make(machine, "proc/device-tree/model")
    model = machine.root / "proc/device-tree/model"
    model.write_text("Raspberry Pi 5 Model B Rev 1.0\0")
    finding = about(gpus.gpus(ON_CPU, [], machine), "Raspberry Pi 5")
    assert "faster than its GPU" in finding.detail and "pocl" in finding.fix
    assert not about(gpus.gpus(ON_CPU, [POCL], machine), "Raspberry Pi 5").fix
    model.write_text("NVIDIA Jetson Nano Developer Kit\0")
    make(machine, "proc/driver/nvidia/version")
    assert "no OpenCL on Jetson" in about(gpus.gpus(ON_CPU, [], machine), "Jetson").detail


def test_a_gpus_group_is_read_from_its_file(machine: Machine) -> None:
    make(machine, "dev/mali0")
    node = machine.root / "dev/mali0"
    assert machine.group(Gpu(node, "mali")) == node.group()


def run_child(monkeypatch: pytest.MonkeyPatch, code: str) -> list[Finding]:
    command = [sys.executable, "-c", code]
    monkeypatch.setattr(survey, "python_command", lambda *arguments: command)
    return survey.selftest(CPU, Machine(Path("/"), {}, "x86_64", is_root=False))


KERNELS_OK = 'print(\'{"name": "kernels", "status": "ok", "detail": ""}\', flush=True);'


def test_a_driver_that_crashes_keeps_what_was_known(monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"import os; {KERNELS_OK} os.kill(os.getpid(), {int(signal.SIGSEGV)})"
    kernels, crash = run_child(monkeypatch, code)
    assert kernels.status == "ok"
    assert crash.status == "failed"
    assert crash.detail == "a driver crashes (signal 11) after kernels"
    assert not survey.is_usable([kernels, crash])


def test_a_driver_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "_SECONDS", 0.5)
    findings = run_child(monkeypatch, f"import time; {KERNELS_OK} time.sleep(60)")
    assert findings[-1].status == "failed" and "hangs" in findings[-1].detail


def test_a_driver_older_than_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    old = '{"name": "kernels", "status": "failed", "detail": "it is too old for this processor"}'
    *_, instead = run_child(monkeypatch, f"print({old!r})")
    assert instead.fix.endswith("-m pip install intel-opencl-rt intel-cmplr-lib-rt")


def test_chatter_of_a_driver_is_not_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = run_child(monkeypatch, f"print('WARNING: incomplete'); {KERNELS_OK}")
    assert [f.what for f in findings] == ["kernels"]


def test_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["doctor", "--json"])
    answer = json.loads(capsys.readouterr().out)
    titles = [section["title"] for section in answer["sections"]]
    assert titles[:2] == ["OpenCL loader", "Drivers"]
    assert status == (0 if answer["usable"] else 1)
    tested = [s for s in answer["sections"] if s["title"].startswith("Device ")]
    usable = [s for s in tested if any(name in s["title"] for name in answer["usable"])]
    assert tested and (usable or not answer["usable"])
    for device in usable:
        names = [f["what"] for f in device["findings"]]
        assert names == ["kernels", "mapping", "fp16", "images", "CLBlast"]


def test_a_machine_without_opencl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone.icd").write_text("libpocl-that-is-gone.so\n")
    monkeypatch.setenv("OCL_ICD_VENDORS", str(tmp_path))
    monkeypatch.setenv("OPENCL_VENDOR_PATH", str(tmp_path))
    status = main(["doctor"])
    out = capsys.readouterr().out
    if status == 0:  # pyopencl's own loader also reads what PyPI's PoCL put beside it
        pytest.skip("an implementation that no variable hides")
    assert status == 1
    assert "libpocl-that-is-gone.so: cannot open" in out
    assert "→ " in out and "apt install --reinstall pocl-opencl-icd" in out
    assert "clnet can run on nothing here yet" in out


def test_works_without_pyopencl(tmp_path: Path) -> None:
    (tmp_path / "pyopencl.py").write_text("raise ImportError('libOpenCL.so.1: cannot open')")
    environment = dict(os.environ, PYTHONPATH=str(tmp_path))
    command = [sys.executable, "-m", "clnet", "doctor"]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert child.returncode == 1 and child.stderr == ""
    assert "libOpenCL.so.1: cannot open\n          → " in child.stdout
    assert "apt install ocl-icd-libopencl1" in child.stdout
    command[-1] = "devices"
    child = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert child.returncode == 2 and len(child.stderr.splitlines()) == 1
    assert "clnet doctor" in child.stderr

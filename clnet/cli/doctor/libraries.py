"""OpenCL's loader, the drivers that it is told of, and the libraries that clnet can use."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence

from clnet.cli.doctor.finding import Finding
from clnet.cli.doctor.machine import Machine
from clnet.cli.doctor.survey import Survey
from clnet.runtime import icd
from clnet.runtime.icd import IcdFile

# What an ICD file's library is called, and the Debian package that brings it.
_PACKAGES = {
    "pocl": "pocl-opencl-icd",
    "Mesa": "mesa-opencl-icd",
    "Rusticl": "mesa-opencl-icd",
    "igdrcl": "intel-opencl-icd",
    "nvidia": "nvidia-opencl-icd",
    "amdocl": "amdgpu-core",
    "Oclgrind": "oclgrind",
}


def loader(survey: Survey, files: Sequence[IcdFile], machine: Machine) -> list[Finding]:
    """libOpenCL.so, pyopencl on top of it, and drivers that break both."""
    if not survey.error:
        return [Finding("ok", survey.loader or "loaded")]
    if "libOpenCL" in survey.error:
        fix = machine.apt("ocl-icd-libopencl1")
    elif "pyopencl" in survey.error:
        fix = machine.pip("--force-reinstall", "pyopencl")
    else:  # it loads, but some driver crashes or hangs when asked for its devices: find out which
        fix = "\n".join(f"OCL_ICD_VENDORS={file.path} clnet doctor" for file in files)
    return [Finding("failed", "OpenCL cannot be used", survey.error, fix)]


def icd_files(files: Sequence[IcdFile], machine: Machine) -> list[Finding]:
    """The drivers that the loader is told of, and whether they load."""
    if files:
        return [_icd_file(file, machine) for file in files] + _linker(files, machine)
    for variable in icd.LOADER_VARIABLES:
        if value := machine.environment.get(variable):
            reason = f"{variable}={value} hides what is registered elsewhere"
            return [Finding("failed", "no ICD file", reason, f"unset {variable}")]
    return [Finding("failed", "no ICD file", "no driver is registered", pocl(machine))]


def _linker(files: Sequence[IcdFile], machine: Machine) -> list[Finding]:
    """PoCL aborts the process where it finds no linker."""
    if shutil.which("ld") or not any("pocl" in file.library for file in files):
        return []
    fix = machine.apt("binutils")
    if not machine.is_root:
        fix += f"\n{machine.pip('ziglang')}   # without root"
    return [Finding("failed", "ld", "PoCL cannot compile kernels without a linker", fix)]


def _icd_file(file: IcdFile, machine: Machine) -> Finding:
    if file.loads:
        return Finding("ok", str(file.path), file.library)
    package = next((p for word, p in _PACKAGES.items() if word in file.library), None)
    fix = f"{machine.sudo}rm {file.path}"
    if package is not None:
        fix = machine.apt("--reinstall", package)
    return Finding("failed", str(file.path), file.error, fix)


def platforms(survey: Survey, machine: Machine) -> list[Finding]:
    """What the loader makes of its drivers."""
    if not survey.platforms:
        return [Finding("failed", "no platform", "no driver answers", pocl(machine))]
    findings = []
    for platform in survey.platforms:
        number = sum(d.platform == platform.name for d in survey.devices)
        has = f"{number} device{'s' if number > 1 else ''}" if number else "no device"
        version = platform.version.split("  ")[0]  # PoCL adds how it was built
        findings.append(Finding("ok" if number else "note", platform.name, f"{has}; {version}"))
    if not survey.devices:
        findings.append(Finding("failed", "no device", "no platform has one", pocl(machine)))
    return findings


def pocl(machine: Machine) -> str:
    """The command that brings PoCL, OpenCL on the CPU."""
    fix = machine.apt("pocl-opencl-icd")
    if machine.architecture == "x86_64" and not machine.is_root:
        fix += f"\n{machine.pip('pocl-binary-distribution')}   # without root"
    return fix


def optional(machine: Machine) -> list[Finding]:
    """Python packages that some commands use."""
    findings = []
    if importlib.util.find_spec("pyclblast") is None:
        absent = "not installed: clnet uses its own GEMM"
        packages = machine.apt("libclblast-dev", "g++", "python3-dev")
        findings.append(
            Finding("note", "CLBlast", absent, f"{packages}\n{machine.pip('pyclblast')}")
        )
    if importlib.util.find_spec("PIL") is None:
        needed = "not installed: needed for `clnet run --image`"
        findings.append(Finding("note", "Pillow", needed, machine.pip("pillow")))
    return findings or [Finding("ok", "CLBlast, Pillow", "installed")]

"""Whether OpenCL reaches the GPUs that the kernel shows, and what is missing where it does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clnet.boards import board_of_machine, machine_words
from clnet.cli.doctor.finding import Finding
from clnet.cli.doctor.libraries import pocl
from clnet.cli.doctor.machine import Gpu, Machine
from clnet.cli.doctor.survey import Survey
from clnet.runtime.icd import IcdFile

# Kernel driver → what Mesa's OpenCL calls it in RUSTICL_ENABLE.
_RUSTICL = {
    "panfrost": "panfrost",
    "panthor": "panfrost",
    "v3d": "v3d",
    "i915": "iris",
    "xe": "iris",
    "msm": "freedreno",
    "msm_dpu": "freedreno",
    "amdgpu": "radeonsi",
    "radeon": "radeonsi",
    "nouveau": "nouveau",
    "asahi": "asahi",
}
_INTEL = ("i915", "xe")


def gpus(survey: Survey, files: Sequence[IcdFile], machine: Machine) -> list[Finding]:
    """Findings on every GPU, and on the board."""
    there = machine.gpus()
    served = any(device.is_gpu for device in survey.devices)
    findings = []
    for gpu in there:
        problems = [] if served else list(_problems(gpu, survey, files, machine))
        findings += problems or [Finding("ok", _name(gpu), "OpenCL reaches it")]
    if there and not served and survey.devices:
        names = ", ".join(device.name for device in survey.devices)
        findings.append(Finding("warning", "the GPU is idle", f"OpenCL has only {names}"))
    if not there:
        findings.append(Finding("note", "no GPU", "no /dev/dri/renderD*, /dev/mali0 or NVIDIA"))
    return findings + _board(files, machine)


def _board(files: Sequence[IcdFile], machine: Machine) -> list[Finding]:
    """What there is to say of the board as a whole."""
    model, known = machine.board(), board_of_machine(machine_words(machine.root))
    remarks, fix = [], ""
    if "Raspberry Pi" in model:
        remarks.append("its CPU is several times faster than its GPU: use PoCL")
        fix = "" if any("pocl" in file.library for file in files) else pocl(machine)
    if known is not None:
        remarks.append(f"`clnet boards show {known.name}` prints what is known of it")
        model = model or known.name
    return [Finding("note", model, "; ".join(remarks), fix)] if remarks else []


def _name(gpu: Gpu) -> str:
    return f"/dev/{gpu.node.parent.name}/{gpu.node.name}".replace("/dev/dev/", "/dev/") + (
        f" ({gpu.driver})"
    )


def _problems(
    gpu: Gpu, survey: Survey, files: Sequence[IcdFile], machine: Machine
) -> Iterator[Finding]:
    """Why OpenCL does not reach this GPU, the first cause first."""
    if gpu.node.exists() and not machine.may_use(gpu):
        fix = f"sudo usermod -aG {machine.group(gpu)} $USER   # then log in again"
        yield Finding("failed", _name(gpu), "this user may not open it", fix)
    if gpu.driver == "mali":
        yield _mali(gpu, files, machine)
    elif gpu.driver == "nvidia":
        yield _nvidia(gpu, files, machine)
    elif gpu.driver in _INTEL and not _names(files, "igdrcl"):
        fix = machine.apt("intel-opencl-icd")
        yield Finding("warning", _name(gpu), "Intel's OpenCL driver is not installed", fix)
    elif gpu.driver in _RUSTICL:
        yield _mesa(gpu, files, machine)
    else:
        yield Finding("note", _name(gpu), "no OpenCL driver is known for it")


def _mali(gpu: Gpu, files: Sequence[IcdFile], machine: Machine) -> Finding:
    """Arm's own driver: one library, often installed without its ICD file."""
    libraries = machine.libraries("libmali*.so*")
    if not libraries:
        return Finding(
            "warning", _name(gpu), "Arm's OpenCL driver (libmali) is not installed: take the"
            " package for this GPU from the board's own repository",
            f"apt-cache search libmali\n{machine.sudo}apt install libmali-…",
        )  # fmt: skip
    if not _names(files, "mali"):
        library = "/" + str(libraries[0].relative_to(machine.root))
        return Finding(
            "warning", _name(gpu), f"{library} is there, but no ICD file names it",
            register(library, "mali", machine),
        )  # fmt: skip
    return Finding(
        "warning", _name(gpu), "libmali is registered, but finds no GPU: its version must fit the"
        " kernel driver's", f"{machine.sudo}dmesg | grep -i mali",
    )  # fmt: skip


def _nvidia(gpu: Gpu, files: Sequence[IcdFile], machine: Machine) -> Finding:
    if "Jetson" in machine.board():
        detail = "NVIDIA's driver has no OpenCL on Jetson: clnet runs on the CPU"
        return Finding("note", _name(gpu), detail, pocl(machine))
    if machine.libraries("libnvidia-opencl.so.1") and not _names(files, "nvidia"):
        fix = register("libnvidia-opencl.so.1", "nvidia", machine)
        return Finding("warning", _name(gpu), "no ICD file names its driver", fix)
    fix = machine.apt("nvidia-opencl-icd")
    return Finding("warning", _name(gpu), "NVIDIA's OpenCL driver is not installed", fix)


def _mesa(gpu: Gpu, files: Sequence[IcdFile], machine: Machine) -> Finding:
    name = _RUSTICL[gpu.driver]
    if not _names(files, "Rusticl"):
        fix = f"{machine.apt('mesa-opencl-icd')}\nexport RUSTICL_ENABLE={name}"
        return Finding("warning", _name(gpu), "Mesa's OpenCL driver is not installed", fix)
    enabled = machine.environment.get("RUSTICL_ENABLE", "")
    if name not in enabled.replace(":", ",").split(","):
        state = f"is {enabled}" if enabled else "is not set"
        return Finding(
            "warning", _name(gpu), f"Mesa enables no driver by itself: RUSTICL_ENABLE {state}",
            f"export RUSTICL_ENABLE={name}",
        )  # fmt: skip
    return Finding(
        "warning", _name(gpu), f"RUSTICL_ENABLE={name} is set, but no device appears: a newer Mesa"
        " or kernel may know this GPU", f"{machine.sudo}dmesg | grep -i {gpu.driver}",
    )  # fmt: skip


def register(library: str, name: str, machine: Machine) -> str:
    """The command that writes an ICD file."""
    folder = "/etc/OpenCL/vendors"
    return (
        f"{machine.sudo}mkdir -p {folder} && echo {library} | {machine.sudo}tee {folder}/{name}.icd"
    )


def _names(files: Sequence[IcdFile], word: str) -> bool:
    """Whether a driver that loads is called so."""
    return any(word in file.library and file.loads for file in files)

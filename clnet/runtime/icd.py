"""Makes every OpenCL implementation of the machine visible; runs before pyopencl is imported.

OpenCL's loader finds implementations through `.icd` files, each naming one library, in
`/etc/OpenCL/vendors`. Three kinds are missed there: what pip installed into a virtual environment,
Mali's and NVIDIA's drivers where the package forgot the file, and PoCL from PyPI when pyopencl was
compiled here (only pyopencl's own wheels look for it). `prepare` lists these beside the system's
files in a folder of clnet's own and points the loader there. If nothing is missed or the user has
set the loader's variables, it leaves the loader alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import platformdirs

from clnet.runtime.child import python_command
from clnet.runtime.linker import lend_linker

_SYSTEM_VENDORS = Path("/etc/OpenCL/vendors")

# Whoever sets one of these has chosen the implementations.
LOADER_VARIABLES = ("OCL_ICD_VENDORS", "OPENCL_VENDOR_PATH", "OCL_ICD_FILENAMES")

# PyPI's distributions that carry an implementation, and its library's name.
_FROM_PIP = {"intel-opencl-rt": "libintelocl.so"}

# Drivers that are often installed without an .icd file: a file that shows that the driver runs,
# what an .icd file that serves it mentions, and the library's names, newest first.
_UNREGISTERED = (
    (Path("/dev/mali0"), "mali", ("libmali.so.1", "libmali.so")),
    (Path("/proc/driver/nvidia"), "nvidia", ("libnvidia-opencl.so.1",)),
)

# Loading a driver may abort the process, so each is tried in a child.
_TRY_LOADING = """
import ctypes, sys
try:
    ctypes.CDLL(sys.argv[1])
except OSError as error:
    sys.exit(str(error))
"""


@dataclass(frozen=True)
class IcdFile:
    """One `.icd` file: the library that it names, and why that library does not load, if so."""

    path: Path
    library: str
    loads: bool
    error: str = ""


def prepare() -> None:
    """Sets the environment that OpenCL's loader and PoCL read. Call it before the first use.

    `POCL_AFFINITY=1` pins PoCL's worker threads: without it two of them share one core at random,
    for seconds, and every kernel takes twice as long. `POCL_WORK_GROUP_SPECIALIZATION=0` lets PoCL
    use the machine code that a program's binary holds; it would compile again for each kind of
    launch. Values that the user has set stay.
    """
    os.environ.setdefault("POCL_AFFINITY", "1")
    os.environ.setdefault("POCL_WORK_GROUP_SPECIALIZATION", "0")
    lend_linker()
    if any(os.environ.get(name) for name in LOADER_VARIABLES):
        return
    registered = _registered(_SYSTEM_VENDORS)
    missed = _missed(registered)
    if not missed:
        return
    try:
        folder = _vendors_folder(registered | missed)
    except OSError as error:
        warnings.warn(f"OpenCL of {', '.join(missed)} stays invisible: {error}", stacklevel=2)
        return
    os.environ["OCL_ICD_VENDORS"] = str(folder)


def icd_files() -> list[IcdFile]:
    """Every `.icd` file that the loader reads, each library tried. Takes a second or so."""
    prepare()
    named = os.environ.get("OCL_ICD_VENDORS") or os.environ.get("OPENCL_VENDOR_PATH")
    place = Path(named) if named else _SYSTEM_VENDORS
    paths = [place] if place.is_file() else sorted(place.glob("*.icd"))
    paths += [Path(name) for name in os.environ.get("OCL_ICD_FILENAMES", "").split(":") if name]
    bundled = _bundled_with_pyopencl()
    if bundled and _has_loader(bundled):
        paths += sorted(bundled.glob("*.icd"))
    return [_try_file(path) for path in paths]


def _registered(folder: Path) -> dict[str, str]:
    """Name and content of each readable `.icd` file; one that is not is lost on the loader too."""
    found = {}
    for path in sorted(folder.glob("*.icd")):
        if os.access(path, os.R_OK) and path.is_file():
            found[path.name] = path.read_text(errors="replace").strip()
    return found


def _missed(registered: Mapping[str, str]) -> dict[str, str]:
    """Name and content of the `.icd` files that should be there as well."""
    missed = {}
    for name, library in _FROM_PIP.items():
        if path := _file_from_pip(name, library):
            missed[f"pip-{name}.icd"] = str(path)
    bundled = _bundled_with_pyopencl()
    if bundled and not _has_loader(bundled):
        for file, library in _registered(bundled).items():
            missed[f"pip-{file}"] = str(bundled / library)
    for sign, word, libraries in _UNREGISTERED:
        if sign.exists() and not any(word in library for library in registered.values()):
            present = [library for library in libraries if not _loading_error(library)]
            missed |= {f"{word}.icd": library for library in present[:1]}
    return missed


def _file_from_pip(distribution: str, name: str) -> Path | None:
    """Where pip put the file `name` of a distribution; None if that is not installed."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        return None
    return next((Path(file.locate()).resolve() for file in files if file.name == name), None)


def _bundled_with_pyopencl() -> Path | None:
    """The folder where PyPI's PoCL puts itself, and where pyopencl's wheel has its loader."""
    found = importlib.util.find_spec("pyopencl")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / ".libs"
    return folder if folder.is_dir() else None


def _has_loader(folder: Path) -> bool:
    """Whether pyopencl brought the loader along: that one reads its own folder as well."""
    return any(folder.glob("libOpenCL*"))


def _vendors_folder(files: Mapping[str, str]) -> Path:
    """A folder with these files, named by their content: processes and environments share it."""
    digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:16]
    parent = platformdirs.user_cache_path("clnet") / "opencl-vendors"
    folder = parent / digest
    if folder.is_dir():
        return folder
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as scratch:
        complete = Path(scratch) / digest
        complete.mkdir()
        for name, content in files.items():
            (complete / name).write_text(content + "\n")
        try:
            complete.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first, with the same content
                raise
    return folder


def _try_file(path: Path) -> IcdFile:
    try:
        library = path.read_text(errors="replace").strip()
    except OSError as error:
        return IcdFile(path, "", False, str(error))
    if not library:
        return IcdFile(path, "", False, "the file is empty")
    beside = path.parent / library  # PyPI's PoCL names its library so
    problem = _loading_error(str(beside if beside.is_file() else library))
    return IcdFile(path, library, not problem, problem)


def _loading_error(library: str) -> str:
    """Why the library does not load, in one line; empty if it does."""
    try:
        child = subprocess.run(
            python_command("-c", _TRY_LOADING, library),
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "hangs when loaded"
    if child.returncode < 0:
        return f"dies of signal {-child.returncode} when loaded"
    return child.stderr.strip().rpartition("\n")[2] if child.returncode else ""

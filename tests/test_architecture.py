"""The layering of the packages, read from the imports; the public face; each kernel alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import device

import clnet
from clnet import resources
from clnet.calls import KernelCall
from clnet.runtime.programs import ProgramCache

PACKAGE = Path(clnet.__file__).parent

LEAVES = {"errors", "tensor_spec", "calls", "device_info", "resources", "images", "boards"}
GRAPH = LEAVES | {"graph"}
OPS = GRAPH | {"ops"}
PASSES = OPS | {"passes"}
RUNTIME = LEAVES | {"runtime"}
SESSION = OPS | RUNTIME | {"importers", "passes", "autodiff", "memory", "tuning", "session"}
TRAINING = SESSION | {"training", "exporters", "datasets"}

# What each part may import. A part that is not listed here, as the shell, may import anything.
ALLOWED = {
    **dict.fromkeys(LEAVES, LEAVES),
    "graph": GRAPH,
    "ops": OPS,
    "importers": OPS | {"importers"},
    "exporters": OPS | {"exporters"},
    "passes": PASSES,
    "autodiff": OPS | {"autodiff"},
    "memory": OPS | {"memory"},
    "runtime": RUNTIME,
    "tuning": RUNTIME | {"tuning"},
    "session": SESSION,
    "datasets": LEAVES | {"datasets"},
    "training": TRAINING,
    "models": TRAINING | {"models"},
    "light": TRAINING | {"light"},
}
ANYTHING = {"__init__", "__main__", "cli", "onnx_backend"}


def part_of(module: str) -> str:
    """`clnet.runtime.memory` belongs to `runtime`."""
    return module.split(".")[1] if "." in module else "__init__"


def imports(path: Path) -> Iterator[str]:
    """The clnet modules that a file imports, wherever in the file that is."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            # `from clnet import resources` imports a module, `from clnet.calls import In` a name.
            names = [f"{node.module}.{a.name}" for a in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "clnet":
                yield name


FILES = sorted(PACKAGE.rglob("*.py"))
PARTS = {p.relative_to(PACKAGE).parts[0].removesuffix(".py") for p in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downward(path: Path) -> None:
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if part not in ANYTHING:
        breaches = {n for n in imports(path) if part_of(n) not in ALLOWED[part]}
        assert not breaches, f"{part} may import {', '.join(sorted(ALLOWED[part]))}"


def test_every_part_has_its_place_in_the_layering() -> None:
    assert not PARTS - set(ALLOWED) - ANYTHING


def test_a_breach_would_be_seen(tmp_path: Path) -> None:
    file = tmp_path / "breach.py"
    file.write_text("def f():\n    from clnet.session import load\n    import clnet.cli.run\n")
    assert [part_of(n) for n in imports(file)] == ["session", "cli"]


def test_the_public_face_is_there() -> None:
    assert [n for n in clnet.__all__ if getattr(clnet, n, None) is None] == []


@pytest.mark.parametrize(
    "path", sorted(resources.kernels_path().glob("*.cl")), ids=lambda p: p.stem
)
def test_kernel_file_compiles_alone(path: Path) -> None:
    """With its own defaults, as tools that analyse kernels compile it."""
    kernel = re.search(r"__kernel\s+void\s+(\w+)", path.read_text())
    assert kernel, "no kernel"
    ProgramCache(device()).program(KernelCall(path.stem, kernel[1], (), (1,)))

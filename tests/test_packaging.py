"""The wheel: it carries the kernels and the boards, and runs a model far from any checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

CHECKOUT = Path(__file__).resolve().parents[1]

RUN_MODEL = """
import clnet, numpy
result = clnet.load("net.onnx").run({"x": numpy.load("x.npy")})
numpy.save("y.npy", result["y"])
print(clnet.__file__)
"""


def run(*command: object, folder: Path) -> str:
    """What the command prints; its error output is the failure message."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that no build folder is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("clnet", "cl_kernels", "boards"):
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / name, source / name, symlinks=True, ignore=skip)
    for path in CHECKOUT.iterdir():
        if path.is_file():
            shutil.copy(path, source)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    run(sys.executable, "-m", "pip", "wheel", *options, source, folder=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment with clnet's wheel in it.

    What clnet depends on comes from the environment of the tests, so that nothing is downloaded.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    interpreter = folder / "bin" / "python"
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(interpreter, "-c", purelib, folder=folder))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    options = ("--quiet", "--no-deps", "--no-index", "--ignore-installed")
    run(interpreter, "-m", "pip", "install", *options, wheel, folder=folder)
    return interpreter


def test_the_wheel_carries_what_lies_beside_the_package(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("cl_kernels", "boards"):
        for path in (CHECKOUT / folder).rglob("*.*"):
            assert f"clnet/_data/{path.relative_to(CHECKOUT)}" in names or path.name == ".gitkeep"
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"clnet"}


def test_every_package_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "clnet").rglob("*.py")}
    assert modules <= names


def test_an_installed_clnet_runs_a_model(python: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = random.standard_normal((4, 3, 3, 3)).astype(np.float32)
    x = random.standard_normal((1, 3, 8, 8)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["y"]),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4, 8, 8))],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "net.onnx")
    np.save(tmp_path / "x.npy", x)

    where = run(python, "-I", "-c", RUN_MODEL, folder=tmp_path)

    assert Path(where).is_relative_to(python.parents[1])
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, rtol=1e-4, atol=1e-5)


def test_the_installed_command_answers(python: Path, tmp_path: Path) -> None:
    assert "clnet" in run(python.with_name("clnet"), "--help", folder=tmp_path)

"""clnet as ONNX's backend: the interface, and a third of ONNX's cases (`make backend`: all)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from clnet import InputError, UnsupportedError, onnx_backend
from clnet.onnx_backend import PreparedModel

TESTS = Path(__file__).parents[1]


def test_cases_of_onnx_pass_but_for_those_left_out_with_a_reason() -> None:
    """In processes of their own: a crash is a failure, and all cores take part."""
    result = subprocess.run(
        [sys.executable, "-m", "onnx_backend.report", "", "3"],
        env={**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    failed = [line for line in result.stdout.splitlines() if line.startswith("FAILED")]
    assert result.returncode == 0, "\n".join(failed)
    (share,) = re.findall(r"^node: .* passed \((.*)%\)$", result.stdout, re.MULTILINE)
    assert float(share) >= 90


def prepared_reshape() -> PreparedModel:
    """x reshaped to what a second input says."""
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        "reshape",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 6]),
            helper.make_tensor_value_info("shape", TensorProto.INT64, ["rank"]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    return onnx_backend.prepare(helper.make_model(graph))


def test_values_that_decide_shapes_may_change_between_runs() -> None:
    prepared, x = prepared_reshape(), np.arange(12, dtype=np.float32).reshape(2, 6)
    for shape in ([3, 4], [-1, 2], [12]):
        (y,) = prepared.run([x, np.array(shape)])
        np.testing.assert_array_equal(y, x.reshape(shape))
    by_name = prepared.run({"shape": np.array([4, 3]), "x": x})
    np.testing.assert_array_equal(by_name["y"], x.reshape(4, 3))


def test_wrong_inputs_are_named() -> None:
    prepared, x = prepared_reshape(), np.zeros((2, 6), np.float32)
    with pytest.raises(InputError, match="1 inputs given, 2 needed"):
        prepared.run(x)
    with pytest.raises(InputError, match="inputs are x, shape"):
        prepared.run({"x": x, "y": x})
    with pytest.raises(InputError, match="'shape' is not a tensor of int64"):
        prepared.run([x, x])


def test_run_node_takes_an_opset_and_a_domain() -> None:
    x = np.array([[-1, 2, -3]], np.float32)
    node = helper.make_node("Softmax", ["x"], ["y"])
    (old,) = onnx_backend.run_node(node, [x[..., None]], opset_version=11)
    (new,) = onnx_backend.run_node(node, [x[..., None]])
    assert old.max() < 1 and new.min() == 1  # over all axes from 1 on, over the last
    quick = helper.make_node("QuickGelu", ["x"], ["y"], domain="com.microsoft", alpha=2.0)
    (y,) = onnx_backend.run_node(quick, [x])
    np.testing.assert_allclose(y, x / (1 + np.exp(-2 * x)), rtol=1e-5)
    with pytest.raises(UnsupportedError, match="unsupported ops: ImageDecoder"):
        onnx_backend.run_node(helper.make_node("ImageDecoder", ["x"], ["y"]), [np.ones(9, "u1")])


def test_devices_are_clnets_own() -> None:
    assert onnx_backend.supports_device("CPU")
    assert not onnx_backend.supports_device("no such device")

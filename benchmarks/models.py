"""Standard networks as ONNX files with random weights, for timing: the same bytes every time.

``python -m benchmarks.models NAME PATH`` writes one; ``build(name, path)`` does so from Python.
NAME@64 is the network for batches of 64.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13


class Network:
    """Grows an ONNX graph layer by layer; methods take and return the names of tensors.

    Weights are drawn so that activations keep their scale from layer to layer.
    """

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.name, self.shape = name, shape
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.channels = {"input": shape[1]}
        self._rng = np.random.default_rng(0)

    def node(self, op_type: str, inputs: list[str], channels: int, **attributes: Any) -> str:
        """Add any node with one output of that many channels."""
        output = f"{op_type.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=output, **attributes))
        self.channels[output] = channels
        return output

    def constant(self, array: np.ndarray) -> str:
        """Add an initializer."""
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def random(self, *shape: int, spread: float) -> str:
        """Add a normally distributed initializer."""
        return self.constant((self._rng.standard_normal(shape) * spread).astype(np.float32))

    def conv(
        self, x: str, m: int, k: int, stride: int = 1, pad: int | None = None, groups: int = 1,
        *, bias: bool = False, gain: float = 2.0,
    ) -> str:  # fmt: skip
        """Convolution with a square kernel; ``gain`` 2 makes up for a ReLU behind it."""
        c = self.channels[x] // groups
        pad = k // 2 if pad is None else pad
        inputs = [x, self.random(m, c, k, k, spread=(gain / (c * k * k)) ** 0.5)]
        if bias:
            inputs.append(self.random(m, spread=0.01))
        return self.node("Conv", inputs, m, kernel_shape=[k, k], strides=[stride] * 2,
                         pads=[pad] * 4, group=groups)  # fmt: skip

    def norm(self, x: str) -> str:
        """Batch normalisation that changes little."""
        c = self.channels[x]
        near_one = [self.constant(self._rng.uniform(0.8, 1.2, c).astype(np.float32)) for _ in "sv"]
        near_zero = [self.random(c, spread=0.1) for _ in "bm"]
        inputs = [x, near_one[0], *near_zero, near_one[1]]
        return self.node("BatchNormalization", inputs, c, epsilon=1e-5)

    def relu(self, x: str) -> str:
        """max(x, 0)"""
        return self.node("Relu", [x], self.channels[x])

    def relu6(self, x: str) -> str:
        """min(max(x, 0), 6)"""
        bounds = [self.constant(np.float32(v)) for v in (0, 6)]
        return self.node("Clip", [x, *bounds], self.channels[x])

    def add(self, a: str, b: str) -> str:
        """Residual connection."""
        return self.node("Add", [a, b], self.channels[a])

    def concat(self, *parts: str) -> str:
        """Joined channels."""
        return self.node("Concat", list(parts), sum(self.channels[p] for p in parts), axis=1)

    def max_pool(self, x: str, k: int, stride: int, pad: int = 0, *, ceil: bool = False) -> str:
        """Largest value of each square window."""
        return self.node("MaxPool", [x], self.channels[x], kernel_shape=[k, k],
                         strides=[stride] * 2, pads=[pad] * 4, ceil_mode=int(ceil))  # fmt: skip

    def global_pool(self, x: str) -> str:
        """The mean of each channel, as [N, C]."""
        c = self.channels[x]
        return self.flatten(self.node("GlobalAveragePool", [x], c), c)

    def flatten(self, x: str, features: int) -> str:
        """[N, features]"""
        return self.node("Flatten", [x], features)

    def dense(self, x: str, m: int, gain: float = 1.0) -> str:
        """Fully connected layer."""
        c = self.channels[x]
        inputs = [x, self.random(m, c, spread=(gain / c) ** 0.5), self.random(m, spread=0.01)]
        return self.node("Gemm", inputs, m, transB=1)

    def save(self, output: str, path: str | Path) -> None:
        """Write the model; its output keeps the shape that ONNX infers."""
        graph = helper.make_graph(
            self.nodes, self.name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            self.weights,
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = 8
        model = onnx.shape_inference.infer_shapes(model)
        onnx.checker.check_model(model)
        onnx.save(model, str(path))


def mobilenet_v2(net: Network) -> str:
    """Sandler et al. 2018, width 1.0."""

    def block(x: str, expansion: int, m: int, stride: int) -> str:
        c = net.channels[x]
        y = x
        if expansion > 1:
            y = net.relu6(net.norm(net.conv(y, c * expansion, 1)))
        hidden = net.channels[y]
        y = net.relu6(net.norm(net.conv(y, hidden, 3, stride, groups=hidden)))
        y = net.norm(net.conv(y, m, 1, gain=0.5 if stride == 1 and c == m else 1.0))
        return net.add(x, y) if stride == 1 and c == m else y

    x = net.relu6(net.norm(net.conv("input", 32, 3, 2)))
    for expansion, m, repeats, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
        (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for i in range(repeats):
            x = block(x, expansion, m, stride if i == 0 else 1)
    return net.dense(net.global_pool(net.relu6(net.norm(net.conv(x, 1280, 1)))), 1000)


def resnet18(net: Network) -> str:
    """He et al. 2015."""

    def block(x: str, m: int, stride: int) -> str:
        y = net.relu(net.norm(net.conv(x, m, 3, stride)))
        y = net.norm(net.conv(y, m, 3, gain=0.5))
        if stride > 1 or net.channels[x] != m:
            x = net.norm(net.conv(x, m, 1, stride, gain=1.0))
        return net.relu(net.add(y, x))

    x = net.max_pool(net.relu(net.norm(net.conv("input", 64, 7, 2))), 3, 2, 1)
    for m, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        x = block(block(x, m, stride), m, 1)
    return net.dense(net.global_pool(x), 1000)


def resnet50(net: Network) -> str:
    """He et al. 2015, the stride in the 3x3 convolution as it is trained today."""

    def block(x: str, m: int, stride: int) -> str:
        y = net.relu(net.norm(net.conv(x, m, 1)))
        y = net.relu(net.norm(net.conv(y, m, 3, stride)))
        y = net.norm(net.conv(y, 4 * m, 1, gain=0.5))
        if net.channels[x] != 4 * m:
            x = net.norm(net.conv(x, 4 * m, 1, stride, gain=1.0))
        return net.relu(net.add(y, x))

    x = net.max_pool(net.relu(net.norm(net.conv("input", 64, 7, 2))), 3, 2, 1)
    for m, repeats, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(repeats):
            x = block(x, m, stride if i == 0 else 1)
    return net.dense(net.global_pool(x), 1000)


def vgg16(net: Network) -> str:
    """Simonyan and Zisserman 2014, configuration D."""
    x = "input"
    for m, repeats in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(repeats):
            x = net.relu(net.conv(x, m, 3, bias=True))
        x = net.max_pool(x, 2, 2)
    x = net.flatten(x, 512 * 7 * 7)
    for units in (4096, 4096):
        x = net.relu(net.dense(x, units, 2.0))
    return net.dense(x, 1000)


def squeezenet(net: Network) -> str:
    """SqueezeNet 1.1, Iandola et al. 2016."""

    def fire(x: str, squeeze: int, expand: int) -> str:
        x = net.relu(net.conv(x, squeeze, 1, bias=True))
        wide = [net.relu(net.conv(x, expand, k, bias=True)) for k in (1, 3)]
        return net.concat(*wide)

    x = net.relu(net.conv("input", 64, 3, 2, 0, bias=True))
    for stages in (
        ((16, 64), (16, 64)),
        ((32, 128), (32, 128)),
        ((48, 192), (48, 192), (64, 256), (64, 256)),
    ):
        x = net.max_pool(x, 3, 2, ceil=True)
        for squeeze, expand in stages:
            x = fire(x, squeeze, expand)
    return net.global_pool(net.relu(net.conv(x, 1000, 1, bias=True)))


def unet(base: int) -> Callable[[Network], str]:
    """Ronneberger et al. 2015 with padded convolutions, four levels down, ``base`` first maps."""

    def grow(net: Network) -> str:
        def twice(x: str, m: int) -> str:
            for _ in range(2):
                x = net.relu(net.norm(net.conv(x, m, 3)))
            return x

        x, skips = "input", []
        for level in range(4):
            skips.append(twice(x, base << level))
            x = net.max_pool(skips[-1], 2, 2)
        x = twice(x, base << 4)
        for level in reversed(range(4)):
            c, m = net.channels[x], base << level
            inputs = [x, net.random(c, m, 2, 2, spread=c**-0.5), net.random(m, spread=0.01)]
            x = net.node("ConvTranspose", inputs, m, kernel_shape=[2, 2], strides=[2, 2])
            x = twice(net.concat(skips[level], x), m)
        return net.conv(x, 2, 1, bias=True, gain=1.0)

    return grow


def lenet(net: Network) -> str:
    """LeCun et al. 1998 as it is taught today: 6 and 16 maps, 120 and 84 units."""
    x = net.max_pool(net.relu(net.conv("input", 6, 5, bias=True)), 2, 2)
    x = net.max_pool(net.relu(net.conv(x, 16, 5, pad=0, bias=True)), 2, 2)
    x = net.flatten(x, 400)
    for units in (120, 84):
        x = net.relu(net.dense(x, units, 2.0))
    return net.dense(x, 10)


_NETWORKS: dict[str, tuple[Callable[[Network], str], tuple[int, ...]]] = {
    "mobilenet_v2": (mobilenet_v2, (1, 3, 224, 224)),
    "resnet18": (resnet18, (1, 3, 224, 224)),
    "resnet50": (resnet50, (1, 3, 224, 224)),
    "vgg16": (vgg16, (1, 3, 224, 224)),
    "squeezenet1.1": (squeezenet, (1, 3, 224, 224)),
    "unet32": (unet(32), (1, 3, 128, 192)),
    "unet64": (unet(64), (1, 3, 128, 192)),
    "lenet": (lenet, (1, 1, 28, 28)),
}
NAMES = tuple(_NETWORKS)


def build(name: str, path: str | Path) -> None:
    """Write the network ``name`` out of :data:`NAMES` to ``path``; NAME@64 is one with batch 64."""
    name, _, batch = name.partition("@")
    grow, shape = _NETWORKS[name]
    net = Network(name, (int(batch or 1), *shape[1:]))
    net.save(grow(net), path)


if __name__ == "__main__":
    build(*sys.argv[1:3])

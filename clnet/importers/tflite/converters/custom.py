"""Custom operators: those of MediaPipe's models, and the end of TensorFlow's object detectors."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from flatbuffers import flexbuffers

from clnet.errors import ModelError, UnsupportedError
from clnet.importers.tflite.activation import activate
from clnet.importers.tflite.converters.arithmetic import as_dtype
from clnet.importers.tflite.converters.convolution import gathered
from clnet.importers.tflite.node import TfliteNode
from clnet.importers.tflite.registry import converter
from clnet.importers.tflite.windows import Window, window_over
from clnet.ops.detection_post_process import DetectionPostProcess
from clnet.ops.pooling import MaxPool
from clnet.ops.reshape import Reshape


def _numbers(node: TfliteNode, count: int) -> tuple[int, ...]:
    """The options of MediaPipe's operators: 32-bit integers, of which the first is the padding."""
    data = node.operator.custom_options
    if len(data) < 4 * count:
        raise ModelError(f"{len(data)} bytes of options instead of {4 * count}")
    numbers = struct.unpack_from(f"<{count}i", data)
    if numbers[0] not in (1, 2):
        raise ModelError(f"padding {numbers[0]} is neither SAME (1) nor VALID (2)")
    return numbers


@converter("Convolution2DTransposeBias", custom=True)
def transposed_convolution(node: TfliteNode) -> Any:
    """Inputs: x, weights [outputs, height, width, inputs], bias. SAME gives an image that is
    ``stride`` times as large, but for the last pixels."""
    x, w, bias = node.image(0), node.image(1), node.input(2)
    padding, *across = _numbers(node, 3)
    strides = (across[1], across[0])
    kernel = (w.spec.shape[1], w.spec.shape[2])
    size, begins, ends = [], [], []
    for i in range(2):
        if strides[i] < 1:
            raise ModelError(f"strides {strides} must be positive")
        extent = x.spec.shape[1 + i]
        total = max(0, kernel[i] - (extent - 1) % strides[i] - 1) if padding == 1 else 0
        size.append(strides[i] * (extent - 1) + kernel[i] - total)
        begins.append(total // 2)
        ends.append(total - total // 2)
    window = Window(kernel, strides, (1, 1), (begins[0], begins[1], ends[0], ends[1]))
    return gathered(node, x, w, bias, window, size)


@converter("MaxPoolingWithArgmax2D", custom=True)
def max_pool_with_places(node: TfliteNode) -> Any:
    """Also where in its window the first maximum stands, counted row by row, as a float a little
    above that."""
    x = node.nchw(node.image())
    height, width = x.spec.shape[2:]
    padding, across, down, columns, rows, activation = _numbers(node, 6)
    window = window_over((height, width), (rows, columns), (down, across), padding == 1)
    op = MaxPool(window.kernel, window.strides, window.pads, (1, 1), indices=True)
    values, element = node.add(op, x)
    # an element's number in x is that of its image, row and column; its window starts elsewhere
    column = node.apply("Mod", element, node.constant(width, "int64"))
    above = node.apply("Div", element, node.constant(width, "int64"))
    row = node.apply("Mod", above, node.constant(height, "int64"))
    top, left = (np.arange(values.spec.shape[2 + i]) * window.strides[i] - window.pads[i]
                 for i in range(2))  # fmt: skip
    row = node.apply("Sub", row, node.constant(top[:, None]))
    column = node.apply("Sub", column, node.constant(left))
    place = node.apply("Add", node.apply("Mul", row, node.constant(columns, "int64")), column)
    shown = node.apply("Add", as_dtype(node, place, "float32"), node.constant(0.1, "float32"))
    return activate(node, node.nhwc(values), activation), node.nhwc(shown)


@converter("MaxUnpooling2D", custom=True)
def max_unpool(node: TfliteNode) -> Any:
    """Each value goes where in its window input 1 says; zeros elsewhere."""
    x, places = node.image(0), node.image(1)
    _, across, down, columns, rows, _ = _numbers(node, 6)
    if (across, down) != (columns, rows) or min(rows, columns) < 1:
        raise UnsupportedError(f"windows of {rows}x{columns} in steps of {down}x{across}")
    n, height, width, channels = x.spec.shape
    spread = Reshape((n, height, 1, width, 1, channels))
    window = np.arange(rows * columns).reshape(rows, 1, columns, 1)
    chosen = node.apply("Floor", node.add(spread, places))
    hit = node.apply("Equal", chosen, node.constant(window, "float32"))
    zero = node.constant(0, x.spec.dtype)
    y = node.apply("Where", hit, node.add(spread, x), zero)
    return node.add(Reshape((n, height * rows, width * columns, channels)), y)


@converter("TFLite_Detection_PostProcess", custom=True)
def detection_post_process(node: TfliteNode) -> Any:
    options = flexbuffers.GetRoot(node.operator.custom_options).AsMap

    def number(name: str, default: float | None = None) -> Any:
        try:
            value = options[name]
        except KeyError:
            if default is None:
                raise ModelError(f"the option {name} is missing") from None
            return default
        return value.Value

    op = DetectionPostProcess(
        int(number("max_detections")),
        int(number("num_classes")),
        float(number("nms_score_threshold")),
        float(number("nms_iou_threshold")),
        tuple(float(number(f"{a}_scale")) for a in "yxhw"),  # type: ignore[arg-type]
        int(number("max_classes_per_detection")),
        int(number("detections_per_class", 100)),
        bool(number("use_regular_nms", False)),
    )
    return node.add(op, node.input(0), node.input(1), node.input(2))

"""Small Darknet models on disk, and Darknet's layers in NumPy, plain as its documentation is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

RNG = np.random.default_rng(7)


def random(*shape: int) -> np.ndarray:
    """Numbers around 0."""
    return RNG.uniform(-1.5, 1.5, shape).astype(np.float32)


def header(major: int = 0, minor: int = 2, bits: int = 64) -> bytes:
    """What a file of weights begins with."""
    seen = np.array([123], f"<u{bits // 8}")
    return np.array([major, minor, 5], "<i4").tobytes() + seen.tobytes()


def write(folder: Path, cfg: str, *weights: np.ndarray, start: bytes | None = None) -> Path:
    """The model "net" in ``folder``: ``cfg`` without [net]'s sizes is 5 wide, 4 high, 3 deep."""
    if "[net" not in cfg:
        cfg = f"[net]\nwidth=5\nheight=4\nchannels=3\n{cfg}"
    path = folder / "net.cfg"
    path.write_text(cfg)
    data = b"".join(np.asarray(w, "<f4").tobytes() for w in weights)
    path.with_suffix(".weights").write_bytes((header() if start is None else start) + data)
    return path


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def conv(
    x: np.ndarray, w: np.ndarray, stride: tuple[int, int] = (1, 1), pad: int = 0,
    groups: int = 1, dilation: int = 1,
) -> np.ndarray:  # fmt: skip
    """x[C, H, W], w[M, C / groups, K, K]: pixel by pixel."""
    filters, depth, size, _ = w.shape
    padded = np.pad(x.astype(np.float64), ((0, 0), (pad, pad), (pad, pad)))
    reach = dilation * (size - 1) + 1
    height = (padded.shape[1] - reach) // stride[0] + 1
    width = (padded.shape[2] - reach) // stride[1] + 1
    y = np.zeros((filters, height, width))
    for m in range(filters):
        first = m // (filters // groups) * depth
        for i in range(height):
            for j in range(width):
                top, left = i * stride[0], j * stride[1]
                window = padded[first : first + depth, top : top + reach : dilation,
                                left : left + reach : dilation]  # fmt: skip
                y[m, i, j] = (window * w[m]).sum()
    return y


def deconv(x: np.ndarray, w: np.ndarray, stride: int, pad: int) -> np.ndarray:
    """x[C, H, W], w[C, M, K, K]: each pixel adds a stamp."""
    channels, height, width = x.shape
    _, filters, size, _ = w.shape
    y = np.zeros((filters, (height - 1) * stride + size, (width - 1) * stride + size))
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                where = np.s_[:, i * stride : i * stride + size, j * stride : j * stride + size]
                y[where] += x[c, i, j] * w[c].astype(np.float64)
    return y[:, pad : y.shape[1] - pad, pad : y.shape[2] - pad]


def local(x: np.ndarray, w: np.ndarray, stride: int, pad: int) -> np.ndarray:
    """w[pixels, M, C, K, K]: each pixel of the output has its own kernels."""
    size = w.shape[-1]
    rows = (x.shape[1] + 2 * pad - size) // stride + 1
    columns = (x.shape[2] + 2 * pad - size) // stride + 1
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    y = np.zeros((w.shape[1], rows, columns))
    for i in range(rows):
        for j in range(columns):
            window = padded[:, i * stride : i * stride + size, j * stride : j * stride + size]
            y[:, i, j] = (w[i * columns + j] * window).sum((1, 2, 3))
    return y


def normalize(x: np.ndarray, bias: np.ndarray, *rest: np.ndarray) -> np.ndarray:
    """Batch normalisation of x[C, ...]; ``rest``: scales, means, variances."""
    scale, bias, mean, variance = (
        a.astype(np.float64).reshape(-1, *(1,) * (x.ndim - 1)) for a in (rest[0], bias, *rest[1:])
    )
    return (x - mean) / np.sqrt(variance + 1e-6) * scale + bias


def pool(
    x: np.ndarray, size: int, stride: tuple[int, int], padding: int, average: bool
) -> np.ndarray:
    """Windows that begin half the padding ahead of the image, in x[C, H, W]."""
    channels, height, width = x.shape
    rows = (height + padding - size) // stride[0] + 1
    columns = (width + padding - size) // stride[1] + 1
    y = np.zeros((channels, rows, columns))
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride[0] - padding // 2, j * stride[1] - padding // 2
            window = x[:, max(0, top) : top + size, max(0, left) : left + size]
            y[:, i, j] = window.mean((1, 2)) if average else window.max((1, 2))
    return y


def reorg(x: np.ndarray, stride: int, forward: bool) -> np.ndarray:
    """Darknet's reorg by addresses, over x[C, H, W]: ``forward`` is what reverse=1 calls."""
    channels, height, width = x.shape
    fewer = channels // (stride * stride)
    flat, y = x.reshape(-1), np.zeros(x.size)
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                here = j + width * (i + height * c)
                block, channel = divmod(c, fewer)
                row = i * stride + block // stride
                column = j * stride + block % stride
                there = column + width * stride * (row + height * stride * channel)
                if forward:
                    y[there] = flat[here]
                else:
                    y[here] = flat[there]
    if forward:
        return y.reshape(fewer, height * stride, width * stride)
    return y.reshape(channels * stride * stride, height // stride, width // stride)


def shortcut(x: np.ndarray, other: np.ndarray) -> np.ndarray:
    """x with ``other`` added where both have channels and pixels."""
    y = x.astype(np.float64)
    step = max(1, other.shape[2] // x.shape[2])
    for c in range(min(len(x), len(other))):
        for i in range(min(x.shape[1], other.shape[1])):
            for j in range(min(x.shape[2], other.shape[2])):
                y[c, i, j] += other[c, i * step, j * step]
    return y


def lrn(x: np.ndarray, size: int, alpha: float, beta: float, kappa: float) -> np.ndarray:
    """The running sum as Darknet slides it."""
    squares = x.astype(np.float64) ** 2
    norms = np.zeros_like(squares)
    norms[0] = kappa + alpha * squares[: size // 2].sum(0)
    for c in range(1, len(x)):
        norms[c] = norms[c - 1]
        leaving, coming = c - (size - 1) // 2 - 1, c + size // 2
        if leaving >= 0:
            norms[c] -= alpha * squares[leaving]
        if coming < len(x):
            norms[c] += alpha * squares[coming]
    return x * norms**-beta


def yolo_boxes(
    x: np.ndarray, anchors: list[tuple[float, float]], size: tuple[int, int], scale: float = 1,
    new: bool = False,
) -> np.ndarray:  # fmt: skip
    """Rows of x, y, w, h, object, classes out of x[A * (5 + classes), H, W]; ``size`` is the
    network's width and height."""
    height, width = x.shape[1:]
    cells = x.reshape(len(anchors), -1, height, width).astype(np.float64)
    rows = []
    for i in range(height):
        for j in range(width):
            for a, (anchor_width, anchor_height) in enumerate(anchors):
                cell = cells[a, :, i, j]
                xy = cell[:2] if new else sigmoid(cell[:2])
                xy = xy * scale - (scale - 1) / 2
                wh = 4 * cell[2:4] ** 2 if new else np.exp(cell[2:4])
                rest = cell[4:] if new else sigmoid(cell[4:])
                rows.append([
                    (j + xy[0]) / width, (i + xy[1]) / height,
                    wh[0] * anchor_width / size[0], wh[1] * anchor_height / size[1],
                    rest[0], *(rest[0] * rest[1:]),
                ])  # fmt: skip
    return np.array(rows)


def detection_boxes(
    x: np.ndarray, side: int, count: int, classes: int, root: bool, softmaxed: bool
) -> np.ndarray:
    """The same for a [detection] layer's flat input."""
    x = x.reshape(-1).astype(np.float64)
    cells = side * side
    rows = []
    for cell in range(cells):
        scores = x[cell * classes : (cell + 1) * classes]
        if softmaxed:
            scores = softmax(scores, 0)
        for n in range(count):
            sure = x[cells * classes + cell * count + n]
            at = cells * (classes + count) + (cell * count + n) * 4
            wh = x[at + 2 : at + 4] ** (2 if root else 1)
            centre = (x[at] + cell % side) / side, (x[at + 1] + cell // side) / side
            rows.append([*centre, *wh, sure, *(sure * scores)])
    return np.array(rows)


def _stair(x: float) -> float:
    n = math.floor(x)
    return math.floor(x / 2) + (x - n if n % 2 else 0)


def _plse(x: float) -> float:
    if x < -4:
        return 0.01 * (x + 4)
    return 0.01 * (x - 4) + 1 if x > 4 else 0.125 * x + 0.5


def _lhtan(x: float) -> float:
    return 0.001 * x if x < 0 else 0.001 * (x - 1) + 1 if x > 1 else x


def _hard_mish(x: float) -> float:
    return x if x > 0 else x * x / 2 + x if x > -2 else 0


def _gelu(x: float) -> float:
    return 0.5 * x * (1 + math.tanh(0.797885 * x + 0.035677 * x**3))


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


#: Activations as functions of a number.
ACTIVATIONS = {
    "linear": lambda x: x,
    "logistic": _logistic,
    "loggy": lambda x: 2 * _logistic(x) - 1,
    "relu": lambda x: max(x, 0),
    "relu6": lambda x: min(max(x, 0), 6),
    "elu": lambda x: x if x >= 0 else math.exp(x) - 1,
    "selu": lambda x: 1.0507 * (x if x >= 0 else 1.6732 * (math.exp(x) - 1)),
    "relie": lambda x: x if x > 0 else 0.01 * x,
    "ramp": lambda x: x * (x > 0) + 0.1 * x,
    "leaky": lambda x: x if x > 0 else 0.1 * x,
    "revleaky": lambda x: x if x > 0 else 0.1 * x,
    "tanh": math.tanh,
    "plse": _plse,
    "stair": _stair,
    "hardtan": lambda x: min(max(x, -1), 1),
    "lhtan": _lhtan,
    "swish": lambda x: x * _logistic(x),
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "hard_mish": _hard_mish,
    "gelu": _gelu,
}

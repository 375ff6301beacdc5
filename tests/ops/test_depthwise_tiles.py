"""Register tiles of a depthwise row: what depthwise.h decides at compile time holds for each."""

import random

from clnet.ops.blocked.depthwise import tiles
from clnet.ops.blocked.geometry import Window


def _window(rng: random.Random) -> Window | None:
    kernel, stride, dilation = rng.choice((1, 2, 3, 4, 5, 7)), rng.randint(1, 3), rng.randint(1, 3)
    width, reach = rng.randint(1, 40), (kernel - 1) * dilation
    before, behind = rng.randint(0, reach + 1), rng.randint(0, reach + 1)
    free = width + before + behind - reach - 1
    if free < 0:
        return None
    out = free // stride + 1
    return Window(
        (1, width), (1, out), (1, kernel), (1, stride), (1, dilation), (0, before)
    )  # fmt: skip


def _seen(window: Window, pixels: int, ox: int, first: bool, last: bool) -> dict[int, set[int]]:
    """The columns of the kernel that the kernel's tile at ``ox`` takes, per column of outputs."""
    (_, kernel), (_, stride), (_, dilation) = window.kernel, window.strides, window.dilations
    before, behind = window.reach
    return {
        ox + j: {
            kx
            for kx in range(kernel)
            if not (first and j * stride + kx * dilation < before)
            and not (
                last and (pixels - 1 - j) * stride + (kernel - 1 - kx) * dilation < behind
            )
        }
        for j in range(pixels)
    }  # fmt: skip


def test_every_tile_sees_what_lies_on_the_input() -> None:
    rng = random.Random(0)
    for window in filter(None, (_window(rng) for _ in range(3000))):
        (_, width), (_, out), (_, kernel) = window.size, window.out, window.kernel
        (_, stride), (_, dilation), (_, left) = window.strides, window.dilations, window.pads
        for pixels in tiles(window, rng.choice((4, 8, 16))):
            last = out - pixels
            middle = -(-window.reach[1] // stride)
            places = {0, *(min(x, last - middle) for x in range(pixels, last, pixels)), last}
            found: dict[int, set[int]] = {}
            for ox in places:
                assert 0 <= ox <= last
                for column, taps in _seen(window, pixels, ox, ox == 0, ox == last).items():
                    want = {
                        kx
                        for kx in range(kernel)
                        if 0 <= column * stride - left + kx * dilation < width
                    }
                    assert taps == want, (window, pixels, column)
                    found[column] = taps
            assert len(found) == out

"""A profile as one page of HTML that needs nothing else: figures, bars, roofline, layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from clnet.cli.output import dimensions
from clnet.cli.profile.data import RATE_COLUMNS, fields, rate_cells

if TYPE_CHECKING:
    from clnet.session.profile import LayerProfile, Profile

_COLOURS = ("#2f6fb3", "#d1772f", "#3f9257", "#b3435b", "#7a5fb0", "#8a7448", "#4a9aa8", "#777777")
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 66rem; margin: 2rem auto;
       padding: 0 1rem; background: #fff }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.1rem; margin-top: 2rem }
p.note { color: #666; font-size: .87rem; max-width: 48rem }
table { border-collapse: collapse; width: 100%; font-size: .85rem }
th { text-align: left; border-bottom: 1.5px solid #888; color: #555; font-weight: 600 }
th, td { padding: .18rem .6rem .18rem 0; white-space: nowrap } td.n, th.n { text-align: right }
td.name { max-width: 17rem; overflow: hidden; text-overflow: ellipsis }
tbody tr:nth-child(even) { background: #f6f7f8 }
dl { display: grid; grid-template-columns: max-content auto; gap: .1rem 1rem; margin: .6rem 0 }
dt { color: #666 } dd { margin: 0 }
.bar { height: .8rem; border-radius: 2px; min-width: 1px }
svg text { font: 12px system-ui, sans-serif; fill: #444 }
.scroll { overflow-x: auto }
"""


def page(result: Profile, model: str) -> str:
    """The page's text."""
    kinds = [kind for kind, _, _ in result.kinds()]
    colours = {kind: _COLOURS[min(i, len(_COLOURS) - 1)] for i, kind in enumerate(kinds)}
    figures = "".join(f"<dt>{escape(k)}<dd>{escape(v)}" for k, v in fields(result).items())
    return f"""<!DOCTYPE html>
<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(model)}: profile</title>
<style>{_STYLE}</style>
<h1>{escape(model)}</h1>
<dl>{figures}</dl>
<h2>Kinds of layers</h2>
{_kinds(result, colours)}
<h2>Roofline</h2>
{_roofline(result, colours)}
<p class="note">A dot is a layer, its area the layer's time. The line is what this device was
measured to do at most: memory bandwidth to the left, multiply-adds to the right. Dots above it
save multiply-adds, as Winograd's method does, or find their tensors in a cache.</p>
<h2>Layers</h2>
<div class="scroll">{_layers(result, colours)}</div>
</html>
"""


def _row(cells: Sequence[str], numbers_from: int, tag: str = "td") -> str:
    marks = [' class="n"' if i >= numbers_from else "" for i in range(len(cells))]
    return "<tr>" + "".join(f"<{tag}{m}>{c}" for m, c in zip(marks, cells, strict=True))


def _bar(share: float, colour: str) -> str:
    return f'<div class="bar" style="width:{share:.2%};background:{colour}"></div>'


def _kinds(result: Profile, colours: dict[str, str]) -> str:
    kinds = result.kinds()
    most = max((rates.seconds for _, _, rates in kinds), default=1) or 1
    rows = [
        _row([escape(kind), _bar(rates.seconds / most, colours[kind]), str(number),
              *rate_cells(rates, result)], 2)
        for kind, number, rates in kinds
    ]  # fmt: skip
    head = _row(["kind", '<div style="width:20rem"></div>', "layers", *RATE_COLUMNS], 2, "th")
    return f"<table><thead>{head}<tbody>{''.join(rows)}</table>"


def _layers(result: Profile, colours: dict[str, str]) -> str:
    most = max((x.rates.seconds for x in result.layers), default=1) or 1
    rows = [
        _row([escape(x.layer.name), escape(x.layer.kind), escape(x.layer.candidate),
              dimensions(x.layer.shape), _bar(x.rates.seconds / most, colours[x.layer.kind]),
              str(x.launches), *rate_cells(x.rates, result)], 5)
        for x in result.layers
    ]  # fmt: skip
    bar = '<div style="width:7rem"></div>'
    head = _row(["layer", "kind", "kernel", "output", bar, "launches", *RATE_COLUMNS], 5, "th")
    return f"<table><thead>{head}<tbody>{''.join(rows)}</table>".replace(
        "<tr><td>", '<tr><td class="name">'
    )


_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 940, 430, 62, 20, 14, 46


class _LogScale:
    """Powers of ten between two values, on pixels."""

    def __init__(self, values: Sequence[float], low: float, high: float) -> None:
        self.first = math.floor(math.log10(min(values)) + 1e-9)
        self.last = max(self.first + 1, math.ceil(math.log10(max(values)) - 1e-9))
        self.low, self.high = low, high

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self.first) / (self.last - self.first)
        return self.low + share * (self.high - self.low)

    def ticks(self) -> list[float]:
        """The powers."""
        return [10.0**power for power in range(self.first, self.last + 1)]


def _roofline(result: Profile, colours: dict[str, str]) -> str:
    """Performance over arithmetic intensity, both logarithmic."""
    shown = [x for x in result.layers if x.rates.multiply_adds and x.rates.seconds]
    if not shown:
        return '<p class="note">No layer multiplies and adds.</p>'
    peak, slope = result.ceilings.multiply_adds * 2e-9, result.ceilings.bandwidth * 1e-9
    ridge = peak / slope
    xs = [_intensity(x) for x in shown]
    x_of = _LogScale([*xs, ridge / 3, ridge * 3], _LEFT, _WIDTH - _RIGHT)
    ys = [x.rates.gflops for x in shown]
    y_of = _LogScale([*ys, peak * 1.1], _HEIGHT - _BOTTOM, _TOP)
    left, right = x_of.ticks()[0], x_of.ticks()[-1]
    start = max(left, y_of.ticks()[0] / slope)
    roof = [(start, start * slope), (ridge, peak), (right, peak)]
    points = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in roof)
    parts = [*_axes(x_of, y_of)]
    parts.append(f'<polyline points="{points}" fill="none" stroke="#222" stroke-width="2"/>')
    middle = math.sqrt(start * ridge)
    end = _WIDTH - _RIGHT - 4
    parts.append(_text(end, y_of(peak) - 6, "end", f"{peak:.0f} GFLOP/s"))
    parts.append(_text(x_of(middle) - 8, y_of(middle * slope) - 8, "end", f"{slope:.1f} GB/s"))
    most = max(x.rates.seconds for x in shown)
    for layer in sorted(shown, key=lambda x: -x.rates.seconds):
        parts.append(_dot(layer, x_of, y_of, most, colours))
    parts += _legend([k for k in colours if any(x.layer.kind == k for x in shown)], colours)
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" role="img">{"".join(parts)}</svg>'


def _intensity(layer: LayerProfile) -> float:
    """Floating-point operations per byte."""
    return 2 * layer.rates.multiply_adds / max(1, layer.rates.nbytes)


def _axes(x_of: _LogScale, y_of: _LogScale) -> list[str]:
    parts, bottom, right = [], _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    for tick in x_of.ticks():
        x = x_of(tick)
        parts.append(_text(x, bottom + 17, "middle", f"{tick:g}"))
        parts.append(f'<path d="M{x:.1f} {_TOP}V{bottom}" stroke="#e3e3e3"/>')
    for tick in y_of.ticks():
        y = y_of(tick)
        parts.append(_text(_LEFT - 7, y + 4, "end", f"{tick:g}"))
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#e3e3e3"/>')
    middle = (_LEFT + right) / 2, (bottom + _TOP) / 2
    parts.append(_text(middle[0], _HEIGHT - 8, "middle", "floating-point operations per byte"))
    turned = f'transform="translate(15,{middle[1]}) rotate(-90)"'
    parts.append(f'<text {turned} text-anchor="middle">GFLOP/s</text>')
    return parts


def _text(x: float, y: float, anchor: str, words: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _dot(
    layer: LayerProfile, x_of: _LogScale, y_of: _LogScale, most: float, colours: dict[str, str]
) -> str:
    rates = layer.rates
    radius = 3 + 11 * math.sqrt(rates.seconds / most)
    told = (f"{layer.layer.name} ({layer.layer.kind}, {layer.layer.candidate}):"
            f" {rates.seconds * 1e3:.3f} ms, {rates.gflops:.1f} GFLOP/s")  # fmt: skip
    return (
        f'<circle cx="{x_of(_intensity(layer)):.1f}" cy="{y_of(rates.gflops):.1f}"'
        f' r="{radius:.1f}" fill="{colours[layer.layer.kind]}" fill-opacity=".6"'
        f' stroke="{colours[layer.layer.kind]}"><title>{escape(told)}</title></circle>'
    )


def _legend(kinds: Sequence[str], colours: dict[str, str]) -> list[str]:
    top = _HEIGHT - _BOTTOM - 12 - 17 * len(kinds)
    left = _WIDTH - _RIGHT - 170
    return [
        f'<circle cx="{left}" cy="{top + 17 * i}" r="5" fill="{colours[kind]}"/>'
        f'<text x="{left + 11}" y="{top + 17 * i + 4}">{escape(kind)}</text>'
        for i, kind in enumerate(kinds)
    ]

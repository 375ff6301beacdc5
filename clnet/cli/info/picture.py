"""Draws a graph as an SVG that needs nothing else: no fonts, scripts or style sheets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from clnet.cli.info.boxes import ELEMENTWISE, INPUT, JOIN, OTHER, OUTPUT, Box, Diagram, legend
from clnet.cli.info.layout import Layout, Point, lay_out
from clnet.cli.output import count, dimensions, printable

_WIDTH, _HEIGHT, _PAGE = 264.0, 46.0, 1900.0
_MARGIN, _HEADER = 36.0, 116.0
_RADIUS = 8.0
_COLOURS = {
    "convolution": "#2f6fb3",
    "matrix product": "#7a4fb0",
    "pooling, resizing": "#2a9187",
    "normalisation": "#7d8a2e",
    JOIN: "#d1761f",
    ELEMENTWISE: "#c2536b",
    OTHER: "#7b8794",
    INPUT: "#2b3440",
    OUTPUT: "#2b3440",
}
_KEY = "In a box: op and output; what is done to that at once; parameters · multiply-adds, as a bar"
#: Mean width of a character, in units of the font's size. Fonts differ: this is a wide one.
_CHARACTER, _BOLD_CHARACTER = 0.58, 0.66
_STYLE = """\
text { font-family: "Inter", "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
.page { fill: #f7f8fa; } .ink { fill: #1f2933; } .faint { fill: #66727f; }
.box { fill: #ffffff; stroke-width: 1.2; } .light { fill: #ffffff; } .dim { fill: #c3ccd6; }
.arrow { fill: none; stroke: #a3aebb; stroke-width: 1.5; } .head { fill: #a3aebb; }
.skip { fill: none; stroke: #dd9a4f; stroke-width: 1.5; } .skiphead { fill: #dd9a4f; }"""


def draw(drawn: Diagram, title: str, subtitle: str) -> str:
    """The picture as text. ``title`` and ``subtitle`` stand above it."""
    layout = lay_out(len(drawn.boxes), drawn.arrows, _WIDTH, _HEIGHT, _PAGE)
    kinds = [kind for kind in legend(drawn) if kind not in (INPUT, OUTPUT)]
    needed = max(
        sum(40 + _text_width(kind, 12) for kind in kinds),
        _text_width(title, 22, bold=True),
        _text_width(subtitle, 13),
        _text_width(_KEY, 12),
    )
    width = max(layout.width, needed) + 2 * _MARGIN
    height = layout.height + _HEADER + 2 * _MARGIN
    left = (width - layout.width) / 2
    most = max((box.macs for box in drawn.boxes), default=0)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
            f' viewBox="0 0 {width:.0f} {height:.0f}">',
            f"<title>{_safe(title)}</title>",
            f"<style>{_STYLE}</style>",
            f"<defs>{_marker('head')}{_marker('skiphead')}</defs>",
            '<rect class="page" width="100%" height="100%"/>',
            *_heading(title, subtitle),
            *_legend(kinds),
            f'<g transform="translate({left:.1f} {_HEADER + _MARGIN:.1f})">',
            *_arrows(layout),
            *(
                line
                for box, centre in zip(drawn.boxes, layout.centres, strict=True)
                for line in _box(box, centre, most)
            ),
            "</g>",
            "</svg>",
            "",
        ]
    )


def _heading(title: str, subtitle: str) -> list[str]:
    return [
        _text(title, _MARGIN, _MARGIN + 20, 22, "ink", bold=True),
        _text(subtitle, _MARGIN, _MARGIN + 44, 13, "faint"),
        _text(_KEY, _MARGIN, _MARGIN + 92, 12, "faint"),
    ]


def _legend(kinds: Sequence[str]) -> list[str]:
    lines, x = [], _MARGIN
    for kind in kinds:
        y = _MARGIN + 62
        lines.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="12" height="12" rx="3" fill="{_COLOURS[kind]}"/>'
        )
        lines.append(_text(kind, x + 18, y + 10.5, 12, "faint"))
        x += 40 + _text_width(kind, 12)
    return lines


def _arrows(layout: Layout) -> list[str]:
    """Long arrows last, over the short ones."""
    lines = []
    for length, path in sorted(zip(layout.lengths, layout.paths, strict=True)):
        kind, head = ("skip", "skiphead") if length > 1 else ("arrow", "head")
        lines.append(f'<path class="{kind}" d="{_curve(path)}" marker-end="url(#{head})"/>')
    return lines


def _curve(points: Sequence[Point]) -> str:
    """Straight lines with round corners, and an S wherever both coordinates change."""
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for i, (a, b) in enumerate(pairwise(points)):
        if a[0] != b[0] and a[1] != b[1]:
            middle = (a[1] + b[1]) / 2
            parts.append(f"C{a[0]:.1f} {middle:.1f} {b[0]:.1f} {middle:.1f} {b[0]:.1f} {b[1]:.1f}")
            continue
        after = points[i + 2] if i + 2 < len(points) else None
        if after is None or not _turns(a, b, after):
            parts.append(f"L{b[0]:.1f} {b[1]:.1f}")
        else:
            near, far = _towards(b, a), _towards(b, after)
            parts.append(
                f"L{near[0]:.1f} {near[1]:.1f}Q{b[0]:.1f} {b[1]:.1f} {far[0]:.1f} {far[1]:.1f}"
            )
    return "".join(parts)


def _turns(a: Point, b: Point, c: Point) -> bool:
    return (a[0] == b[0]) != (b[0] == c[0]) and (b[0] == c[0] or b[1] == c[1])


def _towards(corner: Point, other: Point) -> Point:
    """A point on the way from a corner, as far as it is round."""
    length = abs(other[0] - corner[0]) + abs(other[1] - corner[1])
    share = min(_RADIUS, length / 2) / length if length else 0.0
    return (
        corner[0] + (other[0] - corner[0]) * share,
        corner[1] + (other[1] - corner[1]) * share,
    )


def _box(box: Box, centre: Point, most: int) -> list[str]:
    """Its title and shape, below what follows and the figures, and a bar: the multiply-adds."""
    left, top = centre[0] - _WIDTH / 2, centre[1] - _HEIGHT / 2
    colour, dark = _COLOURS[box.kind], box.kind in (INPUT, OUTPUT)
    ink, faint = ("light", "dim") if dark else ("ink", "faint")
    shape = dimensions(box.shape)
    figures = f"{count(box.parameters)} · {count(box.macs)}" if box.parameters or box.macs else ""
    right = left + _WIDTH - 10
    free = _WIDTH - 30 - _text_width(shape, 11)
    free_below = _WIDTH - 30 - _text_width(figures, 10.5)
    then = " → ".join(["", *box.then]).strip() or (box.kind if dark else "")
    lines = [
        f"<g><title>{_safe(_tooltip(box))}</title>",
        f'<rect class="box" x="{left:.1f}" y="{top:.1f}" width="{_WIDTH:.0f}"'
        f' height="{_HEIGHT:.0f}" rx="7" stroke="{colour}"'
        + (f' style="fill: {colour}"/>' if dark else "/>"),
    ]
    if not dark:
        edge = f"M{left + 7:.1f} {top:.1f}h-1a6 6 0 0 0-6 6v{_HEIGHT - 12:.0f}a6 6 0 0 0 6 6h1z"
        lines.append(f'<path fill="{colour}" d="{edge}"/>')
    if box.macs and most:
        length = max(1.0, (_WIDTH - 24) * box.macs / most)
        lines.append(
            f'<rect x="{left + 14:.1f}" y="{top + _HEIGHT - 5:.1f}" width="{length:.1f}"'
            f' height="2.5" rx="1.2" fill="{colour}" opacity="0.55"/>'
        )
    lines += [
        _text(_shortened(box.title, free, 12.5), left + 14, top + 18, 12.5, ink, bold=True),
        _text(shape, right, top + 18, 11, faint, end=True),
        _text(_shortened(then, free_below, 11, False), left + 14, top + 34, 11, faint),
        _text(figures, right, top + 34, 10.5, faint, end=True),
        "</g>",
    ]
    return [line for line in lines if line]


def _tooltip(box: Box) -> str:
    title = " → ".join([box.title, *box.then])
    figures = [f"{box.parameters} parameters", f"{box.macs} multiply-adds"]
    return "\n".join([title, dimensions(box.shape), *figures, *box.names])


def _text(
    text: str, x: float, y: float, size: float, kind: str, bold: bool = False, end: bool = False
) -> str:
    if not text:
        return ""
    extra = ' font-weight="600"' * bold + ' text-anchor="end"' * end
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}"{extra}'
    return f'<text class="{kind}" {place}>{_safe(text)}</text>'


def _text_width(text: str, size: float, bold: bool = False) -> float:
    return len(text) * size * (_BOLD_CHARACTER if bold else _CHARACTER)


def _shortened(text: str, width: float, size: float, bold: bool = True) -> str:
    room = int(width / (size * (_BOLD_CHARACTER if bold else _CHARACTER)))
    return text if len(text) <= room else text[: max(0, room - 1)].rstrip() + "…"


def _marker(name: str) -> str:
    return (
        f'<marker id={quoteattr(name)} viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="7"'
        f' markerHeight="7" orient="auto"><path class={quoteattr(name)} d="M0 1.5L9 5L0 8.5z"/>'
        "</marker>"
    )


def _safe(text: str) -> str:
    """Names come out of models: XML allows neither markup nor control characters."""
    return escape("\n".join(map(printable, text.splitlines())))

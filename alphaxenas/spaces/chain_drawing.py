"""Chains as pictures: layers from left to right with their values, connections between neighbours straight, others as arcs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.path import Path

from alphaxenas.spaces.chain import Chain, Value, written
from alphaxenas.spaces.drawing import BETWEEN, FRAME, HEAD, INK, LETTER, PAPER, Pen

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW, GAP, END_WIDTH = 0.62, 0.9, 1.3
"""Height of a value's row, space between layers, width of input and output."""
SHADES = ("#e8eef5", "#f5ecdd", "#e4f1ec", "#f3e4ee", "#e5f1f8", "#f7e5d8", "#eeeeee")
"""Fill of a value, by its rank among the values of its choice."""


def draw_chain(chain: Chain, values: Mapping[str, Sequence[Value]], axes: Axes) -> None:
    """Draws a chain; the axes lose their frame and keep equal units in both directions.

    Args:
        chain: Any chain; readable up to about eight layers.
        values: Values of every choice, for the colours.
        axes: matplotlib axes.
    """
    words = [[(f"{name} {written(value)}", values[name].index(value)) for name, value in layer.pairs] for layer in chain.layers]
    width = max(1.6, *(0.19 * len(text) + 0.4 for rows in words for text, _ in rows))
    height = ROW * max(map(len, words)) + 0.3
    left = [0.0, *(END_WIDTH + GAP + number * (width + GAP) for number in range(len(words)))]
    left.append(left[-1] + width + GAP)
    # Node 0 is the input, node k + 1 layer k, the last node the output.
    edges = [(source + 1, number + 1) for number in range(len(words)) for source in (chain.inputs(number) or (-1,))]
    edges += [(end + 1, len(words) + 1) for end in chain.loose_ends()]
    widths = [END_WIDTH, *[width] * len(words), END_WIDTH]
    longest = max(target - source for source, target in edges)
    top = height / 2 + 0.5 + 0.45 * longest
    axes.set_xlim(-0.2, left[-1] + END_WIDTH + 0.2)
    axes.set_ylim(-height / 2 - 0.6, top)
    axes.set_aspect("equal")
    axes.axis("off")
    pen = Pen(axes)
    for source, target in edges:
        _draw_edge(pen, left[source] + widths[source], left[target], target - source, height / 2)
    for number, rows in enumerate(words):
        start = left[number + 1]
        pen.rounded(start, -height / 2, width, height, PAPER, FRAME, order=2)
        pen.letters(start + width / 2, -height / 2 - 0.3, str(number), "#6b717b", 0.75 * LETTER)
        for row, (text, rank) in enumerate(rows):
            pen.box(start + 0.12, ((len(rows) - 1) / 2 - row) * ROW, width - 0.24, 0.9 * ROW, text, SHADES[rank % len(SHADES)], INK)
    for name, start in (("input", left[0]), ("output", left[-1])):
        pen.box(start, 0.0, END_WIDTH, 0.7, name, INK, "white")


def _draw_edge(pen: Pen, start: float, end: float, distance: int, half: float) -> None:
    """A straight arrow to the next node, or an arc over the nodes between."""
    tip = end - HEAD / 2
    if distance == 1:
        path = Path([(start, 0.0), (tip, 0.0)])
    else:
        above = half + 0.15 + 0.4 * (distance - 1)
        turn = 0.4
        vertices = [(start, 0.0), (start + turn, 0.0), (start, above), (start + turn, above), (end - 1.5 * turn, above)]
        vertices += [(end - 0.5 * turn, above), (end - 1.2 * turn, 0.0), (tip, 0.0)]
        path = Path(vertices, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4, Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
    pen.line(path, "white", 2.6, order=1.0)
    pen.line(path, BETWEEN, 1.0, order=1.1)
    pen.arrow(end, 0.0, BETWEEN)

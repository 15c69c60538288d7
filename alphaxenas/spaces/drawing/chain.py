"""Chains as pictures: layers from left to right with their values, connections between neighbours straight, others as
arcs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.path import Path

from alphaxenas.spaces.chains.chain import Chain, format_value
from alphaxenas.spaces.drawing.cell import BETWEEN, FRAME, INK, PAPER, SHADES
from alphaxenas.spaces.drawing.pen import HEAD, LETTER, Pen, size_in_inches

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alphaxenas.spaces.chains.state_space import StateSpace

ROW, GAP, END_WIDTH = 0.62, 0.9, 1.3
"""Height of a value's row, space between layers, width of input and output."""


def draw_chain(space: StateSpace, chain: Chain, axes: Axes) -> None:
    """Draws a chain; the axes lose their frame and keep equal units in both directions.

    Args:
        space: The chain's space, which orders the values of every choice: a value's rank is its colour.
        chain: Any chain of the space; readable up to about eight layers.
        axes: matplotlib axes.
    """
    values = {choice.name: choice.values for choice in space.choices}
    picture = _arranged(chain)
    left, width, height = picture.left, picture.width, picture.height
    pen = Pen.on(axes, picture.across, picture.upwards)
    for (source, target), lane in picture.edges.items():
        above = height / 2 + 0.15 + 0.4 * lane if lane else 0.0
        _draw_edge(pen, left[source] + (width if source else END_WIDTH), left[target], above)
    for number, layer in enumerate(chain.layers):
        start = left[number + 1]
        pen.rounded(start, -height / 2, width, height, PAPER, FRAME, order=2)
        pen.letters(start + width / 2, -height / 2 - 0.3, str(number), "#6b717b", 0.75 * LETTER)
        for row, (name, value) in enumerate(layer.pairs):
            shade, text = SHADES[values[name].index(value) % len(SHADES)], f"{name} {format_value(value)}"
            pen.box(start + 0.12, ((len(layer) - 1) / 2 - row) * ROW, width - 0.24, 0.9 * ROW, text, shade, INK)
    for name, start in (("input", left[0]), ("output", left[-1])):
        pen.box(start, 0.0, END_WIDTH, 0.7, name, INK, "white")


def chain_size(chain: Chain) -> tuple[float, float]:
    """Width and height in inches of axes in which the chain's lettering has about 9 points."""
    picture = _arranged(chain)
    return size_in_inches(picture.across, picture.upwards)


@dataclass(frozen=True)
class _Picture:
    """Where everything goes. Node 0 is the input, node k + 1 layer k, the last node the output; edges have the lane of
    their arc.
    """

    left: list[float]
    width: float
    height: float
    edges: dict[tuple[int, int], int]
    across: tuple[float, float]
    upwards: tuple[float, float]


def _arranged(chain: Chain) -> _Picture:
    """Places of the layers, all of one size, and limits that leave room for the arcs."""
    count = len(chain.layers)
    texts = (f"{name} {format_value(value)}" for layer in chain.layers for name, value in layer.pairs)
    width = max(1.6, *(0.19 * len(text) + 0.4 for text in texts))
    height = ROW * max(map(len, chain.layers)) + 0.3
    left = [0.0, *(END_WIDTH + GAP + number * (width + GAP) for number in range(count))]
    left.append(left[-1] + width + GAP)
    edges = [(source + 1, number + 1) for number in range(count) for source in (chain.inputs(number) or (-1,))]
    edges += [(end + 1, count + 1) for end in chain.output_layers()]
    lanes: dict[tuple[int, int], int] = {}
    for source, target in sorted(edges, key=lambda edge: (edge[1] - edge[0], edge)):
        over = {lane for (other, end), lane in lanes.items() if other < target and source < end}
        free = next(lane for lane in range(1, len(edges) + 2) if lane not in over)
        lanes[source, target] = free if target - source > 1 else 0
    limits = (-0.2, left[-1] + END_WIDTH + 0.2), (-height / 2 - 0.6, height / 2 + 0.4 + 0.4 * max(lanes.values()))
    return _Picture(left, width, height, lanes, *limits)


def _draw_edge(pen: Pen, start: float, end: float, above: float) -> None:
    """A straight arrow to the next node, or an arc at height `above` over the nodes between."""
    tip = end - HEAD / 2
    if not above:
        path = Path([(start, 0.0), (tip, 0.0)])
    else:
        turn = 0.4
        vertices = [(start, 0.0), (start + turn, 0.0), (start, above), (start + turn, above), (end - 1.5 * turn, above)]
        vertices += [(end - 0.5 * turn, above), (end - 1.2 * turn, 0.0), (tip, 0.0)]
        curve = [Path.CURVE4] * 3
        path = Path(vertices, [Path.MOVETO, *curve, Path.LINETO, *curve])
    pen.crossing(path, BETWEEN)
    pen.arrow(end, 0.0, BETWEEN)

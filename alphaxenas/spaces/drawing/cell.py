"""Cells as pictures: inputs on the left, blocks in the column of their depth, the concatenated output on the right."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from matplotlib.path import Path

from alphaxenas.spaces.drawing.layered import Edge, Layout, arrange
from alphaxenas.spaces.drawing.pen import HEAD, LETTER, Pen, size_in_inches
from alphaxenas.spaces.notation import input_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alphaxenas.spaces.cell import Block, Cell

BOX_WIDTH, BOX_HEIGHT = 2.5, 0.62
ROW = 0.8
"""Distance between the middles of a block's two operations."""
PAD = 0.2
SIGN_WIDTH, SIGN_HEIGHT, SIGN_GAP = 0.44, 1.08, 0.45
BLOCK_WIDTH = PAD + BOX_WIDTH + SIGN_GAP + SIGN_WIDTH + PAD
BLOCK_HEIGHT = ROW + BOX_HEIGHT + 2 * PAD
INPUT_WIDTH, INPUT_HEIGHT, INPUT_ROOM = 1.25, 0.7, 1.1
OUTPUT_WIDTH, OUTPUT_ROW = 1.25, 0.55
LEAST_WIDTH, LEAST_HEIGHT = 13.0, 3.6
"""A small cell is drawn with space around it, so that its boxes and lines keep the proportions of a large one."""

FAMILIES = {
    "conv": ("#2f6db5", "white"),
    "sep": ("#1d8a7a", "white"),
    "identity": ("#e3e5e9", "#222222"),
    "maxpool": ("#d9722b", "white"),
    "avgpool": ("#f2c14e", "#222222"),
    "dilsep": ("#5b4b9a", "white"),
    "minpool": ("#a34a3a", "white"),
    "tanh": ("#2f6db5", "white"),
    "relu": ("#d9722b", "white"),
    "sigmoid": ("#1d8a7a", "white"),
}
"""Fill and lettering colour per family of operations."""
INK, PAPER, FRAME = "#2b2f36", "#f6f7f9", "#c3c8d0"
SOURCES = {"prev": "#2b2f36", "prev2": "#a3487f"}
"""Colour of the lines that leave each cell input; lines between blocks are `BETWEEN`."""
BETWEEN = "#5f7fa8"
SHADES = ("#e8eef5", "#f5ecdd", "#e4f1ec", "#f3e4ee", "#e5f1f8", "#f7e5d8", "#eeeeee")
"""Fill of a value of a chain or a code, by its rank among the values of its choice or position."""


def draw_cell(cell: Cell, axes: Axes) -> None:
    """Draws a cell; the axes lose their frame and keep equal units in both directions.

    Args:
        cell: Any cell; readable up to about eight blocks.
        axes: matplotlib axes of any size; `cell_size` says what suits the cell.
    """
    picture = _arranged(cell)
    layout, left = picture.layout, picture.left
    pen = Pen.on(axes, picture.across, picture.upwards)
    _draw_lines(pen, picture)
    for number, block in enumerate(cell.blocks):
        _draw_block(pen, block, f"b{number}", left[layout.columns[f"b{number}"]], layout)
    for name, colour in SOURCES.items():
        if name in layout.columns:
            y = layout.y[name, 0]
            pen.box(left[0], y, INPUT_WIDTH, INPUT_HEIGHT, name, "white", colour, edge=colour)
    last = layout.columns["output"]
    note = "concat" if len(cell.output_blocks()) > 1 else ""
    y, height = layout.y["output", last], picture.heights["output"]
    pen.box(left[last], y, OUTPUT_WIDTH, height, "output", INK, "white", note=note)


def draw_cell_pair(left: Cell, right: Cell, axes: Axes) -> None:
    """Draws two cells side by side, each with its name above it.

    Args:
        left: As for `draw_cell`.
        right: As for `draw_cell`.
        axes: matplotlib axes of any size, best about four times as wide as high; they lose their frame.
    """
    axes.axis("off")
    for number, (cell, name) in enumerate(zip((left, right), ("normal cell", "reduction cell"))):
        part = axes.inset_axes((0.51 * number, 0.0, 0.49, 1.0))
        draw_cell(cell, part)
        low, high = part.get_ylim()
        part.set_ylim(low, high + 3 * LETTER)
        Pen(part).letters(sum(part.get_xlim()) / 2, high + LETTER, name, INK, 1.2 * LETTER)


def cell_size(cell: Cell) -> tuple[float, float]:
    """Width and height in inches of axes in which the cell's lettering has about 9 points."""
    picture = _arranged(cell)
    return size_in_inches(picture.across, picture.upwards)


@dataclass(frozen=True)
class _Picture:
    """Where everything goes: `left` of every column, `heights` of the nodes, limits of the axes."""

    layout: Layout
    edges: list[Edge]
    left: list[float]
    heights: dict[str, float]
    spacing: dict[str, float]
    across: tuple[float, float]
    upwards: tuple[float, float]


def _arranged(cell: Cell) -> _Picture:
    """The arrangement of a cell, with a margin."""
    nodes, edges = _graph(cell)
    heights = dict.fromkeys(nodes, BLOCK_HEIGHT) | {"prev": INPUT_ROOM, "prev2": INPUT_ROOM}
    heights["output"] = max(1.2, OUTPUT_ROW * len(cell.output_blocks()) + 0.3)
    spacing = dict.fromkeys(nodes, ROW) | {"output": OUTPUT_ROW}
    layout = arrange(nodes, edges, heights, spacing, rail_height=0.1, gap=0.35)
    left = _columns(layout, edges)
    lows, highs = [], []
    for (node, column), middle in layout.y.items():
        half = heights[node] / 2 if layout.columns[node] == column else 0.0
        lows.append(middle - half)
        highs.append(middle + half)
    right = left[-1] + OUTPUT_WIDTH
    side = 0.15 + max(0.0, LEAST_WIDTH - right) / 2
    above = 0.15 + max(0.0, LEAST_HEIGHT - max(highs) + min(lows)) / 2
    limits = (-side, right + side), (min(lows) - above, max(highs) + above)
    return _Picture(layout, edges, left, heights, spacing, *limits)


def _graph(cell: Cell) -> tuple[dict[str, int], list[Edge]]:
    """Columns of the nodes (inputs 0, blocks their depth, output last) and the edges."""
    used = {source for row in cell.rows for source in row[:2]}
    nodes = {name: 0 for index, name in enumerate(("prev", "prev2")) if index in used}
    edges: list[Edge] = []
    for number, (input1, input2, *_) in enumerate(cell.rows):
        sources = (input_name(input1), input_name(input2))
        nodes[f"b{number}"] = 1 + max(nodes[source] for source in sources)
        edges += [Edge(source, f"b{number}", port) for port, source in enumerate(sources)]
    nodes["output"] = 1 + max(nodes.values())
    edges += [Edge(f"b{end}", "output", port) for port, end in enumerate(cell.output_blocks())]
    return nodes, edges


def _columns(layout: Layout, edges: list[Edge]) -> list[float]:
    """Left side of every column; the space before a column grows with the steepest line through it."""
    last = max(layout.columns.values())
    widths = [INPUT_WIDTH] + [BLOCK_WIDTH] * (last - 1) + [OUTPUT_WIDTH]
    steepest = [0.0] * (last + 1)
    for edge in edges:
        for start, end in pairwise(layout.route(edge)):
            steepest[end[1]] = max(steepest[end[1]], abs(layout.y[start] - layout.y[end]))
    left = [0.0]
    for column in range(1, last + 1):
        left.append(left[-1] + widths[column - 1] + min(2.2, 0.9 + 0.25 * steepest[column]))
    return left


def _draw_lines(pen: Pen, picture: _Picture) -> None:
    """Every edge: a curve between columns, straight along its rails, an arrow head at its end."""
    layout, left = picture.layout, picture.left
    for edge in picture.edges:
        outside, pieces = HEAD if edge.target == "output" else 0.0, []
        for start, end, y0, y1 in layout.pieces(edge, picture.spacing[edge.target]):
            x0 = left[start[1]] + (INPUT_WIDTH if start[1] == 0 else BLOCK_WIDTH)
            pieces.append(((x0, y0), (left[end[1]] - (outside if end[0] == edge.target else 0.0), y1)))
        pen.route(pieces, pieces[-1][1][0] + (outside or PAD), SOURCES.get(edge.source, BETWEEN))


def _draw_block(pen: Pen, block: Block, name: str, left: float, layout: Layout) -> None:
    """A frame with two operations, the sign that combines them, and the block's name."""
    y = layout.y[name, layout.columns[name]]
    pen.rounded(left, y - BLOCK_HEIGHT / 2, BLOCK_WIDTH, BLOCK_HEIGHT, PAPER, FRAME, order=1.05)
    start = left + PAD + BOX_WIDTH
    sign = start + SIGN_GAP
    for port, operation in enumerate((block.operation1, block.operation2)):
        height = layout.port_y(name, port, ROW)
        fill, ink = family_colours(operation)
        middle = (start + sign) / 2
        curve = [(start, height), (middle, height), (middle, y), (sign, y)]
        pen.line(Path(curve, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]), BETWEEN, 0.85, order=2)
        pen.box(left + PAD, height, BOX_WIDTH, BOX_HEIGHT, readable_operation(operation), fill, ink)
    end = sign + SIGN_WIDTH
    pen.rounded(sign, y - SIGN_HEIGHT / 2, SIGN_WIDTH, SIGN_HEIGHT, "white", BETWEEN, order=3)
    pen.letters((sign + end) / 2, y, block.combination, INK, 0.84 * LETTER, upright=True)
    pen.letters((sign + end) / 2, y + BLOCK_HEIGHT / 2 - 0.2, name, "#6b717b", 0.75 * LETTER)
    pen.line(Path([(end, y), (left + BLOCK_WIDTH, y)]), BETWEEN, 1.0, order=2)


def family_colours(operation: str) -> tuple[str, str]:
    """Fill and lettering of an operation's family."""
    return next(colours for family, colours in FAMILIES.items() if operation.startswith(family))


def readable_operation(operation: str) -> str:
    """`maxpool3x3` as `max pool 3×3`."""
    family = next(family for family in FAMILIES if operation.startswith(family))
    size = operation.removeprefix(family).replace("x", "×")
    return f"{family.replace('pool', ' pool').replace('dil', 'dil ')} {size}".strip()

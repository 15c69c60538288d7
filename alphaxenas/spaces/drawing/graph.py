"""Pictures of tabular benchmarks' architectures: graphs with operations on vertices or on edges, and plain codes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.path import Path

from alphaxenas.spaces.drawing.cell import (
    BETWEEN,
    BOX_HEIGHT,
    BOX_WIDTH,
    INK,
    LEAST_WIDTH,
    PAPER,
    SHADES,
    family_colours,
    readable_operation,
)
from alphaxenas.spaces.drawing.layered import Edge, arrange
from alphaxenas.spaces.drawing.pen import HEAD, LETTER, Pen
from alphaxenas.spaces.nasbench.nasbench201 import EDGES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alphaxenas.spaces.listed.table import Code, Table
    from alphaxenas.spaces.nasbench.cell101 import NASBench101Cell
    from alphaxenas.spaces.nasbench.nasbench201 import NASBench201Cell
    from alphaxenas.spaces.recurrent import RecurrentCell

NODE_WIDTH, GAP = 1.1, 1.1
"""Width of a box without operation, and the space between columns."""
_PLAIN_NAMES = {
    "skip_connect": "identity",
    "nor_conv_1x1": "conv1x1",
    "nor_conv_3x3": "conv3x3",
    "avg_pool_3x3": "avgpool3x3",
}


def draw_vertex_graph(cell: NASBench101Cell, axes: Axes) -> None:
    """Draws a graph with an operation in every vertex but the first (input) and the last (output).

    Args:
        cell: Any cell.
        axes: matplotlib axes; they lose their frame and keep equal units in both directions.
    """
    operations, edges = cell.operations, cell.edges
    last = len(operations) + 1
    names = {0: "input", last: "output"}
    columns = {0: 0}
    for vertex in range(1, last + 1):
        columns[vertex] = 1 + max(columns[source] for source, target in edges if target == vertex)
    labels = {f"v{vertex}": names.get(vertex) or operations[vertex - 1].split("-")[0] for vertex in range(last + 1)}
    _draw(labels, {f"v{v}": column for v, column in columns.items()}, [(f"v{s}", f"v{t}") for s, t in edges], axes)


def draw_edge_graph(cell: NASBench201Cell, axes: Axes) -> None:
    """Draws a graph with an operation on every edge: a box between two numbered nodes.

    Args:
        cell: Any cell; edges with the operation `none` are left out.
        axes: As for `draw_vertex_graph`.
    """
    labels = {"n0": "input", "n1": "1", "n2": "2", "n3": "output"}
    columns = {f"n{node}": 2 * node for node in range(4)}
    lines = []
    for (source, target), operation in zip(EDGES, cell.operations):
        if operation == "none":
            continue
        name = f"{source}{target}"
        labels[name] = _PLAIN_NAMES.get(operation, operation)
        columns[name] = source + target
        lines += [(f"n{source}", name), (name, f"n{target}")]
    _draw(labels, columns, lines, axes)


def draw_recurrent_cell(cell: RecurrentCell, axes: Axes) -> None:
    """Draws the tree of a recurrent cell, its nodes by depth; the nodes that enter the new hidden state are underlined.

    Args:
        cell: Any cell.
        axes: As for `draw_vertex_graph`.
    """
    depths = cell.depths
    labels = {"input": "input"} | {f"s{n}": name for n, name in enumerate(cell.activations)}
    columns = {"input": 0} | {f"s{n}": depth + 1 for n, depth in enumerate(depths)}
    lines = [("input", "s0"), *((f"s{source}", f"s{n}") for n, source in enumerate(cell.inputs, 1))]
    _draw(labels, columns, lines, axes, underlined={f"s{n}" for n in cell.output_nodes})


def draw_code(space: Table, code: Code, axes: Axes) -> None:
    """Draws a code as boxes side by side, at most 16 a row: the position above, the value inside.

    Args:
        space: The code's table, which orders the values of every position: a value's rank is its colour.
        code: Any code of the table.
        axes: As for `draw_vertex_graph`.
    """
    values, positions = code.values, space.positions
    ranks = [list(known).index(value) for known, value in zip(space.value_tokens, values)]
    per_row, height = 16, 1.5
    width = max(1.0, *(0.26 * len(text) + 0.3 for text in (*positions, *values)))
    rows, across = -(-len(values) // per_row), min(len(values), per_row) * (width + 0.2)
    pen = Pen.on(axes, (-0.3, max(across, 6.0) + 0.1), (0.1 - rows * height, 0.6))
    for number, (position, value, rank) in enumerate(zip(positions, values, ranks)):
        row, column = divmod(number, per_row)
        left, middle = column * (width + 0.2), -row * height - 0.7
        pen.letters(left + width / 2, middle + 0.62, position, "#6b717b", 0.75 * LETTER)
        pen.box(left, middle, width, 0.8, value, SHADES[rank % len(SHADES)], INK, edge=BETWEEN)


def _draw(
    labels: Mapping[str, str],
    columns: Mapping[str, int],
    lines: Sequence[tuple[str, str]],
    axes: Axes,
    underlined: Collection[str] = (),
) -> None:
    """Boxes in their columns, empty ones closed up, and curves between them."""
    used = sorted(set(columns.values()))
    columns = {name: used.index(column) for name, column in columns.items()}
    edges, ports = [], dict.fromkeys(columns, 0)
    for source, target in lines:
        edges.append(Edge(source, target, ports[target]))
        ports[target] += 1
    spacing = {name: min(0.2, 0.45 / max(1, count)) for name, count in ports.items()}
    layout = arrange(columns, edges, dict.fromkeys(columns, BOX_HEIGHT), spacing, rail_height=0.1, gap=0.35)
    widths = [NODE_WIDTH] * (max(columns.values()) + 1)
    for name, column in columns.items():
        widths[column] = max(widths[column], _width(labels[name]))
    left = [sum(widths[:column]) + GAP * column for column in range(len(widths))]
    heights = list(layout.y.values())
    right = left[-1] + widths[-1]
    side = 0.2 + max(0.0, LEAST_WIDTH - right) / 2
    pen = Pen.on(axes, (-side, right + side), (min(heights) - 0.9, max(heights) + 0.9))
    for edge in edges:
        pieces = []
        for start, end, y0, y1 in layout.pieces(edge, spacing[edge.target]):
            x0, x1 = left[start[1]] + widths[start[1]], left[end[1]]
            if start[1] == columns[edge.source]:
                x0 -= (widths[start[1]] - _width(labels[edge.source])) / 2
            if end[0] == edge.target:
                x1 += (widths[end[1]] - _width(labels[edge.target])) / 2 - HEAD
            pieces.append(((x0, y0), (x1, y1)))
        pen.route(pieces, pieces[-1][1][0] + HEAD, BETWEEN)
    for name, column in columns.items():
        label, width = labels[name], _width(labels[name])
        text = readable_operation(label) if width == BOX_WIDTH else label
        side, middle = left[column] + (widths[column] - width) / 2, layout.y[name, column]
        pen.box(side, middle, width, BOX_HEIGHT, text, *_look(label))
        if name in underlined:
            y = middle - BOX_HEIGHT / 2 - 0.08
            pen.line(Path([(side, y), (side + width, y)]), INK, 2.0, order=3)


def _width(label: str) -> float:
    return NODE_WIDTH if label in ("input", "output") or label.isdigit() else BOX_WIDTH


def _look(label: str) -> tuple[str, str, str]:
    """Fill, lettering and frame of a box."""
    if label in ("input", "output"):
        return INK, "white", "none"
    if label.isdigit():
        return PAPER, INK, BETWEEN
    return *family_colours(label), "none"

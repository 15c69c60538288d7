"""How each kind of architecture is drawn. A new kind of architecture adds one line to `DRAWINGS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from alphaxenas.contracts import SearchSpace
from alphaxenas.spaces.cell import Cell
from alphaxenas.spaces.chains.chain import Chain
from alphaxenas.spaces.convnet import ConvNet
from alphaxenas.spaces.drawing.cell import cell_size, draw_cell, draw_cell_pair
from alphaxenas.spaces.drawing.chain import chain_size, draw_chain
from alphaxenas.spaces.drawing.convnet import convnet_size, draw_convnet
from alphaxenas.spaces.drawing.graph import draw_code, draw_edge_graph, draw_recurrent_cell, draw_vertex_graph
from alphaxenas.spaces.drawing.macro import draw_macro, macro_size
from alphaxenas.spaces.forms.genotype import Genotype
from alphaxenas.spaces.listed.subset import Subset
from alphaxenas.spaces.listed.table import Code
from alphaxenas.spaces.macro import MacroArchitecture
from alphaxenas.spaces.micro import MicroArchitecture
from alphaxenas.spaces.nasbench.cell101 import NASBench101Cell
from alphaxenas.spaces.nasbench.nasbench201 import NASBench201Cell
from alphaxenas.spaces.recurrent import RecurrentCell
from alphaxenas.spaces.zoo import ZooCell

Size = tuple[float, float]


class Drawing(NamedTuple):
    """How one class of architectures is drawn.

    Attributes:
        draw: Called with the space, the architecture and matplotlib axes.
        size: Width and height in inches of axes in which the architecture's lettering has about 9 points.
    """

    draw: Callable[[Any, Any, Axes], None]
    size: Callable[[Any], Size] = lambda architecture: (9.0, 4.5)


def _pair_size(architecture: MicroArchitecture | ZooCell | Genotype) -> Size:
    (width, height), (other_width, other_height) = cell_size(architecture.normal), cell_size(architecture.reduction)
    return 2 * max(width, other_width), max(height, other_height)


_PAIR = Drawing(lambda space, pair, axes: draw_cell_pair(pair.normal, pair.reduction, axes), _pair_size)
DRAWINGS: dict[type, Drawing] = {
    Cell: Drawing(lambda space, cell, axes: draw_cell(cell, axes), cell_size),
    MicroArchitecture: _PAIR,
    ZooCell: _PAIR,
    Genotype: _PAIR,
    MacroArchitecture: Drawing(lambda space, architecture, axes: draw_macro(architecture, axes), macro_size),
    Chain: Drawing(draw_chain, chain_size),
    ConvNet: Drawing(lambda space, net, axes: draw_convnet(net, axes), convnet_size),
    Code: Drawing(draw_code),
    NASBench101Cell: Drawing(lambda space, cell, axes: draw_vertex_graph(cell, axes)),
    NASBench201Cell: Drawing(lambda space, cell, axes: draw_edge_graph(cell, axes)),
    RecurrentCell: Drawing(lambda space, cell, axes: draw_recurrent_cell(cell, axes), lambda cell: (9.0, 2.6)),
}


def _written(space: SearchSpace, architecture: Any, axes: Axes) -> None:
    """An architecture of a space that brings no picture: its text form."""
    axes.axis("off")
    axes.text(0.5, 0.5, str(architecture), ha="center", va="center", wrap=True)


def draw(space: SearchSpace, architecture: Any, axes: Axes) -> None:
    """Draws an architecture.

    Args:
        space: The search space of the architecture. The architectures of a space from elsewhere are drawn by its own
            method `draw(architecture, axes)`, or written as text if it has none.
        architecture: What to draw.
        axes: Axes of any size; `natural_size` says what suits the architecture.
    """
    if isinstance(space, Subset):
        space = space.space
    if type(architecture) in DRAWINGS:
        DRAWINGS[type(architecture)].draw(space, architecture, axes)
    elif hasattr(space, "draw"):
        space.draw(architecture, axes)
    else:
        _written(space, architecture, axes)


def natural_size(architecture: Any) -> Size:
    """Width and height in inches of axes that suit an architecture."""
    return DRAWINGS.get(type(architecture), Drawing(_written)).size(architecture)

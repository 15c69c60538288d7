"""Plain convolution nets as pictures: stages from left to right, their layers from top to bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.path import Path

from alphaxenas.spaces.drawing.cell import BETWEEN, FRAME, INK, PAPER, SHADES
from alphaxenas.spaces.drawing.pen import HEAD, LETTER, Pen, size_in_inches

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alphaxenas.spaces.convnet import ConvNet, Stage

WIDTH, ROW, GAP, MARGIN = 2.6, 0.72, 0.8, 0.5
_COLUMNS = 5


def draw_convnet(net: ConvNet, axes: Axes) -> None:
    """Draws whitening, stages and head; the axes lose their frame and keep equal units in both directions.

    Args:
        net: Any.
        axes: matplotlib axes.
    """
    height, pen = _height(net), Pen.on(axes, *_limits(net))
    for column in range(1, _COLUMNS):
        end = column * (WIDTH + GAP)
        pen.line(Path([(end - GAP, 0.0), (end - HEAD / 2, 0.0)]), BETWEEN, 1.0, order=1.1)
        pen.arrow(end, 0.0, BETWEEN)
    pen.box(0.0, 0.0, WIDTH, 1.1, "whitening", INK, "white", note=net.activation)
    pen.box((_COLUMNS - 1) * (WIDTH + GAP), 0.0, WIDTH, 1.1, f"{net.head} pool", INK, "white", note="classifier")
    for number, stage in enumerate(net.stages):
        _draw_stage(pen, stage, (number + 1) * (WIDTH + GAP), height)
        pen.letters((number + 1) * (WIDTH + GAP) + WIDTH / 2, -height / 2 - 0.4, f"stage {number}", INK, 0.75 * LETTER)


def convnet_size(net: ConvNet) -> tuple[float, float]:
    """Width and height in inches of axes in which the lettering has about 9 points."""
    return size_in_inches(*_limits(net))


def _limits(net: ConvNet) -> tuple[tuple[float, float], tuple[float, float]]:
    """Of the axes, across and upwards."""
    half = _height(net) / 2
    return (-0.3, _COLUMNS * WIDTH + (_COLUMNS - 1) * GAP + 0.3), (-half - 0.8, half + 0.3)


def _height(net: ConvNet) -> float:
    """Of a frame that holds the longest stage."""
    return ROW * (1 + max(stage.convolutions for stage in net.stages)) + 0.3


def _draw_stage(pen: Pen, stage: Stage, left: float, height: float) -> None:
    pen.rounded(left, -height / 2, WIDTH, height, PAPER, FRAME, order=2)
    convolutions = [f"conv {stage.width}"] * stage.convolutions
    rows = ["pool", *convolutions] if stage.pool == "before" else [convolutions[0], "pool", *convolutions[1:]]
    middles = [(len(rows) - 1) / 2 * ROW - number * ROW for number in range(len(rows))]
    for text, middle in zip(rows, middles):
        shade = SHADES[1] if text == "pool" else SHADES[0]
        pen.box(left + MARGIN, middle, WIDTH - 2 * MARGIN, 0.85 * ROW, text, shade, INK)
    if stage.residual:
        # From below the first two rows, which are the first convolution and the pooling, around the later ones.
        top, end, side = middles[1] - ROW / 2, middles[-1] - 0.3 * ROW, left + MARGIN / 2
        pen.line(Path([(left + MARGIN, top), (side, top), (side, end), (left + MARGIN, end)]), BETWEEN, 1.0, order=3.2)
        pen.arrow(left + MARGIN, end, BETWEEN)

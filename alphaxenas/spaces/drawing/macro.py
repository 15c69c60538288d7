"""Pictures of macro architectures: upright boxes from left to right, skip connections as arcs above them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.path import Path

from alphaxenas.spaces.drawing.cell import (
    BETWEEN,
    BOX_HEIGHT,
    BOX_WIDTH,
    INK,
    SOURCES,
    family_colours,
    readable_operation,
)
from alphaxenas.spaces.drawing.pen import HEAD, LETTER, Pen, size_in_inches

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alphaxenas.spaces.macro import MacroArchitecture

STEP = 1.35
"""From the middle of one box to that of the next."""
RISE = 0.55
"""Height of an arc per layer that it passes."""


def draw_macro(architecture: MacroArchitecture, axes: Axes) -> None:
    """Draws a stem, layers and an output.

    Args:
        architecture: Any; readable up to about twelve layers.
        axes: matplotlib axes; they lose their frame and keep equal units in both directions.
    """
    operations = [layer.operation for layer in architecture.layers]
    skips = [layer.skips for layer in architecture.layers]
    last = len(operations) + 1
    top = BOX_WIDTH / 2
    pen = Pen.on(axes, *_limits(skips))
    for place in range(last):
        start, end = place * STEP + BOX_HEIGHT / 2, (place + 1) * STEP - BOX_HEIGHT / 2
        pen.line(Path([(start, 0.0), (end - HEAD / 2, 0.0)]), INK, 1.0, order=1.1)
        pen.arrow(end, 0.0, INK)
    for number, sources in enumerate(skips):
        for rank, source in enumerate(sources):
            _arc(pen, source, number + 1, rank, len(sources), top)
    for place, label in enumerate(("stem", *operations, "output")):
        fill, ink = (INK, "white") if place in (0, last) else family_colours(label)
        text = label if place in (0, last) else readable_operation(label)
        pen.rounded(place * STEP - BOX_HEIGHT / 2, -top, BOX_HEIGHT, 2 * top, fill, "none", order=3)
        pen.letters(place * STEP, 0.0, text, ink, LETTER, upright=True)


def macro_size(architecture: MacroArchitecture) -> tuple[float, float]:
    """Width and height in inches of axes in which the lettering has about 9 points."""
    return size_in_inches(*_limits([layer.skips for layer in architecture.layers]))


def _limits(skips: Sequence[Sequence[int]]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Of the axes, across and upwards."""
    longest = max((number + 1 - source for number, sources in enumerate(skips) for source in sources), default=1)
    top = BOX_WIDTH / 2
    return (-STEP, (len(skips) + 2) * STEP), (-top - 0.3, top + 0.5 + RISE * max(longest, 3))


def _arc(pen: Pen, source: int, target: int, rank: int, arriving: int, top: float) -> None:
    """A curve from the top of one box to the top of a later one; arrows that arrive at one box stand side by side."""
    x0, x1 = source * STEP + 0.1, target * STEP - BOX_HEIGHT / 2 + BOX_HEIGHT * (rank + 0.5) / (arriving + 0.5)
    height = top + RISE * (target - source) * 1.25
    colour = SOURCES["prev2"] if source == 0 else BETWEEN
    pen.crossing(Path([(x0, top), (x0, height), (x1, height), (x1, top)], [Path.MOVETO, *[Path.CURVE4] * 3]), colour)
    pen.dot(x1, top, colour)

"""Shapes and lettering in data units.

Lettering is drawn as shapes, not as text in points: nothing overlaps at any size of the axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from alphaxenas.spaces.drawing.lettering import FONT, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LETTER = 0.3
"""Size of the lettering, em height in data units."""
HEAD = 0.22
"""Length of an arrow head."""


Interval = tuple[float, float]
Point = tuple[float, float]


def size_in_inches(across: Interval, upwards: Interval) -> tuple[float, float]:
    """Width and height in inches of axes in which the lettering of a drawing has about 9 points.

    Args:
        across: Limits of the drawing from left to right, data units.
        upwards: Limits from bottom to top.
    """
    inches = 9 / 72 / LETTER
    return (across[1] - across[0]) * inches, (upwards[1] - upwards[0]) * inches


class Pen:
    """Draws shapes on axes whose limits are set; lines keep their width in proportion to everything else."""

    def __init__(self, axes: Axes) -> None:
        self._axes = axes
        box = axes.get_window_extent()
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        points = 72 / axes.figure.dpi * min(box.width / (right - left), box.height / (top - bottom))
        self._stroke = max(0.5, 0.05 * points)

    @classmethod
    def on(cls, axes: Axes, across: Interval, upwards: Interval) -> Pen:
        """A pen for axes that lose their frame and get equal units in both directions.

        Args:
            axes: Of any size.
            across: Limits from left to right.
            upwards: Limits from bottom to top.
        """
        axes.set_xlim(*across)
        axes.set_ylim(*upwards)
        axes.set_aspect("equal")
        axes.axis("off")
        return cls(axes)

    def line(self, path: Path, colour: str, width: float, order: float) -> None:
        """Draws an open line.

        Args:
            path: In data units.
            colour: Of the line.
            width: In strokes.
            order: Higher is drawn later.
        """
        width *= self._stroke
        patch = PathPatch(path, facecolor="none", edgecolor=colour, linewidth=width, zorder=order, capstyle="butt")
        self._axes.add_patch(patch)

    def crossing(self, path: Path, colour: str) -> None:
        """Draws a line that may cross others: a white one below parts them.

        Args:
            path: In data units.
            colour: Of the line.
        """
        self.line(path, "white", 2.6, order=1.0)
        self.line(path, colour, 1.0, order=1.1)

    def route(self, pieces: Sequence[tuple[Point, Point]], tip: float, colour: str) -> None:
        """Draws an arrow along curves that begin and end level.

        Args:
            pieces: Start and end of every curve, from left to right, with straight lines between them.
            tip: Where the arrow ends, at the height of the last curve.
            colour: Of the line.
        """
        vertices: list[Point] = []
        for (x0, y0), (x1, y1) in pieces:
            vertices += [(x0, y0), ((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1), (x1, y1)]
        codes = [Path.LINETO, *[Path.CURVE4] * 3] * len(pieces)
        height = vertices[-1][1]
        self.crossing(Path([*vertices, (tip - HEAD / 2, height)], [Path.MOVETO, *codes[1:], Path.LINETO]), colour)
        self.arrow(tip, height, colour)

    def arrow(self, x: float, y: float, colour: str) -> None:
        """Draws an arrow head that points right.

        Args:
            x: Of the tip.
            y: Of the tip.
            colour: Its fill.
        """
        head = [(x, y), (x - HEAD, y + 0.1), (x - HEAD, y - 0.1)]
        self._axes.add_patch(Polygon(head, closed=True, facecolor=colour, edgecolor="none", zorder=3.5))

    def dot(self, x: float, y: float, colour: str) -> None:
        """Draws the end of a line that arrives from above.

        Args:
            x: Of the centre.
            y: Of the centre.
            colour: Its fill.
        """
        self._axes.add_patch(Circle((x, y), 0.07, facecolor=colour, edgecolor="none", zorder=3.5))

    def rounded(
        self, left: float, bottom: float, width: float, height: float, fill: str, edge: str, order: float
    ) -> None:
        """Draws a rectangle with rounded corners.

        Args:
            left: Its left side.
            bottom: Its lower side.
            width: In data units.
            height: In data units.
            fill: Colour inside.
            edge: Colour of the outline, or `"none"`.
            order: Higher is drawn later.
        """
        style = f"round,pad=0,rounding_size={min(0.16, height / 3, width / 3)}"
        self._axes.add_patch(
            FancyBboxPatch(
                (left, bottom),
                width,
                height,
                boxstyle=style,
                facecolor=fill,
                edgecolor=edge,
                linewidth=0.75 * self._stroke,
                zorder=order,
            )
        )

    def box(
        self,
        left: float,
        middle: float,
        width: float,
        height: float,
        text: str,
        fill: str,
        ink: str,
        edge: str = "none",
        note: str = "",
    ) -> None:
        """Draws a rounded box with centred lettering and, below it, a smaller note.

        Args:
            left: Its left side.
            middle: Height of its centre.
            width: In data units.
            height: In data units.
            text: The lettering.
            fill: Colour inside.
            ink: Colour of the lettering.
            edge: Colour of the outline, or `"none"`.
            note: Empty for none.
        """
        self.rounded(left, middle - height / 2, width, height, fill, edge, order=3)
        self.letters(left + width / 2, middle + (0.16 if note else 0.0), text, ink, LETTER)
        if note:
            self.letters(left + width / 2, middle - 0.22, note, ink, 0.75 * LETTER)

    def letters(self, x: float, y: float, text: str, colour: str, size: float, upright: bool = False) -> None:
        """Draws lettering as shapes, centred by its small letters.

        Args:
            x: Of the centre.
            y: Of the centre.
            text: The lettering.
            colour: Its fill.
            size: Em height in data units.
            upright: Turned by 90 degrees, to be read from below.
        """
        text = plain(text)
        font = FontProperties(family=[FONT, *matplotlib.rcParams["font.family"][1:]])
        shape = TextPath((0, 0), text, size=size, prop=font)
        extent = shape.get_extents()
        small = TextPath((0, 0), "x", size=size, prop=font).get_extents()
        move = Affine2D().translate(-extent.x0 - extent.width / 2, -small.height / 2)
        move = (move.rotate_deg(90) if upright else move).translate(x, y)
        patch = PathPatch(move.transform_path(shape), facecolor=colour, edgecolor="none", linewidth=0, zorder=4)
        self._axes.add_patch(patch)

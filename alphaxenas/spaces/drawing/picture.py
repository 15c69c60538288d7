"""PNG files of figures and of architectures: small, and the same bytes for the same picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from alphaxenas.contracts import SearchSpace


def picture(space: SearchSpace, architecture: Any) -> bytes:
    """Draws an architecture without a display and without touching the notebook's figures.

    Args:
        space: The search space of the architecture.
        architecture: What to draw.

    Returns:
        A PNG file of 900 x 450 pixels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from alphaxenas.spaces.drawing.registry import draw

    figure = Figure(figsize=(9, 4.5), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    draw(space, architecture, figure.add_subplot())
    return as_png(figure)


def as_png(figure: Figure, photographs: bool = False) -> bytes:
    """Renders a figure.

    Args:
        figure: Any figure.
        photographs: Keep every colour. Without it the file has at most 255 colours, which is enough for drawings
            and takes a third of the space.

    Returns:
        A PNG file without date or software version, so that equal figures give equal bytes.
    """
    from PIL import Image

    import alphaxenas.spaces.drawing.lettering  # noqa: F401  (matplotlib's own defaults, for figures of any origin)

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white", metadata={"Software": None})
    image = Image.open(buffer).convert("RGB")
    if not photographs:
        image = image.quantize(255, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    smaller = io.BytesIO()
    image.save(smaller, format="png", optimize=True)
    return smaller.getvalue()

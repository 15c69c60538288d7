"""Figures as the bytes of a PNG file, small enough to keep in records."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def as_png(figure: Figure, photographs: bool = False) -> bytes:
    """The bytes of a PNG file, the same for the same figure.

    Args:
        figure: Any figure.
        photographs: Keep every colour. Drawings look the same in 255, and take a third of the space.
    """
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white", metadata={"Software": None})
    picture = Image.open(buffer).convert("RGB")
    if not photographs:
        picture = picture.quantize(255, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    smaller = io.BytesIO()
    picture.save(smaller, format="png", optimize=True)
    return smaller.getvalue()

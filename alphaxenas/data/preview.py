"""Images to look at: batches turned back into pixels, and sheets of them for a notebook."""

from __future__ import annotations

import numpy as np

from alphaxenas.suggestions import invalid


def to_pixels(images: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Turns normalised images back into pixels.

    Args:
        images: float `[n, h, w, c]`.
        mean: Of each channel, `[c]`, with pixels scaled to [0, 1].
        std: Standard deviation of each channel, `[c]`.

    Returns:
        uint8 of the same shape.
    """
    return np.clip(np.rint((np.asarray(images) * std + mean) * 255), 0, 255).astype(np.uint8)


def sheet(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Lays images out in rows on white.

    Args:
        images: uint8 `[n, h, w, c]` with 1 or 3 channels.
        columns: Images a row.
        gap: Pixels between them.

    Returns:
        uint8 `[rows * (h + gap) - gap, columns * (w + gap) - gap, 3]`, for `imshow`.
    """
    count, height, width, channels = images.shape
    if channels not in (1, 3):
        raise invalid("images", "1 or 3 channels", channels)
    rows = -(-count // columns)
    page = np.full((rows * (height + gap), columns * (width + gap), 3), 255, np.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * (height + gap), number % columns * (width + gap)
        page[top : top + height, left : left + width] = image
    return page[: rows * (height + gap) - gap, : columns * (width + gap) - gap]

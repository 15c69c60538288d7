"""Images to look at: batches turned back into pixels, and sheets of them for a notebook."""

from __future__ import annotations

import numpy as np


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


def colours(images: np.ndarray) -> np.ndarray:
    """Images of any number of channels as pictures: the first three are red, green and blue; of two, blue is missing.

    Args:
        images: uint8 `[n, h, w, c]`.

    Returns:
        uint8 `[n, h, w, 3]`, or `[n, h, w, 1]` for one channel.
    """
    channels = images.shape[-1]
    if channels == 2:
        images = np.concatenate([images, np.zeros_like(images[..., :1])], axis=-1)
    return images[..., :3]


def channel_names(channels: int) -> list[str]:
    """What the channels of an image are called."""
    names = {1: ["grey"], 3: ["red", "green", "blue"], 4: ["red", "green", "blue", "opacity"]}
    return names.get(channels, [f"channel {number}" for number in range(1, channels + 1)])


def sheet(images: np.ndarray, columns: int) -> np.ndarray:
    """Lays images out in rows on white, a pixel between them.

    Args:
        images: uint8 `[n, h, w, c]`; see `colours`.
        columns: Images a row.

    Returns:
        uint8 `[rows * (h + 1) - 1, columns * (w + 1) - 1, 3]`, for `imshow`.
    """
    count, height, width, _ = images.shape
    rows = -(-count // columns)
    page = np.full((rows * (height + 1), columns * (width + 1), 3), 255, np.uint8)
    for number, image in enumerate(colours(images)):
        top, left = number // columns * (height + 1), number % columns * (width + 1)
        page[top : top + height, left : left + width] = image
    return page[:-1, :-1]

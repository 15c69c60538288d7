"""The kernel that whitens 2x2 patches, from training images.

Its first 4 c filters are the eigenvectors of the patches' second moments, each divided by the root of its eigenvalue,
so that their outputs are uncorrelated and of equal size; the others are their negatives, so that nothing is lost where
an activation flattens negative values.

Source: Page 2019, "How to train your ResNet", part 8; in this form Jordan 2024, section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from alphaxenas.suggestions import invalid

IMAGES, EPSILON = 5_000, 5e-4
"""From how many images the kernel is computed, and what is added to the eigenvalues of normalised patches."""


def whitening_kernel(batches: Iterable[np.ndarray]) -> np.ndarray:
    """The kernel of the first `IMAGES` images.

    Args:
        batches: Normalised images `[B, h, w, c]`; no more are read than are needed.

    Returns:
        float32 `[2, 2, c, 8 * c]`.

    Raises:
        ValueError: The images are constant, so that there is nothing to whiten.
    """
    count, patches, moments = 0, 0, np.zeros(())
    lowest, highest = np.inf, -np.inf
    for images in batches:
        channels = images.shape[3]
        corners = [images[:, row : row - 1 or None, column : column - 1 or None] for row in (0, 1) for column in (0, 1)]
        flat = np.concatenate(corners, axis=3).reshape(-1, 4 * channels)
        moments = moments + flat.T.astype(np.float64) @ flat
        count, patches = count + len(images), patches + len(flat)
        lowest, highest = min(lowest, images.min()), max(highest, images.max())
        if count >= IMAGES:
            break
    if not lowest < highest:
        raise invalid(
            "dataset",
            "training images that differ, whose patches can be whitened for the space convnet",
            f"{count} images whose pixels all have the value {lowest:g} (normalised)",
        )
    values, vectors = np.linalg.eigh(moments / patches)
    # An eigenvector's sign is arbitrary: its largest entry is made positive, so that every machine agrees.
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(0), np.arange(len(values))])
    filters = (vectors / np.sqrt(np.maximum(values, 0.0) + EPSILON)).reshape(2, 2, -1, len(values))
    return np.concatenate([filters, -filters], axis=3).astype(np.float32)

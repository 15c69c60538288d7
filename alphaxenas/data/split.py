"""Stratified draws: every part, and every fraction of a part, has the classes in the proportions of the whole."""

from __future__ import annotations

import numpy as np

from alphaxenas.suggestions import invalid


def stratified_draw(labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draws examples without replacement, each class in proportion.

    A class of n_k of the n examples gets its exact share n_k * count / n rounded down or up at random, such that every
    example is equally likely to be drawn. Rounding by largest remainders would prefer the same classes in every epoch.

    Args:
        labels: Whole numbers from 0, `[n]`.
        count: How many to draw, 0..n.
        rng: Source of randomness.

    Returns:
        Indices into `labels`, `[count]`, in random order.

    Source: Systematic sampling (Madow 1949), applied to the fractional parts of the shares.
    """
    if not 0 <= count <= len(labels):
        raise invalid("count", f"0..{len(labels):,}", f"{count:,}")
    order = rng.permutation(len(labels))
    if count == len(labels):
        return order
    sizes = np.bincount(labels).astype(np.int64)
    shares, remainders = np.divmod(sizes * count, len(labels))
    # In units of 1/n: each class is an interval as long as its fractional part, and gets one more example where a
    # comb of spacing 1 with a random start has a tooth in it.
    classes = rng.permutation(len(sizes))
    teeth = (np.cumsum(remainders[classes]) + rng.integers(len(labels))) // len(labels)
    shares[classes] += np.diff(teeth, prepend=0)
    # Position of each example among those of its class, in the random order: the first `share` of each are drawn.
    by_class = order[np.argsort(labels[order], kind="stable")]
    starts = np.cumsum(sizes) - sizes
    ranks = np.empty(len(labels), np.int64)
    ranks[by_class] = np.arange(len(labels)) - np.repeat(starts, sizes)
    return order[ranks[order] < shares[labels[order]]]


def take_out(
    labels: np.ndarray, indices: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Splits `count` stratified examples off `indices`.

    Args:
        labels: Labels of all examples, `[n]`.
        indices: Indices into `labels` to choose from.
        count: How many to take.
        rng: Source of randomness.

    Returns:
        Indices taken and indices left, each ascending, so that a part does not depend on the order of the draw.
    """
    drawn = np.zeros(len(indices), bool)
    drawn[stratified_draw(labels[indices], count, rng)] = True
    return np.sort(indices[drawn]), np.sort(indices[~drawn])

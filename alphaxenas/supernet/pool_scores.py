"""Accuracies of a pool's members on common images, or their rewards on common words, with what chance moves them by."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scores:
    """What members scored on the same `images` validation images, or words of text.

    Attributes:
        accuracies: Of the members, `[n]`; of words, mean rewards.
        images: How many images, or words, that was.
        standard_error: Mean over the members of what chance moves an accuracy by.
        spread: Standard deviation of the members' accuracies without what chance adds to it.
    """

    accuracies: np.ndarray
    images: int
    standard_error: float
    spread: float

    @classmethod
    def of(cls, hits: np.ndarray) -> Scores:
        """From which images `[n, images]` were classified correctly, or the reward of every word.

        All members see the same images, so a difficult image lowers all accuracies together and adds nothing to their
        differences. Chance therefore adds half the mean variance of a paired difference, which is the residual mean
        square of a two-way analysis of variance (members x images) divided by the number of images.
        """
        accuracies, images = hits.mean(1), hits.shape[1]
        variances = hits.var(1) / max(images - 1, 1)
        spread = 0.0
        if len(hits) > 1 and images > 1:
            residuals = hits - accuracies[:, None] - hits.mean(0) + hits.mean()
            chance = float((residuals**2).sum()) / ((len(hits) - 1) * (images - 1)) / images
            spread = math.sqrt(max(float(np.var(accuracies, ddof=1)) - chance, 0.0))
        return cls(accuracies, images, float(np.sqrt(variances).mean()), spread)

    @property
    def ranking_is_resolved(self) -> bool:
        """Whether the standard error is at most half of the spread."""
        return self.standard_error <= self.spread / 2

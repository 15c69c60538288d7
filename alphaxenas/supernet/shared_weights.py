"""What a shared pool needs of shared weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np


class SharedWeights(Protocol):
    """Weights of all architectures of a space, such as `alphaxenas.supernet.supernet.Supernet`."""

    def train_step(
        self, architecture: Any, images: Any, labels: Any, rate: float, progress: float, seed: tuple[int, int]
    ) -> tuple[float, int]:
        """One training step of one architecture.

        Args:
            architecture: Of the space.
            images: Normalised, `[B, h, w, c]`.
            labels: `[B]`.
            rate: Learning rate.
            progress: Share of the whole training that is over, in [0, 1].
            seed: Of this step's random numbers.

        Returns:
            The loss, and how many images were classified correctly.
        """

    def measure(self, architecture: Any, batches: Any) -> np.ndarray:
        """Measures the statistics of the batch norms of one architecture.

        Args:
            architecture: Of the space.
            batches: `(images, labels)` pairs of training images.

        Returns:
            Means and variances in one vector.
        """

    def predict(self, architecture: Any, images: Any, statistics: np.ndarray) -> np.ndarray:
        """Applies one architecture.

        Args:
            architecture: Of the space.
            images: Normalised, `[B, h, w, c]`.
            statistics: As of `measure`.

        Returns:
            Logits `[B, classes]`.
        """

    def parameters_of(self, architecture: Any) -> int:
        """Trainable values of one architecture."""

    def state(self) -> dict[str, np.ndarray]:
        """For a checkpoint."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Takes over a `state()`."""

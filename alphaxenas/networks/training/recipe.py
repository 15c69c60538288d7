"""How a child is trained, as one value, and its learning rate at any moment.

The rate rises linearly, then falls along a cosine: one for the whole training, or with warm restarts (SGDR) one after
another, each `restart_growth` times as long as the one before it.

Source: Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", equation 5. Departure: the
restarts may follow a warm-up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

OPTIMIZERS = ("momentum", "adam")
PRECISIONS = ("float32", "bfloat16")
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Recipe:
    """How a child is trained: stochastic gradient descent, with Nesterov momentum or Adam, and a cosine schedule.

    Attributes:
        learning_rate: Highest learning rate; it is not rescaled with the batch size.
        momentum: Nesterov momentum in [0, 1).
        weight_decay: L2 coefficient on kernels (not on scales, offsets and biases), added to the gradient.
        gradient_clip: Largest global norm of the gradient; 0 for none.
        label_smoothing: Share of the target spread over all classes.
        warmup: Share of the steps, in [0, 1], in which the learning rate rises from 0; with 1 it only rises.
        final_learning_rate: Share of `learning_rate` that every cosine ends at; with 1 the rate is constant.
        precision: `"float32"` or `"bfloat16"`.
        optimizer: `"momentum"`, or `"adam"` (Kingma & Ba 2015, with its standard constants; `momentum` is then unused).
            Adam's moments start at 0 in every child: shared weights do not carry them from one child to the next.
        restart: Length of the first cosine as a share of the whole training, in [0, 1]; 0 for one cosine.
        restart_growth: How much longer each cosine is than the one before it, >= 1.
        average: Largest decay, in [0, 1), of the moving average of all weights and statistics that predictions are then
            made with; 0 for none. After t updates the decay is `min(average, (1 + t) / (10 + t))`, so that the initial
            values are soon forgotten.
    """

    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    gradient_clip: float = 5.0
    label_smoothing: float = 0.0
    warmup: float = 0.0
    final_learning_rate: float = 0.0
    precision: str = "float32"
    optimizer: str = "momentum"
    restart: float = 0.0
    restart_growth: float = 2.0
    average: float = 0.0

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f"Invalid value for `optimizer`. Expected one of {', '.join(OPTIMIZERS)}. Received: {self.optimizer!r}"
            )

    def rate_at(self, progress: float) -> float:
        """The learning rate when a share `progress` in [0, 1] of the training is over."""
        if progress < self.warmup or self.warmup == 1.0:
            return self.learning_rate * progress / self.warmup
        share, low = self._share_of_cosine(progress - self.warmup), self.final_learning_rate
        return self.learning_rate * (low + (1.0 - low) * 0.5 * (1.0 + math.cos(math.pi * share)))

    def decay_at(self, updates: int) -> float:
        """The decay of the moving average when so many updates were made before."""
        return min(self.average, (1 + updates) / (10 + updates))

    def _share_of_cosine(self, position: float) -> float:
        """How much of the present cosine is over, `position` after the warm-up."""
        if not self.restart:
            return position / (1.0 - self.warmup)
        length = self.restart
        # Epochs are no exact binary fractions: a restart must not be missed by a rounding error.
        while position >= length * (1.0 - _ROUNDING):
            position, length = max(position - length, 0.0), length * self.restart_growth
        return position / length

"""How a child is trained, as one value, and its learning rate at any moment.

The rate rises linearly, then falls along a cosine: one for the whole training, or with warm restarts (SGDR) one after
another, each `restart_growth` times as long as the one before it. Or it stays, and drops to a tenth at given shares of
the training. Or it follows a triangle.

Source: Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", equation 5. Departure: the
restarts may follow a warm-up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alphaxenas.suggestions import invalid

OPTIMIZERS = ("momentum", "adam", "decoupled", "muon")
SCHEDULES = ("cosine", "triangle")
TRIANGLE = ((0.0, 0.23, 1.0), (0.2, 1.0, 0.07))
"""Shares of the training, and of the highest rate at them (Jordan 2024, published training of `airbench94`)."""
DROP = 0.1
"""What the rate is multiplied by at each of `rate_drops` (He et al. 2016, "Deep residual learning", section 4.2)."""
LOOKAHEAD_STEPS, LOOKAHEAD_DECAY = 5, 0.95
"""Steps from one meeting of fast and slow weights to the next, and the largest decay of the slow ones per step."""
PRECISIONS = ("float32", "bfloat16")
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Recipe:
    """How a child is trained: stochastic gradient descent, with Nesterov momentum or Adam, and a schedule.

    Attributes:
        learning_rate: Highest learning rate; it is not rescaled with the batch size.
        momentum: Nesterov momentum in [0, 1).
        weight_decay: L2 coefficient on kernels (not on scales, offsets and biases), added to the gradient; of a
            decoupled optimiser, the share of all weights that 1,024 images take away.
        gradient_clip: Largest global norm of the gradient; 0 for none.
        label_smoothing: Share of the target spread over all classes.
        warmup: Share of the steps, in [0, 1], in which the learning rate rises from 0; with 1 it only rises.
        final_learning_rate: Share of `learning_rate` that every cosine ends at; with 1 the rate is constant.
        schedule: `"cosine"`, or `"triangle"`: lines through `TRIANGLE`, without warm-up and restarts.
        rate_drops: Shares of the training, in [0, 1), at which the rate drops to a tenth; it stays in between. None: it
            follows the schedule.
        precision: `"float32"` or `"bfloat16"`.
        optimizer: `"momentum"`, or `"adam"` (Kingma & Ba 2015, with its standard constants; `momentum` is then unused).
            Adam's moments start at 0 in every child: shared weights do not carry them from one child to the next.
            `"decoupled"`: Nesterov momentum whose learning rate and weight decay are given per 1,024 images, see
            `optimizers.decoupled`; `"muon"`: the same with Muon for convolution kernels.
        restart: Length of the first cosine as a share of the whole training, in [0, 1]; 0 for one cosine.
        restart_growth: How much longer each cosine is than the one before it, >= 1.
        average: Largest decay, in [0, 1), of the moving average of all weights and statistics that predictions are then
            made with; 0 for none. After t updates the decay is `min(average, (1 + t) / (10 + t))`, so that the initial
            values are soon forgotten.
        lookahead: Whether slow weights follow the trained ones, which return to them every five steps; predictions are
            made with the slow ones. Their decay grows with the cube of the progress to 0.95 a step.
        offset_rate: By what the learning rate of the offsets of batch normalisations is multiplied.
        whitening: Share of the training, in [0, 1], in which the biases of whitenings are trained.

    Source: of lookahead, Zhang et al. 2019, "Lookahead optimizer: k steps forward, 1 step back"; of its schedule, of
    the offsets' rate and of the frozen biases, Jordan 2024, sections 3.3 to 3.5.
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
    schedule: str = "cosine"
    lookahead: bool = False
    offset_rate: float = 1.0
    whitening: float = 1.0
    rate_drops: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name, allowed in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in allowed:
                raise invalid(name, f"one of {', '.join(allowed)}", repr(getattr(self, name)))
        if self.average and self.lookahead:
            raise invalid("average", "0 with lookahead, which averages the weights itself", self.average)
        if self.rate_drops and (self.restart or self.schedule != "cosine"):
            raise invalid("rate_drops", "none with restarts or a triangle, which move the rate", self.rate_drops)

    @property
    def per_image(self) -> bool:
        """Whether learning rate and weight decay are given per 1,024 images."""
        return self.optimizer in ("decoupled", "muon")

    @property
    def averages(self) -> bool:
        """Whether predictions are made with averages of the weights."""
        return bool(self.average) or self.lookahead

    def rate_at(self, progress: float) -> float:
        """The learning rate when a share `progress` in [0, 1] of the training is over."""
        if self.schedule == "triangle":
            return self.learning_rate * float(np.interp(progress, *TRIANGLE))
        if progress < self.warmup or self.warmup == 1.0:
            return self.learning_rate * progress / self.warmup
        if self.rate_drops:
            return self.learning_rate * DROP ** sum(progress >= drop * (1.0 - _ROUNDING) for drop in self.rate_drops)
        share, low = self._share_of_cosine(progress - self.warmup), self.final_learning_rate
        return self.learning_rate * (low + (1.0 - low) * 0.5 * (1.0 + math.cos(math.pi * share)))

    def decay_at(self, updates: int, progress: float = 0.0) -> float:
        """The decay of the averages of weights in a step.

        Args:
            updates: How many were made before.
            progress: Share of the training that is over, in [0, 1].

        Returns:
            In [0, 1]; 1 leaves the averages as they are.
        """
        if self.lookahead:
            meets = (updates + 1) % LOOKAHEAD_STEPS == 0
            return LOOKAHEAD_DECAY**LOOKAHEAD_STEPS * progress**3 if meets else 1.0
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

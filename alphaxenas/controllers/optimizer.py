"""Adam for the networks that are written in NumPy; those in TensorFlow have theirs in `alphaxenas.networks`.

Source: Kingma & Ba 2015, "Adam: a method for stochastic optimization", Algorithm 1, computed in the order of the end of
section 2. Keras adds epsilon to the root before the bias correction, which makes it larger in the first steps; networks
that follow published Keras code keep that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np


def clipped(gradient: np.ndarray, bound: float) -> tuple[np.ndarray, float]:
    """A gradient of limited norm.

    Args:
        gradient: Any shape.
        bound: Largest norm; 0 = no limit.

    Returns:
        The gradient, scaled to a norm of `bound` where it is longer, and its norm before that.
    """
    norm = float(np.linalg.norm(gradient))
    return (gradient * (bound / norm) if bound and norm > bound else gradient), norm


BETA2 = 0.999
"""Decay of the average of squares."""


class Adam:
    """Moving averages of gradients and of their squares, and the steps that follow from them.

    Args:
        arrays: The parameters; only shapes and types are taken from them.
        beta1: Decay of the average of gradients, in [0, 1); with 0 there is no momentum.
        epsilon: Added to the root of the squares, > 0.
        as_keras: Add it before the bias correction.
    """

    def __init__(
        self, arrays: Sequence[np.ndarray], beta1: float = 0.9, epsilon: float = 1e-8, as_keras: bool = False
    ) -> None:
        self._beta1, self._epsilon, self._as_keras = beta1, epsilon, as_keras
        self._first = [np.zeros_like(array) for array in arrays]
        self._second = [np.zeros_like(array) for array in arrays]
        self._steps = 0

    def step(self, arrays: Sequence[np.ndarray], gradients: Sequence[np.ndarray], learning_rate: float) -> None:
        """Changes parameters in place.

        Args:
            arrays: The parameters.
            gradients: One for each, of its shape.
            learning_rate: > 0.
        """
        self._steps += 1
        correction = sqrt(1 - BETA2**self._steps)
        rate = learning_rate * correction / (1 - self._beta1**self._steps)
        epsilon = self._epsilon if self._as_keras else self._epsilon * correction
        for array, gradient, first, second in zip(arrays, gradients, self._first, self._second, strict=True):
            first += (1 - self._beta1) * (gradient - first)
            second += (1 - BETA2) * (gradient * gradient - second)
            array -= rate * first / (np.sqrt(second) + epsilon)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "first": [array.copy() for array in self._first],
            "second": [array.copy() for array in self._second],
            "steps": self._steps,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()` of an optimiser of the same parameters."""
        for name, moments in (("first", self._first), ("second", self._second)):
            for array, stored in zip(moments, state[name], strict=True):
                array[...] = stored
        self._steps = int(state["steps"])

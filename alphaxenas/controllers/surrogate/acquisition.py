"""What a surrogate is fitted to, and how much better than the best an architecture may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

Key = TypeVar("Key")
POINTS = 1000
"""Measured architectures that a surrogate is fitted to at most, so that the cost of a proposal stays bounded."""
OFFSET = 0.6
"""Of the transform of rewards, in spreads: the smaller, the more differences near the best are stretched."""


def best_and_latest(rewards: Mapping[Key, float | None], most: int = POINTS) -> list[Key]:
    """Of what was measured, the best half and the latest half of so many, in the order measured.

    A Gaussian process costs n^3; with more points than these the few near the best decide what is tried next.

    Args:
        rewards: Reward by key, in the order measured; None for failures.
        most: How many keys at most; where there are no more, all are returned.
    """
    keys = list(rewards)
    if len(keys) <= most:
        return keys
    ranked = sorted(keys, key=lambda key: -np.inf if (reward := rewards[key]) is None else reward, reverse=True)
    kept = {*ranked[: most // 2], *keys[most // 2 - most :]}
    return [key for key in keys if key in kept]


def log_improvement(above: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Logarithm of the expected improvement of normal values: its order is right where it underflows.

        log E[max(f, 0)] = log(s) + log(phi(z) + z Phi(z)),      z = m / s

    Args:
        above: Means m above the incumbent, `[m]`.
        deviation: Standard deviations s, `[m]`; 0 orders by the means.

    Returns:
        `[m]`.

    Source: Ament et al. 2023, "Unexpected improvements to expected improvement for Bayesian optimization", section 4.1.
    """
    from scipy.special import erfcx

    deviation = np.maximum(deviation, 1e-9)
    z = above / deviation
    near = np.clip(z, -1e3, 30.0)
    ratio = np.maximum(1.0 + near * np.sqrt(np.pi / 2.0) * erfcx(-near / np.sqrt(2.0)), 1e-12)
    small = np.log(ratio) - 0.5 * z**2 - 0.5 * np.log(2.0 * np.pi)
    return np.log(deviation) + np.where(z > 30.0, np.log(np.maximum(z, 1.0)), small)


class RewardTransform:
    """Rewards as the surrogate sees them: stretched towards the best, standardised; monotone, so it can be undone.

    Args:
        rewards: `[n]`, n >= 1; from their better half comes the spread.
    """

    def __init__(self, rewards: np.ndarray) -> None:
        ranked = np.sort(np.asarray(rewards, np.float64))
        self._best = float(ranked[-1])
        self._spread = max(float(ranked[len(ranked) // 2 :].std()), 1e-12)
        self._centre, self._scale = 0.0, 1.0
        values = self(ranked)
        self._centre, self._scale = float(values.mean()), max(float(values.std()), 1e-12)

    def __call__(self, rewards):
        # A reward above the best so far (it is being observed) continues the curve in a straight line.
        away = (self._best - np.asarray(rewards, np.float64)) / self._spread
        bent = -np.log(np.maximum(away, 0.0) + OFFSET) + np.maximum(-away, 0.0) / OFFSET
        return (bent - self._centre) / self._scale

    def inverse(self, value: float) -> float:
        """The reward that a transformed value stands for."""
        bent = value * self._scale + self._centre
        away = np.exp(-bent) - OFFSET if bent < -np.log(OFFSET) else -OFFSET * (bent + np.log(OFFSET))
        return float(self._best - self._spread * away)

    def state(self) -> list[float]:
        """Its four numbers."""
        return [self._best, self._spread, self._centre, self._scale]

    @classmethod
    def restored(cls, state: list[float]) -> RewardTransform:
        """The transform of a `state()`."""
        transform = cls(np.zeros(1))
        transform._best, transform._spread, transform._centre, transform._scale = map(float, state)
        return transform

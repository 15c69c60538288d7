"""A Gaussian process over the features of architectures: the surrogate of GuidedSearch.

    k(x, x') = sum_g a_g exp(-|x_g - x'_g|^2 / (2 l_g^2)),      noise s^2 on every measured value

with one term per group of features (say operation sequences, and the shape of the graph), so that the data decide which
group matters and how smoothly. Groups of counts enter as square roots; groups of numbers are standardised column by
column; every group is scaled so that two random architectures lie at a squared distance of 1. Amplitudes, lengths and
noise maximise the marginal likelihood (Rasmussen & Williams 2006, eq. 5.8 and 5.9) times a broad log-normal prior: a
dozen architectures do not determine seven numbers.

By hand, because scikit-learn's kernels have neither groups of columns nor priors, and GPyTorch would need PyTorch.
Costs n^3 for n measured architectures: 2 ms at 100, some 50 ms at 500.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.seeds import stream

REFERENCE = 256
"""Random architectures from which the scale of the features is taken; they are looked at, not evaluated."""
STEPS = 12
"""Gradient steps per fit of the hyperparameters, started from those of the fit before."""
LENGTHS = {"sequences": 1.7, "counts": 1.0, "one-hot": 0.8, "numbers": 1.0}
"""Centre of the prior of a group's length, by the kind of its features, in units of its typical distance."""
FLOOR = 1e-4
"""Least variance of the noise, in standardised values."""
LARGE = 4096
"""So many architectures are taken to be the whole space, whose scaled features are kept."""


class GaussianProcess:
    """Mean and deviation of architectures' values, from features
    (`alphaxenas.controllers.surrogate.alternatives.Surrogate`).

    Args:
        space: Gives features and, where it has `feature_groups()`, which of them belong together.
        without: Groups that are not looked at.

    Raises:
        ValueError: The space has no such group, or no other.
    """

    def __init__(self, space: SearchSpace, without: Collection[str] = ()) -> None:
        rng = stream(0, "gaussian_process", "reference")  # the scale belongs to the space, whatever the run's seed
        reference = np.array([space.features(space.sample(rng)) for _ in range(REFERENCE)], np.float64)
        groups = getattr(space, "feature_groups", None)
        groups = {"features": (slice(0, reference.shape[1]), "numbers")} if groups is None else groups()
        if not groups.keys() > set(without):
            raise ValueError(
                f"Invalid value for `without`. Expected some of {', '.join(groups)}, not all. "
                f"Received: {'+'.join(without)}"
            )
        self._groups: list[tuple[slice, str, np.ndarray | float, np.ndarray | float]] = []
        for columns, kind in (group for name, group in groups.items() if name not in without):
            part = reference[:, columns]
            centre: np.ndarray | float = 0.0
            scale: np.ndarray | float = 1.0
            if kind == "numbers":
                centre, deviation = np.asarray(part.mean(0)), part.std(0)
                scale = np.where(deviation > 1e-6, 1.0 / np.maximum(deviation, 1e-6), 0.0)
            else:
                part = np.sqrt(part)
            spread = 2.0 * ((part - centre) * scale).var(0).sum()
            self._groups.append((columns, kind, centre, scale / np.sqrt(max(spread, 1e-6))))
        count = len(self._groups)
        lengths = [np.log(LENGTHS[kind]) for _, kind, _, _ in self._groups]
        self._centre = np.array([part for length in lengths for part in (-np.log(count), length)] + [np.log(0.1)])
        self._width = np.array([1.0, 0.35] * count + [0.5])
        self._theta = self._centre.copy()
        self._fitted = 0
        self._whole: tuple[np.ndarray, list[np.ndarray]] | None = None

    def fit(self, sequences: Sequence[Tokens], features: np.ndarray, values: np.ndarray) -> None:
        """Conditions on measured values; fits the hyperparameters again once a tenth more are known.

        Args:
            sequences: Not read.
            features: `[n, d]`.
            values: `[n]`, standardised.
        """
        count = len(values)
        if count >= self._fitted + max(1, self._fitted // 10) or not self._fitted:
            distances = [_squared(part, part) for part in self._scaled(features)]
            self._theta, self._fitted = self._likeliest(distances, values), count
        self.condition(sequences, features, values)

    def condition(self, sequences: Sequence[Tokens], features: np.ndarray, values: np.ndarray) -> None:
        """Conditions on values with the hyperparameters as they are.

        Args:
            sequences: Not read.
            features: `[n, d]`.
            values: `[n]`, standardised.
        """
        from scipy.linalg import cho_solve, cholesky

        self._inputs = self._scaled(features)
        kernel = np.asarray(sum(_terms(self._theta, [_squared(part, part) for part in self._inputs])))
        kernel[np.diag_indices(len(values))] += self._noise()
        self._factor = cholesky(kernel, lower=True)
        self._weights = cho_solve((self._factor, True), values)
        self._inverse: np.ndarray | None = None

    def predict(self, sequences: Sequence[Tokens], features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the noiseless values.

        Args:
            sequences: Not read.
            features: `[m, d]`.

        Returns:
            Means `[m]` and deviations `[m]`.
        """
        from scipy.linalg import solve_triangular

        # In single precision, which is twice as fast and exact enough beside the noise.
        cross = np.zeros((len(features), len(self._weights)), np.float32)
        for place, (part, seen) in enumerate(zip(self._prepared(features), self._inputs)):
            amplitude, length = self._theta[2 * place : 2 * place + 2].astype(np.float32)
            cross += np.exp(amplitude - _squared(part, seen.astype(np.float32)) * (0.5 * np.exp(-2 * length)))
        if self._inverse is None:  # n^3, once for the many predictions of a plan
            inverse = solve_triangular(self._factor, np.eye(len(self._weights)), lower=True)
            self._inverse = inverse.astype(np.float32)
        variance = np.exp(self._theta[0:-1:2]).sum() - ((cross @ self._inverse.T) ** 2).sum(1, dtype=np.float64)
        return np.asarray(cross @ self._weights.astype(np.float32), np.float64), np.sqrt(np.maximum(variance, 1e-6))

    def noise(self) -> float:
        """Standard deviation of a measured value about the noiseless one."""
        return float(np.sqrt(self._noise()))

    def state(self) -> dict[str, Any]:
        """The hyperparameters; everything else follows from the data."""
        return {"theta": self._theta.copy(), "fitted": self._fitted}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`; `fit` must follow."""
        self._theta, self._fitted = np.array(state["theta"], np.float64), int(state["fitted"])

    def _noise(self) -> float:
        return float(np.exp(self._theta[-1])) + FLOOR

    def _prepared(self, features: np.ndarray) -> list[np.ndarray]:
        """Scaled features; those of the whole space are kept, because every plan asks for them."""
        if self._whole is not None and self._whole[0] is features:
            return self._whole[1]
        parts = [part.astype(np.float32) for part in self._scaled(features)]
        if len(features) >= LARGE:
            self._whole = features, parts
        return parts

    def _scaled(self, features: np.ndarray) -> list[np.ndarray]:
        parts = []
        for columns, kind, centre, scale in self._groups:
            part = np.asarray(features[:, columns], np.float64)
            parts.append(((part if kind == "numbers" else np.sqrt(part)) - centre) * scale)
        return parts

    def _likeliest(self, distances: list[np.ndarray], values: np.ndarray) -> np.ndarray:
        """Hyperparameters of the largest posterior density."""
        from scipy.optimize import minimize

        bounds = [(centre - 6 * width, centre + 6 * width) for centre, width in zip(self._centre, self._width)]
        found = minimize(
            negative_log_posterior,
            self._theta,
            (distances, values, self._centre, self._width),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": STEPS},
        )
        return np.asarray(found.x) if found.fun < 1e9 else self._centre.copy()


def negative_log_posterior(
    theta: np.ndarray, distances: Sequence[np.ndarray], values: np.ndarray, centre: np.ndarray, width: np.ndarray
) -> tuple[float, np.ndarray]:
    """What the hyperparameters minimise, up to a constant: minus log marginal likelihood, minus log prior.

    Args:
        theta: Log amplitude and log length of each of `G` groups, then log noise, `[2 G + 1]`.
        distances: Squared distances of the `n` inputs in each group, `G` arrays `[n, n]`.
        values: `[n]`, standardised.
        centre: Mean of the prior of `theta`.
        width: Standard deviation of that prior.

    Returns:
        The value, 1e9 where the kernel is singular, and its gradient `[2 G + 1]`.

    Source: Rasmussen & Williams 2006, eq. 5.8 and 5.9.
    """
    from scipy.linalg import LinAlgError, cho_solve, cholesky

    identity = np.eye(len(values))
    terms, noise = _terms(theta, distances), np.exp(theta[-1])
    try:
        factor = cholesky(sum(terms) + (noise + FLOOR) * identity, lower=True)
    except LinAlgError:
        return 1e9, np.zeros_like(theta)
    inverse = cho_solve((factor, True), identity)
    weights = inverse @ values
    outer = inverse - np.outer(weights, weights)
    gradient = []
    for place, (term, distance) in enumerate(zip(terms, distances)):
        gradient.append(0.5 * np.sum(outer * term))
        gradient.append(0.5 * np.sum(outer * term * distance) * np.exp(-2 * theta[2 * place + 1]))
    gradient.append(0.5 * noise * np.trace(outer))
    away = (theta - centre) / width
    value = 0.5 * values @ weights + np.log(np.diag(factor)).sum() + 0.5 * away @ away
    return float(value), np.array(gradient) + away / width


def _terms(theta: np.ndarray, distances: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The kernel's terms for squared distances; theta is log amplitude and log length per group, then log noise."""
    return [
        np.exp(theta[2 * place] - distance * (0.5 * np.exp(-2 * theta[2 * place + 1])))
        for place, distance in enumerate(distances)
    ]


def _squared(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Squared distances `[m, n]` between the rows of `[m, d]` and `[n, d]`."""
    norms = (one**2).sum(1)[:, None] + (other**2).sum(1)[None]
    return np.maximum(norms - 2.0 * (one @ other.T), 0.0)

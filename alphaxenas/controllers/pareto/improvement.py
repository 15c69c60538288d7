"""A surrogate search for several objectives: what is expected to add most to the front is evaluated next.

Every objective has a Gaussian process of its own over the features of architectures. With two objectives the expected
improvement of the hypervolume is computed exactly. The front cuts the plane into strips along the first objective, from
a_i to b_i, in which it reaches up to h_i in the second:

    E[improvement] = sum_i (psi_1(a_i) - psi_1(b_i)) psi_2(h_i),      psi(t) = E[max(f - t, 0)]

With more objectives each plan draws weights and takes the largest expected improvement of one scalar, the augmented
Tchebycheff function (ParEGO).

Looked at are random architectures (of a small space `SAMPLE` of all that there are), all that differ in one choice from
one of the front, and in a large space what earlier plans met and, from the best of these on, further single changes.

Source: Emmerich et al. 2011, "Hypervolume-based expected improvement: monotonicity properties and exact computation";
Knowles 2006, "ParEGO: a hybrid algorithm with on-line landscape approximation for expensive multiobjective
optimization problems", eq. 2. Departures: the hypervolume is that of the objectives as the models see them,
standardised, the first one after it is stretched towards its best (`RewardTransform`), so that its small differences
count; the reference point lies `MARGIN` of what was seen below the worst of each; suggestions that are outstanding
count as measured at their predicted means; failed ones as the worst of each objective.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.pareto.archive import ParetoStrategy
from alphaxenas.controllers.pareto.front import front
from alphaxenas.controllers.surrogate.acquisition import RewardTransform, log_improvement
from alphaxenas.controllers.surrogate.candidate_pool import CandidatePool, Promising, every_architecture, is_small
from alphaxenas.controllers.surrogate.gaussian_process import GaussianProcess
from alphaxenas.seeds import stream
from alphaxenas.suggestions import check_whole

SAMPLE, RANDOM = 800, 256
"""Architectures drawn for a plan, in a small and in a large space."""
CANDIDATES = 1024
"""Sequences kept from plan to plan."""
CLIMBS = 3
"""Best new sequences from which a plan climbs."""
AUGMENTED = 0.05
"""rho of the augmented Tchebycheff function."""
MARGIN = 0.3
"""Between the worst seen and the reference point, in ranges of an objective: what extends a front is worth something.
"""


class ExpectedHypervolume(ParetoStrategy):
    """Surrogate search for several objectives (`alphaxenas.controllers.promotion.Strategy`).

    Args:
        space: Any search space.
        seed: The run's seed.
        initial: Architectures before the first plan, >= 2; the first of them are promising ones where features tell.

    Raises:
        ValueError: A value out of its range.
    """

    def __init__(self, space: SearchSpace, seed: int, initial: int = 8) -> None:
        check_whole("initial", initial, 2)
        super().__init__(space, stream(seed, "expected hypervolume"))
        self._initial, self._whole = initial, is_small(space)
        self._promising = Promising(space, self._whole)
        self._pool = CandidatePool(space, self._history)
        self._suggested: dict[str, Tokens] = {}
        self._models: list[GaussianProcess] = []
        self._thetas: list[Any] = []

    def start(self, tokens: Tokens) -> Tokens | None:
        """As of `Strategy`."""
        return self._noted(super().start(tokens))

    def suggest(self) -> Tokens | None:
        """The architecture of the largest expected improvement; None when every key has been suggested."""
        history = self._history
        if len(history) < self._initial or len(self._archive) < 2:
            first = self._promising.suggest(history, self._rng) if not len(history) else None
            return self._noted(first or history.draw(self._rng))
        tokens = self._planned()
        return self._noted(history.draw(self._rng) if tokens is None else history.suggest(tokens, history.key(tokens)))

    def _noted(self, tokens: Tokens | None) -> Tokens | None:
        if tokens is not None:
            self._suggested[self._history.key(tokens)] = tokens
        return tokens

    # --- the models --------------------------------------------------------------------------------------------------

    def _fit(self) -> np.ndarray:
        """Fits a model to every objective; returns the values that they were fitted to, transformed, `[n, m]`."""
        history, vectors, features = self._history, self._archive.vectors, self._pool.features_of
        known = [key for key in self._suggested if key in history.rewards]
        awaited = [key for key in self._suggested if key not in history.rewards]
        worst = self._archive.values().min(0)
        raw = np.stack([vectors.get(key, worst) for key in known])
        values = np.stack([transformed(part, number == 0) for number, part in enumerate(raw.T)], axis=1)
        sequences = [self._suggested[key] for key in (*known, *awaited)]
        seen = np.stack([features(tokens) for tokens in sequences])
        while len(self._models) < values.shape[1]:
            self._models.append(GaussianProcess(self._space))
        for model, theta in zip(self._models, self._thetas):
            model.restore(theta)
        self._thetas = []
        for model, column in zip(self._models, values.T):
            model.fit(sequences[: len(known)], seen[: len(known)], column)
            if awaited:
                means, _ = model.predict(sequences[len(known) :], seen[len(known) :])
                model.condition(sequences, seen, np.concatenate([column, means]))
        return values

    def _acquisition(self, values: np.ndarray) -> Any:
        """What is to be largest, as a function of sequences and their features `[n, d]`."""
        low, high = values.min(0), values.max(0)
        if values.shape[1] == 2:
            stairs, reference = values[front(values)], low - MARGIN * (high - low)

            def value(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
                return np.log(np.maximum(expected_improvement(mean, deviation, stairs, reference), 1e-300))

        else:
            weights = self._rng.dirichlet(np.ones(values.shape[1])) / np.where(high > low, high - low, 1.0)
            best = float(tchebycheff(values, high, weights).max())

            def value(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
                return log_improvement(tchebycheff(mean, high, weights) - best, (weights * deviation).max(1))

        def of(sequences: list[Tokens], features: np.ndarray) -> np.ndarray:
            told = [model.predict(sequences, features) for model in self._models]
            mean, deviation = (np.stack(part, axis=1) for part in zip(*told))
            return value(mean, deviation) + self._history.prior.preference(sequences)

        return of

    def _planned(self) -> Tokens | None:
        """The best new sequence; None if none was met."""
        bounds, pool, space = self._acquisition(self._fit()), self._pool, self._space
        if self._whole:
            every = every_architecture(space)  # type: ignore[arg-type]
            new = np.ones(len(every.sequences), bool)
            new[[every.place[key] for key in self._suggested if key in every.place]] = False
            places = np.flatnonzero(new)
            if len(places) > SAMPLE:
                keys = map(self._history.key, self._near_the_front())
                near = {every.place[key] for key in keys if key in every.place}.intersection(places.tolist())
                places = np.union1d(self._rng.choice(places, SAMPLE, replace=False), sorted(near))
                places = places.astype(np.int64)
            if not len(places):
                return None
            values = bounds([every.sequences[place] for place in places], every.features[places])
            return every.sequences[places[int(np.argmax(values))]]
        pool.add(self._suggested.values())
        pool.add(space.encode(space.sample(self._rng)) for _ in range(RANDOM))
        pool.add(self._near_the_front())
        pool.value(bounds)
        pool.climb(CLIMBS, bounds)
        found = pool.best_new()
        pool.forget(CANDIDATES)
        return found

    def _near_the_front(self) -> list[Tokens]:
        """Sequences that differ in one choice from an architecture of the front."""
        space, keys = self._space, list(self._archive.vectors)
        stairs = [space.decode(self._suggested[keys[place]]) for place in front(self._archive.values())]
        return [space.encode(other) for architecture in stairs for other in space.neighbours(architecture)]

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; the models follow from the data and their hyperparameters."""
        thetas = [model.state() for model in self._models] or self._thetas
        return super().state() | {
            "suggested": [[key, list(map(int, tokens))] for key, tokens in self._suggested.items()],
            "pool": self._pool.state(),
            "models": {str(number): theta for number, theta in enumerate(thetas)},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        super().restore(state)
        self._suggested = {key: tuple(tokens) for key, tokens in state["suggested"]}
        self._pool.restore(state["pool"])
        self._models, self._thetas = [], [state["models"][str(number)] for number in range(len(state["models"]))]


def transformed(values: np.ndarray, stretched: bool) -> np.ndarray:
    """One objective as a model sees it, standardised.

    Args:
        values: `[n]`, larger is better.
        stretched: Whether differences near the best are stretched before.
    """
    if stretched:
        return RewardTransform(values)(values)
    return (values - values.mean()) / max(float(values.std()), 1e-12)


def expected_improvement(
    mean: np.ndarray, deviation: np.ndarray, stairs: np.ndarray, reference: np.ndarray
) -> np.ndarray:
    """Expected improvement of the hypervolume of a front by a normal vector of two independent objectives.

    Args:
        mean: `[n, 2]`.
        deviation: `[n, 2]`, > 0.
        stairs: The front, `[k, 2]`.
        reference: `[2]`.

    Returns:
        `[n]`.

    Source: Emmerich et al. 2011, in the form of the module text.
    """
    stairs = stairs[(stairs > reference).all(1)]
    stairs = stairs[np.argsort(stairs[:, 0], kind="stable")]
    across = _above(mean[:, :1], deviation[:, :1], np.append(reference[0], stairs[:, 0]))
    across[:, :-1] -= across[:, 1:].copy()
    return (across * _above(mean[:, 1:], deviation[:, 1:], np.append(stairs[:, 1], reference[1]))).sum(1)


def _above(mean: np.ndarray, deviation: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """psi: E[max(f - t, 0)] of normal values, `[n, k]` for means `[n, 1]` and thresholds `[k]`."""
    from scipy.special import ndtr

    z = (mean - threshold) / deviation
    return deviation * np.maximum(np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) + z * ndtr(z), 0.0)


def tchebycheff(values: np.ndarray, ideal: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The augmented Tchebycheff function with a minus: larger is better, `[n]`.

    Args:
        values: `[n, m]`.
        ideal: The best of every objective, `[m]`.
        weights: `[m]`, >= 0.

    Source: Knowles 2006, eq. 2.
    """
    away = (ideal - values) * weights
    return -(away.max(1) + AUGMENTED * away.sum(1))

"""A surrogate search for several objectives: what is expected to add most to the front is evaluated next.

An objective that is known before an architecture is evaluated, as its size is (`Objectives.costs`), is taken as it is.
Every other one has a Gaussian process of its own over the features of architectures. With two objectives the expected
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
count as measured at their predicted means; failed ones as the worst of each objective. The front that is to be improved
is that of the means of what was evaluated, not of what was measured: luck in one training would hide all that is nearly
as good, as in GuidedSearch (for fronts: Daulton et al. 2021, "Parallel Bayesian optimization of multiple noisy
objectives with expected hypervolume improvement", which averages over such fronts).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.pareto.archive import ParetoStrategy
from alphaxenas.controllers.pareto.front import front
from alphaxenas.controllers.pareto.objectives import Objectives
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
EXACT, KEPT = 1e-9, 2**16
"""Deviation of an objective that is known; architectures whose known objectives are remembered."""


class ExpectedHypervolume(ParetoStrategy):
    """Surrogate search for several objectives (`alphaxenas.controllers.promotion.Strategy`).

    Args:
        space: Any search space.
        seed: The run's seed.
        objectives: What it looks for, and what of that is known.
        initial: Architectures before the first plan, >= 2; the first of them are promising ones where features tell.

    Raises:
        ValueError: A value out of its range.
    """

    def __init__(self, space: SearchSpace, seed: int, objectives: Objectives, initial: int = 8) -> None:
        check_whole("initial", initial, 2)
        super().__init__(space, stream(seed, "expected hypervolume"), objectives)
        self._initial, self._whole = initial, is_small(space) and not objectives.takes_time
        self._promising = Promising(space, self._whole)
        self._pool = CandidatePool(space, self._history)
        self._suggested: dict[str, Tokens] = {}
        self._scales: list[Callable[[Any], Any]] = []
        self._models: dict[int, GaussianProcess] = {}
        self._fitted: set[int] = set()
        self._thetas: dict[int, Any] = {}
        self._known = lru_cache(maxsize=KEPT)(lambda tokens: objectives.known(space.decode(tokens)))

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

    def _look(self) -> np.ndarray:
        """Takes in what was measured, for the models to be fitted to; returns it, transformed, `[n, m]`."""
        rewards = self._history.rewards
        known = [key for key in self._suggested if key in rewards]
        raw = self._archive.vectors(known)
        self._scales = [scale(part, number == 0) for number, part in enumerate(raw.T)]
        self._values = np.stack([transform(part) for transform, part in zip(self._scales, raw.T)], axis=1)
        awaited = [key for key in self._suggested if key not in rewards]
        self._sequences = [self._suggested[key] for key in (*known, *awaited)]
        self._seen = np.stack([self._pool.features_of(tokens) for tokens in self._sequences])
        self._fitted.clear()
        return self._values

    def _model(self, number: int) -> GaussianProcess:
        """The model of an objective, fitted when the plan first asks for it."""
        model = self._models.setdefault(number, GaussianProcess(self._space))
        if number not in self._fitted:
            self._fitted.add(number)
            if number in self._thetas:
                model.restore(self._thetas.pop(number))
            sequences, seen, column = self._sequences, self._seen, self._values[:, number]
            count = len(column)
            model.fit(sequences[:count], seen[:count], column)
            if len(sequences) > count:
                means, _ = model.predict(sequences[count:], seen[count:])
                model.condition(sequences, seen, np.concatenate([column, means]))
        return model

    def _predicted(self, sequences: list[Tokens], features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and deviations of the transformed objectives, `[n, m]` each.

        Args:
            sequences: `n` complete sequences.
            features: `[n, d]`.
        """
        told = np.stack([self._known(tokens) for tokens in sequences])
        mean, deviation = np.zeros(told.shape), np.full(told.shape, EXACT)
        for number, transform in enumerate(self._scales):
            rows = np.isnan(told[:, number])
            mean[~rows, number] = transform(told[~rows, number])
            if places := np.flatnonzero(rows).tolist():
                model, chosen = self._model(number), [sequences[place] for place in places]
                mean[rows, number], deviation[rows, number] = model.predict(chosen, features[rows])
        return mean, deviation

    def _acquisition(self, values: np.ndarray) -> Any:
        """What is to be largest, as a function of sequences and their features `[n, d]`."""
        low, high = values.min(0), values.max(0)
        failed = self._history.rewards.keys() - self._archive.keys()
        standing = [tokens for key, tokens in self._suggested.items() if key not in failed]
        means, _ = self._predicted(standing, np.stack([self._pool.features_of(tokens) for tokens in standing]))
        if values.shape[1] == 2:
            stairs, reference = means[front(means)], low - MARGIN * (high - low)

            def value(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
                return np.log(np.maximum(expected_improvement(mean, deviation, stairs, reference), 1e-300))

        else:
            weights = self._rng.dirichlet(np.ones(values.shape[1])) / np.where(high > low, high - low, 1.0)
            best = float(tchebycheff(means, high, weights).max())

            def value(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
                return log_improvement(tchebycheff(mean, high, weights) - best, (weights * deviation).max(1))

        def of(sequences: list[Tokens], features: np.ndarray) -> np.ndarray:
            return value(*self._predicted(sequences, features)) + self._history.prior.preference(sequences)

        return of

    def _planned(self) -> Tokens | None:
        """The best new sequence; None if none was met."""
        bounds, pool, space = self._acquisition(self._look()), self._pool, self._space
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
        space = self._space
        stairs = [space.decode(self._suggested[key]) for key in self._archive.front()]
        return [space.encode(other) for architecture in stairs for other in space.neighbours(architecture)]

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; the models follow from the data and their hyperparameters."""
        thetas = self._thetas | {number: model.state() for number, model in self._models.items()}
        return super().state() | {
            "suggested": [[key, list(map(int, tokens))] for key, tokens in self._suggested.items()],
            "pool": self._pool.state(),
            "models": {str(number): theta for number, theta in thetas.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        super().restore(state)
        self._suggested = {key: tuple(tokens) for key, tokens in state["suggested"]}
        self._pool.restore(state["pool"])
        self._models, self._thetas = {}, {int(number): theta for number, theta in state["models"].items()}


def scale(values: np.ndarray, stretched: bool) -> Callable[[Any], Any]:
    """How an objective is seen: a function that makes values standardised ones.

    Args:
        values: `[n]`, larger is better.
        stretched: Whether differences near the best are stretched before.
    """
    if stretched:
        return RewardTransform(values)
    centre, spread = values.mean(), max(float(values.std()), 1e-12)
    return lambda others: (others - centre) / spread


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

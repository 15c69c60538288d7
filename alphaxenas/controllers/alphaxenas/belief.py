"""What the search believes of architectures: a Gaussian process over their features, fitted to everything measured.

Between two trained children thousands of architectures are judged by it, which costs microseconds each. A value is an
upper confidence bound, mean + uncertainty * deviation, in transformed and standardised rewards at the final budget:

    final(x) = rho * search(x) + correction(x),      two independent processes

`search` learns from all children, `correction` from those that were promoted, and rho from both. Without promotions
only `search` is there. Before anything was measured the belief is what the structure tells for free: the sum of the
standardised size and depth of an architecture.

Source: Srinivas et al. 2010, "Gaussian process optimization in the bandit setting" (the bound); Kennedy & O'Hagan 2000,
"Predicting the output from a complex computer code when fast approximations are available", eq. 1 (two budgets);
Ginsbourger et al. 2010, "Kriging is well-suited to parallelize optimization" (outstanding children count as measured at
their predicted mean). The free features: Krishnakumar et al. 2022, "NAS-Bench-Suite-Zero".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.surrogate.acquisition import RewardTransform
from alphaxenas.controllers.surrogate.candidate_pool import some_architectures
from alphaxenas.controllers.surrogate.gaussian_process import GaussianProcess

FREE = ("log parameters", "parameters", "longest path by convolution", "depth")
"""Features that tell an architecture's size and depth, where a space has them."""
REFERENCE = 256
"""Random architectures by which free features are standardised; they are looked at, not evaluated."""
FEWEST_FINAL = 3
"""Promoted children before the belief is about the final budget."""
RHO, RHO_WIDTH = 1.0, 0.5
"""Mean and deviation of the normal prior of rho."""


class Belief:
    """Values of architectures, measured or not.

    Args:
        space: Gives features.
        uncertainty: Weight of the deviation in a value, >= 0.
        free_features: Judge by size and depth before the first fit.
    """

    def __init__(self, space: SearchSpace, uncertainty: float, free_features: bool) -> None:
        self._space, self._uncertainty = space, uncertainty
        self._search, self._correction = GaussianProcess(space), GaussianProcess(space)
        self._rho: float | None = None
        self.fitted = False
        names: Sequence[str] = getattr(space, "feature_names", tuple)()
        self._free = [place for place, name in enumerate(names) if name in FREE] if free_features else []
        reference = some_architectures(space, REFERENCE).features.astype(np.float64)  # type: ignore[arg-type]
        spread = reference[:, self._free].std(0)
        self._scale = np.where(spread > 1e-9, 1.0 / np.maximum(spread, 1e-9), 0.0)

    @property
    def knows_structure(self) -> bool:
        """Whether there are free features to judge by before anything was measured."""
        return bool(self._scale.any())

    def features(self, tokens: Tokens) -> np.ndarray:
        """The features of a complete sequence, `[d]`."""
        return self._space.features(self._space.decode(tokens))

    def free(self, features: np.ndarray) -> np.ndarray:
        """Size plus depth `[m]` of architectures with features `[m, d]`, in standard deviations of each."""
        return features[:, self._free].astype(np.float64) @ self._scale

    def fit(self, known: Mapping[Tokens, float], awaited: Sequence[Tokens], final: Mapping[Tokens, float]) -> None:
        """Learns from everything measured.

        Args:
            known: Rewards at the search budget, at least two different ones.
            awaited: Architectures whose reward is awaited.
            final: Rewards at the final budget of some of the known architectures.
        """
        sequences, features = list(known), self._features(known)
        rewards = np.array(list(known.values()), np.float64)
        values = RewardTransform(rewards)(rewards)
        self._search.fit(sequences, features, values)
        if awaited:
            # Conditioned alone, so that predicted values do not count in the likelihood of the hyperparameters.
            means, _ = self._search.predict(awaited, self._features(awaited))
            together = np.concatenate([features, self._features(awaited)])
            self._search.condition([*sequences, *awaited], together, np.concatenate([values, means]))
        self._rho = None
        if len(final) >= FEWEST_FINAL and np.ptp(list(final.values())) > 0:
            finals = np.array(list(final.values()), np.float64)
            cheap, _ = self._search.predict(list(final), self._features(final))
            # Promoted children are the best ones: their spread is not that of all, so the ratings' scale is kept.
            dear = (finals - finals.mean()) / finals.std() * max(float(cheap.std()), 0.1)
            away = cheap - cheap.mean()
            noise, width = max(float(dear.var()), 1e-9), 1 / RHO_WIDTH**2
            self._rho = float((away @ dear / noise + RHO * width) / (away @ away / noise + width))
            self._correction.fit(list(final), self._features(final), dear - self._rho * away)
        self.fitted = True

    def values(self, sequences: list[Tokens], features: np.ndarray) -> np.ndarray:
        """Upper confidence bounds of architectures; their free features before the first fit.

        Args:
            sequences: `m` complete sequences.
            features: `[m, d]`.

        Returns:
            `[m]`.
        """
        if not self.fitted:
            return self.free(features)
        mean, deviation = self.predict(sequences, features)
        return mean + self._uncertainty * deviation

    def predict(self, sequences: Sequence[Tokens], features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of transformed rewards, `[m]` each, after a fit.

        Args:
            sequences: `m` complete sequences.
            features: `[m, d]`.
        """
        mean, deviation = self._search.predict(sequences, features)
        if self._rho is None:
            return mean, deviation
        change, unsure = self._correction.predict(sequences, features)
        return self._rho * mean + change, np.hypot(self._rho * deviation, unsure)

    def state(self) -> dict[str, Any]:
        """Hyperparameters; everything else follows from the data."""
        return {"search": self._search.state(), "correction": self._correction.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`; `fit` must follow."""
        self._search.restore(state["search"])
        self._correction.restore(state["correction"])

    def _features(self, sequences: Sequence[Tokens] | Mapping[Tokens, float]) -> np.ndarray:
        return np.stack([self.features(tokens) for tokens in sequences])

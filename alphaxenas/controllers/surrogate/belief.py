"""What the search believes of architectures: a Gaussian process over their features, fitted to everything measured.

Between two trained children thousands of architectures are judged by it, which costs microseconds each. A value is an
upper confidence bound, mean + uncertainty * deviation, in transformed and standardised rewards at the final budget:

    final(x) = rho * search(x) + correction(x),      two independent processes

`search` learns from all children, `correction` from those that were promoted, and rho >= 0 from both: that the highest
rated of few promoted children ended worst must not send the search to the worst rated. Without promotions only `search`
is there. Before anything was measured the belief is what the structure tells for free, `Prior`.

Where children are promoted, rewards are those of short trainings, and what they say is wrong in two ways. They are
noisy: the highest of many is the luckiest (winner's curse). And they are biased: what learns fast is not what is best
in the end, and similar architectures share that bias, so that no number of short trainings averages it out. Let

    reward(x) = quality(x) + bias(x),      quality(x) = prior(x) + g(x),      g and bias independent processes

with one kernel, of which g has the share `trust`. Then the expected quality is prior + trust * (E[reward] - prior):

    quality(x) = w * mean(x) + (1 - w) * prior(x),      w = trust * informed

with both in standard deviations over random architectures. The prior is what no training biases: size, depth and
zero-cost proxies. After few trainings the mean is mostly a guess, which its scale in standard deviations hides: hence

    informed = Var[mean(x)] / (Var[mean(x)] + E[deviation(x)^2])      over random x,

the share of the rewards' variance that the processes explain (law of total variance). As far as rewards are trusted
they enter stretched at the top, else as normal scores, as proxies do: what separates the best of little trusted ones is
mostly luck and bias. The quality decides the choice at the end alone: plans that followed it too tried fewer kinds of
cells, and chose worse in the replay bench.

A promoted child was also measured at a budget nearer to full training, which nothing among its features has to explain.
Of few such rewards the highest is luck, of many it is worth more than all that similar architectures tell:

    choice(x) = c * score(final reward of x) + (1 - c) * quality(x),      c = n / (n + CREDIBLE)

over n promoted children, with normal scores among these. Where nothing is promoted the reward at the only budget is
what is searched for, and quality is its mean.

Source: Srinivas et al. 2010, "Gaussian process optimization in the bandit setting" (the bound); Kennedy & O'Hagan 2000,
"Predicting the output from a complex computer code when fast approximations are available", eq. 1 (two budgets);
Ginsbourger et al. 2010, "Kriging is well-suited to parallelize optimization" (outstanding children count as measured at
their predicted mean). The free features: Krishnakumar et al. 2022, "NAS-Bench-Suite-Zero". Bias as a
process of its own: Kennedy & O'Hagan 2001, "Bayesian calibration of computer models", eq. 5; data alone cannot tell it
from what is looked for. c: Bühlmann 1967, "Experience rating and credibility"; here it grows with the number of
promoted children, not of measurements of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.surrogate.acquisition import RewardTransform
from alphaxenas.controllers.surrogate.candidate_pool import FEW, some_architectures
from alphaxenas.controllers.surrogate.gaussian_process import GaussianProcess

FREE = ("log parameters", "parameters", "longest path by convolution", "depth")
"""Features that tell an architecture's size and depth, where a space has them."""
REFERENCE = 256
"""Random architectures by which free features are standardised; they are looked at, not evaluated."""
FEWEST_FINAL = 3
"""Promoted children before the belief is about the final budget."""
CREDIBLE = 15
"""Promoted children of whom the own final reward counts as much in the choice as all else."""
RHO, RHO_WIDTH = 1.0, 0.5
"""Mean and deviation of the normal prior of rho, of which the part above 0 counts."""
TRUST = 0.4
"""Share of what rewards of short trainings say beyond the prior that is taken to be about full training, by default:
that of small networks (see above)."""


def plain(space: SearchSpace) -> SearchSpace:
    """The space without the features of proxies, which take time."""
    return getattr(space, "plain", space)


class Prior:
    """What structure and zero-cost proxies say before any training, in standard deviations over random architectures.

    It is the sum of normal scores, the normal quantiles of ranks among random architectures, because proxies have the
    most different scales and tails.

    Args:
        space: Any search space; of a `SpaceWithProxies` the proxies count too.
        free_features: Whether size and depth count.
    """

    def __init__(self, space: SearchSpace, free_features: bool) -> None:
        self._space, self._proxies = plain(space), getattr(space, "proxies", None)
        names: Sequence[str] = getattr(self._space, "feature_names", tuple)()
        self._free = [place for place, name in enumerate(names) if name in FREE] if free_features else []
        reference = some_architectures(self._space, REFERENCE)  # type: ignore[arg-type]
        self.reference = reference.sequences, reference.features
        self._scores = NormalScores(reference.features[:, self._free])
        self._all: NormalScores | None = None

    @property
    def knows_structure(self) -> bool:
        """Whether there are features of size and depth."""
        return bool(self._scores.scale)

    def structure(self, features: np.ndarray) -> np.ndarray:
        """Size and depth alone.

        Args:
            features: `[m, d]`, without those of proxies.

        Returns:
            `[m]`; 0 where the space tells nothing.
        """
        return self._scores(features[:, self._free])

    def full(self, sequences: Sequence[Tokens], features: np.ndarray) -> np.ndarray:
        """Size, depth and proxies.

        Args:
            sequences: `m` complete sequences; proxies are computed for them.
            features: `[m, d]`, without those of proxies.

        Returns:
            `[m]`; 0 where nothing is known.
        """
        if self._proxies is None:
            return self.structure(features)
        if self._all is None:
            some = some_architectures(self._space, FEW)  # type: ignore[arg-type]
            self._all = NormalScores(self._columns(some.sequences, some.features))
        return self._all(self._columns(sequences, features))

    def _columns(self, sequences: Sequence[Tokens], features: np.ndarray) -> np.ndarray:
        assert self._proxies is not None
        scores = self._proxies.scores([self._space.decode(tokens) for tokens in sequences])
        return np.concatenate([features[:, self._free], np.where(np.isfinite(scores), scores, -np.inf)], 1)


class NormalScores:
    """Sums of the normal scores of several columns, standardised.

    Args:
        reference: Values `[n, k]` of random architectures; minus infinity is the worst.

    Attributes:
        scale: One over the deviation of the sums; 0 where all are equal.
    """

    def __init__(self, reference: np.ndarray) -> None:
        self._curves = [_curve(column) for column in reference.astype(np.float64).T]
        self._centre, self.scale = 0.0, 1.0
        sums = self(reference)
        self._centre, spread = float(sums.mean()), float(sums.std())
        self.scale = 1.0 / spread if spread > 1e-9 else 0.0

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The sums `[m]` of values `[m, k]`; 0 without columns."""
        total = np.zeros(len(values))
        for column, (known, scores) in zip(values.astype(np.float64).T, self._curves):
            total += np.interp(column, known, scores)
            # Above the highest known value in a straight line, by the slope of the upper half.
            middle = len(known) // 2
            if middle < len(known) - 1:
                slope = (scores[-1] - scores[middle]) / (known[-1] - known[middle])
                total += np.maximum(column - known[-1], 0.0) * slope
        return (total - self._centre) * self.scale


def _curve(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different finite values of a column, ascending, and their normal scores."""
    from scipy.special import ndtri

    values, counts = np.unique(column, return_counts=True)
    scores, finite = ndtri((np.cumsum(counts) - 0.5 * counts) / len(column)), np.isfinite(values)
    return (values[finite], scores[finite]) if finite.any() else (np.zeros(1), np.zeros(1))


def _rho(away: np.ndarray, dear: np.ndarray) -> float:
    """Posterior mean of the slope of centred values at the final budget over those of the search budget, both `[n]`.

    Its posterior is normal; of the part above 0 the mean is taken, which is always positive.
    """
    from scipy.special import log_ndtr

    noise, width = max(float(dear.var()), 1e-9), 1 / RHO_WIDTH**2
    precision = away @ away / noise + width
    mean, deviation = (away @ dear / noise + RHO * width) / precision, precision**-0.5
    ratio = mean / deviation
    return float(mean + deviation * np.exp(-0.5 * ratio**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(ratio)))


class Belief:
    """Values of architectures, measured or not.

    Args:
        space: Gives features.
        uncertainty: Weight of the deviation in a value, >= 0.
        free_features: Judge by size and depth before the first fit.
        trust: How far rewards tell what is looked for, in [0, 1]; None = they are what is looked for.
    """

    def __init__(self, space: SearchSpace, uncertainty: float, free_features: bool, trust: float | None = None) -> None:
        self._space, self._uncertainty, self._trust = plain(space), uncertainty, trust
        self._search, self._correction = GaussianProcess(self._space), GaussianProcess(self._space)
        self._rho: float | None = None
        self._centre, self._spread, self._weight = 0.0, 1.0, 1.0
        self._final: dict[Tokens, float] = {}
        self.prior = Prior(space, free_features)
        self.fitted = False

    def features(self, tokens: Tokens) -> np.ndarray:
        """The features of a complete sequence, `[d]`."""
        return self._space.features(self._space.decode(tokens))

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
        if self._trust is not None:
            values = self._trust * values + (1 - self._trust) * NormalScores(rewards[:, None])(rewards[:, None])
        self._search.fit(sequences, features, values)
        if awaited:
            # Conditioned alone, so that predicted values do not count in the likelihood of the hyperparameters.
            means, _ = self._search.predict(awaited, self._features(awaited))
            together = np.concatenate([features, self._features(awaited)])
            self._search.condition([*sequences, *awaited], together, np.concatenate([values, means]))
        self._rho = None
        # Where both budgets are one, a promoted child's reward is known already, and corrects nothing.
        final = {tokens: reward for tokens, reward in final.items() if reward != known.get(tokens)}
        if len(final) >= FEWEST_FINAL and np.ptp(list(final.values())) > 0:
            finals = np.array(list(final.values()), np.float64)
            cheap, _ = self._search.predict(list(final), self._features(final))
            # Promoted children are the best ones: their spread is not that of all, so the ratings' scale is kept.
            dear = (finals - finals.mean()) / finals.std() * max(float(cheap.std()), 0.1)
            away = cheap - cheap.mean()
            self._rho = _rho(away, dear)
            self._correction.fit(list(final), self._features(final), dear - self._rho * away)
        scores = np.array(list(final.values()), np.float64)[:, None]
        self._final = dict(zip(final, NormalScores(scores)(scores))) if final else {}
        if self._trust is not None:
            means, deviations = self.predict(*self.prior.reference)
            self._centre, self._spread = float(means.mean()), max(float(means.std()), 1e-9)
            self._weight = self._trust * self._spread**2 / (self._spread**2 + float(np.mean(deviations**2)))
        self.fitted = True

    def values(self, sequences: list[Tokens], features: np.ndarray) -> np.ndarray:
        """Upper confidence bounds of the rewards of architectures; their structure alone before the first fit.

        Args:
            sequences: `m` complete sequences.
            features: `[m, d]`.

        Returns:
            `[m]`; no proxy is computed for them.
        """
        if not self.fitted:
            return self.prior.structure(features)
        mean, deviation = self.predict(sequences, features)
        return mean + self._uncertainty * deviation

    def quality(self, sequences: Sequence[Tokens]) -> np.ndarray:
        """What architectures are chosen by after a fit, `[m]`: see the module; proxies are computed for them."""
        found = self._quality(sequences)
        if self._final:
            credible = len(self._final) / (len(self._final) + CREDIBLE)
            level = float(self._quality(list(self._final)).mean())
            own = np.array([level + self._final[tokens] if tokens in self._final else np.nan for tokens in sequences])
            found = np.where(np.isnan(own), found, credible * own + (1 - credible) * found)
        return found

    def _quality(self, sequences: Sequence[Tokens]) -> np.ndarray:
        features = self._features(sequences)
        mean, _ = self.predict(sequences, features)
        if self._trust is None:
            return mean
        found = self._weight * (mean - self._centre) / self._spread
        return found + (1 - self._weight) * self.prior.full(sequences, features)

    def judged(
        self, sequences: Sequence[Tokens], known: Mapping[Tokens, float], final: Mapping[Tokens, float]
    ) -> np.ndarray | None:
        """`quality` after a fit; None where too little is measured for one.

        Args:
            sequences: `m` complete sequences.
            known: Rewards at the search budget.
            final: Rewards at the final budget.
        """
        if len(set(known.values())) < 2:
            return None
        self.fit(known, (), final)
        return self.quality(sequences)

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

"""What a user thinks of the words of a space before anything is measured, and how it is forgotten.

A user gives every word (token) a weight. Of a prefix with legal tokens A the prior of token a, and of a sequence, are

    p(a) = w_a^g / sum_{b in A} w_b^g,      pi(x) = prod_t p(a_t)

The exponent g, the trust, is what the rewards told so far say of the prior, its mean over [0, 1] under the density

    e^{BELIEVED g} prod_i pi(x_i)^g / sum_{j >= i} pi(x_j)^g,      x_1, x_2, ... from the highest reward to the lowest

the likelihood of the rewards' order where architectures win by their prior. It begins near 1, stays there while the
prior tells good from bad, and falls to 0 where it does not. Of equal rewards, those that the prior likes less count as
the higher ones. Two more things bound what a wrong prior costs:

- Half of every prior is uniform: the prior of a sequence counts as (1 + pi / uniform) / 2, and once `FORGOTTEN`
  architectures are rated every second draw becomes uniform.
- What values whole sequences adds f log((1 + pi / uniform) / 2) to the logarithm of what it expects, with
  f = min(1, FORGOTTEN / n) and n architectures rated: whatever the prior says, a model's rewards lead in the end.

Source: Hvarfner et al. 2022, "piBO: augmenting acquisition functions with user beliefs for Bayesian optimization",
eq. 6, for f; Plackett 1975, "The analysis of permutations", for the likelihood; Hesterberg 1995, "Weighted average
importance sampling and defensive mixture distributions", for the uniform half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens

FORGOTTEN = 10.0
"""beta: so many architectures are rated before the prior begins to fade."""
BELIEVED = 3.0
"""What a user's word is worth beside rewards: an order that is e^3 times likelier without the prior outweighs it."""
TRUSTED = 0.25
"""So much trust, and a search begins with the prior's own choices; a misleading prior loses it within five rewards."""
TRUSTS = np.linspace(0.0, 1.0, 21)
"""Exponents over which the mean is taken."""


class ChoicePrior:
    """The prior of one search over a space. False, and uniform, where the space has no `token_weights`.

    Args:
        space: Any search space.

    Attributes:
        logs: Logarithms of the weights by token, `[V]`; None without a prior.
        exponent: f, by the number of rated architectures alone.
        trust: g, by what their rewards say.
    """

    def __init__(self, space: SearchSpace) -> None:
        weights = getattr(space, "token_weights", None)
        self._space = space
        self.logs = None if weights is None else np.log(np.asarray(weights, np.float64))
        self._known: dict[Tokens, float] = {}
        self._means: dict[Tokens, float] = {}
        self._told: list[tuple[float, float]] = []
        self._weighed = 0
        self.exponent = self.trust = 1.0

    def __bool__(self) -> bool:
        return self.logs is not None

    @property
    def trusted(self) -> bool:
        """Whether there is a prior that rewards do not speak against."""
        return self.logs is not None and self.trust > TRUSTED

    def forget(self, rated: int) -> None:
        """Fades: `rated` architectures have a reward by now."""
        self.exponent = min(1.0, FORGOTTEN / max(rated, 1))

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Holds the prior against a reward.

        Args:
            tokens: A complete sequence.
            reward: None if the evaluation failed, which says nothing.
        """
        if self.logs is None or reward is None:
            return
        self._told.append((self._ratio(tokens), float(reward)))
        if len(self._told) >= self._weighed + max(1, self._weighed // 10):
            self._weigh()

    def _weigh(self) -> None:
        """The trust anew, once a tenth more is told."""
        ratios, rewards = np.array(self._told).T
        worths = TRUSTS[:, None] * ratios[np.lexsort([-ratios, rewards])]  # the highest reward last
        likelihood = (worths - np.logaddexp.accumulate(worths, axis=1)).sum(1) + BELIEVED * TRUSTS
        density = np.exp(likelihood - likelihood.max())
        self.trust, self._weighed = float(density @ TRUSTS / density.sum()), len(self._told)

    def chances(self, actions: Tokens) -> np.ndarray:
        """The probability of each legal action, `[n]`."""
        if self.logs is None:
            return np.full(len(actions), 1.0 / len(actions))
        weights = np.exp(self.trust * self.logs[list(actions)])
        return weights / weights.sum()

    def choose(self, actions: Tokens, rng: np.random.Generator) -> int:
        """An action drawn by its probability.

        Args:
            actions: Legal ones, at least one.
            rng: Source of one draw.
        """
        if self.logs is None:
            return actions[int(rng.random() * len(actions))]
        return actions[_drawn(self.chances(actions), rng)]

    def draw(self, rng: np.random.Generator, tokens: Tokens = ()) -> Tokens:
        """A complete sequence.

        Args:
            rng: Source of the draws.
            tokens: The prefix that it begins with.
        """
        uniform = self.logs is not None and rng.random() < 0.5 * (1.0 - self.exponent)
        while actions := self._space.legal_actions(tokens):
            action = actions[int(rng.random() * len(actions))] if uniform else self.choose(actions, rng)
            tokens = (*tokens, action)
        return tokens

    def pick(self, sequences: Sequence[Tokens], rng: np.random.Generator) -> Tokens:
        """One of several complete sequences, drawn by their priors among themselves.

        Args:
            sequences: `n`, at least one.
            rng: Source of the draw.
        """
        return sequences[_drawn(self._shares(sequences), rng)]

    def shuffled(self, sequences: Sequence[Tokens], rng: np.random.Generator) -> list[Tokens]:
        """Several complete sequences in the order in which they are drawn without replacement, the first one last.

        Args:
            sequences: `n`.
            rng: Source of the draws.
        """
        if self.logs is None or not len(sequences):
            return [sequences[place] for place in rng.permutation(len(sequences))]
        # The largest of logarithms with Gumbel noise is drawn by their exponentials.
        drawn = np.log(self._shares(sequences)) + rng.gumbel(size=len(sequences))
        return [sequences[place] for place in np.argsort(drawn)]

    def _shares(self, sequences: Sequence[Tokens]) -> np.ndarray:
        ratios = self.trust * np.array([self._ratio(tokens) for tokens in sequences])
        weights = np.exp(ratios - ratios.max())
        uniform = 0.5 * (1.0 - self.exponent)
        return (1.0 - uniform) * weights / weights.sum() + uniform / len(weights)

    def preference(self, sequences: Sequence[Tokens]) -> np.ndarray | float:
        """f log((1 + pi / uniform) / 2) of complete sequences, `[n]`; 0 without a prior."""
        if self.logs is None:
            return 0.0
        ratios = np.array([self._ratio(tokens) for tokens in sequences])
        return self.exponent * (np.logaddexp(0.0, self.trust * ratios) - np.log(2.0))

    def _ratio(self, tokens: Tokens) -> float:
        """log(pi / uniform) with the weights as they were given."""
        found = self._known.get(tokens)
        if found is None:
            assert self.logs is not None
            found = 0.0
            for place, token in enumerate(tokens):
                actions = self._space.legal_actions(tokens[:place])
                mean = self._means.get(actions)
                if mean is None:
                    mean = self._means[actions] = float(np.log(np.mean(np.exp(self.logs[list(actions)]))))
                found += float(self.logs[token]) - mean
            self._known[tokens] = found
        return found

    def state(self) -> dict[str, Any]:
        """What it was told, and how much of that the trust knows."""
        return {"told": np.array(self._told, np.float64).reshape(-1, 2), "weighed": self._weighed}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        told = [(float(ratio), float(reward)) for ratio, reward in state["told"]]
        self._told, self._weighed, self.trust = told[: int(state["weighed"])], 0, 1.0
        if self._told:
            self._weigh()
        self._told = told


def _drawn(chances: np.ndarray, rng: np.random.Generator) -> int:
    """A place drawn by its probability."""
    return min(int(np.searchsorted(np.cumsum(chances), rng.random())), len(chances) - 1)

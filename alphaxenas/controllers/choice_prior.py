"""What a user thinks of the words of a space before anything is measured, and how it is forgotten.

A user gives every word (token) a weight. Of a prefix with legal tokens A the prior of token a, and of a sequence, are

    p(a) = w_a^g / sum_{b in A} w_b^g,      pi(x) = prod_t p(a_t),      g = min(1, FORGOTTEN / n)

with n architectures rated so far: whatever the prior says, the search ends up where the rewards lead. Everything that
draws tokens draws them by p: first populations, rollouts, the moves of a tree. Everything that values whole sequences
adds g log(pi(x) / uniform(x)) to the logarithm of what it expects, which multiplies the acquisition by pi^g.

Source: Hvarfner et al. 2022, "piBO: augmenting acquisition functions with user beliefs for Bayesian optimization",
eq. 6. Departure: the exponent is at most 1, so that the first choices follow the prior as it is given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens

FORGOTTEN = 10.0
"""beta: so many architectures are rated before the prior begins to fade."""


class ChoicePrior:
    """The prior of one search over a space. False, and uniform, where the space has no `token_weights`.

    Args:
        space: Any search space.

    Attributes:
        logs: Logarithms of the weights by token, `[V]`; None without a prior.
        exponent: g.
    """

    def __init__(self, space: SearchSpace) -> None:
        weights = getattr(space, "token_weights", None)
        self._space = space
        self.logs = None if weights is None else np.log(np.asarray(weights, np.float64))
        self._known: dict[Tokens, float] = {}
        self.exponent = 1.0

    def __bool__(self) -> bool:
        return self.logs is not None

    def forget(self, rated: int) -> None:
        """Fades: `rated` architectures have a reward by now."""
        self.exponent = min(1.0, FORGOTTEN / max(rated, 1))

    def chances(self, actions: Tokens) -> np.ndarray:
        """The probability of each legal action, `[n]`."""
        if self.logs is None:
            return np.full(len(actions), 1.0 / len(actions))
        weights = np.exp(self.exponent * self.logs[list(actions)])
        return weights / weights.sum()

    def choose(self, actions: Tokens, rng: np.random.Generator) -> int:
        """An action drawn by its probability.

        Args:
            actions: Legal ones, at least one.
            rng: Source of one draw.
        """
        if self.logs is None:
            return actions[int(rng.random() * len(actions))]
        chosen = int(np.searchsorted(np.cumsum(self.chances(actions)), rng.random()))
        return actions[min(chosen, len(actions) - 1)]

    def draw(self, rng: np.random.Generator, tokens: Tokens = ()) -> Tokens:
        """A complete sequence.

        Args:
            rng: Source of the draws.
            tokens: The prefix that it begins with.
        """
        while actions := self._space.legal_actions(tokens):
            tokens = (*tokens, self.choose(actions, rng))
        return tokens

    def preference(self, sequences: Sequence[Tokens]) -> np.ndarray | float:
        """g log(pi / uniform) of complete sequences, `[n]`; 0 without a prior."""
        if self.logs is None:
            return 0.0
        return self.exponent * np.array([self._ratio(tokens) for tokens in sequences])

    def _ratio(self, tokens: Tokens) -> float:
        found = self._known.get(tokens)
        if found is None:
            assert self.logs is not None
            found = 0.0
            for place, token in enumerate(tokens):
                logs = self.logs[list(self._space.legal_actions(tokens[:place]))]
                found += float(self.logs[token] - np.log(np.mean(np.exp(logs))))
            self._known[tokens] = found
        return found

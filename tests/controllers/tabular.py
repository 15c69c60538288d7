"""A small table made here: rows of digits, rewarded by a formula with a long tail of failures."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Digits:
    """Sequences of `length` digits below `base` (the part of `contracts.SearchSpace` that controllers use)."""

    length: int = 5
    base: int = 4

    @property
    def vocabulary(self):
        return tuple(map(str, range(self.base)))

    @property
    def max_length(self):
        return self.length

    def legal_actions(self, tokens):
        return () if len(tokens) == self.length else tuple(range(self.base))

    def decode(self, tokens):
        return tokens

    def encode(self, architecture):
        return architecture

    def key(self, architecture):
        return "".join(map(str, architecture))

    def size(self):
        return self.base**self.length

    def sample(self, rng):
        return tuple(rng.integers(self.base, size=self.length).tolist())

    def neighbours(self, architecture):
        return [
            (*architecture[:place], other, *architecture[place + 1 :])
            for place in range(self.length)
            for other in range(self.base)
            if other != architecture[place]
        ]

    def features(self, architecture):
        return np.eye(self.base, dtype=np.float32)[list(architecture)].ravel()


@dataclass(frozen=True)
class UnorderedDigits(Digits):
    """Sequences of digits whose order does not matter (equal keys, equal features)."""

    length: int = 3

    def decode(self, tokens):
        return tuple(tokens)

    def key(self, architecture):
        return "".join(map(str, sorted(architecture)))

    def features(self, architecture):
        return np.bincount(architecture, minlength=self.base).astype(np.float32)


class Unordered(Digits):
    """The same, but the order of the digits does not matter: many sequences of one key."""

    def key(self, architecture):
        return "".join(map(str, sorted(architecture)))


SPACE = Digits()


def reward(tokens):
    """Higher digits are better, the first ones most, with some noise; one misplaced digit spoils everything."""
    if tokens[1] == 0:
        return 0.1
    chance = int.from_bytes(hashlib.sha256(str(tokens).encode()).digest()[:4], "big") / 2**32
    return 0.6 + 0.3 * sum(token / 2**place for place, token in enumerate(tokens)) / 6 + 0.03 * chance


OPTIMUM = max(map(reward, itertools.product(range(SPACE.base), repeat=SPACE.length)))


def search(strategy, steps, rate=reward):
    """Suggestions of `steps` rounds of suggest and observe; fewer when there is nothing more to suggest."""
    found = []
    for _ in range(steps):
        if (tokens := strategy.suggest()) is None:
            break
        found.append(tokens)
        strategy.observe(tokens, rate(tokens))
    return found


def queries(strategy):
    """Suggestions up to and including the optimum."""
    for count in itertools.count(1):
        tokens = strategy.suggest()
        strategy.observe(tokens, reward(tokens))
        if reward(tokens) == OPTIMUM:
            return count

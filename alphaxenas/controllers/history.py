"""History of suggested architectures and their rewards, shared by all strategies.

Architectures with equal keys are one architecture: suggested once, one reward. A strategy that meets a known key uses
the known reward, which costs nothing. New architectures are drawn uniformly over the complete sequences whose key is
new: by trying, and by counting out the sequences that are left once trying has been in vain for long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.seeds import generator_state, restore_generator
from alphaxenas.suggestions import invalid

PATIENCE = 1000
"""Draws in a row that may meet known keys before the sequences that are left are counted out instead."""


class TrialHistory:
    """Suggested architectures of one search and their rewards.

    Attributes:
        rewards: Reward by key, in the order in which they came in; None for a failed or missing architecture.
        outstanding: Key by tokens of the suggestions whose outcome is awaited.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self.rewards: dict[str, float | None] = {}
        self.outstanding: dict[Tokens, str] = {}
        self._suggested: set[str] = set()
        self._scarce = False
        self._left: _Left | None = None

    def __contains__(self, key: str) -> bool:
        """Whether an architecture of this key was suggested, answered or not."""
        return key in self._suggested

    def __len__(self) -> int:
        """Number of suggestions."""
        return len(self._suggested)

    def key(self, tokens: Tokens) -> str:
        """The key of a complete sequence."""
        return self._space.key(self._space.decode(tokens))

    def suggest(self, tokens: Tokens, key: str) -> Tokens:
        """Stores a suggestion and returns its tokens.

        Args:
            tokens: A complete sequence.
            key: Its key, never suggested before.
        """
        self._suggested.add(key)
        self.outstanding[tokens] = key
        if self._left is not None:
            self._left.spend(key)
        return tokens

    def take(self, tokens: Tokens) -> bool:
        """Makes a sequence from elsewhere a suggestion; False if its key was suggested before."""
        new = (key := self.key(tokens)) not in self
        if new:
            self.suggest(tokens, key)
        return new

    def draw(self, rng: np.random.Generator) -> Tokens | None:
        """A suggestion drawn uniformly over the complete sequences whose key is new; None when there is none left."""
        space = self._space
        for _ in range(0 if self._scarce else PATIENCE):
            architecture = space.sample(rng)
            key = space.key(architecture)
            if key not in self._suggested:
                return self.suggest(space.encode(architecture), key)
        self._scarce = True
        if self._left is None:
            # Only a cache: it follows from the space and the suggested keys, so it need not be in the state.
            self._left = _Left(self._space, self._suggested)
        drawn = self._left.draw(rng)
        return None if drawn is None else self.suggest(*drawn)

    def observe(self, tokens: Tokens, reward: float | None) -> str:
        """Takes the reward of an outstanding suggestion and returns its key.

        Args:
            tokens: The suggestion.
            reward: None where it failed or a table has no such architecture.

        Raises:
            ValueError: No outcome of these tokens is awaited.
        """
        key = self.outstanding.pop(tokens, None)
        if key is None:
            raise invalid("tokens", f"one of the {len(self.outstanding)} outstanding suggestions", tokens)
        self.rewards[key] = reward
        return key

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; a failed architecture's reward is NaN."""
        rewards = [np.nan if reward is None else reward for reward in self.rewards.values()]
        return {
            "keys": list(self.rewards),
            "rewards": np.array(rewards, np.float64),
            "outstanding": [[[int(token) for token in tokens], key] for tokens, key in self.outstanding.items()],
            "scarce": self._scarce,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        rewards = np.asarray(state["rewards"]).tolist()
        self.rewards = {key: None if reward != reward else reward for key, reward in zip(state["keys"], rewards)}
        self.outstanding = {tuple(tokens): key for tokens, key in state["outstanding"]}
        self._suggested = {*self.rewards, *self.outstanding.values()}
        self._scarce = bool(state["scarce"])
        self._left = None


class HistoryStrategy:
    """What strategies share (`alphaxenas.controllers.promotion.Strategy`): a space, a random stream and a history.

    Args:
        space: Any search space.
        rng: The strategy's own stream.
    """

    def __init__(self, space: SearchSpace, rng: np.random.Generator) -> None:
        self._space, self._rng, self._history = space, rng, TrialHistory(space)

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a suggestion.

        Args:
            tokens: An outstanding suggestion.
            reward: None if the evaluation failed.
        """
        self._history.observe(tokens, reward)

    def learn(self, tokens: Tokens, reward: float) -> None:
        """Takes over what another search measured, as `alphaxenas.controllers.promotion.Strategy.learn`.

        Args:
            tokens: A complete sequence.
            reward: At the search budget.
        """
        if self._history.take(tokens):
            self.observe(tokens, reward)

    def diagnostics(self) -> dict[str, float]:
        """Nothing, unless the strategy believes something."""
        return {}

    def status_line(self) -> str:
        """Nothing, unless the strategy believes something."""
        return ""

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {"generator": generator_state(self._rng), "history": self._history.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        restore_generator(self._rng, state["generator"])
        self._history.restore(state["history"])


class _Left:
    """The complete sequences of a small space whose key was not suggested yet."""

    def __init__(self, space: SearchSpace, suggested: set[str]) -> None:
        # Spaces are hashable, which a protocol cannot say.
        self._sequences, self._numbers, self._number_of = numbered_sequences(space)  # type: ignore[arg-type]
        self._keys = list(self._number_of)
        self._spent = np.array([key in suggested for key in self._keys], bool)
        self._left = np.arange(len(self._sequences))

    def spend(self, key: str) -> None:
        self._spent[self._number_of[key]] = True

    def draw(self, rng: np.random.Generator) -> tuple[Tokens, str] | None:
        """A sequence, uniformly, and its key."""
        self._left = self._left[~self._spent[self._numbers[self._left]]]
        if not len(self._left):
            return None
        place = self._left[rng.integers(len(self._left))]
        return self._sequences[place], self._keys[self._numbers[place]]


@lru_cache(maxsize=4)
def numbered_sequences(space: SearchSpace) -> tuple[list[Tokens], np.ndarray, dict[str, int]]:
    """All sequences in ascending order, the number of each one's key, and the numbers by key."""
    sequences = list(complete_sequences(space))
    number_of: dict[str, int] = {}
    numbers = [number_of.setdefault(space.key(space.decode(tokens)), len(number_of)) for tokens in sequences]
    return sequences, np.array(numbers, np.int64), number_of


def complete_sequences(space: SearchSpace) -> Iterator[Tokens]:
    """Every complete sequence of a (small) space, in ascending order of tokens."""
    unfinished: list[Tokens] = [()]
    while unfinished:
        tokens = unfinished.pop()
        actions = space.legal_actions(tokens)
        if not actions:
            yield tokens
        unfinished += [(*tokens, action) for action in reversed(actions)]

"""History of suggested architectures and their rewards, shared by all strategies.

Architectures with equal keys are one architecture: suggested once, one reward. A strategy that meets a known key uses
the known reward, which costs nothing. New architectures are drawn uniformly over the complete sequences whose key is
new: by trying, and by counting out the sequences that are left once trying has been in vain for long.

What a user wants and knows (`alphaxenas.spaces.user_space`) reaches all strategies here. An architecture that breaks a
limit counts as known and failed from the moment in which its key is asked for, so nothing suggests it. Draws follow the
user's prior, where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.choice_prior import ChoicePrior
from alphaxenas.seeds import generator_state, restore_generator
from alphaxenas.suggestions import invalid

PATIENCE = 1000
"""Draws in a row that may meet known keys before the sequences that are left are counted out instead."""
BY_PRIOR = 100
"""The first of them, which follow the user's prior."""
COUNTABLE = 2_000_000
"""Sequences of the largest space that are counted out; of a larger one so scarce architectures count as exhausted."""


class TrialHistory:
    """Suggested architectures of one search and their rewards.

    Attributes:
        rewards: Reward by key, in the order in which they came in; None for a failed or missing architecture, and for
            one that breaks a limit.
        outstanding: Key by tokens of the suggestions whose outcome is awaited.
        prior: What the user thinks of choices; it fades with every reward.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self.rewards: dict[str, float | None] = {}
        self.outstanding: dict[Tokens, str] = {}
        self.prior = ChoicePrior(space)
        self._allows: Callable[[Any], bool] | None = getattr(space, "allows", None)
        self._allowed: set[str] = set()
        self._refused = 0
        self._suggested: set[str] = set()
        self._scarce = False
        self._left: _Left | None = None

    def __contains__(self, key: str) -> bool:
        """Whether an architecture of this key was suggested, answered or not, or breaks a limit."""
        return key in self._suggested

    def __len__(self) -> int:
        """Number of suggestions."""
        return len(self._suggested) - self._refused

    def key(self, tokens: Tokens) -> str:
        """The key of a complete sequence."""
        architecture = self._space.decode(tokens)
        return self._checked(self._space.key(architecture), architecture)

    def _checked(self, key: str, architecture: Any) -> str:
        """The key, known from now on as refused if its architecture breaks a limit."""
        if self._allows is not None and key not in self._suggested and key not in self._allowed:
            if self._allows(architecture):
                self._allowed.add(key)
            else:
                self.rewards[key] = None
                self._suggested.add(key)
                self._refused += 1
        return key

    def start(self, tokens: Tokens) -> Tokens | None:
        """A suggestion that comes from outside; None where its key is known."""
        key = self.key(tokens)
        return None if key in self else self.suggest(tokens, key)

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

    def draw(self, rng: np.random.Generator) -> Tokens | None:
        """A suggestion drawn uniformly over the complete sequences whose key is new, or by the user's prior; None when
        there is none left.
        """
        space = self._space
        for tried in range(0 if self._scarce else PATIENCE):
            by_prior = self.prior and tried < BY_PRIOR
            architecture = space.decode(self.prior.draw(rng)) if by_prior else space.sample(rng)
            key = self._checked(space.key(architecture), architecture)
            if key not in self._suggested:
                return self.suggest(space.encode(architecture), key)
        self._scarce = True
        if space.size() > COUNTABLE:
            return None
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
        self.prior.forget(len(self.rewards) - self._refused)
        self.prior.observe(tokens, reward)
        return key

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; a failed architecture's reward is NaN."""
        rewards = [np.nan if reward is None else reward for reward in self.rewards.values()]
        return {
            "keys": list(self.rewards),
            "rewards": np.array(rewards, np.float64),
            "outstanding": [[[int(token) for token in tokens], key] for tokens, key in self.outstanding.items()],
            "scarce": self._scarce,
            "refused": self._refused,
        } | ({"prior": self.prior.state()} if self.prior else {})

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        rewards = np.asarray(state["rewards"]).tolist()
        self.rewards = {key: None if reward != reward else reward for key, reward in zip(state["keys"], rewards)}
        self.outstanding = {tuple(tokens): key for tokens, key in state["outstanding"]}
        self._suggested = {*self.rewards, *self.outstanding.values()}
        self._scarce, self._refused, self._allowed = bool(state["scarce"]), int(state["refused"]), set()
        self.prior.forget(len(self.rewards) - self._refused)
        if "prior" in state:
            self.prior.restore(state["prior"])
        self._left = None


class HistoryStrategy:
    """What strategies share (`alphaxenas.controllers.promotion.Strategy`): a space, a random stream and a history.

    Args:
        space: Any search space.
        rng: The strategy's own stream.
    """

    def __init__(self, space: SearchSpace, rng: np.random.Generator) -> None:
        self._space, self._rng, self._history = space, rng, TrialHistory(space)

    def start(self, tokens: Tokens) -> Tokens | None:
        """A suggestion that comes from outside (`alphaxenas.controllers.promotion.Strategy`)."""
        return self._history.start(tokens)

    def draw(self) -> Tokens | None:
        """A new architecture, drawn uniformly; None when every key has been suggested."""
        return self._history.draw(self._rng)

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
        if self.start(tokens) is not None:
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
    """Every complete sequence of a (small) space that holds the limits, in ascending order of tokens."""
    unfinished: list[Tokens] = [()]
    allows = getattr(space, "allows", None)
    while unfinished:
        tokens = unfinished.pop()
        actions = space.legal_actions(tokens)
        if not actions and (allows is None or allows(space.decode(tokens))):
            yield tokens
        unfinished += [(*tokens, action) for action in reversed(actions)]

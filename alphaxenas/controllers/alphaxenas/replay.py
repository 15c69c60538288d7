"""What the search has measured, as training data: one record per architecture and budget, with all its prefixes.

A record holds the tokens, the reward, and for sequences that were played the visit distribution of every move. Each
prefix of a record is one example for the network: (prefix, budget) -> (visit distribution, reward). A sequence that the
moves of a search built, but that was not evaluated then, has a record of its moves alone, without a reward.

Rewards are standardised per budget before anything learns from them. Accuracies of one run live in a narrow band (say
0.93 to 0.97) that lies elsewhere at every budget, so that raw rewards would spend the network on the budget's level and
leave differences between architectures, the only thing the search needs, below the noise of the fit. The
standardisation is robust (median, quartiles, clipped), because a child that diverged must not squeeze all others
together.

Under shared weights rewards age (`alphaxenas.controllers.drift`): every one is compared as if it had been measured at
the latest age.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from alphaxenas.contracts import Budget, Tokens
from alphaxenas.controllers.drift import drift

CLIP = 2.5
"""Standardised rewards are clipped to [-CLIP, CLIP]."""


class Scale(NamedTuple):
    """Centre and spread of the rewards of one budget, in accuracy."""

    centre: float
    spread: float

    def standardise(self, rewards: np.ndarray | float) -> np.ndarray:
        """Rewards as standardised values, clipped to [-CLIP, CLIP], any shape."""
        return np.clip((np.asarray(rewards, dtype=np.float64) - self.centre) / self.spread, -CLIP, CLIP)

    def reward(self, value: float) -> float:
        """The inverse of `standardise`, where nothing was clipped."""
        return self.centre + self.spread * float(value)


@dataclass(frozen=True)
class Examples:
    """`n` records as arrays; `L` is the length of the longest sequence, `V` the size of the vocabulary.

    Attributes:
        tokens: `[n, L]` int32, padded with -1.
        lengths: `[n]` int32.
        context: `[n, 3]` float32: log(1 + epochs), fraction, age (see `Replay.context`).
        values: `[n]` float32, standardised per budget; NaN where the moves alone are known.
        policies: `[n, L, V]` float32, the visit distribution of each move, positive for every legal action; zeros if
            unknown.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    context: np.ndarray
    values: np.ndarray
    policies: np.ndarray


@dataclass
class _Record:
    key: str
    tokens: Tokens
    budget: Budget
    reward: float
    failed: bool
    age: int
    uniform: bool
    policies: np.ndarray | None


class Replay:
    """The latest `capacity` records with rewards, and as many with moves alone.

    Args:
        capacity: Records of either kind that are kept, the oldest leave first.
        max_length: L, length of the longest sequence.
        vocabulary_size: V.
        rewards_age: Whether children share weights; without, there is no drift.

    Raises:
        ValueError: If `capacity` is not positive.
    """

    def __init__(self, capacity: int, max_length: int, vocabulary_size: int, rewards_age: bool = True) -> None:
        if capacity < 1:
            raise ValueError(f"Invalid value for `replay_capacity`. Expected a whole number >= 1. Received: {capacity}")
        self.capacity, self.max_length, self.vocabulary_size = capacity, max_length, vocabulary_size
        self._rewards_age = rewards_age
        self._records: dict[tuple[str, Budget], _Record] = {}
        self._moves: dict[Tokens, _Record] = {}

    def __len__(self) -> int:
        return len(self._records)

    def add(
        self,
        key: str,
        tokens: Tokens,
        budget: Budget,
        reward: float,
        age: int,
        failed: bool = False,
        policies: np.ndarray | None = None,
        uniform: bool = False,
    ) -> None:
        """Adds a record, or replaces the one of the same key and budget (a refreshed score).

        Args:
            key: The architecture's canonical key.
            tokens: Its complete sequence.
            budget: What it was evaluated for.
            reward: Validation accuracy; ignored if `failed`.
            age: Children that had trained the shared weights before it, which is how far these had come.
            failed: The evaluation failed; counts as the lowest reward of its budget.
            policies: `[len(tokens), V]` visit distributions, if it was played; a replaced record keeps its own.
            uniform: The architecture was drawn uniformly; a replaced record keeps its own.
        """
        old = self._records.pop((key, budget), None)
        if old is not None:
            policies, uniform = old.policies if policies is None else policies, uniform or old.uniform
        self._records[key, budget] = _Record(key, tuple(tokens), budget, float(reward), failed, age, uniform, policies)
        while len(self._records) > self.capacity:
            del self._records[next(iter(self._records))]

    def add_moves(self, tokens: Tokens, budget: Budget, age: int, policies: np.ndarray) -> None:
        """Adds the moves of a sequence that has no reward, or replaces those of the same sequence.

        Args:
            tokens: A complete sequence.
            budget: What the values in the tree that found the moves are about.
            age: As for `add`.
            policies: `[len(tokens), V]` visit distributions.
        """
        self._moves.pop(tokens, None)
        self._moves[tokens] = _Record("", tuple(tokens), budget, float("nan"), False, age, False, policies)
        while len(self._moves) > self.capacity:
            del self._moves[next(iter(self._moves))]

    def drift(self, budget: Budget) -> float:
        """By how much the level of a budget rises (`alphaxenas.controllers.drift`), by uniformly drawn records."""
        records = self._records.values() if self._rewards_age else ()
        known = [r for r in records if r.budget == budget and r.uniform and not r.failed]
        return drift([r.age for r in known], [r.reward for r in known])

    def present(self, budget: Budget, reward: float, age: int) -> float:
        """A reward measured at `age` as it would be at the latest age of all records.

        Args:
            budget: What it was measured with.
            reward: Validation accuracy.
            age: As for `add`.
        """
        latest = max((record.age for record in self._records.values()), default=age)
        return float(reward) + self.drift(budget) * float(np.sqrt(latest) - np.sqrt(min(age, latest)))

    def _present_rewards(self) -> dict[tuple[str, Budget], float]:
        """The rewards of all records as they would be at the latest age."""
        latest = np.sqrt(max((record.age for record in self._records.values()), default=0))
        drifts = {budget: self.drift(budget) for budget in {record.budget for record in self._records.values()}}
        return {
            place: r.reward + drifts[r.budget] * float(latest - np.sqrt(r.age)) for place, r in self._records.items()
        }

    def present_rewards(self, budget: Budget) -> dict[str, float]:
        """Rewards at a budget by key, as they would be at the latest age; failed ones as the lowest of them."""
        present = self._present_rewards()
        rewards = {key: present[key, b] for (key, b), r in self._records.items() if b == budget and not r.failed}
        lowest = min(rewards.values(), default=0.0)
        return {key: rewards.get(key, lowest) for key, b in self._records if b == budget} if rewards else {}

    def scale(self, budget: Budget) -> Scale | None:
        """Median and robust spread of the present rewards at a budget; None before the first.

        The spread is (upper - lower quartile) / 1.349, the standard deviation of a normal sample, but at least a
        quarter of the plain standard deviation and 1e-4. With fewer than four rewards, the spread is that of the budget
        that has most rewards.
        """
        present = self._present_rewards()
        groups: dict[Budget, list[float]] = {}
        for place, record in self._records.items():
            if not record.failed:
                groups.setdefault(record.budget, []).append(present[place])
        if budget not in groups:
            return None
        rewards = groups[budget] if len(groups[budget]) >= 4 else max(groups.values(), key=len)
        lower, upper = np.percentile(rewards, (25, 75))
        spread = max((upper - lower) / 1.349, np.std(rewards) / 4, 1e-4)
        return Scale(float(np.median(groups[budget])), float(spread))

    def value(self, budget: Budget, reward: float, failed: bool = False) -> float:
        """A reward as it may enter a tree: not below the budget's clip, nor a zero that only means failure.

        Args:
            budget: The budget of the reward.
            reward: Present validation accuracy (`present`); ignored if `failed`.
            failed: The evaluation failed.
        """
        scale = self.scale(budget)
        if scale is None:
            return 0.0 if failed else float(reward)
        if failed:
            present = self._present_rewards()
            return min(present[place] for place, r in self._records.items() if r.budget == budget and not r.failed)
        return max(float(reward), scale.reward(-2 * CLIP))

    @staticmethod
    def context(budget: Budget, age: int) -> tuple[float, float, float]:
        """Further inputs of the network: log(1 + epochs), fraction, and log(1 + age) / 4.

        Args:
            budget: Of the value.
            age: As for `add`.
        """
        return float(np.log1p(budget.epochs)), budget.fraction, float(np.log1p(age)) / 4.0

    def examples(self) -> Examples:
        """All records as arrays, those of moves alone last; failed ones have the lowest standardised value of their
        budget.
        """
        records = [*self._records.values(), *self._moves.values()]
        present = [*self._present_rewards().values(), *(record.reward for record in self._moves.values())]
        count, length = len(records), self.max_length
        tokens = np.full((count, length), -1, np.int32)
        policies = np.zeros((count, length, self.vocabulary_size), np.float32)
        values = np.zeros(count, np.float32)
        scales = {budget: self.scale(budget) for budget in {record.budget for record in records}}
        lowest: dict[Budget, float] = {}
        for record, reward in zip(self._records.values(), present):
            if not record.failed:
                lowest[record.budget] = min(reward, lowest.get(record.budget, reward))
        for row, record in enumerate(records):
            tokens[row, : len(record.tokens)] = record.tokens
            if record.policies is not None:
                policies[row, : len(record.tokens)] = record.policies
            scale = scales[record.budget]
            if np.isnan(record.reward):
                values[row] = np.nan
            elif scale is None:
                values[row] = -1.0
            else:
                reward = lowest[record.budget] if record.failed else present[row]
                values[row] = scale.standardise(reward)
        return Examples(
            tokens,
            np.array([len(record.tokens) for record in records], np.int32),
            np.array([self.context(r.budget, r.age) for r in records], np.float32).reshape(count, 3),
            values,
            policies,
        )

    def state(self) -> dict[str, Any]:
        """Records as arrays and lists, oldest first; those of moves alone, which have no key, follow the others."""
        records, examples = [*self._records.values(), *self._moves.values()], self.examples()
        return {
            "keys": [record.key for record in self._records.values()],
            "tokens": examples.tokens,
            "lengths": examples.lengths,
            "epochs": [record.budget.epochs for record in records],
            "fractions": [record.budget.fraction for record in records],
            "rewards": np.array([record.reward for record in records], np.float64),
            "failed": np.array([record.failed for record in records], bool),
            "ages": [record.age for record in records],
            "uniform": np.array([record.uniform for record in records], bool),
            "played": np.array([record.policies is not None for record in records], bool),
            "policies": examples.policies[[record.policies is not None for record in records]]
            if records
            else examples.policies,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self._records, self._moves = {}, {}
        keys, policies = [*state["keys"]], iter(np.asarray(state["policies"]))
        columns = [state[name] for name in ("lengths", "epochs", "fractions", "rewards", "failed", "ages")]
        # "uniform" is absent in states of before there was a drift.
        columns += [state.get("uniform", np.zeros(len(keys), bool)), state["played"]]
        for row, (length, epochs, fraction, reward, failed, age, uniform, played) in enumerate(zip(*columns)):
            tokens = tuple(np.asarray(state["tokens"])[row, : int(length)].tolist())
            budget = Budget(int(epochs), float(fraction))
            moves = next(policies)[: len(tokens)].copy() if played else None
            key = keys[row] if row < len(keys) else ""
            record = _Record(key, tokens, budget, float(reward), bool(failed), int(age), bool(uniform), moves)
            if row < len(keys):
                self._records[key, budget] = record
            else:
                self._moves[tokens] = record


def rank_correlation(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray) -> float:
    """Spearman's rank correlation.

    Args:
        first: `n` numbers.
        second: `n` numbers.

    Returns:
        In [-1, 1]; NaN for fewer than 3 pairs or a constant side, where it says nothing.
    """
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    # Imported here: it takes longer than everything else that a search on tables imports.
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)

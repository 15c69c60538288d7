"""Cache of evaluations at the search budget, with the tree paths that used each value.

Under shared weights an outcome ages. A stale one is reopened in the tree, scored again when a simulation meets it, and
then replaced on every path that it was backed up on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from alphaxenas.contracts import Budget, Tokens
from alphaxenas.controllers.alphaxenas.replay import Replay
from alphaxenas.controllers.mcts.nodes import leaf_from_json, leaf_to_json
from alphaxenas.controllers.mcts.tree import Leaf, Tree


@dataclass
class _Known:
    """The outcome of a key; `age` counts the children that had trained the shared weights before it."""

    reward: float
    failed: bool
    age: int


@dataclass
class _Visit:
    """A simulation that brought a measured value into the tree, so that the value can be replaced."""

    leaf: Leaf
    value: float


class EvaluatedArchitectures:
    """Outcomes by key, in the tree of one search.

    Args:
        tree: Where values are backed up.
        replay: Turns rewards into values.
        budget: The search budget.
        refresh_after: Trained children after which an outcome is stale; 0 = never.
    """

    def __init__(self, tree: Tree, replay: Replay, budget: Budget, refresh_after: int) -> None:
        self._tree, self._replay, self._budget, self._refresh_after = tree, replay, budget, refresh_after
        self._known: dict[str, _Known] = {}
        self._visits: dict[str, list[_Visit]] = {}

    def __contains__(self, key: str) -> bool:
        """Whether an architecture of this key was measured, successfully or not."""
        return key in self._known

    def __len__(self) -> int:
        """Number of architectures measured."""
        return len(self._known)

    def stale(self, key: str, age: int) -> bool:
        """Whether the outcome of a measured key is out of date. Failures stay.

        Args:
            key: Canonical key of a measured architecture.
            age: Children that have trained the shared weights by now.
        """
        known = self._known[key]
        return 0 < self._refresh_after <= age - known.age and not known.failed

    def mean(self) -> float:
        """Mean reward of what was measured successfully; 0 before that."""
        rewards = [known.reward for known in self._known.values() if not known.failed]
        return float(np.mean(rewards)) if rewards else 0.0

    def reward(self, key: str) -> float | None:
        """Latest reward of a measured key, as it would be now; None if it failed."""
        known = self._known[key]
        return None if known.failed else self._replay.present(self._budget, known.reward, known.age)

    def add(self, key: str, reward: float, failed: bool, age: int) -> bool:
        """Stores an outcome.

        Args:
            key: Canonical key of the architecture.
            reward: At the search budget; ignored if `failed`.
            failed: Whether the evaluation failed.
            age: Children that had trained the shared weights before it, the same as in `Replay.add`.

        Returns:
            Whether it is the first success.
        """
        first = not failed and all(known.failed for known in self._known.values())
        self._known[key] = _Known(reward, failed, age)
        return first

    def back_up(self, key: str, leaf: Leaf) -> None:
        """Backs the value of a measured key up a path of the tree.

        Args:
            key: Canonical key of a measured architecture.
            leaf: End of the path; it may be a prefix of the sequence that was measured.
        """
        known = self._known[key]
        value = self._replay.value(
            self._budget, self._replay.present(self._budget, known.reward, known.age), known.failed
        )
        if known.failed and all(other.failed for other in self._known.values()):
            value = self.mean()
        self._tree.backup(leaf, value, solved=leaf.complete)
        self._visits.setdefault(key, []).append(_Visit(leaf, value))

    def refresh(self, key: str, tokens: Tokens, leaf: Leaf, reward: float, failed: bool, age: int) -> None:
        """Replaces the value of a key, on every path that it was backed up on, and backs it up that of `leaf`.

        Args:
            key: A measured key.
            tokens: The architecture scored.
            leaf: Of the simulation that met it.
            reward: The new reward; ignored if `failed`.
            failed: Scoring failed: the old reward stays, and counts as new.
            age: Children that have trained the shared weights by now.
        """
        known = self._known[key]
        known.age = age
        if not failed:
            known.reward = reward
            self._replay.add(key, tokens, self._budget, reward, age)
            value = self._replay.value(self._budget, reward)
            for visit in self._visits.get(key, []):
                self._tree.correct(visit.leaf, value - visit.value)
                visit.value = value
        self.back_up(key, leaf)

    def reopen_stale(self, age: int) -> None:
        """Lets simulations go to sequences again whose values are out of date."""
        for key in self._known:
            if self.stale(key, age):
                for visit in self._visits.get(key, []):
                    self._tree.reopen(visit.leaf.tokens)

    def forget_paths(self) -> None:
        """Forgets where values were backed up: the tree is new. Outcomes are kept."""
        self._visits = {}

    def state(self) -> dict[str, Any]:
        """Outcomes and paths."""
        visits = [(key, visit) for key, group in self._visits.items() for visit in group]
        return {
            "known": [[key, known.reward, known.failed, known.age] for key, known in self._known.items()],
            "visits": [[key, visit.value, *leaf_to_json(visit.leaf)] for key, visit in visits],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self._known = {key: _Known(float(r), bool(f), int(age)) for key, r, f, age in state["known"]}
        self._visits = {}
        for key, value, *leaf in state["visits"]:
            self._visits.setdefault(key, []).append(_Visit(leaf_from_json(leaf), float(value)))

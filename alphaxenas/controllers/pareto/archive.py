"""What strategies for several objectives share: the vectors of everything rated, and the order of NSGA-II on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.history import HistoryStrategy
from alphaxenas.controllers.pareto.front import fitness, front, hypervolume


class Archive:
    """Objectives of rated architectures by key, larger is better."""

    def __init__(self) -> None:
        self.vectors: dict[str, np.ndarray] = {}
        self._fitness: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self.vectors)

    def add(self, key: str, vector: np.ndarray) -> None:
        """Takes the objectives of an architecture.

        Args:
            key: Of the architecture.
            vector: `[m]`.
        """
        self.vectors[key] = np.asarray(vector, np.float64)
        self._fitness = {}

    def values(self) -> np.ndarray:
        """All vectors in the order in which they came, `[n, m]`."""
        return np.stack(list(self.vectors.values()))

    def fitness(self, key: str) -> float | None:
        """Larger for what NSGA-II would rather keep; None for what was not rated."""
        if key not in self.vectors:
            return None
        if not self._fitness:
            self._fitness = dict(zip(self.vectors, fitness(self.values()).tolist()))
        return self._fitness[key]

    def diagnostics(self) -> dict[str, float]:
        """Architectures in the front, and the share of the box of all vectors that it dominates."""
        if len(self) < 2:
            return {}
        values = self.values()
        low, high = values.min(0), values.max(0)
        box = float(np.prod(np.where(high > low, high - low, 1.0)))
        return {"pareto/front": float(len(front(values))), "pareto/share": hypervolume(values, low) / box}

    def state(self) -> dict[str, Any]:
        """Keys and vectors."""
        return {"keys": list(self.vectors), "values": self.values() if self.vectors else np.zeros((0, 0))}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self.vectors = dict(zip(state["keys"], np.asarray(state["values"], np.float64)))
        self._fitness = {}


class ParetoStrategy(HistoryStrategy):
    """A strategy that is told vectors instead of rewards; the history keeps the first objective.

    Args:
        space: Any search space.
        rng: The strategy's own stream.
    """

    def __init__(self, space: SearchSpace, rng: np.random.Generator) -> None:
        super().__init__(space, rng)
        self._archive = Archive()

    def observe(self, tokens: Tokens, reward: Any) -> None:
        """Takes the objectives of a suggestion.

        Args:
            tokens: An outstanding suggestion.
            reward: `[m]`, larger is better; None if the evaluation failed.
        """
        key = self._history.observe(tokens, None if reward is None else float(reward[0]))
        if reward is not None:
            self._archive.add(key, reward)

    def present_reward(self, key: str) -> float | None:
        """What promotion orders children by: their front, within one the crowding distance."""
        return self._archive.fitness(key)

    def diagnostics(self) -> dict[str, float]:
        """Size of the front and the share of the box that it dominates."""
        return self._archive.diagnostics()

    def status_line(self) -> str:
        """Size of the front."""
        numbers = self._archive.diagnostics()
        return f"{numbers['pareto/front']:.0f} architectures in the front" if numbers else ""

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return super().state() | {"archive": self._archive.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        super().restore(state)
        self._archive.restore(state["archive"])

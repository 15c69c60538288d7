"""What strategies for several objectives share: the vectors of everything rated, and the order of NSGA-II on them."""

from __future__ import annotations

from collections.abc import Iterable, KeysView, Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.history import HistoryStrategy
from alphaxenas.controllers.pareto.front import GrowingFront, fitness
from alphaxenas.controllers.pareto.objectives import Objectives


class Archive:
    """Objectives of rated architectures by key, larger is better, and the front of them, which grows with them."""

    def __init__(self) -> None:
        self._empty()

    def _empty(self) -> None:
        self._places: dict[str, int] = {}
        self._rows = np.zeros((0, 0))
        self._front = GrowingFront()
        self._fitness: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._places)

    def keys(self) -> KeysView[str]:
        """Of all that was rated, in the order in which they came."""
        return self._places.keys()

    def add(self, key: str, vector: np.ndarray) -> None:
        """Takes the objectives of an architecture, each of which is rated once.

        Args:
            key: Of the architecture.
            vector: `[m]`.
        """
        place, row = self._places.setdefault(key, len(self)), np.asarray(vector, np.float64)
        if place >= len(self._rows):
            room = np.zeros((max(2 * place, 64), len(row)))
            room[:place] = self._rows[:place] if place else 0
            self._rows = room
        self._rows[place] = row
        self._front.add(key, row)
        self._fitness = {}

    def values(self) -> np.ndarray:
        """All vectors in the order in which they came, `[n, m]`; not to be written to."""
        return self._rows[: len(self)]

    def vectors(self, keys: Iterable[str]) -> np.ndarray:
        """The objectives of architectures, `[n, m]`; of those that failed the worst of each."""
        places, worst = self._places, self._front.worst
        return np.stack([self._rows[places[key]] if key in places else worst for key in keys])

    def front(self) -> list[str]:
        """Keys of the architectures that no other one beats, in the order in which they came."""
        return self._front.members

    def fitness(self, key: str) -> float | None:
        """Larger for what NSGA-II would rather keep; None for what was not rated."""
        if key not in self._places:
            return None
        if not self._fitness:
            self._fitness = dict(zip(self._places, fitness(self.values()).tolist()))
        return self._fitness[key]

    def diagnostics(self) -> dict[str, float]:
        """Architectures in the front, and the share of the box of all vectors that it dominates."""
        if len(self) < 2:
            return {}
        sides = self._front.best - self._front.worst
        box = float(np.prod(np.where(sides > 0, sides, 1.0)))
        return {"pareto/front": float(len(self.front())), "pareto/share": self._front.volume() / box}

    def status_line(self) -> str:
        """Size of the front; empty as long as there is none worth the name."""
        return f"{len(self.front())} architectures in the front" if len(self) > 1 else ""

    def state(self) -> dict[str, Any]:
        """Keys and vectors."""
        return {"keys": list(self._places), "values": self.values().copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self._empty()
        for key, vector in zip(state["keys"], np.asarray(state["values"], np.float64)):
            self.add(key, vector)


class ParetoStrategy(HistoryStrategy):
    """A strategy that is told vectors instead of rewards; the history keeps the first objective.

    Args:
        space: Any search space.
        rng: The strategy's own stream.
        objectives: What the vectors are of.
    """

    def __init__(self, space: SearchSpace, rng: np.random.Generator, objectives: Objectives) -> None:
        super().__init__(space, rng)
        self._objectives, self._archive = objectives, Archive()

    def observe(self, tokens: Tokens, reward: Any) -> None:
        """Takes the objectives of a suggestion.

        Args:
            tokens: An outstanding suggestion.
            reward: `[m]`, larger is better; None if the evaluation failed.
        """
        key = self._history.observe(tokens, None if reward is None else float(reward[0]))
        if reward is not None:
            self._archive.add(key, reward)

    def fitness(self, key: str) -> float | None:
        """What promotion orders children by: their front, within one the crowding distance."""
        return self._archive.fitness(key)

    def diagnostics(self) -> dict[str, float]:
        """Size of the front and the share of the box that it dominates."""
        return self._archive.diagnostics()

    def status_line(self) -> str:
        """Size of the front."""
        line = self._archive.status_line()
        return f"{line} of {', '.join(self._objectives.names)}" if line else ""

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return super().state() | {"archive": self._archive.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        super().restore(state)
        self._archive.restore(state["archive"])

"""Any search for one reward as a search for several objectives: one search for each of a few directions of the front.

A direction is a weighting of the objectives. Its search is told, as reward, one minus the augmented Tchebycheff
distance from the best seen of every objective, in units of what separates that from the lowest tenth of what was seen:

    1 - (max_i w_i d_i + rho sum_i w_i d_i),      d_i = (best_i - f_i) / (best_i - lowest tenth_i), at most 1

The directions take turns. What one of them has evaluated is told to all, as if each had suggested it, so nothing is
evaluated twice and every direction learns from everything.

Source: Knowles 2006, "ParEGO", eq. 2, for the function; Zhang & Li 2007, "MOEA/D: a multiobjective evolutionary
algorithm based on decomposition", for searching several directions that share what they find. Departure: rewards are
told once, in the units of that moment, because trees keep them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.controllers.pareto.archive import Archive
from alphaxenas.controllers.pareto.improvement import tchebycheff
from alphaxenas.seeds import stream

DIRECTIONS = 5
"""Directions of the front that are searched."""


class Scalarised:
    """Searches for one reward, each in a direction of its own (`alphaxenas.controllers.promotion.Strategy`).

    Args:
        make: Makes the search of a direction from its number.
        objectives: m, how many.
        key: Of a complete sequence.
    """

    def __init__(self, make: Callable[[int], Any], objectives: int, key: Callable[[Tokens], str]) -> None:
        self._parts, self._key = [make(number) for number in range(DIRECTIONS)], key
        self.uniform = all(getattr(part, "uniform", False) for part in self._parts)
        if objectives == 2:
            first = (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS
            self._weights = np.stack([first, 1.0 - first], axis=1)
        else:
            self._weights = stream(0, "directions").dirichlet(np.ones(objectives), DIRECTIONS)
        self._archive = Archive()
        self._turn = 0

    def start(self, tokens: Tokens) -> Tokens | None:
        """Every direction takes it as its own."""
        started = [part.start(tokens) for part in self._parts]
        return None if started[0] is None else tokens

    def suggest(self) -> Tokens | None:
        """The suggestion of the direction whose turn it is; of another one where that waits for rewards."""
        return self._from(lambda part: part.suggest())

    def draw(self) -> Tokens | None:
        """A suggestion drawn uniformly, where the searches can."""
        return self._from(lambda part: part.draw())

    def _from(self, ask: Callable[[Any], Tokens | None]) -> Tokens | None:
        for _ in range(DIRECTIONS):
            turn, self._turn = self._turn, (self._turn + 1) % DIRECTIONS
            tokens = ask(self._parts[turn])
            if tokens is not None:
                for number, part in enumerate(self._parts):
                    if number != turn:
                        part.start(tokens)
                return tokens
        return None

    def observe(self, tokens: Tokens, reward: Any) -> None:
        """Takes the objectives of a suggestion.

        Args:
            tokens: An outstanding suggestion.
            reward: `[m]`, larger is better; None if the evaluation failed.
        """
        if reward is not None:
            self._archive.add(self._key(tokens), reward)
        for part, scalar in zip(self._parts, self._scalars(reward)):
            part.observe(tokens, scalar)

    def learn(self, tokens: Tokens, reward: Any) -> None:
        """Takes over what another search measured.

        Args:
            tokens: A complete sequence.
            reward: As of `observe`.
        """
        if self.start(tokens) is not None:
            self.observe(tokens, reward)

    def observe_final(self, tokens: Tokens, reward: Any) -> None:
        """Takes the objectives of a promoted child at the final budget.

        Args:
            tokens: What was promoted.
            reward: As of `observe`.
        """
        for part, scalar in zip(self._parts, self._scalars(reward)):
            if (observe_final := getattr(part, "observe_final", None)) is not None:
                observe_final(tokens, scalar)

    def fitness(self, key: str) -> float | None:
        """What promotion orders children by: their front, within one the crowding distance."""
        return self._archive.fitness(key)

    def _scalars(self, vector: Any) -> list[float | None]:
        """The reward of every direction."""
        if vector is None or not len(self._archive):
            return [None] * DIRECTIONS
        seen = self._archive.values()
        best = np.maximum(seen.max(0), vector)
        span = np.maximum(best - np.quantile(seen, 0.1, axis=0), 1e-12)
        scaled = np.maximum((np.asarray(vector, np.float64) - best) / span, -1.0)[None]
        ideal = np.zeros(len(best))
        return [max(0.0, 1.0 + float(tchebycheff(scaled, ideal, weights)[0])) for weights in self._weights]

    def diagnostics(self) -> dict[str, float]:
        """Those of the first direction, and of the front."""
        return self._parts[0].diagnostics() | self._archive.diagnostics()

    def status_line(self) -> str:
        """Size of the front."""
        return self._archive.status_line()

    def tree_snapshot(self) -> dict[str, np.ndarray] | None:
        """The tree of the first direction, if it has one."""
        snapshot = getattr(self._parts[0], "tree_snapshot", None)
        return snapshot() if snapshot is not None else None

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        parts = {str(number): part.state() for number, part in enumerate(self._parts)}
        return {"parts": parts, "archive": self._archive.state(), "turn": self._turn}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        for number, part in enumerate(self._parts):
            part.restore(state["parts"][str(number)])
        self._archive.restore(state["archive"])
        self._turn = int(state["turn"])

"""Regularized evolution: the best of a few architectures of a population is mutated, and the oldest dies.

A cycle draws `sample` members of the population with replacement, mutates the one with the highest reward (a uniformly
drawn member of its `space.neighbours`) and, once the child's reward is known, appends it; the oldest member dies,
however good it is. The first members are drawn uniformly.

Source: Real et al. 2019, "Regularized evolution for image classifier architecture search", algorithm 1. Departures:

- A child that is known already enters the population with its known reward at once, which costs nothing.
- A failed architecture does not enter the population.
- Several children may be outstanding; the population is then what has arrived.
- Population and sample are smaller than the paper's 100 and 25, which are meant for 20,000 evaluations: see
  `population`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.history import HistoryStrategy
from alphaxenas.controllers.pending import plain
from alphaxenas.seeds import stream
from alphaxenas.suggestions import check_whole

FREE_CYCLES = 1000
"""Children in a row that may be known before a new architecture is drawn uniformly instead."""


class RegularizedEvolution(HistoryStrategy):
    """Evolution with ageing (`alphaxenas.controllers.promotion.Strategy`).

    Args:
        space: Any search space.
        seed: The run's seed.
        population: Members, >= 1.
        sample: Members drawn per tournament, >= 1.

    Raises:
        ValueError: A value out of its range.
    """

    def __init__(self, space: SearchSpace, seed: int, population: int = 20, sample: int = 10) -> None:
        check_whole("population", population)
        check_whole("sample", sample)
        super().__init__(space, stream(seed, "evolution"))
        self._size, self._sample = population, sample
        self._population: deque[tuple[Tokens, float]] = deque()
        # Only a cache: members are parents many times.
        self._neighbours: dict[Tokens, list[Any]] = {}
        self._free = 0

    def suggest(self) -> Tokens | None:
        """A new member of the first population or a new child; None when every key has been suggested."""
        history = self._history
        if len(self._population) < self._size:
            if len(self._population) + len(history.outstanding) < self._size:
                return history.draw(self._rng)
            if not self._population:
                return None
        for _ in range(FREE_CYCLES):
            tokens = self._child()
            if tokens is None:
                break
            key = history.key(tokens)
            if key not in history:
                return history.suggest(tokens, key)
            self._free += 1
            self._enter(tokens, history.rewards.get(key))
        return history.draw(self._rng)

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a suggestion, which enters the population.

        Args:
            tokens: An outstanding suggestion.
            reward: None if the evaluation failed.
        """
        super().observe(tokens, reward)
        self._enter(tokens, reward)

    def _child(self) -> Tokens | None:
        """A neighbour of the winner of a tournament; None if it has no neighbours."""
        random, population = self._rng.random, self._population
        drawn = [population[int(random() * len(population))] for _ in range(self._sample)]
        parent = max(drawn, key=lambda member: member[1])[0]
        others = self._neighbours.get(parent)
        if others is None:
            if len(self._neighbours) > 4 * self._size:
                self._neighbours.clear()
            others = self._neighbours[parent] = self._space.neighbours(self._space.decode(parent))
        if self._history.prior and others:
            return self._history.prior.pick([self._space.encode(other) for other in others], self._rng)
        return self._space.encode(others[int(random() * len(others))]) if others else None

    def _enter(self, tokens: Tokens, reward: float | None) -> None:
        if reward is not None:
            self._population.append((tokens, reward))
            if len(self._population) > self._size:
                self._population.popleft()

    def diagnostics(self) -> dict[str, float]:
        """Size, mean and best reward of the population, and the cycles that cost nothing."""
        rewards = [reward for _, reward in self._population]
        numbers = {"evolution/population": float(len(rewards)), "evolution/free": float(self._free)}
        if rewards:
            numbers |= {"evolution/mean": sum(rewards) / len(rewards), "evolution/best": max(rewards)}
        return numbers

    def status_line(self) -> str:
        """Mean and best reward of the population."""
        rewards = [reward for _, reward in self._population]
        if not rewards:
            return ""
        return f"population of {len(rewards)}: mean {sum(rewards) / len(rewards):.4f}, best {max(rewards):.4f}"

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        population = [[plain(tokens), reward] for tokens, reward in self._population]
        return super().state() | {"population": population, "free": self._free}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        super().restore(state)
        self._population = deque((tuple(tokens), reward) for tokens, reward in state["population"])
        self._free = int(state["free"])

"""NSGA-II: evolution for several objectives, by fronts and by crowding within a front.

Parents win tournaments by front, then by crowding distance. A child takes every token from one of its parents, drawn
anew for each, or another legal one where neither's fits, and is then changed to one of its neighbours with probability
`MUTATION`. What is rated joins the population; when that has twice its size, the better half by the same order stays.

Source: Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II". Departures:

- A child that is known already is not rated again: another one is made.
- Selection does not wait for a whole generation, so that children may be outstanding in any number.
- Crossover and mutation are those of token sequences.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.pareto.archive import ParetoStrategy
from alphaxenas.controllers.pareto.front import fitness
from alphaxenas.controllers.pareto.objectives import Objectives
from alphaxenas.seeds import stream
from alphaxenas.suggestions import check_whole

FREE_CHILDREN = 200
"""Children in a row that may be known before a new architecture is drawn instead."""
MUTATION = 0.5
"""Chance that a child of two different parents is changed besides; others always are."""


class NSGA2(ParetoStrategy):
    """Evolution for several objectives (`alphaxenas.controllers.promotion.Strategy`).

    Args:
        space: Any search space.
        seed: The run's seed.
        objectives: What it looks for.
        population: Members, >= 2.
        sample: Members drawn per tournament, >= 1; the paper has 2.

    Raises:
        ValueError: A value out of its range.
    """

    def __init__(
        self, space: SearchSpace, seed: int, objectives: Objectives, population: int = 50, sample: int = 2
    ) -> None:
        check_whole("population", population, 2)
        check_whole("sample", sample)
        super().__init__(space, stream(seed, "nsga2"), objectives)
        self._size, self._sample = population, sample
        self._population: list[Tokens] = []
        self._order: np.ndarray | None = None  # only a cache

    def suggest(self) -> Tokens | None:
        """A member of the first population or a new child; None when every key has been suggested."""
        history = self._history
        if len(self._population) + len(history.outstanding) < self._size and len(self._archive) < self._size:
            return history.draw(self._rng)
        if len(self._population) < 2:
            return None if history.outstanding else history.draw(self._rng)
        order = self._fitness()
        for _ in range(FREE_CHILDREN):
            tokens = self._child(order)
            key = history.key(tokens)
            if key not in history:
                return history.suggest(tokens, key)
        return history.draw(self._rng)

    def observe(self, tokens: Tokens, reward: Any) -> None:
        """Takes the objectives of a suggestion, which joins the population.

        Args:
            tokens: An outstanding suggestion.
            reward: `[m]`, larger is better; None if the evaluation failed.
        """
        super().observe(tokens, reward)
        if reward is not None:
            self._population.append(tokens)
            self._order = None
            if len(self._population) >= 2 * self._size:
                kept = np.argsort(-self._fitness(), kind="stable")[: self._size]
                self._population, self._order = [self._population[place] for place in sorted(kept.tolist())], None

    def _fitness(self) -> np.ndarray:
        """Of the members among themselves, `[n]`."""
        if self._order is None:
            self._order = fitness(self._archive.vectors(map(self._history.key, self._population)))
        return self._order

    def _child(self, order: np.ndarray) -> Tokens:
        space, rng = self._space, self._rng
        mother, father = self._winner(order), self._winner(order)
        tokens: Tokens = ()
        while actions := space.legal_actions(tokens):
            place = len(tokens)
            wanted = (mother, father) if rng.random() < 0.5 else (father, mother)
            fitting = [one[place] for one in wanted if place < len(one) and one[place] in actions]
            tokens = (*tokens, fitting[0] if fitting else actions[int(rng.random() * len(actions))])
        if tokens in (mother, father) or rng.random() < MUTATION:
            others = space.neighbours(space.decode(tokens))
            if self._history.prior and others:
                return self._history.prior.pick([space.encode(other) for other in others], rng)
            return space.encode(others[int(rng.random() * len(others))]) if others else tokens
        return tokens

    def _winner(self, order: np.ndarray) -> Tokens:
        drawn = [int(self._rng.random() * len(order)) for _ in range(self._sample)]
        return self._population[max(drawn, key=lambda place: order[place])]

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return super().state() | {"population": [list(map(int, tokens)) for tokens in self._population]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        super().restore(state)
        self._population, self._order = [tuple(tokens) for tokens in state["population"]], None

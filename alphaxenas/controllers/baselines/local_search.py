"""Local search: look at all neighbours of an architecture, go to the first better one, restart where there is none.

Source: White et al. 2021, "Exploring the loss landscape in neural architecture search" (local search is a strong
baseline on tabular benchmarks). Departures: known neighbours are looked at first-hand, at no cost; after a local
optimum the next start is drawn uniformly among new architectures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.history import HistoryStrategy
from alphaxenas.controllers.pending import plain
from alphaxenas.seeds import stream


class LocalSearch(HistoryStrategy):
    """Hill climbing with restarts (`alphaxenas.controllers.promotion.Strategy`).

    All neighbours of one architecture may be outstanding at once.

    Args:
        space: Any search space.
        seed: The run's seed.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, stream(seed, "local_search"))
        self._centre: tuple[Tokens, float] | None = None
        self._better: tuple[Tokens, float] | None = None
        self._neighbours: list[Tokens] = []
        self._moves = self._optima = 0

    def suggest(self) -> Tokens | None:
        """The next new neighbour or start; None when rewards must arrive first, or every key has been suggested."""
        history = self._history
        while True:
            while self._neighbours and self._better is None:
                tokens = self._neighbours.pop()
                key = history.key(tokens)
                if key not in history:
                    return history.suggest(tokens, key)
                self._look(tokens, history.rewards.get(key))
            if self._better is not None:
                self._moves += 1
                self._settle(*self._better)
            elif history.outstanding:
                return None
            else:
                self._optima += self._centre is not None
                self._centre = None
                return history.draw(self._rng)

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a suggestion.

        Args:
            tokens: An outstanding suggestion.
            reward: None if the evaluation failed.
        """
        super().observe(tokens, reward)
        if self._centre is not None:
            self._look(tokens, reward)
        elif reward is not None:
            self._settle(tokens, reward)

    def _look(self, tokens: Tokens, reward: float | None) -> None:
        """Remembers the best neighbour that is better than the centre."""
        best = self._better or self._centre
        if reward is not None and best is not None and reward > best[1]:
            self._better = tokens, reward

    def _settle(self, tokens: Tokens, reward: float) -> None:
        """Makes an architecture the centre; its neighbours will be looked at in random order, or by the prior."""
        self._centre, self._better = (tokens, reward), None
        space = self._space
        others = [space.encode(other) for other in space.neighbours(space.decode(tokens))]
        self._neighbours = self._history.prior.shuffled(others, self._rng)

    def diagnostics(self) -> dict[str, float]:
        """Moves to a better neighbour, local optima met, and the reward of the architecture stood on."""
        numbers = {"local/moves": float(self._moves), "local/optima": float(self._optima)}
        return numbers if self._centre is None else numbers | {"local/centre": self._centre[1]}

    def status_line(self) -> str:
        """Where it stands."""
        if self._centre is None:
            return ""
        tokens, reward = self._centre
        left = f"{len(self._neighbours)} neighbours of {self._space.decode(tokens)} left"
        return f"{self._optima} local optima met, now at {reward:.4f}, {left}"

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return super().state() | {
            "centre": _plain(self._centre),
            "better": _plain(self._better),
            "neighbours": list(map(plain, self._neighbours)),
            "counters": [self._moves, self._optima],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        super().restore(state)
        pairs = (state["centre"], state["better"])
        self._centre, self._better = (None if pair is None else (tuple(pair[0]), pair[1]) for pair in pairs)
        self._neighbours = [tuple(tokens) for tokens in state["neighbours"]]
        self._moves, self._optima = map(int, state["counters"])


def _plain(pair: tuple[Tokens, float] | None) -> list | None:
    return None if pair is None else [plain(pair[0]), pair[1]]

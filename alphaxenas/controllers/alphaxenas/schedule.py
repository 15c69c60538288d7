"""The iteration in progress: simulations left for the move, children trained so far, policies of the moves."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens


class IterationSchedule:
    """One iteration after the other. The moves themselves are the tree's prefix.

    Args:
        max_length: Moves of the longest sequence.
        num_actions: V, the size of the vocabulary.
        num_simulations: Simulations per move.
        children: Children that are trained per iteration, spread over its moves.
        uniform_share: Share of them that is drawn uniformly.

    Attributes:
        left: Simulations left for this move.
        noised: Whether this move's root has its noise.
    """

    def __init__(
        self, max_length: int, num_actions: int, num_simulations: int, children: int, uniform_share: float
    ) -> None:
        self._max_length, self._num_actions, self._num_simulations = max_length, num_actions, num_simulations
        self._count, self._uniform_share = children, uniform_share
        self.begin()

    def begin(self) -> None:
        """A new iteration."""
        self._children = 0
        self.begin_again()

    def begin_again(self) -> None:
        """Back to the first move of the same iteration: its children count, its moves do not."""
        self._policies: list[np.ndarray] = []
        self._begin_move()

    def _begin_move(self) -> None:
        self.left = self._num_simulations
        self.noised = False

    def next_child(self, move: int) -> str | None:
        """`"uniform"` or `"guided"` for the next child to be trained; None when this move has had its own.

        By move i of n, from 1, ceil(i * children / n) are due. Of the first k of an iteration, ceil(k * uniform_share)
        are uniform.

        Args:
            move: Counts the moves of the iteration from 0.
        """
        if self._children >= min(self._count, -(-(move + 1) * self._count // self._max_length)):
            return None
        self._children += 1
        share = self._uniform_share
        return "uniform" if ceil(self._children * share) > ceil((self._children - 1) * share) else "guided"

    def note_move(self, actions: Tokens, counts: np.ndarray) -> None:
        """A move is made; the next one begins.

        Args:
            actions: The tokens that it could be.
            counts: Their visits.
        """
        row = np.zeros(self._num_actions, np.float32)
        row[list(actions)] = np.maximum(counts / counts.sum(), 1e-6)
        self._policies.append(row / row.sum())
        self._begin_move()

    def policies_along(self, tokens: Tokens, played: Tokens) -> np.ndarray:
        """Visit distributions of the moves `[len(tokens), V]`; zeros where the architecture `tokens` left the `played`
        one.

        Args:
            tokens: A complete sequence.
            played: The sequence that the moves built.
        """
        rows = np.zeros((len(tokens), self._num_actions), np.float32)
        for place, row in enumerate(self._policies[: len(tokens)]):
            if tokens[:place] == played[:place]:
                rows[place] = row
        return rows

    def state(self) -> dict[str, Any]:
        """Where the iteration is."""
        return {
            "children": self._children,
            "left": self.left,
            "noised": self.noised,
            "policies": np.array(self._policies, np.float32),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self._children, self.left, self.noised = int(state["children"]), int(state["left"]), bool(state["noised"])
        self._policies = list(np.asarray(state["policies"]))

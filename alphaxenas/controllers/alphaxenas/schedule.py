"""The iteration in progress of the original search: simulations left for the move, policies of the moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens


class IterationSchedule:
    """One iteration after the other. The moves themselves are the tree's prefix.

    Args:
        num_actions: V, the size of the vocabulary.
        num_simulations: Simulations per move.

    Attributes:
        left: Simulations left for this move.
    """

    def __init__(self, num_actions: int, num_simulations: int) -> None:
        self._num_actions, self._num_simulations = num_actions, num_simulations
        self.begin()

    def begin(self) -> None:
        """A new iteration, or back to the first move of the same one."""
        self._policies: list[np.ndarray] = []
        self.left = self._num_simulations

    def note_move(self, actions: Tokens, counts: np.ndarray) -> None:
        """A move is made; the next one begins.

        Args:
            actions: The tokens that it could be.
            counts: Their visits.
        """
        row = np.zeros(self._num_actions, np.float32)
        row[list(actions)] = np.maximum(counts / counts.sum(), 1e-6)
        self._policies.append(row / row.sum())
        self.left = self._num_simulations

    def policies(self) -> np.ndarray:
        """Visit distributions of the moves made, `[moves, V]`."""
        return np.array(self._policies, np.float32).reshape(-1, self._num_actions)

    def state(self) -> dict[str, Any]:
        """Where the iteration is."""
        return {"left": self.left, "policies": self.policies()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self.left, self._policies = int(state["left"]), list(np.asarray(state["policies"]))

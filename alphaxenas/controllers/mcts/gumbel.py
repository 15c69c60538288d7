"""Gumbel AlphaZero's rules: a move found with few simulations, and the policy that the simulations improve.

With q the value of an action in [0, 1] (of an unvisited one, its predicted value: "completed Q-values") and

    sigma(q) = (VISITS + max_b N(b)) * SCALE * q,

- the root considers the actions of the largest g + logit, g drawn from a Gumbel distribution once a move, and halves
  their number by g + logit + sigma(q) until one is left (sequential halving);
- below the root an edge is taken where the visits lag furthest behind the improved policy: argmax pi'(a) - N(a) / (1 +
  sum_b N(b));
- the improved policy, pi' = softmax(logit + sigma(completed q)), is what the policy network learns.

Source: Danihelka et al. 2022, "Policy improvement by planning with Gumbel", sections 3 to 5. Departure: an unvisited
action is completed by its own predicted value where there is one, not by the mixed value of the node.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2

import numpy as np

from alphaxenas.controllers.mcts.nodes import Node

VISITS, SCALE = 50.0, 0.1
"""Constants of sigma: the paper's for rewards without a known range (its section 6, Atari)."""


def completed_values(node: Node, low: float, high: float) -> np.ndarray:
    """Values of all actions in [0, 1]: means of what was visited, else what was predicted, else the node's mean.

    Args:
        node: Any node.
        low: Lowest value that the tree has seen.
        high: Highest value that the tree has seen.

    Returns:
        `[n]`.
    """
    span = high - low
    if span <= 0:
        return np.zeros(len(node.actions))
    mean = node.sum / node.total
    initial = [mean] * len(node.actions) if node.initial_values is None else node.initial_values
    values = [total / count if count else first for total, count, first in zip(node.sums, node.visits, initial)]
    return np.clip((np.array(values) - low) / span, 0.0, 1.0)


def scores(node: Node, priors: Sequence[float], low: float, high: float) -> np.ndarray:
    """logit + sigma(completed q) of all actions, `[n]`.

    Args:
        node: Any node.
        priors: Probability of each action, `[n]`.
        low: Lowest value that the tree has seen.
        high: Highest value that the tree has seen.
    """
    weight = (VISITS + max(node.visits)) * SCALE
    return np.log(np.maximum(priors, 1e-12)) + weight * completed_values(node, low, high)


def improved_policy(node: Node, low: float, high: float) -> np.ndarray:
    """The policy that the simulations recommend, `[n]`.

    Args:
        node: Any node.
        low: Lowest value that the tree has seen.
        high: Highest value that the tree has seen.
    """
    logits = scores(node, node.priors, low, high)
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


class ImprovedPolicy:
    """Below the root: the edge whose visits lag furthest behind the improved policy (`selection.SelectionRule`)."""

    def __call__(self, node: Node, priors: Sequence[float], low: float, high: float) -> int:
        """See `SelectionRule`; the node's own priors count."""
        visits = np.array(node.visits) + node.virtual_loss
        lag = improved_policy(node, low, high) - visits / (1.0 + visits.sum())
        lag[node.solved] = -np.inf
        slot = int(np.argmax(lag))
        return -1 if node.solved[slot] else slot


class SequentialHalving:
    """The simulations of one move of one root.

    Args:
        node: The root, expanded.
        simulations: How many there will be.
        considered: Actions considered at most.
        rng: Source of the Gumbel variables.
    """

    def __init__(self, node: Node, simulations: int, considered: int, rng: np.random.Generator) -> None:
        self._node, self._before = node, list(node.visits)
        self._gumbel = rng.gumbel(size=len(node.actions))
        first = self._gumbel + np.log(np.maximum(node.priors, 1e-12))
        self._left = [int(slot) for slot in np.argsort(-first, kind="stable")[: min(considered, simulations)]]
        self._phases = max(1, ceil(log2(max(len(self._left), 2))))
        self._simulations = simulations
        self._queue: list[int] = []

    def next(self, low: float, high: float) -> int:
        """The root's edge for the next simulation; -1 when everything considered is solved.

        Args:
            low: Lowest value that the tree has seen.
            high: Highest value that the tree has seen.
        """
        solved = self._node.solved
        while True:
            while self._queue:
                slot = self._queue.pop(0)
                if not solved[slot]:
                    return slot
            open_slots = [slot for slot in self._left if not solved[slot]]
            if not open_slots:
                return -1
            if sum(self._node.visits) > sum(self._before) and len(self._left) > 1:
                self._left = self._ranked(low, high)[: ceil(len(self._left) / 2)]
                open_slots = [slot for slot in self._left if not solved[slot]] or open_slots
            rounds = max(1, self._simulations // (self._phases * len(self._left)))
            self._queue = open_slots * rounds

    def _ranked(self, low: float, high: float) -> list[int]:
        score = self._gumbel + scores(self._node, self._node.priors, low, high)
        return sorted(self._left, key=lambda slot: -score[slot])

    def move(self, low: float, high: float) -> int:
        """The slot of the action that is left, the best of those when several are.

        Args:
            low: Lowest value that the tree has seen.
            high: Highest value that the tree has seen.
        """
        return self._ranked(low, high)[0]

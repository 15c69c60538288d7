"""Which edge of a node a simulation takes: the two rules that `Tree` is used with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log, sqrt
from typing import Protocol

import numpy as np

from alphaxenas.controllers.choice_prior import ChoicePrior
from alphaxenas.controllers.mcts.nodes import Node

AGAINST = 2.0 / sqrt(1.5)
"""What a prior takes from a bound, in units of the bound's width: Rosin 2011, eq. of PUCB, 2 / M against sqrt(3 / 2).
"""


class SelectionRule(Protocol):
    """Chooses among the edges of a node that are not solved."""

    def __call__(self, node: Node, priors: Sequence[float], low: float, high: float) -> int:
        """The edge that the next simulation takes.

        Args:
            node: The node that the simulation has reached.
            priors: Probability of each of its `n` actions, `[n]`.
            low: Lowest value that the tree has seen.
            high: Highest value that the tree has seen.

        Returns:
            The slot of the edge; -1 if all are solved.
        """


class PUCT:
    """Polynomial upper confidence trees: predicted priors weigh the exploration.

        argmax_a  Q(a) + c P(a) sqrt(N) / (1 + N(a)),      N = visits of the node = 1 + sum_b N(b)

    Source: Silver et al. 2017, "Mastering the game of Go without human knowledge", Methods, "Select". Departures:

    - Q is scaled by the range of the values seen (Schrittwieser et al. 2020, "Mastering Atari, Go, chess and shogi by
      planning with a learned model", eq. 5), because accuracies of one run lie in a narrow band.
    - An unvisited edge starts from the value predicted for it, clamped to that range, or else from its node's mean,
      instead of 0: accuracies are never near 0, and a pessimistic start would chain the search to the first edge it
      tried.

    Args:
        exploration: c >= 0. With 0 the choice is greedy in Q.

    Raises:
        ValueError: If `exploration` is negative.
    """

    def __init__(self, exploration: float = 1.0) -> None:
        self.exploration = checked_exploration(exploration)

    def __call__(self, node: Node, priors: Sequence[float], low: float, high: float) -> int:
        """See `SelectionRule`; of equals the first."""
        span = high - low
        scale = 1.0 / span if span > 0 else 0.0
        factor = self.exploration * sqrt(node.total + sum(node.virtual_loss))
        mean = (node.sum / node.total - low) * scale if scale else 0.0
        best, chosen = float("-inf"), -1
        initial, visits, sums = node.initial_values, node.visits, node.sums
        virtual_loss, solved = node.virtual_loss, node.solved
        for slot, prior in enumerate(priors):
            if solved[slot]:
                continue
            real = visits[slot]
            count = real + virtual_loss[slot]
            # A visit without a value counts as one that returned the lowest value seen, which scales to 0.
            if count:
                score = (sums[slot] - real * low) * scale / count if scale else 0.0
            elif initial is None or not scale:
                score = mean
            else:
                score = min(max((initial[slot] - low) * scale, 0.0), 1.0)
            score += prior * factor / (1 + count)
            if score > best:
                best, chosen = score, slot
        return chosen


class UCB1:
    """Upper confidence bounds of means, without a range; see `alphaxenas.controllers.mcts.uct`.

        argmax_a  Q(a) + 2 c sqrt(2 ln N / N(a)),      untried edges before all others

    As long as the user's prior is trusted, an untried edge is worth 1 instead, the most that a reward can be, and every
    edge loses 2 c AGAINST sqrt(2 ln(N + 1) / N) / (n P(a)) by its prior among n: what a user thinks little of waits.

    Source: Rosin 2011, "Multi-armed bandits with episode context", section 2, for that loss.

    Args:
        exploration: c >= 0.
        random: Draws uniformly from [0, 1).
        prior: The user's; None for none.

    Raises:
        ValueError: If `exploration` is negative.
    """

    def __init__(self, exploration: float, random: Callable[[], float], prior: ChoicePrior | None = None) -> None:
        self.exploration, self._random, self._prior = checked_exploration(exploration), random, prior

    def __call__(self, node: Node, priors: Sequence[float], low: float, high: float) -> int:
        """See `SelectionRule`; range and `priors` play no part. Ties are decided at random."""
        if self._prior is not None and self._prior.trusted:
            return self._preferred(node, self._prior.chances(node.actions))
        if len(node.order) < len(node.actions):
            slot = self._one_of([slot for slot in range(len(node.actions)) if slot not in node.order])
            node.order = [*node.order, slot]
            return slot
        edges = [slot for slot in node.order if not node.solved[slot]]
        if len(edges) < 2:
            return edges[0] if edges else -1
        visits, sums, virtual_loss = node.visits, node.sums, node.virtual_loss
        width = 2 * self.exploration * sqrt(2 * log(node.total + sum(virtual_loss)))
        best, ties, lowest = -1.0, [], None
        for slot in edges:
            if visits[slot]:
                mean = sums[slot] / visits[slot]
            else:
                # Failed or awaited so far, and nothing is known of it: as the worst of the others.
                if lowest is None:
                    lowest = min((sums[other] / visits[other] for other in edges if visits[other]), default=0.0)
                mean = lowest
            score = mean + width / sqrt(visits[slot] + virtual_loss[slot])
            if score > best:
                best, ties = score, [slot]
            elif score == best:
                ties.append(slot)
        return self._one_of(ties)

    def _preferred(self, node: Node, chances: np.ndarray) -> int:
        """The edge of the highest bound less what the prior has against it.

        Args:
            node: The node that the simulation has reached.
            chances: Of its `n` actions as the user sees them now, `[n]`.
        """
        count = max(node.total + sum(node.virtual_loss), 1)
        best, ties = float("-inf"), []
        means = [total / real for total, real in zip(node.sums, node.visits) if real]
        lowest = min(means, default=0.0)
        for slot, chance in enumerate(chances.tolist()):
            if node.solved[slot]:
                continue
            real, tries = node.visits[slot], node.visits[slot] + node.virtual_loss[slot]
            score = 1.0
            if tries:
                mean = node.sums[slot] / real if real else lowest
                score = mean + 2 * self.exploration * sqrt(2 * log(count) / tries)
            score -= AGAINST * 2 * self.exploration * sqrt(2 * log(count + 1) / count) / (len(chances) * chance)
            if score > best:
                best, ties = score, [slot]
            elif score == best:
                ties.append(slot)
        slot = self._one_of(ties) if ties else -1
        if slot >= 0 and slot not in node.order:
            node.order = [*node.order, slot]
        return slot

    def _one_of(self, slots: list[int]) -> int:
        return slots[int(self._random() * len(slots))] if len(slots) > 1 else slots[0]


def checked_exploration(exploration: float) -> float:
    """The weight c of exploration; ValueError unless it is a number >= 0."""
    if not exploration >= 0:
        raise ValueError(f"Invalid value for `exploration`. Expected a number >= 0. Received: {exploration}")
    return float(exploration)

"""How a policy learns from rewards: REINFORCE with a moving baseline, and one step of Adam.

For sequences i = 1..n of a batch, drawn with probability q_i (policy and exploration together), with p_i the
probability under the policy that learns:

    advantage_i = clip((reward_i - baseline) / spread, -advantage_clip, advantage_clip)
    loss        = -1/n sum_i r_i A_i - entropy * mean entropy,      r_i = p_i / q_i, held constant times grad log p_i

With sequences drawn from the policy itself r_i = 1: the gradient is REINFORCE's, sum_i A_i grad log p_i. Sequences
drawn otherwise (epsilon exploration, other policies) are weighted by r_i and bias nothing. Baseline and spread are
exponential moving averages of the rewards and of their distance from the baseline, both corrected for their start at 0;
a batch is judged by the averages before it, the first one by its own.

Source: Williams 1992, "Simple statistical gradient-following algorithms"; Zoph & Le 2017, section 3.2 (moving
baseline); Mnih et al. 2016 (entropy bonus).
Departure: advantages are divided by their spread, so that the entropy bonus means the same wherever accuracies lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.controllers.optimizer import Adam, clipped
from alphaxenas.controllers.policy_gradient.policy_network import LegalActions, PolicyNetwork
from alphaxenas.suggestions import check_fields


@dataclass(frozen=True)
class Learning:
    """How a policy learns; see the module's text.

    Attributes:
        learning_rate: Of Adam, > 0.
        entropy: Weight of the entropy bonus.
        gradient_clip: Bound on the norm of the whole gradient; 0 = off.
        baseline_decay: Of the moving averages, in [0, 1).
        advantage_clip: Bound on advantages, in spreads; 0 = off.
    """

    learning_rate: float
    entropy: float = 0.0
    gradient_clip: float = 5.0
    baseline_decay: float = 0.8
    advantage_clip: float = 3.0

    def __post_init__(self) -> None:
        check_fields(
            self,
            learning_rate=(self.learning_rate > 0, "a number > 0"),
            entropy=(self.entropy >= 0, "a number >= 0"),
            gradient_clip=(self.gradient_clip >= 0, "a number >= 0"),
            baseline_decay=(0 <= self.baseline_decay < 1, "a number in [0, 1)"),
            advantage_clip=(self.advantage_clip >= 0, "a number >= 0"),
        )


class Baseline:
    """Moving averages of rewards and of their squared distance from the average, corrected for their start at 0."""

    def __init__(self, decay: float) -> None:
        self._decay, self._mean, self._square, self._weight = decay, 0.0, 0.0, 0.0

    @property
    def mean(self) -> float:
        """The baseline; 0 before any reward."""
        return self._mean / self._weight if self._weight else 0.0

    @property
    def spread(self) -> float:
        """Root of the mean squared distance; 1 before any reward."""
        return max(float(np.sqrt(self._square / self._weight)), 1e-6) if self._weight else 1.0

    def add(self, rewards: np.ndarray) -> None:
        """Takes in a batch as one observation."""
        own, share = float(np.mean(rewards)), 1 - self._decay
        about = self.mean if self._weight else own
        self._square = self._decay * self._square + share * float(np.mean((rewards - about) ** 2))
        self._mean = self._decay * self._mean + share * own
        self._weight = self._decay * self._weight + share

    def advantages(self, rewards: np.ndarray, bound: float) -> np.ndarray:
        """How much better than the baseline rewards are; takes them into the averages afterwards.

        Args:
            rewards: `[n]`.
            bound: Largest size of an advantage; 0 = no limit.

        Returns:
            Distances from the baseline in spreads, `[n]`.
        """
        first = not self._weight
        if first:
            self.add(rewards)
        found = (rewards - self.mean) / self.spread
        if not first:
            self.add(rewards)
        return np.clip(found, -bound, bound) if bound else found

    def state(self) -> list[float]:
        """Everything needed to go on."""
        return [self._mean, self._square, self._weight]

    def restore(self, state: Sequence[float]) -> None:
        """Takes over a `state()`."""
        self._mean, self._square, self._weight = map(float, state)


class PolicyLearner:
    """A policy, its baseline and its optimiser.

    Args:
        network: The policy; it is changed in place.
        legal_actions: As `alphaxenas.contracts.SearchSpace.legal_actions`.
        learning: How it learns.

    Attributes:
        network: The policy.
        baseline: Of its rewards.
        updates: Batches learnt from.
        numbers: Of the last batch: mean reward, baseline, mean absolute advantage, entropy per sequence,
            log-probability, gradient norm.
    """

    def __init__(self, network: PolicyNetwork, legal_actions: LegalActions, learning: Learning) -> None:
        self.network, self.learning, self._legal = network, learning, legal_actions
        self.reset()

    def reset(self) -> None:
        """Forgets averages and optimiser; the network's weights are not reset here."""
        self.baseline = Baseline(self.learning.baseline_decay)
        self._optimizer = Adam([self.network.parameters])
        self.updates = 0
        self.numbers: dict[str, float] = {}

    def update(
        self,
        sequences: Sequence[Tokens],
        rewards: Sequence[float],
        log_drawn: Sequence[float],
        examples: Sequence[Tokens] = (),
        imitation: float = 0.0,
    ) -> None:
        """Learns from a batch.

        Args:
            sequences: Complete token sequences, n >= 1.
            rewards: Validation accuracies, `[n]`.
            log_drawn: log q, with which each sequence was drawn, `[n]`.
            examples: Sequences to imitate.
            imitation: Weight of their mean log-probability.
        """
        how, drawn = self.learning, np.asarray(log_drawn, float)
        received = np.asarray(rewards, float)
        advantages = self.baseline.advantages(received, how.advantage_clip)

        def weights(log_probabilities: np.ndarray) -> np.ndarray:
            return np.exp(np.minimum(log_probabilities - drawn, 50.0)) * advantages / len(sequences)

        gradient, evaluation = self.network.gradient(sequences, self._legal, weights, how.entropy)
        if len(examples) and imitation:
            shares = np.full(len(examples), imitation / len(examples))
            gradient = gradient + self.network.gradient(examples, self._legal, shares)[0]
        applied, norm = clipped(gradient, how.gradient_clip)
        self.numbers = {
            "reward": float(received.mean()),
            "baseline": self.baseline.mean,
            "advantage": float(np.abs(advantages).mean()),
            "entropy": float(evaluation.entropies.mean()),
            "log_probability": float(evaluation.log_probabilities.mean()),
            "gradient_norm": norm,
        }
        self._optimizer.step([self.network.parameters], [applied], how.learning_rate)
        self.updates += 1

    def state(self) -> dict[str, Any]:
        """Weights, averages and optimiser."""
        return {
            "weights": self.network.parameters.copy(),
            "optimizer": self._optimizer.state(),
            "updates": self.updates,
            "baseline": self.baseline.state(),
            "numbers": dict(self.numbers),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self.network.parameters[...] = state["weights"]
        self._optimizer.restore(state["optimizer"])
        self.updates = int(state["updates"])
        self.baseline.restore(state["baseline"])
        self.numbers = {name: float(value) for name, value in state["numbers"].items()}

"""How a policy learns from rewards: REINFORCE with a moving baseline, or PPO's clipped objective, and one optimiser
step.

For games i = 1..n of a batch, drawn with probability q_i (policy and exploration together), with p_i the probability
now:

    advantage_i = clip((reward_i - baseline) / spread, -advantage_clip, advantage_clip)
    loss        = -1/n sum_i min(r_i A_i, clip(r_i, 1 - ppo_clip, 1 + ppo_clip) A_i) - entropy * mean entropy,   r_i =
    p_i / q_i

With `ppo_clip` 0 nothing is clipped, and with one step per batch and games drawn from the policy itself r_i = 1: the
gradient is REINFORCE's, sum_i A_i grad log p_i. TokenEncoder drawn otherwise (epsilon exploration) are weighted by r_i and
bias nothing. Baseline and spread are exponential moving averages of the rewards and of their distance from the
baseline, both corrected for their start at 0; a batch is judged by the averages before it, the first one by its own.

Source: Williams 1992, "Simple statistical gradient-following algorithms"; Zoph & Le 2017, section 3.2 (moving
baseline); Schulman et al. 2017, equation 7 (PPO clip); Mnih et al. 2016 (entropy bonus); Kingma & Ba 2015 (Adam, bias
correction).
Departures: advantages are divided by their spread, so that the entropy bonus means the same wherever accuracies lie;
weight decay is decoupled (Loshchilov & Hutter 2019): a bad reward never turns it round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.controllers.policy_gradient.policy_network import LegalActions, PolicyNetwork

OPTIMIZERS = ("adam", "rmsprop")
_SECOND = {"adam": 0.999, "rmsprop": 0.9}
_EPSILON = 1e-8


@dataclass(frozen=True)
class Learning:
    """How a policy learns; see the module's text.

    Attributes:
        learning_rate: Of the optimiser, > 0.
        optimizer: `"adam"` or `"rmsprop"`.
        gradient_clip: Bound on the norm of the whole gradient; 0 = off.
        weight_decay: Share of every weight lost per step and unit of learning rate.
        entropy: Weight of the entropy bonus.
        baseline_decay: Of the moving averages, in [0, 1).
        advantage_clip: Bound on advantages, in spreads; 0 = off.
        ppo_clip: Bound on |r - 1|; 0 = REINFORCE.
        steps: Optimiser steps per batch.
    """

    learning_rate: float
    optimizer: str = "adam"
    gradient_clip: float = 0.0
    weight_decay: float = 0.0
    entropy: float = 0.0
    baseline_decay: float = 0.9
    advantage_clip: float = 0.0
    ppo_clip: float = 0.0
    steps: int = 1

    def __post_init__(self) -> None:
        for name, holds, expected in (
            ("learning_rate", self.learning_rate > 0, "a number > 0"),
            ("optimizer", self.optimizer in OPTIMIZERS, " or ".join(OPTIMIZERS)),
            *(
                (name, getattr(self, name) >= 0, "a number >= 0")
                for name in ("gradient_clip", "weight_decay", "entropy", "advantage_clip", "ppo_clip")
            ),
            ("baseline_decay", 0 <= self.baseline_decay < 1, "a number in [0, 1)"),
            ("steps", isinstance(self.steps, int) and self.steps >= 1, "a whole number >= 1"),
        ):
            if not holds:
                raise ValueError(f"Invalid value for `{name}`. Expected {expected}. Received: {getattr(self, name)!r}")


def clipped(gradient: np.ndarray, bound: float) -> np.ndarray:
    """The gradient, shortened to a norm of `bound` where it is longer; 0 = as it is."""
    norm = float(np.linalg.norm(gradient))
    return gradient * (bound / norm) if bound and norm > bound else gradient


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
        """Distances of rewards from the baseline in spreads, at most `bound` where that is not 0. Takes the rewards in
        afterwards.
        """
        if not self._weight:
            self.add(rewards)
            found = (rewards - self.mean) / self.spread
        else:
            found = (rewards - self.mean) / self.spread
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
        legal_actions: The rules of the game.
        learning: How it learns.

    Attributes:
        network: The policy.
        baseline: Of its rewards.
        updates: Batches learnt from.
        numbers: Of the last batch: mean reward, baseline, mean absolute advantage, entropy per game, log-probability,
            gradient norm.
    """

    def __init__(self, network: PolicyNetwork, legal_actions: LegalActions, learning: Learning) -> None:
        self.network, self.learning, self._legal = network, learning, legal_actions
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forgets averages and optimiser; the weights are the network's affair."""
        self.baseline = Baseline(self.learning.baseline_decay)
        self._first, self._second, self._steps = (
            np.zeros_like(self.network.parameters),
            np.zeros_like(self.network.parameters),
            0,
        )
        self.updates, self.numbers = 0, {}

    def update(
        self,
        games: Sequence[Tokens],
        rewards: Sequence[float],
        log_drawn: Sequence[float],
        examples: Sequence[Tokens] = (),
        imitation: float = 0.0,
    ) -> None:
        """Learns from a batch.

        Args:
            games: Complete games, n >= 1.
            rewards: Validation accuracies, `[n]`.
            log_drawn: log q, with which each game was drawn, `[n]`.
            examples: TokenEncoder to imitate.
            imitation: Weight of their mean log-probability.
        """
        how, drawn = self.learning, np.asarray(log_drawn, float)
        received = np.asarray(rewards, float)
        advantages = self.baseline.advantages(received, how.advantage_clip)

        def weights(log_probabilities: np.ndarray) -> np.ndarray:
            ratio = np.exp(np.minimum(log_probabilities - drawn, 50.0))
            if how.ppo_clip:
                ratio = np.where(
                    np.where(advantages > 0, ratio > 1 + how.ppo_clip, ratio < 1 - how.ppo_clip), 0.0, ratio
                )
            return ratio * advantages / len(games)

        for step in range(how.steps):
            gradient, evaluation = self.network.gradient(games, self._legal, weights, how.entropy)
            if len(examples) and imitation:
                gradient = (
                    gradient
                    + self.network.gradient(examples, self._legal, np.full(len(examples), imitation / len(examples)))[0]
                )
            if not step:
                self.numbers = {
                    "reward": float(received.mean()),
                    "baseline": self.baseline.mean,
                    "advantage": float(np.abs(advantages).mean()),
                    "entropy": float(evaluation.entropies.mean()),
                    "log_probability": float(evaluation.log_probabilities.mean()),
                    "gradient_norm": float(np.linalg.norm(gradient)),
                }
            self._apply(clipped(gradient, how.gradient_clip))
        self.updates += 1

    def _apply(self, gradient: np.ndarray) -> None:
        """One step of the optimiser."""
        how, weights = self.learning, self.network.parameters
        self._steps += 1
        decay = _SECOND[how.optimizer]
        self._second = decay * self._second + (1 - decay) * gradient**2
        step, scale = gradient, self._second
        if how.optimizer == "adam":
            self._first = 0.9 * self._first + 0.1 * gradient
            step, scale = self._first / (1 - 0.9**self._steps), self._second / (1 - decay**self._steps)
        weights -= how.learning_rate * (how.weight_decay * weights + step / (np.sqrt(scale) + _EPSILON))

    def state(self) -> dict[str, Any]:
        """Weights, averages and optimiser."""
        return {
            "weights": self.network.parameters.copy(),
            "first": self._first.copy(),
            "second": self._second.copy(),
            "steps": self._steps,
            "updates": self.updates,
            "baseline": self.baseline.state(),
            "numbers": dict(self.numbers),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self.network.parameters[...] = state["weights"]
        self._first, self._second = np.array(state["first"], float), np.array(state["second"], float)
        self._steps, self.updates = int(state["steps"]), int(state["updates"])
        self.baseline.restore(state["baseline"])
        self.numbers = {name: float(value) for name, value in state["numbers"].items()}

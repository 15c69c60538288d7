"""Policy-gradient search: architectures drawn from recurrent policies that learn from what they drew.

A batch of architectures is drawn, the new ones are evaluated, and the policy learns from all of them by REINFORCE
(`policy_update`). Architectures are *drawn* from the policy, never the most probable one taken.

A policy draws with repetition, while a suggestion must be new. What was drawn before is therefore answered from memory:
its known reward is learnt from again and nothing is evaluated. After `FREE_BATCHES` batches in a row without a new
architecture, one is drawn uniformly among those never suggested; no policy learns from it, but its reward is
remembered. A failed architecture has no reward: it is left out of its batch.

Exploration: with probability epsilon an architecture is drawn by uniform choices instead; epsilon starts at `epsilon`
and is multiplied by `epsilon_decay` after every batch, down to `epsilon_floor`.

A pool: with several `policies` every architecture is drawn from one of them, chosen at random, so from the mixture

    q = (1 - epsilon) 1/k sum_j p_j + epsilon u                        u: uniform choices

and every policy i learns from every architecture with the importance weight p_i / q <= k / (1 - epsilon): experience is
shared whole, at no evaluation more than one policy costs, and biases nothing (Veach & Guibas 1995, balance heuristic).
Policies also imitate the `ELITE` best architectures of all: their mean log-probability has weight `imitation`.

Collapse is measured: different architectures among the last `WINDOW` draws, and entropy. When the share of different
ones among the draws since the last restart, at most `WINDOW` and at least a quarter of it, falls below `restart_below`,
the policy with the lowest entropy restarts, with other initial weights, baseline and optimiser; memory and elite
stay.

Source: Zoph & Le 2017, "Neural architecture search with reinforcement learning"; titu1994's controller for epsilon and
its schedule; Abolafia et al. 2018, "Neural program synthesis with priority queue training", for the imitation of the
best.
Departures: one process instead of replicas with a parameter server; duplicates are never trained again; importance
weights for exploration, which titu1994 left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.history import TrialHistory
from alphaxenas.controllers.policy_gradient.policy_network import PolicyNetwork
from alphaxenas.controllers.policy_gradient.policy_update import Learning, PolicyLearner
from alphaxenas.seeds import derived_seed, generator_state, restore_generator, stream

FREE_BATCHES = 5
"""Batches in a row that may hold known architectures alone before a new one is drawn uniformly."""
ELITE = 10
"""Best architectures that policies imitate."""
WINDOW = 100
"""Draws over which different architectures are counted."""
COLLAPSED = 0.2
"""Share of different architectures among the last draws below which the status line calls the search collapsed."""
_REMEMBERED = 100_000
"""Prefixes whose legal tokens are kept at hand."""


class _Draw(NamedTuple):
    """An architecture of the batch and the log-probability with which it was drawn."""

    tokens: Tokens
    key: str
    log_drawn: float


class Reinforce:
    """Search by policy gradient, with one policy or a pool of them (`alphaxenas.controllers.promotion.Strategy`).

    Args:
        space: Any search space.
        seed: The run's seed.
        policies: Policies that share their experience, >= 1.
        cell: `"lstm"` or `"nascell"`, Zoph & Le's cell.
        units: Units of a recurrent layer.
        batch: Architectures drawn per update, >= 1.
        learning_rate: Of Adam.
        tanh_constant: Bounds the logits; 0 = unbounded.
        entropy: Weight of the entropy bonus.
        baseline_decay: Of the moving averages of rewards.
        advantage_clip: Bound on advantages, in spreads; 0 = off.
        epsilon: Share of architectures first drawn by uniform choices.
        epsilon_decay: What epsilon is multiplied by after a batch.
        epsilon_floor: What it does not fall below.
        gradient_clip: Bound on the gradient's norm; 0 = off.
        imitation: Weight of the elite's mean log-probability; 0 = none.
        restart_below: Share of different architectures among the last draws below which a policy restarts; 0 = never.

    Raises:
        ValueError: A value out of its range.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        policies: int = 1,
        cell: str = "lstm",
        units: int = 32,
        batch: int = 10,
        learning_rate: float = 0.1,
        tanh_constant: float = 2.5,
        entropy: float = 0.2,
        baseline_decay: float = 0.8,
        advantage_clip: float = 3.0,
        epsilon: float = 0.0,
        epsilon_decay: float = 0.99,
        epsilon_floor: float = 0.0,
        gradient_clip: float = 5.0,
        imitation: float = 0.0,
        restart_below: float = 0.0,
    ) -> None:
        for name, count in (("policies", policies), ("batch", batch)):
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise ValueError(f"Invalid value for `{name}`. Expected a whole number >= 1. Received: {count!r}")
        for name, holds, expected, value in (
            ("epsilon", 0 <= epsilon < 1, "a number in [0, 1)", epsilon),
            ("epsilon_decay", 0 < epsilon_decay <= 1, "a number in (0, 1]", epsilon_decay),
            ("epsilon_floor", 0 <= epsilon_floor < 1, "a number in [0, 1)", epsilon_floor),
            ("imitation", imitation >= 0, "a number >= 0", imitation),
            ("restart_below", 0 <= restart_below < 1, "a number in [0, 1)", restart_below),
        ):
            if not holds:
                raise ValueError(f"Invalid value for `{name}`. Expected {expected}. Received: {value!r}")
        self._space, self._seed, self._batch = space, seed, batch
        self._epsilon, self._epsilon_decay, self._epsilon_floor = epsilon, epsilon_decay, epsilon_floor
        self._imitation, self._restart_below = imitation, restart_below
        self._rng = stream(seed, "reinforce")
        self._history = TrialHistory(space)
        self._legal_actions: dict[Tokens, Tokens] = {}
        learning = Learning(learning_rate, gradient_clip, entropy, baseline_decay, advantage_clip)
        self._learners = []
        for number in range(policies):
            seed_of_weights = self._seed_of(number, 0)
            network = PolicyNetwork(
                len(space.vocabulary), space.max_length, cell, units, tanh_constant, seed_of_weights
            )
            self._learners.append(PolicyLearner(network, self._legal, learning))
        self._restarts = [0] * policies
        self._waiting: list[_Draw] = []
        self._asked = self._batches = self._uniform = self._repeated = 0
        self._recent: deque[str] = deque(maxlen=WINDOW)
        self._since_restart: deque[str] = deque(maxlen=WINDOW)
        self._fewest = WINDOW
        self._elite: list[tuple[float, Tokens]] = []

    def suggest(self) -> Tokens | None:
        """The next new architecture of the batch; None when its rewards must arrive first, or every key has been
        suggested.
        """
        history, free = self._history, 0
        while free < FREE_BATCHES:
            begun = bool(self._waiting)
            if not begun:
                self._draw()
            while self._asked < len(self._waiting):
                drawn = self._waiting[self._asked]
                self._asked += 1
                if drawn.key not in history:
                    return history.suggest(drawn.tokens, drawn.key)
                self._repeated += 1
            if any(drawn.key not in history.rewards for drawn in self._waiting):
                return None
            self._learn()
            free += not begun
        self._uniform += 1
        return history.draw(self._rng)

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a suggestion; the policies learn from it when its batch is complete.

        Args:
            tokens: An outstanding suggestion.
            reward: None if the evaluation failed.
        """
        self._history.observe(tokens, reward)
        if reward is not None:
            self._elite = sorted([*self._elite, (reward, tokens)], key=lambda pair: -pair[0])[:ELITE]

    def _draw(self) -> None:
        """A new batch from the mixture."""
        rng, epsilon, learners = self._rng, self._epsilon_now(), self._learners
        explored, drawer = rng.random(self._batch) < epsilon, rng.integers(len(learners), size=self._batch)
        sequences, log_policy, log_uniform = [], [], []
        for number, learner in enumerate(learners):
            mine = explored[drawer == number]
            if len(mine):
                drawn = learner.network.sample(rng, self._legal, len(mine), mine)
                sequences += [each.tokens for each in drawn]
                log_policy += [each.log_policy for each in drawn]
                log_uniform += [each.log_uniform for each in drawn]
        log_drawn = np.array(log_policy)
        if len(learners) > 1:
            log_drawn = np.logaddexp.reduce(
                [learner.network.log_probability(sequences, self._legal) for learner in learners], axis=0
            ) - np.log(len(learners))
        if epsilon:
            log_drawn = np.logaddexp(np.log1p(-epsilon) + log_drawn, np.log(epsilon) + log_uniform)
        self._asked, self._waiting = (
            0,
            [_Draw(sequence, self._history.key(sequence), float(log)) for sequence, log in zip(sequences, log_drawn)],
        )
        for waiting in self._waiting:
            self._recent.append(waiting.key)
            self._since_restart.append(waiting.key)
            if len(self._recent) == WINDOW:
                self._fewest = min(self._fewest, len(set(self._recent)))

    def _learn(self) -> None:
        """Learns from the complete batch, and restarts a collapsed policy."""
        rewards, elite = self._history.rewards, [tokens for _, tokens in self._elite] if self._imitation else []
        known = [
            (drawn.tokens, reward, drawn.log_drawn)
            for drawn in self._waiting
            if (reward := rewards[drawn.key]) is not None
        ]
        self._waiting, self._batches = [], self._batches + 1
        if known:
            tokens, received, log_drawn = zip(*known)
            for learner in self._learners:
                learner.update(tokens, received, log_drawn, elite, self._imitation)
        if len(self._since_restart) >= WINDOW // 4 and _share(self._since_restart) < self._restart_below:
            entropies = [learner.numbers.get("entropy", np.inf) for learner in self._learners]
            number = int(np.argmin(entropies))
            self._restarts[number] += 1
            self._since_restart.clear()
            self._learners[number].network.initialise(self._seed_of(number, self._restarts[number]))
            self._learners[number].reset()

    def _seed_of(self, number: int, restart: int) -> int:
        """Of the initial weights of a policy."""
        return derived_seed(self._seed, "reinforce", number, restart)

    def _epsilon_now(self) -> float:
        """The share of uniform choices in the next batch."""
        return max(self._epsilon_floor, self._epsilon * self._epsilon_decay**self._batches)

    def _legal(self, tokens: Tokens) -> Tokens:
        """`space.legal_actions`, remembered."""
        actions = self._legal_actions.get(tokens)
        if actions is None:
            if len(self._legal_actions) >= _REMEMBERED:
                self._legal_actions.clear()
            actions = self._legal_actions[tokens] = self._space.legal_actions(tokens)
        return actions

    def diagnostics(self) -> dict[str, float]:
        """Means over the policies: reward, baseline, advantage, entropy ...; of their draws: different architectures;
        restarts.
        """
        told = [learner.numbers for learner in self._learners if learner.numbers]
        numbers = {
            f"policy/{name}": float(np.mean([each[name] for each in told])) for name in (told[0] if told else ())
        }
        return numbers | {
            "policy/learning_rate": float(self._learners[0].learning.learning_rate),
            "policy/epsilon": float(self._epsilon_now()),
            "policy/unique_share": _share(self._recent),
            "policy/fewest_unique": float(self._fewest),
            "policy/repeated": float(self._repeated),
            "policy/uniform": float(self._uniform),
            "policy/restarts": float(sum(self._restarts)),
        }

    def status_line(self) -> str:
        """Whether the policies are alive."""
        if not self._recent:
            return ""
        share, restarts = _share(self._recent), sum(self._restarts)
        line = "collapsed: " if len(self._recent) == WINDOW and share < COLLAPSED else ""
        line += f"{len(set(self._recent))} different architectures among the last {len(self._recent)} drawn"
        entropy = self.diagnostics().get("policy/entropy")
        line += f", entropy {entropy:.2f}" if entropy is not None else ""
        return line + (f", {restarts} restarts" if restarts else "")

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "generator": generator_state(self._rng),
            "history": self._history.state(),
            "learners": {str(number): learner.state() for number, learner in enumerate(self._learners)},
            "batch": [[list(map(int, drawn.tokens)), drawn.key, drawn.log_drawn] for drawn in self._waiting],
            "counters": [self._asked, self._batches, self._uniform, self._repeated, self._fewest],
            "restarts": list(self._restarts),
            "recent": list(self._recent),
            "since_restart": list(self._since_restart),
            "elite": [[reward, list(map(int, tokens))] for reward, tokens in self._elite],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        restore_generator(self._rng, state["generator"])
        self._history.restore(state["history"])
        for number, learner in enumerate(self._learners):
            learner.restore(state["learners"][str(number)])
        self._waiting = [_Draw(tuple(tokens), key, float(log_drawn)) for tokens, key, log_drawn in state["batch"]]
        self._asked, self._batches, self._uniform, self._repeated, self._fewest = map(int, state["counters"])
        self._restarts = list(map(int, state["restarts"]))
        self._recent, self._since_restart = (
            deque(state["recent"], maxlen=WINDOW),
            deque(state["since_restart"], maxlen=WINDOW),
        )
        self._elite = [(float(reward), tuple(tokens)) for reward, tokens in state["elite"]]


def _share(keys: Collection[str]) -> float:
    """Share of different ones; 1 of nothing."""
    return len(set(keys)) / len(keys) if keys else 1.0

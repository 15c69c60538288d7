"""Policy-gradient search: architectures drawn from recurrent policies that learn from what they drew.

A batch of architectures is drawn, the new ones are evaluated, and the policy learns from all of them by REINFORCE
(`policy_update`). Architectures are *drawn* from the policy, never the most probable one taken.

A policy draws with repetition, while a suggestion must be new. What was drawn before is therefore answered from memory:
its known reward is learnt from again and nothing is evaluated. After `FREE_BATCHES` batches in a row without a new
architecture, one is drawn uniformly among those never suggested; no policy learns from it, but its reward is
remembered. A failed architecture has no reward: it is left out of its batch.

Exploration: with probability epsilon an architecture is drawn by uniform choices instead; epsilon starts at `epsilon`
and is multiplied by `EPSILON_DECAY` after every batch.

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
from alphaxenas.controllers.history import HistoryStrategy
from alphaxenas.controllers.policy_gradient.policy_network import PolicyNetwork
from alphaxenas.controllers.policy_gradient.policy_update import Learning, PolicyLearner
from alphaxenas.seeds import derived_seed, stream
from alphaxenas.suggestions import check_whole, invalid

FREE_BATCHES = 5
"""Batches in a row that may hold known architectures alone before a new one is drawn uniformly."""
EPSILON_DECAY = 0.99
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


class Reinforce(HistoryStrategy):
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
        epsilon: Share of architectures first drawn by uniform choices.
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
        epsilon: float = 0.0,
        imitation: float = 0.0,
        restart_below: float = 0.0,
    ) -> None:
        check_whole("policies", policies)
        check_whole("batch", batch)
        for name, share in (("epsilon", epsilon), ("restart_below", restart_below)):
            if not 0 <= share < 1:
                raise invalid(name, "a number in [0, 1)", share)
        if imitation < 0:
            raise invalid("imitation", "a number >= 0", imitation)
        super().__init__(space, stream(seed, "reinforce"))
        self._seed, self._batch = seed, batch
        self._epsilon, self._imitation, self._restart_below = epsilon, imitation, restart_below
        self._legal_actions: dict[Tokens, Tokens] = {}
        learning = Learning(learning_rate, entropy)
        self._learners = []
        for number in range(policies):
            sizes = len(space.vocabulary), space.max_length
            logits = self._history.prior.logs
            network = PolicyNetwork(*sizes, cell, units, tanh_constant, self._seed_of(number, 0), logits)
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
        super().observe(tokens, reward)
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
            logs = [learner.network.log_probability(sequences, self._legal) for learner in learners]
            log_drawn = np.logaddexp.reduce(logs, axis=0) - np.log(len(learners))
        if epsilon:
            log_drawn = np.logaddexp(np.log1p(-epsilon) + log_drawn, np.log(epsilon) + log_uniform)
        self._asked = 0
        self._waiting = [
            _Draw(tokens, self._history.key(tokens), float(log)) for tokens, log in zip(sequences, log_drawn)
        ]
        for waiting in self._waiting:
            self._recent.append(waiting.key)
            self._since_restart.append(waiting.key)
            if len(self._recent) == WINDOW:
                self._fewest = min(self._fewest, len(set(self._recent)))

    def _learn(self) -> None:
        """Learns from the complete batch, and restarts a collapsed policy."""
        rewards, elite = self._history.rewards, [tokens for _, tokens in self._elite] if self._imitation else []
        known = [(drawn, reward) for drawn in self._waiting if (reward := rewards[drawn.key]) is not None]
        self._waiting, self._batches = [], self._batches + 1
        if known:
            tokens, received = [drawn.tokens for drawn, _ in known], [reward for _, reward in known]
            for learner in self._learners:
                learner.update(tokens, received, [drawn.log_drawn for drawn, _ in known], elite, self._imitation)
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
        return self._epsilon * EPSILON_DECAY**self._batches

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
        numbers = {name: float(np.mean([each[name] for each in told])) for name in (told[0] if told else ())}
        numbers |= {
            "learning_rate": float(self._learners[0].learning.learning_rate),
            "epsilon": float(self._epsilon_now()),
            "unique_share": _share(self._recent),
            "fewest_unique": float(self._fewest),
            "repeated": float(self._repeated),
            "uniform": float(self._uniform),
            "restarts": float(sum(self._restarts)),
        }
        return {f"policy/{name}": number for name, number in numbers.items()}

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
        return super().state() | {
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
        super().restore(state)
        for number, learner in enumerate(self._learners):
            learner.restore(state["learners"][str(number)])
        self._waiting = [_Draw(tuple(tokens), key, float(log_drawn)) for tokens, key, log_drawn in state["batch"]]
        self._asked, self._batches, self._uniform, self._repeated, self._fewest = map(int, state["counters"])
        self._restarts = list(map(int, state["restarts"]))
        self._recent, self._since_restart = (deque(state[name], WINDOW) for name in ("recent", "since_restart"))
        self._elite = [(float(reward), tuple(tokens)) for reward, tokens in state["elite"]]


def _share(keys: Collection[str]) -> float:
    """Share of different ones; 1 of nothing."""
    return len(set(keys)) / len(keys) if keys else 1.0

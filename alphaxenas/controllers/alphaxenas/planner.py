"""The plan before a child: a whole sequence is built by tree search inside the belief, guided by the LSTM.

The LSTM first learns the belief: the values of sequences that plans have met, and the improved policies of the moves of
earlier plans, whose every move is a target. It gives the priors, the values that unvisited edges start from, and the
rollouts, which end every simulation in a complete sequence; the belief values that sequence, and its value is backed
up. Between two children nothing is trained but the LSTM: a simulation takes some 0.2 ms.

Of all new sequences that the plan met, the best one is suggested.

The LSTM's inputs for epochs, share of the data and age (`Replay.context`) are constant here: the belief joins the
rewards of both budgets (`Belief.fit`) and gives values of one kind. Only the original search tells its LSTM the budget.

    P(a | prefix) proportional to policy(a) * exp(value(prefix, a) / TEMPERATURE)

Source: Danihelka et al. 2022 (the moves and the targets, see `alphaxenas.controllers.mcts.gumbel`); Sutton 1990, "Dyna"
(learning from what a model imagines).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.alphaxenas.memories import CAPACITY, PrefixMemories
from alphaxenas.controllers.alphaxenas.replay import CLIP, Examples
from alphaxenas.controllers.alphaxenas.settings import Settings
from alphaxenas.controllers.history import TrialHistory
from alphaxenas.controllers.mcts.gumbel import ImprovedPolicy, SequentialHalving, improved_policy
from alphaxenas.controllers.mcts.selection import PUCT
from alphaxenas.controllers.mcts.tree import Prediction, Tree
from alphaxenas.controllers.surrogate.acquisition import POINTS
from alphaxenas.controllers.surrogate.belief import Belief
from alphaxenas.controllers.surrogate.candidate_pool import CandidatePool

if TYPE_CHECKING:
    from alphaxenas.controllers.alphaxenas.network import PolicyValueLSTM

TEMPERATURE = 0.1
"""Of priors and rollouts, in standard deviations of predicted value."""
CANDIDATES = 1024
"""Sequences kept from plan to plan; the LSTM learns their values."""
FIRST = 256
"""Sequences drawn uniformly for the first plan."""
PLANS = 48
"""Latest plans whose moves the policy learns."""
CONSIDERED = 8
"""Actions that the root considers, at most."""
CLIMBS = 3
"""Best new sequences from which a plan climbs to the top."""
BATCH = 16
"""Rollouts valued together where there is no tree."""
HIGHEST = 1.5
"""Largest value in the tree; 0 is the median of what is known, 1 the best of it."""
CONTEXT = (0.0, 0.0, 0.0)
"""The LSTM's inputs for epochs, share of the data and age: its values are about the belief, which has no budget."""


class Planner:
    """Suggests sequences of high value.

    Args:
        space: Any search space.
        history: Tells which sequences were suggested.
        belief: Values complete sequences.
        settings: How to plan.
        network: The LSTM; None with a uniform prior.
        rng: Source of all draws.
    """

    def __init__(
        self,
        space: SearchSpace,
        history: TrialHistory,
        belief: Belief,
        settings: Settings,
        network: PolicyValueLSTM | None,
        rng: np.random.Generator,
    ) -> None:
        self._space, self._belief, self._settings, self._rng = space, belief, settings, rng
        self._prior = history.prior
        self._pool = CandidatePool(space, history)
        self._gumbel = settings.move_rule == "gumbel"
        select = ImprovedPolicy() if self._gumbel else PUCT(settings.exploration)
        self.tree = Tree(space.legal_actions, self._predict, select)
        self._grown = dict(self.tree.summary())
        self.network = network
        self._memories = None if network is None else PrefixMemories(space, network)
        self._plans: dict[Tokens, np.ndarray] = {}
        self._policies: dict[Tokens, np.ndarray] = {}
        self._low, self._high = 0.0, 1.0
        self._centre, self._spread = 0.0, 1.0
        self._taught = -1

    def plan(self, known: Collection[Tokens]) -> Tokens | None:
        """The best new sequence that a new plan meets; None if it meets none.

        Args:
            known: What was suggested so far; the latest `POINTS` of it are looked at, so that a plan's cost is bounded.
        """
        pool, space = self._pool, self._space
        if not len(pool):
            pool.add(space.encode(space.sample(self._rng)) for _ in range(FIRST))
        pool.add(islice(known, max(len(known) - POINTS, 0), None))
        pool.value(self._values)
        pool.forget(CANDIDATES)
        sequences, values = pool.valued()
        self._low, self._high = float(np.median(values)), float(values.max())
        self._learn(sequences, values, len(known))
        if self._settings.planning == "tree":
            self._build()
        else:
            for _ in range(0, self._settings.num_simulations * space.max_length, BATCH):
                pool.add_valued([self._rollout(()) for _ in range(BATCH)], self._values)
        if self._settings.climb:
            pool.climb(CLIMBS, self._values)
        return pool.best_new()

    def _values(self, sequences: list[Tokens], features: np.ndarray) -> np.ndarray:
        """What sequences are worth, `[m]`: as the search believes, and as the user does."""
        return self._belief.values(sequences, features) + self._prior.preference(sequences)

    # --- the LSTM ----------------------------------------------------------------------------------------------------

    def _learn(self, sequences: list[Tokens], values: np.ndarray, known: int) -> None:
        """Teaches the LSTM the values of `n` sequences `[n]`, and the policies of the latest plans, once a tenth more
        children are `known`: as often as the belief fits its hyperparameters, because it takes most of a plan's time.
        """
        if self.network is None or self._memories is None or known < self._taught + max(1, self._taught // 10):
            return
        self._taught = known
        length, count = self._space.max_length, len(sequences)
        self._centre, self._spread = float(values.mean()), max(float(values.std()), 1e-9)
        built = self._pool.add_valued(list(self._plans), self._values) if self._plans else np.zeros(0)
        together = [*sequences, *self._plans]
        tokens = np.full((len(together), length), -1, np.int32)
        policies = np.zeros((len(together), length, len(self._space.vocabulary)), np.float32)
        for row, sequence in enumerate(together):
            tokens[row, : len(sequence)] = sequence
            if row >= count:
                policies[row, : len(sequence)] = self._plans[sequence]
        self.network.fit(
            Examples(
                tokens,
                np.array([len(sequence) for sequence in together], np.int32),
                np.tile(np.array(CONTEXT, np.float32), (len(together), 1)),
                np.clip((np.concatenate([values, built]) - self._centre) / self._spread, -CLIP, CLIP).astype(
                    np.float32
                ),
                policies,
            )
        )
        self._forget()

    def _forget(self) -> None:
        """Forgets what the LSTM said before its weights changed."""
        if self._memories is not None:
            self._memories.begin(CONTEXT)
        self._policies.clear()

    def _policy(self, tokens: Tokens, actions: Tokens) -> np.ndarray:
        """Probability of each action, `[n]`."""
        if self._memories is None:
            return self._prior.chances(actions)
        found = self._policies.get(tokens)
        if found is None:
            values = self._memories.values_after(tokens, actions) / TEMPERATURE
            weights = np.exp(values - values.max())
            if self._plans:
                weights = weights * self._memories.policy(tokens, actions)
            if len(self._policies) >= CAPACITY:
                self._policies.clear()
            found = self._policies[tokens] = weights / weights.sum()
        if not self._prior:
            return found
        weights = found * self._prior.chances(actions)
        return weights / weights.sum()

    def _predict(self, tokens: Tokens, actions: Tokens) -> Prediction:
        """Priors and values of a prefix for the tree."""
        priors = self._policy(tokens, actions).tolist()
        if self._memories is None:
            return Prediction(priors, 0.0)
        after = self._memories.values_after(tokens, actions)
        values = [self._scaled(self._centre + self._spread * value) for value in after.tolist()]
        return Prediction(priors, float(np.dot(priors, values)), values)

    def _rollout(self, tokens: Tokens) -> Tokens:
        """A complete sequence from a prefix, drawn by the policy."""
        while actions := self._space.legal_actions(tokens):
            chances = np.cumsum(self._policy(tokens, actions))
            tokens = (*tokens, actions[min(int(np.searchsorted(chances, self._rng.random())), len(actions) - 1)])
        return tokens

    # --- the tree ----------------------------------------------------------------------------------------------------

    def _scaled(self, value: float) -> float:
        """A value as it enters the tree, in [0, `HIGHEST`]: what is worse than the median is all one."""
        return min(max((value - self._low) / max(self._high - self._low, 1e-9), 0.0), HIGHEST)

    def _build(self) -> None:
        """Builds a sequence move by move, and stores the improved policy of every move."""
        tree, simulations, policies = self.tree, self._settings.num_simulations, []
        tree.reset()
        while tree.root_actions():
            root = tree.root()
            halving = SequentialHalving(root, simulations, CONSIDERED, self._rng) if self._gumbel else None
            for _ in range(simulations):
                slot = None if halving is None else halving.next(*tree.range)
                leaf = None if slot == -1 else tree.select_and_expand(slot)
                if leaf is None:
                    break
                value = self._pool.add_valued([self._rollout(leaf.tokens)], self._values)[0]
                tree.backup(leaf, self._scaled(float(value)), solved=leaf.complete)
            row = np.zeros(len(self._space.vocabulary), np.float32)
            row[list(root.actions)] = np.maximum(improved_policy(root, *tree.range), 1e-6)
            policies.append(row / row.sum())
            slot = int(np.argmax(tree.visit_counts())) if halving is None else halving.move(*tree.range)
            tree.advance(root.actions[slot])
        self._pool.add_valued([tree.prefix], self._values)
        self._plans[tree.prefix] = np.array(policies, np.float32)
        self._grown = dict(tree.summary())
        while len(self._plans) > PLANS:
            del self._plans[next(iter(self._plans))]

    # --- records -----------------------------------------------------------------------------------------------------

    def predicted(self, tokens: Tokens) -> float:
        """The LSTM's value of a complete sequence, in standard deviations; 0 without an LSTM."""
        return 0.0 if self._memories is None else float(self._memories.of(tokens).total)

    def diagnostics(self) -> dict[str, float]:
        """Size of the tree and losses of the LSTM's latest fit."""
        numbers = {f"tree/{name}": value for name, value in self._grown.items()}
        losses = {} if self.network is None else self.network.losses
        return numbers | {f"lstm/{name}": value for name, value in losses.items()}

    def state(self) -> dict[str, Any]:
        """Sequences, plans and the LSTM; the next plan values and grows everything anew."""
        return {
            "pool": self._pool.state(),
            "built": [[int(token) for token in tokens] for tokens in self._plans],
            "policies": [policies.copy() for policies in self._plans.values()],
            "lstm": None if self.network is None else self.network.state(),
            "grown": self._grown,
            "taught": [self._taught, self._centre, self._spread],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self._pool.restore(state["pool"])
        self._grown = dict(state["grown"])
        taught, *scale = state["taught"]
        self._taught, (self._centre, self._spread) = int(taught), map(float, scale)
        self._plans = {
            tuple(map(int, tokens)): np.asarray(policies, np.float32)
            for tokens, policies in zip(state["built"], state["policies"])
        }
        if self.network is not None and self._memories is not None:
            self.network.restore(state["lstm"])
            self._forget()

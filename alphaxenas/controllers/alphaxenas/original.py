"""The original AlphaXENAS: every new sequence that a simulation of the tree search completes is trained.

An iteration builds one architecture, token by token. Before every move `num_simulations` simulations grow the tree
below the current prefix by PUCT; leaves are valued by the LSTM, complete sequences by training them for the search
budget. The move follows the visits. When the sequence is complete, one architecture is promoted: trained for the final
budget. Everything measured goes into the replay, and so do the visits of every move, whether or not what they built is
what was promoted; the LSTM learns from it, and the next iteration begins.

Values: everything in the tree is accuracy at the search budget, measured or predicted; rewards at the final budget
reach it only through the LSTM, which is told the budget. Architectures with equal keys share one outcome and are never
trained twice for one budget. Under shared weights an outcome ages: one met again more than `refresh_after` trained
children later is scored again without training, and replaced on every path that it was backed up on.

The original's two configurations are `prior="lstm", num_simulations=12, tree_renewal=16, warmup_iterations=16` and
`prior="uniform", num_simulations=1, tree_renewal=0`, both with `promotion="rollout"`. Sources: Silver et al. 2017; Wang
et al. 2020, "AlphaX".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from alphaxenas.contracts import Budget, Outcome, Proposal, SearchSpace, Tokens
from alphaxenas.controllers.alphaxenas.evaluations import EvaluatedArchitectures
from alphaxenas.controllers.alphaxenas.lookahead import Lookahead
from alphaxenas.controllers.alphaxenas.replay import Replay
from alphaxenas.controllers.alphaxenas.schedule import IterationSchedule
from alphaxenas.controllers.alphaxenas.settings import Settings
from alphaxenas.controllers.choice_prior import ChoicePrior
from alphaxenas.controllers.mcts.nodes import leaf_from_json, leaf_to_json
from alphaxenas.controllers.mcts.selection import PUCT
from alphaxenas.controllers.mcts.tree import Leaf, Prediction, Tree
from alphaxenas.controllers.pending import PendingTrials
from alphaxenas.controllers.promotion import Bracket
from alphaxenas.seeds import generator_state, restore_generator, stream


class OriginalAlphaXENAS:
    """Tree search whose simulations train children (`alphaxenas.contracts.Controller`).

    Children of one move may be outstanding together; a move waits for their outcomes.

    Args:
        space: Any search space.
        search_budget: For children met inside the tree.
        final_budget: For promoted architectures.
        seed: The run's seed.
        **settings: Fields of `alphaxenas.controllers.alphaxenas.settings.Settings`.

    Raises:
        ValueError: A value out of its range.
    """

    def __init__(
        self, space: SearchSpace, search_budget: Budget, final_budget: Budget, *, seed: int = 0, **settings: Any
    ) -> None:
        chosen = Settings(**settings)
        # The one import of TensorFlow among the controllers waits until a controller is made.
        from alphaxenas.controllers.alphaxenas.network import PolicyValueLSTM

        self._space = space
        self._search_budget, self._final_budget = search_budget, final_budget
        self._promotion, self._temperature, self._prior = chosen.promotion, chosen.temperature, chosen.prior
        self._warmup, self._renewal = chosen.warmup_iterations, chosen.tree_renewal
        size, length = len(space.vocabulary), space.max_length
        network = PolicyValueLSTM(
            size,
            length,
            chosen.lstm_units,
            chosen.lstm_learning_rate,
            chosen.lstm_batch_size,
            chosen.lstm_steps,
            seed=seed,
        )
        self._replay = Replay(chosen.replay_capacity, length, size)
        self._tree = Tree(space.legal_actions, self._predict, PUCT(chosen.exploration))
        self._evaluated = EvaluatedArchitectures(self._tree, self._replay, search_budget, chosen.refresh_after)
        self._lookahead = Lookahead(space, network, search_budget, final_budget, self._evaluated.mean)
        self._schedule = IterationSchedule(size, chosen.num_simulations)
        self._rng = stream(seed, "alphaxenas")
        self._iteration = self._trained = self._age = 0
        self._bracket = Bracket()
        self._outstanding = PendingTrials()
        self._leaves: dict[int, Leaf] = {}
        self._best: tuple[float, Tokens] | None = None
        self._over = False
        # What the user wants and knows; see `alphaxenas.spaces.user_space`.
        self._allows = getattr(space, "allows", lambda architecture: True)
        self._starts, self._started = tuple(getattr(space, "starts", ())), 0
        self._user = ChoicePrior(space)

    # --- the iteration ------------------------------------------------------------------------------------------------

    def ask(self) -> Proposal | None:
        """The next proposal; None while a move waits for outcomes, or for good once every architecture was played."""
        while not self._over:
            if any(proposal.purpose == "final" for proposal in self._outstanding):
                return None
            if self._started < len(self._starts):
                self._started += 1
                return self._propose(self._starts[self._started - 1], self._search_budget, "search", None)
            if not self._tree.root_actions():
                return self._propose(self._promoted(), self._final_budget, "final", None)
            proposal = self._simulate()
            if proposal is not None:
                return proposal
            if self._outstanding:
                return None
            self._move()
        return None

    def _simulate(self) -> Proposal | None:
        """Simulations of this move until one needs a child evaluated; None when they are done or must wait."""
        schedule = self._schedule
        while schedule.left > 0:
            leaf = self._tree.select_and_expand()
            if leaf is None:
                schedule.left = 0
                break
            schedule.left -= 1
            if not leaf.complete:
                self._tree.backup(leaf, leaf.value)
                continue
            key = self._key(leaf.tokens)
            if key not in self._evaluated and not self._allows(self._space.decode(leaf.tokens)):
                self._evaluated.add(key, 0.0, True, self._age)
            known = key in self._evaluated
            if self._awaited(key):
                self._tree.cancel(leaf)
                schedule.left += 1
                return None
            if known and self._evaluated.stale(key, self._age):
                return self._propose(leaf.tokens, Budget(0, self._search_budget.fraction), "refresh", leaf)
            if known:
                self._evaluated.back_up(key, leaf)
            elif key in self._bracket.promoted:
                self._tree.backup(leaf, self._lookahead.value(leaf.tokens), solved=True)
            else:
                return self._propose(leaf.tokens, self._search_budget, "search", leaf)
        return None

    def _move(self) -> None:
        """Chooses the next token, never towards architectures that were all played before."""
        tree = self._tree
        for action in tree.root_actions():
            tokens = (*tree.prefix, action)
            if not self._space.legal_actions(tokens) and self._key(tokens) in self._bracket.promoted:
                tree.mark_fully_played(tokens)
        if tree.root_fully_played():
            self._over = not tree.prefix
            tree.rewind()
            self._schedule.begin()
            return
        self._schedule.note_move(tree.root_actions(), tree.visit_counts())
        tree.advance(tree.choose(self._rng, self._temperature))

    def _promoted(self) -> Tokens:
        """What the final budget is spent on: as the promotion rule says, or the moves' rollout if no child can be."""
        child = self._bracket.best_unpromoted(self._evaluated.reward) if self._promotion == "best_unpromoted" else None
        return self._tree.prefix if child is None else child[1]

    def _propose(self, tokens: Tokens, budget: Budget, purpose: str, leaf: Leaf | None) -> Proposal:
        proposal = self._outstanding.propose(tokens, budget, purpose)
        if leaf is not None:
            self._leaves[proposal.number] = leaf
        return proposal

    # --- outcomes ----------------------------------------------------------------------------------------------------

    def tell(self, outcome: Outcome) -> None:
        """Takes an outcome; after a final one the LSTM learns and the next iteration begins.

        Raises:
            ValueError: The outcome belongs to no outstanding proposal.
        """
        proposal = self._outstanding.take(outcome)
        leaf = self._leaves.pop(proposal.number, None)
        key, failed = self._key(proposal.tokens), outcome.status != "ok"
        reward = float(outcome.reward)
        if proposal.purpose == "refresh":
            assert leaf is not None, "every refresh has a leaf"
            self._evaluated.refresh(key, proposal.tokens, leaf, reward, failed, self._age)
            return
        if not failed and key not in self._evaluated and key not in self._bracket.promoted:
            self._lookahead.compare(proposal.tokens, proposal.budget, reward)
        final = proposal.purpose == "final"
        built = final and proposal.tokens == self._tree.prefix
        policies = self._schedule.policies() if built else None
        self._replay.add(key, proposal.tokens, proposal.budget, reward, self._age, failed, policies)
        if final and not built:
            self._replay.add_moves(self._tree.prefix, self._search_budget, self._age, self._schedule.policies())
        self._trained += 1
        self._user.forget(self._trained)
        if not final:
            self._user.observe(proposal.tokens, None if failed else reward)
            if not failed:
                self._bracket.add(key, proposal.number, proposal.tokens, reward)
            first = self._evaluated.add(key, reward, failed, self._age)
            if first and not self._lookahead.learned:
                self._tree.rebase(reward)
            if leaf is not None:
                self._evaluated.back_up(key, leaf)
        # How far the shared weights have come: promoted children, which are trained from scratch unless `final_weights`
        # says otherwise, do not count.
        self._age += not final
        self._evaluated.reopen_stale(self._age)
        if final:
            self._finish(key, proposal.tokens, reward, failed)

    def _finish(self, key: str, tokens: Tokens, reward: float, failed: bool) -> None:
        """Ends an iteration: learns, renews the tree when it is time, begins the next iteration."""
        self._bracket.promoted.add(key)
        self._tree.mark_fully_played(tokens)
        if not failed and (self._best is None or reward > self._best[0]):
            self._best = (reward, tokens)
        self._iteration += 1
        self._lookahead.learn(self._replay, self._age)
        if self._renewal and self._iteration % self._renewal == 0:
            self._tree.reset()
            self._evaluated.forget_paths()
        self._tree.rewind()
        self._schedule.begin()

    def _predict(self, tokens: Tokens, actions: Tokens) -> Prediction:
        prediction = self._lookahead.predict(tokens, actions, self._uses_policy())
        if not self._user:
            return prediction
        chances = self._user.chances(actions) * prediction.priors
        return replace(prediction, priors=(chances / chances.sum()).tolist())

    def _uses_policy(self) -> bool:
        return self._prior == "lstm" and self._iteration >= self._warmup

    def _key(self, tokens: Tokens) -> str:
        return self._space.key(self._space.decode(tokens))

    def _awaited(self, key: str) -> bool:
        return any(self._key(proposal.tokens) == key for proposal in self._outstanding)

    # --- records -----------------------------------------------------------------------------------------------------

    def diagnostics(self) -> dict[str, float]:
        """Tree size, and after the first fit the LSTM's losses and held-out rank correlation at the search budget."""
        numbers = {f"tree/{name}": value for name, value in self._tree.summary().items()}
        return (
            numbers
            | self._lookahead.diagnostics()
            | {"search/iterations": float(self._iteration), "search/children": float(self._trained)}
        )

    def status_line(self) -> str:
        """One line: the architecture the LSTM would build now and what it expects of it, and the best so far."""
        if not self._lookahead.learned:
            return f"nothing learned yet, {len(self._evaluated)} children measured"
        tokens = self._lookahead.favourite()
        line = f"expects {self._lookahead.value(tokens):.4f} at the search budget of {self._space.decode(tokens)}"
        return line if self._best is None else f"{line}; best final {self._best[0]:.4f}"

    def tree_snapshot(self) -> dict[str, np.ndarray]:
        """See `alphaxenas.contracts.Controller`; values are accuracies at the search budget."""
        return self._tree.snapshot()

    def state(self) -> dict[str, Any]:
        """Everything needed to go on: tree, LSTM, replay, generator, the iteration in progress."""
        return {
            "tree": self._tree.state(),
            "lookahead": self._lookahead.state(),
            "replay": self._replay.state(),
            "generator": generator_state(self._rng),
            "schedule": self._schedule.state(),
            "counters": [self._iteration, self._trained, self._age, self._started],
            "over": self._over,
            "evaluated": self._evaluated.state(),
            "bracket": self._bracket.state(),
            "outstanding": self._outstanding.state(),
            "leaves": [[number, leaf_to_json(leaf)] for number, leaf in self._leaves.items()],
            "best": None if self._best is None else [self._best[0], list(self._best[1])],
        } | ({"user": self._user.state()} if self._user else {})

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`; outstanding proposals stay outstanding."""
        self._tree.restore(state["tree"])
        self._lookahead.restore(state["lookahead"])
        self._replay.restore(state["replay"])
        restore_generator(self._rng, state["generator"])
        self._schedule.restore(state["schedule"])
        self._iteration, self._trained, self._age, self._started = map(int, state["counters"])
        self._user.forget(self._trained)
        if "user" in state:
            self._user.restore(state["user"])
        self._over = bool(state["over"])
        self._evaluated.restore(state["evaluated"])
        self._bracket.restore(state["bracket"])
        self._outstanding.restore(state["outstanding"])
        self._leaves = {int(number): leaf_from_json(leaf) for number, leaf in state["leaves"]}
        self._best = None if state["best"] is None else (float(state["best"][0]), tuple(state["best"][1]))

"""Which children are trained for the final budget, for all controllers; and strategies as controllers of two budgets.

A search evaluates most children at the search budget. After every `promote_every` of them one is promoted: it is
trained again for the final budget. The rule is the same for every controller, so that a difference between two of them
is a difference in what they try:

- `best_unpromoted`: the child of the highest reward in the whole search that was not promoted yet; of equals the one
  proposed first. Where children share weights, rewards count as if measured now, as far as the children that a search
  draws uniformly tell how their level rises (`alphaxenas.controllers.drift`). Children that were drawn in the place of
  suggestions, to train the shared weights, are promoted only where no other is left: a search is judged by what it
  chose. Random search, and a search of which all children are drawn, chose all of them.
- `rollout`: the architecture that the moves of a tree search built, measured or not, as in the original AlphaXENAS.
  Only AlphaXENAS has one.

Source: successive halving (Jamieson & Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter
optimization") in the form that promotes at any time out of everything seen so far, as in ASHA (Li et al. 2020, "A
system for massively parallel hyperparameter tuning"), with two rungs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple, Protocol

import numpy as np

from alphaxenas.contracts import Budget, Outcome, Proposal, SearchSpace, Tokens
from alphaxenas.controllers.drift import drift
from alphaxenas.controllers.pareto.objectives import Objectives
from alphaxenas.controllers.pending import PendingTrials, plain
from alphaxenas.suggestions import check_whole, invalid

PROMOTION_RULES = ("best_unpromoted", "rollout")


class _Child(NamedTuple):
    """A child that succeeded at the search budget.

    Attributes:
        number: Of its proposal; of equal rewards the lowest number is promoted.
        tokens: Its complete token sequence.
        reward: At the search budget.
        age: How many children had trained the shared weights before it.
        uniform: Whether it was drawn uniformly.
    """

    number: int
    tokens: Tokens
    reward: float
    age: int = 0
    uniform: bool = False


class Bracket:
    """The children of one search that can be promoted, and those that were.

    Args:
        rewards_age: Whether rewards are compared as if measured now, because children share weights.
        drawn_last: Whether children that were drawn uniformly are promoted where no other is left.

    Attributes:
        promoted: Keys of the promoted architectures.
    """

    def __init__(self, rewards_age: bool = False, drawn_last: bool = False) -> None:
        self.promoted: set[str] = set()
        self._rewards_age, self._drawn_last = rewards_age, drawn_last
        self._children: dict[str, _Child] = {}

    def add(self, key: str, *child: Any) -> None:
        """Takes a child in that succeeded at the search budget.

        Args:
            key: Canonical key of its architecture.
            *child: Fields of `_Child`.
        """
        self._children[key] = _Child(*child)

    def present_rewards(self) -> dict[str, float]:
        """Rewards by key, as if all had been measured at the age of the latest child."""
        children, rise = self._children.values(), 0.0
        if self._rewards_age:
            drawn = [child for child in children if child.uniform]
            rise = drift([child.age for child in drawn], [child.reward for child in drawn])
        now = np.sqrt(max((child.age for child in children), default=0))
        return {key: child.reward + rise * float(now - np.sqrt(child.age)) for key, child in self._children.items()}

    def best_unpromoted(self, reward_of: Callable[[str], float | None] | None = None) -> tuple[str, Tokens] | None:
        """The child to promote next, by key and tokens; None if there is none. `promoted` is left to the caller.

        `reward_of` gives what children are ordered by, by key, where that is not the reward (None leaves a child out).
        """
        found: tuple[bool, float, int, str] | None = None
        reward_of = reward_of or self.present_rewards().__getitem__
        for key, child in self._children.items():
            if key not in self.promoted:
                reward = reward_of(key)
                first = not (self._drawn_last and child.uniform)
                if reward is not None and (found is None or (first, reward, -child.number) > found[:3]):
                    found = first, reward, -child.number, key
        return None if found is None else (found[3], self._children[found[3]].tokens)

    def state(self) -> dict[str, Any]:
        """Children and promotions."""
        return {
            "children": [[key, c.number, plain(c.tokens), *c[2:]] for key, c in self._children.items()],
            "promoted": sorted(self.promoted),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self._children = {
            key: _Child(int(number), tuple(tokens), float(reward), int(age), bool(uniform))
            for key, number, tokens, reward, age, uniform in state["children"]
        }
        self.promoted = set(state["promoted"])


class Strategy(Protocol):
    """Chooses architectures at one budget. Several suggestions may be outstanding, rewards may come in any order.

    Same seed and same rewards in the same order give the same suggestions. A strategy with a search tree may have a
    method `tree_snapshot`, and one that models rewards `quality`, as controllers may. Further ones are optional:
    `draw() -> Tokens | None`, a suggestion drawn uniformly; `observe_final(tokens, reward)`, which takes the reward of
    a promoted child at the final budget; and `fitness(key) -> float | None`, what children are promoted by where that
    is not the reward: strategies for several objectives (`alphaxenas.controllers.pareto`) are told a vector. An
    attribute `uniform` tells that all its suggestions are drawn uniformly.
    """

    def start(self, tokens: Tokens) -> Tokens | None:
        """Takes complete tokens as a suggestion of its own, to be answered by `observe`; None if their key is known."""

    def suggest(self) -> Tokens | None:
        """Complete tokens whose key was never suggested before; None when every key was, or a reward must arrive
        first.
        """

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of an outstanding suggestion.

        Args:
            tokens: The suggestion.
            reward: None when the evaluation failed or a table has no such architecture.
        """

    def learn(self, tokens: Tokens, reward: float) -> None:
        """Takes over what another search measured; the architecture is never suggested again.

        Args:
            tokens: A complete sequence, suggested or not.
            reward: At the search budget.
        """

    def diagnostics(self) -> dict[str, float]:
        """As `alphaxenas.contracts.Controller.diagnostics`."""

    def status_line(self) -> str:
        """A progress summary as part of a line; empty when there is nothing to say."""

    def state(self) -> dict[str, Any]:
        """As `alphaxenas.contracts.Controller.state`."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """As `alphaxenas.contracts.Controller.restore`."""


class SuccessiveHalving:
    """A strategy as a controller with one or two budgets (`alphaxenas.contracts.Controller`).

    `promote_every` suggestions are evaluated at the search budget, then the best unpromoted child at the final budget.
    All suggestions of such a round may be outstanding at once, as far as the strategy allows. The promotion waits for
    their outcomes; the next round does not wait for the outcome of the promoted child. Rewards of the two budgets are
    not comparable: a strategy is told them apart, those at the final budget only if it has a use for them.

    Attributes:
        strategy: What chooses the architectures.
        objectives: What it is told; None for rewards.
    """

    def __init__(
        self,
        strategy: Strategy,
        space: SearchSpace,
        search_budget: Budget,
        final_budget: Budget | None = None,
        promote_every: int = 0,
        uniform_share: float = 0.0,
        objectives: Objectives | None = None,
        rewards_age: bool = False,
    ) -> None:
        """Starts the first round, with the `starts` of the space (`alphaxenas.spaces.user_space`), if it has any.

        Args:
            strategy: A strategy in `space` that has suggested nothing yet.
            space: Any search space.
            search_budget: What each suggestion is evaluated with.
            final_budget: What promoted children are evaluated with; not needed without promotions.
            promote_every: Suggestions per promotion (the reduction factor); 0 = no promotions.
            uniform_share: Share of a round's suggestions, in [0, 1], that the strategy draws uniformly, and that alone
                update shared weights; 0 = all do.
            objectives: What the strategy is told; None for rewards.
            rewards_age: Whether children share weights, so that rewards at the search budget rise with time.

        Raises:
            ValueError: `promote_every` is no whole number >= 0, `uniform_share` is out of range, or promotions are
                wanted without a budget.
        """
        check_whole("promote_every", promote_every, 0)
        if not 0 <= uniform_share <= 1:
            raise invalid("uniform_share", "a number in [0, 1]", uniform_share)
        if promote_every and final_budget is None:
            raise invalid("final_budget", "a budget, because `promote_every` is above 0", "None")
        self.strategy = strategy
        self._space = space
        self._search_budget, self._final_budget = search_budget, final_budget
        self._promote_every, self._uniform_share = promote_every, uniform_share
        self._all_drawn = uniform_share == 1 or getattr(strategy, "uniform", False)
        self._pending = PendingTrials()
        self._bracket = Bracket(rewards_age, drawn_last=not self._all_drawn)
        self.objectives, self._starts = objectives, tuple(getattr(space, "starts", ()))
        self._asked = self._rounds = self._started = self._age = 0
        self._best: dict[str, tuple[float, Tokens]] = {}
        self._count = {"search": 0, "final": 0, "failed": 0}

    def ask(self) -> Proposal | None:
        """The next proposal; None while outcomes are awaited, or for good when every key has been suggested."""
        every = self._promote_every
        while True:
            if not every or self._asked < every:
                # Of the first k of a round, ceil(k * share) are drawn uniformly.
                share = self._uniform_share
                uniform = ceil((self._asked + 1) * share) > ceil(self._asked * share)
                tokens = self._next_start()
                if tokens is not None:
                    uniform = False
                else:
                    tokens = self.strategy.draw() if uniform else self.strategy.suggest()  # type: ignore[attr-defined]
                if tokens is not None:
                    self._asked += 1
                    return self._pending.propose(tokens, self._search_budget, "search", uniform or not share)
            if not every or not self._asked or any(proposal.purpose == "search" for proposal in self._pending):
                return None
            self._asked = 0
            self._rounds += 1
            child = self._bracket.best_unpromoted(getattr(self.strategy, "fitness", None))
            # Where nothing has succeeded, nothing deserves the final budget, and the next round begins.
            if child is not None:
                key, tokens = child
                self._bracket.promoted.add(key)
                return self._pending.propose(tokens, self._final_budget or self._search_budget, "final")

    def _next_start(self) -> Tokens | None:
        """The next of the architectures that the user begins with; None once all were suggested."""
        while self._started < len(self._starts):
            self._started += 1
            if (tokens := self.strategy.start(self._starts[self._started - 1])) is not None:
                return tokens
        return None

    def tell(self, outcome: Outcome) -> None:
        """Takes an outcome. One that was refused for its cost has cost no training and does not count in its round.

        Raises:
            ValueError: The outcome belongs to no outstanding proposal.
        """
        proposal = self._pending.take(outcome)
        number, tokens, purpose = proposal.number, proposal.tokens, proposal.purpose
        updates = proposal.updates_shared_weights
        reward = float(outcome.reward) if outcome.status == "ok" else None
        self._count[purpose] += 1
        told = reward if reward is None or self.objectives is None else self.objectives.values(outcome)
        if outcome.status == "refused" and purpose == "search":
            self._asked -= 1
        elif reward is None:
            self._count["failed"] += 1
        elif purpose not in self._best or reward > self._best[purpose][0]:
            self._best[purpose] = (reward, tokens)
        if purpose == "search":
            if reward is not None and self._promote_every:
                drawn = self._all_drawn or (bool(self._uniform_share) and updates)
                key = self._space.key(self._space.decode(tokens))
                self._bracket.add(key, number, tokens, reward, self._age, drawn and tokens not in self._starts)
            self._age += reward is not None and updates
            self.strategy.observe(tokens, told)  # type: ignore[arg-type]
        elif (observe_final := getattr(self.strategy, "observe_final", None)) is not None:
            observe_final(tokens, told)

    def learn(self, outcome: Outcome) -> None:
        """Learns from a trial of another search; such an architecture is neither tried again nor promoted."""
        told = outcome.reward if self.objectives is None else self.objectives.values(outcome)
        self.strategy.learn(outcome.proposal.tokens, told)  # type: ignore[arg-type]

    def diagnostics(self) -> dict[str, float]:
        """How much was tried, the best reward at either budget once there is one, and the strategy's own numbers."""
        numbers = {
            "search/iterations": float(self._rounds),
            "search/children": float(self._count["search"] + self._count["final"]),
            "search/failed": float(self._count["failed"]),
        }
        best = {f"search/best_{purpose}": reward for purpose, (reward, _) in self._best.items()}
        return numbers | best | self.strategy.diagnostics()

    def status_line(self) -> str:
        """One line: the best so far at the higher budget seen, and the strategy's summary."""
        line = "nothing evaluated yet"
        for purpose in ("search", "final"):
            if purpose in self._best:
                reward, tokens = self._best[purpose]
                architecture = self._space.decode(tokens)
                line = f"best of {self._count[purpose]} at the {purpose} budget: {reward:.4f} by {architecture}"
        status_line = self.strategy.status_line()
        return f"{line}; {status_line}" if status_line else line

    def tree_snapshot(self) -> dict[str, np.ndarray] | None:
        """The strategy's search tree (see `alphaxenas.contracts.Controller`); None if it has none."""
        strategy_snapshot = getattr(self.strategy, "tree_snapshot", None)
        return strategy_snapshot() if strategy_snapshot is not None else None

    def quality(self, sequences: Sequence[Tokens]) -> np.ndarray | None:
        """What the strategy believes (see `alphaxenas.contracts.Controller`); None if it believes nothing."""
        strategy_quality = getattr(self.strategy, "quality", None)
        return strategy_quality(sequences) if strategy_quality is not None else None

    def state(self) -> dict[str, Any]:
        """Everything needed to go on: the strategy's state, the outstanding proposals, the round in progress."""
        return {
            "strategy": self.strategy.state(),
            "rounds": self._rounds,
            "asked": self._asked,
            "started": self._started,
            "age": self._age,
            "outstanding": self._pending.state(),
            "bracket": self._bracket.state(),
            "best": {purpose: [reward, plain(tokens)] for purpose, (reward, tokens) in self._best.items()},
            "count": dict(self._count),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`; outstanding proposals stay outstanding."""
        self.strategy.restore(state["strategy"])
        counts = (int(state[name]) for name in ("rounds", "asked", "started", "age"))
        self._rounds, self._asked, self._started, self._age = counts
        self._pending.restore(state["outstanding"])
        self._bracket.restore(state["bracket"])
        self._best = {purpose: (reward, tuple(tokens)) for purpose, (reward, tokens) in state["best"].items()}
        self._count = dict(state["count"])

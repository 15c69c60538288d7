"""From a strategy, which chooses architectures at one budget, to a controller with one or two budgets.

A round draws `searches_per_final` suggestions of the strategy, has them evaluated at the search budget, and then
proposes the one with the highest reward again at the final budget. The strategy learns from rewards at the search
budget alone, because rewards of different budgets are not comparable. That is what one AlphaXENAS iteration spends:
controllers differ in what they choose to try, not in what a try costs. Without a final budget (tables) there are no
finals.

Source: the two budgets are one round of successive halving (Jamieson & Talwalkar 2016, "Non-stochastic best arm
identification and hyperparameter optimization").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from alphaxenas.contracts import Budget, Outcome, Proposal, SearchSpace, Tokens
from alphaxenas.controllers.pending import PendingTrials


class Strategy(Protocol):
    """Chooses architectures at one budget. Several suggestions may be outstanding, rewards may come in any order.

    Same seed and same rewards in the same order give the same suggestions.
    """

    def suggest(self) -> Tokens | None:
        """A complete game whose key was never suggested before; None when every key was, or a reward must arrive first."""

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """The reward of an outstanding suggestion; None when the evaluation failed or a table has no such architecture."""

    def diagnostics(self) -> dict[str, float]:
        """As `alphaxenas.contracts.Controller.diagnostics`."""

    def status_line(self) -> str:
        """What the strategy believes, in a part of a line; empty when there is nothing to say."""

    def state(self) -> dict[str, Any]:
        """As `alphaxenas.contracts.Controller.state`."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """As `alphaxenas.contracts.Controller.restore`."""


@dataclass
class _Search:
    """A suggestion of the current round; `reward` is None until its outcome arrives or if the evaluation failed."""

    tokens: Tokens
    told: bool = False
    reward: float | None = None


class Rounds:
    """Plays a strategy (`alphaxenas.contracts.Controller`).

    All searches of a round may be outstanding at once, as far as the strategy allows. The final waits for their
    outcomes; the next round's searches do not wait for the final.

    Attributes:
        strategy: The strategy that is played.
    """

    def __init__(
        self,
        strategy: Strategy,
        space: SearchSpace,
        search_budget: Budget,
        final_budget: Budget | None = None,
        searches_per_final: int = 0,
    ) -> None:
        """Starts the first round.

        Args:
            strategy: A strategy in `space` that has suggested nothing yet.
            space: Any search space.
            search_budget: What each suggestion is evaluated with.
            final_budget: What the best of each round is evaluated with; not needed without finals.
            searches_per_final: Suggestions per round; 0 = no finals.

        Raises:
            ValueError: `searches_per_final` is no whole number >= 0, or finals are wanted without a budget.
        """
        if isinstance(searches_per_final, bool) or not isinstance(searches_per_final, int) or searches_per_final < 0:
            raise ValueError(
                f"Invalid value for `searches_per_final`. Expected a whole number >= 0. Received: {searches_per_final!r}"
            )
        if searches_per_final and final_budget is None:
            raise ValueError(
                "Invalid value for `final_budget`. Expected a budget, because `searches_per_final` is above 0. Received: None"
            )
        self.strategy = strategy
        self._space = space
        self._budgets = {"search": search_budget, "final": final_budget}
        self._searches_per_final = searches_per_final
        self._outstanding = PendingTrials()
        self._round: dict[int, _Search] = {}
        self._rounds = 0
        self._best: dict[str, tuple[float, Tokens]] = {}
        self._count = {"search": 0, "final": 0, "failed": 0}

    def ask(self) -> Proposal | None:
        """The next proposal; None while outcomes are awaited, or for good when every key has been suggested."""
        count = self._searches_per_final
        while True:
            if not count or len(self._round) < count:
                tokens = self.strategy.suggest()
                if tokens is not None:
                    proposal = self._propose(tokens, "search")
                    if count:
                        self._round[proposal.number] = _Search(tokens)
                    return proposal
            if not self._round or not all(search.told for search in self._round.values()):
                return None
            scored = [(search.reward, -number) for number, search in self._round.items() if search.reward is not None]
            searches, self._round = self._round, {}
            self._rounds += 1
            # Where every search failed, nothing deserves the final budget, and the next round begins.
            if scored:
                return self._propose(searches[-max(scored)[1]].tokens, "final")

    def tell(self, outcome: Outcome) -> None:
        """Takes an outcome.

        Raises:
            ValueError: The outcome belongs to no outstanding proposal.
        """
        proposal = self._outstanding.take(outcome)
        number, tokens, purpose = proposal.number, proposal.tokens, proposal.purpose
        reward = float(outcome.reward) if outcome.status == "ok" else None
        self._count[purpose] += 1
        if reward is None:
            self._count["failed"] += 1
        elif purpose not in self._best or reward > self._best[purpose][0]:
            self._best[purpose] = (reward, tokens)
        if purpose == "search":
            if number in self._round:
                self._round[number].told, self._round[number].reward = True, reward
            self.strategy.observe(tokens, reward)

    def diagnostics(self) -> dict[str, float]:
        """How much was tried, the best reward at either budget once there is one, and the strategy's own numbers."""
        numbers = {
            "search/iterations": float(self._rounds),
            "search/children": float(self._count["search"] + self._count["final"]),
            "search/failed": float(self._count["failed"]),
        }
        return (
            numbers
            | {f"search/best_{purpose}": reward for purpose, (reward, _) in self._best.items()}
            | self.strategy.diagnostics()
        )

    def status_line(self) -> str:
        """One line: the best so far at the dearer budget seen, and what the strategy believes."""
        line = "nothing evaluated yet"
        for purpose in ("search", "final"):
            if purpose in self._best:
                reward, tokens = self._best[purpose]
                line = f"best of {self._count[purpose]} at the {purpose} budget: {reward:.4f} by {self._space.decode(tokens)}"
        status_line = self.strategy.status_line()
        return f"{line}; {status_line}" if status_line else line

    def state(self) -> dict[str, Any]:
        """Everything needed to go on: the strategy's state, and the proposals and the round in progress."""
        return {
            "strategy": self.strategy.state(),
            "rounds": self._rounds,
            "outstanding": self._outstanding.state(),
            "round": [[number, _plain(s.tokens), s.told, s.reward] for number, s in self._round.items()],
            "best": {purpose: [reward, _plain(tokens)] for purpose, (reward, tokens) in self._best.items()},
            "count": dict(self._count),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`; outstanding proposals stay outstanding."""
        self.strategy.restore(state["strategy"])
        self._rounds = int(state["rounds"])
        self._outstanding.restore(state["outstanding"])
        self._round = {number: _Search(tuple(tokens), told, reward) for number, tokens, told, reward in state["round"]}
        self._best = {purpose: (reward, tuple(tokens)) for purpose, (reward, tokens) in state["best"].items()}
        self._count = dict(state["count"])

    def _propose(self, tokens: Tokens, purpose: str) -> Proposal:
        """The next proposal, at the budget of its purpose."""
        return self._outstanding.propose(tokens, self._budgets[purpose], purpose)


def _plain(tokens: Tokens) -> list[int]:
    """Tokens as JSON values."""
    return [int(token) for token in tokens]

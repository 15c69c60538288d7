"""Proposals whose outcomes are awaited: which are evaluated, and whose outcome is told next."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from alphaxenas.contracts import Budget, Controller, Outcome, Proposal, SearchSpace
from alphaxenas.workers.evaluations import Evaluations

DETERMINISTIC = "deterministic"
ORDERS = (DETERMINISTIC, "arrival")
"""In which order outcomes are told: that of the proposals, or as they arrive."""


@dataclass
class Awaited:
    """A proposal whose outcome was not told yet.

    Attributes:
        proposal: As the controller made it.
        architecture: What it is.
        key: Of the architecture.
        started: Whether its evaluation was begun.
        outcome: Of its evaluation, once it has arrived.
    """

    proposal: Proposal
    architecture: Any
    key: str
    started: bool = False
    outcome: Outcome | None = None


class Flight:
    """The awaited proposals of one search, oldest first.

    Args:
        space: Tells architectures and their keys.
        evaluations: Where they are evaluated.
        known: The outcome of a key at a budget; None where that is to be evaluated.
        most: So many are awaited at once.
        order: One of `ORDERS`.
    """

    def __init__(
        self,
        space: SearchSpace,
        evaluations: Evaluations,
        known: Callable[[str, Budget], Outcome | None],
        most: int,
        order: str,
    ) -> None:
        self._space, self._evaluations, self._known = space, evaluations, known
        self._most, self._as_arrived = most, order != DETERMINISTIC
        self._awaited: list[Awaited] = []

    def __len__(self) -> int:
        """Number of proposals awaited."""
        return len(self._awaited)

    def fill(self, controller: Controller) -> None:
        """Asks for as many proposals as may be awaited."""
        while len(self._awaited) < self._most and (proposal := controller.ask()) is not None:
            self._add(proposal)

    def next(
        self, trials: float, stored: Mapping[str, Any] | None, check: Callable[[], None]
    ) -> tuple[Awaited, Outcome]:
        """The proposal whose outcome is told next, as soon as that is there. It is awaited no longer.

        Args:
            trials: So many more children may be trained.
            stored: The journal's next record, where an interrupted run is repeated: in the order of arrival it is told
                in the order in which it was told then.
            check: Called while others are waited for; may raise.

        Returns:
            The proposal; its outcome, or that of the same architecture where that was known.
        """
        while True:
            self._start(trials)
            for one in self._in_order(stored):
                outcome = one.outcome or (None if one.started else self._known_outcome(one))
                if outcome is not None:
                    self._awaited.remove(one)
                    self._evaluations.told(one.proposal)
                    return one, outcome
            if len(self._awaited) > 1:
                check()
            for outcome in self._evaluations.finished():
                for one in self._awaited:
                    if one.proposal == outcome.proposal:
                        one.outcome = _checked(outcome, one.proposal)

    def forget(self) -> None:
        """Awaits nothing any longer."""
        self._awaited = []
        self._evaluations.forget()

    def state(self) -> list[Any]:
        """The proposals as JSON values, with outcomes that were not told yet; those that are missing are repeated."""
        keeps = self._evaluations.keeps_outcomes
        return [
            [one.proposal.to_json(), one.outcome.to_json() if one.outcome and keeps else None] for one in self._awaited
        ]

    def restore(self, state: Iterable[Any]) -> None:
        """Takes over a `state()`."""
        for proposal, outcome in state:
            self._add(Proposal.from_json(proposal))
            if outcome is not None:
                one = self._awaited[-1]
                one.outcome = Outcome.from_json(one.proposal, outcome)

    def _add(self, proposal: Proposal) -> None:
        architecture = self._space.decode(proposal.tokens)
        self._awaited.append(Awaited(proposal, architecture, self._space.key(architecture)))

    def _start(self, trials: float) -> None:
        """Begins the evaluations that are needed."""
        running = sum(one.started and one.proposal.budget.epochs > 0 for one in self._awaited)
        met: set[tuple[str, Budget]] = set()
        for one in self._awaited:
            same, fresh = (one.key, one.proposal.budget), one.proposal.purpose == "refresh"
            wanted = not one.started and one.outcome is None and self._known_outcome(one) is None
            # An architecture that is being evaluated is not evaluated twice.
            if wanted and (fresh or same not in met):
                trains = one.proposal.budget.epochs > 0
                if trains and running >= trials:
                    return
                one.started, running = True, running + trains
                self._evaluations.start(one.proposal)
            if not fresh:
                met.add(same)

    def _in_order(self, stored: Mapping[str, Any] | None) -> list[Awaited]:
        """Those that may be told next, the first of them first."""
        if not self._as_arrived:
            return self._awaited[:1]
        return [one for one in self._awaited if stored is not None and _is_of(one, stored)][:1] or list(self._awaited)

    def _known_outcome(self, one: Awaited) -> Outcome | None:
        """What is known of the architecture at this budget, marked as costing nothing."""
        known = None if one.proposal.purpose == "refresh" else self._known(one.key, one.proposal.budget)
        if known is None:
            return None
        return Outcome(one.proposal, known.reward, known.status, {**known.metrics, "cached": 1.0}, 0.0, known.reason)


def _is_of(one: Awaited, record: Mapping[str, Any]) -> bool:
    """Whether a journal's record is about a proposal."""
    proposal, fields = one.proposal, ("purpose", "tokens", "epochs", "fraction")
    said = (proposal.purpose, list(map(int, proposal.tokens)), proposal.budget.epochs, proposal.budget.fraction)
    return said == tuple(record[name] for name in fields)


def _checked(outcome: Outcome, proposal: Proposal) -> Outcome:
    """The outcome in plain numbers, as the journal gives them back; a reward that is not finite is a failure."""
    metrics = finite(outcome.metrics)
    reward = float(outcome.reward)
    if outcome.status == "ok" and not math.isfinite(reward):
        return Outcome(proposal, 0.0, "failed", metrics, outcome.seconds, f"the reward is {reward}")
    return Outcome(proposal, reward, outcome.status, metrics, outcome.seconds, outcome.reason)


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """Plain numbers without NaN (a correlation of too few points, the loss of a failed child), which JSON does not
    know.
    """
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}

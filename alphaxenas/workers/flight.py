"""Proposals whose outcomes are awaited: which are evaluated, and whose outcome is told next."""

from __future__ import annotations

import itertools
import math
from collections import Counter
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
        stored: The outcome of a proposal that was evaluated before an interruption; None where it was not.
        most: So many are awaited at once.
        order: One of `ORDERS`.
    """

    def __init__(
        self,
        space: SearchSpace,
        evaluations: Evaluations,
        known: Callable[[str, Budget], Outcome | None],
        stored: Callable[[Proposal], Outcome | None],
        most: int,
        order: str,
    ) -> None:
        self._space, self._evaluations, self._known, self._stored = space, evaluations, known, stored
        self._most, self._as_arrived = most, order != DETERMINISTIC
        self._forget()

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
            if (one := self._ready(stored)) is not None:
                outcome = one.outcome or self._known_outcome(one)
                assert outcome is not None, "what is told next is known"
                self._leave(one)
                return one, outcome
            if len(self._awaited) > 1:
                check()
            for outcome in self._evaluations.finished():
                one = self._awaited.get(outcome.proposal.number)
                if one is not None and one.proposal == outcome.proposal:
                    one.outcome = _checked(outcome, one.proposal)
                    self._arrived.append(one)

    def forget(self) -> None:
        """Awaits nothing any longer."""
        self._forget()
        self._evaluations.forget()

    def state(self) -> list[Any]:
        """The proposals as JSON values, with outcomes that were not told yet; those that are missing are repeated."""
        keeps = self._evaluations.keeps_outcomes
        return [
            [one.proposal.to_json(), one.outcome.to_json() if one.outcome and keeps else None]
            for one in self._awaited.values()
        ]

    def restore(self, state: Iterable[Any]) -> None:
        """Takes over a `state()`."""
        for proposal, outcome in state:
            one = self._add(Proposal.from_json(proposal))
            if outcome is not None:
                one.outcome = Outcome.from_json(one.proposal, outcome)
                self._arrived.append(one)

    def _forget(self) -> None:
        # Nothing here is looked through as a whole: thousands of proposals may be awaited.
        self._awaited: dict[int, Awaited] = {}
        self._unstarted: dict[int, Awaited] = {}
        self._arrived: list[Awaited] = []
        self._running: Counter[tuple[str, Budget]] = Counter()
        self._training = 0

    def _add(self, proposal: Proposal) -> Awaited:
        architecture = self._space.decode(proposal.tokens)
        one = Awaited(proposal, architecture, self._space.key(architecture))
        self._awaited[proposal.number] = self._unstarted[proposal.number] = one
        return one

    def _leave(self, one: Awaited) -> None:
        """Awaits a proposal no longer."""
        del self._awaited[one.proposal.number]
        self._unstarted.pop(one.proposal.number, None)
        if one.outcome is not None:
            self._arrived.remove(one)
        if one.started:
            self._running[one.key, one.proposal.budget] -= 1
            self._training -= one.proposal.budget.epochs > 0
        self._evaluations.told(one.proposal)

    def _start(self, trials: float) -> None:
        """Begins the evaluations that are needed."""
        for number, one in list(self._unstarted.items()):
            same, trains = (one.key, one.proposal.budget), one.proposal.budget.epochs > 0
            if one.outcome is not None:
                del self._unstarted[number]
            # An architecture that is being evaluated is not evaluated twice.
            elif self._known_outcome(one) is None and (one.proposal.purpose == "refresh" or not self._running[same]):
                if trains and self._training >= trials:
                    return
                del self._unstarted[number]
                one.started = True
                self._running[same] += 1
                self._training += trains
                one.outcome = self._stored(one.proposal)
                if one.outcome is None:
                    self._evaluations.start(one.proposal)
                else:
                    self._arrived.append(one)

    def _ready(self, stored: Mapping[str, Any] | None) -> Awaited | None:
        """The one to be told next; None while its outcome is awaited."""
        if not self._as_arrived:
            first = next(iter(self._awaited.values()))
            return first if first.outcome or (not first.started and self._known_outcome(first)) else None
        known = (one for one in self._unstarted.values() if self._known_outcome(one) is not None)
        there = itertools.chain(self._arrived, known)
        if stored is not None and any(is_of(one.proposal, stored) for one in self._awaited.values()):
            there = (one for one in there if is_of(one.proposal, stored))  # type: ignore[assignment]
        return next(iter(there), None)

    def _known_outcome(self, one: Awaited) -> Outcome | None:
        """What is known of the architecture at this budget, marked as costing nothing."""
        known = None if one.proposal.purpose == "refresh" else self._known(one.key, one.proposal.budget)
        if known is None:
            return None
        return Outcome(one.proposal, known.reward, known.status, {**known.metrics, "cached": 1.0}, 0.0, known.reason)


def is_of(proposal: Proposal, record: Mapping[str, Any]) -> bool:
    """Whether a journal's record is about a proposal.

    Args:
        proposal: What a controller proposed.
        record: A line of the coach's journal.
    """
    fields = ("purpose", "tokens", "epochs", "fraction")
    said = (proposal.purpose, list(map(int, proposal.tokens)), proposal.budget.epochs, proposal.budget.fraction)
    return said == tuple(record[name] for name in fields)


def outcome_of(record: Mapping[str, Any]) -> Outcome:
    """The outcome that a journal's record tells."""
    budget = Budget(record["epochs"], record["fraction"])
    proposal = Proposal(record["trial"], tuple(record["tokens"]), budget, record["purpose"])
    values = (record["reward"], record["status"], record["metrics"], record["seconds"], record["reason"])
    return Outcome(proposal, *values)


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


def own_and_imported(records: Iterable[dict[str, Any]]) -> tuple[tuple[dict[str, Any], ...], ...]:
    """The records of what a run evaluated itself, and those of trials that were imported from another search."""
    both = tuple(records)
    return tuple(tuple(one for one in both if (one.get("purpose") == "imported") is kind) for kind in (False, True))

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

    @property
    def same(self) -> tuple[str, Budget]:
        """Equal of proposals that one evaluation answers."""
        return self.key, self.proposal.budget


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
                    self._arrived[outcome.proposal.number] = one

    def drain(self) -> bool:
        """Begins nothing any more; whether what has begun will still be told.

        In deterministic order that is what lies before the first proposal that was not begun.
        """
        self._draining = True
        begun = self._evaluations.drain()
        for number, one in self._awaited.items():
            if one.outcome is not None or number in begun:
                return True
            if not self._as_arrived and self._known_outcome(one) is None:
                return False
        return False

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
                self._unstarted.pop(one.proposal.number, None)
                self._begin(one)
                one.outcome = Outcome.from_json(one.proposal, outcome)
                self._arrived[one.proposal.number] = one

    def _forget(self) -> None:
        # Nothing here is looked through as a whole for every trial: thousands of proposals may be awaited. Those that
        # are not begun are `unstarted`, or `cached` where the outcome is known, or wait for one that is `alike`.
        self._awaited: dict[int, Awaited] = {}
        self._unstarted: dict[int, Awaited] = {}
        self._cached: dict[int, Awaited] = {}
        self._alike: dict[tuple[str, Budget], dict[int, Awaited]] = {}
        self._arrived: dict[int, Awaited] = {}
        self._running: Counter[tuple[str, Budget]] = Counter()
        self._training, self._draining = 0, False
        self._left: tuple[str, Budget] | None = None

    def _add(self, proposal: Proposal) -> Awaited:
        architecture = self._space.decode(proposal.tokens)
        one = Awaited(proposal, architecture, self._space.key(architecture))
        self._awaited[proposal.number] = one
        self._alike.setdefault(one.same, {})[proposal.number] = one
        self._sort_in(one)
        return one

    def _sort_in(self, one: Awaited) -> None:
        """Looks at a proposal that is not begun, in view of what is known now."""
        known = self._cached if self._known_outcome(one) is not None else self._unstarted
        known[one.proposal.number] = one

    def _leave(self, one: Awaited) -> None:
        """Awaits a proposal no longer."""
        number = one.proposal.number
        for held in (self._awaited, self._unstarted, self._cached, self._arrived):
            held.pop(number, None)
        del self._alike[one.same][number]
        if not self._alike[one.same]:
            del self._alike[one.same]
        if one.started:
            self._running[one.same] -= 1
            self._training -= one.proposal.budget.epochs > 0
        self._left = one.same
        self._evaluations.told(one.proposal)

    def _start(self, trials: float) -> None:
        """Begins the evaluations that are needed."""
        alike = self._alike.get(self._left, {}) if self._left is not None else {}
        if waiting := {n: one for n, one in alike.items() if not one.started and one.outcome is None}:
            # The outcome told last says of these whether they are known, or to be evaluated.
            self._unstarted = {n: one for n, one in self._unstarted.items() if n not in waiting}
            for one in waiting.values():
                self._cached.pop(one.proposal.number, None)
                self._sort_in(one)
            self._unstarted = dict(sorted(self._unstarted.items()))
        self._left = None
        if self._draining:
            return
        # What all others wait for is told before any of them, so no limit holds it back.
        oldest = None if self._as_arrived else next(iter(self._awaited.values()), None)
        begun: list[Awaited] = []
        for one in self._unstarted.values():
            # An architecture that is being evaluated is not evaluated twice.
            if one.proposal.purpose == "refresh" or not self._running[one.same]:
                if one.proposal.budget.epochs > 0 and self._training >= trials and one is not oldest:
                    break
                self._begin(one)
            begun.append(one)
        for one in begun:
            number = one.proposal.number
            del self._unstarted[number]
            if one.started:
                one.outcome = self._stored(one.proposal)
                if one.outcome is None:
                    self._evaluations.start(one.proposal)
                else:
                    self._arrived[number] = one

    def _begin(self, one: Awaited) -> None:
        """Counts a proposal as being evaluated."""
        one.started = True
        self._running[one.same] += 1
        self._training += one.proposal.budget.epochs > 0

    def _ready(self, stored: Mapping[str, Any] | None) -> Awaited | None:
        """The one to be told next; None while its outcome is awaited."""
        if not self._as_arrived:
            first = next(iter(self._awaited.values()))
            return first if first.outcome or (not first.started and self._known_outcome(first)) else None
        there = itertools.chain(self._arrived.values(), (one for _, one in sorted(self._cached.items())))
        if stored is not None:
            alike, wanted = self._alike.get((stored["key"], outcome_of(stored).proposal.budget), {}), subject_of(stored)
            found = {number for number, one in alike.items() if subject(one.proposal) == wanted}
            if found:
                there = (one for one in there if one.proposal.number in found)  # type: ignore[assignment]
        return next(iter(there), None)

    def _known_outcome(self, one: Awaited) -> Outcome | None:
        """What is known of the architecture at this budget, marked as costing nothing."""
        known = None if one.proposal.purpose == "refresh" else self._known(one.key, one.proposal.budget)
        if known is None:
            return None
        return Outcome(one.proposal, known.reward, known.status, {**known.metrics, "cached": 1.0}, 0.0, known.reason)


def subject(proposal: Proposal) -> tuple[Any, ...]:
    """What a proposal is about, but for its number: that changes when it is proposed again."""
    return proposal.purpose, tuple(map(int, proposal.tokens)), proposal.budget.epochs, proposal.budget.fraction


def subject_of(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """The `subject` of the proposal that a line of the coach's journal is about."""
    return record["purpose"], tuple(record["tokens"]), record["epochs"], record["fraction"]


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

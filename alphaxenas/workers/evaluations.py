"""Evaluations of one search, several of them at a time, whoever does them.

Where children share weights, an evaluation starts from the weights as all children that move them left them whose
evaluation was begun earlier: the numbers are those of one process that evaluates the same proposals in turn. Children
that move the weights therefore follow each other; those that are only scored, or start from scratch, do not wait for
each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from alphaxenas.contracts import Evaluator, Outcome, Proposal, Tokens
from alphaxenas.workers.dispatch import Answer, Dispatcher, WorkerError
from alphaxenas.workers.serve import merged, timed

TICK_SECONDS = 0.2
"""How long an answer is waited for before signals are looked at."""
PIECE = 8
"""Architectures that a worker scores at a time."""


class Evaluations(Protocol):
    """Evaluations in progress, for `alphaxenas.coach.Coach`."""

    keeps_outcomes: bool
    """Whether an outcome that is not told yet may be stored: nothing else depends on its evaluation."""

    def start(self, proposal: Proposal) -> None:
        """Begins an evaluation, or queues it."""

    def finished(self) -> list[Outcome]:
        """Outcomes that have arrived; waits for one, but not for long."""

    def drain(self) -> Container[Hashable]:
        """Gives up what nobody is at; the numbers of the proposals that are being evaluated."""

    def told(self, proposal: Proposal) -> None:
        """Notes that the outcome of a proposal was told, in whichever order that is done."""

    def forget(self) -> None:
        """Gives up everything in progress."""


class InTurn:
    """Evaluations in this process, one after another in the order in which they were begun.

    Args:
        evaluator: Does them.
    """

    keeps_outcomes = True

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._begun: deque[Proposal] = deque()

    def start(self, proposal: Proposal) -> None:
        """Queues an evaluation."""
        self._begun.append(proposal)

    def finished(self) -> list[Outcome]:
        """The outcome of the next evaluation."""
        return [timed(self._evaluator, self._begun.popleft())] if self._begun else []

    def drain(self) -> Container[Hashable]:
        """Empties the queue: between two evaluations nobody is at any."""
        self._begun.clear()
        return ()

    def told(self, proposal: Proposal) -> None:
        """Nothing follows."""

    def forget(self) -> None:
        """Empties the queue."""
        self.drain()


@dataclass
class _Begun:
    """An evaluation that was begun and not told yet; `version` counts the children that moved the weights before it."""

    proposal: Proposal
    version: int
    shares: bool
    updates: bool
    sent: bool = False
    changes: Mapping[str, Any] | None = None


class Workers:
    """Evaluations on workers; also an `alphaxenas.contracts.Evaluator` as far as its state goes.

    Args:
        dispatcher: The workers.
        shared: An evaluator of this process that keeps the shared weights and knows which proposals start from them
            (`shares`); None where every child starts from scratch.
    """

    def __init__(self, dispatcher: Dispatcher, shared: Any = None) -> None:
        self._dispatcher, self._shared = dispatcher, shared
        self.keeps_outcomes = shared is None
        self._begun: dict[int, _Begun] = {}
        self._version = 0
        self._answers: list[Answer] = []

    def evaluate(self, proposal: Proposal) -> Outcome:
        """Evaluates one proposal and waits for it."""
        self.start(proposal)
        while not (outcomes := self.finished()):
            pass
        self.told(proposal)
        return outcomes[0]

    def start(self, proposal: Proposal) -> None:
        """Begins an evaluation as soon as a worker is free and the weights are known that it starts from."""
        shares = self._shared is not None and self._shared.shares(proposal)
        updates = shares and proposal.updates_shared_weights and proposal.budget.epochs > 0
        begun = self._begun[proposal.number] = _Begun(proposal, self._version, shares, updates)
        self._version += updates
        if shares:
            self._send()
        else:
            self._dispatcher.submit(proposal.number, self._message(begun, {}))

    def finished(self) -> list[Outcome]:
        """Outcomes that have arrived.

        Raises:
            WorkerError: An evaluation raised an error, on as many workers as it may be tried on, or no worker is left.
        """
        answers, self._answers = self._answers, []
        outcomes = [self._outcome(answer) for answer in answers or self._dispatcher.poll(TICK_SECONDS)]
        if self._shared is not None:
            self._send()
        return outcomes

    def drain(self) -> Container[Hashable]:
        """Gives up what no worker is at, and what waits for weights."""
        begun = {answer.job for answer in self._answers} | set(self._dispatcher.drain())
        self._begun = {n: one for n, one in self._begun.items() if n in begun or one.changes is not None}
        return begun

    def told(self, proposal: Proposal) -> None:
        """Takes over what the evaluation changed of the shared weights."""
        begun = self._begun.pop(proposal.number, None)
        if begun is not None and begun.changes:
            self._shared.restore(merged(self._shared.state(), begun.changes))

    def forget(self) -> None:
        """Gives up everything in progress."""
        self._begun, self._answers = {}, []
        self._dispatcher.cancel()
        # What workers hold is of weights that were given up.
        self._version += 1

    def state(self) -> dict[str, Any]:
        """The shared weights after everything that was told."""
        return {} if self._shared is None else self._shared.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self.forget()
        if self._shared is not None:
            self._shared.restore(state)

    def score(self, sequences: Sequence[Tokens]) -> tuple[np.ndarray, dict[str, float]]:
        """Zero-cost scores of complete sequences, in parallel.

        Args:
            sequences: `n` of them, at least one.

        Returns:
            Float64 `[n, p]`, and the seconds that every proxy took.

        Raises:
            WorkerError: Scoring raised an error, or no worker is left.
        """
        parts = [[list(map(int, one)) for one in sequences[at : at + PIECE]] for at in range(0, len(sequences), PIECE)]

        def message(number: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
            return lambda notes: {"sequences": parts[number]}

        for number in reversed(range(len(parts))):
            self._dispatcher.submit(("score", number), message(number), first=True)
        found: dict[int, Any] = {}
        while len(found) < len(parts):
            for answer in self._dispatcher.poll(TICK_SECONDS):
                if isinstance(answer.job, tuple):
                    found[answer.job[1]] = _checked(answer)
                else:
                    self._answers.append(answer)
        seconds: dict[str, float] = {}
        for part in found.values():
            for name, spent in part["seconds"].items():
                seconds[name] = seconds.get(name, 0.0) + spent
        return np.concatenate([found[number]["rows"] for number in range(len(parts))]), seconds

    def close(self) -> None:
        """Ends all workers."""
        self._dispatcher.close()

    def _send(self) -> None:
        """Hands over every evaluation that shares weights once those are known."""
        weights, known = self._shared.state(), True
        for begun in self._begun.values():
            if begun.shares and known and not begun.sent:
                begun.sent = True
                self._dispatcher.submit(begun.proposal.number, self._message(begun, weights))
            if begun.updates:
                known = known and begun.changes is not None
                if known and begun.changes:
                    weights = merged(weights, begun.changes)

    def _message(self, begun: _Begun, weights: Mapping[str, Any]) -> Any:
        """What a worker is sent, with the weights unless it has them."""

        def message(notes: dict[str, Any]) -> dict[str, Any]:
            sent: dict[str, Any] = {"proposal": begun.proposal.to_json(), "updates": begun.updates}
            if begun.shares:
                if notes.get("version") != begun.version:
                    sent |= {"weights": weights, "version": begun.version}
                notes["version"] = begun.version + begun.updates
            return sent

        return message

    def _outcome(self, answer: Answer) -> Outcome:
        begun = self._begun[answer.job]  # type: ignore[index]
        if answer.lost:
            begun.changes = {}
            return Outcome(begun.proposal, 0.0, "failed", reason=answer.lost)
        value = _checked(answer)
        begun.changes = value.get("changes", {})
        return Outcome.from_json(begun.proposal, value["outcome"])


def _checked(answer: Answer) -> dict[str, Any]:
    """The answer of a job that must have one."""
    reason = answer.lost or answer.value.get("error")
    if reason:
        raise WorkerError(f"An evaluation cannot be done: {reason}")
    return answer.value

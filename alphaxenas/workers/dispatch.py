"""Jobs on workers: a worker that dies costs its job an attempt and nothing else, and no job waits for ever.

A worker takes one job at a time. Its first answer is a greeting, which says of which code and data it is; one that does
not suit is refused. A job whose worker dies is tried again on another, at most so many times; one past its time is
stopped with its worker. An answer that nobody awaits (a second one to the same job) is dropped. What workers are,
processes of this machine or actors of a cluster, is the business of a `Backend`.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

_log = logging.getLogger(__name__)

FAILED_STARTS = 3
"""So many workers in a row, for each that is wanted, may end before they can work; then the search ends."""
PATIENCE = 600.0
"""Seconds that workers may take to come up before the search starts, or while not one is left."""


class WorkerError(RuntimeError):
    """There are no workers that could go on; the message says why, and what to change."""


class Gone(NamedTuple):
    """The end of a worker, with its reason."""

    reason: str


class Backend(Protocol):
    """Where workers live."""

    def start(self) -> Hashable:
        """Begins a worker. What it first answers is its greeting."""

    def send(self, worker: Any, message: dict[str, Any]) -> None:
        """Hands a worker a job.

        Args:
            worker: As `start` returned it.
            message: JSON values and NumPy arrays.
        """

    def receive(self, workers: Iterable[Any], seconds: float) -> list[tuple[Any, Any]]:
        """Answers, and `Gone` of workers that ended.

        Args:
            workers: Those that are awaited.
            seconds: How long to wait for the first answer.
        """

    def end(self, worker: Any) -> None:
        """Kills a worker."""

    def close(self) -> None:
        """Lets go of everything; workers that are left are killed."""


@dataclass(frozen=True)
class Answer:
    """What became of a job.

    Attributes:
        job: As it was submitted.
        value: The worker's answer; None where there is none.
        lost: Why there is none: its workers died, or it was stopped.
    """

    job: Hashable
    value: Any = None
    lost: str = ""


@dataclass
class _Job:
    name: Hashable
    message: Callable[[dict[str, Any]], dict[str, Any]]
    attempts: int = 0
    begun: float = 0.0


@dataclass
class _Worker:
    """A worker: what it does, and what those who write messages have noted of it."""

    since: float
    greeted: bool = False
    job: _Job | None = None
    notes: dict[str, Any] = field(default_factory=dict)


class Dispatcher:
    """A number of workers and the jobs that wait for them.

    Args:
        backend: Where workers live.
        workers: How many, >= 1.
        attempts: How often a job is begun at most, >= 1.
        minutes: After which a job is stopped; 0 = never.
        refuses: Why a greeting does not suit; empty where it does.
        clock: Seconds since whenever.
    """

    def __init__(
        self,
        backend: Backend,
        workers: int,
        attempts: int = 3,
        minutes: float = 0.0,
        refuses: Callable[[Any], str] = lambda greeting: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend, self._wanted, self._attempts, self._minutes = backend, workers, attempts, minutes
        self._refuses, self._clock = refuses, clock
        self._workers: dict[Hashable, _Worker] = {}
        # Of these, thousands of which may be there: who is free, and who is busy, the longest first.
        self._free: dict[Hashable, None] = {}
        self._busy: dict[Hashable, None] = {}
        self._waiting: deque[_Job] = deque()
        self._failed_starts = 0
        self._alone_since = clock()
        self.died = 0

    def begin(self) -> None:
        """Waits until all workers have greeted, so that nothing is wrong with them before the search starts.

        Raises:
            WorkerError: One is refused or ended, or they have not come up in time.
        """
        begun = self._clock()
        while (there := len(self._free) + len(self._busy)) < self._wanted:
            self._poll(0.2, strict=True)
            if self._clock() - begun > PATIENCE:
                raise WorkerError(
                    f"Only {there} of {self._wanted} workers have come up in {PATIENCE / 60:.0f} minutes. Lower "
                    "`workers`, `worker_cpus` or `worker_gpus`, or add machines."
                )

    def submit(self, name: Hashable, message: Callable[[dict[str, Any]], dict[str, Any]], first: bool = False) -> None:
        """Queues a job.

        Args:
            name: Comes back in its `Answer`.
            message: What the worker is sent, from the notes on that worker, which it may change.
            first: Before all others that wait.
        """
        (self._waiting.appendleft if first else self._waiting.append)(_Job(name, message))

    def poll(self, seconds: float) -> list[Answer]:
        """Hands out jobs and collects answers.

        Args:
            seconds: How long to wait for the first answer.

        Raises:
            WorkerError: No worker is left, and none comes up.
        """
        return self._poll(seconds)

    def drain(self) -> list[Hashable]:
        """Forgets the jobs that wait; the names of those that workers are at."""
        self._waiting.clear()
        return [worker.job.name for worker in map(self._workers.__getitem__, self._busy) if worker.job is not None]

    def cancel(self) -> None:
        """Forgets all jobs; workers that are at one are replaced."""
        self._waiting.clear()
        for handle in list(self._busy):
            self._drop(handle)

    def close(self) -> None:
        """Ends all workers."""
        self._workers, self._free, self._busy = {}, {}, {}
        self._waiting.clear()
        self._backend.close()

    def _poll(self, seconds: float, strict: bool = False) -> list[Answer]:
        while len(self._workers) < self._wanted:
            self._workers[self._backend.start()] = _Worker(self._clock())
        self._hand_out()
        answers = [
            answer
            for handle, received in self._backend.receive(self._workers, seconds)
            if handle in self._workers and (answer := self._received(handle, received, strict)) is not None
        ]
        answers += self._stopped()
        if self._free or self._busy:
            self._alone_since = self._clock()
        elif not strict and self._clock() - self._alone_since > PATIENCE:
            raise WorkerError(
                f"No worker has been there for {PATIENCE / 60:.0f} minutes. The same command continues the run once "
                "there are machines again; `workers` 0 evaluates in this process."
            )
        self._hand_out()
        return answers

    def _hand_out(self) -> None:
        while self._waiting and self._free:
            handle, job = next(iter(self._free)), self._waiting.popleft()
            del self._free[handle]
            self._busy[handle] = None
            worker = self._workers[handle]
            worker.job, job.attempts, job.begun = job, job.attempts + 1, self._clock()
            self._backend.send(handle, job.message(worker.notes))

    def _received(self, handle: Hashable, received: Any, strict: bool) -> Answer | None:
        """What follows from an answer or from the end of a worker."""
        worker = self._workers[handle]
        if isinstance(received, Gone):
            return self._died(handle, received.reason, strict)
        if not worker.greeted:
            if reason := self._refuses(received):
                return self._died(handle, reason, strict)
            worker.greeted, self._failed_starts = True, 0
            self._free[handle] = None
            return None
        job, worker.job = worker.job, None
        self._busy.pop(handle, None)
        self._free[handle] = None
        if "error" in received:
            worker.notes.clear()  # what the job would have left there is not there
        if job is not None and "error" in received and job.attempts < self._attempts:
            # Perhaps it is this machine: its disk, say. At the front it might come back to the same worker at once.
            self._waiting.append(job)
            return None
        return None if job is None else Answer(job.name, received)

    def _died(self, handle: Hashable, reason: str, strict: bool) -> Answer | None:
        """Replaces a worker; the answer of its job where that was its last attempt."""
        worker = self._drop(handle)
        job = worker.job
        if not worker.greeted:
            self._failed_starts += 1
            if strict or self._failed_starts >= FAILED_STARTS * self._wanted:
                raise WorkerError(f"A worker cannot work: {reason}")
            return None
        self.died += 1
        if job is None:
            return None
        _log.warning("A worker ended (%s): attempt %d of %d of its trial.", reason, job.attempts, self._attempts)
        if job.attempts >= self._attempts:
            return Answer(job.name, lost=f"{reason}, attempt {job.attempts} of {self._attempts}")
        self._waiting.appendleft(job)
        return None

    def _stopped(self) -> list[Answer]:
        """Stops what is past its time."""
        late: list[Hashable] = []
        for handle in self._busy if self._minutes else ():
            job = self._workers[handle].job
            if job is None or self._clock() - job.begun <= 60 * self._minutes:
                break
            late.append(handle)
        jobs = [self._drop(handle).job for handle in late]
        return [Answer(job.name, lost=f"stopped after {self._minutes:g} minutes") for job in jobs if job is not None]

    def _drop(self, handle: Hashable) -> _Worker:
        """Ends a worker; the next poll starts another."""
        worker = self._workers.pop(handle)
        self._free.pop(handle, None)
        self._busy.pop(handle, None)
        self._backend.end(handle)
        return worker


def greeting_refused(greeting: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """Why a worker does not suit: it could not begin, or is of other code, packages or data.

    Args:
        greeting: Its `error`, or its `place` and what else is compared.
        own: What this process would say.

    Returns:
        The reason and what to change; empty where nothing is wrong.
    """
    if "error" in greeting:
        return str(greeting["error"])
    other = [f"{name} {greeting.get(name)!r} there, {value!r} here" for name, value in own.items()]
    other = [line for line, (name, value) in zip(other, own.items()) if greeting.get(name) != value]
    if not other:
        return ""
    return (
        f"the worker on {greeting.get('place')} has another version: {'; '.join(other)}. Install the same code, "
        "packages and data on every machine, see docs/long-runs.md"
    )

"""Processes that do one job after another; a process that dies costs its own job and nothing else.

`concurrent.futures` gives up a whole pool when one of its processes is killed, say for want of memory, and cannot end a
job in progress. Here every process has its own pipe, so it is known which job was lost, and a stop ends all at once.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from alphaxenas.workers.dispatch import Gone

TICK_SECONDS = 0.2
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


@dataclass(frozen=True)
class JobError:
    """A job that gave no answer.

    Attributes:
        reason: The exception and where it was raised, or how the process ended.
    """

    reason: str


def thread_limits(threads: int) -> dict[str, str]:
    """Environment variables that limit numerical libraries to so many threads."""
    return dict.fromkeys(_THREADS, str(threads))


class _Worker:
    """One process and what it is doing."""

    def __init__(self, work: Callable[[Any], Any], threads: int = 1) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(work, theirs), daemon=True)
        self.job: Any = None
        with _limited_to(threads):
            self.process.start()
        theirs.close()

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class ProcessBackend:
    """Workers as processes of this machine (`alphaxenas.workers.dispatch.Backend`).

    Args:
        work: Answers messages, the first of which is empty; a function of a module, or a frozen dataclass.
        threads: Of every process.
    """

    def __init__(self, work: Callable[[Any], Any], threads: int = 1) -> None:
        self._work, self._threads = work, threads
        self._processes: set[_Worker] = set()

    def start(self) -> _Worker:
        """A new process."""
        worker = _Worker(self._work, self._threads)
        self._processes.add(worker)
        self.send(worker, {})
        return worker

    def send(self, worker: _Worker, message: dict[str, Any]) -> None:
        """Hands a process a job; one that has died is noticed when its answer is awaited.

        Args:
            worker: A process.
            message: The job.
        """
        worker.job = message
        with contextlib.suppress(OSError):
            worker.pipe.send(message)

    def receive(self, workers: Iterable[_Worker], seconds: float) -> list[tuple[_Worker, Any]]:
        """Answers of these processes, and how others ended.

        Args:
            workers: Processes.
            seconds: To wait for the first.
        """
        workers = list(workers)
        wait([each for worker in workers for each in (worker.pipe, worker.process.sentinel)], seconds)
        found: list[tuple[_Worker, Any]] = []
        for worker in workers:
            if (answer := _answer(worker)) is not None:
                value = answer[0]
                found.append((worker, Gone(value.reason) if isinstance(value, JobError) else value))
        return found

    def end(self, worker: _Worker) -> None:
        """Kills a process."""
        self._processes.discard(worker)
        worker.end()

    def close(self) -> None:
        """Kills all processes."""
        while self._processes:
            self._processes.pop().end()


def run_jobs(
    work: Callable[[Any], Any], jobs: Iterable[Any], processes: int, tick: Callable[[], None] = lambda: None
) -> Iterator[tuple[Any, Any]]:
    """Does jobs in parallel.

    The same job gives the same answer whatever `processes` is: it is always done in a fresh Python with one thread for
    numerical libraries. When the iterator is closed, the processes are killed.

    Args:
        work: A function of a module, or a frozen dataclass that can be called; gets one job.
        jobs: Begun in this order.
        processes: How many at a time, >= 1.
        tick: Called a few times a second; what it raises ends everything.

    Yields:
        `(job, answer)` in the order in which they finish; the answer is a `JobError` where `work` raised or its process
        died.
    """
    waiting = deque(jobs)
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.job is not None for worker in workers):
            tick()
            while waiting and len(workers) < processes:
                workers.append(_Worker(work))
            for worker in workers:
                if worker.job is None and waiting:
                    worker.job = waiting.popleft()
                    # A process that has died already is noticed below.
                    with contextlib.suppress(OSError):
                        worker.pipe.send(worker.job)
            wait([each for worker in workers for each in (worker.pipe, worker.process.sentinel)], TICK_SECONDS)
            for worker in list(workers):
                if worker.job is None:
                    continue
                answer = _answer(worker)
                if answer is None:
                    continue
                job, worker.job = worker.job, None
                if not worker.process.is_alive():
                    workers.remove(worker)
                    worker.end()
                yield job, answer[0]
    finally:
        for worker in workers:
            worker.end()


def _answer(worker: _Worker) -> tuple[Any] | None:
    """What a worker has answered or how it died; None while it works."""
    # The state is asked first: what a process sent before it ended is then in the pipe.
    alive = worker.process.is_alive()
    try:
        if worker.pipe.poll():
            return (worker.pipe.recv(),)
    except (EOFError, OSError):
        worker.process.join()
        alive = False
    if alive:
        return None
    code = worker.process.exitcode
    how = (
        f"was ended by {signal.Signals(-code).name}"
        if code is not None and code < 0
        else f"ended with exit code {code}"
    )
    return (
        JobError(
            f"its process {how}"
            + (", perhaps because the machine ran out of memory" if code == -signal.SIGKILL else "")
        ),
    )


def _end_with_parent() -> None:
    """Ends this process as soon as the one that started it has ended, kill -9 included.

    A closed pipe is noticed between two jobs alone. A training may take hours: it would go on for nobody, beside the
    workers of the process that continues the run.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None, "this process was started by another one"
    wait([parent.sentinel])
    os._exit(1)


def _serve(work: Callable[[Any], Any], pipe: Connection) -> None:
    """The life of a process: until the pipe is closed, also by the death of the other side."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Ctrl-C in a terminal reaches every process; the one that started this one decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(EOFError, OSError):
        while True:
            job = pipe.recv()
            try:
                answer = work(job)
            except Exception as error:  # one failing job must not end the others; the caller reports it
                place = traceback.extract_tb(error.__traceback__)[-1]
                answer = JobError(
                    f"{type(error).__name__}: {error} ({os.path.basename(place.filename)}, line {place.lineno})"
                )
            pipe.send(answer)


@contextlib.contextmanager
def _limited_to(threads: int) -> Iterator[None]:
    """Numerical libraries read these variables when they are loaded, which the new process does again."""
    before = {name: os.environ.get(name) for name in (*_THREADS, "TF_CPP_MIN_LOG_LEVEL")}
    os.environ.update(thread_limits(threads))
    os.environ.setdefault(
        "TF_CPP_MIN_LOG_LEVEL", "2"
    )  # what TensorFlow says while it starts would be said by every process
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

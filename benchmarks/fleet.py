"""Simulated workers, up to 10,000 of them, under the real coach: what they cost its process. See `benchmarks.scale`."""

from __future__ import annotations

import heapq
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.coach import Coach
from alphaxenas.contracts import Proposal
from alphaxenas.runs import RunFolder
from alphaxenas.tabular.benchmark_tables import BenchmarkTable
from alphaxenas.tabular.choices import parse_controllers
from alphaxenas.tabular.study import make
from alphaxenas.workers.dispatch import Dispatcher
from alphaxenas.workers.evaluations import Workers

TIMES = "nasbench101_20k.npz"
TRIALS = {64: 4_000, 1_000: 8_000, 10_000: 14_000}
"""Of a search, by number of workers."""
CHECKPOINT_EVERY = {64: 64, 1_000: 1_000, 10_000: 5_000}


def row_of(table: BenchmarkTable, proposal: Proposal) -> int:
    """The row of what is proposed.

    Args:
        table: Has every architecture of its space.
        proposal: Of a controller.
    """
    row = table.lookup(proposal.tokens)
    assert row is not None, "the table has every architecture of its space"
    return row


def training_seconds(table: BenchmarkTable, folder: str) -> np.ndarray:
    """Seconds of training by row, those of NAS-Bench-101 in the order of this table's multiply-adds.

    Args:
        table: Of NAS-Bench-201, with multiply-adds as its cost.
        folder: Of the tables.
    """
    with np.load(Path(folder) / TIMES, allow_pickle=False) as archive:
        real = np.sort(archive["train_time_108_s"].astype(np.float64))
    assert table.cost is not None, "multiply-adds"
    ranks = np.argsort(np.argsort(table.cost, kind="stable"), kind="stable")
    return np.quantile(real, (ranks + 0.5) / len(ranks))


class Fleet:
    """Simulated workers (`alphaxenas.workers.dispatch.Backend`), with a clock of their own.

    Args:
        table: Rewards.
        seconds: Of training, by row.
    """

    def __init__(self, table: BenchmarkTable, seconds: np.ndarray) -> None:
        self.now = self.waited = 0.0
        self._table, self._seconds, self._started = table, seconds, 0
        self._due: list[tuple[float, int, Any, Any]] = []

    def clock(self) -> float:
        """Simulated seconds."""
        return self.now

    def start(self) -> int:
        """A worker, at once."""
        self._started += 1
        heapq.heappush(self._due, (self.now, self._started, self._started, {"place": "here"}))
        return self._started

    def send(self, worker: int, message: dict[str, Any]) -> None:
        """Begins a training.

        Args:
            worker: Who trains.
            message: The job.
        """
        begin = time.perf_counter()
        row = row_of(self._table, Proposal.from_json(message["proposal"]))
        seconds = float(self._seconds[row])
        answer = {"outcome": [float(self._table.rewards[row]), "ok", {}, seconds, ""]}
        self._started += 1
        heapq.heappush(self._due, (self.now + seconds, self._started, worker, answer))
        self.waited += time.perf_counter() - begin

    def receive(self, workers: Iterable[int], seconds: float) -> list[tuple[int, Any]]:
        """The next answer, whenever it comes.

        Args:
            workers: Not needed.
            seconds: Not needed: nothing is waited for.
        """
        begin = time.perf_counter()
        found = []
        if self._due:
            at, _, worker, answer = heapq.heappop(self._due)
            self.now = max(self.now, at)
            found.append((worker, answer))
        self.waited += time.perf_counter() - begin
        return found

    def end(self, worker: int) -> None:
        """Nothing is left to end."""

    def close(self) -> None:
        """Nothing is left to close."""


def simulated_search(table: BenchmarkTable, seconds: np.ndarray, workers: int) -> dict[str, float]:
    """A random search on simulated workers, by the real coach: what a controller plans comes on top.

    Args:
        table: What is searched.
        seconds: Of training, by row.
        workers: How many, of `TRIALS`.

    Returns:
        Figures by name.
    """
    trials = TRIALS[workers]
    place = Path(tempfile.mkdtemp(prefix="alphaxenas-scale-"))
    try:
        fleet = Fleet(table, seconds)
        dispatcher = Dispatcher(fleet, workers, clock=fleet.clock)
        dispatcher.begin()
        controller = make(parse_controllers("random")[0], table, 0)
        with RunFolder.open("scale", "search", {}, place, place / "events") as folder:
            saved: list[float] = []
            save = folder.checkpoints.save

            def timed_save(step: int, state: Any) -> Any:
                begin = time.perf_counter()
                path = save(step, state)
                saved.append(time.perf_counter() - begin)
                return path

            folder.checkpoints.save = timed_save  # type: ignore[method-assign]
            begin, waited, processor = time.perf_counter(), fleet.waited, time.process_time()
            every, order = CHECKPOINT_EVERY[workers], "arrival"
            rated = Workers(dispatcher)
            coach = Coach(table.space, controller, rated, folder, 0, trials, 0, every, in_flight=workers, order=order)
            coach.run()
            busy = time.perf_counter() - begin - (fleet.waited - waited)
            processor = time.process_time() - processor
            journal = folder.journal.path.stat().st_size
            checkpoint = max(path.stat().st_size for path in (folder.path / "checkpoints").iterdir())
        events = sum(path.stat().st_size for path in (place / "events").rglob("*") if path.is_file())
        return {
            "trials": trials,
            "simulated_hours": round(fleet.now / 3600, 2),
            "ms_per_trial": round(1e3 * busy / trials, 3),
            "processor_ms_per_trial": round(1e3 * processor / trials, 3),
            "ms_per_trial_without_checkpoints": round(1e3 * (busy - sum(saved)) / trials, 3),
            "trials_per_second_needed": round(workers / float(seconds.mean()), 3),
            "share_of_one_core": round(busy / trials * workers / float(seconds.mean()), 4),
            "journal_bytes_per_trial": round(journal / trials, 1),
            "event_bytes_per_trial": round(events / trials, 1),
            "checkpoint_bytes": checkpoint,
            "checkpoint_every": every,
        }
    finally:
        shutil.rmtree(place, ignore_errors=True)

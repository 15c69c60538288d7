"""What many workers cost: sample efficiency with proposals in flight, and the coordinator of up to 10,000 workers.

    python -m benchmarks.scale --tables FOLDER [--seeds 20] [--record]

Two simulations on NAS-Bench-201 (CIFAR-10), neither of which trains anything:

- Queries until the best cell of all 15,625 is met, with so many proposals in flight, told in the order of proposals.
- Searches on 64, 1,000 and 10,000 simulated workers by the real coach, with its journal, event file and checkpoints. A
  child takes the seconds that one of NAS-Bench-101's cells really took (108 epochs on one TPU core): the cell whose
  rank by training time among that table's is its rank by multiply-adds. Outcomes are told as they arrive. What is
  measured is the coordinator's own time a trial: everything but the time for which it waits.

Draws docs/images/in_flight.png with `--record`. Prints JSON last.
"""

from __future__ import annotations

import heapq
import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.coach import Coach
from alphaxenas.config import PROJECT_ROOT
from alphaxenas.contracts import Controller, Outcome, Proposal
from alphaxenas.runs import RunFolder
from alphaxenas.tabular.benchmark_tables import BenchmarkTable
from alphaxenas.tabular.choices import parse_controllers
from alphaxenas.tabular.study import goal_rows, make
from alphaxenas.workers.dispatch import Dispatcher
from alphaxenas.workers.evaluations import Workers
from benchmarks.layout import name
from benchmarks.record import finish, parser
from benchmarks.tables import STUDIES

STUDY, TIMES = "nasbench201_cifar10", "nasbench101_20k.npz"
METHODS = ("random", "evolution", "local", "uct", "alphax", "reinforce", "nao", "guided", "alphaxenas")
FEWER = {"nao": 6, "alphaxenas": 10, "reinforce": 10}
"""Seeds at most, of methods that take long."""
IN_FLIGHT = (1, 8, 32)
FLEETS = {64: 4_000, 1_000: 8_000, 10_000: 14_000}
"""Trials of a search, by number of workers."""
CHECKPOINT_EVERY = {64: 64, 1_000: 1_000, 10_000: 5_000}
FIGURE = PROJECT_ROOT / "docs" / "images" / "in_flight.png"


def queries_until_found(table: BenchmarkTable, controller: Controller, in_flight: int, goals: frozenset[int]) -> int:
    """Queries of a search whose outcomes are told in the order of its proposals.

    Args:
        table: Every architecture of its space is a row.
        controller: Who searches.
        in_flight: Proposals that are awaited at once.
        goals: Rows that end the search.

    Returns:
        The queries told, the one of the goal included; all rows where it was not met.
    """
    awaited: deque[Proposal] = deque()
    met: set[int] = set()
    while True:
        while len(awaited) < in_flight and (proposal := controller.ask()) is not None:
            awaited.append(proposal)
        if not awaited:
            return len(table)
        row = _row(table, proposal := awaited.popleft())
        met.add(row)
        controller.tell(Outcome(proposal, float(table.rewards[row])))
        if row in goals:
            return len(met)


def _row(table: BenchmarkTable, proposal: Proposal) -> int:
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
        row = _row(self._table, Proposal.from_json(message["proposal"]))
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


def simulated_search(table: BenchmarkTable, seconds: np.ndarray, workers: int, trials: int) -> dict[str, float]:
    """A random search on simulated workers, by the real coach: what a controller plans comes on top.

    Args:
        table: What is searched.
        seconds: Of training, by row.
        workers: How many.
        trials: Of the search.

    Returns:
        Figures by name.
    """
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


def draw(found: dict[str, dict[str, list[int]]], path: Path) -> None:
    """The plot of mean queries, as multiples of a sequential search, against proposals in flight.

    Args:
        found: Queries by method and number in flight.
        path: Of the picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for method, by_number in found.items():
        means = {int(number): float(np.mean(queries)) for number, queries in by_number.items()}
        axes.plot(list(means), [mean / means[1] for mean in means.values()], marker="o", label=name(method))
    axes.axhline(1.3, color="0.6", linestyle=":", label="1.3 times")
    axes.set_xscale("log", base=2)
    axes.set_xticks(IN_FLIGHT, list(map(str, IN_FLIGHT)))
    axes.set_xlabel("proposals in flight")
    axes.set_ylabel("queries until the best cell,\nin queries of a sequential search")
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measures both."""
    words = parser(__doc__)
    words.add_argument("--tables", default="data", metavar="FOLDER", help="folder of the tables [%(default)s]")
    words.add_argument("--seeds", type=int, default=20, metavar="N", help="seeds 0 to N-1 [%(default)s]")
    words.add_argument("--methods", nargs="+", default=METHODS, metavar="METHOD", help="[all]")
    words.add_argument("--workers", type=int, nargs="*", default=list(FLEETS), help="fleets [%(default)s]")
    options = words.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[variable] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    started = time.perf_counter()
    table = STUDIES[STUDY].table(options.tables)
    goals = goal_rows(table, STUDIES[STUDY].target)
    values: dict[str, dict[str, list[int]]] = {}
    planning: dict[str, float] = {}
    for method in options.methods:
        (choice,) = parse_controllers(method)
        for number in IN_FLIGHT:
            begin = time.process_time()
            values.setdefault(method, {})[str(number)] = [
                queries_until_found(table, make(choice, table, seed), number, goals)
                for seed in range(min(options.seeds, FEWER.get(method, options.seeds)))
            ]
            if number == IN_FLIGHT[1]:
                queries = sum(values[method][str(number)])
                planning[method] = round(1e3 * (time.process_time() - begin) / queries, 3)
            print(f"{method}, {number} in flight: {np.mean(values[method][str(number)]):.1f} queries", flush=True)
    priced = replace(STUDIES[STUDY], choice=STUDIES[STUDY].choice | {"cost": "flops_cifar"})
    seconds = training_seconds(priced.table(options.tables), options.tables)
    fleets = {str(workers): simulated_search(table, seconds, workers, FLEETS[workers]) for workers in options.workers}
    means = {method: {number: float(np.mean(v)) for number, v in found.items()} for method, found in values.items()}
    figures = {
        "fleets": fleets,
        "mean_training_seconds": round(float(seconds.mean()), 1),
        "mean_queries": {m: {number: round(mean, 2) for number, mean in one.items()} for m, one in means.items()},
        "controller_processor_ms_at_8": planning,
        "times_sequential_at_8": {method: round(one["8"] / one["1"], 2) for method, one in means.items()},
    }
    if options.record:
        draw(values, FIGURE)
    finish("scale", options.record, started, figures, values, arguments=["--tables", "FOLDER", "--record"])


if __name__ == "__main__":
    main()

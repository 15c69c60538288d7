"""Trade-offs and what a user knows, on a table of measured latencies: fronts, bounds and priors.

    python -m benchmarks.pareto front_pixel3 bound_pixel3 prior --tables FOLDER [--seeds 30] [--record]
    python -m benchmarks.pareto front_pixel3 --tables FOLDER --methods guided --seeds 30 --record

- `front_DEVICE`: the share of the hypervolume of mean test accuracy on CIFAR-10 and latency that a search has found
  after its queries; the reference point is the worst of the table in both. Random search may look at 4,000 of 15,625
  architectures, NSGA-II at 1,000, the others at 200. Latency is known before a query, to whoever makes use of it. The
  table has trained cells that compute the same function many times (see below), with dead edges that cost latency, and
  its front consists of the luckiest of them. So the share is also given with accuracies that are averaged over all
  cells of one function: what is left of it is no luck.
- `bound_DEVICE`: queries until the most accurate of the architectures that take at most a quarter of the largest
  latency; the others are not looked at. The table has trained cells that compute the same function many times: which
  of these copies is the best is luck of their trainings, and whoever knows all but that needs (copies + 1) / 2 queries
  on average. So the queries until the first copy are counted besides.
- `prior`: queries until the most accurate architecture, without a prior, with a good one and with a misleading one. The
  good one is what a user knows from other data: how often every operation is found among the `KNOWN` best cells on
  CIFAR-100. The misleading one says the opposite: its weights are the good one's inverses.

FOLDER holds nasbench201_hardware.csv.gz, see data/README.md. Prints JSON last, one line per study.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from alphaxenas.workers.processes import thread_limits

if __name__ == "__main__":  # numerical libraries read them when NumPy is imported
    os.environ.update(thread_limits(1))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from alphaxenas.contracts import Budget
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.controllers.pareto.front import hypervolume
from alphaxenas.spaces.nasbench.nasbench201 import EDGES, OPERATIONS_201
from alphaxenas.spaces.user_space import UserSpace
from alphaxenas.tabular.benchmark_tables import BenchmarkTable
from alphaxenas.tabular.choices import TableChoice, parse_controllers
from alphaxenas.tabular.table_search import goal_rows, load_table, make, run_search, volume_share
from benchmarks.record import finish
from benchmarks.tables import study_arguments, study_parser

FILE = "nasbench201_hardware.csv.gz"
ACCURACY, KNOWN_ACCURACY = "cifar10_test_200ep_mean", "cifar100_test_200ep_mean"
DEVICES = {"pixel3": "pixel3_latency", "edgegpu": "edgegpu_latency"}
KNOWN = 100
"""Best cells of the other data set that the good prior is counted in."""
FRONTS = {"random": 4000, "evolution": 1000, "guided": 200, "alphaxenas:prior=uniform": 200, "uct": 200}
"""Queries by method; `evolution` is NSGA-II here, `guided` the expected improvement of the hypervolume."""
AFTER = (50, 100, 200)
BOUNDED = ("random", "evolution", "guided", "alphaxenas:prior=uniform")
PRIORS = ("none", "good", "misleading")
PRIOR_METHODS = (
    "random",
    "local",
    "evolution",
    "uct",
    "guided:without=flow",
    "guided",
    "alphaxenas:prior=uniform,free_features=false",
    "alphaxenas:prior=uniform",
)
CAP = 15_625
STUDIES = (*(f"{kind}_{device}" for kind in ("front", "bound") for device in DEVICES), "prior")


def table_of(folder: str, signal: str, **words: object) -> BenchmarkTable:
    """The table with some signal.

    Args:
        folder: Where the file lies.
        signal: Of `TableChoice`.
        **words: Further attributes of `TableChoice`.
    """
    place = str((Path(folder) / FILE).resolve())
    return load_table(TableChoice(place, code="op_code", signal=signal, space="nasbench201", **words))


def front(folder: str, device: str, method: str, seed: int) -> dict[str, float]:
    """Shares of the hypervolume that one search finds.

    Args:
        folder: Of the tables.
        device: A key of `DEVICES`.
        method: A key of `FRONTS`.
        seed: Of the search.
    """
    table, begin = table_of(folder, f"{ACCURACY},known:{DEVICES[device]}"), time.process_time()
    (choice,) = parse_controllers(method)
    rows = run_search(table, make(choice, table, seed), FRONTS[method]).rows
    seconds, averaged = time.process_time() - begin, table.vectors.copy()
    for copies in copies_in(table).values():
        averaged[copies, 0] = averaged[copies, 0].mean()
    reference = averaged.min(0)
    shares = {f"share_{after}": volume_share(table, rows[:after]) for after in AFTER}
    shares["share_of_means"] = hypervolume(averaged[rows], reference) / hypervolume(averaged, reference)
    return {**shares, "share": volume_share(table, rows), "seconds": seconds}


def bound(folder: str, device: str, method: str, seed: int) -> dict[str, float]:
    """Queries of one search below the bound: until the optimum, until any `copies` of its function, and these.

    Args:
        folder: Of the tables.
        device: A key of `DEVICES`.
        method: One of `BOUNDED`.
        seed: Of the search.
    """
    column = DEVICES[device]
    largest = -float(table_of(folder, f"min:{column}").signal.min())
    table, begin = table_of(folder, ACCURACY, at_most=((column, largest / 4),)), time.process_time()
    (choice,) = parse_controllers(method)
    goals = goal_rows(table, "optimum")
    trace = run_search(table, make(choice, table, seed), CAP, goals)
    seconds = time.process_time() - begin
    copies = next(set(rows) for rows in copies_in(table).values() if goals.intersection(rows))
    first = next((place for place, row in enumerate(trace.rows, 1) if row in copies), CAP)
    return {
        "queries": len(trace.rows),
        "first_copy": first,
        "copies": len(copies),
        "found": trace.ended == "found",
        "seconds": seconds,
    }


def copies_in(table: BenchmarkTable) -> dict[str, list[int]]:
    """Rows of the cells that hold the limits, by what they compute."""
    found: dict[str, list[int]] = {}
    for key, row in table.rows.items():
        if table.allowed is None or table.allowed[row]:
            found.setdefault(function(table.space.parse(key).operations), []).append(row)
    return found


def function(operations: Sequence[str]) -> str:
    """What a cell computes of its input x; equal for cells that differ in dead edges or in names of nodes alone."""
    nodes = ["x"]
    for target in range(1, 4):
        parts = [
            nodes[source] if operation == "skip_connect" else f"{operation}({nodes[source]})"
            for (source, end), operation in zip(EDGES, operations)
            if end == target and operation != "none" and nodes[source]
        ]
        nodes.append(f"[{'+'.join(sorted(parts))}]" if len(parts) > 1 else "".join(parts))
    return nodes[-1]


def prior(folder: str, kind: str, method: str, seed: int) -> dict[str, float]:
    """Queries of one search with a prior.

    Args:
        folder: Of the tables.
        kind: One of `PRIORS`.
        method: One of `PRIOR_METHODS`.
        seed: Of the search.
    """
    table, space = table_of(folder, ACCURACY), table_of(folder, ACCURACY).space
    if kind != "none":
        weights = known_weights(table_of(folder, KNOWN_ACCURACY))
        space = UserSpace(
            space, weights=weights if kind == "good" else {word: 1 / one for word, one in weights.items()}
        )
    (choice,) = parse_controllers(method)
    controller = make_controller(choice.name, space, seed, Budget(1), **dict(choice.settings))
    begin = time.process_time()
    trace = run_search(table, controller, CAP, goal_rows(table, "optimum"))
    return {"queries": len(trace.rows), "found": trace.ended == "found", "seconds": time.process_time() - begin}


def known_weights(table: BenchmarkTable) -> dict[str, float]:
    """How often each operation occurs among the best cells of a table, as weights with a mean of 1."""
    best = set(np.argsort(-table.signal, kind="stable")[:KNOWN].tolist())
    counts = dict.fromkeys(OPERATIONS_201, 1.0)
    for key, row in table.rows.items():
        for operation in table.space.parse(key).operations if row in best else ():
            counts[operation] += 1.0
    mean = sum(counts.values()) / len(counts)
    return {word: count / mean for word, count in counts.items()}


def measure(name: str, options: argparse.Namespace) -> None:
    """All searches of a study and its result."""
    kind, _, device = name.partition("_")
    started, values = time.perf_counter(), {}
    methods = {"front": FRONTS, "bound": BOUNDED, "prior": PRIOR_METHODS}[kind]
    for method in options.methods or methods:
        for variant in PRIORS if kind == "prior" else (device,):
            label = f"{method}, {variant} prior" if kind == "prior" else method
            for seed in range(options.seeds):
                found = {"front": front, "bound": bound, "prior": prior}[kind](options.tables, variant, method, seed)
                for key, value in found.items():
                    values.setdefault(label, {}).setdefault(key, []).append(round(float(value), 6))
                print(f"{name}: {label}, seed {seed}: {found}", file=sys.stderr, flush=True)
    figures = {
        "cap": CAP,
        "methods": {
            label: {
                "seeds": len(found["seconds"]),
                **{key: round(float(np.mean(each)), 5) for key, each in found.items()},
            }
            for label, found in values.items()
        },
    }
    arguments = study_arguments(name, options)
    finish("pareto", options.record, started, figures, values, f"pareto_{name}", arguments, keep=bool(options.methods))


def main() -> None:
    """Runs the named studies."""
    options = study_parser(__doc__, STUDIES, 30).parse_args()
    for name in options.studies:
        measure(name, options)


if __name__ == "__main__":
    main()

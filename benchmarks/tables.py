"""Sample efficiency on tables of trained architectures: queries until the goal is met, for every search method.

    python -m benchmarks.tables nasbench201_cifar10 nasbench201_cifar100 --tables FOLDER [--seeds 20] [--record]
    python -m benchmarks.tables ecnas_5v --tables FOLDER --methods guided random --seeds 40 --record

With `--methods` only these are measured; what is recorded of other methods stays, with its own date and revision.
`--confirm 2` instead runs two seeds of every recorded method again, after changes of code that should change nothing.

A query is an architecture that a search asks for, counted once. A search ends at its goal or at the cap; then it counts
as the cap. The controls are random search and the static orders, which learn nothing: all architectures by falling
number of parameters, and by falling depth (convolutions on the longest path), then parameters. Both are counted on the
edges and vertices that data flows through, as GuidedSearch counts them; the seed decides between equals.

FOLDER holds the files of the tables, data/README.md says which; the table of chains is a part of the project.
Prints JSON last, one line per study.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.seeds import stream
from alphaxenas.tabular.benchmark_tables import BenchmarkTable
from alphaxenas.tabular.choices import TableChoice, parse_controllers
from alphaxenas.tabular.study import goal_rows, load_table, make, run_search
from benchmarks.record import finish, load, note_confirmed, parser

METHODS = (
    "random",
    "evolution",
    "local",
    "uct",
    "alphax",
    "alphaxenas",
    "alphaxenas:planning=rollouts",
    "alphaxenas:prior=uniform",
    "alphaxenas:free_features=false",
    "alphaxenas:move_rule=puct",
    "alphaxenas:climb=false",
    "reinforce",
    "nao",
    "guided",
    "guided:plan=tree",
    "guided:plan=rollouts",
)
FEWER = {
    **{method: 20 for method in METHODS if method.startswith("alphaxenas:") or method == "alphax"},
    **{method: 10 for method in ("reinforce", "nao")},
}
"""Seeds at most, by method, of ablations and of methods that take long."""
STATIC = {"static:parameters": ("parameters",), "static:depth,parameters": ("depth", "parameters")}
"""Orders by falling values, the first of them first."""
_COLUMNS = {"parameters": re.compile(r"log parameters"), "depth": re.compile(r"longest .* by convolution")}
"""The entry of a space's features that holds each value."""


@dataclass(frozen=True)
class Study:
    """Searches that differ in the method and in nothing else.

    Attributes:
        file: Name of the table's file in the folder of tables, or a path in the project.
        choice: Words of the table: code, signal, report, where.
        target: What ends a search, see `alphaxenas.tabular.study.goal_rows`.
        cap: Queries at most.
        methods: Controllers and static orders.
        after: Numbers of queries after which the best so far is recorded.
        fewer: Seeds at most, by method.
    """

    file: str
    choice: dict
    target: str
    cap: int
    methods: tuple[str, ...] = (*METHODS, *STATIC)
    after: tuple[int, ...] = ()
    fewer: dict[str, int] = field(default_factory=lambda: FEWER)

    def table(self, folder: str) -> BenchmarkTable:
        """The table, read from the folder of tables; a path with a folder in it is meant from the project."""
        place = PROJECT_ROOT / self.file if "/" in self.file else Path(folder) / self.file
        return load_table(TableChoice(str(place.resolve()), **self.choice))


def _cells201(signal: str, report: str = "") -> dict:
    return {"code": "op_code", "signal": signal, "report": report}


_NB201 = "nasbench201_cifar.csv.gz"
STUDIES = {
    "nasbench201_cifar10": Study(_NB201, _cells201("cifar10_test_200ep_mean"), "first-optimum", 15_625),
    "nasbench201_cifar100": Study(_NB201, _cells201("cifar100_test_200ep_mean"), "optimum", 15_625),
    "nasbench101_sample": Study("nasbench101_20k.npz", {"signal": "val_acc_108"}, "0.001", 20_001),
    "ecnas_5v": Study(
        "ecnas_4v_5v.csv.gz",
        {"signal": "val_acc", "where": (("table", "5V9E"), ("epochs", "4"))},
        "optimum",
        2_532,
        fewer={**FEWER, **{method: 12 for method in METHODS if "alphaxenas" in method}, "nao": 6, "reinforce": 6},
    ),
    "nasbench201_validation": Study(
        _NB201,
        _cells201("cifar10_valid_200ep_seed", "cifar10_test_200ep_mean"),
        "optimum",
        200,
        after=(20, 50, 100, 200),
    ),
    "nasbench201_good_cell": Study(
        _NB201,
        _cells201("cifar10_test_200ep_mean"),
        "94.0",
        15_625,
        ("random", "reinforce", "controller_pool", "guided", *STATIC),
    ),
    "chains": Study(
        "exp/reference-chain-table/chain_table.csv.gz",
        {"code": "code", "signal": "validation_accuracy"},
        "optimum",
        100,
        (*METHODS[:-3], "controller_pool", "guided"),
        after=(20, 50, 100),
    ),
}


def search(name: str, folder: str, method: str, seed: int) -> dict:
    """One search of a study.

    Args:
        name: Of the study.
        folder: The folder of the tables.
        method: A controller with settings, or one of `STATIC`.
        seed: Of the search.

    Returns:
        `queries`, whether it `found` its goal, processor `seconds`, and where the study asks for it `best` and
        `report`: the best signal after so many queries, and the report column of the architecture that has it.
    """
    study = STUDIES[name]
    table = study.table(folder)
    goals, begin = goal_rows(table, study.target), time.process_time()
    if method in STATIC:
        rows = static_order(table, STATIC[method], seed)[: study.cap].tolist()
        met = next((place for place, row in enumerate(rows) if row in goals), None)
        rows, found = rows[: study.cap if met is None else met + 1], met is not None
    else:
        (choice,) = parse_controllers(method)
        trace = run_search(table, make(choice, table, seed), study.cap, goals)
        rows, found = trace.rows, trace.ended == "found"
    result = {"queries": len(rows), "found": found, "seconds": round(time.process_time() - begin, 3)}
    for after in study.after:
        seen = rows[:after]
        best = max(seen, key=table.signal.__getitem__)
        result[f"best_{after}"] = float(table.signal[best])
        if table.report is not None:
            result[f"report_{after}"] = float(table.report[best])
    return result


def static_order(table: BenchmarkTable, columns: tuple[str, ...], seed: int) -> np.ndarray:
    """The rows of a table by falling values of some features; the seed decides between equals.

    Args:
        table: A table whose space names its features.
        columns: Keys of `_COLUMNS`, the most important first.
        seed: Decides between rows of equal values.

    Returns:
        Every row once, int `[rows]`.
    """
    values = _static_values(table)
    noise = stream(seed, "static order").random(len(table))
    return np.lexsort([noise, *(-values[column] for column in reversed(columns))])


def order_quality(table: BenchmarkTable, method: str) -> dict[str, object]:
    """How well a static order ranks a whole table, which tells luck from knowledge where it meets a goal early.

    Args:
        table: A table whose space names its features.
        method: One of `STATIC`.

    Returns:
        Kendall's `tau` with the signal, and from 1 the `places` of the ten best architectures, the best first.
    """
    from scipy.stats import kendalltau

    places = np.argsort(static_order(table, STATIC[method], 0)) + 1
    known = np.isfinite(_static_values(table)["parameters"])
    tau = float(kendalltau(-places[known], table.signal[known]).statistic)
    return {"tau": round(tau, 4), "places": places[np.argsort(-table.signal, kind="stable")[:10]].tolist()}


def _static_values(table: BenchmarkTable) -> dict[str, np.ndarray]:
    names = table.space.feature_names()
    places = {
        column: next(i for i, name in enumerate(names) if pattern.fullmatch(name))
        for column, pattern in _COLUMNS.items()
    }
    values = {column: np.full(len(table), -np.inf) for column in places}
    for tokens in _complete(table.space):
        row = table.lookup(tokens)
        if row is not None:
            features = table.space.features(table.space.decode(tokens))
            for column, place in places.items():
                values[column][row] = features[place]
    return values


def _complete(space: SearchSpace, tokens: Tokens = ()) -> Iterator[Tokens]:
    """All complete token sequences of a space."""
    actions = space.legal_actions(tokens)
    if not actions:
        yield tokens
    for action in actions:
        yield from _complete(space, (*tokens, action))


def measure(name: str, options: argparse.Namespace) -> None:
    """All searches of a study, spread over processes, and its result."""
    study, started = STUDIES[name], time.perf_counter()
    jobs = [
        (method, seed)
        for method in options.methods or (load()[name]["values"] if options.confirm else study.methods)
        for seed in range(_seeds(options, study, method))
    ]
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        futures = [pool.submit(search, name, options.tables, *job) for job in jobs]
        values: dict[str, dict[str, list]] = {}
        for (method, seed), future in zip(jobs, futures):
            for key, value in future.result().items():
                values.setdefault(method, {}).setdefault(key, []).append(value)
            print(
                f"{name}: {method}, seed {seed}: {values[method]['queries'][-1]} queries", file=sys.stderr, flush=True
            )
    if options.confirm:
        return _confirmed(name, values)
    table = study.table(options.tables)
    figures = {
        "architectures": len(table),
        "goals": len(goal_rows(table, study.target)),
        "cap": study.cap,
        "optimum": table.optimum,
        "best_report": None if table.report is None else float(table.report.max()),
        "methods": {
            method: {
                "seeds": len(found["queries"]),
                "mean_queries": round(float(np.mean(found["queries"])), 2),
                "median_queries": float(np.median(found["queries"])),
                "found": float(np.mean(found["found"])),
                "seconds_per_search": round(float(np.mean(found["seconds"])), 3),
                **(order_quality(table, method) if method in STATIC else {}),
            }
            for method, found in values.items()
        },
    }
    arguments = study_arguments(name, options)
    finish("tables", options.record, started, figures, values, name, arguments, keep=bool(options.methods))


def study_arguments(study: str, options: argparse.Namespace) -> list[str]:
    """The arguments of the command that measures a study again.

    Args:
        study: As on the command line.
        options: With `methods` and `seeds`.
    """
    methods = ["--methods", *options.methods] if options.methods else []
    return [study, "--tables", "FOLDER", *methods, "--seeds", str(options.seeds), "--record"]


def _seeds(options: argparse.Namespace, study: Study, method: str) -> int:
    """How many seeds of a method are run."""
    if options.confirm:
        return options.confirm
    return options.seeds if options.methods else min(options.seeds, study.fewer.get(method, 10**9))


def _confirmed(name: str, values: dict[str, dict[str, list]]) -> None:
    """Compares all but times with what is recorded."""
    timeless = {method: {key: all_[key] for key in all_ if key != "seconds"} for method, all_ in values.items()}
    note_confirmed(name, timeless)


def study_parser(text: str | None, studies: Collection[str], seeds: int) -> argparse.ArgumentParser:
    """The arguments of all benchmarks that consist of studies on tables.

    Args:
        text: Of the benchmark's module.
        studies: Their names.
        seeds: By default.
    """
    words = parser(text, "the results of the studies")
    words.add_argument("studies", nargs="+", choices=studies, metavar="STUDY", help=", ".join(studies))
    words.add_argument("--tables", default="data", metavar="FOLDER", help="folder of the tables [%(default)s]")
    words.add_argument("--methods", nargs="+", metavar="METHOD", help="measure these alone [those of the study]")
    words.add_argument("--seeds", type=int, default=seeds, metavar="N", help="seeds 0 to N-1 [%(default)s]")
    return words


def one_thread() -> None:
    """Searches compute on one thread each, and TensorFlow is quiet; call it before anything is imported by them."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[variable] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    """Runs the named studies."""
    words = study_parser(__doc__, STUDIES, 20)
    words.add_argument(
        "--confirm",
        type=int,
        default=0,
        metavar="N",
        help="run seeds 0 to N-1 of recorded methods again; where all values are the recorded ones, they are not stale",
    )
    words.add_argument("--processes", type=int, default=1, help="searches at the same time [%(default)s]")
    options = words.parse_args()
    one_thread()
    for name in options.studies:
        measure(name, options)


if __name__ == "__main__":
    main()

"""`alphaxenas table`: how many queries controllers need on a table of trained architectures: mean, median, 95 %
interval, share found, seconds.

    alphaxenas table --table nasbench201.csv.gz --code op_code --signal cifar10_test_200ep_mean \\
        --controllers random,evolution,local,uct,guided --seeds 200 --cap 20000 [--report COLUMN] [--cost COLUMN]

A search ends at the optimum of the signal, any of them where several rows are equally good (`--target first-optimum`:
the first alone; `--target 0.001`: in this top share of the table; `--target 94.0`, or `">=0.94"` below 1: at a signal
of at least that), or at the cap, and then counts as the cap. With several signals (`--signal ACCURACY,min:LATENCY`) it
goes on to the cap, and the result is the share of the table's hypervolume that it has found. The searches are stored in
exp/<run>/study/ and continued by the same command. Prints a table on stderr and JSON as the last line of stdout. Exit
code: 0 all searches are recorded, 1 some failed (the reasons are printed), 2 bad arguments or a bad table, found before
any search, a study that another process works on, or records that cannot be written or read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.runs import RunFolder, RunInUse, StorageError
from alphaxenas.suggestions import invalid
from alphaxenas.tabular.choices import (
    ControllerChoice,
    TableChoice,
    parse_at_most,
    parse_controllers,
    parse_target,
    parse_where,
)

if TYPE_CHECKING:
    from alphaxenas.report.sample_efficiency.measures import Course


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs or continues the study; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        chosen = {field.name: getattr(options, field.name) for field in fields(TableChoice) if field.name in options}
        path, where = str(Path(options.table).expanduser().resolve()), tuple(map(parse_where, options.where))
        at_most = tuple(map(parse_at_most, options.at_most))
        table = TableChoice(**{**chosen, "path": path, "where": where, "at_most": at_most})
        controllers = parse_controllers(options.controllers)
        parse_target(options.target)
        return _study(options, table, controllers)
    except (ValueError, RunInUse, StorageError) as error:
        print(f"alphaxenas table: {error}", file=sys.stderr)
        return 2


def _study(options: argparse.Namespace, table: TableChoice, controllers: tuple[ControllerChoice, ...]) -> int:
    from alphaxenas.report.sample_efficiency import measures as report
    from alphaxenas.report.sample_efficiency.journals import load_study
    from alphaxenas.runs.machine import usable_cores
    from alphaxenas.tabular.study import STAGE, check_study, run_study

    after = [_queries(text) for text in options.regret.split(",") if text.strip()]
    processes, seeds = options.processes or usable_cores(), range(options.seeds)
    run = options.run or f"sample-{table.name}"
    limits: dict[str, Any] = {"cap": options.cap, "target": options.target}
    check_study([table], controllers, seeds, **limits, processes=processes)
    with RunFolder.open(run, STAGE, limits, options.exp_dir, options.tensorboard_dir, options.overwrite) as folder:
        failures = run_study(folder, [table], controllers, seeds, **limits, processes=processes)
        study = load_study(folder.path, [choice.label for choice in controllers], seeds, [table.name])
        results = {
            "headline": report.headline(study),
            "table": table.description(),
            **limits,
            "goals": study.goals.get(table.name),
            "seeds": options.seeds,
            "controllers": report.as_json(study),
            "failures": failures,
        }
        if volumes := report.volumes(study, table.name):
            results["hypervolume"] = volumes
        if after:
            results["regret"] = _regret(report.regret_course(study, table.name), after)
        folder.write_results(results)
    print(report.as_text(study), file=sys.stderr)
    for name, reason in failures.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    print(json.dumps(results))
    return 1 if failures else 0


def _regret(course: Course | None, after: Sequence[int]) -> dict[str, dict[str, list[float]]]:
    """By number of queries and controller: mean regret of the signal and, with several seeds, its 95 % interval."""
    if course is None:
        return {}
    found = {}
    for queries in after:
        place = int(course.grid.searchsorted(queries, side="right")) - 1
        columns = {
            label: [group[label][place] for group in (course.mean, course.low, course.high) if label in group]
            for label in course.mean
        }
        found[str(queries)] = {label: [round(float(value), 6) for value in values] for label, values in columns.items()}
    return found


def _queries(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise invalid("--regret", "whole numbers >= 1 with commas", repr(text))
    return int(text)


OPTIONS = (
    ("code", "module_hash", "COLUMN", "column that says which architecture a row is"),
    ("report", "", "COLUMN", "column that is only reported, such as test accuracy"),
    ("cost", "", "COLUMN", "column of seconds that a query would have taken"),
    ("space", "auto", "NAME", "auto, table, nasbench101 or nasbench201"),
    ("epochs", 0, "N", "budget, where the table has several"),
    ("name", "", "NAME", "how the table is called; by default file and signal"),
    ("controllers", "random,evolution,local,uct,guided", "LIST", "settings as in guided:plan=rollouts,surrogate=none"),
    ("seeds", 20, "N", "seeds 0 to N-1 of every controller"),
    ("cap", 20_000, "Q", "queries after which a search ends"),
    ("target", "optimum", "TARGET", "optimum, first-optimum, a top share such as 0.001, or a signal: 94.0 or '>=0.94'"),
    ("regret", "", "QUERIES", "also the mean regret after so many queries; numbers with commas"),
    ("processes", 0, "N", "searches at the same time; 0 = as many as there are cores"),
    ("run", "", "NAME", "the study is stored in exp/NAME/study; by default sample- and the table's name"),
)
"""Options with a value: name, default (which says the type), what stands for the value in the help, meaning."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="alphaxenas table", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = "CSV (also .csv.gz), nasbench101_20k.npz, or NAS-Bench-101 records (.tfrecord)"
    parser.add_argument("--table", required=True, metavar="FILE", help=kinds)
    signal = (
        "column that the search sees, min:COLUMN where less is better; several with commas, known:COLUMN in place of "
    )
    signal += "min:COLUMN where it is known before a query"
    parser.add_argument("--signal", required=True, metavar="COLUMN", help=signal)
    for name, default, metavar, text in OPTIONS:
        shown = f"{text} [%(default)s]" if default else text
        parser.add_argument(f"--{name}", default=default, type=type(default), metavar=metavar, help=shown)
    only = "only rows with this value; repeatable"
    parser.add_argument("--where", action="append", default=[], metavar="COLUMN=VALUE", help=only)
    limit = "search only what has at most this; repeatable"
    parser.add_argument("--at-most", action="append", default=[], metavar="COLUMN=NUMBER", help=limit)
    average = "mean: average the rows of one architecture"
    parser.add_argument("--repeats", default="", choices=("", "mean"), help=average)
    parser.add_argument("--same-signal-and-report", action="store_true", help="allow --report to be the signal")
    parser.add_argument("--overwrite", action="store_true", help="delete what is stored under this name and start anew")
    parser.add_argument("--exp-dir", default=str(PROJECT_ROOT / "exp"), help=argparse.SUPPRESS)
    parser.add_argument("--tensorboard-dir", default=str(PROJECT_ROOT / "tensorboard_log"), help=argparse.SUPPRESS)
    return parser

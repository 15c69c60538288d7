"""`alphaxenas table`: how many queries controllers need on a table of trained architectures: mean, median, 95 %
interval, share found, seconds.

    alphaxenas table --table nasbench201.csv.gz --code op_code --signal cifar10_test_200ep_mean \\
        --controllers random,evolution,local,uct,guided --seeds 200 --cap 20000 [--report COLUMN] [--cost COLUMN]

A search ends at the optimum of the signal, any of them where several rows are equally good (`--target first-optimum`:
the first alone; `--target 0.001`: in this top share of the table; `--target 94.0`, or `">=0.94"` below 1: at a signal
of at least that), or at the cap, and then counts as the cap. The searches are stored in exp/<run>/study/ and continued
by the same command. Prints a table on stderr and JSON as the last line of stdout. Exit code: 0 all searches are
recorded, 1 some failed (the reasons are printed), 2 bad arguments or a bad table, found before any search.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.tabular.choices import ControllerChoice, TableChoice, parse_controllers, parse_target, parse_where

if TYPE_CHECKING:
    from alphaxenas.report.sample_efficiency.measures import Course


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs or continues the study; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        table = TableChoice(
            str(Path(options.table).expanduser().resolve()),
            options.code,
            options.signal,
            options.report,
            options.cost,
            options.space,
            tuple(parse_where(text) for text in options.where),
            options.repeats,
            options.epochs,
            options.same_signal_and_report,
            options.name,
        )
        controllers = parse_controllers(options.controllers)
        parse_target(options.target)
        return _study(options, table, controllers)
    except ValueError as error:
        print(f"alphaxenas table: {error}", file=sys.stderr)
        return 2


def _study(options: argparse.Namespace, table: TableChoice, controllers: tuple[ControllerChoice, ...]) -> int:
    from alphaxenas.report.sample_efficiency import measures as report
    from alphaxenas.report.sample_efficiency.journals import load_study
    from alphaxenas.runs import RunFolder
    from alphaxenas.tabular.study import STAGE, check_study, run_study

    after = [_queries(text) for text in options.regret.split(",") if text.strip()]
    processes = options.processes or len(os.sched_getaffinity(0))
    run = options.run or f"sample-{table.name}"
    check_study([table], controllers, range(options.seeds), options.cap, options.target)
    with RunFolder.open(
        run,
        STAGE,
        {"cap": options.cap, "target": options.target},
        options.exp_dir,
        options.tensorboard_dir,
        options.overwrite,
    ) as folder:
        failures = run_study(folder, [table], controllers, range(options.seeds), options.cap, options.target, processes)
        study = load_study(folder.path, [choice.label for choice in controllers], range(options.seeds), [table.name])
        found = report.as_json(study)
        results = {
            "headline": report.headline(study),
            "table": table.description(),
            "target": options.target,
            "goals": study.goals.get(table.name),
            "cap": options.cap,
            "seeds": options.seeds,
            "controllers": found,
            "failures": failures,
        }
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
        raise ValueError(f"Invalid value for `--regret`. Expected whole numbers >= 1 with commas. Received: {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="alphaxenas table", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--table",
        required=True,
        metavar="FILE",
        help="CSV (also .csv.gz), nasbench101_20k.npz, or NAS-Bench-101 records (.tfrecord)",
    )
    parser.add_argument(
        "--code",
        default="module_hash",
        metavar="COLUMN",
        help="column that says which architecture a row is [%(default)s]",
    )
    parser.add_argument("--signal", required=True, metavar="COLUMN", help="column that the search sees")
    parser.add_argument(
        "--report", default="", metavar="COLUMN", help="column that is only reported, such as test accuracy"
    )
    parser.add_argument("--cost", default="", metavar="COLUMN", help="column of seconds that a query would have taken")
    parser.add_argument("--space", default="auto", help="auto, table, nasbench101 or nasbench201 [%(default)s]")
    parser.add_argument(
        "--where", action="append", default=[], metavar="COLUMN=VALUE", help="only rows with this value; repeatable"
    )
    parser.add_argument(
        "--repeats", default="", choices=("", "mean"), help="mean: average the rows of one architecture"
    )
    parser.add_argument("--epochs", type=int, default=0, help="budget, where the table has several")
    parser.add_argument("--same-signal-and-report", action="store_true", help="allow --report to be the signal")
    parser.add_argument("--name", default="", help="how the table is called [file and signal]")
    parser.add_argument(
        "--controllers",
        default="random,evolution,local,uct,guided",
        help="with commas; settings as in guided:plan=rollouts,surrogate=none [%(default)s]",
    )
    parser.add_argument(
        "--seeds", type=int, default=20, metavar="N", help="seeds 0 to N-1 of every controller [%(default)s]"
    )
    parser.add_argument(
        "--cap", type=int, default=20_000, metavar="Q", help="queries after which a search ends [%(default)s]"
    )
    parser.add_argument(
        "--target",
        default="optimum",
        help="optimum, first-optimum, a top share of the table such as 0.001, or a signal such as 94.0 or '>=0.94' "
        "[%(default)s]",
    )
    parser.add_argument(
        "--regret",
        default="",
        metavar="QUERIES",
        help="also the mean regret after so many queries; numbers with commas",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=0,
        help="searches at the same time; 0 = as many as there are cores [%(default)s]",
    )
    parser.add_argument(
        "--run", default="", metavar="NAME", help="the study is stored in exp/NAME/study [sample- and the table's name]"
    )
    parser.add_argument("--overwrite", action="store_true", help="delete what is stored under this name and start anew")
    parser.add_argument("--exp-dir", default=str(PROJECT_ROOT / "exp"), help=argparse.SUPPRESS)
    parser.add_argument("--tensorboard-dir", default=str(PROJECT_ROOT / "tensorboard_log"), help=argparse.SUPPRESS)
    return parser

"""Sample efficiency of other libraries' search methods on the tables of `benchmarks.tables`.

    python -m benchmarks.rivals nasbench201_cifar10 nasbench201_cifar100 --tables FOLDER [--seeds 20] [--record]

Needs benchmarks/rivals/requirements.txt. Same tables, same goal, same counting of queries as there; every search ends
at a cap, because Gaussian processes over hundreds of trials take minutes. Only tables of one category per place can be
searched. Finished searches are kept in benchmarks/rivals/journal.jsonl, by versions of the libraries, and not repeated.
Prints JSON last, one line per study.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from importlib.metadata import version
from pathlib import Path

from alphaxenas.workers.processes import thread_limits

if __name__ == "__main__":  # numerical libraries read them when NumPy is imported
    os.environ.update(thread_limits(1))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from alphaxenas.tabular.table_search import goal_rows, run_search
from benchmarks.record import finish, parser
from benchmarks.rivals.adapters import RIVALS
from benchmarks.tables import STUDIES

CAP = 300
SEARCHABLE = ("nasbench201_cifar10", "nasbench201_cifar100")
_JOURNAL = Path(__file__).with_name("journal.jsonl")
_PACKAGES = ("optuna", "syne-tune", "torch")


def search(study: str, folder: str, rival: str, seed: int, cap: int = CAP) -> dict:
    """One search.

    Args:
        study: One of `SEARCHABLE`.
        folder: The folder of the tables.
        rival: One of `RIVALS`.
        seed: Of the search.
        cap: Queries at most.

    Returns:
        `queries`, whether it `found` the goal, `repeats` of architectures known before, processor `seconds`.
    """
    table, begin = STUDIES[study].table(folder), time.process_time()
    controller = RIVALS[rival](table.space, seed)
    trace = run_search(table, controller, cap, goal_rows(table, STUDIES[study].target))
    return {
        "queries": len(trace.rows),
        "found": trace.ended == "found",
        "repeats": controller.asked - len(trace.rows),
        "seconds": round(time.process_time() - begin, 3),
    }


def measure(study: str, options: argparse.Namespace) -> None:
    """All searches of a study and its result."""
    started, values = time.perf_counter(), {}
    versions = {package: version(package) for package in _PACKAGES}
    known = [json.loads(line) for line in _JOURNAL.read_text().splitlines()] if _JOURNAL.exists() else []
    for seed in range(options.seeds):
        for rival in options.rivals:
            job = {"study": study, "rival": rival, "seed": seed, "cap": CAP, "versions": versions}
            found = next((line["result"] for line in known if line["job"] == job), None)
            if found is None:
                found = search(study, options.tables, rival, seed)
                with _JOURNAL.open("a") as file:
                    file.write(json.dumps({"job": job, "result": found}) + "\n")
            print(f"{study}: {rival}, seed {seed}: {found}", file=sys.stderr, flush=True)
            for key, value in found.items():
                values.setdefault(rival, {}).setdefault(key, []).append(value)
    table = STUDIES[study].table(options.tables)
    figures = {
        "architectures": len(table),
        "goals": len(goal_rows(table, STUDIES[study].target)),
        "cap": CAP,
        "packages": versions,
        "methods": {
            rival: {
                "seeds": len(found["queries"]),
                "found": float(np.mean(found["found"])),
                "seconds_per_search": round(float(np.mean(found["seconds"])), 1),
            }
            for rival, found in values.items()
        },
    }
    arguments = [study, "--tables", "FOLDER", "--seeds", str(options.seeds), "--record"]
    arguments[1:1] = ["--rivals", *map(shlex.quote, options.rivals)] if set(options.rivals) != set(RIVALS) else []
    finish("rivals", options.record, started, figures, values, f"rivals_{study}", arguments, keep=True)


def main() -> None:
    """Runs the named studies."""
    words = parser(__doc__, "the results of the studies")
    words.add_argument("studies", nargs="+", choices=SEARCHABLE, metavar="STUDY", help=", ".join(SEARCHABLE))
    words.add_argument("--tables", default="data", metavar="FOLDER", help="folder of the tables [%(default)s]")
    words.add_argument("--rivals", nargs="+", choices=RIVALS, default=[*RIVALS], help="these alone [all]")
    words.add_argument("--seeds", type=int, default=20, metavar="N", help="seeds 0 to N-1 [%(default)s]")
    options = words.parse_args()
    for name in options.studies:
        measure(name, options)


if __name__ == "__main__":
    main()

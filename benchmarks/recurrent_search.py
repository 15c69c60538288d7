"""Searches for recurrent cells on the Penn Treebank, of equal minutes: AlphaXENAS, NAO, REINFORCE and two controls.

    python -m benchmarks.recurrent_search --data-dir FOLDER [--minutes 30] [--seeds 6] [--core N] [--record]

FOLDER holds `ptb/`, or it is downloaded. Same space, evaluator, budgets and promotion rule for all: cells of 8 nodes
with 200 units, children from scratch on a tenth of the text, promoted ones on three tenths. The controls are random
search and the static order: by depth, because all cells have equally many parameters. What is compared is the
validation perplexity of the promoted child that a search chooses, AlphaXENAS by its belief; that of the best promoted
one stands beside it. Every search has a process of its own. With `--core 0` for some controllers and `--core 1` for
others, each search has one core, and two go on side by side. Runs lie in `exp/recurrent-search-MINUTES` and go on where
they stopped; `python -m benchmarks.recurrent_ptb --found recurrent-search-30` trains their best cells in full.
Prints JSON last.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import cores_of, finish, parser

MODEL = {
    "blocks": 8,
    "units": 200,
    "batch_size": 20,
    "learning_rate": 20.0,
    "input_dropout": 0.2,
    "output_dropout": 0.2,
    "precision": "auto",
}
"""What is searched and trained; `benchmarks.recurrent_ptb` trains the same in full."""


def main() -> None:
    """Searches what is left, and prints the result."""
    options = parser(__doc__)
    options.add_argument("--data-dir", required=True, metavar="FOLDER")
    options.add_argument("--minutes", type=float, default=30.0)
    options.add_argument("--seeds", type=int, default=6)
    options.add_argument("--controllers", default="alphaxenas,nao,reinforce,random,static", help="as the parameter")
    options.add_argument("--core", type=int, metavar="N", help="search on this core alone [all]")
    options.add_argument("--text", default="ptb", help="another text, to try it out")
    chosen, started = options.parse_args(), time.perf_counter()
    cores = cores_of(chosen.core)
    controllers = chosen.controllers.split(",")
    values = {
        "run": f"recurrent-search-{chosen.minutes:g}", "text": chosen.text, "data_dir": chosen.data_dir,
        "controllers": controllers, "trials": 0, "max_minutes": chosen.minutes,
        **MODEL,
        "search_epochs": 1, "search_fraction": 0.1, "final_epochs": 1, "final_fraction": 0.3,
    }  # fmt: skip
    found: dict[tuple[str, int], dict[str, Any] | None] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(chosen.seeds):
            for controller in controllers:
                # A process of its own: TensorFlow keeps the graphs of all children until its process ends.
                path = Path(folder, "found.json")
                process = multiprocessing.get_context("spawn").Process(
                    target=search_one, args=(values, controller, seed, str(path))
                )
                process.start()
                process.join()
                if process.exitcode:
                    sys.exit(f"{controller} seed {seed} ended with exit code {process.exitcode}.")
                found[controller, seed] = json.loads(path.read_text())
    methods, by_method = by_controller(found)
    figures = {"minutes": chosen.minutes, "cores": cores, "text": chosen.text, "methods": methods}
    name = f"recurrent_search_{chosen.minutes:g}"
    finish("recurrent_search", chosen.record, started, figures, by_method, name=name, keep=True)


def search_one(values: dict[str, Any], controller: str, seed: int, path: str) -> None:
    """Searches, or goes on with it, and writes what was found.

    Args:
        values: Of the parameters.
        controller: Who searches.
        seed: Of the search.
        path: Of a JSON file: `outcome_of` the search.
    """
    from alphaxenas.config import from_values
    from alphaxenas.networks.devices import prepare_tensorflow

    config = from_values(values)
    prepare_tensorflow(config.run.threads, config.run.memory_growth, config.run.op_determinism)

    from alphaxenas.pipelines.recurrent import journals, search
    from alphaxenas.pipelines.stages import load_configured_text

    data, name = load_configured_text(config), f"{controller}-seed{seed}"
    results = search(config, controller, seed, data)
    print(f"{controller} seed {seed}: {results['headline']}", file=sys.stderr, flush=True)
    outcome = outcome_of(results, journals(config, [name])[name], len(data.vocabulary))
    Path(path).write_text(json.dumps(outcome))


def outcome_of(results: Mapping[str, Any], records: Sequence[Mapping[str, Any]], words: int) -> dict[str, Any] | None:
    """What is recorded of a search; None where no child of it was trained at the final budget.

    Args:
        results: Of the search.
        records: Its journal.
        words: Size of the vocabulary.
    """
    promoted = [one["reward"] for one in records if one["purpose"] == "final" and one["status"] == "ok"]
    if not promoted:
        return None
    chosen = results["best"][0]
    return {
        "chosen": round(words ** (1.0 - chosen["reward"]), 3),
        "best": round(words ** (1.0 - max(promoted)), 3),
        "children": results["evaluations"],
        "words": round(sum(one.get("metrics", {}).get("words", 0.0) for one in records)),
        "seconds": results["seconds"],
        "architecture": chosen["architecture"],
    }


def by_controller(found: Mapping[tuple[str, int], Mapping[str, Any] | None]) -> tuple[dict[str, Any], dict[str, Any]]:
    """By controller the seeds without a promoted child, and the values of the others.

    Args:
        found: `outcome_of` the searches by controller and seed.
    """
    methods: dict[str, Any] = {}
    values: dict[str, dict[str, list]] = {}
    for (controller, seed), outcome in found.items():
        left_out = methods.setdefault(controller, {"left_out": []})["left_out"]
        mine = values.setdefault(controller, {"seeds": []})
        if outcome is None:
            left_out.append(seed)
            print(f"{controller} seed {seed}: left out, no child reached the final budget", file=sys.stderr, flush=True)
            continue
        mine["seeds"].append(seed)
        for column, value in outcome.items():
            mine.setdefault(column, []).append(value)
    return methods, values


if __name__ == "__main__":
    main()

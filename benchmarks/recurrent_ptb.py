"""Language models on the Penn Treebank at equal parameters and minutes: LSTMs, published, drawn and found cells.

    python -m benchmarks.recurrent_ptb --data-dir FOLDER [--minutes 15] [--seeds 3] [--found RUN] [--core N] [--record]

FOLDER holds `ptb/`, or it is downloaded. 200 units, batch 20, 35 steps, tied weights, dropout 0.2, learning rate 20
that falls linearly to 0, the softmax in bfloat16 where the machine has it; AWD-LSTM with the recipe of its authors.
Continues where it stopped, and may be measured in stages: models and seeds that are asked for later are added to the
run, and what was recorded of other models stays. `--found` names a run of notebook 09 or of `recurrent_search`: the
best cell of each of its controllers takes part. A small model makes little of several cores: with `--core 0` for some
models and `--core 1` for others, each training has one core, and two go on side by side.
Prints a line with goal and verdict for every model, and JSON last.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alphaxenas.config import PROJECT_ROOT, from_values
from alphaxenas.config.language import LSTMS
from alphaxenas.spaces.recurrent_zoo import RECURRENT_ZOO
from benchmarks.claims.recurrent import summary
from benchmarks.record import cores_of, finish, parser
from benchmarks.recurrent_search import MODEL


def main() -> None:
    """Trains what is left, and prints the result."""
    options = parser(__doc__)
    options.add_argument("--data-dir", required=True, metavar="FOLDER")
    options.add_argument("--minutes", type=float, default=15.0)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument(
        "--models", default=f"{','.join((*LSTMS, *RECURRENT_ZOO))},random", help="as `language_models`"
    )
    options.add_argument("--found", default="", metavar="RUN")
    options.add_argument("--core", type=int, metavar="N", help="train on this core alone [all]")
    options.add_argument("--run", default="", help="name of the run folder [recurrent-ptb-MINUTES, -coreN]")
    options.add_argument("--text", default="ptb", help="another text, to try it out")
    chosen, started = options.parse_args(), time.perf_counter()
    cores, core = cores_of(chosen.core), "" if chosen.core is None else f"-core{chosen.core}"
    found = searches_of(PROJECT_ROOT / "exp" / chosen.found) if chosen.found else {}
    config = from_values({
        "run": chosen.run or f"recurrent-ptb-{chosen.minutes:g}{core}",
        "text": chosen.text, "data_dir": chosen.data_dir,
        **MODEL,
        "language_models": [*(["found"] if found else []), *filter(None, chosen.models.split(","))],
        "language_minutes": chosen.minutes, "language_seeds": chosen.seeds, "random_cells": 4,
    })  # fmt: skip

    from alphaxenas.pipelines.recurrent import train_in_full
    from alphaxenas.pipelines.stages import load_configured_text

    results = train_in_full(config, load_configured_text(config), found)
    methods, values = by_model(results)
    figures = {"minutes": chosen.minutes, "cores": cores, "text": chosen.text, "precision": config.run.precision}
    figures["methods"] = methods
    for model, line in summary(chosen.minutes, values).items():
        print(f"{model}: {line}", file=sys.stderr, flush=True)
    name = f"recurrent_ptb_{chosen.minutes:g}"
    finish("recurrent_ptb", chosen.record, started, figures, values, name=name, keep=True)


def searches_of(folder: Path) -> dict[str, Any]:
    """Results of the finished searches of a run by name.

    Args:
        folder: Of the run.

    Raises:
        SystemExit: There are none.
    """
    paths = sorted(folder.glob("recurrent-*-seed*/results.json"))
    if not paths:
        sys.exit(f"{folder} holds no finished search for recurrent cells (recurrent-*-seed*/results.json).")
    return {path.parent.name.removeprefix("recurrent-"): json.loads(path.read_text()) for path in paths}


def by_model(results: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, list]]]:
    """What is known of every model, and the values of its seeds.

    Args:
        results: Of `train_language_models`.
    """
    methods: dict[str, Any] = {}
    values: dict[str, dict[str, list]] = {}
    columns = ("seeds", "validation", "test", "epochs", "windows", "seconds")
    for model in sorted(results["models"], key=lambda model: model["seed"]):
        about = {key: model[key] for key in ("architecture", "parameters", "units")}
        methods.setdefault(model["name"], {**about, "failed": []})
        mine = values.setdefault(model["name"], {column: [] for column in columns})
        perplexities = (round(model[f"{part}_perplexity"], 3) for part in ("validation", "test"))
        row = (model["seed"], *perplexities, round(model["epochs"], 2), model["windows"], model["seconds"])
        for column, value in zip(columns, row):
            mine[column].append(value)
    for model in results["failed"]:
        methods.setdefault(model["name"], {"failed": []})["failed"].append(model["seed"])
        values.setdefault(model["name"], {column: [] for column in columns})
    return methods, values


if __name__ == "__main__":
    main()

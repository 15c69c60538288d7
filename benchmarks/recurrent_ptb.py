"""Language models on the Penn Treebank at equal parameters and minutes: LSTMs, published, drawn and found cells.

    python -m benchmarks.recurrent_ptb --data-dir FOLDER [--minutes 15] [--seeds 3] [--found RUN] [--record]

FOLDER holds `ptb/`, or it is downloaded. 200 units, batch 20, 35 steps, tied weights, dropout 0.2, learning rate 20
that falls linearly to 0, the softmax in bfloat16 where the machine has it. Continues where it stopped; `--found` names
a run of notebook 09 whose best cells take part.
Prints JSON last.
"""

from __future__ import annotations

import json
import time

from alphaxenas.config import PROJECT_ROOT, from_values
from alphaxenas.pipelines.recurrent import train_in_full
from alphaxenas.pipelines.stages import load_configured_text
from alphaxenas.spaces.recurrent_zoo import RECURRENT_ZOO
from benchmarks.record import finish, parser
from benchmarks.recurrent_search import MODEL


def main() -> None:
    """Trains what is left, and prints the result."""
    options = parser(__doc__)
    options.add_argument("--data-dir", required=True, metavar="FOLDER")
    options.add_argument("--minutes", type=float, default=15.0)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--models", default=f"lstm,{','.join(RECURRENT_ZOO)},random", help="as `language_models`")
    options.add_argument("--found", default="", metavar="RUN")
    options.add_argument("--run", default="", help="name of the run folder [recurrent-ptb-MINUTES]")
    chosen, started = options.parse_args(), time.perf_counter()
    values = {
        "run": chosen.run or f"recurrent-ptb-{chosen.minutes:g}", "text": "ptb", "data_dir": chosen.data_dir,
        **MODEL,
        "language_models": [*(["found"] if chosen.found else []), *chosen.models.split(",")],
        "language_minutes": chosen.minutes, "language_seeds": chosen.seeds, "random_cells": 4,
    }  # fmt: skip
    found = {
        path.parent.name.removeprefix("recurrent-"): json.loads(path.read_text())
        for path in sorted((PROJECT_ROOT / "exp" / chosen.found).glob("recurrent-*-seed*/results.json"))
        if chosen.found
    }
    config = from_values(values)
    results = train_in_full(config, load_configured_text(config), found)
    models: dict[str, dict[str, list[float]]] = {}
    for model in results["models"]:
        mine = models.setdefault(model["name"], {"seeds": [], "validation": [], "test": [], "epochs": []})
        mine["seeds"].append(model["seed"])
        mine["validation"].append(round(model["validation_perplexity"], 3))
        mine["test"].append(round(model["test_perplexity"], 3))
        mine["epochs"].append(round(model["epochs"], 2))
    figures = {
        "minutes": chosen.minutes,
        "precision": config.run.precision,
        "parameters": {model["name"]: model["parameters"] for model in results["models"]},
        "architectures": {model["name"]: model["architecture"] for model in results["models"]},
        "failed": results.get("failed", []),
    }
    name = f"recurrent_ptb_{chosen.minutes:g}"
    finish("recurrent_ptb", chosen.record, started, figures, models, name=name)


if __name__ == "__main__":
    main()

"""Searches for recurrent cells on the Penn Treebank, of equal minutes: AlphaXENAS, NAO, REINFORCE and random search.

    python -m benchmarks.recurrent_search --data-dir FOLDER [--minutes 30] [--seeds 3] [--record]

FOLDER holds `ptb/`, or it is downloaded. Same space, evaluator, budgets and promotion rule for all: cells of 8 nodes
with 200 units, children from scratch on a tenth of the text, promoted ones on three tenths. What is compared is the
validation perplexity of the best promoted child of every search. Runs lie in `exp/recurrent-search-MINUTES` and go on
where they stopped; `python -m benchmarks.recurrent_ptb --found recurrent-search-30` trains their best cells in full.
Prints JSON last.
"""

from __future__ import annotations

import sys
import time

from benchmarks.record import finish, parser

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
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--controllers", default="alphaxenas,nao,reinforce,random", help="as the parameter")
    options.add_argument("--text", default="ptb", help="another text, to try it out")
    chosen, started = options.parse_args(), time.perf_counter()

    from alphaxenas.config import from_values
    from alphaxenas.networks.devices import prepare_tensorflow

    config = from_values({
        "run": f"recurrent-search-{chosen.minutes:g}", "text": chosen.text, "data_dir": chosen.data_dir,
        "controllers": chosen.controllers.split(","), "trials": 0, "max_minutes": chosen.minutes,
        **MODEL,
        "search_epochs": 1, "search_fraction": 0.1, "final_epochs": 1, "final_fraction": 0.3,
    })  # fmt: skip
    prepare_tensorflow(config.run.threads, config.run.memory_growth)

    from alphaxenas.pipelines.recurrent import search
    from alphaxenas.pipelines.stages import load_configured_text

    data, values = load_configured_text(config), dict[str, dict[str, list]]()
    for seed in range(chosen.seeds):
        for controller in config.search.controllers:
            results = search(config, controller, seed, data)
            print(f"{controller} seed {seed}: {results['headline']}", file=sys.stderr, flush=True)
            best = results["best"][0]  # a promoted child, where there is one
            mine = values.setdefault(controller, {"perplexity": [], "children": [], "architecture": []})
            mine["perplexity"].append(round(len(data.vocabulary) ** (1.0 - best["reward"]), 3))
            mine["children"].append(results["evaluations"])
            mine["architecture"].append(best["architecture"])
    figures = {"minutes": chosen.minutes, "text": chosen.text, "seeds": chosen.seeds}
    finish("recurrent_search", chosen.record, started, figures, values, name=f"recurrent_search_{chosen.minutes:g}")


if __name__ == "__main__":
    main()

"""Random search in place of AlphaXENAS in the profiles of `benchmarks.cifar10_cpu`: their control.

    python -m benchmarks.cifar10_control [--profile cifar10-cpu-hour] [--seeds 0 1 2] [--record]

All else is as in the profile: starting nets, training and promotion of children, minutes, final training, seeds.
Prints JSON last, as `benchmarks.cifar10_cpu` does.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.cifar10_cpu import measured
from benchmarks.record import finish, parser


def main() -> None:
    from alphaxenas.config import PROJECT_ROOT
    from alphaxenas.runs import read_json

    arguments = parser(__doc__)
    arguments.add_argument("--profile", default="cifar10-cpu")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the runs")
    arguments.add_argument("--data-dir", default="data", help="folder of the data")
    options, started = arguments.parse_args(), time.perf_counter()
    values: dict[str, dict[str, Any]] = {}
    for seed in options.seeds:
        run = f"{options.profile}-random-{seed}"
        found = measured(options.profile, run, seed, options.data_dir, {"controllers": "random"})
        search = read_json(PROJECT_ROOT / "exp" / run / f"random-seed{seed}" / "results.json")
        minutes = search["seconds"] / 60
        found |= {"trained_children": search["trained"], "search_minutes": minutes}
        found["minutes"] = max(found["minutes"], minutes + found["training_minutes"])
        values[f"seed {seed}"] = found
        accuracies = {method: [one["test_accuracy"]] for method, one in values.items()}
        name = f"{options.profile.replace('-', '_')}_random"
        finish("cifar10_control", options.record, started, {"methods": values}, accuracies, name, keep=True)


if __name__ == "__main__":
    main()

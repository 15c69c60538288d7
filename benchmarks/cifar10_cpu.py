"""Search and final training on real CIFAR-10 or MNIST on two CPU cores, from one command to the report.

    python -m benchmarks.cifar10_cpu [--profile cifar10-cpu-hour] [--architecture airbench93] [--seeds 0 1 2] [--record]

Without `--architecture`, the profile as it stands: `cifar10-cpu` (half an hour), `cifar10-cpu-hour` or `mnist-cpu`.
With it, the final training of that net alone, at the same price. Every seed is a run of its own, which splits the
images, draws weights and searches by that seed; with `--record` it joins those recorded before.
A run that was interrupted is continued by the same command; its time is then that of its stages alone.

Prints JSON last: test accuracy with one view of every image and with six, validation accuracy, and the minutes of the
whole command, of its search and of its final training.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from benchmarks.record import finish, parser


def measured(profile: str, run: str, seed: int, data_dir: str, changes: dict[str, Any]) -> dict[str, Any]:
    """One run of the profile, made or continued by the project's own command.

    Args:
        profile: Its name.
        run: Name of the run.
        seed: Its seed.
        data_dir: Folder of the data.
        changes: Parameters that are not as in the profile.

    Returns:
        What it found and took.

    Raises:
        subprocess.CalledProcessError: The run failed.
    """
    from alphaxenas.config import PROJECT_ROOT
    from alphaxenas.runs import read_json

    place = PROJECT_ROOT / "exp" / run
    continued, begin = place.exists(), time.monotonic()
    given = [f"--run={run}", *(["--only=04"] if "architecture" in changes else [])]
    for name, value in {"seed": seed, "data_dir": data_dir, **changes}.items():
        given += ["-p", name, str(value)]
    subprocess.run([sys.executable, "-m", "alphaxenas.command.main", "run", profile, *given], check=True)
    seconds = time.monotonic() - begin
    final = read_json(place / "final" / "results.json")
    searches = [read_json(path) for path in place.glob("alphaxenas-seed*/results.json")]
    model = final["models"][final["chosen"]]
    searched = sum(search["seconds"] for search in searches)
    return {
        **{name: value for name, value in final.items() if name.startswith("test_")},
        **{name: model[name] for name in ("validation_accuracy", "architecture", "parameters", "multiply_adds")},
        "trained_children": sum(search["trained"] for search in searches),
        "search_minutes": searched / 60,
        "training_minutes": final["seconds"] / 60,
        "minutes": (searched + final["seconds"] if continued else seconds) / 60,
    }


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--profile", default="cifar10-cpu")
    arguments.add_argument("--architecture", default="", help="train this one, without a search")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the runs")
    arguments.add_argument("--data-dir", default="data", help="folder of the data")
    options, started = arguments.parse_args(), time.perf_counter()
    name = f"{options.profile.replace('-', '_')}_{options.architecture or 'searched'}"
    changes = {"architecture": options.architecture, "train_epochs": 100} if options.architecture else {}
    values: dict[str, dict[str, Any]] = {}
    for seed in options.seeds:
        run = f"{name.replace('_', '-')}-{seed}"
        values[f"seed {seed}"] = measured(options.profile, run, seed, options.data_dir, changes)
        accuracies = {method: [found["test_accuracy"]] for method, found in values.items()}
        finish("cifar10_cpu", options.record, started, {"methods": values}, accuracies, name, keep=True)


if __name__ == "__main__":
    main()

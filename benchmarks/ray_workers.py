"""Two workers against one: trials a minute of a search whose children are really trained from scratch on digits.

    python -m benchmarks.ray_workers [--trials 24] [--address processes] [--record]

Every worker has one thread, and so has the one process that two are compared with. Both searches evaluate the same
children: the journals must be equal, or nothing is recorded. Starting workers does not count. Run it on a quiet machine
with at least two cores; without `--address` it needs Ray. Prints JSON last.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

from alphaxenas.config import from_values
from alphaxenas.networks.devices import prepare_tensorflow
from alphaxenas.pipelines.search import search
from alphaxenas.runs import Journal
from alphaxenas.runs.journal import same_record
from alphaxenas.workers.processes import thread_limits
from benchmarks.record import finish, parser

SETTINGS = {
    "space": "chain",
    "batch_size": 64,
    "search_epochs": 3,
    "search_fraction": 1.0,
    "search_children": 6,
    "final_epochs": 3,
    "controllers": ["random"],
    "threads": 1,
    "in_flight": 4,
}
"""Children from scratch, so that none waits for another's weights."""
GOAL = 1.7


def measured(workers: int, trials: int, address: str, folder: str) -> tuple[float, list[dict[str, Any]]]:
    """A search on so many workers.

    Args:
        workers: 2, or 0 for this process alone.
        trials: Children to train.
        address: The parameter `cluster_address`.
        folder: Of its records.

    Returns:
        Trials a minute, and its journal.
    """
    values = {**SETTINGS, "exp_dir": folder, "tensorboard_dir": f"{folder}/events", "run": f"workers{workers}"}
    config = from_values({**values, "trials": trials, "cluster_address": address, "workers": workers})
    prepare_tensorflow(threads=1)
    # These seconds begin when all workers are up.
    seconds = search(config, "random", 0)["seconds"]
    return 60 * trials / seconds, Journal(f"{folder}/workers{workers}/random-seed0/trials.jsonl").read()


def main() -> None:
    """Measures both, the one worker first and last."""
    words = parser(__doc__)
    words.add_argument("--trials", type=int, default=24, help="children of a search [%(default)s]")
    words.add_argument("--address", default="", help="cluster_address, see docs/parameters.md [Ray on this machine]")
    options = words.parse_args()
    os.environ.update(thread_limits(1))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as last:
        one, journal = measured(0, options.trials, options.address, first)
        two, other = measured(2, options.trials, options.address, first)
        again, _ = measured(0, options.trials, options.address, last)
    if len(journal) != len(other) or not all(map(same_record, journal, other)):
        raise SystemExit("The two searches differ: nothing is recorded.")
    alone = (one + again) / 2
    figures = {
        "trials": options.trials,
        "where": options.address or "ray",
        "trials_per_minute_of_one": round(alone, 2),
        "trials_per_minute_of_two": round(two, 2),
        "times": round(two / alone, 2),
        "goal": GOAL,
    }
    finish("ray_workers", options.record, started, figures, {"one": [one, again], "two": [two]})


if __name__ == "__main__":
    main()

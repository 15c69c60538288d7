"""How long `import alphaxenas` takes in a fresh process, and that it and the light rooms leave TensorFlow alone.

    python -m benchmarks.import_time [--repeats 9] [--record]

Prints JSON last; exits with 1 when a limit is missed.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks.record import ROOT, finish, parser

LIMIT_SECONDS = 0.3
LIGHT_ROOMS = (
    "alphaxenas.spaces",
    "alphaxenas.controllers.baselines.random_search",
    "alphaxenas.controllers.mcts.tree",
    "alphaxenas.report",
    "alphaxenas.runs",
)
PROGRAM = """
import importlib, sys, time
start = time.perf_counter()
for name in sys.argv[1:]:
    importlib.import_module(name)
print(time.perf_counter() - start, 'tensorflow' in sys.modules)
"""


def imported(*modules: str) -> tuple[float, bool]:
    """Seconds to import modules in a fresh interpreter, and whether TensorFlow came along."""
    command = [sys.executable, "-c", PROGRAM, *modules]
    words = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return float(words[0]), words[1] == "True"


def main() -> int:
    """Measures, prints JSON, returns the exit code."""
    words = parser(__doc__)
    words.add_argument("--repeats", type=int, default=9, help="fresh processes; the median counts [%(default)s]")
    options, started = words.parse_args(), time.perf_counter()
    runs = [imported("alphaxenas") for _ in range(options.repeats)]
    rooms = {room: imported(room) for room in LIGHT_ROOMS}
    seconds = statistics.median(run for run, _ in runs)
    tensorflow = any(loaded for _, loaded in [*runs, *rooms.values()])
    figures = {
        "seconds": round(seconds, 4),
        "limit_seconds": LIMIT_SECONDS,
        "room_seconds": {room: round(run, 4) for room, (run, _) in rooms.items()},
        "tensorflow_imported": tensorflow,
    }
    finish("import_time", options.record, started, figures, {"seconds": [round(run, 4) for run, _ in runs]})
    return int(seconds >= LIMIT_SECONDS or tensorflow)


if __name__ == "__main__":
    sys.exit(main())

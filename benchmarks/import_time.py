"""How long `import alphaxenas` takes in a fresh process, and that it and the light rooms leave TensorFlow alone.

Run: `python benchmarks/import_time.py`. Prints JSON last; exits with 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

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
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-c", PROGRAM, *modules]
    words = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split()
    return float(words[0]), words[1] == "True"


def main() -> int:
    """Measures, prints JSON, returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9, help="fresh processes; the median counts (default: 9)")
    repeats = parser.parse_args().repeats
    runs = [imported("alphaxenas") for _ in range(repeats)]
    rooms = {room: imported(room) for room in LIGHT_ROOMS}
    seconds = statistics.median(run for run, _ in runs)
    tensorflow = any(loaded for _, loaded in [*runs, *rooms.values()])
    result = {
        "seconds": round(seconds, 4),
        "limit_seconds": LIMIT_SECONDS,
        "all_seconds": [round(run, 4) for run, _ in runs],
        "room_seconds": {room: round(run, 4) for room, (run, _) in rooms.items()},
        "tensorflow_imported": tensorflow,
    }
    print(json.dumps(result))
    return int(seconds >= LIMIT_SECONDS or tensorflow)


if __name__ == "__main__":
    sys.exit(main())

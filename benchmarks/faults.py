"""Faults of all kinds on real searches: what is lost, and how long it takes to continue. Prints JSON last.

    python -m benchmarks.faults [--faults 1000] [--seed 0] [--processes 2] [--digits 3] [--record]

Small searches in processes of their own, some of them in a notebook under papermill, are hit at random moments: by
SIGKILL, SIGTERM and SIGINT, also in the middle of a checkpoint, a journal line, a notebook or a download; by a full or
broken disk; by damage to the newest checkpoint and to the end of the journal; by a stale lock, a second process, a
clock that jumps back and a lack of memory. After each the same call continues; in the end the journal must equal that
of the uninterrupted search. Target: nothing lost, nothing unreadable, no difference. Then `--digits` times a search
that trains networks on digits is killed with SIGKILL: seconds from the next start to its next trained child, the
import of TensorFlow included; target: below 15. A hundred faults are part of every test run.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path

from benchmarks.record import finish, parser
from tests.faults.campaign import Tally, campaign
from tests.faults.test_real_search_continues import journal, start

TARGET_SECONDS = 15.0


def seconds_on_digits(place: Path, kills: int) -> list[float]:
    """Kills a search that trains networks and starts it again.

    Args:
        place: An empty folder.
        kills: How often.

    Returns:
        By kill, seconds from the start to the next line of the journal.
    """
    found: list[float] = []
    process = start(place)
    for number in range(kills):
        _wait_for(place, number + 1, process)
        process.kill()
        process.wait()
        recorded, started = len(journal(place)), time.perf_counter()
        process = start(place)
        _wait_for(place, recorded + 1, process)
        found.append(round(time.perf_counter() - started, 2))
    process.kill()
    process.wait()
    return found


def _wait_for(place: Path, records: int, process) -> None:
    while len(journal(place)) < records:
        if process.poll() is not None:
            raise RuntimeError(f"The search ended with {len(journal(place))} records. Expected {records}.")
        time.sleep(0.01)


def main() -> None:
    """Reads the options, brings the faults about, prints the result."""
    words = parser(__doc__)
    words.add_argument("--faults", type=int, default=1000)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--processes", type=int, default=2, help="at the same time, each with a share [%(default)s]")
    words.add_argument("--digits", type=int, default=3)
    options, started = words.parse_args(), time.perf_counter()
    processes = max(1, options.processes)
    shares = [options.faults // processes + (part < options.faults % processes) for part in range(processes)]
    with tempfile.TemporaryDirectory() as place, multiprocessing.get_context("spawn").Pool(processes) as pool:
        parts = [(Path(place) / str(part), share, options.seed + part) for part, share in enumerate(shares)]
        figures = sum(pool.starmap(campaign, parts), Tally()).as_json()
        digits = seconds_on_digits(Path(place) / "digits", options.digits)
    figures |= {"target_seconds": TARGET_SECONDS, "minutes": round((time.perf_counter() - started) / 60, 1)}
    finish("faults", options.record, started, figures, {"seconds_on_digits": digits})


if __name__ == "__main__":
    main()

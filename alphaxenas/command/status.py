"""`alphaxenas status`: how a run is doing, from outside, while another process works on it.

    alphaxenas status exp/quick [--watch [SECONDS]]

One screen: trials, best reward, rate, expected end and memory of every stage, the last error, and what to do about a
stage that ended badly. Reads files alone and disturbs nothing. Exit code: 0 all stages work or are finished, 1 one was
stopped or ended badly, 2 there is no such run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from alphaxenas.runs.status import run_status, status_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the status, once or again and again; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="alphaxenas status", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of the run, exp/NAME")
    again = "again every so many seconds, until Ctrl-C [5]"
    parser.add_argument("--watch", nargs="?", type=float, const=5.0, metavar="SECONDS", help=again)
    options = parser.parse_args(arguments)
    if options.watch is not None and not options.watch > 0:
        parser.error(f"Invalid value for `--watch`. Expected seconds above 0. Received: {options.watch}")
    try:
        while True:
            stages = run_status(options.folder)
            text = status_text(options.folder, stages)
            print(text if options.watch is None else f"\x1b[2J\x1b[H{text}", flush=True)
            if options.watch is None:
                return int(any(one.advice for one in stages))
            time.sleep(options.watch)
    except OSError as error:
        print(f"alphaxenas status: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0

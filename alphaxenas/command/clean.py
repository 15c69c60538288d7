"""`alphaxenas clean`: what an aborted run left behind, listed, and with --yes deleted.

    alphaxenas clean exp/quick [exp/other ...] [--yes]

Temporary files of writes that were cut off, notebooks that were never finished, checkpoints that are damaged or older
than the two newest whole ones, lock files of processes that are gone, and half downloads where the folder of the data
is named. Never a finished trial, never the checkpoint that a run would continue from, and nothing of a run that a
process works on. Exit code: 0 all went well, 1 something could not be deleted, 2 there is no such folder.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from alphaxenas.runs.checkpoint import KEPT, read_checkpoint
from alphaxenas.runs.status import is_held, is_locked


def main(arguments: Sequence[str] | None = None) -> int:
    """Lists the leftovers and, if asked to, deletes them; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="alphaxenas clean", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders of runs, exp/NAME, or of data")
    parser.add_argument("--yes", action="store_true", help="delete what is listed")
    options = parser.parse_args(arguments)
    missing = [folder for folder in options.folders if not folder.is_dir()]
    if missing:
        print(f"alphaxenas clean: Expected folders such as exp/quick. Received: {missing[0]}", file=sys.stderr)
        return 2
    found = [pair for folder in options.folders for pair in leftovers(folder)]
    for path, reason in found:
        size = sum(one.stat().st_size for one in (path, *path.rglob("*")) if one.is_file())
        print(f"{size:>12,}  {path}  ({reason})")
    failed = delete([path for path, _ in found]) if options.yes else []
    for problem in failed:
        print(f"alphaxenas clean: {problem}", file=sys.stderr)
    done = "deleted" if options.yes else "found; --yes deletes them"
    print(f"{len(found) - len(failed)} leftovers {done}" if found else "nothing to clean")
    return int(bool(failed))


def leftovers(folder: Path) -> list[tuple[Path, str]]:
    """What may be deleted below a folder, each with the reason.

    Args:
        folder: Of a run, of one of its stages, or of data.
    """
    found: list[tuple[Path, str]] = []
    for place in sorted({folder, *(path for path in folder.rglob("*") if path.is_dir())}):
        inside_half = any(part.endswith(".part") for part in place.relative_to(folder).parts)
        # Downloads lock their folder.
        if inside_half or is_locked(_owner(place)) or is_held(os.open(place, os.O_RDONLY | os.O_CLOEXEC)):
            continue
        cut_off = sorted([*place.glob(".*.tmp"), *place.glob(".*.partial*")])
        found += [(path, "a write that was cut off") for path in cut_off]
        found += [(path, "a notebook that was never finished") for path in sorted(place.glob("*.running.ipynb"))]
        found += [(path, "half a download") for path in sorted(place.glob("*.part"))]
        found += list(_checkpoints(place)) if place.name == "checkpoints" else []
        lock = place / ".lock"
        found += [(lock, "the lock of a process that is gone")] if lock.is_file() else []
    return found


def delete(paths: Sequence[Path]) -> list[str]:
    """Deletes files and half-unpacked folders, each under the lock of its stage or of the folder that it lies in.

    Args:
        paths: As of `leftovers`.

    Returns:
        What could not be deleted and why.
    """
    failed = []
    for path in sorted(paths, key=lambda path: path.name == ".lock"):
        owner = _owner(path.parent)
        try:
            lock = os.open(owner / ".lock" if (owner / ".lock").exists() else path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            finally:
                os.close(lock)
        except BlockingIOError:
            failed.append(f"{path} is kept: a process has begun to work there")
        except OSError as error:
            failed.append(f"{path}: {error.strerror}")
    return failed


def _owner(place: Path) -> Path:
    """The stage that a folder belongs to; the folder itself where it is of none."""
    return next((path for path in (place, *place.parents) if (path / "run.json").is_file()), place)


def _checkpoints(place: Path) -> Iterator[tuple[Path, str]]:
    """Those that a run would not continue from, newest first."""
    whole = 0
    for path in sorted(place.glob("step-*.npz"), reverse=True):
        try:
            read_checkpoint(path)
        except ValueError:
            yield path, "a damaged checkpoint"
            continue
        whole += 1
        if whole > KEPT:
            yield path, "an old checkpoint"

"""Many faults on many runs: each is hit, continued by the same call, hit again, and ends as if nothing had happened.

Every life of a run is a process of its own, forked from one that has imported everything, and really killed. A fault
strikes a process at a random moment from outside, at a random call that changes the disk from within, or, once the
process has died, the files that it left. Run in a process without threads: `tests.faults.harness.apart`.
"""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from unittest import mock

import alphaxenas.coach
import alphaxenas.runs.folder
from alphaxenas.runs import same_record
from tests.faults import notebooks, searches
from tests.faults.harness import CALLS, PNG

EXPECTED = ("StorageError", "MemoryError", "No space left", "Input/output error", "RunInUse")
"""How a life may end by its own fault; everything else that is not a signal is a state that could not be read."""
PLACES = {
    "checkpoint write": "/checkpoints/",
    "journal append": "trials.jsonl",
    "event file": "tfevents",
    "log": "log.txt",
    "description": ".json.tmp",
}
"""Where a process may be killed in the middle of a write, by a part of the path."""


@dataclass
class Tally:
    """What came of the faults.

    Attributes:
        faults: Number by kind.
        problems: What went wrong, one text each; empty when all is well.
        lost: Finished trials that were missing in the end.
        unreadable: Lives that ended otherwise than their fault explains.
        differing: Journals that differ from the uninterrupted one.
        repeated: Finished trials that were trained again.
        seconds: From a start to its next training.
    """

    faults: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    lost: int = 0
    unreadable: int = 0
    differing: int = 0
    repeated: int = 0
    seconds: list[float] = field(default_factory=list)

    def __add__(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def as_json(self) -> dict[str, Any]:
        """Counts, and the seconds as median and maximum."""
        ordered = sorted(self.seconds) or [0.0]
        return {
            "faults": sum(self.faults.values()),
            "by_kind": dict(sorted(self.faults.items())),
            "lost_trials": self.lost,
            "unreadable_states": self.unreadable,
            "differing_journals": self.differing,
            "trained_again": self.repeated,
            "seconds_to_continue": {"median": round(ordered[len(ordered) // 2], 3), "most": round(ordered[-1], 3)},
            "problems": self.problems[:20],
        }


# --- what strikes a process from within


def _path_of(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _intercept(strikes: Callable[[Any, tuple], bool], action: Callable[[Any, tuple], Any]) -> None:
    """From now on `action(real, arguments)` is carried out instead of the disk calls that `strikes` chooses."""
    for name in CALLS:
        real = getattr(os, name)

        def call(*arguments: Any, _real: Any = real, **named: Any) -> Any:
            return action(_real, arguments) if strikes(_real, arguments) else _real(*arguments, **named)

        setattr(os, name, call)


def _die(real: Any, arguments: tuple) -> None:
    if real.__name__ == "write":
        real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
    os.kill(os.getpid(), signal.SIGKILL)


def _nth(number: int) -> Callable[[Any, tuple], bool]:
    count = 0

    def strikes(real: Any, arguments: tuple) -> bool:
        nonlocal count
        count += 1
        return count == number

    return strikes


def killed_at_a_disk_call(rng: random.Random) -> Callable[[], None]:
    number = rng.randint(1, 120)
    return lambda: _intercept(_nth(number), _die)


def killed_in_a(place: str) -> Callable[[random.Random], Callable[[], None]]:
    def prepare(rng: random.Random) -> Callable[[], None]:
        # Few files are written but once.
        left = rng.randint(1, 2 if place == "description" else 10)

        def strikes(real: Any, arguments: tuple) -> bool:
            nonlocal left
            left -= real.__name__ == "write" and PLACES[place] in _path_of(arguments[0])
            return left == 0 and real.__name__ == "write"

        return lambda: _intercept(strikes, _die)

    return prepare


def refused(number: int) -> Callable[[random.Random], Callable[[], None]]:
    """A disk that is full, or broken, from a random call on until the process gives up."""

    def prepare(rng: random.Random) -> Callable[[], None]:
        first, count = rng.randint(1, 120), 0

        def strikes(real: Any, arguments: tuple) -> bool:
            nonlocal count
            count += 1
            return count >= first and real.__name__ in ("write", "fsync")

        def refuse(real: Any, arguments: tuple) -> None:
            raise OSError(number, os.strerror(number))

        return lambda: _intercept(strikes, refuse)

    return prepare


def out_of_memory(rng: random.Random) -> Callable[[int], None]:
    """In a training: really no memory left, or what the system's killer does then."""
    number, killed = rng.randint(1, 8), rng.random() < 0.5

    def before(begun: int) -> None:
        if begun == number and killed:
            os.kill(os.getpid(), signal.SIGKILL)
        elif begun == number:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (8 << 20), most))
            bytearray(1 << 30)

    return before


def clock_back(rng: random.Random) -> Callable[[int], None]:
    """The clock on the wall jumps back by days within a training, and the process is killed a little later."""
    number, days = rng.randint(1, 4), rng.uniform(1, 4000)

    def before(begun: int) -> None:
        if begun == number:
            real, now = time.time, alphaxenas.coach.datetime.now

            class Datetime:
                @staticmethod
                def now() -> Any:
                    return now().replace(year=now().year - 1 - int(days / 365), day=1)

            time.time = lambda: real() - 86400 * days
            alphaxenas.coach.datetime = Datetime  # type: ignore[misc, assignment]
        if begun == number + 3:
            os.kill(os.getpid(), signal.SIGKILL)

    return before


# --- what strikes the files of a dead process


def _checkpoints(exp_dir: Path) -> list[Path]:
    return sorted(searches.folder_of(exp_dir).glob("checkpoints/step-*.npz"))


def _flipped(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def damage_checkpoint(exp_dir: Path, rng: random.Random, cut: bool) -> int:
    """Damages the newest checkpoint, if the run has another; how many finished trials that may cost."""
    stored = _checkpoints(exp_dir)
    if len(stored) < 2:
        return -1
    data = stored[-1].read_bytes()
    place = rng.randrange(len(data))
    stored[-1].write_bytes(data[:place] if cut else _flipped(data, place, rng.randrange(8)))
    steps = [int(path.name.split("-")[1]) for path in stored[-2:]]
    return steps[1] - steps[0]


def damage_journal(exp_dir: Path, rng: random.Random, cut: bool) -> int:
    """Damages the end of the journal; how many finished trials that may cost."""
    journal = searches.folder_of(exp_dir) / "trials.jsonl"
    data = journal.read_bytes() if journal.exists() else b""
    if not data:
        return -1
    place = rng.randrange(max(0, len(data) - 1500), len(data))
    journal.write_bytes(data[:place] if cut else _flipped(data, place, rng.randrange(8)))
    return data[place:].count(b"\n")


def stale_lock(exp_dir: Path, rng: random.Random, cut: bool) -> int:
    """A lock file of a process that is gone, or what a power cut made of it."""
    lock = searches.folder_of(exp_dir) / ".lock"
    if not lock.parent.is_dir():
        return -1
    lock.write_bytes(rng.choice([b"process 1 on another-machine", b"", b"\0\xff" * 40, b"process 999999999"]))
    return 0


WITHIN: dict[str, Callable[[random.Random], Callable[[], None]]] = {
    "SIGKILL at a disk call": killed_at_a_disk_call,
    **{f"SIGKILL in a {place} write".replace(" write write", " write"): killed_in_a(place) for place in PLACES},
    "full disk (ENOSPC at a write)": refused(errno.ENOSPC),
    "broken disk (EIO at a write)": refused(errno.EIO),
}
BEFORE = {"memory": out_of_memory, "clock jumps back": clock_back}
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
AFTER = {
    "checkpoint truncated": (damage_checkpoint, True),
    "bit flip in the checkpoint": (damage_checkpoint, False),
    "journal truncated": (damage_journal, True),
    "bit flip in the journal": (damage_journal, False),
    "stale lock": (stale_lock, True),
}
SMALL_DISK = "full disk (small file system)"
KINDS = (*WITHIN, *BEFORE, *SIGNALS, *AFTER, "second process", SMALL_DISK)


class Run:
    """One run and its lives."""

    def __init__(self, name: str, exp_dir: Path, rng: random.Random, tally: Tally) -> None:
        self.name, self.exp_dir, self.rng, self.tally = name, exp_dir, rng, tally
        self.finished, self.allowed, self.known = list[dict[str, Any]](), 0, 0
        exp_dir.mkdir(parents=True)

    def life(self, strike: Callable[[], None] | None = None, before: Callable[[int], None] | None = None) -> int:
        """Starts a process that works on the run; its number."""
        sys.stdout.flush()
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            errors = os.open(f"{self.exp_dir}.err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(errors, 2)
            with mock.patch.object(alphaxenas.coach, "picture", lambda space, architecture: PNG):
                if strike is not None:
                    strike()
                searches.play(self.name, self.exp_dir, before or (lambda begun: None))
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        except KeyboardInterrupt:
            code = 130
        except BaseException:
            resource.setrlimit(resource.RLIMIT_AS, (resource.getrlimit(resource.RLIMIT_AS)[1],) * 2)
            traceback.print_exc()
        finally:
            os._exit(code)

    def ended(self, child: int, started: float, kind: str) -> bool:
        """Waits for a life and counts what came of it; whether the run is finished."""
        status = os.waitpid(child, 0)[1]
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1:
            errors = Path(f"{self.exp_dir}.err").read_text()
            if not any(word in errors for word in EXPECTED):
                self.tally.unreadable += 1
                self.problem(kind, errors[-1500:])
        self.count(started, kind)
        return os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0

    def count(self, started: float, kind: str) -> None:
        """Trials that this life lost or trained again."""
        begun = searches.begun(self.exp_dir)
        earlier, now = begun[: self.known], begun[self.known :]
        self.known = len(begun)
        if earlier and now:
            self.tally.seconds.append(now[0][1] - started)
        again = len({number for number, _ in now} & {number for number, _ in earlier})
        extra = max(0, again - 1)
        self.tally.repeated += extra
        if extra > self.allowed:
            self.problem(kind, f"{again} trials were trained again, {self.allowed} of them were damaged")
        self.allowed = max(0, self.allowed - extra)
        try:
            self.finished = max(self.finished, searches.records(self.exp_dir), key=len)
        except OSError:
            pass  # the next life mends it, or fails

    def problem(self, kind: str, text: str) -> None:
        """Notes what went wrong."""
        self.tally.problems.append(f"{self.name}, {kind}, {self.exp_dir.name}: {text}")

    def hit(self, kind: str, length: float) -> bool | None:
        """One life, hit by a fault; whether the run is finished, None where the fault could not be brought about."""
        rng, started = self.rng, time.monotonic()
        if kind in WITHIN:
            return self.ended(self.life(WITHIN[kind](rng)), started, kind)
        if kind in BEFORE:
            return self.ended(self.life(before=BEFORE[kind](rng)), started, kind)
        if kind in SIGNALS:
            child = self.life()
            time.sleep(rng.uniform(0, length))
            os.kill(child, SIGNALS[kind])
            return self.ended(child, started, kind)
        if kind == "second process":
            return self.second(started)
        if kind == SMALL_DISK:
            return self.full_disk(started)
        damage, cut = AFTER[kind]
        cost = damage(self.exp_dir, rng, cut)
        if cost < 0:
            return None
        self.allowed += cost
        child = self.life()
        time.sleep(rng.uniform(0.3 * length, length))
        os.kill(child, signal.SIGKILL)
        return self.ended(child, started, kind)

    def second(self, started: float) -> bool:
        """Another process tries to work on the run while one does."""
        first = self.life()
        lock = searches.folder_of(self.exp_dir) / ".lock"
        while not (lock.exists() and f"process {first} on" in lock.read_text(errors="replace")):
            if os.waitpid(first, os.WNOHANG)[0]:
                return True  # it had so little to do that it is finished
            time.sleep(0.001)
        os.kill(first, signal.SIGSTOP)
        with mock.patch.object(alphaxenas.runs.folder, "LOCK_PATIENCE", 0.01):
            intruder = os.fork()
            if intruder == 0:
                try:
                    os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
                    searches.play(self.name, self.exp_dir)
                except alphaxenas.runs.folder.RunInUse as error:
                    os._exit(7 if f"process {first} on" in str(error) else 8)
                finally:
                    os._exit(9)
        code = os.waitstatus_to_exitcode(os.waitpid(intruder, 0)[1])
        if code != 7:
            self.problem("second process", f"the second process was not refused: exit code {code}")
        os.kill(first, signal.SIGCONT)
        return self.ended(first, started, "second process")

    def full_disk(self, started: float) -> bool | None:
        """The folder lies on a small file system, which is full at some moment."""
        if any(self.exp_dir.iterdir()) or not mount(self.exp_dir, f"{self.rng.randint(20, 120)}k"):
            return None
        try:
            done = self.ended(self.life(), started, SMALL_DISK)
            kept = Path(f"{self.exp_dir}.kept")
            shutil.copytree(self.exp_dir, kept)
        finally:
            subprocess.run(["umount", str(self.exp_dir)], check=True)
        shutil.copytree(kept, self.exp_dir, dirs_exist_ok=True)
        return done

    def finish(self, reference: list[dict[str, Any]]) -> None:
        """The last life, undisturbed, and the comparison with the uninterrupted run."""
        started = time.monotonic()
        if not self.ended(self.life(), started, "last life"):
            self.tally.unreadable += 1
            self.problem("last life", Path(f"{self.exp_dir}.err").read_text()[-1500:])
            return
        self.compare(reference)

    def compare(self, reference: list[dict[str, Any]]) -> None:
        """The journal, trial by trial, with that of the uninterrupted run."""
        records = searches.records(self.exp_dir)
        same = [same_record(one, other) for one, other in zip(records, reference)]
        if len(records) != len(reference) or not all(same):
            self.tally.differing += 1
            self.problem("last life", f"{len(records)} records, {same.count(False)} of them differ")
        lost = [record for record in self.finished if record["trial"] >= len(records) or not same[record["trial"]]]
        self.tally.lost += len(lost)


def hit_notebooks(place: Path, faults: int, rng: random.Random, tally: Tally, reference: list[dict[str, Any]]) -> None:
    """Hits a search in a notebook, its runner and its kernel.

    Args:
        place: An empty folder.
        faults: How many.
        rng: Source of all draws.
        tally: Where they are counted.
        reference: Journal of the uninterrupted search `notebooks.NAME`.
    """
    left, number = faults, 0
    while left > 0:
        number += 1
        suite = notebooks.Suite(place / f"notebook{number}")
        run, code = Run(notebooks.NAME, suite.exp_dir, rng, tally), 1
        for kind in rng.sample(notebooks.KINDS, min(left, len(notebooks.KINDS))):
            started, code = time.monotonic(), suite.hit(kind, rng)
            if code:  # else it came too late, and was none
                tally.faults[kind], left = tally.faults[kind] + 1, left - 1
            run.count(started, kind)
            if code not in (0, notebooks.EXIT_CODES[kind]) or suite.unreadable():
                tally.unreadable += 1
                run.problem(kind, f"exit code {code}, damaged {suite.unreadable()}, {suite.output()}")
            if code == 0:
                break
        started, code = time.monotonic(), notebooks.ended(suite.start())
        run.count(started, "last life")
        if code:
            tally.unreadable += 1
            run.problem("last life", f"exit code {code}: {suite.output()}")
        else:
            run.compare(reference)


def mount(folder: Path, size: str) -> bool:
    """Mounts a small file system; False where only root may."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def campaign(place: Path | str, faults: int, seed: int = 0) -> Tally:
    """Hits runs until there were so many faults.

    Args:
        place: An empty folder.
        faults: How many.
        seed: Of everything that is drawn.

    Returns:
        What came of them.
    """
    place, rng, tally = Path(place), random.Random(seed), Tally()
    references, lengths = {}, {}
    for name in searches.SEARCHES:
        whole, started = Run(name, place / f"whole {name}", rng, Tally()), time.monotonic()
        if not whole.ended(whole.life(), started, "uninterrupted"):
            raise RuntimeError(Path(f"{whole.exp_dir}.err").read_text())
        references[name], lengths[name] = searches.records(whole.exp_dir), time.monotonic() - started
    in_notebooks, downloads = faults * len(notebooks.KINDS) // (len(KINDS) + 6), faults // (len(KINDS) + 6)
    hit_notebooks(place, in_notebooks, rng, tally, references[notebooks.NAME])
    for number in range(downloads):
        tally.faults["SIGKILL or full disk in a download"] += 1
        if wrong := notebooks.hit_download(place / f"download{number}", rng):
            tally.unreadable += 1
            tally.problems.append(f"download {number}: {wrong}")
    bag: list[str] = []  # so that each kind comes equally often
    number = 0
    while sum(tally.faults.values()) < faults:
        name, done, number = rng.choice(list(searches.SEARCHES)), False, number + 1
        run, fresh = Run(name, place / f"run{number}", rng, tally), True
        for _ in range(6):
            # Files can be damaged once there are some, and a small file system is mounted on an empty folder.
            fitting = [kind for kind in bag if (kind not in AFTER if fresh else kind != SMALL_DISK)]
            if not fitting:
                bag += rng.sample(KINDS, len(KINDS))
                continue
            done = run.hit(fitting[0], lengths[name])
            bag.remove(fitting[0])
            if done is None:
                bag.append(fitting[0])
                continue
            fresh = False
            if not done or fitting[0] in AFTER:  # else it came too late, and was none
                tally.faults[fitting[0]] += 1
            if done or sum(tally.faults.values()) >= faults:
                break
        run.finish(references[name])
        if not tally.problems:
            shutil.rmtree(run.exp_dir)
    return tally

"""How the stages of a run are doing, read from their files alone while another process may be at work on them."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from alphaxenas.runs.files import StorageError, last_lines, read_json

WINDOW = 50
"""Latest trials that the rate is taken from."""
_UNTRAINED = (b'"cached": ', b'"purpose": "imported"', b'"purpose": "refresh"', b'"status": "refused"', b'"epochs": 0,')
"""What only lines hold that the coach does not count as a trained child."""
_ERRORS = re.compile(r" ended in |failed \(|damaged or lost| received: ")
_ADVICE = (
    (("No space left", "Disk quota"), "make room on the disk"),
    (("MemoryError", "ResourceExhausted", "OOM"), "choose smaller batches or fewer workers"),
    (("Read-only file system", "Permission denied"), "make the folder writable"),
    (("Input/output error",), "check the disk"),
)
"""What to do before the same command is started again, by parts of the last error."""


@dataclass(frozen=True)
class Status:
    """How one stage of a run is doing.

    Attributes:
        stage: Its name.
        state: `working`, `finished`, `stopped` (by a signal, saved) or `ended badly`.
        trials: Complete lines of its journal.
        trained: Those that trained a child.
        best: The best reward so far; None before there is one.
        seconds_per_trial: Over the latest trials; None where there are too few.
        seconds_left: Until its first limit, about; None where none is known.
        memory_mib: Resident memory of its process; None where it does not run on this machine.
        process: Who works on it, as the lock says; empty when nobody does.
        last_error: The latest line of the log that tells of one; empty when there is none.
        headline: What it concluded; empty when it is not finished.
    """

    stage: str
    state: str
    trials: int = 0
    trained: int = 0
    best: float | None = None
    seconds_per_trial: float | None = None
    seconds_left: float | None = None
    memory_mib: float | None = None
    process: str = ""
    last_error: str = ""
    headline: str = ""

    @property
    def advice(self) -> str:
        """One line for a stage that does not go on by itself: what happened and what to do; empty for the others."""
        if self.state in ("working", "finished"):
            return ""
        reason = self.last_error or "killed without a word: SIGKILL, no memory or disk space left, or a power cut"
        first = next((do for parts, do in _ADVICE if any(part in reason for part in parts)), "")
        then = f"Run the same command again: it continues after {self.trials} records."
        return f"{self.stage} {self.state} ({reason}). " + (f"First {first}. {then}" if first else then)


def run_status(folder: Path | str) -> list[Status]:
    """How all stages of a run are doing.

    Args:
        folder: `exp/NAME`.

    Raises:
        FileNotFoundError: It holds no stage.
        StorageError: The description of a stage is damaged.
    """
    found = [_stage_status(path.parent) for path in sorted(Path(folder).glob("*/run.json"))]
    if not found:
        stored = sorted({path.parent.parent.name for path in Path(folder).parent.glob("*/*/run.json")})
        known = f" Stored are: {', '.join(stored)}." if stored else ""
        raise FileNotFoundError(f"Expected the folder of a run, such as exp/quick. Received: {folder}.{known}")
    return found


def status_text(folder: Path | str, stages: Sequence[Status] | None = None) -> str:
    """One screen about a run: a row for each stage, then what went wrong and what to do.

    Args:
        folder: `exp/NAME`.
        stages: As of `run_status`, which is called where they are not given.
    """
    folder = Path(folder)
    stages = run_status(folder) if stages is None else stages
    rows = [("stage", "state", "trials", "best", "per hour", "expected end", "memory")]
    for one in stages:
        rate = f"{3600 / one.seconds_per_trial:,.0f}" if one.seconds_per_trial else "-"
        ends = time.localtime(time.time() + (one.seconds_left or 0.0))
        end = "-" if one.seconds_left is None else time.strftime("%b %d %H:%M", ends)
        memory = "-" if one.memory_mib is None else f"{one.memory_mib:,.0f} MiB"
        best = "-" if one.best is None else f"{one.best:.4f}"
        rows.append((one.stage, one.state, f"{one.trials:,}", best, rate, end, memory))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
    remarks = [one.advice or f"{one.stage}, last error: {one.last_error}" for one in stages]
    remarks = [remark for remark, one in zip(remarks, stages) if one.advice or one.last_error]
    remarks += [f"failed notebook: {path}" for path in sorted(folder.glob("notebooks/*.failed.ipynb"))]
    remarks += [f"{one.stage}: {one.headline}" for one in stages if one.headline]
    head = f"{folder}  {time.strftime('%Y-%m-%d %H:%M:%S')}  memory free on this machine: {_free_memory()}"
    return "\n".join([head, "", *lines, *([""] if remarks else []), *remarks])


def is_locked(folder: Path) -> bool:
    """Whether a process works in a stage's folder, or runs a run's notebooks in that one's."""
    try:
        lock = os.open(folder / ".lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    return is_held(lock)


def is_held(descriptor: int) -> bool:
    """Whether another process holds the exclusive lock of an open file or folder, which is closed here."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:  # without locks nothing can have begun there
        return False
    finally:
        os.close(descriptor)


def _stage_status(path: Path) -> Status:
    """How the stage in a folder is doing."""
    locked = is_locked(path)
    process = (path / ".lock").read_text(errors="replace").strip() if locked else ""
    described = read_json(path / "run.json") or {}
    results = None if locked else _results(path)
    counts = _counts(path / "trials.jsonl")
    latest = _parsed(last_lines(path / "trials.jsonl", WINDOW))
    pace = _pace(latest)
    error = _last_error(path, anywhere=locked or results is not None)
    state = "working" if locked else "finished" if results else "stopped" if " received: " in error else "ended badly"
    return Status(
        path.name,
        state,
        counts["lines"],
        counts["trained"],
        latest[-1].get("best") if latest else None,
        pace,
        _left(described.get("parameters", {}), counts, latest, pace) if locked else None,
        _memory_of(process),
        process,
        error,
        str((results or {}).get("headline", "")),
    )


def _results(path: Path) -> Mapping[str, Any] | None:
    try:
        return read_json(path / "results.json")
    except StorageError:
        return None


def _counts(journal: Path) -> Counter[str]:
    """Lines by kind; nothing is parsed, so 50,000 lines take a tenth of a second."""
    counts = Counter[str]()
    try:
        with open(journal, "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                counts["lines"] += 1
                counts["finals"] += b'"purpose": "final"' in line
                counts["trained"] += not any(mark in line for mark in _UNTRAINED)
    except FileNotFoundError:
        pass
    return counts


def _parsed(lines: Sequence[str]) -> list[dict[str, Any]]:
    """Those of the lines that are whole records."""
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return [record for record in found if isinstance(record, dict)]


def _pace(records: Sequence[Mapping[str, Any]]) -> float | None:
    """Seconds per trial: the mean gap between ends without the longest tenth, as the stage may have rested."""
    told = [record["finished_at"] for record in records if record.get("finished_at")]
    ends = [datetime.fromisoformat(moment).timestamp() for moment in told]
    gaps = sorted(later - earlier for earlier, later in zip(ends, ends[1:]))
    kept = gaps[: len(gaps) - len(gaps) // 10]
    own = [float(record["seconds"]) for record in records if "seconds" in record]
    if len(kept) >= 2 and sum(kept) > 0 and gaps[0] >= 0:
        return sum(kept) / len(kept)
    return sum(own) / len(own) if own and sum(own) > 0 else None


def _left(
    limits: Mapping[str, Any], counts: Counter[str], latest: Sequence[Mapping[str, Any]], pace: float | None
) -> float | None:
    """Seconds until the first of the limits."""
    if pace is None:
        return None
    left = []
    for limit, kind in (("trials", "trained"), ("iterations", "finals")):
        if limits.get(limit) and counts[kind]:
            left.append((limits[limit] - counts[kind]) * pace * counts["lines"] / counts[kind])
    if limits.get("max_minutes"):
        left.append(60 * limits["max_minutes"] - latest[-1].get("elapsed", 0.0))
    return max(0.0, min(left)) if left else None


def _last_error(path: Path, anywhere: bool) -> str:
    """The stage's latest line in the run's log that tells of an error; its very last line, unless `anywhere`."""
    mine = [line for line in last_lines(path.parent / "log.txt", 2000, 1 << 19) if f" [{path.name}] " in line]
    errors = [line for line in (mine if anywhere else mine[-1:]) if _ERRORS.search(line)]
    return errors[-1].split("] ", 1)[1].split(" | ")[0] if errors else ""


def _memory_of(process: str) -> float | None:
    """Resident MiB of `process NUMBER on HOST`, if that is this machine."""
    match = re.fullmatch(r"process (\d+) on (.+)", process)
    if match is None or match[2] != platform.node():
        return None
    try:
        found = re.search(r"VmRSS:\s*(\d+)", Path(f"/proc/{match[1]}/status").read_text())
    except OSError:
        return None
    return int(found[1]) / 1024 if found else None


def _free_memory() -> str:
    try:
        found = dict(re.findall(r"(MemTotal|MemAvailable):\s*(\d+)", Path("/proc/meminfo").read_text()))
        return f"{int(found['MemAvailable']) / 2**20:.1f} of {int(found['MemTotal']) / 2**20:.1f} GiB"
    except (OSError, KeyError):
        return "unknown"

"""The folder of one stage of a run: exclusive, continued when opened again, refused when its parameters are others."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from alphaxenas.runs.checkpoint import Checkpoints
from alphaxenas.runs.description import RunMismatch, compare_stored, describe, holds_work, record_other_code
from alphaxenas.runs.events import Events
from alphaxenas.runs.files import EXP_DIR_HINT, read_json, storage_error, write_all, write_json
from alphaxenas.runs.journal import Journal
from alphaxenas.suggestions import invalid

LOCK_PATIENCE = 5.0
"""Seconds to wait for a stage in use: the kernel of a killed runner notices within a second or two that it is alone."""
LOOK = 0.3
"""Seconds to wait where this process itself had the stage open last: nobody looks at a lock for longer."""


class RunInUse(RuntimeError):
    """Another process works in this folder."""


class RunFolder:
    """Everything one stage of a run leaves behind; `RunFolder.open` makes it, `with` closes it.

    Attributes:
        name: `<run>/<stage>`.
        stage: For the log, `[stage]`.
        path: `exp_dir/<run>/<stage>`.
        tensorboard_path: `tensorboard_dir/<run>/<stage>`, one event file.
        journal: `trials.jsonl`.
        checkpoints: The last two states.
        figures: A folder for pictures, there from the start.
        parameters: As given, in JSON values.
        limits: Names of those that only end the stage.
        way_on: How the stage is continued after an interruption, for messages.
    """

    def __init__(
        self,
        run: str,
        stage: str,
        parameters: dict[str, Any],
        exp_dir: Path,
        tensorboard_dir: Path,
        lock: int,
        limits: Collection[str],
        overwrite: bool,
    ) -> None:
        self.limits = frozenset(limits) & parameters.keys()
        self.name, self.stage, self.parameters = f"{run}/{stage}", stage, parameters
        self.path, self.tensorboard_path = exp_dir / run / stage, tensorboard_dir / run / stage
        self.way_on = f"the same command {'without `overwrite` ' if overwrite else ''}continues"
        self.figures = self.path / "figures"
        self.figures.mkdir(exist_ok=True)
        self.journal = Journal(self.path / "trials.jsonl")
        self.checkpoints = Checkpoints(self.path / "checkpoints")
        self.event_start = 0
        self._events: Events | None = None
        self._lock: int | None = lock

    @classmethod
    def open(
        cls,
        run: str,
        stage: str,
        parameters: Mapping[str, Any],
        exp_dir: Path | str = "exp",
        tensorboard_dir: Path | str = "tensorboard_log",
        overwrite: bool = False,
        limits: Collection[str] = (),
        data: Mapping[str, Any] | None = None,
    ) -> RunFolder:
        """Opens a stage of a run, making it when it is new.

        One that was refused before it did any work, for a wrong parameter for example, is made anew where the
        parameters or data are others now: the correction is what its message asked for.

        Args:
            run: The run's name.
            stage: `data`, `alphaxenas-seed0`, `densenet` ...: letters, digits, `.`, `_`, `-`.
            parameters: JSON values that the stage's results depend on, seed included.
            exp_dir: Folder of all runs.
            tensorboard_dir: Folder of all event files.
            overwrite: Delete what is stored of this stage, event file included, and start anew.
            limits: Names of parameters that only end the stage: they may differ from the stored ones.
            data: What the stage learns from: `source` (a file, or a name) and `fingerprint`, see `ImageData.identity`.

        Raises:
            ValueError: A name that is no plain folder name.
            RunInUse: Another process has it open.
            RunMismatch: It holds work that was done with other parameters, or with other data.
            StorageError: It cannot be written.
        """
        for name, value in (("run", run), ("stage", stage)):
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", value):
                raise invalid(name, "letters, digits, '.', '_', '-'", repr(value))
        exp_dir, tensorboard_dir, path = Path(exp_dir), Path(tensorboard_dir), Path(exp_dir) / run / stage
        parameters = json.loads(json.dumps(dict(parameters)))
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = take_lock(path)
        except OSError as error:
            raise storage_error(error, path, EXP_DIR_HINT) from error
        try:
            if overwrite:
                _empty(path, tensorboard_dir / run / stage)
            record = path / "run.json"
            stored = read_json(record)
            if stored is not None:
                identity = {name: value for name, value in parameters.items() if name not in limits}
                try:
                    compare_stored(f"{run}/{stage}", stored, identity, data)
                except RunMismatch:
                    if holds_work(path):
                        raise
                    _empty(path, tensorboard_dir / run / stage)
                    stored = None
            if stored is None:
                write_json(record, describe(run, stage, parameters) | ({"data": dict(data)} if data else {}))
            elif not (path / "results.json").exists():
                record_other_code(f"{run}/{stage}", record, stored, parameters)
            return cls(run, stage, dict(parameters), exp_dir, tensorboard_dir, lock, limits, overwrite)
        except BaseException:
            os.close(lock)
            raise

    @property
    def events(self) -> Events:
        """The stage's one event writer, made when first asked for; `event_start` says at which step it goes on."""
        if self._events is None:
            self._events = Events(self.tensorboard_path, self.event_start)
        return self._events

    def log(self, message: str) -> None:
        """Adds a line to the run's log.txt, which a person follows with `tail -f`. Raises `StorageError`."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} [{self.stage}] {' '.join(message.split())}\n"
        log = self.path.parent / "log.txt"
        try:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                write_all(descriptor, line.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise storage_error(error, log, "The stage's records are untouched.") from error

    def write_results(self, results: Mapping[str, Any]) -> None:
        """Stores what the stage concluded. Its `headline` is what the run's summary shows. Raises `StorageError`."""
        write_json(self.path / "results.json", dict(results))

    def read_results(self) -> dict[str, Any] | None:
        """What `write_results` stored; None when the stage has not come that far."""
        return read_json(self.path / "results.json")

    def go_on(self) -> None:
        """Notes in run.json with which limits the stage goes on, and forgets the results of an earlier end."""
        record = self.path / "run.json"
        stored: dict[str, Any] = read_json(record) or {}
        known = stored["parameters"]
        changed = {name for name in self.limits if name in known and known[name] != self.parameters[name]}
        if changed:
            before = {name: known[name] for name in sorted(changed)}
            stored["limits_before"] = [*stored.get("limits_before", []), before]
            known |= {name: self.parameters[name] for name in changed}
            write_json(record, stored)
        if (self.path / "results.json").exists():
            record_other_code(self.name, record, stored, self.parameters)
            (self.path / "results.json").unlink()

    def close(self) -> None:
        """Closes all files and lets other processes in."""
        self.journal.close()
        if self._events is not None:
            self._events.close()
            self._events = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def take_lock(path: Path, patience: float | None = None) -> int:
    """An exclusive lock on a folder that ends with this process, however it ends.

    Args:
        path: The folder; it exists.
        patience: Seconds to wait for another process; None: `LOCK_PATIENCE`.

    Returns:
        The descriptor of its lock file, which names this process.

    Raises:
        RunInUse: Another process has it.
        OSError: The file cannot be written, or the file system has no locks.
    """
    begin, patience = time.monotonic(), LOCK_PATIENCE if patience is None else patience
    while True:
        lock = os.open(path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(lock, path / ".lock"):
                break
            os.close(lock)  # `alphaxenas clean` deleted the file meanwhile: another process would lock a new one
        except BlockingIOError:
            holder = os.pread(lock, 200, 0).decode(errors="replace").strip()
            os.close(lock)
            # This very process will not let go while it waits; but the name may be left of an earlier time, and
            # `alphaxenas status` hold the file for the moment in which it looks whether anybody does.
            if time.monotonic() - begin > (LOOK if holder == _myself() else patience):
                raise RunInUse(
                    f"The stage in {path} is in use by {holder or 'another process'}. "
                    "Wait for it, end it, or choose another name with `run`."
                ) from None
            time.sleep(0.2)
        except OSError:
            os.close(lock)
            raise
    try:
        os.ftruncate(lock, 0)
        write_all(lock, _myself().encode())
    except OSError:
        os.close(lock)
        raise
    return lock


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether a file that is open is the one under this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _myself() -> str:
    return f"process {os.getpid()} on {platform.node()}"


def _empty(path: Path, events: Path) -> None:
    # run.json goes first: without it the folder counts as new, so a kill in between leaves none with half its
    # records.
    (path / "run.json").unlink(missing_ok=True)
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != ".lock":
            entry.unlink()
    if events.is_dir():
        shutil.rmtree(events)

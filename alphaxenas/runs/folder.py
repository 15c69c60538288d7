"""The folder of one stage of a run: exclusive, continued when opened again, refused when its parameters are others."""

from __future__ import annotations

import fcntl
import json
import logging
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
from alphaxenas.runs.events import Events
from alphaxenas.runs.files import EXP_DIR_HINT, read_json, storage_error, write_all, write_json
from alphaxenas.runs.journal import Journal
from alphaxenas.runs.machine import git_revision, provenance
from alphaxenas.suggestions import invalid

_log = logging.getLogger(__name__)
LOCK_PATIENCE = 5.0
"""Seconds to wait for a stage in use: the kernel of a killed runner notices within a second or two that it is alone."""
LOOK = 0.3
"""Seconds to wait where this process itself had the stage open last: nobody looks at a lock for longer."""


class RunMismatch(ValueError):
    """The folder belongs to other parameters; the message names each with both values, and the way out."""


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
            RunMismatch: It is stored with other parameters, or was made of other data.
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
            if stored is None:
                write_json(record, _description(run, stage, parameters) | ({"data": dict(data)} if data else {}))
            else:
                identity = {name: value for name, value in parameters.items() if name not in limits}
                compare_stored(f"{run}/{stage}", stored, identity, data)
                if not (path / "results.json").exists():
                    _record_other_code(f"{run}/{stage}", record, stored, parameters)
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
            _record_other_code(self.name, record, stored, self.parameters)
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


def compare_stored(
    name: str, description: Mapping[str, Any], given: Mapping[str, Any], data: Mapping[str, Any] | None = None
) -> None:
    """Refuses other parameters and other data; what only one of the two records is no difference.

    Args:
        name: `<run>/<stage>`, for the message.
        description: Content of its run.json.
        given: Today's parameters, JSON values.
        data: Today's data, as for `RunFolder.open`.

    Raises:
        RunMismatch: Names each parameter with both values, or the changed file, and the way out.
    """
    stored, made_of = description["parameters"], description.get("data")
    if data and made_of and made_of["fingerprint"] != data["fingerprint"]:
        raise RunMismatch(
            f"The stage {name} was made of other images or labels than {data['source']} holds now (fingerprint "
            f"{made_of['fingerprint']} of {made_of['source']} then, {data['fingerprint']} now). Put the former file "
            "back to continue, choose another `run` name to keep both, or overwrite=True (run_all.sh --overwrite) to "
            "replace the stage."
        )
    differing = [key for key in given if key in stored and stored[key] != given[key]]
    if differing:
        lines = "; ".join(f"`{key}` is stored as {stored[key]!r}, now {given[key]!r}" for key in differing)
        raise RunMismatch(
            f"The stage {name} exists with other parameters: {lines}. Use the stored values to continue it, "
            "another `run` name to keep both, or overwrite=True (run_all.sh --overwrite) to replace it."
        )


def _record_other_code(name: str, record: Path, stored: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Warns when other code continues an unfinished stage, and notes it in run.json under `continued`."""
    known = stored["parameters"]
    note: dict[str, Any] = {
        "revision": git_revision(),
        "new_parameters": {key: value for key, value in given.items() if key not in known},
        "unknown_parameters": sorted(set(known) - set(given)),
    }
    before = stored.get("continued", [])
    same_code = note == {"revision": stored.get("revision"), "new_parameters": {}, "unknown_parameters": []}
    if same_code or (before and {**before[-1], "at": None} == {**note, "at": None}):
        return
    _log.warning(
        "The stage %s was begun by revision %s and is continued by revision %s (new parameters: %s; no longer "
        "known: %s). "
        "Its results mix both, which run.json records. Use overwrite=True (run_all.sh --overwrite) to repeat it.",
        name,
        stored.get("revision"),
        note["revision"],
        note["new_parameters"] or "none",
        ", ".join(note["unknown_parameters"]) or "none",
    )
    stored["continued"] = [*before, {**note, "at": time.strftime("%Y-%m-%dT%H:%M:%S%z")}]
    write_json(record, stored)


def _description(run: str, stage: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "format": 1,
        "run": run,
        "stage": stage,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seed": parameters.get("seed"),
        "parameters": dict(parameters),
        **provenance(),
    }

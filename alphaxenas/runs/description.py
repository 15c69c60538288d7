"""What a stage was made with, as its run.json says, and whether it may be continued with what is given now."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from alphaxenas.runs.checkpoint import read_checkpoint
from alphaxenas.runs.files import write_json
from alphaxenas.runs.machine import git_revision, provenance
from alphaxenas.suggestions import did_you_mean, invalid

_log = logging.getLogger(__name__)
MOMENT = 1.0
"""Seconds of work that a stage may lose where its parameters are corrected; see `holds_work`."""


class RunMismatch(ValueError):
    """The folder belongs to other parameters; the message names each with both values, and the way out."""


def holds_work(path: Path) -> bool:
    """Whether something would be lost with what is stored of a stage: records, results, or a state worth keeping.

    Args:
        path: The stage's folder; it need not exist.
    """
    stored = (file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    return any(file.name != "run.json" and file.stat().st_size and not _is_the_first_state(file) for file in stored)


def _is_the_first_state(file: Path) -> bool:
    """Whether a file is the checkpoint that every run begins with, not one of a first record in the making."""
    if not file.name.startswith(f"step-{0:09d}-"):
        return False
    try:
        return read_checkpoint(file).get("elapsed", MOMENT) < MOMENT
    except ValueError:
        return False


def compared_runs(names: str, exp_dir: Path, is_stored: Callable[[Path], bool]) -> list[str]:
    """The runs that the parameter `compare_with` names.

    Args:
        names: Names with commas between them; empty for none.
        exp_dir: Folder of all runs.
        is_stored: Whether the folder of a run, which need not exist, holds what is to be shown.

    Raises:
        ValueError: One of them is not stored; names the nearest that is.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if not is_stored(exp_dir / name):
            stored = [path.name for path in sorted(exp_dir.glob("*")) if is_stored(path)]
            received = f"{name!r}{did_you_mean(name, stored)}"
            raise invalid("compare_with", f"runs that are stored in {exp_dir}", received)
    return wanted


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


def record_other_code(name: str, record: Path, stored: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Warns when other code continues an unfinished stage, and notes it in run.json under `continued`.

    Args:
        name: `<run>/<stage>`, for the message.
        record: The stage's run.json.
        stored: Its content.
        given: Today's parameters, JSON values.
    """
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


def describe(run: str, stage: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a new run.json.

    Args:
        run: The run's name.
        stage: The stage's name.
        parameters: As given, JSON values.
    """
    return {
        "format": 1,
        "run": run,
        "stage": stage,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seed": parameters.get("seed"),
        "parameters": dict(parameters),
        **provenance(),
    }

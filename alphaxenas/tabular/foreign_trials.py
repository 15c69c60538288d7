"""Results of other searches, read from a file as experience for a controller; see `alphaxenas.coach`."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alphaxenas.contracts import Budget, Outcome, Proposal, SearchSpace
from alphaxenas.suggestions import invalid

COLUMNS = ("architecture", "reward", "budget")
IMPORTED = "imported"
"""Purpose of a proposal that another search made."""


def read_foreign_trials(path: Path | str, space: SearchSpace, budget: Budget) -> list[Outcome]:
    """The trials of another search at the search budget, each architecture once, in the order of the file.

    A CSV file with the columns `architecture`, `reward` and `budget`, or JSON lines with these names, such as the
    journal of another run (`epochs` is a budget too, `fraction` the share of the images, by default that of this
    search, and lines that trained nothing are passed over). An architecture that is there several times has the mean
    of its rewards. Rewards at other budgets cannot be compared, and are left out.

    Args:
        path: The file; `.csv`, or else JSON lines.
        space: Where the architectures live; they are written as this space writes them.
        budget: That children are searched with.

    Returns:
        Outcomes of purpose `IMPORTED`.

    Raises:
        ValueError: The file cannot be read, a line is not a trial of this space, or none has this budget; names file
            and line.
    """
    path = Path(path)
    rewards: dict[str, list[float]] = {}
    tokens_of: dict[str, tuple[int, ...]] = {}
    other, number = set[float](), 0
    for number, row in _rows(path):
        if row.get("status", "ok") != "ok" or row.get("purpose") == "refresh" or "cached" in (row.get("metrics") or {}):
            continue
        where = f"line {number} of {path}"
        architecture, reward, epochs, fraction = _trial({"fraction": budget.fraction, **row}, where)
        try:
            found = space.parse(architecture)
            tokens = tuple(space.encode(found))
            key = space.key(space.decode(tokens))
        except ValueError as error:
            raise _invalid(
                f"an architecture of the searched space in {where}", f"{architecture!r} ({error})"
            ) from error
        if (epochs, fraction) != (budget.epochs, budget.fraction):
            other.add(epochs)
            continue
        rewards.setdefault(key, []).append(reward)
        tokens_of.setdefault(key, tokens)
    if not rewards:
        seen = f"budgets {', '.join(f'{epochs:g}' for epochs in sorted(other))}" if other else "no trials"
        wanted = f"trials with the budget of the search, {budget.epochs} epochs of {budget.fraction:.0%} of the images"
        raise _invalid(f"{wanted}, in {path}", seen)
    return [
        Outcome(Proposal(place, tokens_of[key], budget, IMPORTED), sum(found) / len(found))
        for place, (key, found) in enumerate(rewards.items())
    ]


def content_of(path: Path | str) -> str:
    """The first 16 digits of a file's SHA-256, for run.json: another content is refused when a run is continued."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Lines with their numbers from 1, the header of a CSV file included in the count."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            if path.suffix == ".csv":
                reader = csv.DictReader(file, strict=True)
                missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
                if missing:
                    raise _invalid(f"the columns {', '.join(COLUMNS)} in {path}", f"{reader.fieldnames}")
                for row in reader:
                    yield reader.line_num, row
                return
            for number, line in enumerate(file, 1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise _invalid(f"a CSV file, or JSON lines, in {path}", f"line {number}: {line.strip()[:80]}")
                    yield number, row
    except (OSError, csv.Error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _invalid(f"a CSV file, or JSON lines, in {path}", str(error)) from error


def _trial(row: Mapping[str, Any], where: str) -> tuple[str, float, float, float]:
    """Architecture, reward, epochs and share of the images of a row."""
    budget = row.get("budget", row.get("epochs"))
    values = {"reward": row.get("reward"), "budget": budget, "fraction": row["fraction"]}
    numbers = {}
    for name, value in values.items():
        try:
            numbers[name] = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            numbers[name] = math.nan
    if not 0 <= numbers["reward"] <= 1:
        raise _invalid(f"a `reward` from 0 to 1 in {where}", repr(values["reward"]))
    if not (numbers["budget"] >= 0 and math.isfinite(numbers["budget"])):
        raise _invalid(f"a `budget` in epochs in {where}", repr(values["budget"]))
    if not 0 < numbers["fraction"] <= 1:
        raise _invalid(f"a `fraction` of the images above 0, at most 1, in {where}", repr(values["fraction"]))
    architecture = row.get("architecture")
    if isinstance(architecture, (dict, list)):
        architecture = json.dumps(architecture)
    if not isinstance(architecture, str) or not architecture.strip():
        raise _invalid(f"an `architecture` in {where}", repr(architecture))
    return architecture, numbers["reward"], numbers["budget"], numbers["fraction"]


def _invalid(expected: str, received: str) -> ValueError:
    return invalid("import_trials", expected, received)

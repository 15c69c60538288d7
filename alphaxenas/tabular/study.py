"""The study runner: controllers x tables x seeds, one small journal per search, continued where it stopped.

A search on a table takes milliseconds to minutes, so a search is the unit: its journal is written at its end, at once
and atomically, and a search that was interrupted starts again. Searches are spread over processes; each uses one thread
and its own seed, so the journals do not depend on how many processes there were.

A journal, `<study>/journals/<table>/<controller>/seed17.jsonl`, is all that the report reads:

    {"table": {...}, "controller": "uct", "settings": {...}, "code": "...", "seed": 17, ...}       the parameters
    [10311, 93.66, 93.2, 2011.5]          one line per query: row of the table, signal, report or null, cost or null
    {"after": 20, "diagnostics": {...}}   now and then: what the controller tells of itself
    {"ended": "found", "queries": 212, "missing": 0, "cpu_seconds": 0.005}

Of a table with several signals the last line also holds `volume`, the share of the table's hypervolume that the search
has found; it ends at its cap.

Queries are counted once per architecture. `found` means success: a row that meets the target was queried. `missing`
counts proposals that are not in the table: they are no queries, and their outcome has the status `"missing"`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.controllers.catalogue import resolved_settings
from alphaxenas.runs import Interruption, RunFolder, RunMismatch, first_and_last, git_revision, write_atomically
from alphaxenas.runs.watch import progress_bar
from alphaxenas.suggestions import invalid
from alphaxenas.tabular.benchmark_tables import BenchmarkTable
from alphaxenas.tabular.choices import OPTIMA, ControllerChoice, TableChoice
from alphaxenas.tabular.table_search import Trace, goal_rows, load_table, make, run_search, volume_share
from alphaxenas.workers.processes import JobError, run_jobs

_log = logging.getLogger(__name__)

STAGE = "study"
"""Name of the stage that a study is, in the folder of its run."""
FORMAT = 1
_COMPARED = ("format", "table", "controller", "settings", "code", "seed", "cap", "target")
"""What must be equal for a stored journal to be kept. A journal of an older version has no `settings` and no `code`: it
is refused, because its defaults are not known.
"""
_CODE = ("contracts.py", "seeds.py", "controllers", "spaces", "tabular")


@dataclass(frozen=True)
class Search:
    """One search of a study.

    Attributes:
        table: Where it searches.
        controller: Who searches.
        header: The first line of its journal.
        path: Its journal.
    """

    table: TableChoice
    controller: ControllerChoice
    header: dict[str, Any]
    path: Path


def check_study(
    tables: Sequence[TableChoice],
    controllers: Sequence[ControllerChoice],
    seeds: Sequence[int],
    cap: int,
    target: str = OPTIMA[0],
    processes: int = 1,
) -> None:
    """Reads every table and makes every controller, so that an impossible study opens and empties no file.

    Args:
        tables: Where to search; at least one, with different names.
        controllers: Who searches; at least one.
        seeds: Of the searches; at least one, all different.
        cap: Queries at most, >= 1.
        target: What a search has to meet to succeed, see `goal_rows`.
        processes: Searches at the same time, >= 1.

    Raises:
        ValueError: A table, a controller, a number or the target is impossible; names it, a table with file, row and
            column.
    """
    for name, holds, expected, value in (
        (
            "tables",
            len({table.name for table in tables}) == len(tables) > 0,
            "at least one, with different names",
            [table.name for table in tables],
        ),
        ("controllers", len(controllers) > 0, "at least one", []),
        ("seeds", len(set(seeds)) == len(seeds) > 0, "at least one, each once", list(seeds)),
        ("cap", cap >= 1, "a whole number >= 1", cap),
        ("processes", processes >= 1, "a whole number >= 1", processes),
    ):
        if not holds:
            raise invalid(name, expected, value)
    for choice in tables:
        table = load_table(choice)
        goal_rows(table, target)
        for controller in controllers:
            try:
                make(controller, table, seeds[0])
            except TypeError as error:
                raise invalid(
                    "controllers", f"settings of {controller.name}", f"{controller.label} ({error})"
                ) from error


def run_study(
    folder: RunFolder,
    tables: Sequence[TableChoice],
    controllers: Sequence[ControllerChoice],
    seeds: Iterable[int],
    cap: int,
    target: str = "optimum",
    processes: int = 1,
) -> dict[str, str]:
    """Runs every controller on every table with every seed; what is stored and whole is kept.

    Tables, controllers and seeds may be added later; everything else has to stay.

    Args:
        folder: An open run folder.
        tables: Where to search.
        controllers: Who searches, with default settings or others.
        seeds: Of the searches; equal seeds are paired.
        cap: Queries at most.
        target: What a search has to meet to succeed, see `goal_rows`.
        processes: Searches at the same time.

    Returns:
        Why searches failed, by journal; empty when none did. A failed search is started again next time.

    Raises:
        ValueError: A table, a controller or a number is impossible; nothing was searched.
        RunMismatch: A stored journal has other parameters.
        Stopped: SIGTERM arrived; what was finished is recorded.
        KeyboardInterrupt: The same for Ctrl-C.
        StorageError: Journals could not be read or written.
    """
    seeds = tuple(seeds)
    check_study(tables, controllers, seeds, cap, target, processes)
    searches = _searches(folder.path / "journals", tables, controllers, seeds, cap, target)
    left = [search for search in searches if not _is_finished(search)]
    folder.log(f"study of {len(searches)} searches, {len(searches) - len(left)} of them finished earlier")
    failures: dict[str, str] = {}
    recorded = len(searches) - len(left)
    with Interruption(5.0, folder.way_on) as interruption, progress_bar(len(searches), recorded, "search") as bar:

        def check() -> None:
            if interruption.requested:
                saved = f"{folder.name}: {recorded} of {len(searches)} searches are recorded"
                folder.log(f"{interruption.requested} received: {saved}; {folder.way_on}")
                interruption.leave_if_requested(saved)

        for search, answer in run_jobs(_search_and_record, left, min(processes, max(1, len(left))), check):
            recorded += 1
            bar.update()
            if isinstance(answer, JobError):
                name = str(search.path.relative_to(folder.path / "journals").with_suffix(""))
                failures[name] = answer.reason
                folder.log(f"{name} failed: {answer.reason}")
                _write(search, [], {"ended": "failed", "reason": answer.reason})
    folder.log(f"study finished: {len(searches) - len(failures)} searches recorded, {len(failures)} failed")
    return failures


def code_hash() -> str:
    """Hash of the code that a search on a table depends on, so that results of different code are never mixed."""
    digest, package = hashlib.sha256(), Path(__file__).resolve().parents[1]
    for room in _CODE:
        place = package / room
        for path in [place] if place.suffix else sorted(place.rglob("*.py")):
            digest.update(path.relative_to(package).as_posix().encode())
            digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]


def file_hash(path: Path | str) -> str:
    """SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _searches(
    place: Path,
    tables: Sequence[TableChoice],
    controllers: Sequence[ControllerChoice],
    seeds: Sequence[int],
    cap: int,
    target: str,
) -> list[Search]:
    """All searches, ordered by seed, so that an interrupted study has every controller for its first seeds."""
    headers: dict[TableChoice, dict[str, Any]] = {}
    code = {"code": code_hash(), "revision": git_revision()}
    for choice in tables:
        table, sha256 = load_table(choice), file_hash(choice.path)
        goals = goal_rows(table, target)
        headers[choice] = {
            "format": FORMAT,
            "table": {**choice.description(), "sha256": sha256},
            "rows": len(table),
            "goals": len(goals),
            "threshold": float(min(table.signal[row] for row in goals)) if goals else None,
            "optimum": table.optimum,
            "best_report": None if table.report is None else float(np.max(table.report)),
        }
    return [
        Search(
            table,
            controller,
            {
                **headers[table],
                "controller": controller.label,
                "settings": resolved_settings(controller.name, dict(controller.settings)),
                **code,
                "seed": seed,
                "cap": cap,
                "target": target,
            },
            place / table.name / controller.folder / f"seed{seed}.jsonl",
        )
        for seed in seeds
        for table in tables
        for controller in controllers
    ]


def _is_finished(search: Search) -> bool:
    """Whether a search is recorded and need not be repeated.

    Raises:
        RunMismatch: It is recorded with other parameters.
    """
    try:
        stored, ended = first_and_last(search.path)
    except FileNotFoundError:
        return False
    differing = [line for name in _COMPARED for line in _differences(name, stored.get(name), search.header[name])]
    if differing:
        raise RunMismatch(
            f"The search {search.path} is stored with other parameters or was made by other code: "
            f"{'; '.join(differing)}. Use the stored values to continue "
            "the study, another `run` name to keep both, or overwrite to replace it."
        )
    return ended["ended"] != "failed"


def _differences(name: str, stored: Any, given: Any) -> list[str]:
    if isinstance(given, Mapping) and isinstance(stored, Mapping):
        return [line for key in given for line in _differences(f"{name}.{key}", stored.get(key), given[key])]
    return [] if stored == given else [f"`{name}` is stored as {stored!r}, now {given!r}"]


def _search_and_record(search: Search) -> None:
    """The work of one process: searches and writes the journal."""
    table = load_table(search.table)
    started = time.process_time()
    header = search.header
    trace = run_search(
        table, make(search.controller, table, header["seed"]), header["cap"], goal_rows(table, header["target"])
    )
    ended = {
        "ended": trace.ended,
        "queries": len(trace.rows),
        "missing": trace.not_in_table,
        "cpu_seconds": round(time.process_time() - started, 4),
    }
    if table.objectives is not None:
        ended["volume"] = round(volume_share(table, trace.rows), 6)
    _write(search, _lines(table, trace), ended)


def _lines(table: BenchmarkTable, trace: Trace) -> list[str]:
    rows = np.array(trace.rows, dtype=np.int64)
    columns = [
        ["null"] * len(rows) if column is None else map(repr, column[rows].tolist())
        for column in (table.signal, table.report, table.cost)
    ]
    lines = [f"[{row}, {signal}, {report}, {cost}]" for row, signal, report, cost in zip(trace.rows, *columns)]
    for after, diagnostics in reversed(trace.diagnostics):
        lines.insert(after, json.dumps({"after": after, "diagnostics": diagnostics}))
    return lines


def _write(search: Search, lines: Sequence[str], ended: Mapping[str, Any]) -> None:
    search.path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join([json.dumps(search.header), *lines, json.dumps(ended), ""])
    write_atomically(search.path, text.encode())

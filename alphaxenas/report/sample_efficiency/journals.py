"""The journals of a study (`alphaxenas.tabular.study` writes them), loaded for reading: parameters and end at once,
queries when asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.report.runs import NAMES
from alphaxenas.runs import first_and_last


@dataclass(frozen=True, eq=False)
class Search:
    """The journal of one search.

    Attributes:
        header: Its parameters.
        ended: Its last line.
        path: The file; what lies between is read when it is asked for.
    """

    header: Mapping[str, Any]
    ended: Mapping[str, Any]
    path: Path

    @property
    def table(self) -> str:
        """Name of the table."""
        return self.header["table"]["name"]

    @property
    def controller(self) -> str:
        """Label of the controller, settings included."""
        return self.header["controller"]

    @property
    def seed(self) -> int:
        """Seed of the search."""
        return self.header["seed"]

    @property
    def found(self) -> bool:
        """Whether it met the target."""
        return self.ended["ended"] == "found"

    @property
    def queries(self) -> int:
        """Queries up to and including the one that met the target; the cap where none did."""
        return self.ended["queries"] if self.found else self.header["cap"]

    @cached_property
    def columns(self) -> np.ndarray:
        """Row, signal, report and cost by query, `[queries, 4]`; NaN where the table has no such column."""
        queries = json.loads(f"[{','.join(line for line in self._lines() if line.startswith('['))}]")
        return np.array(queries, dtype=float).reshape(-1, 4)

    @cached_property
    def best(self) -> np.ndarray:
        """Best signal so far by query, `[queries]`."""
        return np.maximum.accumulate(self.columns[:, 1])

    @cached_property
    def selected_report(self) -> np.ndarray:
        """Report of the architecture with the best signal so far, the first among equals, by query, `[queries]`."""
        signal, report = self.columns[:, 1], self.columns[:, 2]
        new = np.concatenate([[True], signal[1:] > self.best[:-1]])[: len(signal)]
        return report[np.maximum.accumulate(np.where(new, np.arange(len(signal)), 0))]

    @cached_property
    def diagnostics(self) -> list[tuple[int, dict[str, float]]]:
        """Queries so far, and what the controller told of itself then."""
        records = [json.loads(line) for line in self._lines() if line.startswith('{"after"')]
        return [(record["after"], record["diagnostics"]) for record in records]

    def _lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8").splitlines()


@dataclass(frozen=True, eq=False)
class Study:
    """All finished searches of a study.

    Attributes:
        searches: By table, controller and seed.
        failed: `(table, controller, seed, reason)` of the searches that failed.
    """

    searches: Mapping[tuple[str, str, int], Search]
    failed: Sequence[tuple[str, str, int, str]]

    def of(self, table: str, controller: str) -> dict[int, Search]:
        """The searches of one controller on one table, by seed.

        Args:
            table: Name of the table.
            controller: Label of the controller.
        """
        return {
            seed: search for (where, who, seed), search in self.searches.items() if (where, who) == (table, controller)
        }

    @property
    def tables(self) -> list[str]:
        """Names of the tables, in order of appearance."""
        return list(dict.fromkeys(table for table, _, _ in self.searches))

    @property
    def goals(self) -> dict[str, int]:
        """Table to the number of its rows that count as success."""
        return {search.table: search.header["goals"] for search in self.searches.values()}

    @property
    def controllers(self) -> list[str]:
        """Labels of the controllers, in order of appearance."""
        return list(dict.fromkeys(controller for _, controller, _ in self.searches))


def name_of(controller: str) -> str:
    """How a controller is called: `GuidedSearch, plan=rollouts`."""
    name, colon, settings = controller.partition(":")
    shown = NAMES.get(name, name)
    if "values=" in settings:
        shown = shown.partition(" (")[0]
    return shown + (f", {settings.replace(',', ', ')}" if colon else "")


def load_study(
    folder: Path | str,
    controllers: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    tables: Sequence[str] | None = None,
) -> Study:
    """The stored searches of a study.

    Args:
        folder: Run folder of the study.
        controllers: Only these labels, in this order; None = all, in the order of their names.
        seeds: Only these seeds; None = all.
        tables: Only these tables, in this order; None = all.

    Raises:
        StorageError: A journal is damaged.
    """
    searches, failed = {}, []
    for path in sorted(
        Path(folder, "journals").glob("*/*/seed*.jsonl"), key=lambda path: (path.parts[-3:-1], int(path.stem[4:]))
    ):
        search = Search(*first_and_last(path), path)
        place = (search.table, search.controller, search.seed)
        if any(wanted is not None and part not in wanted for wanted, part in zip((tables, controllers, seeds), place)):
            continue
        if search.ended["ended"] == "failed":
            failed.append((*place, search.ended["reason"]))
        else:
            searches[place] = search
    order: list[list[Any]] = [list(wanted) if wanted is not None else [] for wanted in (tables, controllers)]
    keys = sorted(searches, key=lambda place: [each.index(part) if each else 0 for each, part in zip(order, place)])
    return Study({key: searches[key] for key in keys}, failed)

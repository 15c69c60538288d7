"""How many queries a search needs, from the journals of a study alone (`alphaxenas.report.sample_efficiency.journals`
reads them).

A query is one architecture, counted once. A search that ends without success, at its cap or because its space is
exhausted, counts as its cap: the mean is then a restricted mean, a lower bound of the true one, and is only meaningful
with the share found beside it. Searches of equal seed on one table are paired, and verdicts follow
`alphaxenas.report.statistics`: intervals by Student's t, exact signed-rank tests, Holm's correction over all pairs and
tables.

Source: Lindauer & Hutter 2020, "Best practices for scientific research on NAS".
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alphaxenas.report.sample_efficiency.journals import Study, name_of
from alphaxenas.report.statistics import Comparison, Course, Interval, compare_many, course, interval
from alphaxenas.suggestions import invalid

_POINTS = 160


@dataclass(frozen=True)
class Efficiency:
    """What one controller needed on one table.

    Attributes:
        table: Name of the table.
        controller: Label of the controller.
        queries: Restricted mean over seeds with its interval: a search without success counts as the cap.
        median: Median over seeds.
        found: Share of the searches that met the target.
        failed: Searches that ended in an error; they are in no other number.
        missing: Proposals per search that the table lacks.
        seconds: CPU seconds of all searches together.
        asked: Queries of all searches together.
        cap: What a search without success counts as.
    """

    table: str
    controller: str
    queries: Interval
    median: float
    found: float
    failed: int
    missing: float
    seconds: float
    asked: int
    cap: int

    @property
    def kind(self) -> str:
        """What the mean is: restricted where a search had no success."""
        return "mean" if self.found == 1 else "restricted mean"


@dataclass(frozen=True)
class Contrast:
    """Two controllers on one table, seed by seed.

    Attributes:
        table: Name of the table.
        first: Label of the controller with fewer queries on average.
        second: Label of the other.
        saved: Queries that the first saves: second - first.
    """

    table: str
    first: str
    second: str
    saved: Comparison


def efficiencies(study: Study) -> list[Efficiency]:
    """What every controller needed on every table."""
    found = []
    for table, controller in itertools.product(study.tables, study.controllers):
        searches = list(study.of(table, controller).values())
        if not searches:
            continue
        queries = [search.queries for search in searches]
        spread, ends = interval(queries), [search.ended for search in searches]
        found.append(
            Efficiency(
                table,
                controller,
                queries=replace(spread, low=spread.low and max(1.0, spread.low)),
                median=float(np.median(queries)),
                found=float(np.mean([search.found for search in searches])),
                failed=sum(failure[:2] == (table, controller) for failure in study.failed),
                missing=float(np.mean([end["missing"] for end in ends])),
                seconds=sum(end["cpu_seconds"] for end in ends),
                asked=sum(end["queries"] for end in ends),
                cap=searches[0].header["cap"],
            )
        )
    return found


def contrasts(study: Study, against: str | None = None) -> list[Contrast]:
    """Every two controllers on every table, by the seeds that both have; p-values corrected over all of them.

    Args:
        study: The searches.
        against: Only pairs with this controller; None = all pairs.
    """
    pairs = {}
    for table in study.tables:
        for pair in itertools.combinations(study.controllers, 2):
            if against is not None and against not in pair:
                continue
            searches = [study.of(table, controller) for controller in pair]
            queries = [
                {seed: float(each[seed].queries) for seed in each if seed in other}
                for each, other in zip(searches, searches[::-1])
            ]
            if queries[0]:
                fewer, more = sorted((0, 1), key=lambda place: np.mean(list(queries[place].values())))
                pairs[table, pair[fewer], pair[more]] = queries[more], queries[fewer]
    return [Contrast(*names, saved) for names, saved in compare_many(pairs).items()]


def regret_course(study: Study, table: str, measure: str = "signal", cost: str = "queries") -> Course | None:
    """Mean regret so far: the best value of the table, less that of the architecture with the best signal so far.

    A search that has ended keeps its last regret: at the optimum that is 0, at the cap what it would have with more.

    Args:
        study: The searches.
        table: Name of the table.
        measure: `"signal"`, or `"report"`: the report column of the architecture that the signal selects.
        cost: `"queries"`, or `"seconds"`, the simulated time of the cost column.

    Returns:
        None where the table has no such column.

    Raises:
        ValueError: Unknown measure or cost.
    """
    for name, value, options in (("measure", measure, ("signal", "report")), ("cost", cost, ("queries", "seconds"))):
        if value not in options:
            raise invalid(name, f"one of {', '.join(options)}", repr(value))
    spent: dict[str, list[np.ndarray]] = {}
    regret: dict[str, list[np.ndarray]] = {}
    for controller in study.controllers:
        for search in study.of(table, controller).values():
            if not len(search.columns):
                continue
            costs = np.arange(1.0, len(search.columns) + 1) if cost == "queries" else np.cumsum(search.columns[:, 3])
            best = search.header["optimum" if measure == "signal" else "best_report"]
            if best is None or np.isnan(costs[-1]):
                return None
            spent.setdefault(controller, []).append(costs)
            reached = search.best if measure == "signal" else search.selected_report
            regret.setdefault(controller, []).append(best - reached)
    if not spent:
        return None
    every = [costs for group in spent.values() for costs in group]
    last = max(costs[-1] for costs in every)
    if cost == "queries":
        grid = np.unique(np.round(np.geomspace(1, max(last, 2), _POINTS)))
    else:
        grid = np.geomspace(max(1e-9, min(costs[0] for costs in every)), last, _POINTS)

    def on_grid(costs: np.ndarray, values: np.ndarray) -> np.ndarray:
        return np.concatenate([[np.nan], values])[np.searchsorted(costs, grid * (1 + 1e-12), side="right")]

    return course(grid, {name: np.stack(list(map(on_grid, spent[name], regret[name]))) for name in spent})


def verdict(study: Study, controller: str) -> list[str]:
    """For every table, than which controllers this one is shown to need fewer queries, and than which it is not.

    Args:
        study: The searches.
        controller: Label of the controller.

    Returns:
        One sentence per table; what is not shown is said first. P-values are corrected over all tables and controllers.
    """
    sentences = []
    compared = contrasts(study, against=controller)
    for ours in efficiencies(study):
        here = [each for each in compared if each.table == ours.table]
        if ours.controller != controller or not here:
            continue
        fewer = [name_of(each.second) for each in here if each.first == controller and each.saved.shown]
        others = [name_of(each.second if each.first == controller else each.first) for each in here]
        rest = [name for name in others if name not in fewer]
        parts = [f"**not shown** to need fewer queries than {', '.join(rest)}"] if rest else []
        parts += [f"shown to need fewer than {', '.join(fewer)}"] if fewer else []
        spread = "" if ours.queries.low is None else f" [{ours.queries.low:,.1f}, {ours.queries.high:,.1f}]"
        sentences.append(
            f"{ours.table}: {name_of(controller)} ({ours.kind} {ours.queries.mean:,.1f}{spread} queries, target found "
            f"by {ours.found:.0%} of {ours.queries.count} searches) is {'; '.join(parts)}."
        )
    return sentences


def as_json(study: Study) -> list[dict[str, Any]]:
    """The efficiencies as JSON values."""
    return [
        {
            "table": each.table,
            "controller": each.controller,
            "seeds": each.queries.count,
            "mean": each.queries.mean,
            "kind": each.kind,
            "median": each.median,
            "interval": [each.queries.low, each.queries.high],
            "found": each.found,
            "cap": each.cap,
            "failed": each.failed,
            "missing": each.missing,
            "seconds": round(each.seconds, 3),
            "seconds_per_search": round(each.seconds / each.queries.count, 5),
        }
        for each in efficiencies(study)
    ]


def volumes(study: Study, table: str) -> dict[str, list[float | None]]:
    """Shares of a table's hypervolume that the controllers found: mean over seeds and its interval.

    Args:
        study: The searches.
        table: Name of a table; the result is empty where it has one signal.

    Returns:
        By label `[mean, low, high]`, the interval None with one seed.
    """
    found = {}
    for controller in study.controllers:
        shares = [search.ended["volume"] for search in study.of(table, controller).values() if "volume" in search.ended]
        if shares:
            part = interval(shares)
            found[controller] = [part.mean, part.low, part.high]
    return found


def as_text(study: Study) -> str:
    """The efficiencies as a table of plain text, a block per table; searches without success count as their cap."""
    lines = []
    for table in study.tables:
        if shares := volumes(study, table):
            lines.append(f"{table}; share of the hypervolume found after the cap, mean over seeds")
            lines += [f"  {name_of(label):34} {mean:8.4%}" for label, (mean, _, _) in shares.items()]
            continue
        lines.append(f"{table}; rows that count as success: {study.goals[table]:,}")
        lines.append(
            f"  {'controller':34} {'seeds':>5} {'found':>6} {'restr. mean':>11} {'95 % interval':>19} {'median':>9} "
            f"{'CPU s':>8} {'s/search':>9}"
        )
        for each in efficiencies(study):
            if each.table == table:
                spread = "-" if each.queries.low is None else f"[{each.queries.low:,.1f}, {each.queries.high:,.1f}]"
                lines.append(
                    f"  {name_of(each.controller):34} {each.queries.count:5} {each.found:6.0%} "
                    f"{each.queries.mean:11,.1f} {spread:>19} {each.median:9,.1f} {each.seconds:8.1f} "
                    f"{each.seconds / each.queries.count:9.4f}"
                )
    return "\n".join(lines)


def headline(study: Study) -> str:
    """The best controller of every table in one line."""
    parts = []
    for table in study.tables:
        if shares := volumes(study, table):
            leader, (mean, _, _) = max(shares.items(), key=lambda pair: pair[1][0] or 0.0)
            parts.append(f"{table}: {name_of(leader)} with {mean:.2%} of the hypervolume")
            continue
        best = min((each for each in efficiencies(study) if each.table == table), key=lambda each: each.queries.mean)
        parts.append(f"{table}: {name_of(best.controller)} with {best.queries.mean:,.1f} queries")
    return "; ".join(parts) or "no search is recorded"

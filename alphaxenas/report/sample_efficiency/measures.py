"""How many queries a search needs, from the journals of a study alone (`alphaxenas.report.sample_efficiency.journals`
reads them).

A query is one architecture, counted once. A search that ends without success, at its cap or because its space is
exhausted, counts as its cap: means are then lower bounds, and the share found says so. Searches of equal seed on one
table are paired.

Intervals: percentile bootstrap over seeds, as in `alphaxenas.report.statistics`. Tests between two controllers:
Wilcoxon's signed ranks, with Holm's correction over all pairs and tables. Over all controllers: Friedman's test and
Nemenyi's critical difference of mean ranks, blocks being tables and seeds; blocks of one table share the table, so this
speaks of new seeds, not of new tables.

Sources: Holm 1979, "A simple sequentially rejective multiple test procedure"; Demšar 2006, "Statistical comparisons of
classifiers over multiple data sets", section 3.2; Lindauer & Hutter 2020, "Best practices for scientific research on
NAS".
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alphaxenas.report.sample_efficiency.journals import Study, name_of
from alphaxenas.report.statistics import Interval, bootstrap_bounds, interval, wilcoxon_p

SIGNIFICANT = 0.05
_POINTS = 160


@dataclass(frozen=True)
class Efficiency:
    """What one controller needed on one table.

    Attributes:
        table: Name of the table.
        controller: Label of the controller.
        queries: Interval of the mean over seeds; with searches that did not succeed a lower bound.
        median: Median over seeds.
        found: Share of the searches that met the target.
        failed: Searches that ended in an error; they are in no other number.
        missing: Proposals per search that the table lacks.
        seconds: CPU seconds of all searches together.
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
    cap: int


@dataclass(frozen=True)
class Contrast:
    """Two controllers on one table, seed by seed.

    Attributes:
        table: Name of the table.
        first: Label of the controller with fewer queries on average.
        second: Label of the other.
        difference: Interval of second - first: queries that the first saves.
        p_value: Wilcoxon's signed-rank test, two-sided; 1 where all pairs are equal.
        corrected: The same after Holm's correction over all contrasts that were asked for together.
    """

    table: str
    first: str
    second: str
    difference: Interval
    p_value: float
    corrected: float


@dataclass(frozen=True)
class Ranking:
    """Mean ranks of controllers over tables and seeds, 1 = fewest queries.

    Attributes:
        ranks: Label to mean rank.
        blocks: Number of tables and seeds that all controllers have searched.
        p_value: Friedman's test that all are equally good.
        critical: Mean ranks that differ by more are different at the level `SIGNIFICANT` (Nemenyi).
    """

    ranks: Mapping[str, float]
    blocks: int
    p_value: float
    critical: float


@dataclass(frozen=True, eq=False)
class Course:
    """How controllers came along on one table, as means over seeds.

    Attributes:
        grid: Queries or seconds, ascending, `[points]`.
        mean: Label to mean, `[points]`; NaN before every search has something to show.
        low: Label to the lower end of its 95 % interval; labels with a single seed are missing.
        high: The same for the upper end.
    """

    grid: np.ndarray
    mean: Mapping[str, np.ndarray]
    low: Mapping[str, np.ndarray]
    high: Mapping[str, np.ndarray]


def efficiencies(study: Study) -> list[Efficiency]:
    """What every controller needed on every table."""
    found = []
    for table, controller in itertools.product(study.tables, study.controllers):
        searches = list(study.of(table, controller).values())
        if not searches:
            continue
        queries = [search.queries for search in searches]
        found.append(
            Efficiency(
                table,
                controller,
                interval(queries),
                float(np.median(queries)),
                float(np.mean([search.found for search in searches])),
                sum(failure[:2] == (table, controller) for failure in study.failed),
                float(np.mean([search.ended["missing"] for search in searches])),
                sum(search.ended["cpu_seconds"] for search in searches),
                searches[0].header["cap"],
            )
        )
    return found


def contrasts(study: Study, against: str | None = None) -> list[Contrast]:
    """Every two controllers on every table, by the seeds that both have; p-values corrected over all of them.

    Args:
        study: The searches.
        against: Only pairs with this controller; None = all pairs.
    """
    found = []
    for table in study.tables:
        for pair in itertools.combinations(study.controllers, 2):
            if against is not None and against not in pair:
                continue
            searches = [study.of(table, controller) for controller in pair]
            seeds = sorted(searches[0].keys() & searches[1].keys())
            if not seeds:
                continue
            queries = [[each[seed].queries for seed in seeds] for each in searches]
            order = sorted((0, 1), key=lambda place: np.mean(queries[place]))
            differences = np.subtract(queries[order[1]], queries[order[0]])
            p_value = wilcoxon_p(differences)
            found.append(
                (table, pair[order[0]], pair[order[1]], interval(differences), 1.0 if p_value is None else p_value)
            )
    return [Contrast(*values, corrected) for values, corrected in zip(found, holm([values[-1] for values in found]))]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction: p-values in the same order, each for the whole family; at most 1."""
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values, float)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return corrected.tolist()


def ranking(study: Study) -> Ranking | None:
    """Mean ranks over the tables and seeds that all controllers have searched; None with too little to rank.

    Friedman's test needs three controllers; with two its p-value is Wilcoxon's.
    """
    from scipy.stats import friedmanchisquare, rankdata, studentized_range

    controllers = study.controllers
    blocks = []
    for table in study.tables:
        each = [study.of(table, controller) for controller in controllers]
        common = set.intersection(*(set(searches) for searches in each)) if each else set()
        blocks += [[searches[seed].queries for searches in each] for seed in sorted(common)]
    count, number = len(controllers), len(blocks)
    if count < 2 or number < 2:
        return None
    ranks = rankdata(blocks, axis=1).mean(axis=0)
    values = np.array(blocks).T
    p_value = (wilcoxon_p(values[0] - values[1]) or 1.0) if count == 2 else float(friedmanchisquare(*values).pvalue)
    quantile = float(studentized_range.ppf(1 - SIGNIFICANT, count, np.inf)) / np.sqrt(2)
    return Ranking(
        dict(zip(controllers, ranks.tolist())),
        number,
        1.0 if np.isnan(p_value) else p_value,
        float(quantile * np.sqrt(count * (count + 1) / (6 * number))),
    )


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
            raise ValueError(f"Invalid value for `{name}`. Expected one of {', '.join(options)}. Received: {value!r}")
    courses: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for controller in study.controllers:
        for search in study.of(table, controller).values():
            if not len(search.columns):
                continue
            spent = np.arange(1.0, len(search.columns) + 1) if cost == "queries" else np.cumsum(search.columns[:, 3])
            best = search.header["optimum"] if measure == "signal" else search.header["best_report"]
            reached = search.best if measure == "signal" else search.selected_report
            if best is None or np.isnan(spent[-1]):
                return None
            courses.setdefault(controller, []).append((spent, best - reached))
    if not courses:
        return None
    every = [spent for group in courses.values() for spent, _ in group]
    last = max(spent[-1] for spent in every)
    if cost == "queries":
        grid = np.unique(np.round(np.geomspace(1, max(last, 2), _POINTS)))
    else:
        grid = np.geomspace(max(1e-9, min(spent[0] for spent in every)), last, _POINTS)
    mean, low, high = {}, {}, {}
    for controller, group in courses.items():
        rows = np.stack(
            [
                np.concatenate([[np.nan], regret])[np.searchsorted(spent, grid * (1 + 1e-12), side="right")]
                for spent, regret in group
            ]
        )
        mean[controller] = rows.mean(axis=0)
        if len(rows) > 1:
            low[controller], high[controller] = bootstrap_bounds(rows)
    return Course(grid, mean, low, high)


def verdict(study: Study, controller: str) -> list[str]:
    """For every table, whether the controller's 95 % interval of mean queries lies below that of every other."""
    sentences = []
    everything = efficiencies(study)
    for table in study.tables:
        here = {each.controller: each for each in everything if each.table == table}
        ours = here.pop(controller, None)
        if ours is None or not here:
            continue
        start = f"{table}: {name_of(controller)} needs {ours.queries.mean:,.1f} queries"
        if ours.queries.high is None:
            sentences.append(f"{start} with its only seed; nothing is shown.")
            continue
        above = [
            other for other in here.values() if other.queries.low is None or other.queries.low <= ours.queries.high
        ]
        spread = f"{start} [{ours.queries.low:,.1f}, {ours.queries.high:,.1f}]"
        rest = (
            f"; {1 - ours.found:.0%} of its searches did not succeed and count as {ours.cap:,}"
            if ours.found < 1
            else ""
        )
        if above:
            names = ", ".join(f"{name_of(other.controller)} ({other.queries.mean:,.1f})" for other in above)
            sentences.append(f"{spread}; its interval does **not** lie below that of {names}{rest}.")
        else:
            sentences.append(f"{spread}; the interval lies below that of every other controller{rest}.")
    return sentences


def as_json(study: Study) -> list[dict[str, Any]]:
    """The efficiencies as JSON values."""
    return [
        {
            "table": each.table,
            "controller": each.controller,
            "seeds": each.queries.count,
            "mean": each.queries.mean,
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


def as_text(study: Study) -> str:
    """The efficiencies as a table of plain text, a block per table."""
    lines = []
    for table in study.tables:
        lines.append(f"{table}; rows that count as success: {study.goals[table]:,}")
        lines.append(
            f"  {'controller':34} {'seeds':>5} {'mean':>9} {'95 % interval':>19} {'median':>9} {'found':>6} {'CPU s':>8} {'s/search':>9}"
        )
        for each in efficiencies(study):
            if each.table == table:
                spread = "-" if each.queries.low is None else f"[{each.queries.low:,.1f}, {each.queries.high:,.1f}]"
                lines.append(
                    f"  {name_of(each.controller):34} {each.queries.count:5} {each.queries.mean:9,.1f} {spread:>19} {each.median:9,.1f} "
                    f"{each.found:6.0%} {each.seconds:8.1f} {each.seconds / each.queries.count:9.4f}"
                )
    return "\n".join(lines)


def headline(study: Study) -> str:
    """The best controller of every table in one line."""
    everything = efficiencies(study)
    bests = [
        min((each for each in everything if each.table == table), key=lambda each: each.queries.mean)
        for table in study.tables
    ]
    return (
        "; ".join(f"{best.table}: {name_of(best.controller)} with {best.queries.mean:,.1f} queries" for best in bests)
        or "no search is recorded"
    )

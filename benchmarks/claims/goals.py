"""The numbers that this project wants to reach, beside what is measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from alphaxenas.report.equal_cost import DECISIVE
from alphaxenas.report.statistics import Comparison, compare_many
from benchmarks.layout import Claim, Result, by_seed, is_control, name, number, queries, table, with_interval, with_two
from benchmarks.search_vs_random import comparisons


class Found(NamedTuple):
    """What a result says about a goal.

    Attributes:
        measured: The number with its interval.
        seeds: How many seeds it is from.
        reached: Whether the goal is reached, and whether that is shown.
        beside: The same number of the controls.
    """

    measured: str
    seeds: int
    reached: str
    beside: str


class Goal(NamedTuple):
    """A row: what is wanted, and how a result is asked about it; None where it lacks the method."""

    what: str
    wanted: str
    result: str
    ask: Callable[[Result], Found | None]


def few_queries(method: str, most: float) -> Callable[[Result], Found | None]:
    """Asks for mean queries of at most so many, which is shown by the seeds' differences from that number."""

    def ask(result: Result) -> Found | None:
        if method not in result["values"]:
            return None
        mine = queries(result, method)
        controls = {one: queries(result, one) for one in result["values"] if is_control(one)}
        told = "; ".join(f"{name(one)} {number(statistics.fmean(each))}" for one, each in controls.items())
        return Found(with_interval(mine), len(mine), _against([-value for value in mine], -most), told)

    return ask


def half_the_regret(result: Result) -> Found | None:
    """Asks whether AlphaXENAS' regret after the last mark is at most half of every control's."""
    if "alphaxenas" not in result["values"]:
        return None
    last = {method: [each[-1] for each in found.values()] for method, found in result["values"].items()}
    mine, controls = last["alphaxenas"], [method for method in last if is_control(method)]
    found = compare_many({one: (by_seed([2 * x for x in mine]), by_seed(last[one])) for one in controls})
    below = sum(one.mean <= 0 for one in found.values())
    reached = _said(below == len(found), all(one.shown and one.mean < 0 for one in found.values()))
    told = "; ".join(f"{name(one)} {statistics.fmean(last[one]):.2f}" for one in controls)
    return Found(with_two(mine), len(mine), f"{reached}; below half of {below} of {len(found)} controls", told)


def real_searches(column: str, least: float) -> Callable[[Result], Found | None]:
    """Asks real searches of the whole space of NAS-Bench-201 for a mean of at least so much."""

    def ask(result: Result) -> Found | None:
        found = {
            method: [run[column] for run in runs.values() if run[column] is not None]
            for method, runs in result["figures"]["methods"].items()
        }
        mine = found.pop("alphaxenas", [])
        if not mine:
            return None
        told = "; ".join(f"{name(one)} {statistics.fmean(each):.2f}" for one, each in found.items() if each)
        measured = with_two(mine) if len(mine) > 1 else f"{mine[0]:.2f}"
        return Found(measured, len(mine), _against(mine, least), told)

    return ask


def better_than(control: str, least: float) -> Callable[[Result], Found | None]:
    """Asks searches on images for a difference of at least so many points from a control, shown, at equal seconds."""

    def ask(result: Result) -> Found | None:
        found = {other: one for (other, measure), one in comparisons(result["values"]).items() if measure == DECISIVE}
        if control not in found:
            return None
        mine = found.pop(control)
        reached = _said(100 * mine.mean >= least and mine.mean > 0, mine.shown)
        told = "; ".join(f"minus {name(other)} {_points(one)}, {one.verdict}" for other, one in found.items())
        return Found(_points(mine), mine.n, reached, told)

    return ask


def _against(values: Sequence[float], least: float) -> str:
    """Whether a mean is at least so much, and whether the law of this page shows the difference."""
    found = compare_many({"": (by_seed(values), dict.fromkeys(range(len(values)), least))})[""]
    return _said(found.mean >= 0, found.shown)


def _said(reached: bool, shown: bool) -> str:
    return f"**yes**, {'shown' if shown else 'not shown'}" if reached else "no"


def _points(found: Comparison) -> str:
    bounds = "" if found.low is None else f" [{100 * found.low:+.2f}, {100 * found.high:+.2f}]"
    return f"{100 * found.mean:+.2f}{bounds}"


_C10, _C100, _REAL = "nasbench201_cifar10", "nasbench201_cifar100", "image_truth_real"
_POOLS = {
    "image_truth_replay": "pool of trained cells",
    "image_truth_replay_low_deep": "pool, promoted in deep networks",
}
_QUERIES = (
    ("NAS-Bench-201, CIFAR-10", _C10, "alphaxenas", 25),
    ("NAS-Bench-201, CIFAR-100", _C100, "alphaxenas", 20),
    ("NAS-Bench-201, CIFAR-10", _C10, "guided", 14),
    ("NAS-Bench-201, CIFAR-100", _C100, "guided", 11),
    ("NAS-Bench-201, CIFAR-10", _C10, "guided:without=flow", 45),
    ("NAS-Bench-201, CIFAR-100", _C100, "guided:without=flow", 36),
    ("EC-NAS", "ecnas_5v", "guided", 150),
)
GOALS = (
    *(
        Goal(f"{where}: {name(method)}, mean queries to the optimum", f"at most {most}", key, few_queries(method, most))
        for where, key, method, most in _QUERIES
    ),
    *(
        Goal(
            f"{where}: AlphaXENAS, regret after 30 minutes of two cores",
            "half of every control's",
            key,
            half_the_regret,
        )
        for key, where in _POOLS.items()
    ),
    Goal(
        "NAS-Bench-201 searched as a whole for 30 minutes of two cores: published accuracy of the choice",
        "at least 94.0",
        _REAL,
        real_searches("published", 94.0),
    ),
    Goal(
        "Kendall's tau of the belief with published accuracy over unseen cells, after such a search",
        "at least 0.75",
        _REAL,
        real_searches("tau", 0.75),
    ),
    Goal(
        "CIFAR-10, cells, finals from scratch: AlphaXENAS minus random search at equal seconds, points",
        "at least +1.0, shown",
        "search_vs_random_cifar10_cells_cpu",
        better_than("random", 1.0),
    ),
    Goal(
        "digits, `quick`: AlphaXENAS minus random search at equal seconds, points",
        "above 0, shown",
        "search_vs_random_quick",
        better_than("random", 0.0),
    ),
)


def goals(results: Mapping[str, Result]) -> str:
    """A row per goal; what is not measured says so."""
    rows = []
    for goal in GOALS:
        found = goal.ask(results[goal.result]) if goal.result in results else None
        cells = (found.measured, str(found.seeds), found.reached, found.beside) if found else ("not measured", *"---")
        rows.append([goal.what, goal.wanted, *cells, goal.result])
    return table(["what", "wanted", "measured", "seeds", "reached?", "controls beside it", "result"], rows)


CLAIMS = (
    Claim(
        "Which numbers are reached?",
        "What this project wants to reach. A mean beyond a wanted number is *shown* by the same rule as a difference, "
        "with the wanted number in the place of the other search; corrected is for the comparisons of a row.",
        goals,
        tuple(dict.fromkeys(goal.result for goal in GOALS)),
    ),
)

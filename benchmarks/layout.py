"""How claims are laid out in docs/results.md: tables, means with intervals, verdicts."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alphaxenas.report.runs import NO_SEARCH
from alphaxenas.report.sample_efficiency.journals import name_of
from alphaxenas.report.statistics import Comparison, compare_many, interval
from benchmarks.tables import STATIC

Result = Mapping[str, Any]
TABLES = {
    "nasbench201_cifar10": "NAS-Bench-201, CIFAR-10",
    "nasbench201_cifar100": "NAS-Bench-201, CIFAR-100",
    "nasbench101_sample": "NAS-Bench-101, sample",
    "ecnas_5v": "EC-NAS, 5 vertices",
}
"""The studies that every search method is compared on."""
_NAMES = {
    "static:parameters": "static order: parameters",
    "static:depth,parameters": "static order: depth, then parameters",
    "alphaxenas:planning=rollouts": "AlphaXENAS, rollouts",
    "alphaxenas:prior=uniform": "AlphaXENAS, uniform prior",
    "alphaxenas:uniform_share=1": NO_SEARCH,
    "guided:plan=rollouts": "GuidedSearch, rollouts",
    "guided:plan=tree": "GuidedSearch, tree",
    "guided:without=flow": "GuidedSearch without size and depth",
}


@dataclass(frozen=True)
class Claim:
    """A section of the page.

    Attributes:
        question: Its heading.
        text: What was compared and how to read it.
        body: Table and verdict as Markdown, from its results by name; those that are not recorded are missing. Empty
            where they lack what it is about.
        results: Names of the results it needs.
    """

    question: str
    text: str
    body: Callable[[Mapping[str, Result]], str]
    results: tuple[str, ...] = tuple(TABLES)


def name(method: str) -> str:
    """How a method is called in tables; behind a `+` stand the proxies that it reads."""
    words, _, proxies = method.partition("+")
    shown = _NAMES.get(words) or name_of(words)
    return f"{shown} ({proxies.replace(',', ', ')})" if proxies else shown


def is_control(method: str) -> bool:
    """Whether rewards do not tell a method what to train."""
    return method.startswith(("random", "ranked", "static", "alphaxenas:uniform_share=1"))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def queries(result: Result, method: str) -> list[float]:
    """Queries of every seed; a search that did not meet its goal counts as the cap."""
    found = result["values"][method]
    return [q if met else result["figures"]["cap"] for q, met in zip(found["queries"], found["found"])]


def number(value: float) -> str:
    """Three digits, more where the number has them before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def with_interval(values: Sequence[float], shown: Callable[[float], str] = number) -> str:
    """`mean [low, high]`, the 95 % interval over seeds."""
    found = interval(values)
    return f"{shown(found.mean)} [{shown(found.low)}, {shown(found.high)}]"


def with_two(values: Sequence[float]) -> str:
    """`mean [low, high]` with two digits after the point."""
    return with_interval(values, "{:.2f}".format)


def mean_queries(result: Result, method: str) -> str:
    """The mean of `queries` with its interval; where searches failed it is restricted, and the share found follows."""
    share = statistics.fmean(result["values"][method]["found"])
    return with_interval(queries(result, method)) + (f" ({share:.0%} found)" if share < 1 else "")


def differences(others: Mapping[str, Sequence[float]], reference: Sequence[float]) -> dict[str, Comparison]:
    """Every other method minus a reference, paired by seed and corrected for their number.

    Args:
        others: Values by method, one per seed from 0.
        reference: Those of the method that the others are compared with.
    """
    theirs = by_seed(reference)
    return compare_many({method: (by_seed(values), theirs) for method, values in others.items()})


def by_seed(values: Sequence[float]) -> dict[int, float]:
    """Values of seeds 0, 1, 2 ... by seed."""
    return dict(enumerate(values))


def verdicts(found: Mapping[tuple[str, str, str], Comparison]) -> str:
    """The differences in queries as a table; fewer are better.

    Args:
        found: Comparisons, first minus second, by what they are of and the two methods.
    """
    rows = []
    for (title, first, second), one in found.items():
        better = first if one.mean < 0 else second
        rows.append(
            [
                title,
                f"{name(first)} minus {name(second)}",
                f"{one.mean:+,.1f} [{one.low:+,.1f}, {one.high:+,.1f}]",
                p(one),
                str(one.n),
                f"**{name(better)}** is better" if one.shown else "not shown",
            ]
        )
    return "Verdict:\n\n" + table(["", "difference", "queries", "p", "seeds", "shown?"], rows)


def p(difference: Comparison) -> str:
    """The p-value, not smaller than is worth reading."""
    return "< 0.001" if difference.p < 0.001 else f"{difference.p:.3f}"


def best_static(result: Result) -> str:
    """The static order with the fewest queries on average."""
    return min((method for method in STATIC if method in result["values"]), key=lambda one: sum(queries(result, one)))

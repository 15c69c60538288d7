"""The sections of docs/results.md, one per claim: question, command, table, verdict, machine and date."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
_STATIC_NAMES = {
    "static:parameters": "static order: parameters",
    "static:depth,parameters": "static order: depth, then parameters",
}
_REFERENCES = {
    "alphaxenas:prior=uniform": "AlphaXENAS, uniform prior",
    "guided:plan=rollouts": "GuidedSearch, rollouts",
}


@dataclass(frozen=True)
class Claim:
    """A section of the page.

    Attributes:
        question: Its heading.
        text: What was compared and how to read it.
        results: Names of the results it needs.
        body: Table and verdict as Markdown, from these results by name; those that are not recorded are missing.
    """

    question: str
    text: str
    results: tuple[str, ...]
    body: Callable[[Mapping[str, Result]], str]


def name(method: str) -> str:
    """How a method is called in tables."""
    return _STATIC_NAMES.get(method) or _REFERENCES.get(method) or name_of(method)


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


def differences(others: Mapping[str, Sequence[float]], reference: Sequence[float]) -> dict[str, Comparison]:
    """Every other method minus a reference, paired by seed and corrected for their number.

    Args:
        others: Values by method, one per seed from 0.
        reference: Those of the method that the others are compared with.
    """
    theirs = dict(enumerate(reference))
    return compare_many({method: (dict(enumerate(values)), theirs) for method, values in others.items()})


def sentence(difference: Comparison, first: str, second: str, unit: str, fewer: bool = True) -> str:
    """What a difference `second - first` allows to say.

    Args:
        difference: Of the second method minus the first.
        first: Name of the first.
        second: Name of the second.
        unit: What is counted.
        fewer: Whether less of it is better.
    """
    spread = f"{difference.mean:+,.1f} {unit} [{difference.low:+,.1f}, {difference.high:+,.1f}], p = {p(difference)}"
    spread += f", {difference.n} seeds"
    if not difference.shown:
        return f"no difference is shown between {first} and {second} ({second} minus {first}: {spread})"
    better, worse = (first, second) if (difference.mean > 0) == fewer else (second, first)
    return f"{better} is **better** than {worse} ({second} minus {first}: {spread})"


def p(difference: Comparison) -> str:
    """The p-value, not smaller than is worth reading."""
    return "< 0.001" if difference.p < 0.001 else f"{difference.p:.3f}"


def best_static(result: Result) -> str:
    """The static order with the fewest queries on average."""
    return min((method for method in STATIC if method in result["values"]), key=lambda one: sum(queries(result, one)))


def pair(first: str, second: str) -> Callable[[Mapping[str, Result]], str]:
    """The body of a section that compares two methods on every table."""

    def body(results: Mapping[str, Result]) -> str:
        rows, verdicts = [], []
        for key, result in results.items():
            (difference,) = differences({second: queries(result, second)}, queries(result, first)).values()
            rows.append([TABLES[key], *(with_interval(queries(result, one)) for one in (first, second))])
            verdicts.append(f"- {TABLES[key]}: {sentence(difference, name(first), name(second), 'queries')}.")
        return table(["table", name(first), name(second)], rows) + "\n\nVerdict:\n\n" + "\n".join(verdicts)

    return body


def static_orders(results: Mapping[str, Result]) -> str:
    """Static orders beside the two controllers of this project."""
    methods, rows, verdicts = [*STATIC, "alphaxenas", "guided"], [], []
    for key, result in results.items():
        rows.append([TABLES[key], *(with_interval(queries(result, method)) for method in methods)])
        best = best_static(result)
        others = {method: queries(result, method) for method in ("alphaxenas", "guided")}
        for method, difference in differences(others, queries(result, best)).items():
            verdicts.append(f"- {TABLES[key]}: {sentence(difference, name(best), name(method), 'queries')}.")
    return table(["table", *map(name, methods)], rows) + "\n\nVerdict:\n\n" + "\n".join(verdicts)


def all_methods(results: Mapping[str, Result]) -> str:
    """Queries of every method on every table, and GuidedSearch against each of them."""
    methods = [method for method in next(iter(results.values()))["values"]]
    rows, verdicts = [], []
    for method in methods:
        cells = [with_interval(queries(r, method)) if method in r["values"] else "-" for r in results.values()]
        rows.append([name(method), *cells])
    for key, result in results.items():
        others = {method: queries(result, method) for method in result["values"] if not method.startswith("guided")}
        found = differences(others, queries(result, "guided"))
        fewer = [name(method) for method, one in found.items() if one.shown and one.mean > 0]
        more = [name(method) for method, one in found.items() if one.shown and one.mean < 0]
        equal = [name(method) for method, one in found.items() if not one.shown]
        parts = [
            f"{word} {', '.join(group)}"
            for word, group in (("fewer than", fewer), ("**more** than", more), ("not shown to differ from", equal))
            if group
        ]
        verdicts.append(f"- {TABLES[key]}: queries of GuidedSearch are {'; '.join(parts)}.")
    notes = [
        f"- {TABLES[key]}: {r['figures']['architectures']:,} architectures, {r['figures']['goals']} of them end a search"
        for key, r in results.items()
    ]
    text = table(["method", *(TABLES[key] for key in results)], rows)
    return f"{text}\n\n" + "\n".join(notes) + "\n\nVerdict:\n\n" + "\n".join(verdicts)


def validation(results: Mapping[str, Result]) -> str:
    """Mean test accuracy of what one training's validation accuracy selects."""
    (result,) = results.values()
    after = [key.removeprefix("report_") for key in result["values"]["random"] if key.startswith("report_")]
    rows = [
        [name(method), *(f"{with_two(found[f'report_{n}'])}" for n in after)]
        for method, found in result["values"].items()
    ]
    last = f"report_{after[-1]}"
    others = {method: found[last] for method, found in result["values"].items() if not method.startswith("guided")}
    found = differences(others, result["values"]["guided"][last])
    shown = [f"{name(method)} ({one.mean:+.2f})" for method, one in found.items() if one.shown]
    verdict = (
        f"After {after[-1]} queries, GuidedSearch differs from: {', '.join(shown) or 'none of the others'} "
        "(points of the other minus GuidedSearch); no other difference is shown."
    )
    best = f"Best mean test accuracy of the table: {result['figures']['best_report']:.2f} %."
    return table(["method", *(f"after {n}" for n in after)], rows) + f"\n\n{best}\n\nVerdict: {verdict}"


def with_two(values: Sequence[float]) -> str:
    """`mean [low, high]` with two digits after the point."""
    return with_interval(values, "{:.2f}".format)


def good_cell(results: Mapping[str, Result]) -> str:
    """Queries to any good cell, policy gradients against random search."""
    (result,) = results.values()
    rows = [
        [name(method), with_interval(queries(result, method)), number(statistics.median(queries(result, method)))]
        for method in result["values"]
    ]
    others = {method: queries(result, method) for method in result["values"] if method != "reinforce"}
    found = differences(others, queries(result, "reinforce"))
    verdicts = [f"- {sentence(one, 'REINFORCE', name(method), 'queries')}" for method, one in found.items()]
    goals = f"{result['figures']['goals']} of {result['figures']['architectures']:,} architectures end a search."
    return (
        table(["method", "mean queries", "median"], rows) + f"\n\n{goals}\n\nVerdict:\n\n" + ".\n".join(verdicts) + "."
    )


def chains(results: Mapping[str, Result]) -> str:
    """Regret on the stored table of chains."""
    (result,) = results.values()
    optimum = result["figures"]["optimum"]
    after = [key.removeprefix("best_") for key in result["values"]["random"] if key.startswith("best_")]
    regrets = {
        method: {n: [100 * (optimum - value) for value in found[f"best_{n}"]] for n in after}
        for method, found in result["values"].items()
    }
    rows = [[name(method), *(with_two(regret[n]) for n in after)] for method, regret in regrets.items()]
    found = differences(
        {method: regret[after[-1]] for method, regret in regrets.items() if method != "random"},
        regrets["random"][after[-1]],
    )
    shown = [name(method) for method, one in found.items() if one.shown]
    verdict = f"After {after[-1]} queries, shown to differ from random search: {', '.join(shown) or 'none'}."
    return table(["method", *(f"after {n}" for n in after)], rows) + f"\n\nVerdict: {verdict}"

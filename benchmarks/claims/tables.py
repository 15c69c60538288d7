"""Methods on tables of trained architectures: queries, and accuracy after so many queries."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

from alphaxenas.report.sample_efficiency.ablations import ablations, worth
from alphaxenas.report.statistics import compare_many
from benchmarks.layout import (
    TABLES,
    Claim,
    Result,
    best_static,
    by_seed,
    differences,
    mean_queries,
    name,
    number,
    queries,
    table,
    verdicts,
    with_interval,
    with_two,
)
from benchmarks.tables import STATIC


def pair(first: str, second: str) -> Callable[[Mapping[str, Result]], str]:
    """The body of a section that compares two methods on every table, corrected for the number of tables."""

    def body(results: Mapping[str, Result]) -> str:
        results = {key: result for key, result in results.items() if {first, second} <= result["values"].keys()}
        if not results:
            return ""
        rows = [
            [TABLES[key], *(mean_queries(result, one) for one in (first, second))] for key, result in results.items()
        ]
        sides = [{key: by_seed(queries(result, one)) for key, result in results.items()} for one in (first, second)]
        found = compare_many({(TABLES[key], first, second): (sides[0][key], sides[1][key]) for key in results})
        return f"{table(['table', name(first), name(second)], rows)}\n\n{verdicts(found)}"

    return body


def parts(results: Mapping[str, Result]) -> str:
    """What each part of AlphaXENAS is worth in every result that has searches without it."""
    found = ablations()
    rows = [
        [
            *row.Index,
            str(row.seeds),
            f"{row[2]:+.2f} {row.unit} [{row.low:+.2f}, {row.high:+.2f}]",
            f"{row[-2]:.3f}",
            row.verdict.partition(":")[0],
        ]
        for row in found.itertuples()
    ]
    said = "\n".join(f"- {sentence}" for sentence in worth(found))
    return f"{said}\n\n{table(['part', 'result', 'seeds', 'the part is worth', 'corrected p', 'verdict'], rows)}"


def static_orders(results: Mapping[str, Result]) -> str:
    """Static orders and the two controllers of this project, corrected for all comparisons with the better order."""
    methods, rows, pairs = [*STATIC, "alphaxenas", "guided"], [], {}
    for key, result in results.items():
        rows.append([TABLES[key], *(mean_queries(result, one) if one in result["values"] else "-" for one in methods)])
        best = best_static(result)
        for method in [one for one in ("alphaxenas", "guided") if one in result["values"]]:
            sides = (by_seed(queries(result, one)) for one in (method, best))
            pairs[TABLES[key], method, best] = tuple(sides)
    ranked = [
        [TABLES[key], name(order), f"{one['tau']:.2f}", str(one["places"][0]), ", ".join(map(str, one["places"][1:]))]
        for key, result in results.items()
        for order, one in result["figures"]["methods"].items()
        if "places" in one
    ]
    parts = [table(["table", *map(name, methods)], rows), verdicts(compare_many(pairs))]
    if ranked:
        parts += [ORDERS, table(["table", "order", "Kendall's tau", "place of the best", "of the next nine"], ranked)]
    return "\n\n".join(parts)


ORDERS = (
    "How well the orders rank the whole table. Where an order meets the best architecture early though it ranks the "
    "table badly, and the next best stand far behind, it was luck: EC-NAS trained each cell once for 4 epochs, and "
    "its best one happens to be large. A search that learns from the others does not expect it there."
)


def all_methods(results: Mapping[str, Result]) -> str:
    """Queries of every method on every table, and GuidedSearch against each of them."""
    methods = list(next(iter(results.values()))["values"])
    rows = [
        [name(method), *(mean_queries(r, method) if method in r["values"] else "-" for r in results.values())]
        for method in methods
    ]
    goals = ["architectures that end a search"]
    goals += [f"{r['figures']['goals']} of {r['figures']['architectures']:,}" for r in results.values()]
    said = []
    for key, result in results.items():
        others = {method: queries(result, method) for method in result["values"] if not method.startswith("guided")}
        found = differences(others, queries(result, "guided"))
        groups = {
            "is shown to need fewer queries than": [one for one in found if found[one].shown and found[one].mean > 0],
            "is shown to need **more** than": [one for one in found if found[one].shown and found[one].mean < 0],
            "is not shown to differ from": [one for one in found if not found[one].shown],
        }
        parts = [f"{word} {', '.join(map(name, group))}" for word, group in groups.items() if group]
        said.append(f"- {TABLES[key]}: GuidedSearch {'; '.join(parts)}.")
    text = table(["method", *(TABLES[key] for key in results)], [*rows, goals])
    return f"{text}\n\nVerdict:\n\n" + "\n".join(said)


def rivals(results: Mapping[str, Result]) -> str:
    """Other libraries' methods and ours at the same cap, with the share of searches that met the goal."""
    rows = []
    for key, result in results.items():
        if not key.startswith("rivals_"):
            continue
        study, cap = key.removeprefix("rivals_"), result["figures"]["cap"]
        sides = {one: (queries(result, one), found["found"]) for one, found in result["values"].items()}
        for method in ("guided", "guided:without=flow", "alphaxenas", *STATIC, "random"):
            if method in results.get(study, {"values": {}})["values"]:
                numbers = queries(results[study], method)
                sides[method] = [min(number, cap) for number in numbers], [number <= cap for number in numbers]
        for method, (numbers, found) in sides.items():
            shown = [with_interval(numbers), f"{statistics.fmean(found):.0%}", str(len(numbers))]
            rows.append([TABLES[study], name(method), *shown])
    return table(["table", "method", "mean queries, at most the cap", "found", "seeds"], rows)


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
        f"After {after[-1]} queries, GuidedSearch is shown to differ from {', '.join(shown) or 'no other method'}"
        f"{' (points, the other minus GuidedSearch)' if shown else ''}. No other difference is shown."
    )
    best = f"Best mean test accuracy of the table: {result['figures']['best_report']:.2f} %."
    return table(["method", *(f"after {n}" for n in after)], rows) + f"\n\n{best}\n\nVerdict: {verdict}"


def good_cell(results: Mapping[str, Result]) -> str:
    """Queries to any good cell, policy gradients against random search."""
    (result,) = results.values()
    rows = [
        [name(method), mean_queries(result, method), number(statistics.median(queries(result, method)))]
        for method in result["values"]
    ]
    others = [method for method in result["values"] if method != "reinforce"]
    ours = by_seed(queries(result, "reinforce"))
    found = compare_many({("", "reinforce", one): (ours, by_seed(queries(result, one))) for one in others})
    goals = f"{result['figures']['goals']} of {result['figures']['architectures']:,} architectures end a search."
    return f"{table(['method', 'mean queries', 'median'], rows)}\n\n{goals}\n\n{verdicts(found)}"


CLAIMS = (
    Claim(
        "Does the tree help GuidedSearch?",
        "GuidedSearch plans inside a surrogate. Both columns use the same surrogate and the same number of "
        "simulated walks; one keeps a tree of them, the other does not. In spaces as small as these the default looks "
        "at every architecture instead.",
        pair("guided:plan=tree", "guided:plan=rollouts"),
    ),
    Claim(
        "What are the parts of AlphaXENAS worth?",
        "Each row is AlphaXENAS minus AlphaXENAS without one part, in recorded searches of equal seeds. Tree and LSTM "
        "stay its defaults, whatever stands here: they are what it is known for, and cost seconds where children cost "
        "minutes. Who wants the fewest queries takes GuidedSearch, which has neither in small spaces.",
        parts,
    ),
    Claim(
        "Does learning beat a fixed order?",
        "A static order learns nothing: it tries the architectures with most parameters first, or the deepest. It "
        "costs no training, so every search has to beat it. The verdicts compare with the better of the two "
        "orders on each table.",
        static_orders,
    ),
    Claim(
        "Is AlphaXENAS better than random search?",
        "On tables, where a query costs nothing. Searches that train on images have sections of their own.",
        pair("alphaxenas", "random"),
    ),
    Claim(
        "How many queries until the goal?",
        "Mean number of evaluated architectures, the last one included, with its 95 % interval over seeds. The "
        "goal is the architecture of the best accuracy; on NAS-Bench-101 it is the best 0.1 % of a sample. On "
        "NAS-Bench-201 the searches see mean test accuracy, as in the publications that count queries; the next "
        "section uses a realistic signal. One configuration of each method for all tables; a search that fails "
        "counts as the cap. The constants of GuidedSearch were chosen while looking at these tables.",
        all_methods,
    ),
    Claim(
        "What would other libraries need?",
        "Optuna's TPE (multivariate) and Gaussian processes and Syne Tune's regularised evolution, with their "
        "defaults, on the same tables with the same goal; every search ends at 300 queries, and one that fails counts "
        "as 300. They see one category per edge and nothing else; GuidedSearch, AlphaXENAS and the static orders see "
        "size and depth, GuidedSearch without size and depth sees the operations on edges and paths. They run in an "
        "environment of their own (benchmarks/rivals/requirements.txt). The GPSampler has fewer seeds: its next "
        "search was still running when the measurement had to stop, so its mean is rather too low.",
        rivals,
        ("rivals_nasbench201_cifar10", "rivals_nasbench201_cifar100", "nasbench201_cifar10", "nasbench201_cifar100"),
    ),
    Claim(
        "What does a search find when it sees the validation accuracy of one training?",
        "NAS-Bench-201, CIFAR-10: the search sees the validation accuracy of one training; given is the mean test "
        "accuracy of the architecture that it would choose, in percent.",
        validation,
        ("nasbench201_validation",),
    ),
    Claim(
        "Do policy gradients find good cells?",
        "NAS-Bench-201, CIFAR-10: queries until a cell of at least 94.0 % mean test accuracy.",
        good_cell,
        ("nasbench201_good_cell",),
    ),
)

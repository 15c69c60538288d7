"""Two objectives, bounds and priors of a user, on tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.layout import Claim, Result, mean_queries, name, table, with_interval
from benchmarks.pareto import BOUNDED, FRONTS, PRIORS


def fronts(results: Mapping[str, Result]) -> str:
    """Shares of the hypervolume by method and device, with the queries that each may make."""
    methods = [method for method in FRONTS if any(method in result["values"] for result in results.values())]
    label = {"evolution": "NSGA-II", "guided": "expected hypervolume improvement"}

    def share(result: Result, method: str, kind: str) -> str:
        values = result["values"].get(method, {}).get(kind)
        return (
            "-"
            if values is None
            else f"{with_interval([100 * one for one in values], '{:.2f}'.format)} ({len(values)})"
        )

    rows = [
        [
            label.get(method, name(method)),
            f"{FRONTS[method]:,}",
            *(share(result, method, kind) for result in results.values() for kind in ("share", "share_of_means")),
        ]
        for method in methods
    ]
    devices = [key.removeprefix("pareto_front_") for key in results]
    return table(["method", "queries", *(head for each in devices for head in (each, f"{each}, no luck"))], rows)


def bounds(results: Mapping[str, Result]) -> str:
    """Queries by method and device: until the optimum, and until the first cell that computes its function."""
    methods = [method for method in BOUNDED if any(method in result["values"] for result in results.values())]
    heads, rows = ["method"], [[name(method)] for method in methods]
    for key, result in results.items():
        copies = {round(each) for found in result["values"].values() for each in found.get("copies", ())}
        heads += [key.removeprefix("pareto_bound_"), f"one of {max(copies, default=1)} copies"]
        for row, method in zip(rows, methods):
            first = result["values"].get(method, {}).get("first_copy")
            row.append(mean_queries(result, method) if method in result["values"] else "-")
            row.append("-" if first is None else with_interval(first, "{:.1f}".format))
    return table(heads, rows)


def priors(results: Mapping[str, Result]) -> str:
    """Queries by method and prior."""
    (result,) = results.values()
    methods = list(dict.fromkeys(label.rpartition(", ")[0] for label in result["values"]))
    kinds = [f"{kind} prior" for kind in PRIORS]

    def ratio(method: str, kind: str) -> str:
        mean, none = (np.mean(result["values"][f"{method}, {one}"]["queries"]) for one in (kind, kinds[0]))
        return f"{mean / none:.2f}"

    rows = [
        [
            name(method),
            *(mean_queries(result, f"{method}, {kind}") for kind in kinds),
            *(ratio(method, kind) for kind in kinds[1:]),
        ]
        for method in methods
    ]
    return table(["method", *kinds, "good / none", "misleading / none"], rows)


CLAIMS = (
    Claim(
        "Does a search for two objectives find the front?",
        "NAS-Bench-201 with latencies measured on two devices (HW-NAS-Bench): mean test accuracy on CIFAR-10 against "
        "latency, which is known before a query; the expected improvement alone makes use of that. Given is the share "
        "of the table's hypervolume, measured from the worst value of each, that is found after all queries of a "
        "method, in percent, and the seeds. The table's front is made of the luckiest trainings of functions that it "
        "has trained up to 460 times, as cells whose dead edges cost latency alone; so the share is given besides with "
        "the mean accuracy of a function in place of each cell's own.",
        fronts,
        ("pareto_front_pixel3", "pareto_front_edgegpu"),
    ),
    Claim(
        "How many queries does the best architecture below a latency bound take?",
        "The same tables; only architectures that take at most a quarter of the largest latency are looked at. The "
        "table has trained some functions many times, as cells that differ in dead edges. Which of these copies came "
        "out best is luck of their trainings: whoever knows all but that needs (copies + 1) / 2 queries on average. So "
        "the queries until the first copy of the best cell's function are given besides.",
        bounds,
        ("pareto_bound_pixel3", "pareto_bound_edgegpu"),
    ),
    Claim(
        "Does a search use what a user knows, and forget what is wrong?",
        "NAS-Bench-201, CIFAR-10: queries until the most accurate cell, without a prior on the operations, with a good "
        "one (how often each is found in the 100 best cells on CIFAR-100) and with its opposite. A search that reads "
        "size and depth of cells knows what the good prior says without it.",
        priors,
        ("pareto_prior",),
    ),
)

"""Two objectives, bounds and priors of a user, on tables."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.layout import Claim, Result, mean_queries, name, table, with_interval
from benchmarks.pareto import BOUNDED, FRONTS, PRIORS


def fronts(results: Mapping[str, Result]) -> str:
    """Shares of the hypervolume by method and device, with the queries that each may make."""
    methods = [method for method in FRONTS if any(method in result["values"] for result in results.values())]
    label = {"evolution": "NSGA-II", "guided": "expected hypervolume improvement"}

    def share(result: Result, method: str) -> str:
        values = result["values"].get(method, {}).get("share")
        return (
            "-"
            if values is None
            else f"{with_interval([100 * one for one in values], '{:.2f}'.format)} ({len(values)})"
        )

    rows = [
        [
            label.get(method, name(method)),
            f"{FRONTS[method]:,}",
            *(share(result, method) for result in results.values()),
        ]
        for method in methods
    ]
    return table(["method", "queries", *(key.removeprefix("pareto_front_") for key in results)], rows)


def bounds(results: Mapping[str, Result]) -> str:
    """Queries by method and device."""
    methods = [method for method in BOUNDED if any(method in result["values"] for result in results.values())]
    rows = [
        [name(method), *(mean_queries(one, method) if method in one["values"] else "-" for one in results.values())]
        for method in methods
    ]
    return table(["method", *(key.removeprefix("pareto_bound_") for key in results)], rows)


def priors(results: Mapping[str, Result]) -> str:
    """Queries by method and prior."""
    (result,) = results.values()
    methods = list(dict.fromkeys(label.rpartition(", ")[0] for label in result["values"]))
    kinds = [f"{kind} prior" for kind in PRIORS]
    rows = [[name(method), *(mean_queries(result, f"{method}, {kind}") for kind in kinds)] for method in methods]
    return table(["method", *kinds], rows)


CLAIMS = (
    Claim(
        "Does a search for two objectives find the front?",
        "NAS-Bench-201 with latencies measured on two devices (HW-NAS-Bench): mean test accuracy on CIFAR-10 against "
        "latency. Given is the share of the table's hypervolume, measured from the worst value of each, that is found "
        "after all queries of a method, in percent, and the seeds.",
        fronts,
        ("pareto_front_pixel3", "pareto_front_edgegpu"),
    ),
    Claim(
        "How many queries does the best architecture below a latency bound take?",
        "The same tables; only architectures that take at most a quarter of the largest latency are looked at.",
        bounds,
        ("pareto_bound_pixel3", "pareto_bound_edgegpu"),
    ),
    Claim(
        "Does a search use what a user knows, and forget what is wrong?",
        "NAS-Bench-201, CIFAR-10: queries until the most accurate cell, without a prior on the operations, with a good "
        "one (how often each is found in the 100 best cells on CIFAR-100) and with its opposite.",
        priors,
        ("pareto_prior",),
    ),
)

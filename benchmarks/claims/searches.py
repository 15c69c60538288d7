"""Searches on images against their controls, seed by seed (`benchmarks.search_vs_random`)."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.layout import Claim, Result, name, p, table
from benchmarks.search_vs_random import comparisons

SPACES = {
    "search_vs_random_quick": "digits, cells of `quick`",
    "search_vs_random_cifar10_cells_cpu": "CIFAR-10, cells of `cifar10-cells-cpu`",
}
"""Results of searches on images, and what they searched."""


def searches(results: Mapping[str, Result]) -> str:
    """Every control at every measure, what decides first; the verdicts are derived from the values of all seeds."""
    parts = []
    for key, result in results.items():
        ours, rows = name(result["figures"]["compared"]), []
        for (control, measure), one in comparisons(result["values"]).items():
            bounds = "-" if one.low is None else f"[{100 * one.low:+.2f}, {100 * one.high:+.2f}]"
            shown = f"**{ours if one.mean > 0 else name(control)}** is better" if one.shown else "not shown"
            difference = f"{100 * one.mean:+.2f} {bounds}"
            rows.append([name(control), measure, difference, p(one), str(one.n), shown])
        header = ["control", "measure", f"{ours} minus control, points", "p", "seeds", "shown?"]
        parts.append(f"{SPACES[key]}:\n\n{table(header, rows)}")
        if len(revisions := result["figures"].get("revisions", ())) > 1:
            parts.append(
                f"The searches are of several revisions of the code: {', '.join(one[:10] for one in revisions)}."
            )
    return "\n\n".join(parts)


CLAIMS = (
    Claim(
        "Does AlphaXENAS find better networks on images than its controls?",
        "Searches that really train, with the same children, evaluator, promotion rule and budgets, seed by seed; "
        "finals are trained from scratch. Controls are random search, the static order (depth, then parameters), and "
        "AlphaXENAS whose children are all drawn uniformly, which is the same harness without a search. The best final "
        "at equal seconds decides, because seconds hold all costs; it is corrected for the number of controls, the "
        "other measures for theirs.",
        searches,
        tuple(SPACES),
    ),
)

"""Searches and proxies on images."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from alphaxenas.proxies import PROXIES
from alphaxenas.report.statistics import Comparison, compare_many
from benchmarks.layout import Claim, Result, by_seed, differences, is_control, name, table, with_two


def proxies(results: Mapping[str, Result]) -> str:
    """Rank correlations of zero-cost proxies with accuracy, ours beside the published values on the same cells."""
    (result,) = results.values()
    found, seconds = result["figures"]["methods"], result["figures"]["seconds"]
    rows = [
        [
            PROXIES[one].display if one in PROXIES else one,
            f"{each['tau']:.2f}",
            *(f"{each[key]:.2f}" if key in each else "-" for key in ("published", "agreement")),
            f"{seconds[one]:.2f}" if one in seconds else "-",
        ]
        for one, each in found.items()
    ]
    compared = {one: each["near"] for one, each in found.items() if "near" in each}
    far = [PROXIES[one].display if one in PROXIES else one for one, near in compared.items() if not near]
    verdict = f"{len(compared) - len(far)} of {len(compared)} are within 0.05 of the published values"
    verdict += f"; not {', '.join(far)}." if far else "."
    header = ["proxy", "ours with accuracy", "published with accuracy", "ours with published", "seconds a cell"]
    parts = [table(header, rows), f"{result['figures']['cells']} cells. {verdict}"]
    if "explained" in result["figures"]:
        parts.append(EXPLAINED.format(**result["figures"]["explained"]))
    return "\n\n".join(parts)


EXPLAINED = (
    "Why some differ. **Multiply-adds**: the published count adds 9 for every value of an average pool and 3 for every "
    "value of a normalised convolution, which are no multiply-adds; without them it lies off ours by {offsets} "
    "constant(s), over all cells. **Zen-score**: published are running variances after a few batches, ours are those "
    "of the batch, as in algorithm 1 of the paper. That is {zen_step:.2f} less for every batch normalisation; taken "
    "from ours, the two correlate by {zen_agreement:.2f} and ours with accuracy by {zen_tau:.2f}. **Fisher** depends "
    "on the initial scale of layers that no normalisation follows (shortcuts of reductions, classifier): ours is He's, "
    "published PyTorch's default."
)
"""Of `benchmarks.proxies.explained`."""


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


def image_ratings(results: Mapping[str, Result]) -> str:
    """What ratings of a pool are worth, and searches that spend its measured seconds."""
    (result,) = results.values()
    ranking = result["figures"]["ranking"].items()
    rated = [[name(key), f"{one['tau']:.2f}", f"{one['seconds']:.2f} s"] for key, one in ranking]
    ratings = table(["rating", "Kendall's tau", "seconds a cell"], rated)
    return f"{ratings}\n\n{image_replay(results)}"


def image_replay(results: Mapping[str, Result]) -> str:
    """Regret of searches that spend the measured seconds of a pool."""
    (result,) = results.values()
    figures = result["figures"]
    marks = [f"{mark:,.0f} s" for mark in figures["marks"]]
    regrets = by_mark(result["values"])
    rows = [
        [name(method), *map(with_two, columns), f"{figures['methods'][method]['own']:.0f} s"]
        for method, columns in regrets.items()
    ]
    pairs = {
        (method, place): (by_seed(column), by_seed(regrets["random"][place]))
        for method, columns in regrets.items()
        for place, column in enumerate(columns)
        if method != "random"
    }
    believed = [
        [name(method), *("-" if tau is None else f"{tau:.2f}" for tau in one["tau"])]
        for method, one in figures["methods"].items()
        if any(tau is not None for tau in one.get("tau", ()))
    ]
    found, said = compare_many(pairs), []
    for place, mark in enumerate(marks):
        shown = {method: one.mean for (method, at), one in found.items() if at == place and one.shown}
        better = [name(method) for method, mean in shown.items() if mean < 0]
        worse = [name(method) for method, mean in shown.items() if mean > 0]
        said.append(f"- After {mark}: better {', '.join(better) or 'none'}; worse {', '.join(worse) or 'none'}.")
    return "\n\n".join(
        [
            table(["method", *marks, "of which its own"], rows),
            "Kendall's tau of beliefs with the published accuracy over the cells that were held out:",
            table(["method", *marks], believed),
            f"Shown to differ from random search, after correction for {len(found)} comparisons:",
            "\n".join(said),
            against_controls(regrets, marks),
        ]
    )


def by_mark(values: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, list[list[float]]]:
    """By method, a list of every seed's regret for every mark.

    Args:
        values: By method and seed, regret at every mark.
    """
    return {method: [list(column) for column in zip(*found.values())] for method, found in values.items()}


def against(regrets: Mapping[str, list[list[float]]]) -> dict[tuple[str, str, int], Comparison]:
    """AlphaXENAS' regret minus every control's at every mark, corrected for their number.

    Args:
        regrets: See `by_mark`.

    Returns:
        By AlphaXENAS or AlphaXENAS with proxies, control, and place of the mark.
    """
    ours = [one for one in regrets if one.partition("+")[0] == "alphaxenas"]
    return compare_many(
        {
            (one, control, place): (by_seed(column), by_seed(regrets[control][place]))
            for one in ours
            for control in filter(is_control, regrets)
            for place, column in enumerate(regrets[one])
        }
    )


def against_controls(regrets: Mapping[str, list[list[float]]], marks: Sequence[str]) -> str:
    """AlphaXENAS' regret as a share of every control's, and whether the difference is shown.

    Args:
        regrets: See `by_mark`.
        marks: What the marks are called.
    """
    found, rows = against(regrets), []
    for one in dict.fromkeys(ours for ours, _, _ in found):
        for control in filter(is_control, regrets):
            cells = []
            for place in range(len(marks)):
                share = statistics.fmean(regrets[one][place]) / max(statistics.fmean(regrets[control][place]), 1e-9)
                cells.append(f"{share:.2f}{' *' if found[one, control, place].shown else ''}")
            rows.append([name(one), name(control), *cells])
    text = (
        f"Regret of AlphaXENAS as a share of the controls'; * = the difference is shown, of {len(found)} comparisons:"
    )
    return f"{text}\n\n{table(['method', 'control', *marks], rows)}" if rows else ""


def image_real(results: Mapping[str, Result]) -> str:
    """What real searches of the whole space chose."""
    (result,) = results.values()
    rows = []
    for method, runs in result["figures"]["methods"].items():
        chosen = [run["published"] for run in runs.values()]
        taus = [run["tau"] for run in runs.values() if run["tau"] is not None]
        rows.append(
            [
                name(method),
                str(len(runs)),
                f"{statistics.fmean(chosen):.2f} ({min(chosen):.2f} to {max(chosen):.2f})",
                f"{statistics.fmean(run['best_trained'] for run in runs.values()):.2f}",
                f"{statistics.fmean(run['trained'] for run in runs.values()):.0f}",
                f"{statistics.fmean(taus):.2f}" if taus else "-",
            ]
        )
    header = ["method", "seeds", "published accuracy of the choice: mean (range)", "of the best trained"]
    best = f"The best cell of the space has {result['figures']['best']:.2f}."
    return f"{table([*header, 'cells trained', 'tau of its belief, unseen cells'], rows)}\n\n{best}"


CLAIMS = (
    Claim(
        "Are the zero-cost proxies those that were published?",
        "Kendall's tau on random cells of NAS-Bench-201 with the mean test accuracy on CIFAR-10 after 200 epochs: our "
        "proxies on our networks before training, and the values that NAS-Bench-Suite-Zero published for the same "
        "cells. Weights and batches differ, so the two can agree in rank only. Size and depth cost nothing; a proxy "
        "has to beat them.",
        proxies,
        ("proxies",),
    ),
    Claim(
        "Which search is best on chains of layers?",
        "The 1,296 chains of titu1994's space, each trained once on CIFAR-10 at a small budget (stored as "
        "`exp/reference-chain-table`): how far the best found lies below the best of all, in points.",
        chains,
        ("chains",),
    ),
    Claim(
        "What is the best search on images, at equal seconds?",
        "A pool of random NAS-Bench-201 cells, each really trained on CIFAR-10 at two small budgets (8 channels, "
        "three cells, 16x16 pixels): the rank correlation of every rating with the published 200-epoch accuracy, then "
        "the regret in published points of the cell that a search chooses after so many seconds of one core (3,600: "
        "30 minutes of two). Searches spend the measured seconds of their trainings and proxies, and their own. The "
        "choice is by the belief of a search, where it has one, else by the highest reward. Searches train at the "
        "larger budget, and promotions tell nothing new. Ratings: `low` and `high` are rewards at the smaller and the "
        "larger budget, `deep` those at the larger one in networks of three cells a stage; "
        "`shared` are ratings by one supernet, which was trained for less time than the cells at the smaller budget "
        "together. Every seed searches in two thirds of the pool, drawn anew, and its belief is judged by the others. "
        "The pool is small: in 3,600 seconds searches train all of their part, or nearly, and differ in the choice "
        "alone: compare with AlphaXENAS without a search, which draws what it trains and chooses by the same belief. "
        "Constants of the belief were chosen on this pool: `reward_trust` on its first 292 cells, the weight of "
        "promoted children on seeds 0, 2 to 38. Half of the cells were trained later, partly beside other work, so "
        "their seconds are more.",
        image_ratings,
        ("image_truth_replay",),
    ),
    Claim(
        "Which search is best where promoted children are trained in deeper networks?",
        "The same pool and judgement, with two budgets as in a run: searches train at the smaller one, one of four "
        "children is promoted and trained in a network of three cells a stage, and the choice is among those. Over all "
        "cells these rewards rank worse than those of small networks (above: `deep`, `high`), but the cells that they "
        "put first are better.",
        image_replay,
        ("image_truth_replay_low_deep",),
    ),
    Claim(
        "What does a search of all of NAS-Bench-201 find in half an hour of two cores?",
        "Real searches of the whole space (3,600 seconds of one core each), whose children are trained on CIFAR-10 as "
        "those of the pool above are at the larger budget, but have three cells a stage: that the best cells pass "
        "their input on to their output shows only in deep networks. Promoted children are trained four times as "
        "long. The depth was chosen while looking at the published accuracies of some thirty cells. Judged by "
        "published accuracy after 200 epochs, which no search sees.",
        image_real,
        ("image_truth_real",),
    ),
)

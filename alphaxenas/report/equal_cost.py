"""Searches at equal cost: what they cost, best-so-far curves, and what they are compared by.

Only rewards of one budget are compared with each other: `best` is the best among architectures trained for the final
budget, and means are taken over children of one budget. Runs are compared up to the cost at which the cheapest of them
ends. Seeds are paired, because runs of equal seed share the data and the initial weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from alphaxenas.report.runs import NAMES, StoredRun
from alphaxenas.report.statistics import Comparison, Course, compare_many, course
from alphaxenas.spaces.from_parameters import shares_weights
from alphaxenas.suggestions import invalid

COSTS = {
    "trials": "trained children",
    "images": "images trained (epochs × images per epoch)",
    "seconds": "wall-clock seconds",
}
"""Kinds of cost, and the labels of their axes."""
REFERENCE = NAMES["random"]
"""What every other search is compared with."""
LAST_SHARE = 0.25
"""The part of the trials, at the end, that is averaged to see where a search has arrived."""
_POINTS = 200

Comparisons = Mapping[str, Mapping[str, Comparison]]
"""Label of a search to its comparisons with random search by measure, see `compare_each`."""


def is_cached(record: Mapping) -> bool:
    """Whether the outcome was known already, so that nothing was computed."""
    return "cached" in record["metrics"]


def is_trained(record: Mapping) -> bool:
    """Whether a child was trained for this record, with or without success."""
    return record["epochs"] > 0 and not is_cached(record)


def images_trained(run: StoredRun) -> np.ndarray:
    """Images shown for training by every record, of shape `[records]`; an image shown in three epochs counts three
    times.

    A failed child is charged its whole budget.
    """
    known = [record for record in run.records if "images_per_epoch" in record["metrics"]]
    whole = float(np.median([record["metrics"]["images_per_epoch"] / record["fraction"] for record in known] or [0.0]))
    images = [record["metrics"].get("images_per_epoch", record["fraction"] * whole) for record in run.records]
    epochs = [record["epochs"] * is_trained(record) for record in run.records]
    return np.array(images) * np.array(epochs, float)


def cumulative_cost(run: StoredRun, cost: str) -> np.ndarray:
    """What a search had cost after every record, of shape `[records]`.

    Seconds are those of the evaluations, stretched so that they end at the run's wall time: what the controller thought
    in between is charged evenly.

    Args:
        run: A search.
        cost: `"trials"`, `"images"` or `"seconds"`.

    Raises:
        ValueError: Unknown cost.
    """
    if cost == "trials":
        return np.cumsum([float(is_trained(record)) for record in run.records])
    if cost == "images":
        return np.cumsum(images_trained(run))
    if cost == "seconds":
        seconds = np.cumsum([0.0 if is_cached(record) else record["seconds"] for record in run.records])
        wall = (run.results or {}).get("seconds", 0.0)
        return seconds * max(1.0, wall / seconds[-1]) if len(seconds) and seconds[-1] > 0 else seconds
    raise invalid("cost", f"one of {', '.join(COSTS)}", repr(cost))


def best_so_far(run: StoredRun, cost: str, grid: np.ndarray) -> np.ndarray:
    """Best final reward found up to each cost of the grid, of shape `[len(grid)]`; NaN before the first.

    Args:
        run: A search.
        cost: See `cumulative_cost`.
        grid: Costs at which to read the curve, ascending.
    """
    best = np.array([np.nan] + [np.nan if record["best"] is None else record["best"] for record in run.records])
    return best[np.searchsorted(cumulative_cost(run, cost), grid + 1e-9, side="right")]


def common_end(runs: Sequence[StoredRun], cost: str) -> float:
    """The cost at which the cheapest of the runs ends.

    Args:
        runs: Searches, one or more.
        cost: See `cumulative_cost`.
    """
    return min((float(cumulative_cost(run, cost)[-1]) for run in runs), default=0.0)


def curves(groups: Mapping[str, Sequence[StoredRun]], cost: str) -> Course:
    """Best-so-far curves on a common grid that ends where the cheapest run ends.

    Args:
        groups: Label to the runs of all seeds.
        cost: One of `COSTS`.
    """
    end = common_end([run for runs in groups.values() for run in runs], cost)
    grid = np.arange(1.0, end + 1) if cost == "trials" else np.linspace(0.0, end, _POINTS)
    return course(
        grid, {label: np.stack([best_so_far(run, cost, grid) for run in runs]) for label, runs in groups.items()}
    )


def last_quarter(run: StoredRun, purpose: str, end: float) -> float:
    """Mean reward of the children trained in the last quarter of a search.

    Args:
        run: A search.
        purpose: `"search"` or `"final"`: children of one budget. A failed child counts with its reward 0.
        end: Number of trained children at which the search is taken to end.

    Returns:
        The mean; NaN if no such child was trained in that quarter.
    """
    trained = [record for record in run.records if is_trained(record)][: int(end)]
    start = len(trained) - max(1, round(LAST_SHARE * len(trained)))
    rewards = [record["reward"] for record in trained[start:] if record["purpose"] == purpose]
    return float(np.mean(rewards)) if rewards else float("nan")


def measures(
    groups: Mapping[str, Sequence[StoredRun]], first: str, second: str
) -> dict[str, tuple[dict[int, float], dict[int, float]]]:
    """What two searches are compared by, each at equal cost.

    Args:
        groups: Label to the runs of all seeds.
        first: Label of the search that is hoped to be better.
        second: Label of the other.

    Returns:
        Measure to the values of both searches by seed: best final reward at equal trials, images and seconds; mean
        reward over the last quarter of the trials, of children at the final budget and at the search budget. The last
        is left out where finals are trained from scratch and the others share weights, because such ratings depend on
        the shared weights as much as on the architectures. Empty if a search is missing.
    """
    pair = [groups[label] for label in (first, second) if label in groups]
    if len(pair) < 2:
        return {}
    both = [run for runs in pair for run in runs]
    found = {}
    for cost, name in (("trials", "trials"), ("images", "images trained"), ("seconds", "seconds")):
        end = np.array([common_end(both, cost)])
        ours, theirs = ({run.seed: float(best_so_far(run, cost, end)[0]) for run in runs} for runs in pair)
        found[f"best final at equal {name}"] = ours, theirs
    last = common_end(both, "trials")
    shared = any(run.parameters.get("final_weights") == "scratch" and shares_weights(run.parameters) for run in both)
    for purpose in ("final",) if shared else ("search", "final"):
        ours, theirs = ({run.seed: last_quarter(run, purpose, last) for run in runs} for runs in pair)
        found[f"mean {purpose} reward, last quarter of trials"] = ours, theirs
    return found


def compare_each(groups: Mapping[str, Sequence[StoredRun]]) -> dict[str, dict[str, Comparison]]:
    """Every other search with random search by all `measures`, corrected over measures and searches together.

    Args:
        groups: Label to the runs of all seeds.

    Returns:
        Label to comparisons by measure, in the order of the groups; searches without a common seed are left out.
    """
    others = [label for label in groups if label.split(" (")[0] != REFERENCE]
    pairs = {
        (label, measure): values for label in others for measure, values in measures(groups, label, REFERENCE).items()
    }
    found: dict[str, dict[str, Comparison]] = {}
    for (label, measure), comparison in compare_many(pairs).items():
        found.setdefault(label, {})[measure] = comparison
    return found


def fidelity_correlation(run: StoredRun) -> tuple[float, int]:
    """How well the search budget ranks what the final budget ranks.

    Returns:
        Spearman's rank correlation over architectures that were rated at both budgets, and their number; NaN below
        five.
    """
    rated: dict[str, dict[str, float]] = {"search": {}, "final": {}}
    for record in run.records:
        if record["status"] == "ok" and record["purpose"] in rated:
            rated[record["purpose"]][record["key"]] = record["reward"]
    keys = [key for key in rated["final"] if key in rated["search"]]
    pairs = [[rated[purpose][key] for key in keys] for purpose in ("search", "final")]
    if len(keys) < 5 or any(len(set(values)) == 1 for values in pairs):
        return float("nan"), len(keys)
    from scipy.stats import spearmanr

    return float(spearmanr(*pairs).statistic), len(keys)

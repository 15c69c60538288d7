"""Search against search at equal cost: best-so-far curves, intervals over seeds, paired differences.

Only rewards of one budget are compared with each other: `best` is the best among architectures trained for the final
budget, and means are taken over children of one purpose. Runs are compared up to the cost at which the cheapest of them
ends. Seeds are paired, because runs of equal seed share the data and the initial weights.

Interval: percentile bootstrap over seeds (Efron & Tibshirani 1993, chapter 13). It is too narrow for a handful of
seeds, so a difference counts as shown only from `FEWEST_SEEDS` pairs on; with fewer, the words say so whatever the
interval.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from alphaxenas.report.runs import NAMES, StoredRun
from alphaxenas.seeds import stream
from alphaxenas.spaces.from_parameters import CHAIN_SPACES

COSTS = {
    "trials": "trained children",
    "images": "images trained (epochs × images per epoch)",
    "seconds": "wall-clock seconds",
}
"""What a search can be charged for, and how the axis is called."""
REFERENCE = NAMES["random"]
"""What every other search is compared with."""
RESAMPLES = 10_000
FEWEST_SEEDS = 5
ROUNDING = 1e-9
"""Bounds of an interval nearer to 0 are taken to be 0: differences of accuracies are sums of rounded numbers."""
LAST_SHARE = 0.25
"""The part of the trials, at the end, that is averaged to see where a search has arrived."""
_POINTS = 200


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % interval; `low` and `high` are None for a single seed, which has none."""

    mean: float
    low: float | None
    high: float | None
    count: int

    def __str__(self) -> str:
        seeds = "1 seed, no interval" if self.count == 1 else f"{self.count} seeds"
        return (
            f"{self.mean:.4f} ({seeds})"
            if self.low is None
            else f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}] ({seeds})"
        )


@dataclass(frozen=True, eq=False)
class Curves:
    """Best-so-far curves of several searches on one axis of cost.

    Attributes:
        cost: One of `COSTS`.
        grid: Cost, ascending, of shape `[points]`; ends where the cheapest run ends.
        values: Label to best reward so far, of shape `[seeds, points]`; NaN before a run's first final.
        mean: Label to the mean over seeds `[points]`; NaN where a seed has none yet.
        low: Label to the lower end of the 95 % interval `[points]`; labels with a single seed are missing.
        high: The same for the upper end.
    """

    cost: str
    grid: np.ndarray
    values: Mapping[str, np.ndarray]
    mean: Mapping[str, np.ndarray]
    low: Mapping[str, np.ndarray]
    high: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Paired:
    """A difference between two searches, seed by seed.

    Attributes:
        measure: What is compared.
        seeds: Seeds that both have.
        first: Values of the first search, one per seed.
        second: Values of the second.
        interval: Of the differences first - second.
        p_value: Two-sided Wilcoxon signed-rank test; None with fewer than two pairs or without any difference.
        verdict: What the numbers allow to say, in words.
    """

    measure: str
    seeds: tuple[int, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]
    interval: Interval
    p_value: float | None
    verdict: str


Comparisons = Mapping[str, Sequence[Paired]]
"""Label of a search to its comparisons with random search, see `compare_each`."""


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
    measured = [record for record in run.records if "images_per_epoch" in record["metrics"]]
    sizes = [record["metrics"]["images_per_epoch"] / record["fraction"] for record in measured]
    whole = float(np.median(sizes)) if sizes else 0.0
    return np.array(
        [
            record["epochs"] * record["metrics"].get("images_per_epoch", record["fraction"] * whole)
            if is_trained(record)
            else 0.0
            for record in run.records
        ]
    )


def cumulative_cost(run: StoredRun, cost: str) -> np.ndarray:
    """What a search had cost after every record, of shape `[records]`.

    Seconds are those of the evaluations, stretched so that they end at the run's wall time: what the controller thought
    in between is charged evenly.

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
    raise ValueError(f"Invalid value for `cost`. Expected one of {', '.join(COSTS)}. Received: {cost!r}")


def best_so_far(run: StoredRun, cost: str, grid: np.ndarray) -> np.ndarray:
    """Best final reward that a search had found when it had cost so much, of shape `[len(grid)]`; NaN before the first."""
    best = np.array([np.nan] + [np.nan if record["best"] is None else record["best"] for record in run.records])
    return best[np.searchsorted(cumulative_cost(run, cost), grid + 1e-9, side="right")]


def common_end(runs: Sequence[StoredRun], cost: str) -> float:
    """The cost at which the cheapest of the runs ends."""
    return min((float(cumulative_cost(run, cost)[-1]) for run in runs), default=0.0)


def curves(groups: Mapping[str, Sequence[StoredRun]], cost: str) -> Curves:
    """Best-so-far curves on a common grid, with intervals where there is more than one seed.

    Args:
        groups: Label to the runs of all seeds.
        cost: One of `COSTS`.
    """
    end = common_end([run for runs in groups.values() for run in runs], cost)
    grid = np.arange(1.0, end + 1) if cost == "trials" else np.linspace(0.0, end, _POINTS)
    values = {label: np.stack([best_so_far(run, cost, grid) for run in runs]) for label, runs in groups.items()}
    bounds = {label: bootstrap_bounds(rows) for label, rows in values.items() if len(rows) > 1}
    return Curves(
        cost,
        grid,
        values,
        {label: rows.mean(axis=0) for label, rows in values.items()},
        {label: low for label, (low, _) in bounds.items()},
        {label: high for label, (_, high) in bounds.items()},
    )


def interval(values: Sequence[float]) -> Interval:
    """Mean and 95 % bootstrap interval of one number per seed.

    Raises:
        ValueError: There is no number.
    """
    if len(values) == 0:
        raise ValueError("Invalid value for `values`. Expected at least one number. Received: none")
    rows = np.asarray(values, float)[:, None]
    if len(rows) == 1:
        return Interval(float(rows[0, 0]), None, None, 1)
    low, high = bootstrap_bounds(rows)
    return Interval(float(rows.mean()), float(low[0]), float(high[0]), len(rows))


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


def paired(
    measure: str,
    first: Mapping[int, float],
    second: Mapping[int, float],
    names: tuple[str, str] = ("the first", "the second"),
) -> Paired | None:
    """Compares two searches by the seeds that both have a value for.

    Args:
        measure: What is compared.
        first: Seed to value.
        second: Seed to value of the other search.
        names: Of the two searches, for the verdict.

    Returns:
        The comparison; None without a common seed.
    """
    seeds = tuple(
        seed for seed in sorted(first) if seed in second and np.isfinite(first[seed]) and np.isfinite(second[seed])
    )
    if not seeds:
        return None
    ours, theirs = tuple(float(first[seed]) for seed in seeds), tuple(float(second[seed]) for seed in seeds)
    differences = np.subtract(ours, theirs)
    spread = interval(differences)
    return Paired(measure, seeds, ours, theirs, spread, wilcoxon_p(differences), _verdict(spread, names))


def compare(groups: Mapping[str, Sequence[StoredRun]], first: str, second: str) -> list[Paired]:
    """All comparisons of two searches, each at equal cost.

    Args:
        groups: Label to the runs of all seeds.
        first: Label of the search that is hoped to be better.
        second: Label of the other.

    Returns:
        Best final reward at equal trials, images and seconds; mean reward over the last quarter of the trials, of
        children at the final budget and at the search budget. The last is left out where finals are trained from
        scratch and the others share weights, whose ratings say as much of the weights as of the architectures; so are
        measures without a common seed.
    """
    pair = {label: groups[label] for label in (first, second) if label in groups}
    if len(pair) < 2:
        return []
    both = [run for runs in pair.values() for run in runs]
    found = []
    for cost, name in (("trials", "trials"), ("images", "images trained"), ("seconds", "seconds")):
        end = np.array([common_end(both, cost)])
        values = [{run.seed: best_so_far(run, cost, end)[0] for run in runs} for runs in pair.values()]
        found.append((f"best final at equal {name}", values))
    end = common_end(both, "trials")
    shared = any(
        run.parameters.get("final_weights") == "scratch" and run.parameters.get("space") not in CHAIN_SPACES
        for run in both
    )
    for purpose in ("final",) if shared else ("search", "final"):
        values = [{run.seed: last_quarter(run, purpose, end) for run in runs} for runs in pair.values()]
        found.append((f"mean {purpose} reward, last quarter of trials", values))
    compared = [paired(measure, ours, theirs, (first, second)) for measure, (ours, theirs) in found]
    return [comparison for comparison in compared if comparison is not None]


def compare_each(groups: Mapping[str, Sequence[StoredRun]], reference: str = REFERENCE) -> dict[str, list[Paired]]:
    """Every other search with the reference, see `compare`, in the order of the groups; those without a common seed are
    left out.
    """
    others = [label for label in groups if label.split(" (")[0] != reference]
    return {label: comparisons for label in others if (comparisons := compare(groups, label, reference))}


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


def bootstrap_bounds(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of the mean of `[seeds, points]` over seeds; the same every time."""
    low, high = np.quantile(_resampled(len(rows)) @ rows, (0.025, 0.975), axis=0)
    return low, high


@lru_cache(maxsize=8)
def _resampled(count: int) -> np.ndarray:
    """Weights `[RESAMPLES, count]`: how often each of `count` seeds was drawn, over `count`; one product gives all
    means.
    """
    chosen = stream(0, "bootstrap", count).integers(count, size=(RESAMPLES, count))
    return np.stack([np.bincount(drawn, minlength=count) for drawn in chosen]) / count


def wilcoxon_p(differences: np.ndarray) -> float | None:
    """Wilcoxon's signed-rank test of paired differences, two-sided; None with fewer than two or without any difference."""
    if len(differences) < 2 or not np.any(differences):
        return None
    from scipy.stats import wilcoxon

    with warnings.catch_warnings():  # about ties and zeros, for which SciPy falls back to an approximation
        warnings.simplefilter("ignore")
        return float(wilcoxon(differences).pvalue)


def _verdict(spread: Interval, names: tuple[str, str]) -> str:
    first, second = names
    if spread.low is None:
        return "One seed has no interval: nothing is shown."
    if spread.low <= ROUNDING and spread.high >= -ROUNDING:
        return "The interval contains 0: no difference is shown."
    ahead = first if spread.mean > 0 else second
    if spread.count < FEWEST_SEEDS:
        return f"{ahead} is ahead, but {spread.count} seeds are too few to show a difference."
    return f"{ahead} is better: the interval lies on one side of 0."

"""Searches at equal cost: what they cost, best-so-far curves, and what they are compared by.

Only rewards of one budget are compared with each other: `best` is the best among architectures trained for the final
budget, and means are taken over children of one budget. Runs are compared up to the cost at which the cheapest of them
ends. Seeds are paired, because runs of equal seed share the data and the initial weights.

What decides is the best final at equal seconds, because they alone hold all that a search costs: training, proxies and
its own thinking. The other measures explain; they are corrected for their number apart from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.data.images import read_examples
from alphaxenas.proxies.catalogue import PROXIES
from alphaxenas.report.runs import Groups, StoredRun, Suite
from alphaxenas.report.statistics import Comparison, Course, compare_many, course
from alphaxenas.runs.description import compare_stored
from alphaxenas.spaces.from_parameters import shares_weights
from alphaxenas.suggestions import invalid

COSTS = {
    "seconds": "wall-clock seconds",
    "images": "images trained (epochs × images per epoch, and proxies')",
    "trials": "trained children",
}
"""Kinds of cost, and the labels of their axes."""
DECISIVE = "best final at equal seconds"
"""The measure that says which search is better."""
FEWEST_PAIRS = 5
"""Architectures rated at both budgets from which on a rank correlation is told."""
LAST_SHARE = 0.25
"""The part of the trials, at the end, that is averaged to see where a search has arrived."""
_POINTS = 200

Comparisons = Mapping[tuple[str, str], Mapping[str, Comparison]]
"""Labels of a search and of a control to their comparisons by measure, see `compare_each`."""


def is_cached(record: Mapping) -> bool:
    """Whether the outcome was known already, so that nothing was computed."""
    return "cached" in record["metrics"]


def is_trained(record: Mapping) -> bool:
    """Whether a child was trained for this record, with or without success; a refused one was not."""
    return record["epochs"] > 0 and record["status"] != "refused" and not is_cached(record)


def images_trained(run: StoredRun) -> np.ndarray:
    """Images shown to networks before every record, of shape `[records]`: for training, where an image shown in three
    epochs counts three times, and for proxies.

    A failed child is charged its whole budget.
    """
    budgets = [record["epochs"] * record["fraction"] * is_trained(record) for record in run.records]
    told = [_images_told(record) for record in run.records]
    whole = float(np.median([images / share for images, share in zip(told, budgets) if images and share] or [0.0]))
    images = [share and (share * whole if count is None else count) for count, share in zip(told, budgets)]
    return np.array(images, float) + proxy_images(run)


def _images_told(record: Mapping) -> float | None:
    """Images of a training as its evaluator told; records of older versions tell those of one epoch of the budget."""
    metrics = record["metrics"]
    if "images" in metrics:
        return float(metrics["images"])
    return record["epochs"] * metrics["images_per_epoch"] if "images_per_epoch" in metrics else None


def proxy_images(run: StoredRun) -> np.ndarray:
    """Images that proxies have cost before every record, of shape `[records]`.

    Every proxy that is not free shows one batch to every architecture that it scores, trained or not. The records tell
    how long scoring took before each of them; the images are shared out by that.
    """
    from alphaxenas.evaluators.proxies import PROXY_BATCH

    names = (run.results or {}).get("proxies", {}).get("seconds", run.parameters.get("proxies", ()))
    batches = sum(name in PROXIES and PROXIES[name].cost == "batch" for name in names)
    seconds = np.array([record.get("proxy_seconds", 0.0) for record in run.records])
    if not batches or not seconds.any():
        return np.zeros(len(run.records))
    # A run that goes on has not told yet how many it has scored: those that it has trained, at least.
    least = len({record["key"] for record in run.records if set(names) & set(record["metrics"])})
    scored = (run.results or {}).get("proxies", {}).get("scored", least)
    return scored * batches * PROXY_BATCH * seconds / seconds.sum()


def cumulative_cost(run: StoredRun, cost: str) -> np.ndarray:
    """What a search had cost after every record, of shape `[records]`.

    Seconds are those that the search had worked, as its records tell: training, proxies and its own thinking, however
    many children were evaluated at once. Where records of older versions do not tell, they are the seconds of the
    evaluations, scaled to the wall time of a run that has ended.

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
        if all("elapsed" in record for record in run.records):
            return np.array([record["elapsed"] for record in run.records], float)
        seconds = np.cumsum([0.0 if is_cached(record) else record["seconds"] for record in run.records])
        wall = (run.results or {}).get("seconds", 0.0)
        return seconds * (wall / seconds[-1]) if wall and len(seconds) and seconds[-1] > 0 else seconds
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
        Measure to the values of both searches by seed: best final reward at equal seconds, images and trials; mean
        reward over the last quarter of the trials, of children at the final budget and at the search budget. The last
        is left out where finals are trained from scratch and the others share weights, because such ratings depend on
        the shared weights as much as on the architectures. Empty if a search is missing.
    """
    pair = [groups[label] for label in (first, second) if label in groups]
    if len(pair) < 2:
        return {}
    both = [run for runs in pair for run in runs]
    found = {}
    for cost, name in (("seconds", "seconds"), ("images", "images trained"), ("trials", "trials")):
        end = np.array([common_end(both, cost)])
        ours, theirs = ({run.seed: float(best_so_far(run, cost, end)[0]) for run in runs} for runs in pair)
        found[f"best final at equal {name}"] = ours, theirs
    last = common_end(both, "trials")
    shared = any(run.parameters.get("final_weights") == "scratch" and shares_weights(run.parameters) for run in both)
    for purpose in ("final",) if shared else ("search", "final"):
        ours, theirs = ({run.seed: last_quarter(run, purpose, last) for run in runs} for runs in pair)
        found[f"mean {purpose} reward, last quarter of trials"] = ours, theirs
    return found


def controls(groups: Groups) -> list[str]:
    """Labels of the searches that learn nothing from rewards; of another suite those alone that this one lacks.

    Args:
        groups: Label to the runs of all seeds.
    """
    own = {runs[0].name for label, runs in groups.items() if label == runs[0].name}
    return [
        label
        for label, runs in groups.items()
        if runs[0].is_control and (label == runs[0].name or runs[0].name not in own)
    ]


def compare_each(groups: Groups) -> dict[tuple[str, str], dict[str, Comparison]]:
    """Every search that is no control with every control, by all `measures`.

    Args:
        groups: Label to the runs of all seeds.

    Returns:
        Labels of search and control to comparisons by measure, the decisive one first, in the order of the groups;
        pairs without a common seed are left out.
    """
    against, searches = controls(groups), [label for label, runs in groups.items() if not runs[0].is_control]
    pairs = {
        (label, control, measure): values
        for label in searches
        for control in against
        for measure, values in measures(groups, label, control).items()
    }
    found: dict[tuple[str, str], dict[str, Comparison]] = {}
    for (label, control, measure), comparison in compare_decisive_apart(pairs).items():
        found.setdefault((label, control), {})[measure] = comparison
    return found


def compare_decisive_apart(pairs: Mapping[Any, Any]) -> dict[Any, Comparison]:
    """The differences of many pairs: Holm's correction is over all by the decisive measure, and over all by the others.

    Args:
        pairs: As for `compare_many`, by keys that end with the measure.

    Returns:
        Comparisons by key, those by the decisive measure first.
    """
    families = [{key: pair for key, pair in pairs.items() if (key[-1] == DECISIVE) == first} for first in (True, False)]
    return {key: found for family in families for key, found in compare_many(family).items()}


def differing_parameters(runs: Sequence[StoredRun]) -> dict[str, list[Any]]:
    """Parameters, other than controller and seed, that are not the same in all runs, each with its different values."""
    values: dict[str, list[Any]] = {}
    for run in runs:
        for name, value in run.parameters.items():
            if value not in values.setdefault(name, []):
                values[name].append(value)
    own = ("controller", "search_seed")
    return {name: found for name, found in values.items() if len(found) > 1 and name not in own}


def refuse_other_data(suite: Suite) -> None:
    """Refuses to show runs beside each other that were made of different images, or of a file that has changed since.

    A file that is gone is no hindrance: records are read without it.

    Raises:
        RunMismatch: Names the run and the file.
    """
    now: dict[str, dict[str, Any]] = {}
    for run in suite.runs:
        made_of = run.description.get("data")
        if not made_of:
            continue
        source, layout = made_of["source"], run.parameters.get("image_layout", "auto")
        if source not in now:
            old = {"dataset": "arrays", "data_dir": "", "arrays_path": source, "image_layout": layout}
            how = made_of.get("read_with") or (old if run.parameters.get("dataset") == "arrays" else {})
            is_there = how and Path(source).exists()
            print_now = read_examples(**how).fingerprint() if is_there else made_of["fingerprint"]
            now[source] = {"source": source, "fingerprint": print_now}
        compare_stored(f"{run.suite}/{run.stage}", run.description, {}, now[source])


def fidelity_correlation(run: StoredRun, instead: Mapping[str, float] | None = None) -> tuple[float, int]:
    """How well the search budget ranks what the final budget ranks.

    Args:
        run: A search.
        instead: A rating by key that is asked about in place of the search budget, over the same architectures.

    Returns:
        Spearman's rank correlation over architectures that were rated at both budgets, and their number; NaN below
        `FEWEST_PAIRS`.
    """
    rated: dict[str, dict[str, float]] = {"search": {}, "final": {}}
    for record in run.records:
        if record["status"] == "ok" and record["purpose"] in rated:
            rated[record["purpose"]][record["key"]] = record["reward"]
    keys = [key for key in rated["final"] if key in rated["search"] and (instead is None or key in instead)]
    first = rated["search"] if instead is None else instead
    pairs = [[values[key] for key in keys] for values in (first, rated["final"])]
    if len(keys) < FEWEST_PAIRS or any(len(set(values)) == 1 for values in pairs):
        return float("nan"), len(keys)
    from scipy.stats import spearmanr

    return float(spearmanr(*pairs).statistic), len(keys)

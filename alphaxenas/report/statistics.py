"""Intervals over seeds, paired differences, and the one rule that says which differences are shown.

A difference is *shown* when Student's 95 % interval of its mean excludes 0 and the exact signed-rank test, corrected
for all comparisons that are made together, is below 0.05, with at least `FEWEST_SEEDS` seeds. Everything else is *not
shown*. Under the null hypothesis at most 5 % of the verdicts are "shown", at any number of seeds; a bootstrap of
percentiles had 18 % at five seeds and 11 % at ten.

Sources: Wilcoxon 1945, "Individual comparisons by ranking methods"; Holm 1979, "A simple sequentially rejective
multiple test procedure".
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from alphaxenas.suggestions import invalid

FEWEST_SEEDS = 6
"""With fewer pairs the exact test cannot fall below 0.05."""
SIGNIFICANT = 0.05
ROUNDING = 1e-9
"""Numbers nearer to 0 are taken to be 0: differences of accuracies are sums of rounded numbers."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % interval; `low` and `high` are None for a single seed, which has none."""

    mean: float
    low: float | None
    high: float | None
    count: int

    def __str__(self) -> str:
        if self.low is None:
            return f"{self.mean:.4f} (1 seed, no interval)"
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}] ({self.count} seeds)"


@dataclass(frozen=True)
class Comparison:
    """A paired difference between two searches, ours - theirs, over the seeds that both have.

    Attributes:
        mean: Mean difference.
        low: Lower end of Student's 95 % interval of the mean; None for a single seed.
        high: The upper end.
        p: Exact two-sided signed-rank test, after Holm's correction over the comparisons that were made together;
            1 without any difference.
        n: Number of seeds, >= 1.
        shown: Whether the interval excludes 0, `p` is below `SIGNIFICANT` and `n` at least `FEWEST_SEEDS`.
        seeds: The seeds.
        ours: Values of the first search, one per seed.
        theirs: Values of the second.
        family: Number of comparisons that `p` is corrected for.
    """

    mean: float
    low: float | None
    high: float | None
    p: float
    n: int
    shown: bool
    seeds: tuple[int, ...]
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    family: int = 1

    @property
    def verdict(self) -> str:
        """`"shown"` or `"not shown"`."""
        return "shown" if self.shown else "not shown"

    @property
    def reason(self) -> str:
        """Why the difference is not shown, or what shows it, as the end of a sentence."""
        after = f" after correction for {self.family} comparisons" if self.family > 1 else ""
        if self.low is None or self.high is None:
            return "one seed has no interval"
        if self.n < FEWEST_SEEDS:
            return f"{self.n} seeds are fewer than {FEWEST_SEEDS}"
        if not self.shown and self.low <= ROUNDING and self.high >= -ROUNDING:
            return f"the interval contains 0, p = {self.p:.3f}{after}"
        return f"p = {self.p:.3f}{after}"

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.mean:+.4f} (one seed, no interval)"
        return f"{self.mean:+.4f}, 95 % interval {self.low:+.4f} to {self.high:+.4f} over {self.n} seeds"


def student_bounds(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of the mean over seeds by Student's t.

    Args:
        rows: One row per seed, at least two, `[seeds, ...]`.

    Returns:
        Lower and upper ends, `[...]`.
    """
    from scipy.stats import t

    half = t.ppf(0.975, len(rows) - 1) * rows.std(axis=0, ddof=1) / np.sqrt(len(rows))
    return rows.mean(axis=0) - half, rows.mean(axis=0) + half


@dataclass(frozen=True, eq=False)
class Course:
    """Curves of several searches on one axis of cost, as means over seeds.

    Attributes:
        grid: Cost, ascending, `[points]`.
        values: Label to one curve per seed, `[seeds, points]`; NaN before a search has something to show.
        mean: Label to the mean over seeds, `[points]`; NaN where a seed has nothing yet.
        low: Label to the lower end of the 95 % interval, `[points]`; labels with a single seed are missing.
        high: The same for the upper end.
    """

    grid: np.ndarray
    values: Mapping[str, np.ndarray]
    mean: Mapping[str, np.ndarray]
    low: Mapping[str, np.ndarray]
    high: Mapping[str, np.ndarray]


def course(grid: np.ndarray, values: Mapping[str, np.ndarray]) -> Course:
    """The course of searches whose curves were read on one grid.

    Args:
        grid: Cost, ascending, `[points]`.
        values: Label to one curve per seed, `[seeds, points]`.
    """
    bounds = {label: student_bounds(rows) for label, rows in values.items() if len(rows) > 1}
    mean = {label: rows.mean(axis=0) for label, rows in values.items()}
    low, high = ({label: ends[place] for label, ends in bounds.items()} for place in (0, 1))
    return Course(grid, values, mean, low, high)


def interval(values: Sequence[float]) -> Interval:
    """Mean and Student's 95 % interval of one number per seed.

    Raises:
        ValueError: There is no number.
    """
    if len(values) == 0:
        raise invalid("values", "at least one number", "none")
    rows = np.asarray(values, float)
    if len(rows) == 1:
        return Interval(float(rows[0]), None, None, 1)
    low, high = student_bounds(rows)
    return Interval(float(rows.mean()), float(low), float(high), len(rows))


def rank_correlation_interval(first: Sequence[float], second: Sequence[float]) -> Interval:
    """Spearman's rank correlation of two ratings with its 95 % interval over architectures (bootstrap, BCa; seeded).

    Args:
        first: One rating per architecture.
        second: The other, in the same order.

    Returns:
        The correlation; without an interval below five architectures, of equal or opposite orders, and where a rating
        is the same for all.

    Raises:
        ValueError: The ratings differ in number.

    Source: Efron 1987, "Better bootstrap confidence intervals".
    """
    from scipy.stats import bootstrap, rankdata

    if len(first) != len(second):
        raise invalid("second", f"{len(first)} ratings", len(second))

    def spearman(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        ranks = [rankdata(values, axis=axis) for values in (x, y)]
        x, y = (one - one.mean(axis=axis, keepdims=True) for one in ranks)
        scale = np.sqrt((x**2).sum(axis=axis) * (y**2).sum(axis=axis))
        # A resample in which a rating is the same for all orders nothing.
        return np.where(scale > 0, (x * y).sum(axis=axis) / np.where(scale > 0, scale, 1.0), 0.0)

    sides = np.asarray(first, float), np.asarray(second, float)
    value = float(spearman(*sides)) if len(first) else float("nan")
    if len(first) < 5 or abs(value) > 1 - ROUNDING or any(np.ptp(side) == 0 for side in sides):
        return Interval(value, None, None, len(first))
    rng = np.random.default_rng(0)
    found = bootstrap(sides, spearman, paired=True, vectorized=True, n_resamples=9_999, method="BCa", rng=rng)
    low, high = map(float, found.confidence_interval)
    return Interval(value, low, high, len(first))


def compare(a_by_seed: Mapping[int, float], b_by_seed: Mapping[int, float]) -> Comparison:
    """Compares two searches by the seeds that both have a finite value for, a - b; see the module text.

    Args:
        a_by_seed: Seed to value of the search that is hoped to be better.
        b_by_seed: Seed to value of the other.

    Returns:
        The comparison, corrected for no others; use `compare_many` where several are made.

    Raises:
        ValueError: There is no common seed.
    """
    seeds = _common(a_by_seed, b_by_seed)
    if not seeds:
        raise invalid("b_by_seed", "a seed that both searches have", "none")
    ours, theirs = (tuple(float(values[seed]) for seed in seeds) for values in (a_by_seed, b_by_seed))
    differences = np.subtract(ours, theirs)
    spread = interval(differences.tolist())
    p = signed_rank_p(differences)
    found = Comparison(spread.mean, spread.low, spread.high, p, len(seeds), False, seeds, ours, theirs)
    return replace(found, shown=_is_shown(found))


def compare_many(pairs: Mapping[Key, tuple[Mapping[int, float], Mapping[int, float]]]) -> dict[Key, Comparison]:
    """Compares several pairs of searches, with Holm's correction over all of them.

    Args:
        pairs: Name of a comparison to the values of both searches by seed; see `compare`.

    Returns:
        The comparisons in the same order; pairs without a common seed are left out.
    """
    found = {name: compare(*values) for name, values in pairs.items() if _common(*values)}
    corrected = holm([each.p for each in found.values()])
    for (name, each), p in zip(list(found.items()), corrected):
        each = replace(each, p=p, family=len(found))
        found[name] = replace(each, shown=_is_shown(each))
    return found


def _common(first: Mapping[int, float], second: Mapping[int, float]) -> tuple[int, ...]:
    """Seeds for which both have a finite value, ascending."""
    return tuple(seed for seed in sorted({*first} & {*second}) if np.isfinite([first[seed], second[seed]]).all())


def signed_rank_p(differences: np.ndarray) -> float:
    """Wilcoxon's signed-rank test of paired differences, two-sided and exact at any number of pairs and ties.

    SciPy's exact method refuses ties and zeros beyond 13 pairs, and differences of query counts are full of both.

    Args:
        differences: One per seed, `[seeds]`; zeros are dropped, as Wilcoxon did.

    Returns:
        The p-value; 1 without any difference.
    """
    from scipy.stats import rankdata

    told = np.round(np.asarray(differences, float) / ROUNDING) * ROUNDING
    told = told[told != 0]
    # Twice the ranks are whole numbers even where ties share theirs.
    ranks = np.round(2 * rankdata(np.abs(told))).astype(int)
    chances = np.ones(1)
    for rank in ranks:
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
    positive = int(ranks[told > 0].sum())
    tail = min(positive, int(ranks.sum()) - positive)
    return min(1.0, 2 * float(chances[: tail + 1].sum()))


def seeds_needed(family: int = 1) -> int:
    """With how many seeds the exact test can show one of so many comparisons: all differences of one sign give 2 / 2^n.

    Args:
        family: Number of comparisons that are made together, >= 1.
    """
    seeds = FEWEST_SEEDS
    while family * 2 / 2**seeds >= SIGNIFICANT:
        seeds += 1
    return seeds


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction: p-values in the same order, each for the whole family; at most 1."""
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values, float)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return corrected.tolist()


def _is_shown(found: Comparison) -> bool:
    excluded = found.low is not None and found.high is not None and (found.low > ROUNDING or found.high < -ROUNDING)
    return excluded and found.p < SIGNIFICANT and found.n >= FEWEST_SEEDS

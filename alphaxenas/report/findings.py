"""What the stored runs allow to say, in sentences: the headline and the findings of the results notebook."""

from __future__ import annotations

import math
from collections.abc import Sequence

from alphaxenas.report.figures import model_name
from alphaxenas.report.runs import NAMES, StoredRun, Suite
from alphaxenas.report.statistics import REFERENCE, Comparisons, Interval, Paired

_NORMAL_95 = 1.96


def headline(suite: Suite, comparisons: Comparisons) -> str:
    """One line: test accuracies, and the difference between the leading search and random search at equal trials with
    its interval.
    """
    parts = [
        f"{model_name(run.models[run.results['chosen']])}: test accuracy {run.results['test_accuracy']:.4f}"
        for run in _tested(suite)
    ]
    for label, (first, *_) in _leading_first(suite, comparisons)[:1]:
        parts.append(f"{label} minus {REFERENCE}, {first.measure}: {signed(first.interval)}")
    return "; ".join(parts) or "nothing to compare yet"


def findings(suite: Suite, comparisons: Comparisons) -> list[str]:
    """The conclusions, a sentence or two each; what is missing is said instead of left out.

    Args:
        suite: The suite under review.
        comparisons: See `statistics.compare_each`. Of the leading search every measure is told, of the others the
            first.
    """
    found = []
    for run in _tested(suite):
        model, accuracy, images = (
            run.models[run.results["chosen"]],
            run.results["test_accuracy"],
            run.results["test_images"],
        )
        low, high = wilson(accuracy, images)
        found.append(
            f"**{model_name(model)}**: test accuracy **{accuracy:.4f}** on {images:,} images (95 % interval from their "
            f"number alone: {low:.4f} to {high:.4f}), {model['parameters']:,} parameters, {model['epochs']} epochs."
        )
    if len(found) == 2:
        found.append("Each of the two was trained once, so their difference carries no interval over trainings.")
    for place, (label, measures) in enumerate(_leading_first(suite, comparisons)):
        for each in measures[: 1 if place else None]:
            found.append(f"{label} minus {REFERENCE}, {each.measure}: **{signed(each.interval)}**. {each.verdict}")
    if not comparisons:
        found.append(
            f"There is no search with a seed in common with {REFERENCE}: nothing can be said about a difference."
        )
    return found


def signed(spread: Interval) -> str:
    """An interval of a difference, with signs."""
    if spread.low is None:
        return f"{spread.mean:+.4f} (one seed, no interval)"
    return f"{spread.mean:+.4f}, 95 % interval {spread.low:+.4f} to {spread.high:+.4f} over {spread.count} seeds"


def wilson(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a share of `count` independent trials. Source: Wilson 1927, JASA 22(158)."""
    z = _NORMAL_95**2 / count
    middle = (share + z / 2) / (1 + z)
    half = _NORMAL_95 * math.sqrt(share * (1 - share) / count + z / (4 * count)) / (1 + z)
    return middle - half, middle + half


def _leading_first(suite: Suite, comparisons: Comparisons) -> list[tuple[str, Sequence[Paired]]]:
    """Labels and comparisons in their order, but the search that the report is about before all others; see
    `Suite.leading`.
    """
    leading = {NAMES.get(run.controller, run.controller) for run in suite.leading}
    return sorted(comparisons.items(), key=lambda item: item[0] not in leading)


def _tested(suite: Suite) -> list[StoredRun]:
    return [run for run in (suite.final, suite.densenet) if run is not None and run.results is not None]

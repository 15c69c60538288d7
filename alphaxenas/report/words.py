"""What the stored runs allow to say, in sentences: the headline and the findings of the results notebook."""

from __future__ import annotations

import math
from collections.abc import Sequence

from alphaxenas.report.figures import model_name
from alphaxenas.report.runs import StoredRun, Suite
from alphaxenas.report.statistics import Interval, Paired

_NORMAL_95 = 1.96


def headline(suite: Suite, comparisons: Sequence[Paired], names: tuple[str, str]) -> str:
    """One line: test accuracies, and the difference between the two searches at equal trials with its interval."""
    parts = [f"{model_name(run.models[run.results['chosen']]['name'])}: test accuracy {run.results['test_accuracy']:.4f}" for run in _tested(suite)]
    if comparisons:
        parts.append(f"{names[0]} minus {names[1]}, {comparisons[0].measure}: {signed(comparisons[0].interval)}")
    return "; ".join(parts) or "nothing to compare yet"


def findings(suite: Suite, comparisons: Sequence[Paired], names: tuple[str, str]) -> list[str]:
    """The conclusions, a sentence or two each; what is missing is said instead of left out.

    Args:
        suite: The suite under review.
        comparisons: See `statistics.compare`.
        names: Of the two searches, in the order in which they were compared.
    """
    found = []
    for run in _tested(suite):
        model, accuracy, images = run.models[run.results["chosen"]], run.results["test_accuracy"], run.results["test_images"]
        low, high = wilson(accuracy, images)
        found.append(
            f"**{model_name(model['name'])}**: test accuracy **{accuracy:.4f}** on {images:,} images (95 % interval from their "
            f"number alone: {low:.4f} to {high:.4f}), {model['parameters']:,} parameters, {model['epochs']} epochs."
        )
    if len(found) == 2:
        found.append("Each of the two was trained once, so their difference carries no interval over trainings.")
    for each in comparisons:
        found.append(f"{names[0]} minus {names[1]}, {each.measure}: **{signed(each.interval)}**. {each.verdict}")
    if not comparisons:
        found.append("There are no two searches with a common seed: nothing can be said about the difference.")
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


def _tested(suite: Suite) -> list[StoredRun]:
    return [run for run in (suite.final, suite.densenet) if run is not None and run.results is not None]

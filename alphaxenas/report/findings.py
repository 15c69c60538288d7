"""What the stored runs allow to say, in sentences: the headline and the findings of the results notebook."""

from __future__ import annotations

from collections.abc import Mapping

from alphaxenas.report.equal_cost import REFERENCE, Comparisons
from alphaxenas.report.figures import model_name
from alphaxenas.report.runs import NAMES, StoredRun, Suite
from alphaxenas.report.statistics import Comparison, compare, interval


def headline(suite: Suite, comparisons: Comparisons) -> str:
    """The most important numbers in one line.

    Args:
        suite: The suite under review.
        comparisons: See `equal_cost.compare_each`.

    Returns:
        Test accuracies, and the difference between the leading search and random search at equal trials with its
        interval and verdict.
    """
    parts = [
        f"{model_name(run.models[run.outcome['chosen']])}: test accuracy {run.outcome['test_accuracy']:.4f}"
        for run in _tested(suite)
    ]
    for label, measures in _leading_first(suite, comparisons)[:1]:
        measure, first = next(iter(measures.items()))
        parts.append(f"{label} minus {REFERENCE}, {measure}: {first}, {first.verdict}")
    return "; ".join(parts) or "nothing to compare yet"


def findings(suite: Suite, comparisons: Comparisons) -> list[str]:
    """The conclusions, a sentence or two each.

    Args:
        suite: The suite under review.
        comparisons: See `equal_cost.compare_each`. Of the leading search every measure is reported, of the others the
            first.

    Returns:
        Test accuracies; then differences from random search, those that are not shown first; and what is missing.
    """
    found = []
    for run in _tested(suite):
        model, accuracy, images = (
            run.models[run.outcome["chosen"]],
            run.outcome["test_accuracy"],
            run.outcome["test_images"],
        )
        low, high = wilson(accuracy, images)
        found.append(
            f"**{model_name(model)}**: test accuracy **{accuracy:.4f}** on {images:,} images (95 % interval from their "
            f"number alone: {low:.4f} to {high:.4f}), {model['parameters']:,} parameters, {model['epochs']} epochs."
        )
    if len(found) == 2:
        found.append("Each of the two was trained once, so their difference carries no interval over trainings.")
    differences = [
        (f"{label} minus {REFERENCE}, {measure}", each)
        for place, (label, measures) in enumerate(_leading_first(suite, comparisons))
        for measure, each in list(measures.items())[: 1 if place else None]
    ]
    found += [verdict(name, each) for name, each in sorted(differences, key=lambda pair: pair[1].shown)]
    if not comparisons:
        found.append(
            f"There is no search with a seed in common with {REFERENCE}: nothing can be said about a difference."
        )
    return found


def verdict(name: str, comparison: Comparison) -> str:
    """A difference as a sentence that begins with whether it is shown.

    Args:
        name: What is compared.
        comparison: The difference.
    """
    return f"**{comparison.verdict.capitalize()}**: {name}: {comparison} ({comparison.reason})."


def test_accuracies(tests: Mapping[str, Mapping[int, float]], parameters: Mapping[str, int]) -> str:
    """Two networks that were trained with several seeds, as a list in Markdown, and whether their difference is shown.

    Args:
        tests: Network to test accuracy by seed; two networks.
        parameters: Network to its number of parameters.
    """
    lines = [
        f"**{name}**, {parameters[name]:,} parameters: test accuracy {interval(list(by_seed.values()))}"
        for name, by_seed in tests.items()
    ]
    return "\n".join(f"- {line}" for line in [*lines, verdict(" minus ".join(tests), compare(*tests.values()))])


def wilson(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a share of independent trials.

    Args:
        share: Of successes, in [0, 1].
        count: Number of trials, >= 1.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    from scipy.stats import binomtest

    spread = binomtest(round(share * count), count).proportion_ci(method="wilson")
    return float(spread.low), float(spread.high)


def _leading_first(suite: Suite, comparisons: Comparisons) -> list[tuple[str, Mapping[str, Comparison]]]:
    """Labels and comparisons in their order, but the search that the report is about before all others; see
    `Suite.leading`.
    """
    leading = {NAMES.get(run.controller, run.controller) for run in suite.leading}
    return sorted(comparisons.items(), key=lambda item: item[0] not in leading)


def _tested(suite: Suite) -> list[StoredRun]:
    return [run for run in suite.trainings if run.results is not None]

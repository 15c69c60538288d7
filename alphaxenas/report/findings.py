"""What the stored runs allow to say, in sentences: the headline and the findings of the results notebook."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from alphaxenas.report.equal_cost import DECISIVE, FEWEST_PAIRS, Comparisons, fidelity_correlation
from alphaxenas.report.figures import model_name
from alphaxenas.report.runs import Groups, StoredRun, Suite
from alphaxenas.report.statistics import Comparison, compare, compare_many, interval, seeds_needed
from alphaxenas.report.truth import static_orders
from alphaxenas.spaces.from_parameters import shares_weights


def headline(suite: Suite, comparisons: Comparisons) -> str:
    """Who won, and whether it is shown, in one sentence; then test accuracies.

    Args:
        suite: The suite under review.
        comparisons: See `equal_cost.compare_each`.

    Returns:
        The leading search against every control at equal seconds, see `who_won`.
    """
    parts = [who_won(suite, comparisons)]
    parts += [
        f"{model_name(run.models[run.outcome['chosen']])}: test accuracy {run.outcome['test_accuracy']:.4f}"
        for run in _tested(suite)
    ]
    return " ".join([parts[0], "; ".join(parts[1:])]).strip().removesuffix(".")


def who_won(suite: Suite, comparisons: Comparisons) -> str:
    """The leading search against every control at equal seconds, in one sentence that says whether it is shown.

    Args:
        suite: The suite under review.
        comparisons: See `equal_cost.compare_each`.
    """
    rivals = {
        control: measures[DECISIVE]
        for (_, control), measures in _of_leading(suite, comparisons).items()
        if DECISIVE in measures
    }
    if not rivals:
        return "There is no search with a seed in common with a control: nothing can be said about which is better."
    ((name, _), _), *_ = _leading_first(suite, comparisons)
    everyone = [each for measures in comparisons.values() if (each := measures.get(DECISIVE))]
    most, needed = max(each.n for each in everyone), seeds_needed(everyone[0].family)
    if most < needed:
        seeds = f"{most} seed{'s' if most > 1 else ''}"
        family = f" for {len(everyone)} comparisons" if len(everyone) > 1 else ""
        told = ", ".join(f"{control} by {each}" for control, each in rivals.items())
        return (
            f"Whether {name} is better at equal seconds cannot be shown with {seeds}, {needed} are needed{family}: it "
            f"differs from {told}."
        )
    told = ", ".join(
        f"is{'' if each.shown else ' not'} shown to be {'worse' if each.shown and each.mean < 0 else 'better'} than "
        f"{control} ({each}, {each.reason})"
        for control, each in sorted(rivals.items(), key=lambda item: item[1].shown)
    )
    return f"{name} at equal seconds {told}."


def findings(suite: Suite, comparisons: Comparisons) -> list[str]:
    """The conclusions, a sentence or two each.

    Args:
        suite: The suite under review.
        comparisons: See `equal_cost.compare_each`. Of the leading search every measure is reported, of the others the
            first.

    Returns:
        Who won; test accuracies; then differences from controls, those that are not shown first.
    """
    found = [who_won(suite, comparisons)]
    tested = _tested(suite)
    for run in tested:
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
    if len(tested) == 2:
        found.append("Each of the two was trained once, so their difference carries no interval over trainings.")
    leading = _of_leading(suite, comparisons)
    differences = [
        (f"{label} minus {control}, {measure}", each)
        for (label, control), measures in _leading_first(suite, comparisons)
        for measure, each in list(measures.items())[: None if (label, control) in leading else 1]
    ]
    return found + [verdict(name, each) for name, each in sorted(differences, key=lambda pair: pair[1].shown)]


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


def ratings_against_size(groups: Groups) -> list[str]:
    """Whether ratings at the search budget rank worse than size and depth, which are free; a sentence per search.

    Both are correlated with the reward at the final budget over the promoted architectures, which were promoted for
    their ratings: that they are alike in them makes it harder for ratings than for size.

    Args:
        groups: Searches by label.
    """
    said = []
    for label, runs in groups.items():
        ratings, sizes, pairs = dict[int, float](), dict[int, float](), [0]
        for run in runs:
            orders = static_orders(run)
            order = next((name for name in ("depth, then parameters", "parameters") if name in orders), "")
            ratings[run.seed], count = fidelity_correlation(run)
            sizes[run.seed], _ = fidelity_correlation(run, orders.get(order, {}))
            pairs.append(count)
        kind = "shared weights" if shares_weights(runs[0].parameters) else "short training"
        found = compare_many({label: (ratings, sizes)}).get(label)
        what = f"{label}: whether ratings with {kind} rank worse than size and depth"
        if found is None:
            few = f"{max(pairs)} promoted architectures have both, at least {FEWEST_PAIRS} are needed"
            said.append(f"{what} **cannot be told**: {few}, not all equal in them.")
            continue
        means = f"{np.mean(found.ours):.2f} and {np.mean(found.theirs):.2f} with the final budget"
        if not found.shown:
            said.append(f"{what} is **not shown**: they correlate by {means} ({found.reason}).")
        else:
            worse = "worse" if found.mean < 0 else "better"
            line = f"{label}: ratings with {kind} rank **{worse}** than size and depth: by {means} ({found.reason})."
            if found.mean < 0 and kind == "shared weights":
                line += " `share_weights=false` trains children from scratch."
            said.append(line)
    return said


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


def _leading_first(suite: Suite, comparisons: Comparisons) -> list[tuple[tuple[str, str], Mapping[str, Comparison]]]:
    """Labels and comparisons in their order, but the search that the report is about before all others; see
    `Suite.leading`.
    """
    leading = {run.name for run in suite.leading}
    return sorted(comparisons.items(), key=lambda item: item[0][0] not in leading)


def _of_leading(suite: Suite, comparisons: Comparisons) -> Comparisons:
    """The comparisons of the search that comes first in `_leading_first`, with every control."""
    ordered = _leading_first(suite, comparisons)
    return {pair: measures for pair, measures in ordered if pair[0] == ordered[0][0][0]}


def _tested(suite: Suite) -> list[StoredRun]:
    return [run for run in suite.trainings if run.results is not None]

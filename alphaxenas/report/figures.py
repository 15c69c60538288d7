"""Figures of searches and trainings, each from stored records alone; every function returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.report.equal_cost import COSTS, cumulative_cost, curves, is_cached
from alphaxenas.report.runs import NAMES, Groups, StoredRun
from alphaxenas.report.statistics import interval
from alphaxenas.report.style import DASHES, GREY, INK, LOOKS, OTHERS, count_on, looks, new_figure, say, single_dot
from alphaxenas.spaces.zoo import PREFIX, zoo_cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PURPOSES = {
    "search": ("search budget", "o", 16, 0.55),
    "final": ("final budget", "D", 34, 1.0),
    "refresh": ("scored again, untrained", "x", 18, 0.8),
}
"""Label, marker, size and opacity of the dots of a purpose; their colour says who searched."""


def search_curves(groups: Groups) -> Figure:
    """Best validation accuracy so far against trained children, images trained and seconds, up to where the cheapest
    run ends.
    """
    figure, axes = new_figure(1, len(COSTS), height=3.9, sharey=True)
    for panel, (cost, title) in zip(axes, COSTS.items()):
        found = curves(groups, cost)
        for label, look in looks(groups).items():
            seeds = len(groups[label])
            if seeds > 1:
                panel.plot(
                    found.grid,
                    found.values[label].T,
                    color=look.colour,
                    linewidth=0.6,
                    alpha=0.35,
                    drawstyle="steps-post",
                )
                panel.fill_between(
                    found.grid,
                    found.low[label],
                    found.high[label],
                    color=look.colour,
                    alpha=0.18,
                    step="post",
                    linewidth=0,
                )
            name = f"{label}, mean of {seeds} seeds" if seeds > 1 else f"{label}, seed {groups[label][0].seed}"
            # The marker at the end shows where a curve arrives that rises in its last step, or has one point only.
            panel.plot(
                found.grid,
                found.mean[label],
                linewidth=2.2,
                drawstyle="steps-post",
                color=look.colour,
                linestyle=look.dashes,
                marker=look.marker,
                markevery=[-1],
                markersize=6,
                clip_on=False,
                label=name,
            )
        panel.set_xlabel(title.replace(" (", "\n("))
        panel.set_xlim(0, max(1.0, found.grid[-1] if len(found.grid) else 1.0))
        panel.locator_params(axis="x", nbins=5)
        panel.xaxis.set_major_formatter(_short)
        panel.margins(y=0.08)
    axes[0].set_ylabel("best validation accuracy so far\n(final budget)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=2 if len(labels) < 5 else 3, frameon=False, handlelength=3.2
    )
    return figure


def trial_dots(groups: Groups) -> Figure:
    """Every evaluated child as a dot at its accuracy, by purpose; one panel per controller, all seeds together.

    Children far below all others, such as failed ones, are triangles on the lower edge.
    """
    from matplotlib.lines import Line2D

    labels = list(groups)
    columns = min(2, max(1, len(labels)))
    rows = -(-max(1, len(labels)) // columns)
    figure, axes = new_figure(rows, columns, height=3.7 * rows, sharey=True, sharex=True)
    records = {label: _evaluated(groups[label]) for label in labels}
    met = {purpose for found in records.values() for _, purpose, _ in found}
    low, high = _clear_limits([reward for found in records.values() for _, _, reward in found])
    own, shown = looks(labels), {}
    for panel, label in zip(axes, labels):
        for purpose, (name, marker, size, opacity) in PURPOSES.items():
            if purpose not in met:
                continue
            found = [(x, reward) for x, kind, reward in records[label] if kind == purpose]
            inside = np.array([(x, reward) for x, reward in found if reward >= low]).reshape(-1, 2)
            below = [x for x, reward in found if reward < low]
            colour = GREY if purpose == "refresh" else own[label].colour
            edge: dict[str, Any] = {"edgecolors": "none" if purpose == "search" else INK} if marker != "x" else {}
            panel.scatter(
                inside[:, 0], inside[:, 1], s=size, c=colour, marker=marker, alpha=opacity, linewidths=0.9, **edge
            )
            if below:
                panel.scatter(below, [low] * len(below), s=22, c=colour, alpha=opacity, marker="v", clip_on=False)
            shown[name] = Line2D(
                [],
                [],
                linestyle="",
                marker=marker,
                color=INK if marker != "x" else GREY,
                alpha=opacity,
                markersize=size**0.5,
            )
        panel.set_title(label)
        panel.set_xlabel("trained children")
        panel.tick_params(labelbottom=True)
        count_on(panel)
        panel.set_ylim(low, high)
    for panel in axes[len(labels) :]:
        panel.set_axis_off()
    axes[0].set_ylabel("validation accuracy")
    figure.legend(shown.values(), shown, loc="outside upper center", ncols=3, frameon=False)
    return figure


def training_curves(trainings: Sequence[StoredRun], against: str = "epoch") -> Figure:
    """Loss and accuracy of every fully trained network.

    Args:
        trainings: Finished or not.
        against: `"epoch"`, or `"minutes"` of training and validation, which networks of different sizes share.
    """
    found = [
        (model, *_look(number, model))
        for number, model in enumerate(model for run in trainings for model in _histories(run))
    ]
    if not found:
        figure, (panel,) = new_figure(height=1.0)
        say(panel, "No network has been trained in full yet.")
        return figure
    figure, (loss, accuracy) = new_figure(1, 2, height=3.9)
    for (name, history), colour, dashes in found:
        places = [record["epoch"] if against == "epoch" else record["seconds"] / 60 for record in history]
        losses, accuracies = ([record[kind] for record in history] for kind in ("loss", "train_accuracy"))
        loss.plot(places, losses, color=colour, linestyle=dashes, linewidth=1.8, marker=single_dot(losses), label=name)
        accuracy.plot(
            places,
            accuracies,
            color=colour,
            linestyle=dashes,
            linewidth=1.0,
            alpha=0.55,
            marker="_" if single_dot(accuracies) else None,
        )
        rated = [
            (place, record["validation_accuracy"])
            for place, record in zip(places, history)
            if "validation_accuracy" in record
        ]
        if rated:
            accuracy.plot(*zip(*rated), color=colour, linestyle=dashes, linewidth=1.8, marker="o", markersize=3.5)
    loss.set_title("training loss")
    accuracy.set_title("accuracy: validation (dots), training (thin)")
    for panel in (loss, accuracy):
        panel.set_xlabel(against)
        if against == "epoch":
            count_on(panel)
    figure.legend(*loss.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    return figure


def accuracy_against_parameters(groups: Groups, trainings: Sequence[StoredRun]) -> Figure:
    """Accuracy against size, children and fully trained networks apart, because their training is not comparable.

    Args:
        groups: Searches by label.
        trainings: Full trainings; those that are not finished have no networks yet.
    """
    figure, (children, trained) = new_figure(1, 2, height=3.9)
    for label, look in looks(groups).items():
        runs = groups[label]
        finals = [
            record
            for run in runs
            for record in run.records
            if record["purpose"] == "final" and record["status"] == "ok"
        ]
        sizes = [record["metrics"].get("parameters", np.nan) for record in finals]
        rewards = [record["reward"] for record in finals]
        children.scatter(
            sizes, rewards, s=44, marker=look.marker, c=look.colour, edgecolors="white", linewidths=0.3, label=label
        )
    children.set_title("children of the search, final budget")
    models = [model for run in trainings for model in run.models]
    for number, model in enumerate(models):
        name = model_name(model)
        colour, _ = _look(number, (name, []))
        trained.scatter(
            model["parameters"],
            model["validation_accuracy"],
            s=60,
            marker="s" if name == NAMES["densenet"] else "D",
            c=colour,
        )
        to_the_left = model["parameters"] > 0.5 * max(other["parameters"] for other in models)
        trained.annotate(
            name,
            (model["parameters"], model["validation_accuracy"]),
            xytext=(-8 if to_the_left else 8, -3),
            textcoords="offset points",
            ha="right" if to_the_left else "left",
            fontsize=9,
        )
    trained.set_title("trained in full")
    trained.margins(0.15, 0.3)
    trained.set_xlim(left=0)
    trained.set_ylim(top=min(1.0, trained.get_ylim()[1]))
    for panel in (children, trained):
        panel.set_xlabel("trainable parameters")
        panel.set_ylabel("validation accuracy")
        panel.xaxis.set_major_formatter(_short)
    if not models:
        say(trained, "No network has been trained in full yet.")
    if groups:
        figure.legend(*children.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    return figure


def accuracy_dots(tests: Mapping[str, Mapping[int, float]], measure: str = "test accuracy") -> Figure:
    """Accuracies of trainings as dots, seeds of one network in a row, with the mean and its 95 % interval.

    Args:
        tests: Network to seed to accuracy.
        measure: What the axis is called.
    """
    figure, (panel,) = new_figure(height=1.0 + 0.55 * len(tests))
    for row, (look, (name, found)) in enumerate(zip(looks(tests).values(), tests.items())):
        spread = interval(list(found.values()))
        panel.plot(list(found.values()), np.full(len(found), row), "o", color=look.colour, alpha=0.5, markersize=6)
        if spread.low is not None and spread.high is not None:
            panel.plot([spread.low, spread.high], [row, row], color=look.colour, linewidth=2)
        panel.plot([spread.mean], [row], "|", color=look.colour, markersize=16, markeredgewidth=2.5)
    panel.set_yticks(range(len(tests)), list(tests))
    panel.set_ylim(len(tests) - 0.5, -0.5)
    panel.set_xlabel(measure)
    return figure


def model_name(model: Mapping[str, Any]) -> str:
    """How a fully trained model is called: a known cell by its title, `rank1` of a search, or the baseline."""
    name, architecture = model["name"], model.get("architecture", "")
    if architecture.startswith(PREFIX):
        return zoo_cell(architecture).title
    if name == "hand_made":
        return "hand-made"
    return NAMES.get(name, f"searched, {name.replace('rank', 'rank ')}" if name.startswith("rank") else name)


def _evaluated(runs: Sequence[StoredRun]) -> list[tuple[float, str, float]]:
    """Trained children so far, purpose and reward of every record that is not a repetition."""
    return [
        (x, record["purpose"], record["reward"])
        for run in runs
        for x, record in zip(cumulative_cost(run, "trials"), run.records)
        if not is_cached(record)
    ]


def _clear_limits(rewards: Sequence[float]) -> tuple[float, float]:
    """Limits of an accuracy axis that a few failed children do not squeeze together."""
    if not len(rewards):
        return 0.0, 1.0
    quarter, three_quarters = np.quantile(rewards, (0.25, 0.75))
    low, high = max(min(rewards), float(2.5 * quarter - 1.5 * three_quarters)), max(rewards)
    room = max(0.01, 0.06 * (high - low))
    return max(0.0, low - room), min(1.0, high + room)


def _short(value: float, _: float) -> str:
    """A number on an axis: 30 k, 1.5 M."""
    return f"{value / 1e6:g} M" if abs(value) >= 1e6 else f"{value / 1e3:g} k" if abs(value) >= 1e3 else f"{value:g}"


def _histories(run: StoredRun) -> list[tuple[str, list[dict[str, Any]]]]:
    """Name and epoch records of the networks of a training, finished or not, in order of their rank."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in run.records:
        found.setdefault(record["name"], []).append(record)
    finished = {model["name"]: model for model in run.models}
    return [(model_name(finished.get(name, {"name": name})), records) for name, records in found.items()]


def _look(number: int, model: tuple[str, Any]) -> tuple[str, Any]:
    """Colour and dashes of a fully trained network: the baseline has its own, the searched ones take theirs by rank,
    none of a controller.
    """
    if model[0] == NAMES["densenet"]:
        return LOOKS[model[0]].colour, LOOKS[model[0]].dashes
    choice = (*OTHERS[1:], OTHERS[0])
    return choice[number % len(choice)], DASHES[0] if number < len(choice) else DASHES[2]

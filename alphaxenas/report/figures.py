"""Figures of searches and trainings, each from stored records alone; every function returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D

from alphaxenas.report.equal_cost import COSTS, cumulative_cost, curves, is_cached
from alphaxenas.report.runs import NAMES, Groups, StoredRun
from alphaxenas.report.statistics import interval
from alphaxenas.report.style import (
    DASHES,
    GREY,
    INK,
    LOOKS,
    OTHERS,
    Look,
    Style,
    count_on,
    legend_above,
    looks,
    new_figure,
    panels,
    say,
    sentence,
    single_dot,
)
from alphaxenas.spaces.zoo import PREFIX, zoo_cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PURPOSES = {
    "search": ("search budget", "o", 16, 0.55),
    "final": ("final budget", "D", 34, 1.0),
    "refresh": ("scored again, untrained", "x", 18, 0.8),
    "imported": ("imported: by another search", "s", 14, 0.6),
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
            steps = Style(color=look.colour, drawstyle="steps-post")
            if seeds > 1:
                panel.plot(found.grid, found.values[label].T, linewidth=0.6, alpha=0.35, **steps)
                band = Style(color=look.colour, alpha=0.18, step="post", linewidth=0)
                panel.fill_between(found.grid, found.low[label], found.high[label], **band)
            name = f"{label}, mean of {seeds} seeds" if seeds > 1 else f"{label}, seed {groups[label][0].seed}"
            # The marker at the end shows where a curve arrives that rises in its last step, or has one point only.
            end = Style(marker=look.marker, markevery=[-1], markersize=6, clip_on=False)
            panel.plot(found.grid, found.mean[label], linewidth=2.2, linestyle=look.dashes, label=name, **steps, **end)
        panel.set(xlabel=title.replace(" (", "\n("), xlim=(0, max(1.0, found.grid[-1] if len(found.grid) else 1.0)))
        panel.locator_params(axis="x", nbins=5)
        panel.xaxis.set_major_formatter(_short)
        panel.margins(y=0.08)
    axes[0].set_ylabel("best validation accuracy so far\n(final budget)")
    legend_above(figure, 2 if len(groups) < 5 else 3, handlelength=3.2)
    return figure


def trial_dots(groups: Groups) -> Figure:
    """Every evaluated child as a dot at its accuracy, by purpose; one panel per controller, all seeds together.

    Children far below all others, such as failed ones, are triangles on the lower edge.
    """

    figure, axes = panels(len(groups), 2, 3.7, sharey=True, sharex=True)
    records = {label: _evaluated(runs) for label, runs in groups.items()}
    met = {purpose for found in records.values() for _, purpose, _ in found}
    low, high = _clear_limits([reward for found in records.values() for _, _, reward in found])
    shown = {}
    for panel, (label, look) in zip(axes, looks(groups).items()):
        for purpose, (name, marker, size, opacity) in PURPOSES.items():
            if purpose not in met:
                continue
            points = np.array([(x, reward) for x, kind, reward in records[label] if kind == purpose]).reshape(-1, 2)
            inside, below = points[points[:, 1] >= low], points[points[:, 1] < low, 0]
            colour = GREY if purpose in ("refresh", "imported") else look.colour
            edge: dict[str, Any] = {"edgecolors": INK if purpose == "final" else "none"} if marker != "x" else {}
            panel.scatter(
                inside[:, 0], inside[:, 1], s=size, c=colour, marker=marker, alpha=opacity, linewidths=0.9, **edge
            )
            if len(below):
                panel.scatter(below, [low] * len(below), s=22, c=colour, alpha=opacity, marker="v", clip_on=False)
            handle = Style(color=INK if marker != "x" else GREY, alpha=opacity, markersize=size**0.5)
            shown[name] = Line2D([], [], linestyle="", marker=marker, **handle)
        panel.set(title=label, xlabel="trained children", ylim=(low, high))
        panel.tick_params(labelbottom=True)
        count_on(panel)
    axes[0].set_ylabel("validation accuracy")
    legend_above(figure, handles=shown)
    return figure


def training_curves(trainings: Sequence[StoredRun], against: str = "epoch") -> Figure:
    """Loss and accuracy of every fully trained network.

    Args:
        trainings: Finished or not.
        against: `"epoch"`, or `"minutes"` of training and validation, which networks of different sizes share.
    """
    found = [model for run in trainings for model in _histories(run)]
    if not found:
        return sentence("No network has been trained in full yet.")
    figure, (loss, accuracy) = new_figure(1, 2, height=3.9)
    for number, (name, history) in enumerate(found):
        line = _line(number, name)
        places = [record["epoch"] if against == "epoch" else record["seconds"] / 60 for record in history]
        losses, accuracies = ([record[kind] for record in history] for kind in ("loss", "train_accuracy"))
        loss.plot(places, losses, linewidth=1.8, marker=single_dot(losses), label=name, **line)
        alone = "_" if single_dot(accuracies) else None
        accuracy.plot(places, accuracies, linewidth=1.0, alpha=0.55, marker=alone, **line)
        kind = "validation_accuracy"
        rated = [(place, record[kind]) for place, record in zip(places, history) if kind in record]
        if rated:
            accuracy.plot(*zip(*rated), linewidth=1.8, marker="o", markersize=3.5, **line)
    loss.set_title("training loss")
    accuracy.set_title("accuracy: validation (dots), training (thin)")
    for panel in (loss, accuracy):
        panel.set_xlabel(against)
        if against == "epoch":
            count_on(panel)
    legend_above(figure, 4)
    return figure


def accuracy_against_parameters(groups: Groups, trainings: Sequence[StoredRun]) -> Figure:
    """Accuracy against size, children and fully trained networks apart, because their training is not comparable.

    Args:
        groups: Searches by label.
        trainings: Full trainings; those that are not finished have no networks yet.
    """
    figure, (children, trained) = new_figure(1, 2, height=3.9)
    for label, look in looks(groups).items():
        records = [record for run in groups[label] for record in run.finals]
        sizes = [record["metrics"].get("parameters", np.nan) for record in records]
        rewards = [record["reward"] for record in records]
        dots = Style(s=44, marker=look.marker, c=look.colour, edgecolors="white", linewidths=0.3)
        children.scatter(sizes, rewards, label=label, **dots)
    children.set_title("children of the search, final budget")
    models = [model for run in trainings for model in run.models]
    for number, model in enumerate(models):
        name, place = model_name(model), (model["parameters"], model["validation_accuracy"])
        marker = "s" if name == NAMES["densenet"] else "D"
        trained.scatter(*place, s=60, marker=marker, c=_line(number, name)["color"])
        # Names stand on the side where there is room.
        left = model["parameters"] > 0.5 * max(other["parameters"] for other in models)
        side, offset = ("right", (-8, -3)) if left else ("left", (8, -3))
        trained.annotate(name, place, xytext=offset, textcoords="offset points", ha=side, fontsize=9)
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
    legend_above(figure, 4)
    return figure


def accuracy_dots(tests: Mapping[str, Mapping[int, float]]) -> Figure:
    """Accuracies of trainings as dots, seeds of one network in a row, with the mean and its 95 % interval.

    Args:
        tests: Network to seed to accuracy.
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
    panel.set_xlabel("test accuracy")
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
    """Trained children so far, purpose and reward of every record that is not a repetition; imported ones at 0."""
    imported = [(0.0, record["purpose"], record["reward"]) for run in runs for record in run.imported]
    return imported + [
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


def _line(number: int, name: str) -> dict[str, Any]:
    """Colour and dashes of a fully trained network: the baseline has its own, the searched ones take theirs by rank,
    none of a controller.
    """
    if name == NAMES["densenet"]:
        return LOOKS[name].line
    choice = (*OTHERS[1:], OTHERS[0])
    return Look(choice[number % len(choice)], DASHES[0] if number < len(choice) else DASHES[2], "").line

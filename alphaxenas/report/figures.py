"""Figures of searches and trainings, each from stored records alone; every function returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.report.runs import NAMES, StoredRun
from alphaxenas.report.statistics import COSTS, cumulative_cost, curves, is_cached
from alphaxenas.report.style import BLUE, DASHES, GREEN, GREY, INK, ORANGE, RED, colours, new_figure, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Groups = Mapping[str, Sequence[StoredRun]]

PURPOSES = {
    "search": ("search budget", ORANGE, "o", 16), "final": ("final budget", BLUE, "D", 30),
    "refresh": ("scored again, untrained", GREY, "x", 18),
}
"""Label, colour, marker and size of the dots of a purpose."""
WINDOWS = 6
"""Stretches of a search in which chosen operations are counted."""


def search_curves(groups: Groups) -> Figure:
    """Best validation accuracy so far against trained children, images trained and seconds, up to where the cheapest run ends."""
    figure, axes = new_figure(1, len(COSTS), height=3.9, sharey=True)
    palette = colours(groups)
    for panel, (cost, title) in zip(axes, COSTS.items()):
        found = curves(groups, cost)
        for number, label in enumerate(groups):
            seeds = len(groups[label])
            line = {"color": palette[label], "linestyle": DASHES[number % len(DASHES)]}
            if seeds > 1:
                panel.plot(found.grid, found.values[label].T, color=palette[label], linewidth=0.6, alpha=0.35, drawstyle="steps-post")
                panel.fill_between(found.grid, found.low[label], found.high[label], color=palette[label], alpha=0.18, step="post", linewidth=0)
            name = f"{label}, mean of {seeds} seeds" if seeds > 1 else f"{label}, seed {groups[label][0].seed}"
            dot = _dot(found.mean[label])
            panel.plot(found.grid, found.mean[label], linewidth=2.2, drawstyle="steps-post", marker=dot, clip_on=not dot, label=name, **line)
        panel.set_xlabel(title.replace(" (", "\n("))
        panel.set_xlim(0, max(1.0, found.grid[-1] if len(found.grid) else 1.0))
        panel.xaxis.set_major_formatter(_short)
        panel.margins(y=0.08)
    axes[0].set_ylabel("best validation accuracy so far\n(final budget)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    return figure


def trial_dots(groups: Groups) -> Figure:
    """Every evaluated child as a dot at its accuracy, by purpose; one panel per controller, all seeds together.

    Children far below all others, such as failed ones, are triangles on the lower edge.
    """
    labels = list(groups)
    columns = min(2, max(1, len(labels)))
    rows = -(-max(1, len(labels)) // columns)
    figure, axes = new_figure(rows, columns, height=3.7 * rows, sharey=True, sharex=True)
    records = {label: _evaluated(groups[label]) for label in labels}
    met = {purpose for found in records.values() for _, purpose, _ in found}
    low, high = _clear_limits([reward for found in records.values() for _, _, reward in found])
    for panel, label in zip(axes, labels):
        for purpose, (name, colour, marker, size) in PURPOSES.items():
            if purpose not in met:
                continue
            found = [(x, reward) for x, kind, reward in records[label] if kind == purpose]
            inside = np.array([(x, reward) for x, reward in found if reward >= low]).reshape(-1, 2)
            below = [x for x, reward in found if reward < low]
            edge = {} if marker == "x" else {"edgecolors": "white"}
            panel.scatter(*inside.T, s=size, c=colour, marker=marker, linewidths=0.9 if marker == "x" else 0.4, label=name, **edge)
            if below:
                panel.scatter(below, [low] * len(below), s=22, c=colour, marker="v", clip_on=False)
        panel.set_title(label)
        panel.set_xlabel("trained children")
        panel.tick_params(labelbottom=True)
        _count_on(panel)
        panel.set_ylim(low, high)
    for panel in axes[len(labels):]:
        panel.set_axis_off()
    axes[0].set_ylabel("validation accuracy")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=3, frameon=False)
    return figure


def lstm_curves(runs: Sequence[StoredRun]) -> Figure:
    """Losses of the LSTM and the rank correlation of its predictions with what came of architectures it had not seen."""
    panels = {
        "lstm/policy_loss": "policy: cross-entropy", "lstm/value_loss": "value: squared error",
        "lstm/rank_correlation": "held-out rank correlation",
    }
    figure, axes = new_figure(1, len(panels), height=3.5, sharex=True)
    for panel, (tag, title) in zip(axes, panels.items()):
        _diagnostic(panel, runs, tag, BLUE, "steps-post")
        panel.set_title(title)
        panel.set_xlabel("trained children")
    if axes[-1].lines:
        axes[-1].axhline(0, color=INK, linewidth=0.8)
    axes[-1].set_ylim(-1, 1)
    _seed_legend(figure, axes)
    return figure


def tree_curves(runs: Sequence[StoredRun]) -> Figure:
    """Size of the tree: nodes, and the longest prefix reached. A renewed tree starts from nothing, which makes teeth."""
    panels = {"tree/nodes": "nodes", "tree/depth": "longest prefix (tokens)"}
    figure, axes = new_figure(1, len(panels), height=3.3)
    for panel, (tag, title) in zip(axes, panels.items()):
        _diagnostic(panel, runs, tag, GREEN)
        panel.set_title(title)
        panel.set_xlabel("trained children")
        panel.set_ylim(bottom=0)
    _seed_legend(figure, axes)
    return figure


def operation_shares(groups: Groups) -> Figure:
    """Which operations were chosen over time: share of all choices in equal stretches of the search, seeds together."""
    figure, axes = new_figure(1, max(1, len(groups)), height=0.9 + 0.34 * _most_operations(groups), sharey=True)
    shares = {label: _shares(runs) for label, runs in groups.items()}
    top = max((float(np.nanmax(table)) for _, table in shares.values() if np.isfinite(table).any()), default=1.0)
    for panel, (label, (operations, table)) in zip(axes, shares.items()):
        panel.grid(False)
        image = panel.imshow(table, cmap="cividis", vmin=0, vmax=top, aspect="auto")
        for (row, column), share in np.ndenumerate(table):
            if np.isfinite(share):
                panel.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=8, color="white" if share < 0.6 * top else INK)
        panel.set_title(label)
        panel.set_yticks(range(len(operations)), operations)
        panel.set_xticks(range(WINDOWS), ["first\nsixth", *[""] * (WINDOWS - 2), "last\nsixth"])
    if shares:
        figure.colorbar(image, ax=axes, label="share of the choices", pad=0.01, format=lambda share, _: f"{100 * share:.0f} %")
    return figure


def training_curves(trainings: Sequence[StoredRun]) -> Figure:
    """Loss and accuracy of every fully trained network, epoch by epoch."""
    found = [(model, *_look(number, model)) for number, model in enumerate(model for run in trainings for model in _histories(run))]
    if not found:
        figure, (panel,) = new_figure(height=1.0)
        say(panel, "No network has been trained in full yet.")
        return figure
    figure, (loss, accuracy) = new_figure(1, 2, height=3.9)
    for (name, history), colour, dashes in found:
        epochs = [record["epoch"] for record in history]
        losses, accuracies = ([record[kind] for record in history] for kind in ("loss", "train_accuracy"))
        loss.plot(epochs, losses, color=colour, linestyle=dashes, linewidth=1.8, marker=_dot(losses), label=name)
        accuracy.plot(epochs, accuracies, color=colour, linestyle=dashes, linewidth=1.0, alpha=0.55, marker="_" if _dot(accuracies) else None)
        rated = [(record["epoch"], record["validation_accuracy"]) for record in history if "validation_accuracy" in record]
        if rated:
            accuracy.plot(*zip(*rated), color=colour, linestyle=dashes, linewidth=1.8, marker="o", markersize=3.5)
    loss.set_title("training loss")
    accuracy.set_title("accuracy: validation (dots), training (thin)")
    for panel in (loss, accuracy):
        panel.set_xlabel("epoch")
        _count_on(panel)
    figure.legend(*loss.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    return figure


def accuracy_against_parameters(groups: Groups, trainings: Sequence[StoredRun]) -> Figure:
    """Accuracy against size, children and fully trained networks apart, because their training is not comparable."""
    figure, (children, trained) = new_figure(1, 2, height=3.9)
    palette = colours(groups)
    for marker, (label, runs) in zip("os^v" * len(groups), groups.items()):
        finals = [record for run in runs for record in run.records if record["purpose"] == "final" and record["status"] == "ok"]
        sizes = [record["metrics"].get("parameters", np.nan) for record in finals]
        rewards = [record["reward"] for record in finals]
        children.scatter(sizes, rewards, s=26, marker=marker, c=palette[label], edgecolors="white", linewidths=0.5, label=label)
    children.set_title("children of the search, final budget")
    models = [model for run in trainings for model in run.models]
    for number, model in enumerate(models):
        name = model_name(model["name"])
        colour, _ = _look(number, (name, []))
        trained.scatter(model["parameters"], model["validation_accuracy"], s=60, marker="s" if name == NAMES["densenet"] else "D", c=colour)
        to_the_left = model["parameters"] > 0.5 * max(other["parameters"] for other in models)
        trained.annotate(name, (model["parameters"], model["validation_accuracy"]), xytext=(-8 if to_the_left else 8, -3), textcoords="offset points",
                         ha="right" if to_the_left else "left", fontsize=9)
    trained.set_title("trained in full")
    trained.margins(0.15, 0.3)
    trained.set_xlim(left=0)
    for panel in (children, trained):
        panel.set_xlabel("trainable parameters")
        panel.set_ylabel("validation accuracy")
        panel.xaxis.set_major_formatter(_short)
    if not models:
        say(trained, "No network has been trained in full yet.")
    if groups:
        children.legend(frameon=False, fontsize=9)
    return figure


def model_name(name: str) -> str:
    """How a fully trained model is called: `rank1` of a search, or the baseline."""
    return NAMES.get(name, f"searched, {name.replace('rank', 'rank ')}" if name.startswith("rank") else name)


def _evaluated(runs: Sequence[StoredRun]) -> list[tuple[float, str, float]]:
    """Trained children so far, purpose and reward of every record that is not a repetition."""
    return [
        (x, record["purpose"], record["reward"])
        for run in runs for x, record in zip(cumulative_cost(run, "trials"), run.records) if not is_cached(record)
    ]


def _clear_limits(rewards: Sequence[float]) -> tuple[float, float]:
    """Limits of an accuracy axis that a few failed children do not squeeze together."""
    if not len(rewards):
        return 0.0, 1.0
    quarter, three_quarters = np.quantile(rewards, (0.25, 0.75))
    low, high = max(min(rewards), float(2.5 * quarter - 1.5 * three_quarters)), max(rewards)
    room = max(0.01, 0.06 * (high - low))
    return max(0.0, low - room), min(1.0, high + room)


def _diagnostic(panel: Axes, runs: Sequence[StoredRun], tag: str, colour: str, style: str = "default") -> None:
    """One curve per seed, a dot where there is one point only, or a sentence when no run has it."""
    for number, run in enumerate(runs):
        points = [(x, record["diagnostics"][tag]) for x, record in zip(cumulative_cost(run, "trials"), run.records) if tag in record["diagnostics"]]
        if points:
            dashes = DASHES[number % len(DASHES)]
            panel.plot(*zip(*points), color=colour, linewidth=1.5, alpha=0.8, linestyle=dashes, drawstyle=style, marker=_dot([y for _, y in points]),
                       label=f"seed {run.seed}")
    _count_on(panel)
    if not panel.lines:
        say(panel, "not recorded")


def _dot(values: Sequence[float]) -> str | None:
    """The marker of a curve of one point, of which a line would show nothing."""
    return "o" if np.isfinite(values).sum() == 1 else None


def _count_on(panel: Axes) -> None:
    """Whole numbers on the horizontal axis, which counts something."""
    panel.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def _seed_legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """One legend for all panels, where there is more than one seed to tell apart."""
    handles, labels = max((panel.get_legend_handles_labels() for panel in axes), key=lambda found: len(found[0]))
    if len(handles) > 1:
        figure.legend(handles, labels, loc="outside upper center", ncols=6, frameon=False)


def _short(value: float, _: int) -> str:
    """A number on an axis: 30 k, 1.5 M."""
    return f"{value / 1e6:g} M" if abs(value) >= 1e6 else f"{value / 1e3:g} k" if abs(value) >= 1e3 else f"{value:g}"


def _most_operations(groups: Groups) -> int:
    return max((len(run.space.operations) for runs in groups.values() for run in runs), default=1)


def _shares(runs: Sequence[StoredRun]) -> tuple[tuple[str, ...], np.ndarray]:
    """Operations, and their shares `[operations, WINDOWS]` of all choices; NaN in a stretch without choices."""
    operations = runs[0].space.operations
    counts = np.zeros((len(operations), WINDOWS))
    for run in runs:
        chosen = [record for record in run.records if record["purpose"] != "refresh" and not is_cached(record)]
        names = run.space.vocabulary
        for number, record in enumerate(chosen):
            window = number * WINDOWS // len(chosen)
            for token in record["tokens"]:
                if names[token] in operations:
                    counts[operations.index(names[token]), window] += 1
    with np.errstate(invalid="ignore"):
        return operations, counts / counts.sum(axis=0)


def _histories(run: StoredRun) -> list[tuple[str, list[dict[str, Any]]]]:
    """Name and epoch records of the networks of a training, finished or not, in order of their rank."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in run.records:
        found.setdefault(record["name"], []).append(record)
    return [(model_name(name), records) for name, records in found.items()]


def _look(number: int, model: tuple[str, Any]) -> tuple[str, Any]:
    """Colour and dashes of a fully trained network: the baseline is green, the searched ones are not."""
    if model[0] == NAMES["densenet"]:
        return GREEN, DASHES[1]
    return (BLUE, ORANGE, RED, INK)[number % 4], DASHES[0] if number < 4 else DASHES[2]

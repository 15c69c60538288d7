"""Figures of what controllers report of themselves while they search: losses, trees, entropies, choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.report.equal_cost import cumulative_cost, is_cached
from alphaxenas.report.runs import Groups, StoredRun
from alphaxenas.report.style import (
    DASHES,
    INK,
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

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

RANKED = {
    "belief, surrogate: decides": ("belief/rank_correlation", "guided/rank_correlation"),
    "LSTM, predictor": ("lstm/rank_correlation", "nao/rank_correlation", "surrogate/rank_correlation"),
    "size and depth alone": ("free/rank_correlation",),
    "ratings, with finals": ("promotion/rank_correlation",),
}
"""Titles of panels, and tags under which controllers tell how well something ranks architectures that it has not seen;
the last of them is about promoted architectures."""
PREDICTED = tuple(tag for title in list(RANKED)[:2] for tag in RANKED[title])
"""The tags of predictions, what decides first."""
WINDOWS = 6
"""Stretches of a search in which chosen operations are counted."""


def lstm_curves(groups: Groups) -> Figure:
    """Losses of the LSTM."""
    titles = {"policy: cross-entropy": ("lstm/policy_loss",), "value: squared error": ("lstm/value_loss",)}
    return _inside(groups, titles, "None of these searches has told of an LSTM.", 3.5, "steps-post")


def correlation_curves(groups: Groups) -> Figure:
    """Rank correlations with what came of architectures that were not seen before: of the model that decides, of
    networks that predict, of size and depth alone; and of ratings at the search budget with the final budget.
    """
    figure = _inside(groups, RANKED, "None of these searches has told of predictions.", 3.5, "steps-post")
    for panel in figure.axes:
        if panel.lines:
            panel.axhline(0, color=INK, linewidth=0.8)
            panel.set_ylim(-1, 1)
        panel.set_title(panel.get_title(), fontsize=10)
    return figure


def tree_curves(groups: Groups) -> Figure:
    """Size of the tree: nodes, and the longest prefix reached. A renewed tree starts from nothing, hence the teeth."""
    titles = {"nodes": ("tree/nodes",), "longest prefix (tokens)": ("tree/depth",)}
    figure = _inside(groups, titles, "None of these searches has told of a tree.", 3.3)
    for panel in figure.axes:
        panel.set_ylim(0, 1.05 * panel.get_ylim()[1])
        panel.locator_params(axis="y", integer=True)
    return figure


def policy_curves(groups: Groups) -> Figure:
    """What recurrent policies report: mean reward of a batch, entropy, and how many of their draws differ."""
    titles = {
        "mean reward of a batch": ("policy/reward",),
        "entropy of a sequence (nats)": ("policy/entropy",),
        "different among the last draws": ("policy/unique_share",),
    }
    figure = _inside(groups, titles, "None of these searches has told of a policy.", 3.5, "steps-post")
    if len(figure.axes) == len(titles):
        figure.axes[1].set_ylim(0, 1.05 * figure.axes[1].get_ylim()[1])
        figure.axes[2].set_ylim(0, 1.05)
    return figure


def operation_shares(groups: Groups) -> Figure:
    """Which operations were chosen over time: share of all choices in equal stretches of the search, seeds together."""
    most_operations = max((len(_operations(run)) for runs in groups.values() for run in runs), default=1)
    figure, axes = panels(len(groups), 4, 0.9 + 0.34 * most_operations, sharey=True)
    shares = {label: _shares(runs) for label, runs in groups.items()}
    top = max((float(np.nanmax(table)) for _, table in shares.values() if np.isfinite(table).any()), default=1.0)
    for panel, (label, (operations, table)) in zip(axes, shares.items()):
        panel.grid(False)
        image = panel.imshow(table, cmap="cividis", vmin=0, vmax=top, aspect="auto")
        for (row, column), share in np.ndenumerate(table):
            if np.isfinite(share):
                style = Style(ha="center", va="center", fontsize=8, color="white" if share < 0.6 * top else INK)
                panel.text(column, row, f"{100 * share:.0f}", **style)
        panel.set_title(label.replace(" (", "\n("), fontsize=10)
        panel.set_yticks(range(len(operations)), operations)
        panel.set_xticks(range(WINDOWS), ["first\nsixth", *[""] * (WINDOWS - 2), "last\nsixth"])
    if shares:
        percent = Style(label="share of the choices", format=lambda share, _: f"{100 * share:.0f} %")
        figure.colorbar(image, ax=axes, pad=0.01, **percent)
    return figure


def round_curves(searches: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """What the policy of an ENAS search drew, round by round: mean accuracy with the shared weights, entropy, how many
    differ.

    Args:
        searches: Name to the records of its rounds.
    """
    titles = {
        "accuracy with shared weights": "reward",
        "entropy of a sequence (nats)": "entropy",
        "different among a round's draws": "unique",
    }
    told = {name: [record for record in rounds if "reward" in record] for name, rounds in searches.items()}
    if not any(told.values()):
        return sentence("No policy has learnt here.")
    figure, axes = new_figure(1, len(titles), height=3.5, sharex=True)
    for panel, (title, field) in zip(axes, titles.items()):
        for look, (name, rounds) in zip(looks(told).values(), told.items()):
            if rounds:
                course = [(record["round"], record[field]) for record in rounds]
                panel.plot(*zip(*course), linewidth=1.6, marker=look.marker, markersize=4, label=name, **look.line)
        panel.set(title=title, xlabel="round")
        count_on(panel)
    axes[2].set_ylim(0, 1.05)
    axes[0].legend(frameon=False, fontsize=9)
    return figure


def _inside(
    groups: Groups, titles: Mapping[str, Sequence[str]], nothing: str, height: float, style: str = "default"
) -> Figure:
    """One panel per title, one curve per run that has one of its tags, a dot where there is one point only, or a
    sentence.

    Colours tell who searched; where that is one controller, dashes tell the seeds.
    """
    points = {
        title: [
            (label, number, run, found)
            for label, runs in groups.items()
            for number, run in enumerate(runs)
            if (found := _points(run, tags))
        ]
        for title, tags in titles.items()
    }
    met = list(dict.fromkeys(label for found in points.values() for label, *_ in found))
    if not met:
        return sentence(nothing)
    figure, axes = new_figure(1, len(titles), height=height, sharex=True)
    own = looks(groups)
    handles: dict[str, Artist] = {}
    for panel, (title, courses) in zip(axes, points.items()):
        for label, number, run, course in courses:
            line = own[label].line
            if len(met) == 1:
                line["linestyle"] = DASHES[number % len(DASHES)]
            alone = single_dot([y for _, y in course])
            (curve,) = panel.plot(*zip(*course), linewidth=1.5, alpha=0.8, drawstyle=style, marker=alone, **line)
            handles.setdefault(f"seed {run.seed}" if len(met) == 1 else label, curve)
        panel.set(title=title, xlabel="trained children")
        count_on(panel)
        if not courses:
            say(panel, "not recorded")
    if len(handles) > 1 or met != ["AlphaXENAS"]:
        legend_above(figure, 6, handles)
    return figure


def _points(run: StoredRun, tags: Sequence[str]) -> list[tuple[float, float]]:
    """Trained children so far and value of the first of these tags that a record has."""
    found = []
    for x, record in zip(cumulative_cost(run, "trials"), run.records):
        tag = next((tag for tag in tags if tag in record["diagnostics"]), None)
        if tag is not None:
            found.append((float(x), record["diagnostics"][tag]))
    return found


def _operations(run: StoredRun) -> tuple[str, ...]:
    """Of a space that has none, such as one of chains, all words."""
    return getattr(run.space, "operations", run.space.vocabulary)


def _shares(runs: Sequence[StoredRun]) -> tuple[tuple[str, ...], np.ndarray]:
    """Operations, and their shares `[operations, WINDOWS]` of all choices; NaN in a stretch without choices."""
    operations = _operations(runs[0])
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

"""Figures of NAO: quality of predictor and decoder, latent trajectories, the pool, and the best trained in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.report.pictures import drawings
from alphaxenas.report.style import (
    BLUE,
    DASHES,
    GREEN,
    GREY,
    INK,
    ORANGE,
    OTHERS,
    Look,
    Style,
    count_on,
    legend_above,
    new_figure,
    say,
    sentence,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from alphaxenas.controllers.nao.trajectory import LatentTrajectory

QUALITY = {
    "pairwise_accuracy": ("pairs in the right order", 0.5, (-0.04, 1.04)),
    "rank_correlation": ("rank correlation", 0.0, (-1.08, 1.08)),
    "hamming": ("wrong tokens", None, (0, None)),
}
"""Measures of a round: title, what guessing gives, limits of the axis."""
TICKS = (0.1, 0.3, 1, 3)
"""Step sizes written at the axis of a trajectory."""
TOO_SHORT = "Too few different architectures were trained to hold some of them out: `trials` was less than 4, say."


def rounds_of(records: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """The numbers of every round of a `nao` search, from the diagnostics in its journal; without the `nao/` of the
    tags.
    """
    found: dict[int, dict[str, float]] = {}
    for record in records:
        told = record["diagnostics"].items()
        numbers = {tag.removeprefix("nao/"): value for tag, value in told if tag.startswith("nao/")}
        if numbers.get("round") and "held_out" in numbers:
            found.setdefault(int(numbers["round"]), numbers)
    return list(found.values())


def quality_curves(searches: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Held-out quality of the network, round by round; one line per search.

    Args:
        searches: Name to numbers of its rounds, with the names of `QUALITY`.
    """
    figure, axes = new_figure(1, len(QUALITY), height=3.3)
    own = [Look(*each) for each in zip((BLUE, ORANGE, GREEN), DASHES, "os^")]
    for panel, (name, (title, guess, limits)) in zip(axes, QUALITY.items()):
        shown: list[float] = []
        for (label, rounds), look in zip(searches.items(), own):
            points = [(number["round"], number[name]) for number in rounds if name in number]
            if points:
                panel.plot(*zip(*points), marker=look.marker, label=label, **look.line)
                shown += [number for number, _ in points]
        if not shown:
            say(panel, "No round was measured.")
            continue
        if guess is not None:
            panel.axhline(guess, color=INK, linewidth=0.8)
        panel.set(title=title, xlabel="round", ylim=limits, xlim=(min(shown) - 0.5, max(shown) + 0.5))
        count_on(panel)
    legend_above(figure)
    return figure


def trajectory_curves(trajectories: Sequence[LatentTrajectory], names: Sequence[str]) -> Figure:
    """Predicted score along the gradient: of the point in the latent space, and of the architecture decoded there.

    Where a line of dots jumps, another architecture is decoded.

    Args:
        trajectories: One per panel.
        names: What each trajectory starts from.
    """
    if not trajectories:
        return sentence(TOO_SHORT)
    figure, axes = new_figure(1, len(trajectories), height=3.5, sharey=True)
    for panel, trajectory, name in zip(axes, trajectories, names):
        panel.axhline(trajectory.scores[0], color=INK, linewidth=0.8, linestyle=DASHES[2], label="of the start")
        panel.plot(trajectory.steps[1:], trajectory.scores[1:], color=BLUE, label="at the latent point")
        dots = Style(color=ORANGE, linestyle="", marker="o", markersize=4)
        decoded = "of what is decoded there, encoded again"
        panel.plot(trajectory.steps[1:], trajectory.read_again[1:], label=decoded, **dots)
        for step in changes(trajectory)[1:]:
            panel.axvline(trajectory.steps[step], color=GREY, linewidth=0.6)
        panel.set(xscale="log", ylim=(-0.03, 1.03), title=f"from {name}", xlabel="step size")
        panel.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
        panel.set_xticks([], minor=True)
    axes[0].set_ylabel("predicted score (0 worst, 1 best)")
    legend_above(figure)
    return figure


def changes(trajectory: LatentTrajectory) -> list[int]:
    """Indices of the steps at which another architecture is decoded than one step before; 0 is one of them."""
    decoded = trajectory.sequences
    return [step for step, tokens in enumerate(decoded) if step == 0 or tokens != decoded[step - 1]]


def decoded_cells(trajectories: Sequence[LatentTrajectory], space: Any) -> Figure:
    """Drawings of up to three architectures decoded along the first trajectory: the first, and others evenly spread.

    Args:
        trajectories: As of `trajectory_curves`.
        space: Decodes its token sequences.
    """
    if not trajectories:
        return sentence(TOO_SHORT)
    trajectory = trajectories[0]
    steps = changes(trajectory)
    chosen = sorted({steps[round(number)] for number in np.linspace(0, len(steps) - 1, min(3, len(steps)))})
    titles = [f"step {trajectory.steps[step]:.2f}: predicted {trajectory.read_again[step]:.3f}" for step in chosen]
    return drawings([space.decode(trajectory.sequences[step]) for step in chosen], [space] * len(chosen), titles)


def pool_dots(records: Sequence[Mapping[str, Any]], rounds: Sequence[Mapping[str, Any]]) -> Figure:
    """The pool with shared weights, round by round: every member at its accuracy, newcomers apart; right, what chance
    does to a score.

    Args:
        records: Journal of the stage: `round`, `key`, `reward`.
        rounds: Numbers of the rounds: `standard_error`, `spread`, `images`.
    """
    figure, (pool, error) = new_figure(1, 2, height=3.6)
    kinds = ((True, BLUE, "o", -0.08, "member before"), (False, ORANGE, "D", 0.08, "new"))
    before: set[str] = set()
    for number in range(len(rounds)):
        members = [record for record in records if record["round"] == number]
        for old, colour, marker, shift, _ in kinds:
            rewards = [record["reward"] for record in members if (record["key"] in before) == old]
            places = [number + 1 + shift] * len(rewards)
            pool.scatter(places, rewards, s=22, c=colour, marker=marker, alpha=0.7, linewidths=0)
        before |= {record["key"] for record in members}
    for _, colour, marker, _, label in kinds:
        pool.scatter([], [], s=22, c=colour, marker=marker, label=label)
    pool.set_title("accuracy with shared weights")
    numbers = [number["round"] + 1 for number in rounds]
    spreads, errors = [number["spread"] / 2 for number in rounds], [number["standard_error"] for number in rounds]
    error.plot(numbers, spreads, color=GREEN, marker="s", linestyle=DASHES[1], label="half of the pool's spread")
    error.plot(numbers, errors, color=OTHERS[1], marker="o", label="standard error of a score")
    above = Style(textcoords="offset points", xytext=(0, 7), ha="center", fontsize=8, color=INK)
    for number, each in zip(numbers, rounds):
        error.annotate(f"{each['images']}", (number, each["standard_error"]), **above)
    error.margins(y=0.25)
    error.set(ylim=(0, None), title="can scores tell members apart? (numbers: images)")
    for panel in (pool, error):
        panel.set(xlabel="round", xticks=numbers, xlim=(0.5, len(numbers) + 0.5))
        panel.legend(frameon=False, fontsize=9)
    return figure


def best_bars(
    found: Sequence[Mapping[str, Any]], results: Mapping[str, Any], zoo: Mapping[str, Any] | None = None
) -> Figure:
    """The best of both searches: what the search rated them with, and validation accuracy after the full training;
    below, known cells.

    Args:
        found: As of `nao_stage.best_found`.
        results: Of `nao_stage.train_best`.
        zoo: Of `nao_stage.train_zoo`.
    """
    known, count = list(zoo["models"]) if zoo else [], len(found)
    figure, (axes,) = new_figure(height=0.9 + 0.42 * (count + len(known)), width=8.0)
    places = -np.arange(count + len(known))
    colours = [BLUE if record["where"] == "scratch" else ORANGE for record in found] + [GREEN] * len(known)
    rated = [record["reward"] for record in found]
    full = [model["validation_accuracy"] for model in (*results["models"], *known)]
    axes.hlines(places[:count], rated, full[:count], color=GREY, linewidth=1.2)
    axes.scatter(rated, places[:count], s=34, facecolors="white", edgecolors=colours[:count], linewidths=1.5, zorder=3)
    axes.scatter(full, places, marker="o", s=44, c=colours, zorder=3)
    names = [f"{number}. {record['where']}" for number, record in enumerate(found, 1)]
    axes.set_yticks(places, names + [model["name"] for model in known])
    axes.set_xlabel("validation accuracy: open = rated by the search, filled = trained in full")
    axes.margins(y=0.12)
    return figure

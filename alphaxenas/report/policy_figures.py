"""Figures of notebook 07 beside those of any search: rounds of ENAS, trainings of one network with several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.report.runs import NAMES, StoredRun, load_run
from alphaxenas.report.statistics import interval
from alphaxenas.report.style import looks, new_figure, say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from alphaxenas.config import Config


def round_curves(searches: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """What the policy of an ENAS search drew, round by round: mean accuracy with the shared weights, entropy, how many
    differ.

    Args:
        searches: Name to the records of its rounds.
    """
    panels = {
        "accuracy with shared weights": "reward",
        "entropy of a game (nats)": "entropy",
        "different among a round's draws": "unique",
    }
    told = {name: [record for record in rounds if "reward" in record] for name, rounds in searches.items()}
    if not any(told.values()):
        figure, (panel,) = new_figure(height=1.0)
        say(panel, "No policy has learnt here.")
        return figure
    figure, axes = new_figure(1, len(panels), height=3.5, sharex=True)
    for panel, (title, field) in zip(axes, panels.items()):
        for look, (name, rounds) in zip(looks(told).values(), told.items()):
            if rounds:
                course = [record[field] for record in rounds]
                panel.plot(
                    [record["round"] for record in rounds],
                    course,
                    color=look.colour,
                    linestyle=look.dashes,
                    linewidth=1.6,
                    marker=look.marker,
                    markersize=4,
                    label=name,
                )
        panel.set_title(title)
        panel.set_xlabel("round")
        panel.xaxis.get_major_locator().set_params(integer=True)
    axes[2].set_ylim(0, 1.05)
    axes[0].legend(frameon=False, fontsize=9)
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
        if spread.low is not None:
            panel.plot([spread.low, spread.high], [row, row], color=look.colour, linewidth=2)
        panel.plot([spread.mean], [row], "|", color=look.colour, markersize=16, markeredgewidth=2.5)
    panel.set_yticks(range(len(tests)), list(tests))
    panel.set_ylim(len(tests) - 0.5, -0.5)
    panel.set_xlabel(measure)
    return figure


def stored_searches(config: Config, part: str) -> dict[str, tuple[StoredRun, ...]]:
    """The stored searches of a part of notebook 07, as `figures.search_curves` takes them.

    Args:
        config: The configuration.
        part: `"mnist"` or `"chains"`.

    Returns:
        Runs by the displayed name of their controller.
    """
    run, chosen = config.run, config.chains
    seeds, controllers = config.search.seeds or (run.seed,), chosen.chain_controllers
    if part == "mnist":
        seeds, controllers = (run.seed,), ("reinforce",)
    found: dict[str, tuple[StoredRun, ...]] = {}
    for controller in controllers:
        for seed in seeds:
            stored = load_run(Path(run.exp_dir) / run.run / f"policy-{part}-{controller}-{seed}")
            name = NAMES[controller]
            found[name] = (*found.get(name, ()), replace(stored, stage=f"{controller}-seed{seed}"))
    return found


def stored_rounds(config: Config, space_name: str) -> list[dict[str, Any]]:
    """The rounds of a stored ENAS search with the run's seed.

    Args:
        config: The configuration.
        space_name: `"micro"` or `"macro"`.

    Returns:
        Journal records, in order.
    """
    run = load_run(Path(config.run.exp_dir) / config.run.run / f"enas-{space_name}-s{config.run.seed}")
    return [record for record in run.records if record["purpose"] == "round"]

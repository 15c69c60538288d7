"""Searches for several objectives: their fronts and hypervolumes, from stored records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.controllers.pareto.objectives import FrontSoFar, Objectives, named
from alphaxenas.report.runs import Groups, StoredRun
from alphaxenas.report.style import GREY, INK, Style, legend_above, looks, new_figure, sentence
from alphaxenas.report.tables import frame

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure


def objectives_of(groups: Groups) -> Objectives | None:
    """The objectives that the searches have in common; None where they have one, or differ."""
    found = {tuple(run.parameters.get("objectives", ())) for runs in groups.values() for run in runs}
    return named(found.pop()) if len(found) == 1 else None


def fronts(groups: Groups) -> Figure:
    """Left: everything rated, and the front of all, its knee marked, by the first two objectives. Right: the share of
    the final hypervolume of all searches together that each had found after so many trials.
    """
    objectives = objectives_of(groups)
    if objectives is None:
        return sentence("These searches have one objective.")
    rated = {label: _rated(objectives, runs) for label, runs in groups.items()}
    every = [record for records in rated.values() for record in records]
    if not every:
        return sentence("No child has been rated yet.")
    figure, (plane, course) = new_figure(1, 2, height=3.9)
    first, second = objectives.parts[:2]
    front = objectives.front_of(every)
    stairs = sorted((record["objectives"][second.name], record["objectives"][first.name]) for record in front)
    plane.plot(*zip(*stairs), color=INK, linewidth=1.0, drawstyle="steps-post", label="front", zorder=1)
    whole = objectives.volume_of(every, every) or 1.0
    for label, look in looks(groups).items():
        places = [(one["objectives"][second.name], one["objectives"][first.name]) for one in rated[label]]
        dots = Style(s=30, marker=look.marker, c=look.colour, edgecolors="white", linewidths=0.3)
        if places:
            plane.scatter(*zip(*places), label=label, **dots)
        for run in groups[label]:
            numbers = [record["trial"] for record in run.records]
            volumes = np.array(volumes_so_far(objectives, run.records, every)) / whole
            course.plot(numbers, volumes, color=look.colour, linestyle=look.dashes, linewidth=1.6)
    for record in front:
        if record["knee"]:
            place = record["objectives"][second.name], record["objectives"][first.name]
            plane.scatter(*place, s=190, marker="o", facecolors="none", edgecolors=GREY, linewidths=1.6, label="knee")
    plane.set(xlabel=second.label, ylabel=first.label)
    course.set(xlabel="trial", ylabel="share of the hypervolume of all", ylim=(0, 1.03))
    legend_above(figure, 4)
    return figure


def front_table(groups: Groups) -> pandas.DataFrame:
    """The front of all searches, best first in the first objective: `place` is what `architecture pareto:PLACE` picks
    where one controller searched.
    """
    objectives = objectives_of(groups)
    rows: list[dict[str, Any]] = []
    every = [] if objectives is None else [one for runs in groups.values() for one in _rated(objectives, runs)]
    names = () if objectives is None else objectives.names
    for place, record in enumerate(objectives.front_of(every) if objectives is not None else (), 1):
        told = {name: record["objectives"][name] for name in names}
        knee = "knee" if record["knee"] else ""
        rows.append({"place": place, **told, "": knee, "architecture": record["architecture"]})
    return frame(rows, ", ".join(["place", *names, "", "architecture"]))


def volumes_so_far(
    objectives: Objectives, records: Sequence[Mapping[str, Any]], among: Sequence[Mapping[str, Any]]
) -> list[float]:
    """The hypervolume of what a search had rated after each of its trials; as many as records.

    It is computed when the front changes, and of the front alone, so that long searches are drawn soon.

    Args:
        objectives: What is looked for.
        records: Of one journal, in order.
        among: As of `Objectives.volume_of`.
    """
    volumes, volume, front = list[float](), 0.0, FrontSoFar(objectives)
    for record in records:
        if front.add(record):
            volume = objectives.volume_of(front.records, among)
        volumes.append(volume)
    return volumes


def _rated(objectives: Objectives, runs: Sequence[StoredRun]) -> list[Any]:
    """Records that a front is made of."""
    return [record for run in runs for record in objectives.rated(run.records)]

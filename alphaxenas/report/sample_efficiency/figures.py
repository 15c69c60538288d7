"""Figures of a study of sample efficiency; every function returns a matplotlib figure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.report.sample_efficiency.journals import Study, name_of
from alphaxenas.report.sample_efficiency.measures import Course, efficiencies
from alphaxenas.report.style import (
    DASHES,
    INK,
    Look,
    Style,
    legend_above,
    looks,
    new_figure,
    panels,
    say,
    sentence,
    single_dot,
)
from alphaxenas.spaces.drawing.lettering import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = "osD^vP*X"
"""Of tables, in figures of several."""


def query_dots(study: Study) -> Figure:
    """Queries of every search as dots, with mean and 95 % interval; triangles, and `≥`, tell of searches without
    success, at their cap.
    """
    tables, controllers = study.tables, study.controllers
    figure, axes = panels(len(tables), 2, 1.3 + 0.42 * len(controllers), sharey=True)
    own, found = _looks(controllers), {(each.table, each.controller): each for each in efficiencies(study)}
    for panel, table in zip(axes, tables):
        for place, controller in enumerate(controllers):
            if (table, controller) not in found:
                continue
            searches = list(study.of(table, controller).values())
            queries = np.array([search.queries for search in searches], float)
            succeeded = np.array([search.found for search in searches])
            # Below the line, spread evenly in the order of the seeds: the same every time, and nothing hides a dot.
            heights = place + 0.1 + 0.3 * (np.arange(len(queries)) * 0.618 % 1)
            dots = Style(c=own[controller].colour, alpha=0.75, linewidths=0)
            for shown, marker, size in ((succeeded, "o", 20), (~succeeded, ">", 28)):
                panel.scatter(queries[shown], heights[shown], s=size, marker=marker, **dots)
            spread = found[table, controller].queries
            if spread.low is not None and spread.high is not None:
                panel.plot([spread.low, spread.high], [place, place], color=INK, linewidth=2.2, solid_capstyle="butt")
            panel.plot(spread.mean, place, marker="|", color=INK, markersize=13, markeredgewidth=2.2)
            flag = "≥ " if found[table, controller].found < 1 else ""
            above = Style(xytext=(0, 9), textcoords="offset points", ha="center", fontsize=8, color=INK)
            panel.annotate(f"{flag}{spread.mean:,.0f}", (spread.mean, place), **above)
        panel.set_xscale("log")
        _plain_numbers(panel)
        panel.set(title=plain(table), xlabel="queries, logarithmic", ylim=(len(controllers) - 0.45, -0.6))
        panel.set_yticks(range(len(controllers)), [name_of(controller) for controller in controllers])
        panel.grid(axis="y", visible=False)
    return figure


def regret_curves(courses: Mapping[str, Course | None], cost: str, measure: str) -> Figure:
    """Mean regret against what was spent, with 95 % intervals over seeds; one panel per table.

    Args:
        courses: By table, as `regret_course` gives them; tables that lack the column, None, are left out.
        cost: Name of the horizontal axis.
        measure: Name of the vertical axis.
    """
    shown = {table: course for table, course in courses.items() if course is not None}
    if not shown:
        return sentence("No table has this column.")
    figure, axes = panels(len(shown), 2, 3.6, 0.5)
    own = _looks(list(dict.fromkeys(label for course in shown.values() for label in course.mean)))
    for panel, (table, course) in zip(axes, shown.items()):
        for controller, mean in course.mean.items():
            look = own[controller]
            # A regret of 0 has no place on a logarithmic axis: the curve ends where every search has arrived.
            positive = np.where(mean > 0, mean, np.nan)
            alone = look.marker if single_dot(positive) else None
            panel.plot(course.grid, positive, linewidth=1.9, marker=alone, label=name_of(controller), **look.line)
            if controller in course.low:
                low, high = (np.where(mean > 0, ends[controller], np.nan) for ends in (course.low, course.high))
                floor = np.maximum(low, 0.02 * mean)
                panel.fill_between(course.grid, floor, high, color=look.colour, alpha=0.11, linewidth=0)
        panel.set_title(plain(table))
        if not any(np.any(mean > 0) for mean in course.mean.values()):
            say(panel, "No regret: every controller had the best architecture with its first query.")
            continue
        panel.set(xscale="log", yscale="log", xlabel=cost, ylabel=measure)
        _plain_numbers(panel)
        smallest = [float(mean[mean > 0].min()) for mean in course.mean.values() if np.any(mean > 0)]
        if smallest:
            panel.set_ylim(bottom=0.4 * min(smallest))
    _one_legend(figure)
    return figure


def diagnostic_curves(study: Study, tags: Mapping[str, str]) -> Figure:
    """What controllers tell of themselves while they search: mean over seeds, with the middle half of the seeds shaded.

    Args:
        study: The searches.
        tags: Tag of `diagnostics` to title of its panel; controllers without a tag are left out of its panel.
    """
    figure, axes = new_figure(1, max(1, len(tags)), height=3.7)
    own, tables = _looks(study.controllers), study.tables
    for panel, (tag, title) in zip(axes, tags.items()):
        for (number, table), controller in itertools.product(enumerate(tables), study.controllers):
            points = _by_queries(study.of(table, controller).values(), tag)
            if not points:
                continue
            at = np.array(sorted(points))
            means = [np.mean(points[after]) for after in at]
            quarters = np.array([np.quantile(points[after], (0.25, 0.75)) for after in at])
            parts = [name_of(controller)] if len(study.controllers) > 1 or len(tables) == 1 else []
            name, colour = ", ".join(parts + ([plain(table)] if len(tables) > 1 else [])), own[controller].colour
            line = Style(linestyle=DASHES[number % len(DASHES)], marker=_MARKERS[number % len(_MARKERS)])
            panel.plot(at, means, color=colour, markersize=3.5, linewidth=1.5, label=name, **line)
            panel.fill_between(at, *quarters.T, color=colour, alpha=0.12, linewidth=0)
        panel.set(title=title, xlabel="queries")
        if not panel.lines:
            say(panel, "not recorded")
    _one_legend(figure)
    return figure


def _by_queries(searches: Any, tag: str) -> dict[int, list[float]]:
    """Values of a tag by queries so far, where at least half of the searches have one: later means would be of the slow
    ones.
    """
    points: dict[int, list[float]] = {}
    searches = list(searches)
    for search in searches:
        for after, diagnostics in search.diagnostics:
            if tag in diagnostics:
                points.setdefault(after, []).append(diagnostics[tag])
    return {after: values for after, values in points.items() if 2 * len(values) >= len(searches)}


def _looks(controllers: Sequence[str]) -> dict[str, Look]:
    """The look of every controller, as in all figures of the suite."""
    return dict(zip(controllers, looks(map(name_of, controllers)).values()))


def _plain_numbers(panel: Axes) -> None:
    """Numbers in full on a logarithmic axis: 1, 2 and 5 of every power of ten while there are few powers, else the
    powers alone.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = panel.get_xlim()
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 250 * low else (1,)))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())


def _one_legend(figure: Figure) -> None:
    """One legend above all panels, with as many columns as its longest entry allows."""
    longest = max((len(label) for panel in figure.axes for label in panel.get_legend_handles_labels()[1]), default=0)
    legend_above(figure, min(4, max(1, 120 // (longest + 8))))

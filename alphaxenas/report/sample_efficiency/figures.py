"""Figures of a study of sample efficiency; every function returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.report.sample_efficiency.journals import Study, name_of
from alphaxenas.report.sample_efficiency.measures import Course, efficiencies
from alphaxenas.report.style import DASHES, INK, Look, looks, new_figure, say

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = "osD^vP*X"
"""Of tables, in figures of several."""


def query_dots(study: Study) -> Figure:
    """Queries of every search as dots, with mean and 95 % interval; triangles, and `≥`, tell of searches without
    success, at their cap.
    """
    tables, controllers = study.tables, study.controllers
    columns = min(2, max(1, len(tables)))
    rows = max(1, -(-len(tables) // columns))
    figure, axes = new_figure(rows, columns, height=rows * (1.3 + 0.42 * len(controllers)), sharey=True)
    own, found = _looks(controllers), {(each.table, each.controller): each for each in efficiencies(study)}
    for panel, table in zip(axes, tables):
        for place, controller in enumerate(controllers):
            if (table, controller) not in found:
                continue
            searches, colour = list(study.of(table, controller).values()), own[controller].colour
            queries = np.array([search.queries for search in searches], float)
            succeeded = np.array([search.found for search in searches])
            # Below the line, spread evenly in the order of the seeds: the same every time, and nothing hides a dot.
            heights = place + 0.1 + 0.3 * (np.arange(len(queries)) * 0.618 % 1)
            for shown, marker in ((succeeded, "o"), (~succeeded, ">")):
                panel.scatter(
                    queries[shown],
                    heights[shown],
                    s=20 if marker == "o" else 28,
                    c=colour,
                    alpha=0.75,
                    linewidths=0,
                    marker=marker,
                )
            spread = found[table, controller].queries
            if spread.low is not None and spread.high is not None:
                panel.plot([spread.low, spread.high], [place, place], color=INK, linewidth=2.2, solid_capstyle="butt")
            panel.plot(spread.mean, place, marker="|", color=INK, markersize=13, markeredgewidth=2.2)
            flag = "≥ " if found[table, controller].found < 1 else ""
            panel.annotate(
                f"{flag}{spread.mean:,.0f}",
                (spread.mean, place),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=INK,
            )
        panel.set_xscale("log")
        _plain_numbers(panel)
        panel.set_title(table)
        panel.set_xlabel("queries, logarithmic")
        panel.set_ylim(len(controllers) - 0.45, -0.6)
        panel.set_yticks(range(len(controllers)), [name_of(controller) for controller in controllers])
        panel.grid(axis="y", visible=False)
    _hide(axes[len(tables) :])
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
        figure, (panel,) = new_figure(height=1.0)
        say(panel, "No table has this column.")
        return figure
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure, axes = new_figure(rows, columns, height=0.5 + 3.6 * rows)
    own = _looks(list(dict.fromkeys(label for course in shown.values() for label in course.mean)))
    for panel, (table, course) in zip(axes, shown.items()):
        panel.set_title(table)
        for controller, mean in course.mean.items():
            colour, dashes = own[controller].colour, own[controller].dashes
            # A regret of 0 has no place on a logarithmic axis: the curve ends where every search has arrived.
            positive = np.where(mean > 0, mean, np.nan)
            alone = own[controller].marker if np.isfinite(positive).sum() == 1 else None
            panel.plot(
                course.grid,
                positive,
                color=colour,
                linestyle=dashes,
                linewidth=1.9,
                marker=alone,
                label=name_of(controller),
            )
            if controller in course.low:
                low, high = (
                    np.where(mean > 0, bound, np.nan) for bound in (course.low[controller], course.high[controller])
                )
                panel.fill_between(
                    course.grid, np.maximum(low, 0.02 * mean), high, color=colour, alpha=0.11, linewidth=0
                )
        panel.set_xscale("log")
        panel.set_yscale("log")
        _plain_numbers(panel)
        smallest = [float(mean[mean > 0].min()) for mean in course.mean.values() if np.any(mean > 0)]
        if smallest:
            panel.set_ylim(bottom=0.4 * min(smallest))
        panel.set_xlabel(cost)
        panel.set_ylabel(measure)
    _hide(axes[len(shown) :])
    _one_legend(figure, axes)
    return figure


def diagnostic_curves(study: Study, tags: Mapping[str, str], bounds: tuple[float, float] | None = None) -> Figure:
    """What controllers tell of themselves while they search: mean over seeds, with the middle half of the seeds shaded.

    Args:
        study: The searches.
        tags: Tag of `diagnostics` to title of its panel; controllers without a tag are left out of its panel.
        bounds: Of the vertical axes; None = as the values are.
    """
    figure, axes = new_figure(1, max(1, len(tags)), height=3.7)
    own = _looks(study.controllers)
    tables = study.tables
    for panel, (tag, title) in zip(axes, tags.items()):
        for number, table in enumerate(tables):
            for controller in study.controllers:
                points = _by_queries(study.of(table, controller).values(), tag)
                if not points:
                    continue
                at = np.array(sorted(points))
                quarters = np.array([np.quantile(points[after], (0.25, 0.75)) for after in at])
                parts = [name_of(controller)] if len(study.controllers) > 1 or len(tables) == 1 else []
                name = ", ".join([*parts, *([table] if len(tables) > 1 else [])])
                panel.plot(
                    at,
                    [np.mean(points[after]) for after in at],
                    color=own[controller].colour,
                    linestyle=DASHES[number % len(DASHES)],
                    marker=_MARKERS[number % len(_MARKERS)],
                    markersize=3.5,
                    linewidth=1.5,
                    label=name,
                )
                panel.fill_between(at, *quarters.T, color=own[controller].colour, alpha=0.12, linewidth=0)
        panel.set_title(title)
        panel.set_xlabel("queries")
        if bounds is not None:
            panel.set_ylim(*bounds)
        if not panel.lines:
            say(panel, "not recorded")
    _one_legend(figure, axes)
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


def _hide(axes: Sequence[Axes]) -> None:
    for panel in axes:
        panel.set_axis_off()


def _one_legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """One legend above all panels."""
    found: dict[str, Artist] = {}
    for panel in axes:
        found |= {label: handle for handle, label in zip(*panel.get_legend_handles_labels())}
    if found:
        columns = min(4, max(1, 120 // (max(map(len, found)) + 8)))
        figure.legend(list(found.values()), list(found), loc="outside upper center", ncols=columns, frameon=False)

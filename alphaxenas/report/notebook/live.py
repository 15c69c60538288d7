"""Figures that live: one for all searches or trainings of a cell, redrawn in place while they go on.

    with live("search"):
        results = search(config, "alphaxenas", 0, data)

Nobody is told anything twice: a figure is drawn from the records that a run has just stored. Where no person looks on,
as under papermill, it is drawn once, at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from alphaxenas.report.diagnostic_figures import round_curves
from alphaxenas.report.figures import PURPOSES, training_curves
from alphaxenas.report.runs import NAMES, StoredRun
from alphaxenas.report.sample_efficiency.tree_figures import tree_panel
from alphaxenas.report.style import GREY, WIDTH, Style, count_on, dress, looks, new_figure, say
from alphaxenas.runs import read_json
from alphaxenas.runs.watch import person_looks_on, watching
from alphaxenas.spaces.drawing.picture import as_png
from alphaxenas.spaces.drawing.registry import draw
from alphaxenas.workers.flight import own_and_imported

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alphaxenas.runs.resume import ResumableLoop

Runs = Mapping[str, StoredRun]
"""Stage to its records so far; the one that goes on comes last."""
FEWEST_SECONDS = 1.0
SHARE = 0.05
"""Of the time, at most, that goes into redrawing."""


class LiveFigure:
    """Watches runs, and redraws its figure in place.

    Args:
        seconds: At least between two drawings.
        show: Puts a PNG where the figure is; by default into the output of the notebook's cell.
    """

    def __init__(self, seconds: float = FEWEST_SECONDS, show: Callable[[bytes], None] | None = None) -> None:
        # Not the loops: each holds a whole search, images and weights included, and all of a cell end up here.
        self._stored: dict[str, tuple[Path, Sequence[dict[str, Any]]]] = {}
        self.drawings = 0
        self._about: dict[str, Any] = {}
        self._seconds, self._next, self._show, self._handle = seconds, 0.0, show or self._display, None

    def saw(self, loop: ResumableLoop) -> None:
        """Notes that a run has a new record, and draws where it is time to."""
        self._stored.pop(loop.folder.stage, None)
        self._stored[loop.folder.stage] = loop.folder.path, loop.records
        self._about = loop.about
        if person_looks_on() and time.monotonic() >= self._next:
            self.redraw()

    @property
    def runs(self) -> dict[str, StoredRun]:
        """What is stored now; records are read when a figure is drawn and not kept, so a long run may be watched."""
        found = {}
        for stage, (path, all_records) in self._stored.items():
            description = read_json(path / "run.json") or {"parameters": {}, "seed": 0}
            records, imported = own_and_imported(all_records)
            found[stage] = StoredRun(path.parent.name, stage, description, records, None, imported)
        return found

    def redraw(self) -> None:
        """Draws what is known now."""
        if self._stored:
            begin = time.monotonic()
            self._show(as_png(live_figure(self.runs, **self._about)))
            self.drawings += 1
            took = time.monotonic() - begin
            self._next = time.monotonic() + max(self._seconds, took / SHARE)

    def _display(self, picture: bytes) -> None:
        from IPython.display import Image, display

        image = Image(picture, format="png")
        if self._handle is None:
            self._handle = display(image, display_id=True)
        else:
            self._handle.update(image)


@contextmanager
def live(**how: Any) -> Iterator[LiveFigure]:
    """A live figure of all runs that are made within it.

    Args:
        **how: Of `LiveFigure`.
    """
    figure = LiveFigure(**how)
    try:
        with watching(figure.saw):
            yield figure
    finally:
        figure.redraw()


def live_figure(runs: Runs, space: Any = None, controller: Any = None) -> Figure:
    """What suits the records of the run that goes on: a search, a training, rounds of shared weights.

    Args:
        runs: Records so far.
        space: The space of the search that goes on.
        controller: Who searches in it; some show a tree.
    """
    *_, current = runs.values()
    newest = (current.records or current.imported)[-1]
    if newest.get("purpose") in PURPOSES:
        # Notebook 09 has searches of both kinds.
        children = {stage: run for stage, run in runs.items() if run.records and "metrics" in run.records[0]}
        return search_figure(children, space, getattr(controller, "tree_snapshot", lambda: None)())
    if "train_accuracy" in newest and "epoch" in newest:
        return training_curves([current])
    if "entropy" in newest or newest.get("purpose") == "derived":
        rounds = {stage: [record for record in run.records if "entropy" in record] for stage, run in runs.items()}
        return round_curves(rounds)
    return course_figure(current)


def search_figure(runs: Runs, space: Any, tree: Mapping[str, np.ndarray] | None) -> Figure:
    """Children as dots and the best so far as a line; beside them the best architecture and the tree.

    Args:
        runs: Searches; the one that goes on comes last and alone has dots.
        space: Of that search.
        tree: Its tree now, as `Controller.tree_snapshot`; None without one.
    """
    figure = Figure(figsize=(WIDTH, 4.4), dpi=100, layout="constrained")
    has_tree = tree is not None and len(tree["parent"]) > 1
    panels = figure.subplot_mosaic([["children", "best"], ["children", "tree"]] if has_tree else [["children", "best"]])
    children = panels["children"]
    dress(children)
    *_, current = runs.values()
    styles = looks(dict.fromkeys(map(_searcher, runs.values())))
    for run in runs.values():
        look = styles[_searcher(run)]
        places = np.cumsum(["cached" not in record["metrics"] for record in run.records])
        best = [np.nan if record["best"] is None else record["best"] for record in run.records]
        width = 2.2 if run is current else 1.2
        children.plot(places, best, drawstyle="steps-post", linewidth=width, label=_name(run), **look.line)
        for purpose, (label, marker, size, opacity) in PURPOSES.items() if run is current else ():
            shown = [(place, record["reward"]) for place, record in zip(places, run.records) if _is(record, purpose)]
            if shown:
                dots = Style(s=size, marker=marker, alpha=opacity, color=look.colour, linewidths=0.8)
                children.scatter(*zip(*shown), label=label, **dots)
    of_text = any("perplexity" in record["metrics"] for record in current.records)
    rated = "reward: 1 - log(perplexity) / log(words)" if of_text else "validation accuracy"
    children.set(xlabel="trained children", ylabel=rated)
    children.set_title("best so far (line) and children (dots)", fontsize=10)
    count_on(children)
    children.legend(framealpha=0.85, edgecolor="none", fontsize=8, loc="best")
    _draw_best(panels["best"], current, space)
    if tree is not None and has_tree:
        tree_panel(panels["tree"], tree)
        panels["tree"].set_title(f"the tree now: {len(tree['parent']):,} nodes", fontsize=10)
    return figure


def _searcher(run: StoredRun) -> str:
    """Who searches, as all figures name it; stages of some notebooks are called otherwise."""
    controller = run.parameters.get("controller", run.controller)
    return NAMES.get(controller, controller)


def _name(run: StoredRun) -> str:
    seed = run.parameters.get("search_seed", run.stage.rpartition("seed")[2])
    return f"{_searcher(run)}, seed {seed}" if str(seed).isdecimal() else _searcher(run)


def _is(record: Mapping[str, Any], purpose: str) -> bool:
    return record["purpose"] == purpose and record["status"] == "ok"


def _draw_best(panel: Axes, run: StoredRun, space: Any) -> None:
    """The best architecture, at the final budget if there is one."""
    rated = [record for record in run.records if _is(record, "final")] or [r for r in run.records if _is(r, "search")]
    if not rated or space is None:
        say(panel, "No child has been rated yet.")
        return
    best = max(rated, key=lambda record: record["reward"])
    draw(space, space.decode(tuple(best["tokens"])), panel)
    panel.set_title(f"best of {_name(run)}: {best['reward']:.4f}, trial {best['trial']}", fontsize=10)


def course_figure(run: StoredRun) -> Figure:
    """Loss and what validation says, against the number of the record, for every network of a training.

    Args:
        run: Its records have `validation_loss` or `reward`.
    """
    names: Sequence[str] = tuple(dict.fromkeys(record.get("name", run.stage) for record in run.records))
    kinds = [kind for kind in ("loss", "validation_loss", "reward") if any(kind in record for record in run.records)]
    figure, axes = new_figure(1, max(1, len(kinds)), height=3.4)
    for panel, kind in zip(axes, kinds):
        for name, look in looks(names).items():
            found = [r[kind] for r in run.records if r.get("name", run.stage) == name and kind in r]
            dots = Style(linestyle="", marker=".", color=GREY) if kind == "reward" else Style(color=look.colour)
            panel.plot(range(1, len(found) + 1), found, label=name, **dots)
        panel.set(title=kind.replace("_", " "), xlabel="record")
        count_on(panel)
    axes[0].legend(frameon=False, fontsize=8)
    return figure

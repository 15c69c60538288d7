"""Pictures: drawings of the best cells, and sheets of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from alphaxenas.report.runs import NAMES, StoredRun
from alphaxenas.report.style import INK, WIDTH
from alphaxenas.spaces.drawing.registry import draw, natural_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE_ROOM = 0.35


def best_cells(found: Sequence[tuple[StoredRun, Mapping[str, Any]]]) -> Figure:
    """Drawings of architectures, one below the other, each with what it scored.

    Args:
        found: Runs and records, best first; see `runs.best_records`.
    """
    titles, spaces, cells = [], [], []
    for rank, (run, record) in enumerate(found, 1):
        size = record["metrics"].get("parameters")
        about = f", {size:,.0f} parameters" if size else ""
        found_by = f"{NAMES.get(run.controller, run.controller)}, seed {run.seed}, trial {record['trial']}"
        titles.append(f"{rank}.  validation accuracy {record['reward']:.4f}{about}   ({found_by})")
        spaces.append(run.space)
        cells.append(run.space.decode(tuple(record["tokens"])))
    return drawings(cells, spaces, titles)


def drawings(architectures: Sequence[Any], spaces: Sequence[Any], titles: Sequence[str]) -> Figure:
    """Architectures below each other, all with lettering of the same size as far as the width allows."""
    sizes = [natural_size(architecture) for architecture in architectures]
    # Narrow cells are not blown up: each takes the share of the width that it needs at a common scale.
    scale = min(1.0, *(WIDTH / width for width, _ in sizes)) if sizes else 1.0
    heights = [scale * height + _TITLE_ROOM for _, height in sizes] or [1.0]
    figure = Figure(figsize=(WIDTH, sum(heights)), dpi=100)
    FigureCanvasAgg(figure)
    top = sum(heights)
    for architecture, space, title, (width, height) in zip(architectures, spaces, titles, sizes):
        figure.text(0.005, (top - 0.14) / sum(heights), title, ha="left", va="center", fontsize=10, color=INK)
        top -= scale * height + _TITLE_ROOM
        axes = figure.add_axes((0, top / sum(heights), scale * width / WIDTH, scale * height / sum(heights)))
        draw(space, architecture, axes)
    return figure


def image_rows(pages: Mapping[str, np.ndarray], inches_a_row: float = 1.0) -> Figure:
    """Strips of images below each other, each with its name on the left.

    Args:
        pages: Name to uint8 `[height, width, 3]`, all of one size; see `alphaxenas.data.sheet`.
        inches_a_row: Height of a strip, if the notebook is wide enough for it.
    """
    names_width = 1.5
    height, width = max(page.shape[0] for page in pages.values()), max(page.shape[1] for page in pages.values())
    inches = min(inches_a_row, (WIDTH - names_width) * height / width)
    figure = Figure(figsize=(WIDTH, inches * len(pages) * 1.06), dpi=100)
    FigureCanvasAgg(figure)
    rows = len(pages)
    for number, (name, page) in enumerate(pages.items()):
        bottom = (rows - 1 - number) / rows
        axes = figure.add_axes((names_width / WIDTH, bottom, inches * width / height / WIDTH, 0.96 / rows))
        _show_pixels(axes, page)
        figure.text(
            (names_width - 0.12) / WIDTH, bottom + 0.48 / rows, name, ha="right", va="center", fontsize=10, color=INK
        )
    return figure


def _show_pixels(axes: Axes, page: np.ndarray) -> None:
    axes.imshow(page, interpolation="nearest", aspect="auto")
    axes.axis("off")

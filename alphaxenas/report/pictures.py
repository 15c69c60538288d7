"""Pictures: drawings of the best cells, sheets of images, and the boxes and arrows of diagrams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.textpath import TextPath

from alphaxenas.report.runs import StoredRun
from alphaxenas.report.style import GREY, INK, WIDTH, Style, sign
from alphaxenas.spaces.drawing.lettering import short_names
from alphaxenas.spaces.drawing.registry import draw, natural_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alphaxenas.config import Config
    from alphaxenas.data import ImageData

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
        found_by = f"{run.name}, seed {run.seed}, trial {record['trial']}"
        titles.append(f"{rank}.  validation accuracy {record['reward']:.4f}{about}   ({found_by})")
        spaces.append(run.space)
        cells.append(run.space.decode(tuple(record["tokens"])))
    return drawings(cells, spaces, titles)


def drawings(architectures: Sequence[Any], spaces: Sequence[Any], titles: Sequence[str]) -> Figure:
    """Architectures below each other, all with lettering of the same size as far as the width allows.

    Args:
        architectures: What is drawn, from the top.
        spaces: Search space of each architecture.
        titles: A line of text above each architecture.
    """
    sizes = [natural_size(architecture) for architecture in architectures]
    # Narrow cells are not blown up: each takes the share of the width that it needs at a common scale.
    scale = min(1.0, *(WIDTH / width for width, _ in sizes)) if sizes else 1.0
    heights = [scale * height + _TITLE_ROOM for _, height in sizes] or [1.0]
    figure = blank(sum(heights))
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
    names_width, rows = 1.5, len(pages)
    height, width = max(page.shape[0] for page in pages.values()), max(page.shape[1] for page in pages.values())
    inches = min(inches_a_row, (WIDTH - names_width) * height / width)
    figure = blank(inches * rows * 1.06)
    for number, (name, page) in enumerate(zip(short_names(tuple(pages)), pages.values())):
        bottom = (rows - 1 - number) / rows
        axes = figure.add_axes((names_width / WIDTH, bottom, inches * width / height / WIDTH, 0.96 / rows))
        axes.imshow(page, interpolation="nearest", aspect="auto")
        axes.axis("off")
        inches_long = TextPath((0, 0), name, size=10).get_extents().width / 72
        size = 10 * min(1.0, (names_width - 0.2) / max(inches_long, 0.1))
        style = Style(ha="right", va="center", fontsize=size, color=INK)
        figure.text((names_width - 0.12) / WIDTH, bottom + 0.48 / rows, name, **style)
    return figure


def augmented_pages(data: ImageData, config: Config) -> dict[str, np.ndarray]:
    """Images as stored and, beside each, what training makes of it.

    Args:
        data: The configured images.
        config: Augmentation as configured, drawn by the run's seed.

    Returns:
        Class to a strip of images, for `image_rows`.
    """
    from alphaxenas.data import Part, sheet, to_pixels
    from alphaxenas.data.pipeline import Batches

    rows, copies, how = min(5, data.num_classes), 15, config.data
    first = data.train.images[np.array([np.argmax(data.train.labels == label) for label in range(rows)])]
    part = Part(np.repeat(first, copies, axis=0), np.repeat(np.arange(rows, dtype=np.int32), copies))
    changes = (how.augment, how.cutout, how.crop_pad or None, data.flip, how.alternating_flip)
    batches = Batches(part, data.mean, data.std, len(part), *changes)
    pixels, labels = map(np.asarray, next(batches.epoch(config.run.seed, epoch=0)))
    drawn = to_pixels(pixels, data.mean, data.std)
    return {
        data.class_names[row]: sheet(np.concatenate([first[row : row + 1], drawn[labels == row]]), columns=copies + 1)
        for row in range(rows)
    }


def blank(height: float) -> Figure:
    """An empty figure as wide as a notebook; height in inches."""
    figure = Figure(figsize=(WIDTH, height), dpi=100)
    FigureCanvasAgg(figure)
    sign(figure)
    return figure


def canvas(height: float) -> tuple[Figure, Axes]:
    """A figure whose one pair of axes is measured in inches."""
    figure = blank(height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, height))
    axes.axis("off")
    return figure, axes


def box(axes: Axes, x: float, y: float, width: float, height: float, text: str, fill: str) -> None:
    """A rounded box with a text in its middle.

    Args:
        axes: Measured in inches, see `canvas`.
        x: Middle.
        y: Middle.
        width: Inches.
        height: Inches.
        text: What is written in it.
        fill: Colour.
    """
    look = Style(boxstyle="round,pad=0,rounding_size=0.07", facecolor=fill, edgecolor=GREY, linewidth=0.8)
    axes.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, **look))
    write(axes, x, y, text, 9.5)


def write(axes: Axes, x: float, y: float, text: str, size: float = 9, colour: str = INK, **more: Any) -> None:
    """A text, its middle at a place unless `ha` says otherwise.

    Args:
        axes: Measured in inches, see `canvas`.
        x: Inches from the left.
        y: Inches from below.
        text: One or more lines.
        size: Of the letters, points.
        colour: Of the letters.
        **more: For `Axes.text`.
    """
    axes.text(x, y, text, **{"ha": "center", "va": "center", "fontsize": size, "color": colour, **more})


def arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    text: str = "",
    side: str = "",
    bend: float = 0.0,
) -> None:
    """An arrow, with a text on one side.

    Args:
        axes: Measured in inches, see `canvas`.
        start: Where it begins, x and y.
        end: Where its head is.
        colour: Of arrow and text.
        text: What is written beside it; empty for nothing.
        side: `"left"` or `"right"`: where the text stands.
        bend: Curvature, 0 = straight.
    """
    look = Style(arrowstyle="-|>", mutation_scale=11, color=colour, linewidth=1.3, shrinkA=0, shrinkB=0)
    axes.add_patch(FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", **look))
    if text:
        offset, alignment = (-0.08, "right") if side == "left" else (0.08, "left")
        write(axes, start[0] + offset, (start[1] + end[1]) / 2, text, 8, colour, ha=alignment)

"""The look of all figures, and the way from a figure into a notebook and a run folder.

Colours: Okabe & Ito 2008, "Color universal design", with a purple of Tol 2021, "Colour schemes", in place of the
yellow; told apart by people with any kind of colour vision. Lines differ in dashes and dots in shape as well.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import alphaxenas.spaces.drawing.lettering  # noqa: F401  (our figures do not depend on the user's settings)
from alphaxenas.runs import write_atomically
from alphaxenas.spaces.drawing.picture import as_png

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from pandas.io.formats.style import Styler

Style = dict[str, Any]
"""Keyword arguments of a matplotlib function."""
WIDTH = 10.0
"""Inches of a figure as wide as a notebook."""
BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PINK, SKY, PURPLE, INK, GREY = "#cc79a7", "#56b4e9", "#aa3377", "#2b2f36", "#9aa0a8"
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))


@dataclass(frozen=True)
class Look:
    """How one controller or network is drawn, in every figure: colour, dashes of lines, marker of dots."""

    colour: str
    dashes: Any
    marker: str

    @property
    def line(self) -> dict[str, Any]:
        """Colour and dashes, as `Axes.plot` takes them."""
        return {"color": self.colour, "linestyle": self.dashes}


LOOKS = {
    "AlphaXENAS": Look(BLUE, DASHES[0], "o"),
    "random search": Look(ORANGE, DASHES[1], "s"),
    "random search with proxies": Look("#882255", DASHES[2], ">"),
    "static order": Look("#888888", DASHES[0], "<"),
    "UCT (ranked values)": Look(PINK, DASHES[2], "^"),
    "AlphaX (ranked values, planning)": Look(PURPLE, DASHES[3], "v"),
    "regularized evolution": Look(INK, DASHES[1], "P"),
    "local search": Look(SKY, DASHES[3], "X"),
    "GuidedSearch": Look(RED, DASHES[0], "D"),
    "REINFORCE": Look("#332288", DASHES[0], "p"),
    "pool of controllers": Look("#999933", DASHES[2], "h"),
    "NAO": Look("#44aa99", DASHES[3], "*"),
    "DenseNet-BC": Look(GREEN, DASHES[1], "s"),
}
"""By the names of `alphaxenas.report.runs.NAMES`."""
OTHERS = (GREY, "#6a3d9a", "#8c564b", "#117733", "#004d40")
"""Colours of whatever has none of its own: variants of controllers, searches of other suites."""


def looks(labels: Iterable[str]) -> dict[str, Look]:
    """A look per label: controllers and the baseline always have their own, others take theirs in order."""
    spare = (
        Look(OTHERS[place % len(OTHERS)], DASHES[(place + 1) % len(DASHES)], "<>ph*"[place % 5]) for place in count()
    )
    return {label: LOOKS[label] if label in LOOKS else next(spare) for label in labels}


def new_figure(
    rows: int = 1, columns: int = 1, height: float = 3.6, width: float = WIDTH, **more: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of notebook width with its axes, row by row, in the common look.

    Args:
        rows: Rows of axes.
        columns: Columns of axes.
        height: Inches of the whole figure.
        width: Inches of the whole figure.
        **more: For `Figure.subplots`, such as `sharey`.
    """
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    sign(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False, **more).flat)
    for each in axes:
        dress(each)
    return figure, axes


def sign(figure: Figure) -> None:
    """Notes in a figure which function of this package was asked for it, for the link that a notebook shows below."""
    frame: FrameType | None = sys._getframe(1)
    asked = ""
    while frame is not None and (module := frame.f_globals.get("__name__", "")).startswith("alphaxenas."):
        asked, frame = f"{module}.{frame.f_code.co_name}", frame.f_back
    figure.set_gid(asked)


def panels(number: int, most: int, height: float, extra: float = 0.0, **more: Any) -> tuple[Figure, list[Axes]]:
    """A figure of as many rows as some panels need; places that are left over stay empty.

    Args:
        number: How many panels.
        most: How many beside each other, at most.
        height: Inches of a row.
        extra: Inches of the figure besides.
        **more: For `new_figure`.
    """
    columns = min(most, max(1, number))
    rows = max(1, -(-number // columns))
    figure, axes = new_figure(rows, columns, height=extra + height * rows, **more)
    for panel in axes[number:]:
        panel.set_axis_off()
    return figure, axes


def sentence(text: str) -> Figure:
    """A figure that says why there is nothing to show."""
    figure, (panel,) = new_figure(height=1.0)
    say(panel, text)
    return figure


def legend_above(figure: Figure, columns: int = 3, handles: Mapping[str, Any] | None = None, **more: Any) -> None:
    """One legend above all panels; none where nothing has a label.

    Args:
        figure: The figure.
        columns: Entries beside each other.
        handles: Label to what it stands for; None: whatever has a label in some panel, each label once.
        **more: For `Figure.legend`.
    """
    found = dict(handles or {})
    if handles is None:
        for panel in figure.axes:
            for handle, label in zip(*panel.get_legend_handles_labels()):
                found.setdefault(label, handle)
    if found:
        names = list(found)
        figure.legend(list(found.values()), names, loc="outside upper center", ncols=columns, frameon=False, **more)


def dress(axes: Axes) -> None:
    """Quiet frame and grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(True, color="#e4e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.title.set_fontsize(11)


def say(axes: Axes, text: str) -> None:
    """Writes a sentence into axes that have nothing to show.

    Args:
        axes: Their frame and ticks are hidden.
        text: The sentence.
    """
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=INK, fontsize=10, wrap=True)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    # Not set_xticks([]), which would take the ticks of axes that share theirs.
    axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)


def count_on(axes: Axes) -> None:
    """Whole numbers on the horizontal axis, which counts something."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins="auto", steps=[1, 2, 2.5, 5, 10], integer=True, min_n_ticks=1))


def single_dot(values: Sequence[float] | np.ndarray) -> str | None:
    """The marker of a curve of one point, of which a line would show nothing."""
    return "o" if np.isfinite(values).sum() == 1 else None


def as_shown(table: pandas.DataFrame) -> Styler:
    """A table with words of a user's, which are no HTML and no formulas."""
    ignored = 'class="tex2jax_ignore mathjax_ignore"'
    return table.style.set_table_attributes(ignored).format_index(escape="html").format_index(escape="html", axis=1)


@dataclass(frozen=True)
class Shown:
    """A figure as a notebook shows it: the picture, and below it a link to the function that draws it.

    Attributes:
        data: A PNG file.
        drawn_by: Module and name of the function; empty where it is not known.
    """

    data: bytes
    drawn_by: str = ""

    def _ipython_display_(self) -> None:
        from IPython.display import Image, Markdown, display

        display(Image(self.data, format="png"))
        if self.drawn_by:
            module, _, name = self.drawn_by.rpartition(".")
            short = module.removeprefix("alphaxenas.").removeprefix("report.")
            display(Markdown(f"<sub>drawn by [`{short}.{name}`](../{module.replace('.', '/')}.py)</sub>"))


class Album:
    """The figures of a notebook: shown inline as PNG, and stored together in a run folder at the end."""

    def __init__(self) -> None:
        self.pictures: dict[str, bytes] = {}

    def show(self, name: str, figure: Figure, photographs: bool = False) -> Shown:
        """Keeps a figure under a name and gives it to the notebook, which shows it when it is a cell's last line.

        Args:
            name: Of the file that `store` writes.
            figure: Any figure.
            photographs: Keep every colour. Drawings look the same in 255, and take a third of the notebook's space.
        """
        self.pictures[name] = as_png(figure, photographs)
        return Shown(self.pictures[name], figure.get_gid() or "")

    def store(self, folder: Path) -> None:
        """Writes all figures kept so far as `<name>.png`. Raises `StorageError`."""
        for name, picture in self.pictures.items():
            write_atomically(folder / f"{name}.png", picture)

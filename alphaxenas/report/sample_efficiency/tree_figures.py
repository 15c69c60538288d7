"""Pictures of a search tree as it grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from alphaxenas.report.style import INK, Style, panels, sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

Snapshot = tuple[int, Mapping[str, np.ndarray]]
"""Queries so far, and the tree then: `parent`, `action`, `visits` and `total` by node, parents first."""


def tree_growth(snapshots: Sequence[Snapshot], value: str = "mean accuracy below") -> Figure:
    """A search tree at several moments: the root in the middle, every node coloured by its mean value, larger with more
    visits.

    A prefix keeps its place from picture to picture.

    Args:
        snapshots: In the order of their queries.
        value: What the colours mean.
    """
    asked, snapshots = len(snapshots), [snapshot for snapshot in snapshots if len(snapshot[1]["visits"])]
    if not snapshots:
        return sentence("The table was searched before a tree grew." if asked else "This controller shows no tree.")
    trees = [{name: np.asarray(values) for name, values in tree.items()} for _, tree in snapshots]
    prefixes = [_prefixes(tree) for tree in trees]
    places = _radial(prefixes[-1])
    means = [_means(tree) for tree in trees]
    low, high = _range(np.concatenate(means))
    figure, axes = panels(len(trees), 3, 3.4, 0.3)
    most = max(1.0, *(float(np.max(tree["visits"])) for tree in trees))
    for panel, (queries, _), tree, mean in zip(axes, snapshots, trees, means):
        dots = _draw(panel, tree, places, mean, (low, high), most)
        panel.set_title(f"{queries:,} queries, {len(mean):,} nodes")
    figure.colorbar(dots, ax=list(axes), label=value, shrink=0.75, pad=0.01, extend="min")
    return figure


def tree_panel(panel: Axes, tree: Mapping[str, np.ndarray]) -> None:
    """One tree as it is now, drawn as in `tree_growth`.

    Args:
        panel: Where.
        tree: See `Snapshot`; with a row at least.
    """
    mean = _means(tree)
    _draw(panel, tree, _radial(_prefixes(tree)), mean, _range(mean), float(max(1.0, np.max(tree["visits"]))))


def _means(tree: Mapping[str, np.ndarray]) -> np.ndarray:
    """Mean value of every node, NaN where nothing was backed up."""
    return np.where(tree["visits"] > 0, tree["total"] / np.maximum(tree["visits"], 1), np.nan)


def _range(means: np.ndarray) -> tuple[float, float]:
    """Between which values colours differ."""
    known = means[np.isfinite(means)]
    low, high = np.quantile(known, (0.1, 1.0)) if len(known) else (0.0, 1.0)
    return float(low), float(high)


def _draw(
    panel: Axes,
    tree: Mapping[str, np.ndarray],
    places: Mapping[tuple[int, ...], tuple[float, float]],
    mean: np.ndarray,
    between: tuple[float, float],
    most: float,
) -> PathCollection:
    from matplotlib.collections import LineCollection

    points = np.array([places.get(prefix, (np.nan, np.nan)) for prefix in _prefixes(tree)])
    lines = [points[[parent, node]] for node, parent in enumerate(tree["parent"]) if parent >= 0]
    panel.add_collection(LineCollection(lines, colors="#c9cdd3", linewidths=0.5, zorder=1))
    order = np.argsort(np.nan_to_num(mean, nan=-np.inf), kind="stable")
    sizes = 5 + 110 * np.sqrt(tree["visits"][order] / most)
    colours = Style(c=mean[order], cmap="viridis", vmin=between[0], vmax=between[1], edgecolors=INK)
    dots = panel.scatter(points[order, 0], points[order, 1], s=sizes, linewidths=0.25, zorder=2, **colours)
    reach = 1.04 * max(float(np.hypot(*place)) for place in places.values()) or 1.0
    panel.set(xlim=(-reach, reach), ylim=(-reach, reach))
    panel.set_aspect("equal")
    panel.set_axis_off()
    return dots


def _prefixes(tree: Mapping[str, np.ndarray]) -> list[tuple[int, ...]]:
    """The prefix of every node."""
    prefixes: list[tuple[int, ...]] = []
    for parent, action in zip(tree["parent"].tolist(), tree["action"].tolist()):
        prefixes.append((*prefixes[parent], action) if parent >= 0 else ())
    return prefixes


def _radial(prefixes: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], tuple[float, float]]:
    """A place for every prefix: its length is the distance from the middle, and leaves share the circle evenly."""
    children: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for prefix in prefixes:
        if prefix:
            children.setdefault(prefix[:-1], []).append(prefix)
    leaves: dict[tuple[int, ...], int] = {}
    for prefix in sorted(prefixes, key=len, reverse=True):
        leaves[prefix] = sum(leaves[child] for child in children.get(prefix, ())) or 1
    angles: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, 2 * np.pi)}
    places: dict[tuple[int, ...], tuple[float, float]] = {}
    for prefix in sorted(prefixes, key=lambda prefix: (len(prefix), prefix)):
        start, width = angles[prefix]
        middle = start + width / 2
        places[prefix] = (len(prefix) * float(np.cos(middle)), len(prefix) * float(np.sin(middle)))
        for child in sorted(children.get(prefix, ())):
            part = width * leaves[child] / sum(leaves[each] for each in children[prefix])
            angles[child] = (start, part)
            start += part
    return places

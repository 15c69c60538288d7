"""Fronts: which of several architectures no other one beats in every objective, and how good such a set is.

Everywhere `values` is `[n, m]`, a row for every architecture, a column for every objective, and larger is better.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def front(values: np.ndarray) -> np.ndarray:
    """Places of the rows that no other row dominates, in their order; of equal rows the first.

    Args:
        values: `[n, m]`.
    """
    values = np.asarray(values, np.float64)
    order = np.lexsort([np.arange(len(values)), *(-values.T[::-1])])  # what dominates a row stands before it
    kept: list[int] = []
    seen = np.zeros((0, values.shape[1] if values.ndim > 1 else 0))
    for place in order.tolist():
        if not len(seen) or not (seen >= values[place]).all(1).any():
            kept.append(place)
            seen = np.vstack([seen, values[place]])
    return np.sort(np.array(kept, np.int64))


class GrowingFront:
    """The front of rows that come one by one: each is compared with the front alone, however many came before.

    Attributes:
        members: What the rows of the front are called, in the order in which they came.
        values: Those rows, `[k, m]`.
        worst: The least of every objective of all rows, `[m]`; empty before the first.
        best: The most.
    """

    def __init__(self) -> None:
        self.members: list[Any] = []
        self.values = np.zeros((0, 0))
        self.worst = self.best = np.zeros(0)

    def add(self, member: Any, row: np.ndarray) -> bool:
        """Takes the next row.

        Args:
            member: What it is called.
            row: `[m]`.

        Returns:
            Whether it is in the front; of equal rows the first is.
        """
        if not len(self.worst):
            self.values, self.worst, self.best = np.zeros((0, len(row))), row, row
        self.worst, self.best = np.minimum(self.worst, row), np.maximum(self.best, row)
        if (self.values >= row).all(1).any():
            return False
        kept = np.flatnonzero(~(row >= self.values).all(1))
        self.members = [*(self.members[place] for place in kept), member]
        self.values = np.vstack([self.values[kept], row])
        return True

    def volume(self) -> float:
        """The hypervolume, measured from the worst of all rows; 0 without rows."""
        return hypervolume(self.values, self.worst) if self.members else 0.0


def ranks(values: np.ndarray) -> np.ndarray:
    """The number of the front that each row is in, from 0: the front of all, the front of the others, and so on.

    Args:
        values: `[n, m]`.

    Returns:
        Int `[n]`.

    Source: Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II", section III.A. Departure:
    of equal rows the later ones come a front later.
    """
    values = np.asarray(values, np.float64)
    found, left = np.zeros(len(values), np.int64), np.arange(len(values))
    number = 0
    while len(left):
        first = front(values[left])
        found[left[first]] = number
        left, number = np.delete(left, first), number + 1
    return found


def crowding(values: np.ndarray) -> np.ndarray:
    """How far the neighbours of each row of one front are away, `[n]`; infinite at the ends.

    Args:
        values: `[n, m]`.

    Source: Deb et al. 2002, section III.B.
    """
    values = np.asarray(values, np.float64)
    distance = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]]
        distance[order[[0, -1]]] = np.inf
        if span > 0:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return distance


def fitness(values: np.ndarray) -> np.ndarray:
    """One number a row, `[n]`, that orders as NSGA-II does: by front, within one by crowding distance.

    Args:
        values: `[n, m]`.
    """
    number, order = ranks(values), np.zeros(len(values))
    for each in range(int(number.max(initial=-1)) + 1):
        rows = np.flatnonzero(number == each)
        away = crowding(values[rows])
        order[rows] = np.where(np.isinf(away), 1.0, away / (1.0 + np.where(np.isinf(away), 0.0, away))) - each
    return order


def hypervolume(values: np.ndarray, reference: np.ndarray) -> float:
    """The volume that is dominated by some row and dominates the reference point.

    Args:
        values: `[n, m]`.
        reference: `[m]`; rows that are not better in every objective add nothing.

    Source: Zitzler & Thiele 1998, "Multiobjective optimization using evolutionary algorithms"; computed by slices along
    the last objective.
    """
    points = np.asarray(values, np.float64) - np.asarray(reference, np.float64)
    points = points[(points > 0).all(1)]
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(points.max())
    points = points[front(points)]
    points = points[np.argsort(-points[:, -1], kind="stable")]
    if points.shape[1] == 2:
        # Sorted by the second objective, falling, the first rises: stairs.
        return float(points[:, 0] @ (points[:, 1] - np.append(points[1:, 1], 0.0)))
    edges = np.append(points[1:, -1], 0.0)
    origin = np.zeros(points.shape[1] - 1)
    return float(
        sum(
            hypervolume(points[: place + 1, :-1], origin) * (points[place, -1] - edges[place])
            for place in range(len(points))
        )
    )


def knee(values: np.ndarray) -> int:
    """The place in a front where a little more of one objective begins to cost much of another.

    With every objective scaled to [0, 1] over the front, it is the row farthest above the plane through the ends of the
    front, so the one with the largest sum.

    Args:
        values: `[n, m]`, a front of at least one row.

    Source: Das 1999, "On characterizing the 'knee' of the Pareto curve based on normal-boundary intersection".
    """
    values = np.asarray(values, np.float64)
    low, high = values.min(0), values.max(0)
    return int(np.argmax(((values - low) / np.where(high > low, high - low, 1.0)).sum(1)))

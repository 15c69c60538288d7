"""Where the nodes of a layered graph go, from left to right, so that few edges cross and none runs over a box.

A node stands in the column of its depth. An edge that skips columns gets a rail in each of them: a place of its own,
shared by all edges from the same source, so a long edge is one line that branches late.

Source: Sugiyama, Tagawa, Toda 1981, "Methods for visual understanding of hierarchical system structures" (columns,
crossing reduction, positions). Departure: the graphs are tiny, so crossings are reduced by trying every move of one
node, from several starting orders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

import numpy as np

RESTARTS = 6
"""Further starting orders that are tried while edges still cross."""

Place = tuple[str, int]
"""What stands at one spot of one column: (node name, column). A node in another column than its own is its rail."""


@dataclass(frozen=True)
class Edge:
    """From the right side of `source` to a port on the left side of `target`.

    Attributes:
        port: Which input of the target; the ports of a node may be reordered to save crossings.
    """

    source: str
    target: str
    port: int = 0


@dataclass(frozen=True)
class Layout:
    """A finished arrangement; y grows upwards, in the units of the heights handed in.

    Attributes:
        columns: Column of every node.
        y: Height of the middle of every node and rail.
        port_order: Ports of every node, from top to bottom.
    """

    columns: Mapping[str, int]
    y: Mapping[Place, float]
    port_order: Mapping[str, tuple[int, ...]]

    def port_y(self, node: str, port: int, spacing: float) -> float:
        """Height of one input port of a node.

        Args:
            node: Name of the node.
            port: One of its ports.
            spacing: Distance between neighbouring ports.
        """
        order = self.port_order[node]
        return self.y[node, self.columns[node]] + spacing * ((len(order) - 1) / 2 - order.index(port))

    def route(self, edge: Edge) -> list[Place]:
        """The places an edge passes: source, rails, target."""
        rails = range(self.columns[edge.source], self.columns[edge.target])
        return [(edge.source, column) for column in rails] + [(edge.target, self.columns[edge.target])]

    def pieces(self, edge: Edge, spacing: float) -> list[tuple[Place, Place, float, float]]:
        """The parts of an edge between neighbouring columns: start, end, and the heights there.

        Args:
            edge: Any edge.
            spacing: Distance between the ports of its target.
        """
        pairs = list(pairwise(self.route(edge)))
        heights = [self.y[end] for _, end in pairs[:-1]] + [self.port_y(edge.target, edge.port, spacing)]
        return [(start, end, self.y[start], height) for (start, end), height in zip(pairs, heights)]


def arrange(
    columns: Mapping[str, int],
    edges: Sequence[Edge],
    heights: Mapping[str, float],
    spacing: Mapping[str, float],
    rail_height: float,
    gap: float,
) -> Layout:
    """Finds an arrangement with few crossings and straight lines.

    Args:
        columns: Column of every node, from 0; every edge leads to a later column.
        edges: Edges of the graph.
        heights: Height of every node.
        spacing: Distance between neighbouring input ports of every node.
        rail_height: Height kept free for an edge passing a column.
        gap: Free height between neighbours of a column.

    Returns:
        The layout, the same for the same graph.
    """
    ports: dict[str, list[int]] = {node: [0] for node in columns}
    for node in columns:
        ports[node] = sorted(edge.port for edge in edges if edge.target == node) or [0]
    stacks: list[list[Place]] = [[] for _ in range(max(columns.values()) + 1)]
    for node, column in columns.items():
        stacks[column].append((node, column))
        for rail in range(column + 1, max((columns[e.target] for e in edges if e.source == node), default=0)):
            stacks[rail].append((node, rail))
    graph = _Graph(columns, edges, heights, spacing, rail_height, gap)
    stacks, ports = graph.untangle(stacks, ports)
    shuffler = np.random.default_rng(0)
    for _ in range(RESTARTS):
        if graph.cost(stacks, ports)[0] == 0:
            break
        shuffled = [[stack[index] for index in shuffler.permutation(len(stack))] for stack in stacks]
        stacks, ports = min((stacks, ports), graph.untangle(shuffled, ports), key=lambda found: graph.cost(*found))
    return Layout(columns, graph.positions(stacks, ports), {node: tuple(order) for node, order in ports.items()})


@dataclass(frozen=True)
class _Graph:
    """What `arrange` was asked for, and the two steps of the answer."""

    columns: Mapping[str, int]
    edges: Sequence[Edge]
    heights: Mapping[str, float]
    spacing: Mapping[str, float]
    rail_height: float
    gap: float

    def untangle(
        self, stacks: list[list[Place]], ports: dict[str, list[int]]
    ) -> tuple[list[list[Place]], dict[str, list[int]]]:
        """Moves single places and turns ports round as long as that lowers the cost."""
        best = self.cost(stacks, ports)
        improved = True
        while improved:
            improved = False
            trials = [
                (column, *move) for column, stack in enumerate(stacks) for move in permutations(range(len(stack)), 2)
            ]
            for column, start, end in trials:
                moved = [list(stack) for stack in stacks]
                moved[column].insert(end, moved[column].pop(start))
                if (cost := self.cost(moved, ports)) < best:
                    stacks, best, improved = moved, cost, True
            for node, order in list(ports.items()):
                for start in range(len(order) - 1):
                    turned = ports | {node: [*order[:start], order[start + 1], order[start], *order[start + 2 :]]}
                    if (cost := self.cost(stacks, turned)) < best:
                        ports, best, improved = turned, cost, True
                        order = turned[node]
        return stacks, ports

    def cost(self, stacks: list[list[Place]], ports: Mapping[str, list[int]]) -> tuple[int, float]:
        """Crossings, then summed height differences along the edges."""
        y = {place: middle for stack in stacks for place, middle in zip(stack, self.stacked(stack))}
        gaps: dict[int, set[tuple[float, float]]] = {}
        for start, end, target, port in self.segments():
            gaps.setdefault(start[1], set()).add((y[start], y[end] + self.port_offset(target, port, ports)))
        crossings, climbed = 0, 0.0
        for lines in gaps.values():
            ordered = sorted(lines)
            for index, (left, right) in enumerate(ordered):
                climbed += abs(left - right)
                crossings += sum(other < right for start, other in ordered[index + 1 :] if start > left)
        return crossings, round(climbed, 6)

    def segments(self) -> list[tuple[Place, Place, str, int | None]]:
        """Pieces of edges between neighbouring columns; `port` is None where the piece ends at a rail."""
        pieces: list[tuple[Place, Place, str, int | None]] = []
        for edge in self.edges:
            last = self.columns[edge.target] - 1
            for column in range(self.columns[edge.source], last):
                pieces.append(((edge.source, column), (edge.source, column + 1), edge.source, None))
            pieces.append(((edge.source, last), (edge.target, last + 1), edge.target, edge.port))
        # Edges from one source share its rails, and a shared piece counts once.
        return list(dict.fromkeys(pieces))

    def port_offset(self, node: str, port: int | None, ports: Mapping[str, list[int]]) -> float:
        """Height of a port above the middle of its node; 0 for rails."""
        if port is None:
            return 0.0
        return self.spacing[node] * ((len(ports[node]) - 1) / 2 - ports[node].index(port))

    def height(self, place: Place) -> float:
        """Height of a node, or of the rail that stands for it in another column."""
        node, column = place
        return self.heights[node] if self.columns[node] == column else self.rail_height

    def stacked(self, stack: Sequence[Place]) -> np.ndarray:
        """Middles of a column's places, stacked from the top as closely as allowed, centred at 0."""
        heights = np.array([self.height(place) for place in stack])
        tops = np.concatenate([[0.0], np.cumsum(heights[:-1] + self.gap)])
        middles = -(tops + heights / 2)
        return middles - (middles[0] + heights[0] / 2 + middles[-1] - heights[-1] / 2) / 2

    def positions(self, stacks: Sequence[Sequence[Place]], ports: Mapping[str, list[int]]) -> dict[Place, float]:
        """Heights that keep the order and the gaps and make edges as straight as possible."""
        y = {place: float(middle) for stack in stacks for place, middle in zip(stack, self.stacked(stack))}
        pulls: dict[Place, list[tuple[Place, float, float]]] = {place: [] for place in y}
        for start, end, target, port in self.segments():
            offset = self.port_offset(target, port, ports)
            # A bend in a rail looks worse than a bend at a box.
            weight = 4.0 if port is None else 1.0
            pulls[start].append((end, offset, weight))
            pulls[end].append((start, -offset, weight))
        for sweep in range(40):
            for stack in stacks if sweep % 2 else list(reversed(stacks)):
                wanted = []
                for place in stack:
                    pulled = sum(weight * (y[other] + shift) for other, shift, weight in pulls[place])
                    wanted.append(pulled / sum(weight for *_, weight in pulls[place]) if pulls[place] else y[place])
                # Subtracting the closest stacking turns "keep your distance" into "do not decrease".
                closest = self.stacked(stack)
                for place, height in zip(stack, closest + _descending(np.array(wanted) - closest)):
                    y[place] = float(height)
        return y


def _descending(values: np.ndarray) -> np.ndarray:
    """The nearest sequence (least squares) that never increases: pool adjacent violators."""
    pools: list[tuple[float, int]] = []
    for value in values:
        pools.append((float(value), 1))
        while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
            (first, count), (second, more) = pools[-2], pools[-1]
            pools[-2:] = [((first * count + second * more) / (count + more), count + more)]
    return np.concatenate([np.full(count, value) for value, count in pools])

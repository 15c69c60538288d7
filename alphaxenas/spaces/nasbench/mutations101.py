"""Cells of NAS-Bench-101 that are one change away from a cell; see `NASBench101.neighbours`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from alphaxenas.spaces.nasbench.cell101 import OPERATIONS_101, NASBench101Cell


def changed(cell: NASBench101Cell, most_inner: int, most_edges: int) -> Iterator[NASBench101Cell]:
    """Cells one change away, some several times, some with more than `most_edges` edges.

    Args:
        cell: The cell that is changed.
        most_inner: Vertices besides input and output that a cell may have.
        most_edges: Edges that it may have; where it has as many, none is added.
    """
    operations, edges, last = cell.operations, cell.edges, len(cell.operations) + 1
    for place, own in enumerate(operations):
        for other in OPERATIONS_101:
            if other != own:
                yield NASBench101Cell((*operations[:place], other, *operations[place + 1 :]), edges)
    for edge in edges:
        yield from _pruned(operations, [other for other in edges if other != edge])
    after = _descendants(cell)
    # An edge may also lead backwards in this numbering, as long as it closes no cycle.
    free = [(s, t) for s in range(last) for t in range(1, last + 1) if s != t and s not in after[t]]
    if len(edges) < most_edges:
        for edge in free:
            if edge not in edges:
                yield from _pruned(operations, [*edges, edge])
        if len(operations) < most_inner:
            yield from _with_another_vertex(cell, free)
    for vertex in range(1, last):
        others = [edge for edge in edges if vertex not in edge]
        around = {(s, t) for s, v in edges if v == vertex for w, t in edges if w == vertex}
        kept = (*operations[: vertex - 1], *operations[vertex:])
        for remaining in (others, {*others, *around}):
            yield from _pruned(kept, [(s - (s > vertex), t - (t > vertex)) for s, t in remaining])


def _with_another_vertex(cell: NASBench101Cell, free: Sequence[tuple[int, int]]) -> Iterator[NASBench101Cell]:
    """Cells with a vertex more between two vertices that an edge could join: parallel to the edge, or in its place."""
    last = len(cell.operations) + 1
    # The new vertex takes the output's number, which becomes one larger.
    edges = {edge: (edge[0], edge[1] + (edge[1] == last)) for edge in cell.edges}
    for source, target in free:
        through = [(source, last), (last, target + (target == last))]
        kept = [renamed for edge, renamed in edges.items() if edge != (source, target)]
        for operation in OPERATIONS_101:
            yield from _pruned((*cell.operations, operation), [*edges.values(), *through])
            if len(kept) < len(edges):
                yield from _pruned((*cell.operations, operation), kept + through)


def _pruned(operations: tuple[str, ...], edges: Iterable[tuple[int, int]]) -> Iterator[NASBench101Cell]:
    cell = NASBench101Cell.pruned(operations, edges)
    if cell is not None:
        yield cell


def _descendants(cell: NASBench101Cell) -> list[set[int]]:
    """The vertices that each vertex leads to."""
    after: list[set[int]] = [set() for _ in range(len(cell.operations) + 2)]
    for source, target in sorted(cell.edges, reverse=True):
        after[source] |= {target} | after[target]
    return after

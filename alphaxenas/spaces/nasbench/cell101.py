"""Cells of NAS-Bench-101: their forms, and the way from any labelled graph to a cell.

Text, one line, the vertices in order with the vertices that they read; 0 is the cell's input:

    conv3x3-bn-relu(0) maxpool3x3(0,1) output(1,2)

JSON, one line per vertex:

    {
      "vertices": [
        {"operation": "conv3x3-bn-relu", "inputs": [0]},
        {"operation": "maxpool3x3", "inputs": [0, 1]},
        {"operation": "output", "inputs": [1, 2]}
      ]
    }
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from alphaxenas.spaces.checks import check_name, check_object, read_fields, write_lines
from alphaxenas.suggestions import invalid

OPERATIONS_101 = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
"""In the order of the benchmark's codes 0, 1, 2."""
INPUT, OUTPUT = "input", "output"
_EXAMPLE = "conv3x3-bn-relu(0) maxpool3x3(0,1) output(1,2)"

Edges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class NASBench101Cell:
    """A cell of NAS-Bench-101: vertex 0 is the input, vertices 1..n have an operation, vertex n+1 is the output.

    Attributes:
        operations: Of vertices 1..n; may be empty.
        edges: (source, target) with source < target, in ascending order of target, then source. Every vertex lies on a
            path from input to output.
    """

    operations: tuple[str, ...]
    edges: Edges

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        edges = tuple(sorted(((source, target) for source, target in self.edges), key=lambda edge: edge[::-1]))
        object.__setattr__(self, "edges", edges)
        for vertex, operation in enumerate(self.operations, start=1):
            check_name("operation", operation, OPERATIONS_101, f"vertex {vertex}")
        last = len(self.operations) + 1
        if len(set(edges)) < len(edges) or not all(0 <= source < target <= last for source, target in edges):
            raise invalid("edges", f"different pairs (source, target) with 0 <= source < target <= {last}", edges)
        # Sources and targets of an acyclic numbering: nobody without an edge in and an edge out is off the paths.
        off_paths = ({*range(last)} - {source for source, _ in edges}) | (
            {*range(1, last + 1)} - {target for _, target in edges}
        )
        if off_paths:
            expected = f"every vertex on a path from 0 to {last}; `NASBench101Cell.pruned` leaves others out"
            raise invalid("edges", expected, f"{edges}, without vertex {min(off_paths)}")

    def __str__(self) -> str:
        return " ".join(f"{operation}({','.join(map(str, inputs))})" for operation, inputs in self._vertices())

    def to_json(self) -> str:
        """JSON text with a line per vertex; see the module text."""
        return write_lines(vertices=[{"operation": name, "inputs": inputs} for name, inputs in self._vertices()])

    def matrix(self) -> np.ndarray:
        """Adjacency, uint8 `[vertices, vertices]`: row is source, column is target."""
        matrix = np.zeros((len(self.operations) + 2,) * 2, np.uint8)
        matrix[tuple(zip(*self.edges))] = 1
        return matrix

    @classmethod
    def pruned(cls, operations: Sequence[str], edges: Iterable[tuple[int, int]]) -> NASBench101Cell | None:
        """The cell of a labelled graph: vertices off all paths from input to output are left out, the others numbered
        in order.

        Args:
            operations: Of vertices 1..n.
            edges: Different pairs of vertices 0..n+1 in any numbering, without cycles.

        Returns:
            The cell; None when no path leads from input to output. A graph that is numbered in order keeps its order.

        Raises:
            ValueError: There is a cycle, or an operation is unknown.
        """
        last = len(operations) + 1
        into: list[list[int]] = [[] for _ in range(last + 1)]
        out_of: list[list[int]] = [[] for _ in range(last + 1)]
        for source, target in edges:
            into[target].append(source)
            out_of[source].append(target)
        live = _reached(0, out_of) & _reached(last, into)
        if 0 not in live:
            return None
        number: dict[int, int] = {}
        waiting = sorted(live)
        while waiting:
            ready = next((v for v in waiting if all(s in number or s not in live for s in into[v])), None)
            if ready is None:
                raise invalid("edges", "a graph without cycles", f"a cycle among the vertices {waiting}")
            number[ready] = len(number)
            waiting.remove(ready)
        return cls(
            tuple(operations[v - 1] for v in number if 0 < v < last),
            tuple((number[s], number[t]) for t in number for s in into[t] if s in live),
        )

    @classmethod
    def from_matrix(cls, matrix: np.ndarray, operations: Sequence[str]) -> NASBench101Cell | None:
        """The cell of an adjacency matrix, pruned as the benchmark does it.

        Args:
            matrix: 0 or 1, `[vertices, vertices]`; vertex 0 is the input, the last is the output.
            operations: Of all vertices; the first and last are not read.

        Returns:
            As for `pruned`.
        """
        matrix = np.asarray(matrix)
        if matrix.shape != (len(operations),) * 2 or len(operations) < 2 or not ((matrix == 0) | (matrix == 1)).all():
            expected = f"0 and 1 of shape [{len(operations)}, {len(operations)}], as many as `operations`"
            raise invalid("matrix", expected, f"{matrix.dtype} of shape {list(matrix.shape)}")
        return cls.pruned(tuple(operations[1:-1]), list(zip(*(ends.tolist() for ends in matrix.nonzero()))))

    def _vertices(self) -> list[tuple[str, list[int]]]:
        """(operation, inputs) of every vertex but the input; the last one's operation is `output`."""
        return [
            (operation, [source for source, target in self.edges if target == vertex])
            for vertex, operation in enumerate((*self.operations, OUTPUT), start=1)
        ]


def read_cell(text: str) -> NASBench101Cell:
    """A cell from its one-line text or JSON form; see the module text.

    Raises:
        ValueError: Says in which vertex what is wrong, what is allowed, and the nearest name.
    """
    text = text.strip()
    vertices = _read_json(text) if text.startswith("{") else _read_text(text)
    for vertex, (operation, inputs) in enumerate(vertices[:-1], start=1):
        check_name("operation", operation, OPERATIONS_101, f"vertex {vertex}")
    if not vertices or vertices[-1][0] != OUTPUT:
        raise invalid("architecture", f"vertices that end with {OUTPUT!r}, such as {_EXAMPLE!r}", repr(text[:80]))
    edges = tuple((source, target) for target, (_, inputs) in enumerate(vertices, start=1) for source in inputs)
    return NASBench101Cell(tuple(operation for operation, _ in vertices[:-1]), edges)


def _read_text(text: str) -> list[tuple[str, list[int]]]:
    if not re.fullmatch(r"(\s*[\w-]+\(\s*\d+(\s*,\s*\d+)*\s*\))+", text):
        raise invalid("architecture", f"text such as {_EXAMPLE!r}", repr(text[:80]))
    return [(name, list(map(int, inputs.split(",")))) for name, inputs in re.findall(r"([\w-]+)\(([^)]*)\)", text)]


def _read_json(text: str) -> list[tuple[str, list[int]]]:
    vertices = read_fields(text, '{"vertices": [...]}', vertices=list)["vertices"]
    for number, vertex in enumerate(vertices, start=1):
        check_object(vertex, "vertices", f"in vertex {number}", operation=object, inputs=list)
        if not all(isinstance(source, int) and not isinstance(source, bool) for source in vertex["inputs"]):
            raise invalid("inputs", "whole numbers", repr(vertex["inputs"]), f"in vertex {number}")
    return [(vertex["operation"], vertex["inputs"]) for vertex in vertices]


def _reached(start: int, following: Sequence[Sequence[int]]) -> set[int]:
    """All vertices that can be reached, `start` included."""
    found, waiting = {start}, [start]
    while waiting:
        for vertex in following[waiting.pop()]:
            if vertex not in found:
                found.add(vertex)
                waiting.append(vertex)
    return found

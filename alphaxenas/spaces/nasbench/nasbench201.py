"""The space of NAS-Bench-201: a cell of four nodes with an operation on each of its six edges, 15,625 cells.

The token sequence has one token per edge, in the order 0->1, 0->2, 1->2, 0->3, 1->3, 2->3: five operations each. The
benchmark trained every string, also strings that compute the same function (different edges can be dead or skip
connections), and measured different accuracies for them. The key of a cell is therefore its string.

Source: Dong & Yang 2020, "NAS-Bench-201: extending the scope of reproducible neural architecture search", section 2.1.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from math import log

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.spaces.checks import check_name, read_fields
from alphaxenas.spaces.features import groups_of
from alphaxenas.spaces.fixed_length import FixedLengthSpace
from alphaxenas.spaces.nasbench.paths201 import extended, path_name, path_numbers
from alphaxenas.suggestions import invalid

OPERATIONS_201 = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""In the order of the tokens, which are also the digits of an `op_code`."""
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source, target) of every token."""
PATHS: tuple[tuple[int, ...], ...] = ((3,), (0, 4), (1, 5), (0, 2, 5))
"""The paths from node 0 to node 3, as places in `EDGES`."""
NONE, SKIP = 0, 1
_PATH_OPERATIONS = OPERATIONS_201[2:]
_SEQUENCES = path_numbers(len(_PATH_OPERATIONS), 3)
_CONV1, _CONV3, _POOL = 2, 3, 4
_COUNTED = {
    "conv3x3": (_CONV3,),
    "convolution": (_CONV1, _CONV3),
    "pool": (_POOL,),
    "operation": (_CONV1, _CONV3, _POOL),
}
FLOW_201 = (
    "log parameters",
    *(f"number of {operation}" for operation in OPERATIONS_201[1:]),
    "paths",
    *(f"{extreme} path by {counted}" for counted in _COUNTED for extreme in ("longest", "shortest", "mean")),
)
"""What flows through a cell, counted on live edges alone; parameters up to the square of the channels, as log(1 +
them).
"""
_EXAMPLE = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|"


@dataclass(frozen=True)
class NASBench201Cell:
    """A cell of NAS-Bench-201.

    Attributes:
        operations: One name per edge, in the order of `EDGES`.
    """

    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        if len(self.operations) != len(EDGES):
            raise invalid("operations", f"{len(EDGES)} names", len(self.operations))
        for (source, target), operation in zip(EDGES, self.operations):
            check_name("operation", operation, OPERATIONS_201, f"edge {source}->{target}")

    def __str__(self) -> str:
        return _text(self.operations)

    def to_json(self) -> str:
        """JSON text with a line per edge."""
        lines = (f"    {json.dumps(edge)}: {json.dumps(name)}" for edge, name in zip(_EDGE_NAMES, self.operations))
        return '{\n  "edges": {\n' + ",\n".join(lines) + "\n  }\n}"


_PLACES = _SEQUENCES + len(EDGES) * len(OPERATIONS_201)
"""Entries of `features` before `FLOW_201`."""
_EDGE_NAMES = tuple(f"{source}->{target}" for source, target in EDGES)
_CODES = {operation: code for code, operation in enumerate(OPERATIONS_201)}


@dataclass(frozen=True)
class NASBench201(FixedLengthSpace):
    """The rules of NAS-Bench-201 (`alphaxenas.contracts.SearchSpace`).

    Attributes:
        vocabulary: The five operations.
        operations: The same.
        max_length: 6, the length of every token sequence.

    Example:
        >>> space = NASBench201()
        >>> str(space.parse("310142")) ==
        "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|" True
    """

    vocabulary = operations = OPERATIONS_201
    max_length = len(EDGES)
    legal_at = (*[tuple(range(len(OPERATIONS_201)))] * len(EDGES), ())

    def decode(self, tokens: Tokens) -> NASBench201Cell:
        """The cell of a complete token sequence.

        Raises:
            ValueError: The sequence is not complete, or names the first illegal token.
        """
        return _cell(tokens)

    def _build(self, tokens: Tokens) -> NASBench201Cell:
        return NASBench201Cell(tuple(OPERATIONS_201[token] for token in tokens))

    def encode(self, architecture: NASBench201Cell) -> Tokens:
        """The tokens of a cell; `decode(encode(cell)) == cell`."""
        return tuple([_CODES[operation] for operation in architecture.operations])

    def key(self, architecture: NASBench201Cell) -> str:
        """The benchmark's own string; cells that compute the same function keep their own entries, as in the table."""
        return _text(architecture.operations)

    def sample(self, rng: np.random.Generator) -> NASBench201Cell:
        """A cell drawn uniformly."""
        number, tokens = int(rng.integers(self.size())), []
        for _ in EDGES:
            number, token = divmod(number, len(OPERATIONS_201))
            tokens.append(token)
        return _cell(tuple(tokens))

    def neighbours(self, architecture: NASBench201Cell) -> list[NASBench201Cell]:
        """The 24 cells that differ in the operation of one edge, in ascending order of edge and token."""
        return list(_neighbours(architecture))

    def features(self, architecture: NASBench201Cell) -> np.ndarray:
        """Counts of operation sequences on the live paths from input to output, the operations edge by edge, and
        `FLOW_201`.

        `none` ends a path and a skip connection leaves no trace in a sequence, so the first part is equal for cells
        that compute the same function. The last part is what the structure tells of cost and depth.

        Returns:
            float32 of shape `[len(self.feature_names())]`, read-only.
        """
        return _features(architecture.operations)

    def feature_names(self) -> tuple[str, ...]:
        """What each entry of `features` means."""
        paths = tuple(path_name(path, _PATH_OPERATIONS) for path in range(_SEQUENCES))
        return (*paths, *(f"{edge}={operation}" for edge in _EDGE_NAMES for operation in OPERATIONS_201), *FLOW_201)

    def feature_groups(self) -> dict[str, tuple[slice, str]]:
        """Which entries of `features` belong together."""
        edges = (_PLACES - _SEQUENCES, "one-hot")
        return groups_of(paths=(_SEQUENCES, "sequences"), edges=edges, flow=(len(FLOW_201), "numbers"))

    def parse(self, text: str) -> NASBench201Cell:
        """A cell from the benchmark's string, its six-digit code, or its JSON form.

        Raises:
            ValueError: Says at which edge what is wrong, what is allowed, and the nearest name.
        """
        text = text.strip()
        if text.startswith("{"):
            return _read_json(text)
        if re.fullmatch(r"\d+", text):
            if not re.fullmatch(rf"[0-{len(OPERATIONS_201) - 1}]{{{len(EDGES)}}}", text):
                raise invalid("architecture", "six digits from 0 to 4", repr(text))
            return _cell(tuple(map(int, text)))
        return _read_text(text)


@cache
def _cell(tokens: Tokens) -> NASBench201Cell:
    return FixedLengthSpace.decode(NASBench201(), tokens)


@cache
def _neighbours(cell: NASBench201Cell) -> tuple[NASBench201Cell, ...]:
    return tuple(FixedLengthSpace.neighbours(NASBench201(), cell))


@cache
def _text(operations: tuple[str, ...]) -> str:
    parts = []
    for target in range(1, 4):
        parts.append(
            "|" + "|".join(f"{op}~{edge[0]}" for edge, op in zip(EDGES, operations) if edge[1] == target) + "|"
        )
    return "+".join(parts)


@cache
def _features(operations: tuple[str, ...]) -> np.ndarray:
    codes = [_CODES[operation] for operation in operations]
    vector = np.zeros(_PLACES + len(FLOW_201), np.float32)
    paths = [path for path in PATHS if NONE not in (codes[edge] for edge in path)]
    for path in paths:
        sequence = 0
        for edge in path:
            if codes[edge] != SKIP:
                sequence = extended(sequence, codes[edge] - 2, len(_PATH_OPERATIONS))
        vector[sequence] += 1
    for edge, code in enumerate(codes):
        vector[_SEQUENCES + edge * len(OPERATIONS_201) + code] = 1
    vector[_PLACES:] = _flow(codes, paths)
    vector.flags.writeable = False
    return vector


def _flow(codes: list[int], paths: list[tuple[int, ...]]) -> list[float]:
    """The values of `FLOW_201`; all 0 where nothing gets from input to output."""
    if not paths:
        return [0.0] * len(FLOW_201)
    live = [codes[edge] for edge in sorted({edge for path in paths for edge in path})]
    numbers = [live.count(code) for code in range(1, len(OPERATIONS_201))]
    parameters = live.count(_CONV1) + 9 * live.count(_CONV3)
    values = [log(1 + parameters), *numbers, len(paths)]
    for counted in _COUNTED.values():
        lengths = [sum(codes[edge] in counted for edge in path) for path in paths]
        values += [max(lengths), min(lengths), sum(lengths) / len(lengths)]
    return values


def _read_text(text: str) -> NASBench201Cell:
    """A cell from its arch string."""
    nodes = [node.strip().strip("|").split("|") for node in text.split("+")]
    if [len(node) for node in nodes] != [1, 2, 3]:
        raise invalid("architecture", f"a string such as {_EXAMPLE!r}, or six digits", repr(text))
    operations = {}
    for target, node in enumerate(nodes, start=1):
        for source, entry in enumerate(node):
            operation, mark, given = entry.partition("~")
            if not mark or given.strip() != str(source):
                raise invalid("architecture", f"`operation~{source}`", repr(entry), f"at edge {source}->{target}")
            operations[source, target] = operation.strip()
    return NASBench201Cell(tuple(operations[edge] for edge in EDGES))


def _read_json(text: str) -> NASBench201Cell:
    example = f'{{"edges": {{...}}}} with the edges {", ".join(_EDGE_NAMES)}'
    edges = read_fields(text, example, edges=dict)["edges"]
    if set(edges) != set(_EDGE_NAMES):
        raise invalid("architecture", example, repr(text[:80]))
    return NASBench201Cell(tuple(edges[name] for name in _EDGE_NAMES))

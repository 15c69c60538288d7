"""Architectures as fixed-length vectors for surrogate models: groups of features, cells, and size and depth.

What tells of a cell is a count or a mean of counts over the graph, so equal graphs have equal features however their
blocks are numbered, and a surrogate need not learn that symmetry (the ordinal codes of AlphaX-NASBench101 made it learn
that).

The free features tell how large and how deep the network of an architecture is, as far as its structure tells. Searches
know them by name, `SIZE` and `DEPTH`, and begin with architectures that are large and deep. Sizes are numbers of
weights, for `CHANNELS` channels before the first reduction, without what is the same for all architectures of a space
or small (normalisation, classifier); as features they are log(1 + size). Depths are convolutions on the longest path
from the image to the classifier, as the proxy `depth` counts them, up to a constant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain, combinations_with_replacement
from math import log1p
from typing import NamedTuple

import numpy as np

from alphaxenas.spaces.notation import Row

SIZE, DEPTH = "log parameters", "longest path by convolution"
CHANNELS = 16
_UNREACHABLE = -1000
_SHAPE = (
    "longest path by block",
    "mean depth",
    "output blocks",
    "uses of prev",
    "uses of prev2",
    "reused blocks",
    "largest reuse",
    "paths",
    "mean path length",
)


def columns_of(blocks: Mapping[str, tuple[str, Sequence[str]]]) -> tuple[tuple[str, ...], dict[str, tuple[slice, str]]]:
    """Names and groups of features that consist of blocks, see `contracts.SearchSpace.features`.

    Args:
        blocks: Name of a group to its kind and the names of its features; a block of none is left out.
    """
    names = tuple(name for _, columns in blocks.values() for name in columns)
    lengths = {group: (len(columns), kind) for group, (kind, columns) in blocks.items() if columns}
    return names, groups_of(**lengths)


def groups_of(**blocks: tuple[int, str]) -> dict[str, tuple[slice, str]]:
    """Groups of features that stand one after another, see `contracts.SearchSpace.features`.

    Args:
        blocks: Name of a group to its length and kind.
    """
    ends = np.cumsum([0, *(length for length, _ in blocks.values())]).tolist()
    return {name: (slice(*ends[at : at + 2]), kind) for at, (name, (_, kind)) in enumerate(blocks.items())}


def feature_names(operations: Sequence[str], combinations: Sequence[str]) -> tuple[str, ...]:
    """What each entry of `cell_features` means; `a > b` reads "a feeds b".

    Args:
        operations: Names that may occur.
        combinations: Names that may occur.
    """
    return (
        *operations,
        *(f"{source} > {operation}" for source in ("prev", "prev2", "block") for operation in operations),
        *(f"{before} > {after}" for before in operations for after in operations),
        *(f"{one} with {other}" for one, other in combinations_with_replacement(operations, 2)),
        *(f"{operation} > output" for operation in operations),
        *(f"{operation} per path" for operation in operations),
        *(f"{operation} in {combination}" for operation in operations for combination in combinations),
        *combinations,
        *(f"{combination} > output" for combination in combinations),
        *_SHAPE,
    )


def cell_features(rows: Sequence[Row], operations: Sequence[str], combinations: Sequence[str]) -> np.ndarray:
    """Counts of operations, where they sit, what follows what, and the shape of the graph.

    A path leads from one of the two cell inputs to the output; `per path` entries are means over all paths.

    Args:
        rows: Blocks of a cell, in any legal numbering.
        operations: Names that may occur; they fix the layout of the vector.
        combinations: Names that may occur.

    Returns:
        float32 of shape `[len(feature_names(operations, combinations))]`, equal for equal graphs.
    """
    # In plain Python, whose lists are read twice as fast as single entries of arrays. Everything summed is a whole
    # number, so the order of the blocks cannot show in the last bit.
    code = {operation: index for index, operation in enumerate(operations)}
    kinds, signs, number = len(operations), len(combinations), len(rows)
    by_source = [[0] * kinds for _ in range(3)]
    follows, together, within = ([[0] * width for _ in range(kinds)] for width in (kinds, kinds, signs))
    combined, combined_last, to_output = [0] * signs, [0] * signs, [0] * kinds
    depth, uses = [0] * (number + 2), [0] * (number + 2)
    # Over all paths from the cell's inputs to the end of each node: how many, their summed length, operations on them.
    paths, length, passed = [1, 1] + [0] * number, [0] * (number + 2), [[0] * kinds for _ in range(number + 2)]
    coded = [(code[one], code[other]) for _, _, one, other, _ in rows]
    for node, ((*sources, _, _, combination), pair) in enumerate(zip(rows, coded), 2):
        sign = combinations.index(combination)
        combined[sign] += 1
        together[min(pair)][max(pair)] += 1
        for source, operation in zip(sources, pair):
            by_source[min(source, 2)][operation] += 1
            within[operation][sign] += 1
            uses[source] += 1
            depth[node] = max(depth[node], depth[source] + 1)
            paths[node] += paths[source]
            length[node] += length[source] + paths[source]
            passed[node] = [known + more for known, more in zip(passed[node], passed[source])]
            passed[node][operation] += paths[source]
            if source >= 2:
                for before in coded[source - 2]:
                    follows[before][operation] += 1
    ends = [node for node in range(2, number + 2) if not uses[node]]
    for node in ends:
        combined_last[combinations.index(rows[node - 2][4])] += 1
        for last in coded[node - 2]:
            to_output[last] += 1
    total = sum(paths[node] for node in ends)
    return np.array(
        (
            *map(sum, zip(*by_source)),
            *chain.from_iterable(by_source),
            *chain.from_iterable(follows),
            *chain.from_iterable(row[kind:] for kind, row in enumerate(together)),
            *to_output,
            *(sum(counts) / total for counts in zip(*(passed[node] for node in ends))),
            *chain.from_iterable(within),
            *combined,
            *combined_last,
            max(depth),
            sum(depth[2:]) / number,
            len(ends),
            *uses[:2],
            sum(count > 1 for count in uses[2:]),
            max(uses[2:]),
            total,
            sum(length[node] for node in ends) / total,
        ),
        np.float32,
    )


class Cost(NamedTuple):
    """Weights and depth of an operation, a layer or a cell.

    Attributes:
        squares: With C channels it has `squares` C^2 + `singles` C weights.
        singles: See `squares`.
        depths: Convolutions on the longest path, from each of its inputs; below 0 where one is not read.
    """

    squares: int
    singles: int
    depths: tuple[int, ...]

    def weights(self, channels: int) -> int:
        """Its weights with so many channels."""
        return self.squares * channels**2 + self.singles * channels


@cache
def operation_cost(operation: str, repeats: int = 1, stride: int = 1) -> Cost:
    """What an operation of a cell or layer adds; pooling adds nothing.

    Args:
        operation: A name such as `conv3x3`, see `alphaxenas.spaces.micro.MICRO_OPERATIONS`.
        repeats: How often `sepKxK` is applied.
        stride: At 2 an identity is a factorised reduction.
    """
    found = re.fullmatch(r"(conv|sep|dilsep)(\d+)x(\d+)(-.*)?", operation)
    if not found:
        reduces = int(operation == "identity" and stride == 2)
        return Cost(reduces, 0, (reduces,))
    kind, area = found[1], int(found[2]) * int(found[3])
    if kind == "conv":
        times = 2 if found[4] else 1
        return Cost(times * area, 0, (times,))
    times = repeats if kind == "sep" else 1
    return Cost(times, times * area, (2 * times,))


def cell_cost(rows: Sequence[Row], repeats: int = 1, stride: int = 1, joined: bool = False) -> Cost:
    """Weights of a cell, and its longest paths from the previous cell and from the one before it.

    Beside the operations count the 1x1 convolutions over concatenations: within blocks, and over the unused blocks'
    outputs for each cell input that is read.

    Args:
        rows: Blocks of the cell.
        repeats: How often `sepKxK` is applied.
        stride: Of operations that read a cell input.
        joined: Whether unused blocks are joined by one such convolution first, which the cell inputs then read.
    """
    read = {source for row in rows for source in row[:2]}
    inputs, ends = len(read & {0, 1}), sum(number + 2 not in read for number in range(len(rows)))
    squares, singles = ends + inputs if joined else ends * inputs, 0
    # A cell input passes the 1x1 convolution that brings it to the cell's channels.
    depths = [(1, _UNREACHABLE), (_UNREACHABLE, 1)]
    for input1, input2, operation1, operation2, combination in rows:
        first, second = _UNREACHABLE, _UNREACHABLE
        for source, operation in ((input1, operation1), (input2, operation2)):
            more, single, (passed,) = operation_cost(operation, repeats, stride if source < 2 else 1)
            squares, singles = squares + more, singles + single
            first, second = max(first, depths[source][0] + passed), max(second, depths[source][1] + passed)
        joins = int(combination == "concat")
        squares += 2 * joins
        depths.append((first + joins, second + joins))
    longest = (max(each) + joined for each in zip(*depths[2:]))
    return Cost(squares, singles, tuple(longest))


def stack_features(cells: Sequence[tuple[int, Cost]]) -> tuple[float, float]:
    """The values of `SIZE` and `DEPTH` of a network of cells; of its depth the stem counts as one convolution.

    Args:
        cells: For each cell its channels against those of the first, and its cost.
    """
    before, previous = 1, 1
    for _, cost in cells:
        first, second = cost.depths
        before, previous = previous, max(previous + first, before + second)
    return as_features(sum(cost.weights(width * CHANNELS) for width, cost in cells), previous)


def as_features(size: int, depth: int) -> tuple[float, float]:
    """The values of `SIZE` and `DEPTH`.

    Args:
        size: In weights.
        depth: In convolutions.
    """
    return log1p(size), float(depth)

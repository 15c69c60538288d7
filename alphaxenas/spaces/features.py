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
from itertools import combinations_with_replacement
from math import log1p

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
    # Everything summed is a whole number, so the order of the blocks cannot show in the last bit.
    code = {operation: index for index, operation in enumerate(operations)}
    kinds, number = len(operations), len(rows)
    by_source = np.zeros((3, kinds))
    follows = np.zeros((kinds, kinds))
    together = np.zeros((kinds, kinds))
    within = np.zeros((kinds, len(combinations)))
    combined, combined_last = np.zeros(len(combinations)), np.zeros(len(combinations))
    depth, uses = np.zeros(number + 2), np.zeros(number + 2)
    # Over all paths from the cell's inputs to the end of each node: how many, their summed length, operations on them.
    paths, length, passed = np.zeros(number + 2), np.zeros(number + 2), np.zeros((number + 2, kinds))
    paths[:2] = 1.0
    for block, (input1, input2, operation1, operation2, combination) in enumerate(rows):
        node, sign = block + 2, combinations.index(combination)
        combined[sign] += 1
        together[tuple(sorted((code[operation1], code[operation2])))] += 1
        for source, operation in ((input1, code[operation1]), (input2, code[operation2])):
            by_source[min(source, 2), operation] += 1
            within[operation, sign] += 1
            uses[source] += 1
            depth[node] = max(depth[node], depth[source] + 1)
            paths[node] += paths[source]
            length[node] += length[source] + paths[source]
            passed[node] += passed[source]
            passed[node, operation] += paths[source]
            if source >= 2:
                for before in rows[source - 2][2:4]:
                    follows[code[before], operation] += 1
    ends = [node for node in range(2, number + 2) if uses[node] == 0]
    to_output = np.zeros(kinds)
    for node in ends:
        combined_last[combinations.index(rows[node - 2][4])] += 1
        for last in rows[node - 2][2:4]:
            to_output[code[last]] += 1
    total = paths[ends].sum()
    shape = (
        depth.max(),
        depth[2:].mean(),
        len(ends),
        uses[0],
        uses[1],
        np.count_nonzero(uses[2:] > 1),
        uses[2:].max(),
        total,
        length[ends].sum() / total,
    )
    parts: tuple[np.ndarray | tuple, ...] = (
        by_source.sum(axis=0),
        by_source.ravel(),
        follows.ravel(),
        together[np.triu_indices(kinds)],
        to_output,
        passed[ends].sum(axis=0) / total,
        within.ravel(),
        combined,
        combined_last,
        shape,
    )
    return np.concatenate(parts).astype(np.float32)


@cache
def operation_cost(operation: str, channels: int, repeats: int = 1, stride: int = 1) -> tuple[int, int]:
    """What an operation of a cell or layer adds.

    Args:
        operation: A name such as `conv3x3`, see `alphaxenas.spaces.micro.MICRO_OPERATIONS`.
        channels: Of its input and its output.
        repeats: How often `sepKxK` is applied.
        stride: At 2 an identity is a factorised reduction.

    Returns:
        Its weights, and its convolutions one after another; pooling has neither.
    """
    found = re.fullmatch(r"(conv|sep|dilsep)(\d+)x(\d+)(-.*)?", operation)
    if not found:
        return (channels**2, 1) if operation == "identity" and stride == 2 else (0, 0)
    kind, area = found[1], int(found[2]) * int(found[3])
    if kind == "conv":
        times = 2 if found[4] else 1
        return times * area * channels**2, times
    times = repeats if kind == "sep" else 1
    return times * (area * channels + channels**2), 2 * times


def cell_cost(
    rows: Sequence[Row], channels: int, repeats: int = 1, stride: int = 1, joined: bool = False
) -> tuple[int, list[int]]:
    """Weights of a cell, and the convolutions that the longest path through it passes.

    Beside the operations count the 1x1 convolutions over concatenations: within blocks, and over the unused blocks'
    outputs for each cell input that is read.

    Args:
        rows: Blocks of the cell.
        channels: Of the cell.
        repeats: How often `sepKxK` is applied.
        stride: Of operations that read a cell input.
        joined: Whether unused blocks are joined by one such convolution first, which the cell inputs then read.

    Returns:
        The weights, and the longest paths from the previous cell and from the one before it; below 0 where that is not
        read.
    """
    read = {source for row in rows for source in row[:2]}
    inputs, ends = len(read & {0, 1}), sum(number + 2 not in read for number in range(len(rows)))
    size = channels**2 * (ends + inputs if joined else ends * inputs)
    # A cell input passes the 1x1 convolution that brings it to the cell's channels.
    depths = [[1, _UNREACHABLE], [_UNREACHABLE, 1]]
    for input1, input2, operation1, operation2, combination in rows:
        depth = [_UNREACHABLE, _UNREACHABLE]
        for source, operation in ((input1, operation1), (input2, operation2)):
            weights, passed = operation_cost(operation, channels, repeats, stride if source < 2 else 1)
            size += weights
            depth = [max(known, before + passed) for known, before in zip(depth, depths[source])]
        if combination == "concat":
            size, depth = size + 2 * channels**2, [each + 1 for each in depth]
        depths.append(depth)
    return size, [max(each) + joined for each in zip(*depths[2:])]


def stack_depth(steps: Sequence[Sequence[int]]) -> int:
    """Convolutions on the longest path through a stack of cells, the one of the stem included.

    Args:
        steps: For each cell the longest paths from the previous cell and from the one before it.
    """
    before, previous = 1, 1
    for first, second in steps:
        before, previous = previous, max(previous + first, before + second)
    return previous


def as_features(size: int, depth: int) -> tuple[float, float]:
    """The values of `SIZE` and `DEPTH`.

    Args:
        size: In weights.
        depth: In convolutions.
    """
    return log1p(size), float(depth)

"""How large and how deep the network of an architecture is, as far as its structure tells: the free features.

Searches know these two by name (`SIZE` and `DEPTH`), and begin with architectures that are large and deep. Sizes are
numbers of weights, for `CHANNELS` channels before the first reduction, without what is the same for all architectures
of a space or small (normalisation, classifier); as features they are log(1 + size). Depths are convolutions on the
longest path from the image to the classifier, as the proxy `depth` counts them, up to a constant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from math import log1p

from alphaxenas.spaces.notation import Row

SIZE, DEPTH = "log parameters", "longest path by convolution"
CHANNELS = 16
_UNREACHABLE = -1000


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

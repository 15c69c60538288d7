"""Cells of NAS-Bench-101 as numbers for surrogate models: what a cell costs, how deep it is, and which operations
are connected.

Three groups of features, all invariant to the numbering of vertices:

- what flows: parameters, channels by operation, longest and shortest paths counted by operation, and shape;
- pairs: how many edges lead from one kind of vertex to another;
- subtrees: counts of Weisfeiler-Lehman subtrees, that is, of what lies upstream of a vertex up to two edges away. There
  are too many different subtrees to list, so each is hashed to one of `BINS` places (collisions are harmless at these
  sizes).

Channels: the output concatenates the vertices that feed it, which share its channels evenly; every other vertex has as
many as the widest vertex it feeds.

Source: Ying et al. 2019, section 2.2 (channels, projections of the input, three stacks of three cells with 128, 256 and
512 channels); Shervashidze et al. 2011, "Weisfeiler-Lehman graph kernels", and Ru et al. 2021, "Interpretable neural
architecture search via Bayesian optimisation with Weisfeiler-Lehman kernels" (subtrees).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import md5
from math import log

import numpy as np

BINS = 256
"""Places that subtrees are hashed to."""
_STACKS = (128, 256, 512)
_VERTICES = ("input", "conv3x3", "conv1x1", "maxpool3x3", "output")
_PAIRS = tuple((source, target) for source in range(4) for target in range(1, 5))
_COUNTED = ("conv3x3", "convolution", "pool", "vertex")
FLOW = (
    "log parameters",
    "vertices",
    "edges",
    *(f"number of {name}" for name in _VERTICES[1:4]),
    "edges from input",
    "edges to output",
    "input to output",
    "vertices to output",
    *(f"channels of {name}" for name in _VERTICES[1:4]),
    *(f"{extreme} path by {counted}" for extreme in ("longest", "shortest") for counted in _COUNTED),
    "paths",
)
PAIRS = tuple(f"{_VERTICES[source]} > {_VERTICES[target]}" for source, target in _PAIRS)


def structure(operations: Sequence[int], edges: Sequence[tuple[int, int]]) -> np.ndarray:
    """The features of a connected cell.

    Args:
        operations: Code of every inner vertex: 0 conv3x3, 1 conv1x1, 2 maxpool3x3.
        edges: (source, target), each from a lower to a higher vertex.

    Returns:
        float32 of shape `[len(FLOW) + len(PAIRS) + BINS]`.
    """
    last = len(operations) + 1
    kinds = (0, *(code + 1 for code in operations), 4)
    into: list[list[int]] = [[] for _ in range(last + 1)]
    out_of: list[list[int]] = [[] for _ in range(last + 1)]
    pairs = dict.fromkeys(_PAIRS, 0)
    for source, target in edges:
        into[target].append(source)
        out_of[source].append(target)
        pairs[kinds[source], kinds[target]] += 1
    channels = _channels(into, out_of, 1.0)
    paths = [1]
    for vertex in range(1, last + 1):
        paths.append(sum(paths[source] for source in into[vertex]))
    counted = (
        [kind == 1 for kind in kinds],
        [kind in (1, 2) for kind in kinds],
        [kind == 3 for kind in kinds],
        [True] * (last + 1),
    )
    direct = 0 in into[last]
    flow = (
        log(_parameters(kinds, into, out_of)),
        last + 1,
        len(edges),
        *(kinds.count(kind) for kind in (1, 2, 3)),
        len(out_of[0]),
        len(into[last]),
        direct,
        len(into[last]) - direct,
        *(sum(share for share, kind in zip(channels, kinds) if kind == wanted) for wanted in (1, 2, 3)),
        *(_path_length(extreme, weights, into) for extreme in (max, min) for weights in counted),
        paths[last],
    )
    bins = np.zeros(BINS, np.float32)
    for place in _subtrees(kinds, into):
        bins[place] += 1
    return np.concatenate([np.array([*flow, *pairs.values()], np.float32), bins])


def _path_length(extreme: Callable, weights: Sequence[bool], into: Sequence[Sequence[int]]) -> int:
    """The longest or shortest path from input to output, counting the vertices of weight 1."""
    found = [0]
    for vertex in range(1, len(into)):
        found.append(extreme([found[source] for source in into[vertex]]) + weights[vertex])
    return found[-1]


def _subtrees(kinds: Sequence[int], into: Sequence[Sequence[int]]) -> list[int]:
    """Places of every vertex' own kind, of what feeds it, and of what feeds that."""
    labels, places = [str(kind) for kind in kinds], []
    for depth in range(3):
        places += [_place(depth, label) for label in labels]
        labels = [
            f"{label}({','.join(sorted([labels[source] for source in into[vertex]]))})"
            for vertex, label in enumerate(labels)
        ]
    return places


@cache
def _place(depth: int, label: str) -> int:
    return int.from_bytes(md5(f"{depth} {label}".encode()).digest()[:4], "big") % BINS


def _channels(into: Sequence[Sequence[int]], out_of: Sequence[Sequence[int]], width: float) -> list[float]:
    """Channels of every vertex for an output of `width`; rounding is left out."""
    last = len(into) - 1
    share = width / max(sum(source != 0 for source in into[last]), 1)
    channels = [width] * (last + 1)
    for vertex in range(last - 1, 0, -1):
        channels[vertex] = share if last in out_of[vertex] else max(channels[target] for target in out_of[vertex])
    return channels


def _parameters(kinds: Sequence[int], into: Sequence[Sequence[int]], out_of: Sequence[Sequence[int]]) -> float:
    """Trainable parameters of the network of three stacks of three cells, up to rounding of channels."""
    last, total, before = len(kinds) - 1, 0.0, float(_STACKS[0])
    for width in _STACKS:
        channels = _channels(into, out_of, float(width))
        for _ in range(3):
            for vertex in range(1, last):
                own = channels[vertex]
                total += (before * own if 0 in into[vertex] else 0) + {1: 9 * own * own, 2: own * own, 3: 0}[
                    kinds[vertex]
                ]
            total += before * width if 0 in into[last] else 0
            before = float(width)
    return total + 3 * 3 * 3 * _STACKS[0] + _STACKS[-1] * 10

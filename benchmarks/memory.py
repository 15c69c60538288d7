"""Resident memory of one process that meets many different children. Prints JSON last.

    python -m benchmarks.memory [--children 1000] [--size small|default] [--record]

Every child is a random architecture, evaluated as in a search: traced, trained for one step on shared weights, and
predicted. `small` is 4 filters and 2 cells on 8x8 images, `default` 16 filters and 6 cells on 32x32x3. Target: at most
50 MiB more at the end than after the first 50 children.
"""

from __future__ import annotations

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np
import psutil

from alphaxenas.contracts import Budget, Proposal
from alphaxenas.data.images import ImageData, Part
from alphaxenas.evaluators.trained import ChildTraining, TrainedEvaluator
from alphaxenas.networks.cell import CellNetwork
from alphaxenas.networks.training.loop import Recipe
from alphaxenas.spaces import CellSpace
from benchmarks.record import finish, parser

FIRST = 50
TARGET_MIB = 50
CLASSES = 10
SIZES = {
    "small": {"side": 8, "channels": 1, "filters": 4, "cells": 2, "batch_size": 16},
    "default": {"side": 32, "channels": 3, "filters": 16, "cells": 6, "batch_size": 64},
}


def evaluator_of(
    space: CellSpace, side: int, channels: int, filters: int, cells: int, batch_size: int
) -> TrainedEvaluator:
    """An evaluator whose training epoch and validation are one batch of random images each."""
    rng = np.random.default_rng(0)

    def part() -> Part:
        images = rng.integers(0, 256, (batch_size, side, side, channels), np.uint8)
        return Part(images, rng.integers(0, CLASSES, batch_size).astype(np.int32))

    names = tuple(map(str, range(CLASSES)))
    mean, std = np.full(channels, 0.5, np.float32), np.full(channels, 0.25, np.float32)
    data = ImageData("random", part(), part(), part(), mean, std, names, True)

    def build(cell) -> CellNetwork:
        return CellNetwork(cell, CLASSES, filters=filters, cells=cells, reductions=min(2, cells - 1))

    return TrainedEvaluator(space, build, data, Recipe(learning_rate=0.01), ChildTraining(batch_size), seed=0)


def resident_mib() -> float:
    """Resident memory of this process."""
    return psutil.Process().memory_info().rss / 2**20


def measure(children: int, size: str, seed: int) -> dict:
    """Evaluates `children` different random architectures and follows the resident memory."""
    space, rng, seen = CellSpace(), np.random.default_rng(seed), set()
    evaluator = evaluator_of(space, **SIZES[size])
    first, begin, failed, curve = resident_mib(), time.perf_counter(), 0, []
    while len(seen) < children:
        cell = space.sample(rng)
        if space.key(cell) in seen:
            continue
        seen.add(space.key(cell))
        outcome = evaluator.evaluate(Proposal(len(seen) - 1, space.encode(cell), Budget(1)))
        failed += outcome.status != "ok"
        if len(seen) == FIRST:
            first = resident_mib()
        if len(seen) % FIRST == 0:
            curve.append(round(resident_mib(), 1))
            print(f"{len(seen):5d} children: {curve[-1]:7.1f} MiB, {time.perf_counter() - begin:5.0f} s", flush=True)
    last = resident_mib()
    return {
        "size": size,
        **SIZES[size],
        "children": children,
        "failed": failed,
        "mib_after_first_50": round(first, 1),
        "mib_at_the_end": round(last, 1),
        "growth_mib": round(last - first, 1),
        "mib_every_50": curve,
        "seconds": round(time.perf_counter() - begin),
        "target_mib": TARGET_MIB,
        "reached": last - first <= TARGET_MIB,
    }


def main() -> None:
    """Reads the options, measures, prints the result."""
    words = parser(__doc__)
    words.add_argument("--children", type=int, default=1000)
    words.add_argument("--size", choices=SIZES, default="small")
    words.add_argument("--seed", type=int, default=0)
    options, started = words.parse_args(), time.perf_counter()
    if options.children <= FIRST:
        words.error(f"Invalid value for `--children`. Expected more than {FIRST}. Received: {options.children}")
    figures = measure(options.children, options.size, options.seed)
    curve = figures.pop("mib_every_50")
    finish("memory", options.record, started, figures, {"mib_every_50": curve})


if __name__ == "__main__":
    main()

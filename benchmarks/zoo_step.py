"""Training step of a zoo cell's network here and in PyTorch (eager, channels_last), in turn, on the same threads.

    python benchmarks/zoo_step.py [--cell darts_v2] [--precision float32]

Needs PyTorch (`pip install torch==2.13.0`) for the comparison; without it only our own times are printed.
16 filters, 8 cells, batch 64, 32x32x3. Both networks have the same layers and, checked, the same number of parameters.
Besides the times of the clock it measures those of the processor, which other work on the machine disturbs less. Prints
JSON last.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BATCH, SIDE, CLASSES = 64, 32, 10


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--cell", default="darts_v2", help="a name of the zoo, of separable operations and pools")
    arguments.add_argument("--filters", type=int, default=16)
    arguments.add_argument("--cells", type=int, default=8)
    arguments.add_argument("--steps", type=int, default=20, help="timed steps of each; the median counts")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    options = arguments.parse_args()

    import tensorflow as tf

    from alphaxenas.networks.bank import WeightBank
    from alphaxenas.networks.micro import MicroNetwork
    from alphaxenas.networks.training.loop import CompiledChild, Recipe
    from alphaxenas.spaces.zoo import zoo_cell

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    try:
        from torch_zoo import TorchZooChild
    except ImportError:
        TorchZooChild = None
    rng, cell = np.random.default_rng(0), zoo_cell(options.cell)
    images, labels = (
        rng.standard_normal((BATCH, SIDE, SIDE, 3), np.float32),
        rng.integers(0, CLASSES, BATCH).astype(np.int32),
    )
    network = MicroNetwork(cell.architecture, CLASSES, options.filters, options.cells, all_ends=cell.all_ends)
    child = CompiledChild(
        network, WeightBank(0), (SIDE, SIDE, 3), Recipe(weight_decay=3e-4, precision=options.precision)
    )
    x, y = tf.constant(images), tf.constant(labels)

    def step() -> None:
        child.train_step(x, y, 0.01)

    steps = [step]
    if TorchZooChild:
        theirs = TorchZooChild(network, images, labels, options.threads, options.precision)
        if theirs.parameters != child.parameters:
            raise RuntimeError(
                f"The networks differ: {child.parameters:,} parameters here, {theirs.parameters:,} in PyTorch."
            )
        steps.append(theirs.step)
    for each in steps * 2:
        each()
    times = np.array([[_seconds(each) for each in steps] for _ in range(options.steps)])
    medians = 1e3 * np.median(times[..., 0], 0)
    result = {
        "cell": options.cell,
        "filters": options.filters,
        "cells": options.cells,
        "parameters": child.parameters,
        "multiply_adds": child.multiply_adds,
        "precision": options.precision,
        "threads": options.threads,
        "ours_ms_median": float(medians[0]),
    }
    if len(steps) == 2:
        quartiles = np.percentile(times[:, 1] / times[:, 0], (25, 50, 75), axis=0)
        result |= {"pytorch_ms_median": float(medians[1])}
        for number, clock in enumerate(("", "processor_")):
            result |= {
                f"{clock}ratio_median": float(quartiles[1, number]),
                f"{clock}ratio_quartiles": quartiles[::2, number].tolist(),
            }
    print(json.dumps(result))


def _seconds(step) -> tuple[float, float]:
    """Of the clock and of the processor, all threads together."""
    begin, worked = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - begin, time.process_time() - worked


if __name__ == "__main__":
    main()

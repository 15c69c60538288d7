"""Training steps of random children and of a published cell, against what the machine computes in plain products.

    python -m benchmarks.step_time [--children 10] [--cell darts_v2] [--threads 2] [--record]

Random children: 16 filters, 6 cells, 4 blocks, two reductions; the published cell: 16 filters, 8 cells. Batch 64,
images of 32x32x3, float32. A step is a forward and a backward pass and the update; its work is counted as three times
the multiply-adds of the forward pass. The machine's own rate is that of the product of two matrices of side 1,024,
measured between the steps in the same process on the same threads, so that a busy machine slows both. The first step of
a child includes tracing its graph; it is given as a share of one epoch of 13,500 images. Prints JSON last.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks.record import finish, parser

BATCH, SIDE, CLASSES, EPOCH_IMAGES, MATRIX, PRODUCTS = 64, 32, 10, 13_500, 1024, 10


def seconds_of(step: Callable[..., object], *arguments: object) -> float:
    """How long a call takes."""
    begin = time.perf_counter()
    step(*arguments)
    return time.perf_counter() - begin


def main() -> None:
    """Times every network and prints the result."""
    words = parser(__doc__)
    words.add_argument("--children", type=int, default=10, help="random children [%(default)s]")
    words.add_argument("--cell", default="darts_v2", help="a published cell [%(default)s]")
    words.add_argument("--steps", type=int, default=5, help="timed steps of each; the median counts [%(default)s]")
    words.add_argument("--threads", type=int, default=2, help="[%(default)s]")
    words.add_argument("--seed", type=int, default=0, help="[%(default)s]")
    options, started = words.parse_args(), time.perf_counter()

    import tensorflow as tf

    from alphaxenas.networks.bank import WeightBank
    from alphaxenas.networks.cell import CellNetwork
    from alphaxenas.networks.micro import MicroNetwork
    from alphaxenas.networks.training.loop import CompiledChild, Recipe
    from alphaxenas.spaces import CellSpace
    from alphaxenas.spaces.zoo import zoo_cell

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    rng, space, known = np.random.default_rng(options.seed), CellSpace(), zoo_cell(options.cell)
    x = tf.constant(rng.standard_normal((BATCH, SIDE, SIDE, 3), np.float32))
    y = tf.constant(rng.integers(0, CLASSES, BATCH).astype(np.int32))
    matrix = tf.constant(rng.standard_normal((MATRIX, MATRIX), np.float32))

    def product() -> None:
        found = matrix
        for _ in range(PRODUCTS):
            found = tf.linalg.matmul(matrix, found) / MATRIX
        found[0, 0].numpy()

    networks: list = [CellNetwork(space.sample(rng), CLASSES) for _ in range(options.children)]
    networks.append(MicroNetwork(known.architecture, CLASSES, 16, 8, concat_all=known.concat_all))
    values: dict[str, list[float]] = {"step_ms": [], "first_step_share": [], "share_of_machine": []}
    for network in networks:
        begin = time.perf_counter()
        child = CompiledChild(network, WeightBank(0), (SIDE, SIDE, 3), Recipe(learning_rate=0.01))
        step = child.train_step
        step(x, y, 0.01)
        first = time.perf_counter() - begin
        times = np.array([(seconds_of(product), seconds_of(step, x, y, 0.01)) for _ in range(options.steps)])
        seconds, rates = float(np.median(times[:, 1])), times[:, 0] / (PRODUCTS * MATRIX**3)
        share = float(np.median(3 * child.multiply_adds * BATCH / times[:, 1] * rates))
        values["step_ms"].append(round(1e3 * seconds, 1))
        values["first_step_share"].append(round((first - seconds) / (seconds * EPOCH_IMAGES / BATCH), 4))
        values["share_of_machine"].append(round(share, 4))
        print({name: found[-1] for name, found in values.items()}, file=sys.stderr, flush=True)
    figures = {
        "children": options.children,
        "threads": options.threads,
        "cell": options.cell,
        **{f"{name}_median": round(statistics.median(found[:-1]), 4) for name, found in values.items()},
        **{f"known_{name}": found[-1] for name, found in values.items()},
    }
    finish("step_time", options.record, started, figures, values)


if __name__ == "__main__":
    main()

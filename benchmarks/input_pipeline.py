"""Speed of the input pipeline: augmented and plain images a second at CIFAR's size. Prints JSON last.

    python -m benchmarks.input_pipeline [--threads 2] [--seconds 5] [--record]

Target: 20,000 augmented 32x32x3 images a second on two cores at batch 64.
"""

from __future__ import annotations

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np
import tensorflow as tf

from alphaxenas.data.images import Part
from alphaxenas.data.pipeline import Batches
from benchmarks.record import finish, parser

IMAGES = 45_000
TARGET = 20_000


def images_per_second(batches: Batches, seconds: float) -> float:
    """Best of whole epochs within `seconds`, after one warm-up epoch that is not counted."""
    best, epoch, stop = 0.0, 0, 0.0
    while epoch < 2 or time.perf_counter() < stop:
        start = time.perf_counter()
        for images, _ in batches.epoch(seed=0, epoch=epoch):
            pass
        images.numpy()
        if epoch:
            best = max(best, len(batches) / (time.perf_counter() - start))
        else:
            stop = time.perf_counter() + seconds
        epoch += 1
    return best


def main() -> None:
    """Measures the pipeline with all its options and prints the result."""
    words = parser(__doc__)
    words.add_argument("--threads", type=int, default=2)
    words.add_argument("--seconds", type=float, default=5.0, help="for each of the measurements [%(default)s]")
    words.add_argument("--batch-size", type=int, default=64)
    arguments, started = words.parse_args(), time.perf_counter()
    load = os.getloadavg()[0]
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    rng = np.random.default_rng(0)
    part = Part(rng.integers(0, 256, (IMAGES, 32, 32, 3), np.uint8), rng.integers(0, 10, IMAGES).astype(np.int32))
    mean, std = np.full(3, 0.5, np.float32), np.full(3, 0.25, np.float32)
    options = {
        "crop_flip": {"augment": True},
        "crop_flip_cutout": {"augment": True, "cutout": 16},
        "normalise_only": {},
    }
    speeds = {
        name: round(images_per_second(Batches(part, mean, std, arguments.batch_size, **chosen), arguments.seconds))
        for name, chosen in options.items()
    }
    result = {
        "images_per_second": speeds,
        "milliseconds_per_batch": round(1000 * arguments.batch_size / speeds["crop_flip"], 3),
        "batch_size": arguments.batch_size,
        "threads": arguments.threads,
        "load_average_before": round(load, 2),
        "target": TARGET,
        "reached": speeds["crop_flip"] >= TARGET,
    }
    finish("input_pipeline", arguments.record, started, result)


if __name__ == "__main__":
    main()

"""A folder of pictures as data: speed of the first reading, waiting in later epochs, memory. Prints JSON last.

    python -m benchmarks.image_folder [--images 60000] [--folder FOLDER] [--record]

PNG pictures of 56 to 72 pixels are made in FOLDER (by default a temporary one), brought to 64 x 64 when they are first
read, and then trained on from disk. Their pages are dropped from the system's cache before. Targets: 1,500 images a
second on two cores, no waiting in later epochs, less than 2 GiB of memory.
"""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np
from PIL import Image

from benchmarks.record import finish, parser

SIDE, CLASSES, BATCH = 64, 10, 64
SPEED, MEMORY = 1_500, 2 << 30


def make_pictures(folder: Path, count: int) -> int:
    """Writes pictures with soft shapes and some noise, unless just so many are there; bytes of all of them.

    Args:
        folder: Where the folders of the classes go.
        count: How many pictures.
    """
    whole = folder / "whole"
    written = whole.read_text() if whole.exists() else None
    if written != str(count):
        if written is not None:  # others, or not all: without the file they are not of this benchmark
            shutil.rmtree(folder / "images")
        rng = np.random.default_rng(0)
        shapes = [rng.integers(0, 256, (5, 5, 3), np.uint8) for _ in range(500)]

        def write(number: int) -> None:
            own = np.random.default_rng(number)
            size = tuple(int(side) for side in own.integers(SIDE - 8, SIDE + 9, 2))
            soft = np.asarray(Image.fromarray(shapes[number % 500]).resize(size, Image.Resampling.BICUBIC), np.int16)
            place = folder / "images" / f"class{number % CLASSES}"
            noisy = np.clip(soft + own.integers(-6, 7, soft.shape), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(place / f"{number}.png", compress_level=4)

        for label in range(CLASSES):
            (folder / "images" / f"class{label}").mkdir(parents=True, exist_ok=True)
        whole.write_text("")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(write, range(count)))
        whole.write_text(str(count))
    return sum(path.stat().st_size for path in (folder / "images").rglob("*.png"))


def forget(folder: Path) -> None:
    """Drops the files of a folder from the system's page cache, so that they are read from disk."""
    os.sync()
    for path in folder.rglob("*.*"):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def waits(child: Any, batches: Iterator[Any], steps: int) -> tuple[float, float]:
    """Seconds that training waits for batches, and seconds of all.

    Args:
        child: Is trained.
        batches: Of an epoch.
        steps: After so many it ends.
    """
    waited, started = 0.0, time.perf_counter()
    for step in range(steps):
        before = time.perf_counter()
        images, labels = next(batches)
        waited += (time.perf_counter() - before) if step else 0.0  # the first batch has nothing to hide behind
        child.train_step(images, labels, 0.01)
    return waited, time.perf_counter() - started


def main() -> None:
    """Makes, reads and trains on pictures, and prints the result."""
    words = parser(__doc__)
    words.add_argument("--images", type=int, default=60_000)
    words.add_argument("--folder", default="")
    words.add_argument("--steps", type=int, default=150, help="training steps of each of two epochs [%(default)s]")
    arguments, started = words.parse_args(), time.perf_counter()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(arguments.folder or made)
        size = make_pictures(folder, arguments.images)
        forget(folder / "images")
        result = measure(folder, arguments.images, arguments.steps)
    result |= {"bytes": size, "load_average_before": round(load, 2)}
    finish("image_folder", arguments.record, started, result)


def measure(folder: Path, count: int, steps: int) -> dict[str, Any]:
    """Reads the pictures twice and trains on them.

    Args:
        folder: Of `make_pictures`.
        count: How many there are.
        steps: Training steps of each of two epochs.
    """
    from alphaxenas.config import from_values
    from alphaxenas.data import load_data
    from alphaxenas.data.pipeline import Batches
    from alphaxenas.networks.bank import WeightBank
    from alphaxenas.networks.training.loop import CompiledChild
    from alphaxenas.pipelines.factory import final_network, recipe_from_config, search_space

    def load() -> tuple[Any, float, float]:
        begun, used = time.perf_counter(), time.process_time()
        data = load_data("image_folder", folder / "data", images_path=folder / "images", image_size=SIDE)
        return data, time.perf_counter() - begun, time.process_time() - used

    for path in (folder / "data").rglob("about.json"):
        path.unlink()
    data, first, used = load()
    data, second, _ = load()
    config = from_values({"train_cells": 3, "train_filters": 8, "train_reductions": 2, "stem_stride": 2})
    architecture = search_space(config).sample(np.random.default_rng(0))
    network = final_network(config, architecture, data)
    child = CompiledChild(network, WeightBank(0), data.image_shape, recipe_from_config(config, 1))
    batches = Batches.of(data, "train", BATCH, augment=True)
    forget(folder / "data")
    (cold, cold_seconds), (waited, seconds) = (waits(child, batches.epoch(0, epoch), steps) for epoch in range(2))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    return {
        "images": count,
        "images_per_second": round(count / first),
        "images_per_cpu_second": round(count / used),
        "seconds_when_known": round(second, 2),
        "wait_share_from_disk": round(cold / cold_seconds, 4),
        "wait_share_later": round(waited / seconds, 4),
        "milliseconds_per_step": round(1000 * seconds / steps, 1),
        "peak_memory_mib": peak >> 20,
        "reached": {"speed": count / first >= SPEED, "memory": peak < MEMORY, "waiting": waited / seconds < 0.01},
    }


if __name__ == "__main__":
    main()

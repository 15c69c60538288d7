"""Ratings of the pool of `benchmarks.image_truth` with shared weights: one supernet, uniform sampling of paths.

Every step trains one random cell that joins input and output (single path, uniform: Guo et al. 2020). After the last
epoch each cell is rated on the validation images with statistics measured anew for it. The supernet is stored after
every epoch, and the same command goes on with it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from alphaxenas.networks.training.recipe import Recipe
from alphaxenas.runs import Checkpoints
from alphaxenas.seeds import stream, tensor_seed
from alphaxenas.spaces.nasbench.nasbench201 import NONE, PATHS
from benchmarks.image_truth.children import SPACE, network_of, one_thread, pool_data


def rater(options: argparse.Namespace, settings: dict[str, Any]) -> Callable[[str], dict]:
    """Trains the supernet, or goes on with it.

    Args:
        options: `out` and `data_dir` count, and `cells`, over which the seconds of the training are spread.
        settings: Of `benchmarks.image_truth`.

    Returns:
        What rates a cell: reward and seconds, an equal part of the training included.
    """
    one_thread()
    from alphaxenas.data.pipeline import Batches
    from alphaxenas.networks.training.loop import EVALUATION_BATCH
    from alphaxenas.supernet.nasbench import NASBench201Supernetwork
    from alphaxenas.supernet.supernet import Supernet

    data, seed, epochs = pool_data(options.data_dir), settings["seed"], settings["epochs"]
    recipe = Recipe(settings["learning_rate"], weight_decay=settings["weight_decay"])
    network = NASBench201Supernetwork(lambda cell: network_of(cell, data.num_classes))
    supernet = Supernet(network, data.image_shape, recipe, seed)
    training = Batches.of(data, "train", settings["batch_size"])
    validation = Batches.of(data, "validation", EVALUATION_BATCH)
    checkpoints, space = Checkpoints(Path(options.out) / "supernet"), SPACE
    begun, spent = 0, 0.0
    if (stored := checkpoints.load()) is not None:
        begun, state = stored
        supernet.restore(state["supernet"])
        spent = float(state["seconds"])
    for epoch in range(begun, epochs):
        begin, rng = time.process_time(), stream(seed, "image_shared", epoch)
        steps = training.steps()
        for step, (images, labels) in enumerate(training.epoch(seed, epoch)):
            cell = space.sample(rng)
            while not any(NONE not in [space.encode(cell)[edge] for edge in path] for path in PATHS):
                cell = space.sample(rng)
            progress = (epoch + step / steps) / epochs
            supernet.train_step(
                cell, images, labels, recipe.rate_at(progress), progress, tensor_seed(seed, epoch, step)
            )
        spent += time.process_time() - begin
        checkpoints.save(epoch + 1, {"supernet": supernet.state(), "seconds": spent})

    def rated(code: str) -> dict:
        begin = time.process_time()
        calibration = list(islice(training.epoch(seed, 0, augment=False), settings["calibration"]))
        reward = supernet.accuracy(space.parse(code), calibration, validation.in_order())
        seconds = time.process_time() - begin + spent / options.cells
        return {"reward": round(reward, 6), "seconds": round(seconds, 3), "training": round(spent, 1)}

    return rated

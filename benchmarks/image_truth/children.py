"""The children of `benchmarks.image_truth`: small images, small networks, trained from scratch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from alphaxenas.spaces.nasbench.nasbench201 import NASBench201

if TYPE_CHECKING:
    from alphaxenas.contracts import Evaluator
    from alphaxenas.data.images import ImageData

SPACE = NASBench201()
BUDGETS = {"low": (1, 0.2), "high": (3, 0.25)}
"""Epochs, and the share of the 46,000 training images drawn for each."""
SETTINGS = {
    "format": 1,
    "dataset": "cifar10",
    "validation_size": 4_000,
    "side": 16,
    "filters": 8,
    "cells": 3,
    "batch_size": 64,
    "learning_rate": 0.1,
    "weight_decay": 5e-4,
    "augment": False,
    "budgets": {name: list(budget) for name, budget in BUDGETS.items()},
    "seed": 0,
}
"""Of every training: what a pilot on other cells could pay for. The first line of every journal."""
DEEP = {**SETTINGS, "cells": 9}
"""Of `deepen` and `real`: as deep as half an hour pays for. The best cells pass their input on to their output, and
only deep networks need that: among trainings of one cell a stage they do not stand out."""
LONG = (12, 0.25)
"""The budget of promoted children of `real`."""


def pool_data(data_dir: str) -> ImageData:
    """CIFAR-10 as the pool is trained on it: halved images, no test part."""
    from alphaxenas.data import load_data
    from benchmarks.chain_table import halved

    return halved(
        load_data(SETTINGS["dataset"], data_dir, validation_size=SETTINGS["validation_size"], seed=SETTINGS["seed"])
    )


def one_thread() -> None:
    """TensorFlow on one thread, without its greetings."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from alphaxenas.networks.devices import prepare_tensorflow

    prepare_tensorflow(1, True)


def network_of(cell: object, num_classes: int, settings: Mapping[str, Any] = SETTINGS) -> Callable:
    """The network of a cell, by default as the pool trains it."""
    from alphaxenas.networks.nasbench.nasbench201 import NASBench201Network

    return NASBench201Network(cell, num_classes, settings["filters"], settings["cells"])


def evaluator_of(data: ImageData, seed: int, settings: Mapping[str, Any] = SETTINGS) -> Evaluator:
    """What trains a cell from scratch.

    Args:
        data: Halved images.
        seed: Of initial weights and draws.
        settings: Of the training.
    """
    from alphaxenas.evaluators.trained import ChildTraining, TrainedEvaluator
    from alphaxenas.networks.training.recipe import Recipe

    return TrainedEvaluator(
        SPACE,
        lambda cell: network_of(cell, data.num_classes, settings),
        data,
        Recipe(settings["learning_rate"], weight_decay=settings["weight_decay"]),
        ChildTraining(settings["batch_size"], share_weights=False, augment=settings["augment"]),
        seed,
    )

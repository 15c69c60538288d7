"""Epoch after epoch of a child's training, with validation, patience and a record of each."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable

from alphaxenas.data.pipeline import Batches
from alphaxenas.networks.training.loop import CompiledChild
from alphaxenas.seeds import derived_seed

MEASURED_STEPS = 3
"""The first of them traces the graph."""
OPERATIONS = 6
"""Of a training image, for every multiply-add: two in the forward pass, and twice as many for the gradients."""


def fit(
    child: CompiledChild,
    training: Batches,
    validation: Batches,
    epochs: int,
    seed: int,
    *,
    fraction: float = 1.0,
    rng_stream: tuple[object, ...] = (),
    patience: int = 0,
    validate_every: int = 0,
    history: list[dict[str, float]] | None = None,
    after_epoch: Callable[[list[dict[str, float]]], None] | None = None,
) -> list[dict[str, float]]:
    """Trains a child for a number of epochs.

    Args:
        child: The child; its weights move in place.
        training: Batches of the training part.
        validation: Batches of the validation part.
        epochs: How many in all; the schedule ends with the last.
        seed: The run's seed.
        fraction: Share of the training images drawn for every epoch.
        rng_stream: Names that set this training's random draws apart from others of the run.
        patience: Stop after so many validated epochs without a better validation accuracy; 0 = never.
        validate_every: Validate after so many epochs, and always after the last; 0 = after the last only.
        history: Records of the epochs that are over, when a training is continued.
        after_epoch: Called with all records after every epoch, for checkpoints and logs.

    Returns:
        One record an epoch: `epoch`, `loss`, `train_accuracy`, `images`, `learning_rate`, and `validation_accuracy`
        where it was measured.

    Raises:
        DivergedError: The loss is not finite.
    """
    history = list(history or [])
    if not history:
        child.prepare(training.in_order())
    while len(history) < epochs and not _out_of_patience(history, patience):
        epoch = len(history)
        result = child.train_epoch(
            training.epoch(seed, epoch, fraction, rng_stream),
            training.steps(fraction),
            epoch / epochs,
            (epoch + 1) / epochs,
            derived_seed(seed, "drop", *rng_stream, epoch),
        )
        record = {
            "epoch": epoch + 1,
            "loss": result.loss,
            "train_accuracy": result.accuracy,
            "images": result.images,
            "learning_rate": result.learning_rate,
        }
        if epoch + 1 == epochs or (validate_every and (epoch + 1) % validate_every == 0):
            record["validation_accuracy"] = child.accuracy(validation.in_order())
        history.append(record)
        if after_epoch:
            after_epoch(history)
    return history


def affordable(teraflops: float, multiply_adds: int, training: Batches, most_epochs: int = 100) -> tuple[int, float]:
    """How long a network is trained for an amount of work, so that networks are compared at one price.

    An epoch has whole batches alone: what is compiled for their size then serves all steps and all networks of a
    search.

    Args:
        teraflops: Work in 10^12 floating-point operations, > 0. An image costs `OPERATIONS` for every multiply-add.
        multiply_adds: Of one image's forward pass.
        training: Batches of the training part.
        most_epochs: Of a training that would be longer.

    Returns:
        Epochs, and the share of the images in each.
    """
    images = teraflops * 1e12 / (OPERATIONS * multiply_adds)
    epochs = min(max(1, math.ceil(images / len(training))), most_epochs)
    most = max(1, len(training) // training.batch_size)
    batches = min(max(1, round(images / (epochs * training.batch_size))), most)
    return epochs, min(1.0, batches * training.batch_size / len(training))


def seconds_of_step(child: CompiledChild, training: Batches, seed: int) -> float:
    """How long a training step takes, on the first batches; the child stays as it is.

    Args:
        child: Of any state; its graph is traced here where it was not before.
        training: Batches of the training part.
        seed: The run's seed.
    """
    state, taken = child.state(), []
    child.prepare(training.in_order())
    for images, labels in itertools.islice(training.epoch(seed, 0), MEASURED_STEPS):
        begin = time.monotonic()
        child.train_step(images, labels, 0.0)
        taken.append(time.monotonic() - begin)
    child.restore(state)
    return min(taken)


def _out_of_patience(history: list[dict[str, float]], patience: int) -> bool:
    accuracies = [record["validation_accuracy"] for record in history if "validation_accuracy" in record]
    return bool(patience) and len(accuracies) > patience and max(accuracies[-patience:]) <= max(accuracies[:-patience])

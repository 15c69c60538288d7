"""Small networks, batches and shortcuts for the tests of children."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from alphaxenas.networks.bank import WeightBank
from alphaxenas.networks.cell import CellNetwork
from alphaxenas.networks.layers import Layers
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.training.loop import CompiledChild, Recipe
from alphaxenas.spaces.cell import Cell

CLASSES = 3
SHAPE = (8, 8, 1)

PLAIN = Recipe(learning_rate=0.1, weight_decay=0.0, gradient_clip=0.0)
"""Nesterov momentum and nothing else."""

SMALL = Cell.parse("prev:conv3x3 + prev2:identity")
MIXED = Cell.parse("prev:conv1x1 | prev2:sep3x3; b0:maxpool3x3 + prev:avgpool3x3")
EVERYTHING = Cell.parse(
    "prev:conv1x1 + prev2:conv3x3; b0:conv5x5 | prev:conv7x7; prev:sep3x3 + b0:sep5x5; "
    "b1:sep7x7 + prev2:identity; b2:maxpool3x3 | b0:avgpool3x3"
)


def network_of(cell: Cell = SMALL, **options) -> CellNetwork:
    """Two filters, two cells, one reduction, unless told otherwise."""
    return CellNetwork(cell, CLASSES, **{"filters": 2, "cells": 2, "reductions": 1, **options})


def child_of(network, bank: WeightBank | None = None, recipe: Recipe = PLAIN, shape=SHAPE) -> CompiledChild:
    return CompiledChild(network, WeightBank(0) if bank is None else bank, shape, recipe)


def batch_of(images: int = 6, shape=SHAPE, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
    """Random images, every class among the labels."""
    rng = np.random.default_rng(seed)
    pixels = rng.standard_normal((images, *shape)).astype(np.float32)
    return tf.constant(pixels), tf.constant(np.arange(images, dtype=np.int32) % CLASSES)


def weights_of(child: CompiledChild) -> dict[str, np.ndarray]:
    """Present weights and statistics by name."""
    return child.arrays()


def layers_of(
    network, shape=SHAPE, training: bool = False, seed: int = 0, progress: float = 1.0, bank: WeightBank | None = None
) -> Layers:
    """Layers over a bank's arrays, computing at once."""
    outline, bank = outline_of(network, shape, training), bank or WeightBank(0)
    arrays = {}
    for part, specs in (("weights", outline.weights), ("statistics", outline.statistics)):
        flat, start = bank.take(part, specs), 0
        for name, spec in specs.items():
            arrays[name] = tf.constant(flat[start : start + spec.size].reshape(spec.shape))
            start += spec.size
    return Layers(arrays, arrays, training, "float32", tf.constant([seed, 0], tf.int32), tf.constant(progress))


def snapshot(bank: WeightBank) -> dict[str, bytes]:
    """Everything in a bank, comparable bit for bit."""
    return {f"{part}:{name}": array.tobytes() for part in bank.PARTS for name, array in bank[part].items()}

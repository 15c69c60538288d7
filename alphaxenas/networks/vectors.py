"""Arrays of a child as pieces of one flat vector; see `training.CompiledChild` for why."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from alphaxenas.networks.bank import ArraySpec


def vector(values: np.ndarray) -> tf.Variable:
    """A variable that holds a flat vector."""
    # TensorFlow keeps some 70 KiB for ever for every variable shape that it meets: to it, all vectors have the same.
    return tf.Variable(values, shape=[None], aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)


def total(specs: Mapping[str, ArraySpec]) -> int:
    """Number of values of all arrays together."""
    return sum(spec.size for spec in specs.values())


def read(variable: tf.Variable, specs: Mapping[str, ArraySpec]) -> tf.Tensor:
    """The present values of a vector of these arrays, with its length known."""
    values = variable.read_value()
    values.set_shape([total(specs)])
    return values


def pieces(flat: tf.Tensor, specs: Mapping[str, ArraySpec]) -> dict[str, tf.Tensor]:
    """The arrays in a flat vector, by name."""
    parts = tf.split(flat, [spec.size for spec in specs.values()]) if specs else []
    return {
        name: part if len(spec.shape) == 1 else tf.reshape(part, spec.shape)
        for (name, spec), part in zip(specs.items(), parts)
    }

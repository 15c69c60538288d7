"""Arrays of a child as pieces of one flat vector; see `training.CompiledChild` for why."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from alphaxenas.networks.bank import ArraySpec


def vector(values: np.ndarray) -> tf.Variable:
    """A variable that holds a flat vector."""
    # TensorFlow leaks about 70 KiB per distinct variable shape, so every vector is declared with shape [None].
    return tf.Variable(values, shape=[None], aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)


def total(specs: Mapping[str, ArraySpec]) -> int:
    """Number of values of all arrays together."""
    return sum(spec.size for spec in specs.values())


def read(variable: tf.Variable, specs: Mapping[str, ArraySpec]) -> tf.Tensor:
    """The present values of a vector, with its length known.

    Args:
        variable: As `vector` makes it.
        specs: Arrays that it holds.

    Returns:
        Float32 `[total(specs)]`.
    """
    values = variable.read_value()
    values.set_shape([total(specs)])
    return values


def pieces(flat: tf.Tensor, specs: Mapping[str, ArraySpec]) -> dict[str, tf.Tensor]:
    """The arrays in a flat vector.

    Args:
        flat: `[total(specs)]`.
        specs: Arrays by name, in the vector's order.

    Returns:
        Name to tensor.
    """
    parts = tf.split(flat, [spec.size for spec in specs.values()]) if specs else []
    return {
        name: part if len(spec.shape) == 1 else tf.reshape(part, spec.shape)
        for (name, spec), part in zip(specs.items(), parts)
    }

"""The path of an architecture, and results of nodes, of which a choice picks one: over tensors and over shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from alphaxenas.networks.outline import Shaped


@dataclass(frozen=True)
class Path:
    """One architecture for the graph of all.

    Attributes:
        choices: int32, in the order of the walk.
        indices: int32: where the path's weights lie in the vector of all; kernels, then matrices, then vectors.
        decayed: How many of them, from the front, have weight decay.
        sizes: By group: int32 `[places]`, how many values each place of the graph receives.
    """

    choices: np.ndarray
    indices: np.ndarray
    decayed: int
    sizes: Mapping[str, np.ndarray]


class ChoiceArray:
    """Tensors of one shape, of which a choice picks one without copying the others or filling their gradients with
    zeros.

    Args:
        x: Has the shape of them all.
    """

    def __init__(self, x: tf.Tensor) -> None:
        self._shape, self._count = x.shape, 0
        self._array = tf.TensorArray(x.dtype, 0, dynamic_size=True, clear_after_read=False, element_shape=x.shape)

    def append(self, x: tf.Tensor) -> None:
        """Adds a tensor."""
        self._array = self._array.write(self._count, x)
        self._count += 1

    def pick(self, index: tf.Tensor) -> tf.Tensor:
        """The tensor at an index, clipped to those that are there."""
        x = self._array.read(tf.clip_by_value(index, 0, self._count - 1))
        x.set_shape(self._shape)
        return x


class ChoiceShapes:
    """As `ChoiceArray`, over shapes."""

    def __init__(self, x: Shaped) -> None:
        self._x = x

    def append(self, x: Shaped) -> None:
        """As `ChoiceArray.append`."""

    def pick(self, index: None) -> Shaped:
        """As `ChoiceArray.pick`."""
        return self._x

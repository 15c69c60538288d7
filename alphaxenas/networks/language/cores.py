"""What turns embedded words into hidden states: a searched cell, any cell of a space with shared weights, or LSTMs.

A core has named weights, a state that is carried from window to window, and `run`. The language model around it is the
same for all (`alphaxenas.networks.language.model`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from alphaxenas.networks.language.lstm import lstm_layer
from alphaxenas.networks.language.recurrence import recurrence
from alphaxenas.networks.language.shared_recurrence import CellTensors, shared_recurrence
from alphaxenas.spaces.recurrent import ACTIVATIONS, RecurrentCell

Weights = Mapping[str, Any]
State = tuple[tf.Tensor, ...]


@dataclass(frozen=True)
class Dropout:
    """Masks of one window; each holds 0 or 1 / (1 - rate), and is the same at every step.

    Attributes:
        state: `[masks, batch, units]`, as many as the core asks for: of the states that are multiplied with weights;
            for LSTMs one for every gap between two layers.
        weights: Rate at which single recurrent weights of an LSTM are left out (Merity et al. 2018), and its seed.
    """

    state: tf.Tensor
    weights: tuple[float, tf.Tensor]


class Core(Protocol):
    """The recurrent part of a language model."""

    @property
    def units(self) -> int:
        """Numbers in a state, and in the embedding of a word."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every weight, by name."""

    @property
    def states(self) -> int:
        """Arrays `[batch, units]` that are carried from window to window."""

    @property
    def masks(self) -> int:
        """Masks of state dropout that a window needs."""

    @property
    def signature(self) -> Any:
        """Specs of what `run` is told about the cell; an empty tuple where that is fixed."""

    def run(self, weights: Weights, inputs: tf.Tensor, state: State, dropout: Dropout, cell: Any) -> tuple[Any, State]:
        """Hidden states of a window.

        Args:
            weights: By name, of `shapes`.
            inputs: `[time, batch, units]`: embedded words.
            state: Of the core before the window, `[batch, units]` each.
            dropout: Masks of the window.
            cell: What `signature` specifies.

        Returns:
            Hidden states `[time, batch, units]`, and the state after the window.
        """


def _products(inputs: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Of all inputs of a window with a weight matrix, as one product."""
    shape = tf.shape(inputs)
    flat = tf.matmul(tf.reshape(inputs, (-1, inputs.shape[-1])), weights)
    return tf.reshape(flat, (shape[0], shape[1], weights.shape[-1]))


@dataclass(frozen=True)
class CellCore:
    """One recurrent cell.

    Attributes:
        cell: The cell.
        units: Numbers in a state, and in the embedding of a word.
    """

    cell: RecurrentCell
    units: int
    states: int = 1
    masks: int = 1
    signature: tuple[()] = ()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every weight, by name."""
        u = self.units
        return {"input": (u, 2 * u), "first": (u, 2 * u), "nodes": (len(self.cell.nodes), u, 2 * u)}

    def run(self, weights: Weights, inputs: tf.Tensor, state: State, dropout: Dropout, cell: Any) -> tuple[Any, State]:
        """See `Core.run`."""
        entering = _products(inputs, weights["input"])
        hidden = recurrence(self.cell, entering, state[0], weights["first"], weights["nodes"], dropout.state[0])
        return hidden, (hidden[-1],)


@dataclass(frozen=True)
class SharedCellCore:
    """Every cell of a space, with one weight matrix for each node, input and activation (Pham et al. 2018).

    Attributes:
        nodes: Nodes of the cells.
        units: Numbers in a state.
    """

    nodes: int
    units: int
    states: int = 1
    masks: int = 1

    @property
    def signature(self) -> Any:
        """A cell's tensors and the rows of its weights."""
        return (
            CellTensors(
                tf.TensorSpec((self.nodes,), tf.int32),
                tf.TensorSpec((self.nodes + 1, len(ACTIVATIONS)), tf.float32),
                tf.TensorSpec((self.nodes,), tf.float32),
            ),
            tf.TensorSpec((self.nodes,), tf.int32),
        )

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every weight, by name."""
        u, rows = self.units, self.nodes * (self.nodes + 1) // 2 * len(ACTIVATIONS)
        return {"input": (u, 2 * u), "first": (u, 2 * u), "nodes": (rows, u, 2 * u)}

    def describe(self, cell: RecurrentCell) -> tuple[CellTensors, np.ndarray]:
        """What `run` is told about a cell."""
        rows = [
            (number * (number + 1) // 2 + node.input) * len(ACTIVATIONS) + ACTIVATIONS.index(node.activation)
            for number, node in enumerate(cell.nodes)
        ]
        return CellTensors.of(cell), np.array(rows, np.int32)

    def run(self, weights: Weights, inputs: tf.Tensor, state: State, dropout: Dropout, cell: Any) -> tuple[Any, State]:
        """See `Core.run`."""
        tensors, rows = cell
        entering, own = _products(inputs, weights["input"]), tf.gather(weights["nodes"], rows)
        own.set_shape((self.nodes, self.units, 2 * self.units))
        hidden = shared_recurrence(tensors, entering, state[0], weights["first"], own, dropout.state[0])
        return hidden, (hidden[-1],)


@dataclass(frozen=True)
class LSTMCore:
    """Layers of LSTMs, with dropout between them and of single recurrent weights (Merity et al. 2018, section 2).

    Attributes:
        layers: How many.
        units: Numbers in a state, and in the embedding of a word.
    """

    layers: int
    units: int
    signature: tuple[()] = ()

    @property
    def states(self) -> int:
        """Hidden state and memory of every layer."""
        return 2 * self.layers

    @property
    def masks(self) -> int:
        """One for every gap between two layers."""
        return self.layers - 1

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every weight, by name."""
        u = self.units
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.layers):
            shapes |= {f"input{layer}": (u, 4 * u), f"recurrent{layer}": (u, 4 * u), f"bias{layer}": (4 * u,)}
        return shapes

    def run(self, weights: Weights, inputs: tf.Tensor, state: State, dropout: Dropout, cell: Any) -> tuple[Any, State]:
        """See `Core.run`."""
        after: list[tf.Tensor] = []
        rate, seed = dropout.weights
        for layer in range(self.layers):
            recurrent = weights[f"recurrent{layer}"]
            if rate:
                keep = tf.random.stateless_uniform(tf.shape(recurrent), seed + layer) >= rate
                recurrent = recurrent * tf.cast(keep, recurrent.dtype) / (1.0 - rate)
            entering = _products(inputs, weights[f"input{layer}"]) + weights[f"bias{layer}"]
            hidden, memory = lstm_layer(entering, state[2 * layer], state[2 * layer + 1], recurrent)
            after += [hidden[-1], memory[-1]]
            inputs = hidden * dropout.state[layer] if layer + 1 < self.layers else hidden
        return inputs, tuple(after)

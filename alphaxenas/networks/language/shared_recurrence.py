"""The same loop over time for any cell of a space: the cell is an input of the graph, so one graph serves a search.

`alphaxenas.networks.language.recurrence` traces a graph for one cell and groups its nodes by depth; here nodes are
computed one after the other, each gathers the state that it reads, and its activation is a weighted sum with one weight
that is 1. Both compute the same function (tested).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from alphaxenas.networks.language.over_time import in_parts, over_time, weight_gradient
from alphaxenas.spaces.recurrent import ACTIVATIONS, RecurrentCell


class CellTensors(NamedTuple):
    """A cell as inputs of a graph.

    Attributes:
        inputs: int32 `[nodes]`: the state that each node reads.
        activations: float32 `[1 + nodes, 4]`: one-hot over `ACTIVATIONS`, s0 first.
        outputs: float32 `[nodes]`: weight of each node in the hidden state.
    """

    inputs: Any
    activations: Any
    outputs: Any

    @classmethod
    def of(cls, cell: RecurrentCell) -> CellTensors:
        """The arrays of a cell."""
        codes = [ACTIVATIONS.index(name) for name in cell.activations]
        outputs = np.zeros(len(cell.nodes), np.float32)
        outputs[np.array(cell.output_nodes) - 1] = 1.0 / len(cell.output_nodes)
        return cls(np.array(cell.inputs, np.int32), np.eye(len(ACTIVATIONS), dtype=np.float32)[codes], outputs)


def _activate(choice: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    return (
        choice[0] * tf.tanh(value) + choice[1] * tf.nn.relu(value) + choice[2] * tf.sigmoid(value) + choice[3] * value
    )


def _derivative(choice: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    positive = tf.cast(value > 0.0, value.dtype)
    return choice[0] * (1 - value**2) + choice[1] * positive + choice[2] * value * (1 - value) + choice[3]


def shared_recurrence(
    cell: CellTensors, inputs: tf.Tensor, state: tf.Tensor, first: tf.Tensor, weights: tf.Tensor, mask: tf.Tensor
) -> tf.Tensor:
    """Hidden states of a window of text; arguments and result as of `recurrence`, but for the cell.

    Args:
        cell: The cell's tensors.
        inputs: `[time, batch, 2 units]`.
        state: `[batch, units]`.
        first: `[units, 2 units]`.
        weights: `[nodes, units, 2 units]`: those of this cell, gathered from the shared ones.
        mask: `[batch, units]`.

    Returns:
        `[time, batch, units]`.
    """
    nodes = weights.shape[0]
    reads, choices, outputs = (tf.convert_to_tensor(part) for part in cell)
    choices, outputs = tf.cast(choices, inputs.dtype), tf.cast(outputs, inputs.dtype)

    @tf.custom_gradient
    def run(inputs: tf.Tensor, state: tf.Tensor, mask: tf.Tensor, first: tf.Tensor, weights: tf.Tensor) -> Any:
        def step(time: tf.Tensor, hidden: tf.Tensor) -> Any:
            states, gates, values = [hidden], [], []
            product, before = inputs[time] + tf.matmul(hidden * mask, first), hidden
            for node in range(nodes + 1):
                if node:
                    before = tf.gather(tf.stack(states[1:]), reads[node - 1])
                    product = tf.matmul(before * mask, weights[node - 1])
                gate, value = tf.split(product, 2, -1)
                gates.append(tf.sigmoid(gate))
                values.append(_activate(choices[node], value))
                states.append(before + gates[-1] * (values[-1] - before))
            stacked = tf.stack(states)
            new = tf.tensordot(outputs, stacked[2:], 1)
            return (new,), (stacked, tf.stack(gates), tf.stack(values), new)

        _, (states, gates, values, hidden) = over_time(step, (state,), inputs, 4)

        def gradient(upstream: tf.Tensor) -> Any:
            def back(time: tf.Tensor, carried: tf.Tensor) -> Any:
                here, gate, value = states.read(time), gates.read(time), values.read(time)
                errors = tf.pad(outputs, [[1, 0]])[:, None, None] * (upstream[time] + carried)
                products: list[tf.Tensor] = []

                def through(node: int, before: tf.Tensor) -> tf.Tensor:
                    """The way back through a highway connection; adds the errors of its product."""
                    to_value = errors[node] * gate[node]
                    to_gate = to_value * (value[node] - before) * (1.0 - gate[node])
                    products.insert(0, tf.concat([to_gate, to_value * _derivative(choices[node], value[node])], -1))
                    return errors[node] - to_value

                for node in range(nodes, 0, -1):
                    source = reads[node - 1]
                    direct = through(node, here[1 + source])
                    passed = direct + tf.matmul(products[0], weights[node - 1], transpose_b=True) * mask
                    errors += tf.one_hot(source, nodes + 1, dtype=errors.dtype)[:, None, None] * passed
                direct = through(0, here[0])
                before = direct + tf.matmul(products[0], first, transpose_b=True) * mask
                return (before,), [tf.stack(products)]

            (to_state,), (stored,) = over_time(back, (tf.zeros_like(state),), inputs, 1, backwards=True)
            products = tf.unstack(stored.stack(), nodes + 1, 1)
            read = tf.gather(states.stack(), tf.concat([[0], 1 + reads], 0), axis=1) * mask
            by_node = list(map(weight_gradient, tf.unstack(read, nodes + 1, 1), products))
            return products[0], to_state, None, by_node[0], tf.stack(by_node[1:])

        return hidden.stack(), gradient

    return in_parts(lambda *part: run(*part, first, weights), inputs, state, mask)

"""The loop over time of a recurrent cell, forward and backward, as one graph.

What does not depend on the state before is computed for a whole window of text at once: the products of the inputs
before the loop, the gradients of all weights after it. The loop itself holds only the products with the states, one
batched product for all nodes of equal depth in the cell's tree.

Backpropagation is written out because TensorFlow's gradient of a loop adds up the gradient of every weight matrix in
every step; here one product over the window gives it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from alphaxenas.networks.language.over_time import over_time
from alphaxenas.spaces.recurrent import RecurrentCell

_FUNCTIONS = {"tanh": tf.tanh, "relu": tf.nn.relu, "sigmoid": tf.sigmoid, "identity": tf.identity}
_DERIVATIVES = {  # of the activation, as a function of its value
    "tanh": lambda value: 1.0 - value * value,
    "relu": lambda value: tf.cast(value > 0.0, value.dtype),
    "sigmoid": lambda value: value * (1.0 - value),
    "identity": tf.ones_like,
}


@dataclass(frozen=True)
class _Level:
    """The nodes of one depth, those with equal activations side by side.

    Attributes:
        nodes: Their numbers, from 1.
        inputs: State that each reads.
        runs: Activation and number of nodes of each run of equal activations.
    """

    nodes: tuple[int, ...]
    inputs: tuple[int, ...]
    runs: tuple[tuple[str, int], ...]

    def split(self, values: tf.Tensor) -> list[tf.Tensor]:
        return [values] if len(self.runs) == 1 else tf.split(values, [count for _, count in self.runs])

    def apply(self, functions: Any, values: tf.Tensor) -> tf.Tensor:
        """The function of each run's activation on its nodes' values `[nodes, ...]`."""
        parts = [functions[name](part) for (name, _), part in zip(self.runs, self.split(values))]
        return parts[0] if len(parts) == 1 else tf.concat(parts, 0)


def _levels(cell: RecurrentCell) -> list[_Level]:
    found, depths = [], cell.depths
    for depth in range(1, max(depths) + 1):
        nodes = [number for number in range(1, len(depths)) if depths[number] == depth]
        nodes.sort(key=lambda number: (cell.activations[number], number))
        names = [cell.activations[number] for number in nodes]
        runs = tuple((name, names.count(name)) for name in dict.fromkeys(names))
        found.append(_Level(tuple(nodes), tuple(cell.inputs[number - 1] for number in nodes), runs))
    return found


def recurrence(
    cell: RecurrentCell, inputs: tf.Tensor, state: tf.Tensor, first: tf.Tensor, weights: tf.Tensor, mask: tf.Tensor
) -> tf.Tensor:
    """Hidden states of a window of text.

    Args:
        cell: Which node reads which state, with which activation.
        inputs: `[time, batch, 2 units]`: the products of the inputs with their weights.
        state: `[batch, units]`: the hidden state before the window.
        first: `[units, 2 units]`: weights from the previous hidden state to s0.
        weights: `[nodes, units, 2 units]`: weights of nodes 1, 2, ...
        mask: `[batch, units]`: variational dropout of every state that is multiplied with weights; ones for none. No
            gradient flows into it.

    Returns:
        `[time, batch, units]`: the hidden state after every step.

    Source: Gal and Ghahramani 2016, section 4 (one mask for all steps); equations of `alphaxenas.spaces.recurrent`.
    """
    return _differentiable(cell)(inputs, state, first, weights, mask)


def _differentiable(cell: RecurrentCell) -> Any:
    levels, outputs, nodes = _levels(cell), cell.output_nodes, len(cell.nodes)
    order = [node for level in levels for node in level.nodes]
    place = {0: 0} | {node: 1 + index for index, node in enumerate(order)}

    @tf.custom_gradient
    def run(inputs: tf.Tensor, state: tf.Tensor, first: tf.Tensor, weights: tf.Tensor, mask: tf.Tensor) -> Any:
        grouped = [tf.gather(weights, [node - 1 for node in level.nodes]) for level in levels]

        def step(time: tf.Tensor, hidden: tf.Tensor) -> Any:
            states: dict[int, tf.Tensor] = {}
            gate, value = tf.split(inputs[time] + tf.matmul(hidden * mask, first), 2, -1)
            gate, value = tf.sigmoid(gate), _FUNCTIONS[cell.first](value)
            states[0] = hidden + gate * (value - hidden)
            gates, values = [gate[None]], [value[None]]
            for level, matrix in zip(levels, grouped):
                before = tf.stack([states[source] for source in level.inputs])
                gate, value = tf.split(tf.matmul(before * mask, matrix), 2, -1)
                gate, value = tf.sigmoid(gate), level.apply(_FUNCTIONS, value)
                after = before + gate * (value - before)
                states |= dict(zip(level.nodes, tf.unstack(after, len(level.nodes))))
                gates.append(gate)
                values.append(value)
            new = tf.add_n([states[node] for node in outputs]) / len(outputs)
            stored = (
                tf.stack([hidden, *(states[node] for node in (0, *order))]),
                tf.concat(gates, 0),
                tf.concat(values, 0),
                new,
            )
            return (new,), stored

        _, (states, gates, values, hidden) = over_time(step, (state,), inputs, 4)

        def gradient(upstream: tf.Tensor) -> Any:
            def back(time: tf.Tensor, carried: tf.Tensor) -> Any:
                here, gate, value = states[time], gates[time], values[time]
                share = (upstream[time] + carried) / len(outputs)
                errors: dict[int, list[tf.Tensor]] = {number: [] for number in range(nodes + 1)}
                for node in outputs:
                    errors[node].append(share)
                products: list[tf.Tensor] = []
                end = nodes + 1
                for level, matrix in zip(reversed(levels), reversed(grouped)):
                    start = end - len(level.nodes)
                    error = tf.stack([tf.add_n(errors[node]) for node in level.nodes])
                    before = tf.stack([here[1 + place[source]] for source in level.inputs])
                    product, direct = through(
                        error, before, gate[start:end], value[start:end], lambda v, at=level: at.apply(_DERIVATIVES, v)
                    )
                    passed = direct + tf.matmul(product, matrix, transpose_b=True) * mask
                    for source, part in zip(level.inputs, tf.unstack(passed, len(level.nodes))):
                        errors[source].append(part)
                    products.insert(0, product)
                    end = start
                product, direct = through(tf.add_n(errors[0]), here[0], gate[0], value[0], _DERIVATIVES[cell.first])
                products.insert(0, product[None])
                before = direct + tf.matmul(product, first, transpose_b=True) * mask
                return (before,), [tf.concat(products, 0)]

            # Products are [time, 1 + nodes, batch, 2 units].
            (to_state,), (products,) = over_time(back, (tf.zeros_like(state),), inputs, 1, backwards=True)
            sources = [1 + place[source] for level in levels for source in level.inputs]
            read = tf.gather(states, [0, *sources], axis=1) * mask
            by_node = weight_gradients(read, products)
            back_in_order = tf.gather(by_node[1:], [place[node] - 1 for node in range(1, nodes + 1)])
            return products[:, 0], to_state, by_node[0], back_in_order, None

        return hidden, gradient

    return run


def through(error: tf.Tensor, before: tf.Tensor, gate: tf.Tensor, value: tf.Tensor, derivative: Any) -> Any:
    """The way back through one highway connection.

    Args:
        error: `[..., units]`: of the node's state.
        before: `[..., units]`: the state that it read.
        gate: `[..., units]`: value of its gate.
        value: `[..., units]`: value of its activation.
        derivative: Derivative of the activation, as a function of its value.

    Returns:
        Errors of both halves of the node's product `[..., 2 units]`, and what goes straight on to the state it read.
    """
    to_gate = error * (value - before) * gate * (1.0 - gate)
    to_value = error * gate * derivative(value)
    return tf.concat([to_gate, to_value], -1), error * (1.0 - gate)


def weight_gradients(read: tf.Tensor, products: tf.Tensor) -> tf.Tensor:
    """Gradients of weight matrices over a window, one product each.

    Args:
        read: `[time, matrices, batch, rows]`: what each matrix was multiplied with.
        products: `[time, matrices, batch, columns]`: errors of the products.

    Returns:
        `[matrices, rows, columns]`.
    """
    shape = tf.shape(read)
    flat = [
        tf.reshape(tf.transpose(tensor, (1, 0, 2, 3)), (shape[1], shape[0] * shape[2], tensor.shape[-1]))
        for tensor in (read, products)
    ]
    return tf.matmul(flat[0], flat[1], transpose_a=True)

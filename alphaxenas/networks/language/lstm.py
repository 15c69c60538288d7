"""The loop over time of an LSTM layer, with the same division of work as `alphaxenas.networks.language.recurrence`.

Source: Hochreiter and Schmidhuber 1997, with forget gates (Gers et al. 2000); no peepholes.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from alphaxenas.networks.language.over_time import in_parts, over_time, weight_gradient


def lstm_layer(
    inputs: tf.Tensor, hidden: tf.Tensor, memory: tf.Tensor, recurrent: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Hidden states and memories of a window of text.

    Args:
        inputs: `[time, batch, 4 units]`: products of the inputs with their weights, biases added; the parts are input
            gate, forget gate, candidate value, output gate.
        hidden: `[batch, units]`: hidden state before the window.
        memory: `[batch, units]`: memory cell before the window.
        recurrent: `[units, 4 units]`: weights from the previous hidden state.

    Returns:
        Hidden states and memories, both `[time, batch, units]`. No gradient flows through the memories returned, which
        carry the state to the next window.
    """

    @tf.custom_gradient
    def run(inputs: tf.Tensor, hidden: tf.Tensor, memory: tf.Tensor, recurrent: tf.Tensor) -> Any:
        def step(time: tf.Tensor, hidden: tf.Tensor, memory: tf.Tensor) -> Any:
            enter, forget, value, leave = tf.split(inputs[time] + tf.matmul(hidden, recurrent), 4, -1)
            enter, forget, leave = (tf.sigmoid(gate) for gate in (enter, forget, leave))
            value = tf.tanh(value)
            new_memory = forget * memory + enter * value
            new = leave * tf.tanh(new_memory)
            stored = (hidden, memory, tf.concat([enter, forget, value, leave], -1), new_memory, new)
            return (new, new_memory), stored

        _, (before, memory_before, gates, memories, states) = over_time(step, (hidden, memory), inputs, 5)

        def gradient(upstream: tf.Tensor, _: tf.Tensor) -> Any:
            def back(time: tf.Tensor, to_hidden: tf.Tensor, to_memory: tf.Tensor) -> Any:
                enter, forget, value, leave = tf.split(gates.read(time), 4, -1)
                squashed, error = tf.tanh(memories.read(time)), upstream[time] + to_hidden
                to_memory += error * leave * (1.0 - squashed * squashed)
                product = tf.concat(
                    [
                        to_memory * value * enter * (1.0 - enter),
                        to_memory * memory_before.read(time) * forget * (1.0 - forget),
                        to_memory * enter * (1.0 - value * value),
                        error * squashed * leave * (1.0 - leave),
                    ],
                    -1,
                )
                to_hidden = tf.matmul(product, recurrent, transpose_b=True)
                return (to_hidden, to_memory * forget), [product]

            zeros = tf.zeros_like(hidden)
            (to_hidden, to_memory), (stored,) = over_time(back, (zeros, zeros), inputs, 1, backwards=True)
            products = stored.stack()
            return products, to_hidden, to_memory, weight_gradient(before.stack(), products)

        return (states.stack(), memories.stack()), gradient

    return in_parts(lambda *part: run(*part, recurrent), inputs, hidden, memory)

"""The loop over time of an LSTM layer, with the same division of work as `alphaxenas.networks.language.recurrence`.

Source: Hochreiter and Schmidhuber 1997, with forget gates (Gers et al. 2000); no peepholes.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from alphaxenas.networks.language.recurrence import weight_gradients


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
        steps = tf.shape(inputs)[0]

        def step(time: tf.Tensor, hidden: tf.Tensor, memory: tf.Tensor, kept: Any) -> Any:
            enter, forget, value, leave = tf.split(inputs[time] + tf.matmul(hidden, recurrent), 4, -1)
            enter, forget, leave = (tf.sigmoid(gate) for gate in (enter, forget, leave))
            value = tf.tanh(value)
            new_memory = forget * memory + enter * value
            new = leave * tf.tanh(new_memory)
            stored = (hidden, memory, tf.concat([enter, forget, value, leave], -1), new_memory, new)
            return time + 1, new, new_memory, [array.write(time, what) for array, what in zip(kept, stored)]

        kept = [tf.TensorArray(inputs.dtype, steps, element_shape=None) for _ in range(5)]
        _, _, _, kept = tf.while_loop(
            lambda time, *_: time < steps, step, (tf.constant(0), hidden, memory, kept), parallel_iterations=1
        )
        before, memory_before, gates, memories, states = (array.stack() for array in kept)

        def gradient(upstream: tf.Tensor, _: tf.Tensor) -> Any:
            def back(time: tf.Tensor, to_hidden: tf.Tensor, to_memory: tf.Tensor, kept: tf.TensorArray) -> Any:
                enter, forget, value, leave = tf.split(gates[time], 4, -1)
                squashed, error = tf.tanh(memories[time]), upstream[time] + to_hidden
                to_memory += error * leave * (1.0 - squashed * squashed)
                product = tf.concat(
                    [
                        to_memory * value * enter * (1.0 - enter),
                        to_memory * memory_before[time] * forget * (1.0 - forget),
                        to_memory * enter * (1.0 - value * value),
                        error * squashed * leave * (1.0 - leave),
                    ],
                    -1,
                )
                to_hidden = tf.matmul(product, recurrent, transpose_b=True)
                return time - 1, to_hidden, to_memory * forget, kept.write(time, product)

            kept = tf.TensorArray(inputs.dtype, steps, element_shape=None)
            zeros = tf.zeros_like(hidden)
            _, to_hidden, to_memory, kept = tf.while_loop(
                lambda time, *_: time >= 0, back, (steps - 1, zeros, zeros, kept), parallel_iterations=1
            )
            products = kept.stack()
            by_weight = weight_gradients(before[:, None], products[:, None])[0]
            return products, to_hidden, to_memory, by_weight

        return (states, memories), gradient

    return run(inputs, hidden, memory, recurrent)

"""The mean loss of a window's words under the softmax over the vocabulary, and its gradient, in one pass.

The softmax is most of a small model's work, and half of that is not arithmetic: the logits of a window (1,120 words
times 10,000) fit into no cache, and TensorFlow's operations read and write them a dozen times. Here the window is done
in parts: the loss and the gradient of a part's logits are one compiled function, so each logit is written once as
product and once as gradient. The gradient is computed with the loss, because it is wanted in every training step.

In bfloat16 the three matrix products alone are rounded; exponentials and sums are in float32, and so are predictions.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

PARTS, WORDS_OF_A_PART = 8, 1_000
"""Parts of a window, and how large a vocabulary is for each further part to pay."""


def _losses_and_errors(logits: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor) -> Any:
    """Losses `[n]`, their gradients for the logits `[n, words]`, and for the bias."""
    logits, precision = tf.cast(logits, tf.float32) + bias, logits.dtype
    logits -= tf.reduce_max(logits, 1, keepdims=True)
    exponentials = tf.exp(logits)
    total = tf.reduce_sum(exponentials, 1, keepdims=True)
    here = tf.range(tf.shape(logits)[1])[None] == targets[:, None]
    losses = tf.math.log(total[:, 0]) - tf.reduce_sum(tf.where(here, logits, 0.0), 1)
    errors = (exponentials / total - tf.cast(here, tf.float32)) * weights[:, None]
    return losses * weights, tf.cast(errors, precision), tf.reduce_sum(errors, 0)


_COMPILED = {
    precision: tf.function(
        _losses_and_errors,
        input_signature=[
            tf.TensorSpec([None, None], precision),
            tf.TensorSpec([None], tf.float32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None], tf.float32),
        ],
        jit_compile=True,
        autograph=False,
    )
    for precision in ("float32", "bfloat16")
}


def mean_loss(
    hidden: tf.Tensor, embedding: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor, precision: str
) -> tf.Tensor:
    """The mean loss of a window's words, in nats.

    Args:
        hidden: `[n, units]`: hidden states.
        embedding: `[words, units]`, tied: logits are `hidden embedding^T + bias`.
        bias: `[words]`.
        targets: int32 `[n]`: numbers of the words to predict.
        weights: `[n]`: 0 where there is nothing to predict, else 1.
        precision: Of the matrix products, `"float32"` or `"bfloat16"`.

    Returns:
        A scalar; gradients flow to `hidden`, `embedding` and `bias`.
    """
    parts = min(PARTS, max(1, embedding.shape[0] // WORDS_OF_A_PART))
    count = tf.shape(hidden)[0]
    further = -count % parts  # of weight 0, so that all parts are equally long

    @tf.custom_gradient
    def run(hidden: tf.Tensor, embedding: tf.Tensor, bias: tf.Tensor) -> Any:
        padded = tf.pad(hidden, [[0, further], [0, 0]])
        states, matrix = tf.cast(padded, precision), tf.cast(embedding, precision)
        columns = [tf.split(tf.pad(column, [[0, further]]), parts) for column in (targets, weights)]
        losses, errors, to_hidden, to_bias = [], [], [], []
        for part, wanted, weight in zip(tf.split(states, parts), *columns):
            loss, error, of_bias = _COMPILED[precision](tf.matmul(part, matrix, transpose_b=True), bias, wanted, weight)
            losses.append(tf.reduce_sum(loss))
            errors.append(error)
            to_hidden.append(tf.matmul(error, matrix))
            to_bias.append(of_bias)
        error = errors[0] if parts == 1 else tf.concat(errors, 0)
        to_embedding = tf.cast(tf.matmul(error, states, transpose_a=True), tf.float32)
        back = tf.cast(tf.concat(to_hidden, 0), tf.float32)[:count]
        words = tf.maximum(tf.reduce_sum(weights), 1.0)

        def gradient(upstream: tf.Tensor) -> Any:
            share = upstream / words
            return back * share, to_embedding * share, tf.add_n(to_bias) * share

        return tf.add_n(losses) / words, gradient

    return run(hidden, embedding, bias)

"""A training step of a searched recurrent language model against one with Keras's own LSTM layer.

    python -m benchmarks.language_step [--record]

200 units, batch 32, 35 steps, 10,000 words, all cores; everything in float32, and, where the machine has it, with the
softmax in bfloat16, as the profile `ptb-cpu` trains. Both models have tied embeddings, the same softmax in the same
precision (`networks.language.softmax`) and plain gradient descent with clipping, so they differ in the recurrent part
alone; against TensorFlow's own softmax ours is measured beside it. The steps of all models alternate, and the median of
their ratios counts. Also: the share of a step that the softmax takes, and the seconds until the first step is done
(tracing). Prints JSON last; fails where a ratio in either precision is above 1.5, or a graph takes 5 s or more.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from alphaxenas.networks.devices import computes_bfloat16
from alphaxenas.networks.language.cores import CellCore
from alphaxenas.networks.language.model import LanguageModel
from alphaxenas.networks.language.recipe import LanguageRecipe
from alphaxenas.networks.language.softmax import mean_loss
from alphaxenas.spaces.recurrent_zoo import RECURRENT_ZOO
from benchmarks.record import finish, parser

UNITS, BATCH, WINDOW, WORDS, ROUNDS, LIMIT, GRAPH_LIMIT = 200, 32, 35, 10_000, 30, 1.5, 5.0


def keras_step(inputs: np.ndarray, targets: np.ndarray, precision: str = "") -> Callable[[], Any]:
    """A training step of Keras's LSTM between tied embeddings.

    Args:
        inputs: int32 `[time, batch]`.
        targets: Likewise.
        precision: Of our softmax; empty for TensorFlow's own, in float32.
    """
    layer = keras.layers.LSTM(UNITS, return_sequences=True)
    layer.build((BATCH, WINDOW, UNITS))
    embedding, bias = tf.Variable(tf.random.uniform((WORDS, UNITS), -0.04, 0.04)), tf.Variable(tf.zeros(WORDS))
    words, wanted = tf.constant(inputs.T), tf.reshape(tf.constant(targets.T), [-1])
    weights = [embedding, bias, *(variable.value for variable in layer.trainable_variables)]

    def loss_of(hidden: tf.Tensor, embedding: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        if precision:
            return mean_loss(hidden, embedding, bias, wanted, tf.ones(BATCH * WINDOW), precision)
        logits = tf.matmul(hidden, embedding, transpose_b=True) + bias
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, logits))

    @tf.function(autograph=False)
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            matrix, column = embedding.value(), bias.value()
            tape.watch([matrix, column])
            hidden = tf.reshape(layer(tf.gather(matrix, words)), (-1, UNITS))
            loss = loss_of(hidden, matrix, column)
        found = tape.gradient(loss, [matrix, column, *weights[2:]])
        gradients = [tf.convert_to_tensor(gradient) for gradient in found]
        scale = tf.minimum(1.0, 0.25 / tf.linalg.global_norm(gradients))
        for weight, gradient in zip(weights, gradients):
            weight.assign_sub(scale * gradient)
        return loss

    return step


def verdict(ratios: Mapping[str, Mapping[str, float]], first: Mapping[str, float]) -> dict[str, Any]:
    """The worst ratio of every precision and the slowest graph, and whether they keep their limits, also in words.

    Args:
        ratios: By precision and cell, to the step of Keras's LSTM in that precision.
        first: Seconds of the first step of every model.
    """
    worst = {precision: round(max(found.values()), 3) for precision, found in ratios.items()}
    slowest = round(max(first.values()), 2)
    met = {precision: ratio <= LIMIT for precision, ratio in worst.items()} | {"graph": slowest < GRAPH_LIMIT}
    words = {one: "reached" if good else "missed" for one, good in met.items()}
    told = [f"{one} {ratio:.2f} times (<= {LIMIT}: {words[one]})" for one, ratio in worst.items()]
    graph = f"{slowest:.1f} s (< {GRAPH_LIMIT:g} s: {words['graph']})"
    return {
        "worst_ratios": worst,
        "slowest_graph_seconds": slowest,
        "verdicts": words,
        "told": {"step": "; ".join(told), "graph": graph},
    }


def main() -> None:
    """Times the steps and prints the result."""
    options, started = parser(__doc__).parse_args(), time.perf_counter()
    rng = np.random.default_rng(0)
    inputs, targets = rng.integers(0, WORDS, (2, WINDOW, BATCH)).astype(np.int32)
    weights = np.ones((WINDOW, BATCH), np.float32)
    precisions = ("float32", "bfloat16") if computes_bfloat16() else ("float32",)

    def ours(name: str, words: int, precision: str) -> Callable[[], Any]:
        recipe = LanguageRecipe(input_dropout=0.0, output_dropout=0.0, precision=precision)
        model = LanguageModel(CellCore(RECURRENT_ZOO[name].cell, UNITS), words, recipe, 0)
        state = model.start(BATCH)
        return lambda: model.train_window(inputs % words, targets % words, weights, state, 1.0, 0)[0]

    steps: dict[str, Callable[[], Any]] = {"Keras, TensorFlow's softmax": keras_step(inputs, targets)}
    steps["without softmax"] = ours("nao_rnn", 2, "float32")
    for precision in precisions:
        steps[f"Keras, {precision}"] = keras_step(inputs, targets, precision)
        steps |= {f"{name}, {precision}": ours(name, WORDS, precision) for name in RECURRENT_ZOO}
    first, seconds = {}, {name: list[float]() for name in steps}
    for name, step in steps.items():
        begin = time.perf_counter()
        np.asarray(step())
        first[name] = time.perf_counter() - begin
    for _ in range(ROUNDS):
        for name, step in steps.items():
            begin = time.perf_counter()
            np.asarray(step())
            seconds[name].append(time.perf_counter() - begin)

    def ratio(one: str, other: str) -> float:
        return round(statistics.median(own / theirs for own, theirs in zip(seconds[one], seconds[other])), 3)

    ratios = {
        precision: {name: ratio(f"{name}, {precision}", f"Keras, {precision}") for name in RECURRENT_ZOO}
        for precision in precisions
    }
    plain = {
        f"{name}, {precision}": ratio(f"{name}, {precision}", "Keras, TensorFlow's softmax")
        for precision in precisions
        for name in RECURRENT_ZOO
    }
    found = verdict(ratios, first)
    figures = {
        "ratios_to_keras_lstm": ratios,
        "ratios_to_keras_lstm_with_tensorflow_softmax": plain,
        **found,
        "limit": LIMIT,
        "graph_limit_seconds": GRAPH_LIMIT,
        "softmax_share": round(1 - ratio("without softmax", "nao_rnn, float32"), 3),
        "step_ms": {name: round(1000 * statistics.median(times), 1) for name, times in seconds.items()},
        "first_step_seconds": {name: round(value, 2) for name, value in first.items()},
    }
    finish("language_step", options.record, started, figures, {name: seconds[name] for name in steps})
    sys.exit("missed" in found["verdicts"].values())


if __name__ == "__main__":
    main()

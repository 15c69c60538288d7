"""A training step of a searched recurrent language model against one with Keras's own LSTM layer.

    python -m benchmarks.language_step [--record]

200 units, batch 32, 35 steps, 10,000 words, all cores; ours with the softmax in bfloat16 where the machine has it, as
the profile `ptb-cpu` trains, and all in float32. Both models have a tied softmax and plain gradient
descent with clipping; the steps of all models alternate, and the median of their ratios counts. Also: the share of a
step that the softmax takes, and the seconds until the first step is done (tracing). Prints JSON last; fails above 1.5
times Keras.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from alphaxenas.networks.devices import computes_bfloat16
from alphaxenas.networks.language.cores import CellCore
from alphaxenas.networks.language.model import LanguageModel
from alphaxenas.networks.language.recipe import LanguageRecipe
from alphaxenas.spaces.recurrent_zoo import RECURRENT_ZOO
from benchmarks.record import finish, parser

UNITS, BATCH, WINDOW, WORDS, ROUNDS, LIMIT = 200, 32, 35, 10_000, 30, 1.5


def keras_step(inputs: np.ndarray, targets: np.ndarray) -> Callable[[], Any]:
    """A training step of Keras's LSTM between a tied embedding and softmax."""
    layer = keras.layers.LSTM(UNITS, return_sequences=True)
    layer.build((BATCH, WINDOW, UNITS))
    embedding, bias = tf.Variable(tf.random.uniform((WORDS, UNITS), -0.04, 0.04)), tf.Variable(tf.zeros(WORDS))
    words, wanted = tf.constant(inputs.T), tf.constant(targets.T)
    weights = [embedding, bias, *(variable.value for variable in layer.trainable_variables)]

    @tf.function(autograph=False)
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            hidden = tf.reshape(layer(tf.gather(embedding, words)), (-1, UNITS))
            logits = tf.matmul(hidden, embedding, transpose_b=True) + bias
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.reshape(wanted, [-1]), logits)
            loss = tf.reduce_mean(losses)
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, weights)]
        scale = tf.minimum(1.0, 0.25 / tf.linalg.global_norm(gradients))
        for weight, gradient in zip(weights, gradients):
            weight.assign_sub(scale * gradient)
        return loss

    return step


def main() -> None:
    """Times the steps and prints the result."""
    options, started = parser(__doc__).parse_args(), time.perf_counter()
    rng = np.random.default_rng(0)
    inputs, targets = rng.integers(0, WORDS, (2, WINDOW, BATCH)).astype(np.int32)
    weights, precision = np.ones((WINDOW, BATCH), np.float32), "bfloat16" if computes_bfloat16() else "float32"

    def ours(name: str, words: int, precision: str = precision) -> Callable[[], Any]:
        recipe = LanguageRecipe(input_dropout=0.0, output_dropout=0.0, precision=precision)
        model = LanguageModel(CellCore(RECURRENT_ZOO[name].cell, UNITS), words, recipe, 0)
        state = model.start(BATCH)
        return lambda: model.train_window(inputs % words, targets % words, weights, state, 1.0, 0)

    steps = {"keras": keras_step(inputs, targets), "without softmax": ours("nao_rnn", 2)}
    steps |= {name: ours(name, WORDS) for name in RECURRENT_ZOO}
    steps |= {f"{name}, float32": ours(name, WORDS, "float32") for name in RECURRENT_ZOO}
    first, seconds = {}, {name: list[float]() for name in steps}
    for name, step in steps.items():
        begin = time.perf_counter()
        step()
        first[name] = time.perf_counter() - begin
    for _ in range(ROUNDS):
        for name, step in steps.items():
            begin = time.perf_counter()
            np.asarray(step()[0] if name != "keras" else step())
            seconds[name].append(time.perf_counter() - begin)
    ratios = {
        name: statistics.median(own / theirs for own, theirs in zip(times, seconds["keras"]))
        for name, times in seconds.items()
        if name.split(",")[0] in RECURRENT_ZOO
    }
    inside = statistics.median(rest / whole for rest, whole in zip(seconds["without softmax"], seconds["nao_rnn"]))
    worst = max(ratios[name] for name in RECURRENT_ZOO)
    figures = {
        "ratios_to_keras_lstm": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "precision": precision,
        "worst_ratio": round(worst, 3),
        "limit": LIMIT,
        "softmax_share": round(1 - inside, 3),
        "step_ms": {name: round(1000 * statistics.median(times), 1) for name, times in seconds.items()},
        "first_step_seconds": {name: round(value, 2) for name, value in first.items()},
    }
    finish("language_step", options.record, started, figures, {name: seconds[name] for name in steps})
    sys.exit(worst > LIMIT)


if __name__ == "__main__":
    main()

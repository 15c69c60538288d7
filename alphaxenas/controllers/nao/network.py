"""NAO's network: an encoder, a predictor and a decoder of token sequences, trained together.

- The **encoder** reads the tokens of an architecture with an LSTM. Its outputs are scaled to length 1 at every place;
  their mean over the places, scaled likewise, is the architecture's embedding.
- The **predictor**, a multilayer perceptron with a sigmoid at the end, gives the embedding's score in (0, 1).
- The **decoder**, an LSTM that starts from the embedding and attends to the encoder's outputs, writes the tokens again.

    loss = trade_off * (score - target)^2 + (1 - trade_off) * cross-entropy per token + weight_decay * |weights|^2 / 2

Source: Luo et al. 2018, "Neural architecture optimization", section 3 and eq. 1. Departures:

- Embeddings of places are added to those of tokens in encoder and decoder: the attention then finds its place in a few
  steps of training instead of thousands.
- The decoder is masked to legal tokens while it is trained, too, so it spends nothing on learning the rules of the
  space.
- Attention is a bilinear form read after the LSTM, with nothing fed back (Luong et al. 2015), so that a training step
  is two LSTM kernels and a few matrix products over all places at once; the code's is fed back (Bahdanau).
- Every token is a step of the encoder; the code joins two or three into one.

Weights are one vector that goes into the functions of `graphs` and comes out of them: a state has no hidden part, and
the functions are traced once per process for a space and settings, whatever the number of searches. Notation: V tokens,
L longest sequence, U units, E width of the token embeddings, n sequences, b sequences of a mini-batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from alphaxenas.controllers.nao.settings import NetworkSettings
from alphaxenas.networks.devices import load_tensorflow
from alphaxenas.networks.training.optimizers import adam_update
from alphaxenas.seeds import stream

tf = load_tensorflow()

EPSILON = 1e-8
"""Of Adam."""


class Graphs(NamedTuple):
    """The traced functions of one network; weights are a vector `[w]`.

    Attributes:
        train: (weights, moments `[2, w]`, steps taken, (tokens `[n, L]`, lengths `[n]`, targets `[n]`, legal `[n, L,
            V]`), rows `[steps, b]`, learning rates `[steps]`, seed) -> (weights, moments, per step squared error,
            cross-entropy and norm of the applied gradient `[steps, 3]`).
        encode: (weights, tokens `[n, L]`, lengths `[n]`) -> encoder outputs `[n, L, U]`, 0 after a sequence's end.
        score: (weights, outputs `[n, L, U]`, lengths) -> (scores `[n]`, their gradients by the outputs `[n, L, U]`).
    """

    train: Any
    encode: Any
    score: Any


def clipped(gradient: Any, bound: float) -> tuple[Any, Any]:
    """The gradient, scaled to the norm `bound` if it is longer, and its norm after that.

    Args:
        gradient: `[w]`.
        bound: Largest norm.
    """
    norm = tf.norm(gradient)
    scale = tf.minimum(1.0, bound / tf.maximum(norm, 1e-12))
    return gradient * scale, norm * scale


@dataclass(frozen=True)
class Network:
    """Weights and formulas; inside a formula time comes first, outside sequences do.

    Attributes:
        vocabulary: V.
        length: L, of the longest sequence.
        settings: Sizes of the layers, and their training.
    """

    vocabulary: int
    length: int
    settings: NetworkSettings

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight, in the order of the vector."""
        embedding, units = self.settings.embedding, self.settings.units
        named: dict[str, tuple[int, ...]] = {
            "encoder_tokens": (self.vocabulary, embedding),
            "encoder_places": (self.length, embedding),
            "encoder_kernel": (embedding + units, 4 * units),
            "encoder_bias": (4 * units,),
        }
        widths = (units, *self.settings.layers, 1)
        for layer, (before, after) in enumerate(zip(widths[:-1], widths[1:])):
            named |= {f"predictor_kernel{layer}": (before, after), f"predictor_bias{layer}": (after,)}
        return named | {
            # The last row of the decoder's tokens is the start.
            "decoder_tokens": (self.vocabulary + 1, embedding),
            "decoder_places": (self.length, embedding),
            "decoder_kernel": (embedding + units, 4 * units),
            "decoder_bias": (4 * units,),
            "attention": (units, units),
            "joined": (2 * units, units),
            "output": (units, self.vocabulary),
            "output_bias": (self.vocabulary,),
        }

    def initial_weights(self, seed: int) -> np.ndarray:
        """Glorot-uniform matrices, zero biases (1 for the forget gates), as one vector `[w]`."""
        rng, parts, units = stream(seed, "nao", "weights"), [], self.settings.units
        for name, shape in self.shapes().items():
            if len(shape) == 1:
                value = np.zeros(shape, np.float32)
                if name in ("encoder_bias", "decoder_bias"):
                    value[units : 2 * units] = 1.0
            else:
                limit = 0.3 if name.endswith(("tokens", "places")) else np.sqrt(6.0 / sum(shape))
                value = rng.uniform(-limit, limit, shape).astype(np.float32)
            parts.append(value.ravel())
        return np.concatenate(parts)

    def unpacked(self, weights: Any) -> dict[str, Any]:
        """The weights by name, of a vector `[w]` of NumPy or of TensorFlow."""
        named = self.shapes()
        sizes = [prod(shape) for shape in named.values()]
        if isinstance(weights, np.ndarray):
            parts, reshape = np.split(weights, np.cumsum(sizes)[:-1]), np.reshape
        else:
            # One split and not many slices: the gradient of a slice is as long as the whole vector.
            parts, reshape = tf.split(weights, sizes), tf.reshape
        return {name: reshape(part, shape) for (name, shape), part in zip(named.items(), parts)}

    def encode(self, weights: Any, tokens: Any, lengths: Any) -> Any:
        """See `Graphs.encode`.

        Args:
            weights: `[w]`.
            tokens: `[n, L]`.
            lengths: `[n]`.
        """
        return self._encoded(self.unpacked(weights), tokens, self._inside(lengths), None)

    def score(self, weights: Any, outputs: Any, lengths: Any) -> Any:
        """See `Graphs.score`.

        Args:
            weights: `[w]`.
            outputs: Of the encoder, `[n, L, U]`.
            lengths: `[n]`.
        """
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            scores = self._predicted(self.unpacked(weights), self._embedded(outputs, self._inside(lengths)), None)
        return scores, tape.gradient(scores, outputs)

    def train(self, weights: Any, moments: Any, taken: Any, data: Any, rows: Any, rates: Any, seed: Any) -> Any:
        """See `Graphs.train`.

        Args:
            weights: `[w]`.
            moments: Of Adam, `[2, w]`.
            taken: Steps taken before.
            data: Tokens, lengths, targets and legal tokens of all sequences.
            rows: Sequences of every step, `[steps, b]`.
            rates: Learning rates, `[steps]`.
            seed: Of dropout, `[2]`.
        """
        settings, steps = self.settings, tf.shape(rows)[0]

        def step(number, weights, first, second, numbers):
            chosen = rows[number]
            time = taken + number + 1
            batch = [tf.gather(array, chosen) for array in data]
            dropout = tf.stack([seed[0] + time, seed[1]])
            with tf.GradientTape() as tape:
                tape.watch(weights)
                error, entropy = self._losses(weights, batch, dropout)
                decay = settings.weight_decay * tf.reduce_sum(tf.square(weights)) / 2
                loss = settings.trade_off * error + (1 - settings.trade_off) * entropy + decay
            gradient, norm = clipped(tape.gradient(loss, weights), settings.gradient_clip)
            difference, first, second = adam_update(weights, first, second, gradient, rates[number], time, EPSILON)
            numbers = numbers.write(number, tf.stack([error, entropy, norm]))
            return number + 1, weights - difference, first, second, numbers

        start = tf.constant(0), weights, moments[0], moments[1], tf.TensorArray(tf.float32, steps, element_shape=[3])
        _, weights, *moments, numbers = tf.while_loop(
            lambda number, *_: number < steps, step, start, parallel_iterations=1
        )
        return weights, tf.stack(moments), numbers.stack()

    def _losses(self, weights: Any, batch: Any, seed: Any) -> tuple[Any, Any]:
        """Mean squared error of the scores, and mean cross-entropy per token."""
        tokens, lengths, targets, legal = batch
        named, inside = self.unpacked(weights), self._inside(lengths)
        outputs = self._encoded(named, tokens, inside, seed)
        embedding = self._embedded(outputs, inside)
        error = tf.reduce_mean(tf.square(self._predicted(named, embedding, seed) - targets))
        logits = tf.where(legal, self._written(named, tokens, outputs, inside, embedding, seed), -1e9)
        entropies = tf.nn.sparse_softmax_cross_entropy_with_logits(tokens, logits)
        return error, tf.reduce_sum(entropies * inside) / tf.reduce_sum(inside)

    def _inside(self, lengths: Any) -> Any:
        """1 at the places of a sequence, 0 after its end, `[b, L]`."""
        return tf.sequence_mask(lengths, self.length, tf.float32)

    def _encoded(self, named: dict[str, Any], tokens: Any, inside: Any, seed: Any) -> Any:
        inputs = tf.one_hot(tokens, self.vocabulary) @ named["encoder_tokens"] + named["encoder_places"]
        start = tf.zeros([tf.shape(tokens)[0], self.settings.units])
        outputs = self._lstm(named, "encoder", self._dropped(inputs, seed, 0), start)
        return tf.math.l2_normalize(outputs, axis=2) * inside[:, :, None]

    def _embedded(self, outputs: Any, inside: Any) -> Any:
        means = tf.reduce_sum(outputs * inside[:, :, None], axis=1) / tf.reduce_sum(inside, axis=1, keepdims=True)
        return tf.math.l2_normalize(means, axis=1)

    def _predicted(self, named: dict[str, Any], embedding: Any, seed: Any) -> Any:
        """Scores `[b]`. The embedding has length 1: times sqrt(U) its entries are of the size that the first layer
        expects.
        """
        values = embedding * self.settings.units**0.5
        for layer in range(len(self.settings.layers) + 1):
            if layer:
                values = tf.nn.relu(values)
            values = self._dropped(values, seed, 1 + layer) @ named[f"predictor_kernel{layer}"]
            values += named[f"predictor_bias{layer}"]
        return tf.sigmoid(values[:, 0])

    def _written(self, named: dict[str, Any], tokens: Any, outputs: Any, inside: Any, embedding: Any, seed: Any) -> Any:
        """Logits `[b, L, V]` of the token at every place, given the true tokens before it; outputs are scaled as in
        `_predicted`.
        """
        start = tf.fill([tf.shape(tokens)[0], 1], self.vocabulary)
        before = tf.concat([start, tokens[:, :-1]], axis=1)
        inputs = tf.one_hot(before, self.vocabulary + 1) @ named["decoder_tokens"] + named["decoder_places"]
        states = self._lstm(named, "decoder", self._dropped(inputs, seed, 100), embedding)
        outputs *= self.settings.units**0.5
        weights = (states @ named["attention"]) @ tf.transpose(outputs, [0, 2, 1]) + 1e9 * (inside[:, None, :] - 1)
        joined = tf.tanh(tf.concat([tf.nn.softmax(weights) @ outputs, states], axis=2) @ named["joined"])
        return joined @ named["output"] + named["output_bias"]

    def _lstm(self, named: dict[str, Any], which: str, inputs: Any, start: Any) -> Any:
        """Outputs `[b, L, U]` of an LSTM over `[b, L, E]` whose output and cell begin as `start` `[b, U]`."""
        peepholes = dict.fromkeys(("wci", "wcf", "wco"), tf.zeros([self.settings.units]))
        weights = {"w": named[f"{which}_kernel"], "b": named[f"{which}_bias"], **peepholes}
        steps, x = tf.constant(self.length, tf.int64), tf.transpose(inputs, [1, 0, 2])
        begin = {"seq_len_max": steps, "cs_prev": start, "h_prev": start}
        outputs = tf.raw_ops.BlockLSTMV2(x=x, **begin, **weights, cell_clip=0.0, use_peephole=False).h
        return tf.transpose(outputs, [1, 0, 2])

    def _dropped(self, values: Any, seed: Any, place: int) -> Any:
        """Dropout while training (`seed` given), the values as they are otherwise."""
        rate = self.settings.dropout
        if seed is None or rate == 0:
            return values
        kept = tf.random.stateless_uniform(tf.shape(values), seed + tf.constant([0, place])) >= rate
        return tf.where(kept, values / (1 - rate), 0.0)


@lru_cache(maxsize=32)
def graphs(network: Network) -> Graphs:
    """The functions of a network, traced at their first use."""
    size, length = sum(map(prod, network.shapes().values())), network.length
    weights, tokens = tf.TensorSpec([size], tf.float32), tf.TensorSpec([None, length], tf.int32)
    lengths, outputs = (
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([None, length, network.settings.units], tf.float32),
    )
    numbers, legal = tf.TensorSpec([None], tf.float32), tf.TensorSpec([None, length, network.vocabulary], tf.bool)
    moments, rows = tf.TensorSpec([2, size], tf.float32), tf.TensorSpec([None, None], tf.int32)
    steps, seed = tf.TensorSpec([], tf.int32), tf.TensorSpec([2], tf.int32)
    signatures = {
        network.train: [weights, moments, steps, (tokens, lengths, numbers, legal), rows, numbers, seed],
        network.encode: [weights, tokens, lengths],
        network.score: [weights, outputs, lengths],
    }
    traced = (tf.function(_on_cpu(one), input_signature=each, autograph=False) for one, each in signatures.items())
    return Graphs(*traced)


def _on_cpu(function: Any) -> Any:
    """On a GPU this network is too small to be worth the trip, and the CPU's sums repeat exactly."""

    def placed(*arguments: Any) -> Any:
        with tf.device("/CPU:0"):
            return function(*arguments)

    return placed

"""The controller of ENAS: an LSTM that chooses earlier outputs by attention over their anchors.

The LSTM takes a step for every decision. After it has described a node (micro) or a layer (macro), its state is kept as
the anchor of that output. An input, or a skip connection, from output j is chosen by how well anchor j answers the
state h now. In the space of recurrent cells an output is a state, s0 first, and there is one input and one
activation a node.

    score_j = v . tanh(W1 anchor_j + W2 h)                inputs: softmax over j; skips: each j by itself, p_j =
    sigmoid(2 s_j) logit   = C tanh(score / temperature)                 operations: score = W h + b, and C divided by
    `OPERATION_REDUCTION`

It learns by REINFORCE with a moving baseline b, and in the macro space is drawn towards a share of skip connections:

    loss = -mean_i (R_i - b) log p(sequence_i) - w_H mean_i H_i + w_S mean_i mean_layers KL(p_skip, target)

Source: Pham et al. 2018, sections 2.2 and 2.3 and appendix; constants of the published code (temperature none, for
cells 5; C 1.1 micro, 1.5 macro and 2.5 for cells; entropy weight 1e-4, baseline decay 0.99, Adam with beta1 0, skip
target 0.4 with weight 0.8).
Departures: the entropy is a term of the loss with its own gradient, not an addition to the reward; decisions come in
the order of the tokens (input, operation, input, operation); the baseline starts at the first batch's mean reward
instead of 0; gradients are clipped at a global norm, which the published `clip_mode="norm"` did not do.

Notation: n sequences, T tokens, U units.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from alphaxenas.contracts import Tokens
from alphaxenas.controllers.optimizer import Adam, clipped
from alphaxenas.seeds import generator_state, restore_generator, stream
from alphaxenas.spaces.macro import MACRO_OPERATIONS, MacroSpace
from alphaxenas.spaces.micro import MicroSpace
from alphaxenas.spaces.recurrent import ACTIVATIONS, RecurrentSpace
from alphaxenas.suggestions import check_fields

PolicySpace = MicroSpace | MacroSpace | RecurrentSpace
OPERATION_REDUCTION = 2.5
SPREAD = 0.1


@dataclass(frozen=True)
class PolicySettings:
    """How the controller draws and learns; see the module's text.

    Attributes:
        units: U.
        temperature: Divides scores, > 0.
        tanh_constant: C, > 0; 0 leaves scores unbounded.
        entropy_weight: w_H.
        baseline_decay: Of the moving baseline, in [0, 1).
        learning_rate: Adam's.
        gradient_clip: Bound on the norm of the whole gradient; 0 = off.
        skip_target: Share of skip connections that the macro policy is drawn to, in (0, 1).
        skip_weight: w_S.
    """

    units: int = 64
    temperature: float = 1.0
    tanh_constant: float = 1.1
    entropy_weight: float = 1e-4
    baseline_decay: float = 0.99
    learning_rate: float = 3.5e-3
    gradient_clip: float = 5.0
    skip_target: float = 0.4
    skip_weight: float = 0.8

    def __post_init__(self) -> None:
        check_fields(
            self,
            units=(self.units >= 1, "a whole number >= 1"),
            temperature=(self.temperature > 0, "a number > 0"),
            tanh_constant=(self.tanh_constant >= 0, "a number >= 0"),
            entropy_weight=(self.entropy_weight >= 0, "a number >= 0"),
            baseline_decay=(0 <= self.baseline_decay < 1, "a number in [0, 1)"),
            learning_rate=(self.learning_rate > 0, "a number > 0"),
            gradient_clip=(self.gradient_clip >= 0, "a number >= 0"),
            skip_target=(0 < self.skip_target < 1, "a number in (0, 1)"),
            skip_weight=(self.skip_weight >= 0, "a number >= 0"),
        )


@dataclass(frozen=True)
class DrawnSequences:
    """Token sequences under a policy.

    Attributes:
        tokens: `[n, T]`.
        log_probabilities: `[n]`.
        entropies: Sums over the decisions, nats, `[n]`.
        skip_penalty: Mean over sequences and layers of KL(p_skip, target); 0 in the micro space.
    """

    tokens: np.ndarray
    log_probabilities: np.ndarray
    entropies: np.ndarray
    skip_penalty: float

    def __iter__(self) -> Iterator[Tokens]:
        return (tuple(map(int, row)) for row in self.tokens)


class AttentionPolicy:
    """The controller's network and its learning.

    Args:
        space: Micro, macro or that of recurrent cells.
        seed: Of weights and draws.
        settings: See `PolicySettings`.

    Attributes:
        baseline: Moving average of the rewards; None before the first.
    """

    def __init__(self, space: PolicySpace, seed: int, settings: PolicySettings | None = None) -> None:
        self.space, self.settings = space, settings or PolicySettings()
        self.baseline: float | None = None
        self._moves, self._length = list(_moves(space)), space.max_length
        operations = ACTIVATIONS if isinstance(space, RecurrentSpace) else space.operations
        units, codes = self.settings.units, len(operations)
        self._shapes = {
            "lstm": (2 * units, 4 * units),
            "lstm_bias": (4 * units,),
            "start": (1, units),
            "embedding": (codes, units),
            "operations": (units, codes),
            "operation_bias": (codes,),
            "anchors": (units, units),
            "query": (units, units),
            "score": (units, 1),
        }
        rng = stream(seed, "attention policy", "weights")
        pieces = [
            np.zeros(shape) if "bias" in name else rng.uniform(-SPREAD, SPREAD, shape)
            for name, shape in self._shapes.items()
        ]
        self.parameters = np.concatenate([piece.reshape(-1) for piece in pieces]).astype(np.float32)
        self._optimizer = Adam([self.parameters], beta1=0.0)
        self._rng = stream(seed, "attention policy", "draws")

    def sample(self, count: int) -> DrawnSequences:
        """Sequences drawn from the policy."""
        uniforms = self._rng.random((count, self._length), np.float32)
        return self._wrap(self._draw(self.parameters, uniforms))

    def evaluate(self, tokens: np.ndarray | Sequence[Tokens]) -> DrawnSequences:
        """Given token sequences `[n, T]` under the present policy."""
        return self._wrap(self._replay(self.parameters, np.asarray(tokens, np.int32)))

    def learn(self, drawn: DrawnSequences, rewards: Sequence[float]) -> dict[str, float]:
        """One optimiser step.

        Args:
            drawn: Drawn from the present policy.
            rewards: Of each, `[n]`.

        Returns:
            What is worth a curve: `reward`, `baseline`, `advantage` (mean size), `entropy`, `log_probability`,
            `skip_penalty`, `gradient_norm` before clipping.
        """
        settings, received = self.settings, np.asarray(rewards, np.float32)
        decay = settings.baseline_decay
        mean = float(received.mean())
        self.baseline = mean if self.baseline is None else decay * self.baseline + (1 - decay) * mean
        advantages = (received - self.baseline).astype(np.float32)
        gradient = self._gradient(self.parameters, np.asarray(drawn.tokens, np.int32), advantages).numpy()
        gradient, norm = clipped(gradient, settings.gradient_clip)
        self._optimizer.step([self.parameters], [gradient], settings.learning_rate)
        return {
            "reward": mean,
            "baseline": self.baseline,
            "advantage": float(np.abs(advantages).mean()),
            "entropy": float(drawn.entropies.mean()),
            "log_probability": float(drawn.log_probabilities.mean()),
            "skip_penalty": drawn.skip_penalty,
            "gradient_norm": norm,
        }

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "parameters": self.parameters.copy(),
            "optimizer": self._optimizer.state(),
            "baseline": self.baseline,
            "draws": generator_state(self._rng),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self.parameters = np.array(state["parameters"], np.float32)
        self._optimizer.restore(state["optimizer"])
        self.baseline = state["baseline"]
        restore_generator(self._rng, state["draws"])

    def _wrap(self, found: tuple[tf.Tensor, ...]) -> DrawnSequences:
        tokens, log_probabilities, entropies, penalties = (value.numpy() for value in found)
        return DrawnSequences(tokens, log_probabilities, entropies, float(penalties.mean()))

    @functools.cached_property
    def _draw(self) -> Callable:
        return self._traced(lambda flat, uniforms: self._run(flat, uniforms=uniforms), self._sequences(tf.float32))

    @functools.cached_property
    def _replay(self) -> Callable:
        return self._traced(lambda flat, tokens: self._run(flat, tokens=tokens), self._sequences(tf.int32))

    @functools.cached_property
    def _gradient(self) -> Callable:
        def gradient(flat, tokens, advantages):
            with tf.GradientTape() as tape:
                tape.watch(flat)
                _, log_probabilities, entropies, penalties = self._run(flat, tokens=tokens)
                loss = -tf.reduce_mean(advantages * log_probabilities)
                loss -= self.settings.entropy_weight * tf.reduce_mean(entropies)
                loss += self.settings.skip_weight * tf.reduce_mean(penalties)
            return tape.gradient(loss, flat)

        return self._traced(gradient, self._sequences(tf.int32), tf.TensorSpec([None], tf.float32))

    def _sequences(self, kind: tf.DType) -> tf.TensorSpec:
        return tf.TensorSpec([None, self._length], kind)

    @staticmethod
    def _traced(function: Callable, *specs: tf.TensorSpec) -> Callable:
        """A graph of a function of the parameters and further tensors."""
        signature = [tf.TensorSpec([None], tf.float32), *specs]
        return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()

    def _run(
        self, flat: tf.Tensor, tokens: tf.Tensor | None = None, uniforms: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, ...]:
        """Tokens, log-probabilities, entropies and skip penalties of sequences that are given, or drawn with uniform
        numbers.
        """
        sizes = [int(np.prod(shape)) for shape in self._shapes.values()]
        w = {
            name: tf.reshape(piece, shape) for (name, shape), piece in zip(self._shapes.items(), tf.split(flat, sizes))
        }
        count = tf.shape(uniforms if tokens is None else tokens)[0]
        state = [tf.zeros([count, self.settings.units])] * 2
        start = tf.tile(w["start"], [count, 1])
        x = start
        anchors: list[tf.Tensor] = []
        keys: list[tf.Tensor] = []
        found: list[tf.Tensor] = []
        penalties: list[tf.Tensor] = []
        log_probabilities, entropies = tf.zeros([count]), tf.zeros([count])
        for kind, first in self._moves:
            if kind == "begin":
                anchors, keys, x = [], [], start
                continue
            state, h = _lstm(w, x, state)
            if kind == "anchor":
                # The inputs of a cell have no description: their anchors are 0, their keys the state's, as published.
                anchors.append(tf.zeros_like(h) if first else h)
                keys.append(tf.matmul(h, w["anchors"]))
                x = start
                continue
            place = sum(token.shape[1] for token in found)
            width = len(anchors) if kind == "skips" else 1
            given = None if tokens is None else tokens[:, place : place + width] - first
            drawn = None if uniforms is None else uniforms[:, place : place + width]
            if kind == "operation":
                logits = self._bounded(tf.matmul(h, w["operations"]) + w["operation_bias"], OPERATION_REDUCTION)
                chosen, log_p, entropy = _one(logits, given, drawn)
                x = tf.gather(w["embedding"], chosen[:, 0])
            else:
                query = tf.tanh(tf.stack(keys, 1) + tf.matmul(h, w["query"])[:, None])
                logits = self._bounded(tf.matmul(query, w["score"])[:, :, 0])
                if kind == "source":
                    chosen, log_p, entropy = _one(logits, given, drawn)
                    x = tf.gather(tf.stack(anchors, 1), chosen[:, 0], batch_dims=1)
                else:
                    chosen, log_p, entropy, penalty = _several(logits, given, drawn, self.settings.skip_target)
                    penalties.append(penalty)
                    picked = tf.cast(chosen, tf.float32)
                    x = tf.einsum("nj,nju->nu", picked, tf.stack(anchors, 1)) / (
                        1.0 + tf.reduce_sum(picked, 1, keepdims=True)
                    )
            log_probabilities += log_p
            entropies += entropy
            found.append(chosen + first)
        penalty = tf.add_n(penalties) / len(penalties) if penalties else tf.zeros([count])
        return tf.concat(found, 1), log_probabilities, entropies, penalty

    def _bounded(self, scores: tf.Tensor, reduction: float = 1.0) -> tf.Tensor:
        scores, constant = scores / self.settings.temperature, self.settings.tanh_constant / reduction
        return constant * tf.tanh(scores) if constant else scores


def _moves(space: PolicySpace) -> Iterator[tuple[str, int]]:
    """Decisions in the order of the tokens with the number of their first token, and where anchors are taken."""
    if isinstance(space, RecurrentSpace):
        yield from [("begin", 0), *[("operation", space.nodes)] * space.choose_first, ("anchor", 0)]
        yield from [("source", 0), ("operation", space.nodes), ("anchor", 0)] * space.nodes
        return
    if isinstance(space, MicroSpace):
        for _ in range(2):
            yield "begin", 0
            yield from [("anchor", 1)] * 2
            for _ in range(space.blocks):
                yield from [("source", 0), ("operation", space.blocks + 1)] * 2
                yield "anchor", 0
        return
    yield "begin", 0
    for layer in range(space.layers):
        yield "operation", 0
        if layer:
            yield "skips", len(MACRO_OPERATIONS)
        yield "anchor", 0


def _lstm(w: Mapping[str, tf.Tensor], x: tf.Tensor, state: list[tf.Tensor]) -> tuple[list[tf.Tensor], tf.Tensor]:
    memory, before = state
    i, f, o, g = tf.split(tf.matmul(tf.concat([x, before], 1), w["lstm"]) + w["lstm_bias"], 4, 1)
    memory = tf.sigmoid(i) * tf.tanh(g) + tf.sigmoid(f) * memory
    h = tf.sigmoid(o) * tf.tanh(memory)
    return [memory, h], h


def _one(
    logits: tf.Tensor, given: tf.Tensor | None, uniforms: tf.Tensor | None
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """One of k: `[n, k] ->` the choice `[n, 1]`, its log-probability and the entropy, `[n]`."""
    log_p = tf.nn.log_softmax(logits)
    if given is None:
        running = tf.cumsum(tf.exp(log_p), axis=1)
        given = tf.argmax(running > uniforms * running[:, -1:], 1, tf.int32)[:, None]
    return given, tf.gather(log_p, given[:, 0], batch_dims=1), -tf.reduce_sum(tf.exp(log_p) * log_p, 1)


def _several(
    logits: tf.Tensor, given: tf.Tensor | None, uniforms: tf.Tensor | None, target: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Each of j by itself: `[n, j] ->` 0 or 1 `[n, j]`, log-probability, entropy and KL(p, target) of all, `[n]`."""
    log_yes, log_no = tf.math.log_sigmoid(2.0 * logits), tf.math.log_sigmoid(-2.0 * logits)
    yes, no = tf.exp(log_yes), tf.exp(log_no)
    chosen = tf.cast(uniforms < yes, tf.int32) if given is None else given
    log_p = tf.reduce_sum(tf.where(chosen == 1, log_yes, log_no), 1)
    penalty = yes * (log_yes - np.log(target)) + no * (log_no - np.log(1.0 - target))
    return chosen, log_p, -tf.reduce_sum(yes * log_yes + no * log_no, 1), tf.reduce_sum(penalty, 1)

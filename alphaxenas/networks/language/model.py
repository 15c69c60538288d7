"""A language model: tied embeddings around a recurrent core, traced once into a training step and a loss.

Every window of text is one call. The softmax over the vocabulary is most of the work of a small model (200 units and
10,000 words: three quarters of all multiply-adds); `alphaxenas.networks.language.softmax` trains it, for all words of a
window together.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from alphaxenas.data.text import streams
from alphaxenas.networks.language.cores import Core, Dropout
from alphaxenas.networks.language.recipe import LanguageRecipe
from alphaxenas.networks.language.softmax import mean_loss
from alphaxenas.networks.training.loop import DivergedError
from alphaxenas.seeds import stream, tensor_seed

INITIAL = 0.04
"""Half width of the uniform distribution of initial weights (DARTS, for recurrent cells)."""
EVALUATION_STREAMS = 32
"""Streams into which a long text is cut where nothing is trained."""
LEAST_WINDOWS = 10
"""Windows of such a stream, at least: its first words are predicted from a state of zeros."""


class LanguageModel:
    """A language model over a vocabulary.

    Args:
        core: Turns embeddings into hidden states.
        words: Size of the vocabulary.
        recipe: How it is trained.
        seed: Of initial values and dropout.

    Attributes:
        parameters: Trainable numbers.
    """

    def __init__(self, core: Core, words: int, recipe: LanguageRecipe, seed: int) -> None:
        self.core, self.recipe, self._words, self._seed = core, recipe, words, seed
        shapes = weight_shapes(core, words)
        self._weights = {name: tf.Variable(_initial(name, shape, seed)) for name, shape in shapes.items()}
        self._averages: dict[str, tf.Variable] = {}
        self._averaged = 0
        self.parameters = sum(math.prod(shape) for shape in shapes.values())

    def train_window(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray,
        state: tuple[Any, ...],
        rate: float,
        step: int,
        cell: Any = (),
    ) -> tuple[float, tuple[Any, ...]]:
        """One step of gradient descent.

        Args:
            inputs: int32 `[time, batch]`: numbers of the words read.
            targets: int32 `[time, batch]`: of the words to predict.
            weights: float32 `[time, batch]`: 0 where there is nothing to predict.
            state: Of the core, after the window before; see `start`.
            rate: Learning rate.
            step: Number of this step, for the draws of dropout.
            cell: What the core is told about the cell.

        Returns:
            Mean loss of a word in nats, without penalties, and the core's state after the window.

        Raises:
            DivergedError: The loss is not finite; the weights are as they were before.
        """
        seed = np.array(tensor_seed(self._seed, step), np.uint32).view(np.int32)
        loss, state = self._train(inputs, targets, weights, state, np.float32(rate), seed, cell)
        if not math.isfinite(loss := float(loss)):
            raise DivergedError(f"The loss became {loss} at step {step + 1}, learning rate {rate:.4g}.")
        if self._averaged:
            self._averaged += 1
            for name, average in self._averages.items():
                average.assign_add((self._weights[name] - average) / self._averaged)
        return loss, state

    def start_averaging(self) -> None:
        """From now on predictions use the mean of the weights after every further step, and of those now."""
        if not self._averaged:
            self._averages = {name: tf.Variable(weight) for name, weight in self._weights.items()}
            self._averaged = 1

    def loss(self, words: np.ndarray, cell: Any = (), count: int = 0) -> float:
        """Mean loss in nats over a whole text, every word once.

        Args:
            words: int32 `[words]`.
            cell: What the core is told about the cell.
            count: Streams into which it is cut, each of which starts with a state of zeros; 0 for
                `evaluation_streams`.

        Raises:
            DivergedError: It is not finite.
        """
        total = sum(float(losses.sum(dtype=np.float64)) for losses in self.window_losses(words, cell, count))
        if not math.isfinite(total):
            raise DivergedError("The loss is not finite in evaluation.")
        return total / len(words)

    def window_losses(self, words: np.ndarray, cell: Any = (), count: int = 0) -> Iterator[np.ndarray]:
        """Losses in nats of single words, window after window; arguments as of `loss`.

        Args:
            words: int32 `[words]`.
            cell: What the core is told about the cell.
            count: Streams; 0 for `evaluation_streams`.

        Returns:
            float32 arrays that hold every word once between them.
        """
        inputs, targets, weights = streams(words, count or evaluation_streams(len(words), self.recipe.window))
        state, values = self.start(inputs.shape[1]), self._values()
        for begin in range(0, len(inputs), self.recipe.window):
            part = slice(begin, begin + self.recipe.window)
            losses, state = self._evaluate(inputs[part], targets[part], state, values, cell)
            yield losses.numpy()[weights[part].reshape(-1) > 0]

    def next_word(self, inputs: np.ndarray, state: tuple[Any, ...]) -> tuple[np.ndarray, tuple[Any, ...]]:
        """Logits of the word after a window of a model with a fixed core.

        Args:
            inputs: int32 `[time, batch]`: numbers of the words read.
            state: Of the core, before them.

        Returns:
            Logits `[batch, words]`, and the state after the window.
        """
        logits, state = self._predict(inputs, state, self._values())
        return logits.numpy(), state

    def start(self, batch: int) -> tuple[Any, ...]:
        """The state before a text: zeros, `[batch, units]` each."""
        return tuple(tf.zeros((batch, self._weights["embedding"].shape[1])) for _ in range(self.core.states))

    def arrays(self) -> dict[str, np.ndarray]:
        """Weights by name, averaged where they are; what predictions are made with."""
        return {name: weight.numpy() for name, weight in (self._averages or self._weights).items()}

    def _values(self) -> dict[str, tf.Tensor]:
        """What predictions are made with, where it lies: a window or a word must not cost a copy of all weights."""
        return {name: weight.value() for name, weight in (self._averages or self._weights).items()}

    def state(self) -> dict[str, Any]:
        """Weights and averages, for a checkpoint."""
        averages = {name: weight.numpy() for name, weight in self._averages.items()}
        weights = {name: weight.numpy() for name, weight in self._weights.items()}
        return {"weights": weights, "averages": averages, "averaged": self._averaged}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()` of a model with the same core.

        Raises:
            ValueError: A weight is missing or of another shape.
        """
        for name, weight in self._weights.items():
            stored = state["weights"].get(name)
            if stored is None or np.shape(stored) != tuple(weight.shape):
                raise ValueError(f"The stored weights are of another model: `{name}` does not fit.")
            weight.assign(stored)
        self._averaged = int(state["averaged"])
        self._averages = {name: tf.Variable(weight) for name, weight in state["averages"].items()}

    @functools.cached_property
    def _train(self) -> Callable:
        return tf.function(self._training, input_signature=self._signature(True), autograph=False)

    @functools.cached_property
    def _evaluate(self) -> Callable:
        return tf.function(self._evaluation, input_signature=self._signature(False), autograph=False)

    @functools.cached_property
    def _predict(self) -> Callable:
        ids, _, state, values, _ = self._signature(False)
        return tf.function(self._prediction, input_signature=[ids, state, values], autograph=False)

    def _signature(self, training: bool) -> list[Any]:
        ids, units = tf.TensorSpec((None, None), tf.int32), self._weights["embedding"].shape[1]
        state = (tf.TensorSpec((None, units), tf.float32),) * self.core.states
        if not training:
            values = {name: tf.TensorSpec(weight.shape, tf.float32) for name, weight in self._weights.items()}
            return [ids, ids, state, values, self.core.signature]
        further = [tf.TensorSpec((), tf.float32), tf.TensorSpec((2,), tf.int32)]
        return [ids, ids, tf.TensorSpec((None, None), tf.float32), state, *further, self.core.signature]

    def _training(self, inputs, targets, weights, state, rate, seed, cell):
        recipe, names = self.recipe, list(self._weights)
        batch, units = tf.shape(inputs)[1], self._weights["embedding"].shape[1]

        def mask(shape: Any, share: float, number: int) -> tf.Tensor:
            if not share:
                return tf.ones(shape)
            drawn = tf.random.stateless_uniform(shape, seed + number)
            return tf.cast(drawn >= share, tf.float32) / (1.0 - share)

        with tf.GradientTape() as tape:
            values = {name: weight.value() for name, weight in self._weights.items()}
            tape.watch(values)
            embedded = tf.gather(values["embedding"], inputs)
            if recipe.embedding_dropout:
                embedded *= tf.gather(mask((self._words, 1), recipe.embedding_dropout, 1), inputs)
            embedded *= mask((batch, units), recipe.input_dropout, 2)
            dropout = Dropout(
                mask((self.core.masks, batch, units), recipe.state_dropout, 3), (recipe.weight_dropout, seed + 100)
            )
            hidden, after = self.core.run(values, embedded, state, dropout, cell)
            dropped = hidden * mask((batch, units), recipe.output_dropout, 4)
            flat, wanted, counted = (
                tf.reshape(dropped, (-1, units)),
                tf.reshape(targets, [-1]),
                tf.reshape(weights, [-1]),
            )
            objective = loss = mean_loss(flat, values["embedding"], values["bias"], wanted, counted, recipe.precision)
            if recipe.activation:
                objective += recipe.activation * tf.reduce_mean(dropped**2)
            if recipe.temporal:
                objective += recipe.temporal * tf.reduce_mean((hidden[1:] - hidden[:-1]) ** 2)
        gradients = [tf.convert_to_tensor(part) for part in tape.gradient(objective, [values[name] for name in names])]
        norm = tf.linalg.global_norm(gradients)
        finite = tf.math.is_finite(norm) & tf.math.is_finite(loss)
        scale = rate * tf.minimum(1.0, recipe.clip / norm) if recipe.clip else rate
        scale, decay = tf.where(finite, scale, 0.0), tf.where(finite, rate * recipe.decay, 0.0)
        for name, gradient in zip(names, gradients):
            step = tf.math.multiply_no_nan(gradient, scale)
            self._weights[name].assign_sub(step + decay * values[name] if recipe.decay else step)
        return tf.where(tf.math.is_finite(norm), loss, math.nan), after

    def _evaluation(self, inputs, targets, state, values, cell):
        hidden, after = self._hidden(inputs, state, values, cell)
        return _losses(values, hidden, targets), after

    def _prediction(self, inputs, state, values):
        hidden, after = self._hidden(inputs, state, values, ())
        return tf.matmul(hidden[-1], values["embedding"], transpose_b=True) + values["bias"], after

    def _hidden(self, inputs, state, values, cell):
        """Hidden states without dropout, and the state after them."""
        batch, units = tf.shape(inputs)[1], values["embedding"].shape[1]
        dropout = Dropout(tf.ones((self.core.masks, batch, units)), (0.0, tf.zeros(2, tf.int32)))
        return self.core.run(values, tf.gather(values["embedding"], inputs), state, dropout, cell)


def evaluation_streams(words: int, window: int) -> int:
    """Streams into which a text is cut where nothing is trained: the state is carried through most of each.

    Args:
        words: Of the text.
        window: Words of a stream that are read at once.

    Returns:
        A number from 1 to `EVALUATION_STREAMS`.
    """
    return min(EVALUATION_STREAMS, max(1, words // (LEAST_WINDOWS * window)))


def weight_shapes(core: Core, words: int) -> dict[str, tuple[int, ...]]:
    """Shape of every weight of a model by name.

    Args:
        core: Its recurrent part.
        words: Size of the vocabulary.
    """
    return {"embedding": (words, core.units), "bias": (words,), **core.shapes}


def _losses(values: Mapping[str, Any], hidden: Any, targets: Any) -> tf.Tensor:
    """Losses of a window's words `[time x batch]`, in nats."""
    flat = tf.reshape(hidden, (-1, values["embedding"].shape[1]))
    logits = tf.matmul(flat, values["embedding"], transpose_b=True) + values["bias"]
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.reshape(targets, [-1]), logits)


def _initial(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Uniform values that depend on seed and name alone; biases are 0, but those of forget gates 1."""
    if name.startswith("bias"):
        values = np.zeros(shape, np.float32)
        if name != "bias":
            values[shape[0] // 4 : shape[0] // 2] = 1.0
        return values
    return stream(seed, "language model", name).uniform(-INITIAL, INITIAL, shape).astype(np.float32)


def perplexity(loss: float) -> float:
    """Of a mean loss in nats."""
    return math.exp(min(loss, 100.0))


def reward_of_loss(loss: float, words: int) -> float:
    """A reward in [0, 1] that rises as perplexity falls: 1 - log(perplexity) / log(words).

    It is 0 for a model that is no better than guessing among all words alike, and 1 for one that is always certain and
    right. Controllers need bounded rewards; ENAS's 80 / perplexity is not.

    Args:
        loss: Mean loss of a word in nats: the logarithm of the perplexity.
        words: Size of the vocabulary.
    """
    return min(1.0, max(0.0, 1.0 - loss / math.log(words)))


def loss_of_reward(reward: float, words: int) -> float:
    """The mean loss in nats that has this reward, for rewards in (0, 1]; see `reward_of_loss`.

    Args:
        reward: In [0, 1].
        words: Size of the vocabulary.
    """
    return (1.0 - reward) * math.log(words)

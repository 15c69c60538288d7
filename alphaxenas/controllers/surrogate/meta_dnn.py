"""The meta-DNN of AlphaX: a multilayer perceptron that predicts rewards from a search space's feature vectors.

Hidden layers with ReLU, a sigmoid at the end, mean squared error, Adam, warm-started at every fit. In plain NumPy: at
these sizes that is as fast as TensorFlow on two cores, and a tabular search needs not load it.

Source: Wang et al. 2020 (AlphaX), section "Meta-DNN", and its code (512-2048-2048-512, Adam 2e-4, batch 128, 20
epochs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alphaxenas.controllers.optimizer import Adam
from alphaxenas.seeds import generator_state, restore_generator, stream

EPSILON = 1e-7
"""Of Adam, as in Keras."""


class MetaDNN:
    """Maps features `[n, d]` to rewards `[n]` in (0, 1).

    Args:
        layers: Units of the hidden layers, at least one layer.
        learning_rate: Of Adam, > 0.
        batch_size: Examples per step, >= 1.
        epochs: Passes over the examples per fit, >= 1.
        seed: The run's seed.

    Attributes:
        loss: Mean squared error of the latest fit's last epoch; None before the first fit.
    """

    def __init__(self, layers: Sequence[int], learning_rate: float, batch_size: int, epochs: int, seed: int) -> None:
        for name, value in (("batch_size", batch_size), ("epochs", epochs), *(("layers", units) for units in layers)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"Invalid value for `{name}`. Expected a whole number >= 1. Received: {value!r}")
        if not layers or not learning_rate > 0:
            if not layers:
                raise ValueError(f"Invalid value for `layers`. Expected one or more numbers. Received: {layers!r}")
            raise ValueError(f"Invalid value for `learning_rate`. Expected a number > 0. Received: {learning_rate!r}")
        self._layers, self._rate, self._batch, self._epochs = tuple(layers), learning_rate, batch_size, epochs
        self._rng = stream(seed, "meta_dnn")
        self._arrays: list[np.ndarray] = []
        self._optimizer = Adam([])
        self._shift, self._scale = np.zeros(0, np.float32), np.ones(0, np.float32)
        self.loss: float | None = None

    def fit(self, features: np.ndarray, rewards: np.ndarray) -> None:
        """Trains on from the weights there are.

        Args:
            features: Of all examples, not only new ones, `[n, d]`.
            rewards: `[n]`, in (0, 1).
        """
        features, rewards = np.asarray(features, np.float32), np.asarray(rewards, np.float32)
        if not self._arrays:
            self._begin(features.shape[1])
        self._shift, deviation = features.mean(0), features.std(0)
        self._scale = np.where(deviation > 0, 1 / np.maximum(deviation, 1e-6), 1).astype(np.float32)
        inputs = (features - self._shift) * self._scale
        for _ in range(self._epochs):
            order, loss = self._rng.permutation(len(inputs)), 0.0
            for start in range(0, len(order), self._batch):
                chosen = order[start : start + self._batch]
                loss += self._step(inputs[chosen], rewards[chosen]) * len(chosen)
        self.loss = float(loss / len(inputs))

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Rewards `[n]` of features `[n, d]`; only after a fit."""
        return self._forward((np.asarray(features, np.float32) - self._shift) * self._scale)[-1][:, 0].astype(
            np.float64
        )

    def _begin(self, inputs: int) -> None:
        """Glorot-uniform weights and zero biases, as in Keras."""
        sizes = (inputs, *self._layers, 1)
        for before, after in zip(sizes[:-1], sizes[1:]):
            bound = np.sqrt(6 / (before + after))
            self._arrays += [
                self._rng.uniform(-bound, bound, (before, after)).astype(np.float32),
                np.zeros(after, np.float32),
            ]
        self._optimizer = Adam(self._arrays, epsilon=EPSILON, as_keras=True)

    def _forward(self, inputs: np.ndarray) -> list[np.ndarray]:
        """The inputs and what every layer makes of them."""
        outputs = [inputs]
        for kernel, bias in zip(self._arrays[:-2:2], self._arrays[1:-2:2]):
            outputs.append(np.maximum(outputs[-1] @ kernel + bias, 0))
        # Beyond +-30 a sigmoid is 0 or 1 to float32, and exp would overflow.
        logits = np.clip(outputs[-1] @ self._arrays[-2] + self._arrays[-1], -30, 30)
        outputs.append(1 / (1 + np.exp(-logits)))
        return outputs

    def _gradients(self, inputs: np.ndarray, rewards: np.ndarray) -> tuple[list[np.ndarray], float]:
        """Gradients of the mean squared error, in the order of the arrays, and the error itself."""
        outputs = self._forward(inputs)
        predicted = outputs[-1][:, 0]
        error = predicted - rewards
        above = (2 / len(rewards) * error * predicted * (1 - predicted))[:, None]
        gradients: list[np.ndarray] = []
        for layer in range(len(outputs) - 2, -1, -1):
            gradients += [above.sum(0), outputs[layer].T @ above]
            if layer:
                above = (above @ self._arrays[2 * layer].T) * (outputs[layer] > 0)
        return gradients[::-1], float(np.mean(error * error))

    def _step(self, inputs: np.ndarray, rewards: np.ndarray) -> float:
        """One step of Adam on a mini-batch; returns its loss."""
        gradients, loss = self._gradients(inputs, rewards)
        self._optimizer.step(self._arrays, gradients, self._rate)
        return loss

    def state(self) -> dict[str, Any]:
        """Weights, Adam's moments and the generator."""
        return {
            "generator": generator_state(self._rng),
            "arrays": [array.copy() for array in self._arrays],
            "optimizer": self._optimizer.state(),
            "inputs": [self._shift.copy(), self._scale.copy()],
            "loss": self.loss,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        restore_generator(self._rng, state["generator"])
        self._arrays = [np.array(array, np.float32) for array in state["arrays"]]
        self._optimizer = Adam(self._arrays, epsilon=EPSILON, as_keras=True)
        self._optimizer.restore(state["optimizer"])
        self._shift, self._scale = (np.array(array, np.float32) for array in state["inputs"])
        self.loss = state["loss"]

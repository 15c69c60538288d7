"""The evaluator for models of a user's own: `build(architecture) -> keras.Model`, trained from scratch by Keras.

It works with every space whose architectures `build` understands, and with the project's image data or with arrays of
any shape. Everything that Keras keeps of a model is dropped after its evaluation, so a search of many models needs the
memory of one.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras.src.backend.common import global_state
from tensorflow.python.eager import context

from alphaxenas.contracts import Outcome, Proposal, SearchSpace
from alphaxenas.data.images import ImageData
from alphaxenas.data.pipeline import Batches
from alphaxenas.data.split import stratified_draw
from alphaxenas.evaluators import REWARDS
from alphaxenas.evaluators.rewards import reward_of
from alphaxenas.networks.export.plain_keras import keras
from alphaxenas.networks.training.loop import EVALUATION_BATCH, DivergedError, freeze_loaded_modules
from alphaxenas.seeds import derived_seed, stream


@dataclass(frozen=True, eq=False)
class ArrayData:
    """Training and validation part of a classification task, as arrays.

    Attributes:
        inputs: `[n, ...]`, as the model takes them.
        labels: Whole numbers `[n]`, from 0.
        validation_inputs: `[m, ...]`, other examples of the same kind.
        validation_labels: `[m]`.
    """

    inputs: np.ndarray
    labels: np.ndarray
    validation_inputs: np.ndarray
    validation_labels: np.ndarray

    def __post_init__(self) -> None:
        for inputs, labels in (("inputs", "labels"), ("validation_inputs", "validation_labels")):
            x, y = np.asarray(getattr(self, inputs)), np.asarray(getattr(self, labels))
            if not len(y) or len(x) != len(y) or y.ndim != 1 or y.dtype.kind not in "iu" or y.min() < 0:
                raise ValueError(
                    f"Invalid value for `{labels}`. Expected a whole number >= 0 for each of {len(x)} `{inputs}`. "
                    f"Received: {y.dtype} {y.shape}"
                )
            object.__setattr__(self, inputs, x)
            object.__setattr__(self, labels, y.astype(np.int32))

    @property
    def num_classes(self) -> int:
        """One more than the largest label."""
        return int(max(self.labels.max(), self.validation_labels.max())) + 1


class KerasModelEvaluator:
    """Trains a user's Keras models; see `contracts.Evaluator`.

    Args:
        space: Decodes the proposals' tokens.
        build: A new model for an architecture, with one output `[B, classes]`: probabilities, or logits with
            `from_logits`. If the model is compiled already, its optimiser and loss are used; else Adam and
            cross-entropy.
        data: Image data (the model gets normalised images `[B, h, w, c]`; the test part is never read), or `ArrayData`.
        batch_size: Examples a training step.
        seed: The run's seed. Every model starts from the same random state, so an architecture always gets the same
            reward.
        learning_rate: Adam's, where the model is not compiled.
        from_logits: Whether models give logits instead of probabilities.
        reward: `"last"` or `"best"`: which epoch's validation accuracy counts.
        augment: Crops and mirrors training images; for image data.
    """

    def __init__(
        self,
        space: SearchSpace,
        build: Callable[[Any], keras.Model],
        data: ImageData | ArrayData,
        batch_size: int = 32,
        seed: int = 0,
        learning_rate: float = 1e-3,
        from_logits: bool = False,
        reward: str = "last",
        augment: bool = False,
    ) -> None:
        if reward not in REWARDS:
            raise ValueError(f"Invalid value for `reward`. Expected one of {', '.join(REWARDS)}. Received: {reward!r}")
        freeze_loaded_modules()
        self._space, self._build, self._seed = space, build, seed
        self._learning_rate, self._from_logits, self._reward = learning_rate, from_logits, reward
        self._num_classes = data.num_classes
        if isinstance(data, ImageData):
            self._training: Batches | _ArrayBatches = Batches.of(data, "train", batch_size, augment)
            self._validation: Batches | _ArrayBatches = Batches.of(data, "validation", EVALUATION_BATCH)
        else:
            self._training = _ArrayBatches(data.inputs, data.labels, batch_size)
            self._validation = _ArrayBatches(data.validation_inputs, data.validation_labels, EVALUATION_BATCH)

    def evaluate(self, proposal: Proposal) -> Outcome:
        """Builds, trains and scores the model of one architecture.

        Returns:
            The outcome; `metrics` holds `parameters` and, after training, the mean `loss` of the last epoch and
            `images_per_epoch`. Whatever goes wrong with a model is an outcome of status `"failed"` whose reason names
            the architecture: `build` fails or returns something else, the model does not take the inputs or its output
            does not fit the labels, the loss is not finite, memory runs out. The random states of the process are
            afterwards what they were before.
        """
        with _own_random_states(derived_seed(self._seed, "keras") % 2**32):
            return self._evaluate(proposal)

    def _evaluate(self, proposal: Proposal) -> Outcome:
        begin = time.perf_counter()
        architecture = self._space.decode(proposal.tokens)
        metrics: dict[str, float] = {}
        model = None
        try:
            # What a user's code raises is not foreseeable, and no child may end a search: it becomes the reason.
            model = self._build(architecture)
            self._check(model)
            metrics["parameters"] = model.count_params()
            reward = self._score(model, proposal, metrics)
        except Exception as error:
            lines = str(error).strip().splitlines()
            reason = f"{type(error).__name__} for {architecture}: {lines[0] if lines else 'no message'}"
            return Outcome(proposal, 0.0, "failed", metrics, time.perf_counter() - begin, reason)
        finally:
            del model
            keras.backend.clear_session()
            gc.collect()
        return Outcome(proposal, reward, "ok", metrics, time.perf_counter() - begin)

    def state(self) -> dict[str, Any]:
        """Nothing: every model starts from scratch."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""

    def _check(self, model: Any) -> None:
        """Raises unless `model` is a model that takes the inputs and has one number per class."""
        if not isinstance(model, keras.Model):
            raise TypeError(f"`build` has to return a keras.Model. Received: {type(model).__name__}")
        inputs, _ = next(self._validation.in_order())
        outputs = model(inputs[:2], training=False)
        shape = tuple(outputs.shape) if hasattr(outputs, "shape") else f"{len(outputs)} outputs"
        if not isinstance(shape, tuple) or len(shape) != 2 or shape[1] < self._num_classes:
            raise ValueError(
                f"The model's output does not fit the labels. Expected shape (examples, {self._num_classes}). "
                f"Received: {shape}"
            )
        sums = np.asarray(outputs).sum(1)
        if not self._from_logits and np.isfinite(sums).all() and not np.allclose(sums, 1.0, atol=1e-3):
            raise ValueError(
                "The model's outputs are no probabilities: they do not sum to 1. End it with a softmax, or say "
                "from_logits=True."
            )
        if not model.compiled:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=self._from_logits)
            model.compile(keras.optimizers.Adam(self._learning_rate), loss, metrics=["accuracy"])

    def _score(self, model: keras.Model, proposal: Proposal, metrics: dict[str, float]) -> float:
        budget, accuracies = proposal.budget, []
        for epoch in range(budget.epochs):
            model.reset_metrics()
            loss, seen = 0.0, 0
            for inputs, labels in self._training.epoch(self._seed, epoch, budget.fraction):
                loss = model.train_on_batch(inputs, labels, return_dict=True)["loss"]
                seen += len(labels)
                if not np.isfinite(loss):
                    raise DivergedError(f"The loss became {loss} in epoch {epoch + 1} of {budget.epochs}.")
            metrics |= {"loss": float(loss), "images_per_epoch": seen}
            if self._reward == "best" or epoch + 1 == budget.epochs:
                accuracies.append(self._accuracy(model))
        return reward_of(accuracies, self._reward) if accuracies else self._accuracy(model)

    def _accuracy(self, model: keras.Model) -> float:
        hits = []
        for inputs, labels in self._validation.in_order():
            outputs = np.asarray(model.predict_on_batch(inputs))
            if not np.isfinite(outputs).all():
                raise DivergedError("An output is not finite in prediction.")
            hits.append(outputs.argmax(1) == np.asarray(labels))
        return float(np.mean(np.concatenate(hits)))


@contextmanager
def _own_random_states(seed: int) -> Iterator[None]:
    """Within it Python, NumPy, TensorFlow and Keras draw from `seed`; afterwards the caller's states are back."""
    kept, eager = ("global_random_seed", "global_seed_generator"), context.context()
    python, arrays, tensorflow = random.getstate(), np.random.get_state(), (eager._seed, getattr(eager, "_rng", None))
    keras_seeds, policy = [global_state.get_global_attribute(name) for name in kept], keras.config.dtype_policy()
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
        eager._seed, eager._rng = tensorflow
        # `clear_session` after each model drops what a user has set, too.
        for name, value in zip(kept, keras_seeds):
            global_state.set_global_attribute(name, value)
        keras.config.set_dtype_policy(policy)


class _ArrayBatches:
    """Batches of arrays, with the two functions of `Batches` that are needed here."""

    def __init__(self, inputs: np.ndarray, labels: np.ndarray, batch_size: int) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"Invalid value for `batch_size`. Expected a whole number >= 1. Received: {batch_size!r}")
        self._inputs, self._labels, self._batch_size = inputs, labels, batch_size

    def epoch(self, seed: int, epoch: int, fraction: float = 1.0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Every drawn example once, in random order; as `Batches.epoch`."""
        count = max(1, round(fraction * len(self._labels)))
        order = stratified_draw(self._labels, count, stream(seed, "draw", epoch))
        for chosen in np.array_split(order, -(-count // self._batch_size)):
            yield self._inputs[chosen], self._labels[chosen]

    def in_order(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All examples once, as stored."""
        for start in range(0, len(self._labels), self._batch_size):
            yield self._inputs[start : start + self._batch_size], self._labels[start : start + self._batch_size]

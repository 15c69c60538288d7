"""The one training loop of all children: searched cells, final networks and the DenseNet baseline.

A child is traced once per architecture into a training step and a prediction over raw operations (measured on two
cores, this is faster than one graph with a switch for every choice, and nothing is computed that the architecture does
not contain). Dropping the `CompiledChild` frees its graphs; `benchmarks/memory.py` holds that claim.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from alphaxenas.networks.bank import WeightBank
from alphaxenas.networks.convnet.whitening import whitening_kernel
from alphaxenas.networks.layer_interface import LayerInterface
from alphaxenas.networks.layers import Layers
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.training.recipe import Recipe
from alphaxenas.networks.training.replicas import Replicas, Share
from alphaxenas.networks.training.vectors import ChildVectors, pieces, read, total
from alphaxenas.seeds import tensor_seed

Network = Callable[[LayerInterface, Any], list[Any]]

EVALUATION_BATCH = 250
"""Images a batch where nothing is trained."""

AUXILIARY_WEIGHT = 0.4
"""Of the second classifier's loss (Zoph et al. 2018)."""


class DivergedError(RuntimeError):
    """The loss of a child is not finite."""


@dataclass(frozen=True)
class EpochResult:
    """Mean training loss, accuracy on the training images as they were met, their number, and the last rate."""

    loss: float
    accuracy: float
    images: int
    learning_rate: float


class CompiledChild:
    """A network traced over copies of its path's weights, ready to train and predict.

    All trainable values live in one flat vector that the graph splits, so that decay, clipping and the momentum
    update are a handful of operations however many kernels the path has, and a kernel that is used several times is
    one piece of the vector: it receives the summed gradient and moves once.

    Args:
        network: Builds the forward pass; see `CellNetwork`.
        bank: Where the weights come from; `store` brings them back.
        image_shape: Height, width and channels.
        recipe: See `Recipe`.
        devices: How many devices share a training step, or which; see `replicas`.

    Attributes:
        weights: Specs of the trainable arrays of the path, by name.
        statistics: Specs of its moving means and variances.
        parameters: Number of trainable values in prediction (without the auxiliary head).
        multiply_adds: Of one image's forward pass in prediction.
    """

    def __init__(
        self,
        network: Network,
        bank: WeightBank,
        image_shape: tuple[int, int, int],
        recipe: Recipe,
        devices: int | Replicas = 1,
    ) -> None:
        outline, predicted = outline_of(network, image_shape, training=True), outline_of(network, image_shape)
        self.recipe = recipe
        self.weights, self.statistics = outline.weights, outline.statistics
        self.parameters, self.multiply_adds = predicted.parameters, predicted.multiply_adds
        self._outline = outline
        self._bank = bank
        self._network = network
        self._image_shape = image_shape
        several = devices if isinstance(devices, Replicas) else Replicas(devices) if devices > 1 else None
        self._replicas = several
        self._whitened = [name for name, spec in self.statistics.items() if spec.initial == "whitening"]
        with self._replicas.scope() if self._replicas else nullcontext():
            self.vectors = ChildVectors(outline, bank, recipe)

    def state(self) -> dict[str, np.ndarray]:
        """Flat weights, slots, statistics and moving averages if any, for a checkpoint of this child alone."""
        return self.vectors.state()

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Takes over a `state()` of the same network.

        Raises:
            ValueError: It is the state of another network, or of another recipe.
        """
        self.vectors.restore(state)

    def prepare(self, batches: Iterable) -> None:
        """Sets what depends on the training images alone: the kernels of whitenings. Other networks read no image.

        Args:
            batches: Pairs of normalised images `[B, h, w, c]`, not augmented, and labels.

        Raises:
            ValueError: The images are constant.
        """
        if self._whitened:
            kernel = whitening_kernel(np.asarray(images) for images, _ in batches)
            for name in self._whitened:
                self.vectors.set_statistic(name, kernel)

    def arrays(self) -> dict[str, np.ndarray]:
        """Weights and moving statistics by name, as copies; what predictions are made with."""
        scratch = WeightBank(self._bank.seed)
        self.store(scratch)
        return {**scratch["weights"], **scratch["statistics"]}

    def store(self, bank: WeightBank | None = None) -> None:
        """Puts weights (averaged, if the recipe averages), slots and statistics of the path back into its bank, or into
        another one.
        """
        self.vectors.store(bank or self._bank)

    def train_epoch(self, batches: Iterable, steps: int, first: float, last: float, seed: int) -> EpochResult:
        """Trains on every batch once.

        Args:
            batches: Pairs of normalised images `[B, h, w, c]` and labels `[B]`.
            steps: Number of batches.
            first: Share of the whole training that is over before this epoch, for the schedules.
            last: The same after it.
            seed: For dropout and drop-path of this epoch.

        Returns:
            What the epoch measured.

        Raises:
            DivergedError: The loss, a weight or a statistic is not finite; the weights are as the last step left them.
        """
        losses, correct, images, rate = [], 0, 0, 0.0
        for step, (x, y) in enumerate(batches):
            progress = first + (last - first) * step / steps
            rate = self.recipe.rate_at(progress)
            loss, hits = self.train_step(x, y, rate, progress, tensor_seed(seed, step))
            losses.append(loss)
            if not np.isfinite(losses[-1]):
                raise DivergedError(
                    f"The loss became {losses[-1]} at step {step + 1} of {steps}, learning rate {rate:.4g}."
                )
            correct += hits
            images += len(y)
        # Rectifiers turn "not a number" into 0 and normalisation an overflow: the loss alone does not show everything.
        if not all(np.isfinite(array).all() for array in self.state().values()):
            raise DivergedError(
                f"A weight or statistic is not finite after step {steps} of {steps}, learning rate {rate:.4g}."
            )
        return EpochResult(float(np.mean(losses)), correct / images, images, rate)

    def train_step(
        self, images: tf.Tensor, labels: tf.Tensor, rate: float, progress: float = 0.0, seed: tuple[int, int] = (0, 0)
    ) -> tuple[float, int]:
        """One training step.

        Args:
            images: Normalised, `[B, h, w, c]`.
            labels: `[B]`.
            rate: Learning rate.
            progress: Share of the whole training that is over; for drop-path.
            seed: Of this step's dropout and drop-path.

        Returns:
            The loss, and how many of the images were classified correctly.
        """
        draws = np.array(seed, np.uint32).view(np.int32)
        decay = self.recipe.decay_at(self.vectors.steps, progress)
        numbers = (np.float32(self.vectors.rate(rate)), np.float32(progress), np.float32(decay), draws)
        frozen = bool(self._whitened) and progress >= self.recipe.whitening
        loss, hits = (self._frozen_step if frozen else self._step)(images, labels, *map(tf.constant, numbers))
        return float(loss), int(hits)

    def predict(self, batches: Iterable) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Logits `[B, num_classes]` and labels `[B]` of every batch, with the moving statistics."""
        for x, y in batches:
            yield self._predict(x).numpy(), np.asarray(y)

    def accuracy(self, batches: Iterable) -> float:
        """Share of the images classified correctly; every image counts once, whatever the batch sizes.

        Raises:
            DivergedError: A logit is not finite.
        """
        hits = []
        for logits, labels in self.predict(batches):
            if not np.isfinite(logits).all():
                raise DivergedError("A logit is not finite in prediction.")
            hits.append(logits.argmax(1) == labels)
        return float(np.mean(np.concatenate(hits)))

    def calibrate(self, batches: Iterable) -> None:
        """Sets the moving statistics to their mean over batches of training images, without moving any weight.

        A path whose weights other children have trained since holds statistics of other activations.
        """
        for number, (x, _) in enumerate(batches):
            self._calibrate(x, tf.constant(1.0 / (number + 1)))

    @functools.cached_property
    def _step(self) -> Callable:
        return self._traced_step(frozen=False)

    @functools.cached_property
    def _frozen_step(self) -> Callable:
        return self._traced_step(frozen=True)

    def _traced_step(self, frozen: bool) -> Callable:
        numbers = [*[tf.TensorSpec([], tf.float32)] * 3, tf.TensorSpec([2], tf.int32)]
        step = functools.partial(self._training, frozen)
        step = functools.partial(self._replicas.run, step) if self._replicas else step
        return self._traced(step, tf.TensorSpec([None], tf.int32), *numbers)

    @functools.cached_property
    def _predict(self) -> Callable:
        return self._traced(self._prediction)

    @functools.cached_property
    def _calibrate(self) -> Callable:
        return self._traced(self._calibration, tf.TensorSpec([], tf.float32))

    def _traced(self, function: Callable, *further: tf.TensorSpec) -> Callable:
        # The concrete function is called, not the `tf.function`, which would warn of retracing: here that is the
        # design.
        signature = [tf.TensorSpec([None, *self._image_shape], tf.float32), *further]
        return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()

    def _training(self, frozen, images, labels, rate, progress, decay, seed):
        recipe, share, batch = self.recipe, None, tf.shape(labels)[0]
        if self._replicas:
            share = Share(batch)
            images, labels = share.of(images), share.of(labels)
        values = read(self.vectors.weights, self.weights)
        with tf.GradientTape() as tape:
            tape.watch(values)
            layers = self._layers(values, self._kernels(), True, seed, progress, share, frozen)
            logits, *auxiliary = self._network(layers, images)
            targets = tf.one_hot(labels, logits.shape[1])
            loss = cross_entropy(logits, targets, recipe.label_smoothing, share)
            extra = [cross_entropy(more, targets, recipe.label_smoothing, share) for more in auxiliary]
            objective = loss + AUXILIARY_WEIGHT * tf.add_n(extra) if extra else loss
        gradient = tape.gradient(objective, values)
        if share:
            [gradient] = share.sum([gradient])
        measured = self._evaluated(layers) if self.statistics else None
        self.vectors.step(gradient, batch, rate, decay, measured, frozen)
        return loss, tf.reduce_sum(tf.cast(tf.argmax(logits, 1, tf.int32) == labels, tf.int32))

    def _prediction(self, images):
        weights, moving = self.vectors.averaged
        return self._network(self._layers(read(weights, self.weights), read(moving, self.statistics), False), images)[0]

    def _calibration(self, images, share):
        weights, moving = self.vectors.averaged
        layers = self._layers(read(weights, self.weights), self._kernels(), True, tf.zeros([2], tf.int32))
        self._network(layers, images)
        if self.statistics:
            # Outside a device's step: every copy is updated.
            moving.assign_sub(share * (read(moving, self.statistics) - self._evaluated(layers)))

    def _kernels(self) -> tf.Tensor | None:
        """The statistics that a training step reads: those with the kernels of whitenings."""
        return read(self.vectors.moving, self.statistics) if self._whitened else None

    def _layers(
        self,
        values: tf.Tensor,
        moving: tf.Tensor | None,
        training: bool,
        seed: tf.Tensor | None = None,
        progress: tf.Tensor | float = 0.0,
        share: Share | None = None,
        frozen: bool = False,
    ) -> Layers:
        """Layers over flat weights and moving statistics."""
        kernels = self._outline.kernels
        border = total(kernels)
        weights = pieces(tf.cast(values[:border], self.recipe.precision), kernels)
        weights |= pieces(values[border:], {**self._outline.matrices, **self._outline.vectors})
        statistics = {} if moving is None else pieces(moving, self.statistics)
        return Layers(weights, statistics, training, self.recipe.precision, seed, progress, share, frozen)

    def _evaluated(self, layers: Layers) -> tf.Tensor:
        return tf.concat([layers.measured[name] for name in self.statistics], 0)


def cross_entropy(logits: tf.Tensor, targets: tf.Tensor, smoothing: float, share: Share | None = None) -> tf.Tensor:
    """Mean cross-entropy over the batch.

    Args:
        logits: `[B, num_classes]`.
        targets: Probabilities `[B, num_classes]`.
        smoothing: Share of the targets spread over all classes.
        share: Where several devices share a batch: this one's part, of whose images the sum is taken.

    Returns:
        A scalar; with `share` this device's part of the mean.
    """
    if smoothing:
        targets = targets * (1.0 - smoothing) + smoothing / logits.shape[1]
    losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
    return tf.reduce_sum(losses) / tf.cast(share.images, tf.float32) if share else tf.reduce_mean(losses)


@functools.cache
def freeze_loaded_modules() -> None:
    """Excludes what is in memory before the first child, TensorFlow's modules above all, from garbage collection.

    Once per process, so that later collections skip it: on digits a child takes 1.76 instead of 2.03 s of processor
    time.
    """
    gc.collect()
    gc.freeze()

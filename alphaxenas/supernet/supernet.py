"""Training and scoring shared weights with a fresh architecture at every step, in one graph.

All weights of all architectures are one vector, with one vector of momentum slots. A step gathers the values
of its architecture's path, and writes back these values and slots alone: decay, clipping and momentum are those of
`CompiledChild`, over the same numbers, so that a step here moves an architecture's weights as a step of its own network
would (tested). There are no moving statistics: an architecture is scored with statistics measured on a few training
batches, because the weights have moved since any of its earlier steps.

A step whose loss or gradient is not finite, or that does not fit into memory, changes nothing and is reported, so that
one architecture cannot spoil the weights of all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from alphaxenas.networks.bank import WeightBank
from alphaxenas.networks.outline import Shaped, outline_of
from alphaxenas.networks.training.loop import AUXILIARY_WEIGHT, CompiledChild, cross_entropy
from alphaxenas.networks.training.recipe import Recipe
from alphaxenas.networks.training.vectors import vector
from alphaxenas.suggestions import invalid
from alphaxenas.supernet.choice_array import Path
from alphaxenas.supernet.supernetworks import Supernetwork
from alphaxenas.supernet.switched import SwitchedLayers
from alphaxenas.supernet.switched_outline import GROUPS, SwitchedOutline

PATHS_KEPT = 128


class Supernet:
    """Shared weights of a space, ready to train and score any architecture without building a graph for it.

    Args:
        network: All networks of the space.
        image_shape: Height, width and channels.
        recipe: See `Recipe`; with momentum, and without a moving average of the weights.
        seed: Of the initial weights, which are those of a `WeightBank` of this seed.

    Attributes:
        parameters: Number of trainable values of all architectures together.
    """

    def __init__(self, network: Supernetwork, image_shape: tuple[int, int, int], recipe: Recipe, seed: int) -> None:
        if recipe.optimizer != "momentum" or recipe.average:
            received = f"{recipe.optimizer!r} and {recipe.average}"
            raise invalid("optimizer", "'momentum' and 0 for shared weights", received, "or `average`")
        self.recipe, self.seed = recipe, seed
        self._network, self._image_shape = network, image_shape
        self._outline = SwitchedOutline()
        network(self._outline, Shaped((None, *image_shape)))
        self._outline.finish()
        self.parameters = self._outline.parameters
        values = WeightBank(seed).take("weights", self._outline.weights)
        self._values, self._slots = vector(values), vector(np.zeros_like(values))
        self._path = functools.lru_cache(PATHS_KEPT)(self._find_path)

    def train_step(
        self,
        architecture: Any,
        images: tf.Tensor,
        labels: tf.Tensor,
        rate: float,
        progress: float = 0.0,
        seed: tuple[int, int] = (0, 0),
    ) -> tuple[float, int]:
        """One training step of one architecture.

        Args:
            architecture: Of the space.
            images: Normalised, `[B, h, w, c]`.
            labels: `[B]`.
            rate: Learning rate.
            progress: Share of the whole training that is over; for drop-path.
            seed: Of this step's dropout and drop-path.

        Returns:
            The loss, which is not finite where the step was left out, and how many images were classified correctly.
        """
        draws = np.array(seed, np.uint32).view(np.int32)
        numbers = map(tf.constant, (np.float32(rate), np.float32(progress), draws))
        try:
            loss, hits = self._step(images, labels, *self._path(architecture), *numbers)
        except tf.errors.ResourceExhaustedError:
            # The values are written after everything is computed: nothing has changed.
            return float("nan"), 0
        return float(loss), int(hits)

    def measure(self, architecture: Any, batches: Iterable) -> np.ndarray:
        """Measures the statistics of an architecture.

        Args:
            architecture: Of the space.
            batches: `(images, labels)` pairs of training images; at least one.

        Returns:
            Batch means and variances, averaged over the batches: float32 `[n]`, in the order of the path.
        """
        path = self._path(architecture)
        return np.stack([self._statistics(images, *path).numpy() for images, _ in batches]).mean(0, np.float32)

    def predict(self, architecture: Any, images: tf.Tensor, statistics: np.ndarray) -> np.ndarray:
        """Applies an architecture.

        Args:
            architecture: Of the space.
            images: Normalised, `[B, h, w, c]`.
            statistics: As of `measure`.

        Returns:
            Logits `[B, num_classes]`.
        """
        return self._predict(images, *self._path(architecture), statistics).numpy()

    def accuracy(self, architecture: Any, calibration: Iterable, batches: Iterable) -> float:
        """Share of images classified correctly; 0 where a logit is not finite or memory does not suffice.

        Args:
            architecture: Of the space.
            calibration: Batches of training images, for the statistics.
            batches: `(images, labels)` pairs of the images to classify.

        Returns:
            A share in [0, 1].
        """
        hits = []
        try:
            statistics = self.measure(architecture, calibration)
            for images, labels in batches:
                logits = self.predict(architecture, images, statistics)
                if not np.isfinite(logits).all():
                    return 0.0
                hits.append(logits.argmax(1) == np.asarray(labels))
        except tf.errors.ResourceExhaustedError:
            return 0.0
        return float(np.mean(np.concatenate(hits)))

    def child(self, architecture: Any) -> CompiledChild:
        """The architecture's own network with the present weights and slots; to be calibrated before it predicts."""
        bank = WeightBank(self.seed)
        self.store(bank)
        return CompiledChild(self._network.network(architecture), bank, self._image_shape, self.recipe)

    def store(self, bank: WeightBank) -> None:
        """Puts all weights and slots into a bank."""
        bank.put("weights", self._outline.weights, self._values.numpy())
        bank.put("slots", self._outline.weights, self._slots.numpy())

    def take(self, bank: WeightBank) -> None:
        """Takes over all weights and slots of a bank."""
        self._values.assign(bank.take("weights", self._outline.weights))
        self._slots.assign(bank.take("slots", self._outline.weights))

    def state(self) -> dict[str, np.ndarray]:
        """Weights and slots, for a checkpoint."""
        return {"values": self._values.numpy(), "slots": self._slots.numpy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Takes over a `state()` of the same space and network."""
        self._values.assign(state["values"])
        self._slots.assign(state["slots"])

    def parameters_of(self, architecture: Any) -> int:
        """Trainable values of one architecture, in prediction."""
        return outline_of(self._network.network(architecture), self._image_shape).parameters

    def _find_path(self, architecture: Any) -> tuple[np.ndarray, ...]:
        outline = outline_of(self._network.network(architecture), self._image_shape, training=True)
        path: Path = self._outline.path(self._network.choices(architecture), outline)
        sizes = np.stack([path.sizes[group] for group in GROUPS])
        return tuple(map(tf.constant, (path.choices, path.indices, np.int32(path.decayed), sizes)))

    @property
    def _path_specs(self) -> list[tf.TensorSpec]:
        shapes: tuple[list[int | None], ...]
        shapes = ([self._outline.choices], [None], [], [len(GROUPS), self._outline.places])
        return [tf.TensorSpec(shape, tf.int32) for shape in shapes]

    @functools.cached_property
    def _step(self) -> Callable:
        numbers = [tf.TensorSpec([], tf.float32), tf.TensorSpec([], tf.float32), tf.TensorSpec([2], tf.int32)]
        return self._traced(self._training, [tf.TensorSpec([None], tf.int32)], numbers)

    @functools.cached_property
    def _statistics(self) -> Callable:
        def measure(images, *path):
            layers = self._layers(path, self._gathered(path), True, tf.zeros([2], tf.int32))
            self._network(layers, images)
            return layers.measured_statistics()

        return self._traced(measure, [], [])

    @functools.cached_property
    def _predict(self) -> Callable:
        def predict(images, choices, indices, decayed, sizes, statistics):
            path = choices, indices, decayed, sizes
            return self._network(self._layers(path, self._gathered(path), False, statistics=statistics), images)[0]

        return self._traced(predict, [], [tf.TensorSpec([None], tf.float32)])

    def _traced(self, function: Callable, before: Sequence[tf.TensorSpec], after: Sequence[tf.TensorSpec]) -> Callable:
        signature = [tf.TensorSpec([None, *self._image_shape], tf.float32), *before, *self._path_specs, *after]
        concrete = tf.function(function, input_signature=signature, autograph=False).get_concrete_function()

        def call(*arguments):
            with _plain_graphs():
                return concrete(*arguments)

        return call

    def _training(self, images, labels, choices, indices, decayed, sizes, rate, progress, seed):
        recipe, path = self.recipe, (choices, indices, decayed, sizes)
        loss, logits, values, gradient = self._loss(images, labels, path, progress, seed)
        if recipe.weight_decay:
            gradient += recipe.weight_decay * values * tf.sequence_mask(decayed, tf.size(values), tf.float32)
        norm = tf.norm(gradient)
        if recipe.gradient_clip:
            gradient *= tf.minimum(1.0, recipe.gradient_clip / tf.maximum(norm, 1e-20))
        slots = tf.gather(self._slots, indices)
        moved = recipe.momentum * slots + gradient
        finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
        after = values - rate * (gradient + recipe.momentum * moved)
        for variable, new, old in ((self._values, after, values), (self._slots, moved, slots)):
            tf.raw_ops.ResourceScatterUpdate(
                resource=variable.handle, indices=indices, updates=tf.where(finite, new, old)
            )
        reported = tf.where(tf.math.is_finite(norm), loss, float("nan"))
        return reported, tf.reduce_sum(tf.cast(tf.argmax(logits, 1, tf.int32) == labels, tf.int32))

    def _loss(self, images, labels, path, progress, seed):
        values = self._gathered(path)
        with tf.GradientTape() as tape:
            tape.watch(values)
            logits, *auxiliary = self._network(self._layers(path, values, True, seed, progress), images)
            targets = tf.one_hot(labels, logits.shape[1])
            loss = cross_entropy(logits, targets, self.recipe.label_smoothing)
            extra = [cross_entropy(more, targets, self.recipe.label_smoothing) for more in auxiliary]
            total = loss + AUXILIARY_WEIGHT * tf.add_n(extra) if extra else loss
        return loss, logits, values, tape.gradient(total, values)

    def _gathered(self, path) -> tf.Tensor:
        return tf.gather(self._values, path[1])

    def _layers(self, path, values, training: bool, seed=None, progress=0.0, statistics=None) -> SwitchedLayers:
        choices, _, _, sizes = path
        sizes = dict(zip(GROUPS, tf.unstack(sizes)))
        totals = [tf.reduce_sum(sizes[group]) for group in GROUPS[:-1]]
        kernels, matrices, vectors = tf.split(values, tf.stack(totals), num=3)
        pieces = {
            group: tf.split(flat, sizes[group], num=self._outline.places)
            for group, flat in zip(GROUPS, (tf.cast(kernels, self.recipe.precision), matrices, vectors, statistics))
            if flat is not None
        }
        return SwitchedLayers(self._outline, pieces, choices, training, self.recipe.precision, seed, progress)


@contextmanager
def _plain_graphs() -> Iterator[None]:
    """TensorFlow's graph optimiser off while a call runs, except on a GPU, whose layouts it chooses.

    It gains nothing measurable here, and reports branches whose statistics differ in length as errors.
    """
    before = tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)
    if not before and not tf.config.list_physical_devices("GPU"):
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": before})

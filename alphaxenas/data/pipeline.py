"""`Batches`: training batches drawn, augmented and normalised in one TensorFlow graph, without Python per image.

The images stay one uint8 tensor on the device; of a large set on disk, each batch is read while the one before is used.
Crop and flip are index arithmetic: each output pixel is gathered from where it comes from, so an augmented batch costs
one gather, one multiplication and one addition.

Departure from the usual recipe: where a crop reaches beyond the image, the image is mirrored at its border instead of
continued with zeros. No artificial dark frame is ever shown to a network.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from alphaxenas.data.images import ImageData, Part
from alphaxenas.data.split import stratified_draw
from alphaxenas.data.stored import StoredImages
from alphaxenas.seeds import stream, tensor_seed
from alphaxenas.suggestions import check_whole, invalid

PIXELS_PER_PAD = 8
AHEAD = 3
"""Batches that are read from disk before they are asked for."""

Batch = tuple[tf.Tensor, tf.Tensor]


class Batches:
    """Batches of one part of a data set.

    `B` denotes the batch dimension. The graph is traced once, whatever the batch sizes.

    Args:
        part: Images and labels, `[n, h, w, c]` and `[n]`.
        mean: float `[c]`, of images scaled to [0, 1].
        std: float `[c]`, standard deviation on the same scale, above 0.
        batch_size: Largest B.
        augment: Whether `epoch` crops, flips and cuts out. `in_order` never does.
        cutout: Side in pixels of the square set to the mean colour at a random place, clipped at the image's border;
            0 for none.
        pad: Pixels a crop may reach beyond the image on each side; None for one per eight of the shorter side (4 for
            32x32, 1 for 8x8; none where it is one pixel).
        flip: Whether augmentation mirrors half of the images.
        alternating: Whether every image is mirrored in every second epoch, instead of by chance. Which images begin is
            drawn once. Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3.6.

    Raises:
        ValueError: A parameter is impossible.
    """

    def __init__(
        self,
        part: Part,
        mean: np.ndarray,
        std: np.ndarray,
        batch_size: int,
        augment: bool = False,
        cutout: int = 0,
        pad: int | None = None,
        flip: bool = True,
        alternating: bool = False,
    ) -> None:
        height, width, channels = part.images.shape[1:]
        shorter = min(height, width)
        pad = min(max(1, shorter // PIXELS_PER_PAD), shorter - 1) if pad is None else pad
        check_whole("batch_size", batch_size)
        check_whole("pad", pad, 0, shorter - 1)
        check_whole("cutout", cutout, 0, shorter)
        if len(part) == 0:
            raise invalid("part", "at least one image", "none")
        if np.shape(mean) != (channels,) or np.shape(std) != (channels,) or not np.all(np.asarray(std) > 0):
            raise invalid("mean", f"{channels} numbers each, deviations above 0", f"{mean} and {std}", "or `std`")
        self.batch_size = batch_size
        self.augment = augment
        self.image_shape = (height, width, channels)
        self._labels_host = part.labels
        self._cutout, self._pad, self._flip, self._alternating = cutout, pad, flip, alternating
        self._stored = part.images if isinstance(part.images, StoredImages) else None
        if self._stored is None:
            self._tables = self._tensors(np.asarray(part.images), part.labels)
        # (x / 255 - mean) / std as one multiplication and one addition, laid out along the image: broadcasting over
        # three channels alone is too short for vector instructions and takes twice as long.
        scale = 1 / (255 * np.asarray(std, np.float64))
        offset = -np.asarray(mean, np.float64) / np.asarray(std, np.float64)
        self._scale = tf.constant(np.tile(scale, height * width), tf.float32)
        self._offset = tf.constant(np.tile(offset, height * width), tf.float32)
        tables = [tf.TensorSpec([None, channels], tf.uint8), tf.TensorSpec([None], tf.int32)]
        indices, seed, turned = (
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([2], tf.int32),
            tf.TensorSpec([None], tf.bool),
        )
        self._plain = tf.function(self._plain_batch, input_signature=[*tables, indices], autograph=False)
        self._augmented = tf.function(
            self._augmented_batch, input_signature=[*tables, indices, seed, turned], autograph=False
        )

    @classmethod
    def of(
        cls,
        data: ImageData,
        part: str,
        batch_size: int,
        augment: bool = False,
        cutout: int = 0,
        pad: int | None = None,
        alternating: bool = False,
    ) -> Batches:
        """Batches with the data set's own statistics and flip rule.

        Args:
            data: A data set.
            part: `"train"`, `"validation"` or `"test"`.
            batch_size: Most images in a batch.
            augment: Whether `epoch` crops, flips and cuts out.
            cutout: Side in pixels of the square cut out; 0 for none.
            pad: Pixels a crop may reach beyond the image; None as for `Batches`.
            alternating: Whether images are mirrored in every second epoch instead of by chance.

        Returns:
            Batches of that part.

        Raises:
            ValueError: There is no such part, or a parameter is impossible.
        """
        parts = {"train": data.train, "validation": data.validation, "test": data.test}
        if part not in parts:
            raise invalid("part", f"one of {', '.join(parts)}", repr(part))
        return cls(parts[part], data.mean, data.std, batch_size, augment, cutout, pad, data.flip, alternating)

    def __len__(self) -> int:
        """Number of images."""
        return len(self._labels_host)

    def images_drawn(self, fraction: float = 1.0) -> int:
        """Number of images one epoch shows: `round(fraction * n)`, at least 1."""
        if not 0 < fraction <= 1:
            raise invalid("fraction", "a number in (0, 1]", fraction)
        return max(1, round(fraction * len(self)))

    def steps(self, fraction: float = 1.0) -> int:
        """Number of batches of one epoch."""
        return -(-self.images_drawn(fraction) // self.batch_size)

    def epoch(
        self,
        seed: int,
        epoch: int,
        fraction: float = 1.0,
        rng_stream: tuple[object, ...] = (),
        augment: bool | None = None,
    ) -> Iterator[Batch]:
        """Training batches of one epoch: every drawn image once, in random order, batch sizes differing by 1 at most.

        Equal arguments give equal batches. Which images belong to the fraction is drawn for every epoch, stratified.

        Args:
            seed: The run's seed.
            epoch: Number of the epoch.
            fraction: Share of the images to draw, in (0, 1].
            rng_stream: Further names of the consumer, e.g. `("trial", 7)`; another name, other draws.
            augment: Whether to crop, mirror and cut out; None: as these batches do. False for calibration.

        Returns:
            Iterator over normalised images float32 `[B, h, w, c]` and labels int32 `[B]`.
        """
        count = self.images_drawn(fraction)
        order = stratified_draw(self._labels_host, count, stream(seed, "draw", *rng_stream, epoch))
        chunks = np.array_split(order, self.steps(fraction))
        augment = self.augment if augment is None else augment
        # By number of the image: whether it is mirrored in this epoch.
        turned = np.zeros(len(self), bool)
        if self._alternating:
            turned = (stream(seed, "mirror", *rng_stream).integers(2, size=len(self)) + epoch) % 2 == 1

        def batches() -> Iterator[Batch]:
            for number, (images, labels, places) in enumerate(self._read(chunks)):
                if augment:
                    drawn = tensor_seed(seed, "augment", *rng_stream, epoch, number)
                    yield self._augmented(images, labels, places, drawn, turned[chunks[number]])
                else:
                    yield self._plain(images, labels, places)

        return batches()

    def in_order(self) -> Iterator[Batch]:
        """All images once, as stored and without augmentation, for evaluation; the last batch may be shorter."""
        stops = range(self.batch_size, len(self), self.batch_size)
        for images, labels, places in self._read(np.split(np.arange(len(self)), stops)):
            yield self._plain(images, labels, places)

    def _read(self, chunks: Sequence[np.ndarray]) -> Iterator[tuple[tf.Tensor, tf.Tensor, np.ndarray]]:
        """For each chunk of indices: pixels and labels in which it is found, and where in them."""
        stored = self._stored
        if stored is None:
            for indices in chunks:
                yield *self._tables, indices
            return

        def read(indices: np.ndarray) -> tuple[tf.Tensor, tf.Tensor, np.ndarray]:
            return *self._tensors(stored[indices], self._labels_host[indices]), np.arange(len(indices))

        with ThreadPoolExecutor(1, "images from disk") as reader:
            coming = deque(reader.submit(read, indices) for indices in chunks[:AHEAD])
            for number in range(len(chunks)):
                if number + AHEAD < len(chunks):
                    coming.append(reader.submit(read, chunks[number + AHEAD]))
                yield coming.popleft().result()

    @staticmethod
    def _tensors(images: np.ndarray, labels: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        """Pixels uint8 `[n * h * w, c]` and labels int32 `[n]`."""
        return tf.reshape(tf.constant(images), [-1, images.shape[-1]]), tf.constant(labels)

    def _plain_batch(self, pixels: tf.Tensor, labels: tf.Tensor, indices: tf.Tensor) -> Batch:
        height, width, channels = self.image_shape
        images = tf.gather(tf.reshape(pixels, [-1, height * width * channels]), indices)
        return self._normalise(images), tf.gather(labels, indices)

    def _augmented_batch(
        self, pixels: tf.Tensor, labels: tf.Tensor, indices: tf.Tensor, seed: tf.Tensor, turned: tf.Tensor
    ) -> Batch:
        height, width, _ = self.image_shape
        # int64 throughout: TensorFlow computes int32 indices on the host even when a GPU is there.
        random = tf.random.stateless_uniform([5, tf.shape(indices)[0]], seed)
        shift_rows, shift_columns = (self._whole(random[k], 2 * self._pad + 1) - self._pad for k in (0, 1))
        rows = tf.range(height, dtype=tf.int64) + shift_rows[:, None]
        columns = tf.range(width, dtype=tf.int64) + shift_columns[:, None]
        rows, columns = _mirror(rows, height), _mirror(columns, width)
        if self._flip:
            turned = turned if self._alternating else random[2] < 0.5
            columns = tf.where(turned[:, None], tf.reverse(columns, [1]), columns)
        sources = ((indices[:, None] * height + rows) * width)[:, :, None] + columns[:, None, :]
        images = self._normalise(tf.gather(pixels, sources))
        if self._cutout:
            images = self._cut_out(images, self._whole(random[3], height), self._whole(random[4], width))
        return images, tf.gather(labels, indices)

    def _cut_out(self, images: tf.Tensor, centre_rows: tf.Tensor, centre_columns: tf.Tensor) -> tf.Tensor:
        """Sets a square around each centre `[B]` to 0, the mean colour."""
        height, width, channels = self.image_shape
        cut_rows = _near(centre_rows, height, self._cutout)
        cut_columns = tf.repeat(_near(centre_columns, width, self._cutout), channels, axis=1)
        kept = 1 - cut_rows[:, :, None] * cut_columns[:, None, :]
        return tf.reshape(tf.reshape(images, [-1, height, width * channels]) * kept, [-1, height, width, channels])

    def _normalise(self, pixels: tf.Tensor) -> tf.Tensor:
        """uint8 pixels in any layout to normalised images `[B, h, w, c]`."""
        height, width, channels = self.image_shape
        flat = tf.cast(tf.reshape(pixels, [-1, height * width * channels]), tf.float32)
        return tf.reshape(flat * self._scale + self._offset, [-1, height, width, channels])

    @staticmethod
    def _whole(uniform: tf.Tensor, limit: int) -> tf.Tensor:
        """Whole numbers 0..limit-1 from uniform numbers in [0, 1)."""
        return tf.cast(tf.floor(uniform * limit), tf.int64)


def views(images: np.ndarray, flip: bool = True) -> Iterator[tuple[float, np.ndarray]]:
    """What a network is shown of images when it is tested, to average its logits: six views with their weights.

    The image as it is, moved up and left by a pixel, moved down and right by a pixel, with the border mirrored; and the
    mirror images of all three.

    Args:
        images: `[B, h, w, c]`.
        flip: Whether mirror images are among them.

    Yields:
        Weight and images of a view; the weights of the unmoved ones add up to 1/2, those of the others too.

    Source: Jordan 2024, published evaluation of `airbench94`.
    """
    height, width = images.shape[1:3]
    wide = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], "reflect")
    share = 0.5 if flip else 1.0
    for weight, start in ((0.5, 1), (0.25, 0), (0.25, 2)):
        moved = wide[:, start : start + height, start : start + width]
        yield weight * share, moved
        if flip:
            yield weight * share, moved[:, :, ::-1]


def _mirror(positions: tf.Tensor, size: int) -> tf.Tensor:
    """Positions beyond 0..size-1 reflected at the outermost pixel, which is not repeated."""
    return (size - 1) - tf.abs((size - 1) - tf.abs(positions))


def _near(centres: tf.Tensor, size: int, side: int) -> tf.Tensor:
    """float32 `[B, size]`: 1 at the positions within a stretch of `side` around each centre, 0 elsewhere."""
    first = centres[:, None] - side // 2
    positions = tf.range(size, dtype=tf.int64)
    return tf.cast((positions >= first) & (positions < first + side), tf.float32)

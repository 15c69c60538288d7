"""`load_data`: any data set as three stratified parts, with the statistics of the training part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.data.download import DataError
from alphaxenas.data.own.sources import check_sources, read_examples
from alphaxenas.data.published import PUBLISHED, Examples
from alphaxenas.data.split import stratified_draw, take_out
from alphaxenas.data.stored import Images, StoredImages, in_chunks, pick
from alphaxenas.seeds import stream
from alphaxenas.suggestions import check_name, check_whole, invalid

if TYPE_CHECKING:
    import pandas

DATASETS = ("digits", *PUBLISHED, "arrays", "image_folder", "parquet")
MIRRORING = ("auto", "always", "never")

# Held out from the training part for validation, where the publisher gives a test part.
_VALIDATION_IMAGES = 5_000
# Share held out for validation, and again for test, where the publisher gives no test part.
_HELD_OUT = 0.2
# Of images that stay on disk, so many are read for their mean and deviation.
_STATISTICS_IMAGES = 20_000


@dataclass(frozen=True, eq=False)
class Part:
    """Images with their labels, read-only.

    Attributes:
        images: uint8 `[n, h, w, c]`; large sets stay on disk, and indexing reads what is asked for.
        labels: int32 `[n]`, 0..num_classes-1.
    """

    images: Images
    labels: np.ndarray

    def __post_init__(self) -> None:
        if isinstance(self.images, np.ndarray):
            self.images.flags.writeable = False
        self.labels.flags.writeable = False

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class ImageData:
    """A data set ready for training.

    Attributes:
        name: One of `DATASETS`.
        train: What children learn from.
        validation: What the search is rewarded by.
        test: Touched by final training alone, once.
        mean: float32 `[c]`, of the training part scaled to [0, 1].
        std: float32 `[c]`, standard deviation on the same scale; 1 for a channel that never changes.
        class_names: One per class.
        flip: Whether augmentation may mirror the images; false where a mirrored image no longer shows its class.
        labels_in_file: What stands in the user's file for each class; empty where that is its number or its name.
        source: The user's file or folder, or the data set's name.
        fingerprint: Of all images and labels, before the split; empty for data made in memory.
        read_with: The arguments of `read_examples` that tell how a user's data are read again.
    """

    name: str
    train: Part
    validation: Part
    test: Part
    mean: np.ndarray
    std: np.ndarray
    class_names: tuple[str, ...]
    flip: bool
    labels_in_file: tuple[str, ...] = ()
    source: str = ""
    fingerprint: str = ""
    read_with: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, Any]:
        """What a run keeps of its data, to be told when they change; empty for data made in memory."""
        known: dict[str, Any] = {"source": self.source, "fingerprint": self.fingerprint}
        if self.read_with:
            known["read_with"] = dict(self.read_with)
        return known | {"labels_in_file": list(self.labels_in_file)} if self.fingerprint else {}

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels


def load_data(
    dataset: str = "digits",
    data_dir: str | Path = "data",
    arrays_path: str | Path = "",
    validation_size: int = 0,
    test_size: int = 0,
    fraction: float = 1.0,
    seed: int = 0,
    image_layout: str = "auto",
    labels_path: str | Path = "",
    images_path: str | Path = "",
    image_size: int = 0,
    label_column: str = "",
    mirror: str = "auto",
) -> ImageData:
    """Reads a data set, fetching it first if need be, and splits it.

    The publisher's test part is the test part. Validation images are drawn from the publisher's training part by seed,
    stratified: 5,000 of them by default, so 45,000/5,000/10,000 for CIFAR, and one fifth at most. Where there is no
    such test part (`digits`, most data of one's own) one fifth is drawn for test and one fifth for validation. The
    split does not depend on `fraction`.

    Args:
        dataset: One of `DATASETS`.
        data_dir: Folder with the publishers' files, or where they are downloaded to.
        arrays_path: The user's `.npz` file with x and y, or `.npy` file of images, for `arrays` alone.
        validation_size: Number of validation images; 0 for the default.
        test_size: Number of test images, where the publisher gives no test part; 0 for the default.
        fraction: Share of the training images kept at all, stratified, in (0, 1].
        seed: The run's seed.
        image_layout: How the axes of a user's `x` are meant, one of `LAYOUTS`.
        labels_path: The `.npy` file of labels that belongs to an `.npy` file of images.
        images_path: The user's folder of images for `image_folder`; a file or folder of Parquet files for `parquet`.
        image_size: Side in pixels that the images of these two are brought to; 0: they are of one size.
        label_column: The column of labels, for `parquet`; empty for the only one.
        mirror: Whether augmentation mirrors images, one of `MIRRORING`; auto: where the data set says that it may.

    Returns:
        The three parts, with mean and deviation of the training images that are kept.

    Raises:
        ValueError: A parameter is unknown, ill-typed or impossible.
        DataError: The files are missing, corrupt, or have too few examples of a class for the split (a ValueError too).
        OSError: No space is left, or the folder cannot be written.
    """
    _check_parameters(dataset, validation_size, test_size, fraction, seed)
    check_sources(dataset, str(arrays_path), str(labels_path), str(images_path), image_size, label_column)
    check_name("mirror", mirror, MIRRORING)
    own: dict[str, Any] = {"dataset": dataset, "data_dir": str(data_dir), "image_layout": image_layout}
    own |= {"arrays_path": str(arrays_path), "labels_path": str(labels_path), "images_path": str(images_path)}
    own |= {"image_size": image_size, "label_column": label_column}
    examples, source = read_examples(**own), str(arrays_path) or str(images_path)
    data = split_examples(examples, dataset, validation_size, test_size, fraction, seed)
    if mirror != "auto":
        data = replace(data, flip=mirror == "always")
    fingerprint = examples.fingerprint()
    return replace(data, source=source or dataset, fingerprint=fingerprint, read_with=own if source else {})


def split_examples(
    examples: Examples, name: str, validation_size: int, test_size: int, fraction: float, seed: int
) -> ImageData:
    """Splits what a publisher gives into three parts.

    Args:
        examples: The data set as published.
        name: What messages call it.
        validation_size: As for `load_data`, and so are the next three.
        test_size: Number of test images where the publisher gives none.
        fraction: Share of the training images to keep, in (0, 1].
        seed: Of the split.

    Returns:
        The three parts.

    Raises:
        DataError: As for `load_data`.
    """
    _check_labels(examples, name)
    labels = examples.labels
    rest, share = np.arange(len(labels)), round(_HELD_OUT * len(labels))
    parts = [
        Part(images, numbers)
        for images, numbers in (
            (examples.test_images, examples.test_labels),
            (examples.validation_images, examples.validation_labels),
        )
        if images is not None and numbers is not None
    ]
    # A single part that is held out is what results are compared by: the test part, whatever its name.
    test, validation = (*parts, None, None)[:2]
    for part_name, size, part in (("test_size", test_size, test), ("validation_size", validation_size, validation)):
        if size and part is not None:
            raise invalid(part_name, f"0, because {name} comes with its own {part_name.split('_')[0]} part", size)
    test_size = 0 if test else test_size or share
    validation_size = 0 if validation else validation_size or (min(share, _VALIDATION_IMAGES) if test else share)
    held_out = validation_size + test_size
    if held_out >= len(labels):
        raise DataError(
            f"{name} has {len(labels):,} images to split, and {held_out:,} of them were asked for validation and test: "
            "none would be left for training. Make `validation_size` or `test_size` smaller."
        )
    if test is None:
        taken, rest = take_out(labels, rest, test_size, stream(seed, "test split"))
        test = Part(pick(examples.images, taken), labels[taken])
    if validation is None:
        taken, rest = take_out(labels, rest, validation_size, stream(seed, "validation split"))
        validation = Part(pick(examples.images, taken), labels[taken])
    if fraction < 1:
        kept = max(1, round(fraction * len(rest)))
        rest = np.sort(rest[stratified_draw(labels[rest], kept, stream(seed, "kept images"))])
    train = Part(pick(examples.images, rest), labels[rest])
    for part_name, part in (("training", train), ("validation", validation), ("test", test)):
        _check_classes(part, part_name, name, examples.class_names)
    mean, std = channel_statistics(train.images)
    return ImageData(
        name, train, validation, test, mean, std, examples.class_names, examples.flip, examples.labels_in_file
    )


def channel_statistics(images: Images) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation per channel of images scaled to [0, 1].

    Args:
        images: uint8 `[n, h, w, c]`; of those on disk 20,000 count, at equal distances.

    Returns:
        Two float32 arrays `[c]`; the deviation of a channel that never changes is 1, so that it divides safely.
    """
    channels = images.shape[-1]
    histogram = np.zeros((channels, 256), np.int64)
    if isinstance(images, StoredImages):
        images = images.pick(np.arange(0, len(images), -(-len(images) // _STATISTICS_IMAGES)))
    for chunk in in_chunks(images):
        pixels = chunk.reshape(-1, channels)
        for channel in range(channels):
            histogram[channel] += np.bincount(pixels[:, channel], minlength=256)
    levels = np.arange(256) / 255
    shares = histogram / histogram.sum(axis=1, keepdims=True)
    mean = shares @ levels
    variance = np.sum(shares * (levels - mean[:, None]) ** 2, axis=1)
    std = np.where(np.count_nonzero(histogram, axis=1) > 1, np.sqrt(variance), 1.0)
    return mean.astype(np.float32), std.astype(np.float32)


def describe(data: ImageData) -> pandas.DataFrame:
    """Number of images of every class in every part, with a last row of sums."""
    import pandas

    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    counts = {name: np.bincount(part.labels, minlength=data.num_classes) for name, part in parts.items()}
    table = pandas.DataFrame(counts, index=pandas.Index(data.class_names, name="class"))
    table.loc["all"] = table.sum()
    if data.labels_in_file:
        table.insert(0, "label in the file", [*data.labels_in_file, ""])
    return table


def _check_parameters(
    dataset: object, validation_size: object, test_size: object, fraction: object, seed: object
) -> None:
    check_name("dataset", dataset, DATASETS)
    for name, value in (("validation_size", validation_size), ("test_size", test_size), ("seed", seed)):
        check_whole(name, value, 0)
    if not isinstance(fraction, Real) or isinstance(fraction, bool) or not 0 < float(fraction) <= 1:
        raise invalid("fraction", "a number in (0, 1]", repr(fraction))
    if test_size and dataset in PUBLISHED:
        raise invalid("test_size", f"0, because {dataset} comes with its own test part", test_size)


def _check_labels(examples: Examples, name: str) -> None:
    classes = len(examples.class_names)
    for labels in (examples.labels, examples.test_labels, examples.validation_labels):
        if labels is not None and len(labels) and not (labels.min() >= 0 and labels.max() < classes):
            raise DataError(
                f"{name}: labels out of range. Expected 0..{classes - 1} for {classes} classes. "
                f"Received: {labels.min()} to {labels.max()}"
            )
    if classes < 2:
        raise DataError(f"{name}: expected at least two classes. Received: {classes}")


def _check_classes(part: Part, part_name: str, name: str, class_names: tuple[str, ...]) -> None:
    counts = np.bincount(part.labels, minlength=len(class_names))
    if not counts.all():
        empty = class_names[int(np.argmin(counts))]
        raise DataError(
            f"{name}: too few examples of class {empty!r} (of {len(class_names):,}) for the split: none of them is "
            f"among the {len(part):,} {part_name} images. Add examples, or choose another `validation_size`, "
            "`test_size` or `fraction`."
        )

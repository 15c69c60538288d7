"""`load_data`: any data set as three stratified parts, with the statistics of the training part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.data.download import DataError
from alphaxenas.data.published import PUBLISHED, Examples, read_digits, read_user_arrays
from alphaxenas.data.split import stratified_draw, take_out
from alphaxenas.seeds import stream
from alphaxenas.suggestions import check_name, check_whole, invalid

if TYPE_CHECKING:
    import pandas

DATASETS = ("digits", *PUBLISHED, "arrays")

# Held out from the training part for validation, where the publisher gives a test part.
_VALIDATION_IMAGES = 5_000
# Share held out for validation, and again for test, where the publisher gives no test part.
_HELD_OUT = 0.2
_STATISTICS_CHUNK = 1_000


@dataclass(frozen=True, eq=False)
class Part:
    """Images with their labels, read-only.

    Attributes:
        images: uint8 `[n, h, w, c]`.
        labels: int32 `[n]`, 0..num_classes-1.
    """

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
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
        source: The user's file, or the data set's name.
        fingerprint: Of all images and labels, before the split; empty for data made in memory.
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

    @property
    def identity(self) -> dict[str, Any]:
        """What a run keeps of its data, to be told when they change; empty for data made in memory."""
        known = {"source": self.source, "fingerprint": self.fingerprint}
        return known | {"labels_in_file": list(self.labels_in_file)} if self.fingerprint else {}

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.train.images.shape[1:]


def load_data(
    dataset: str = "digits",
    data_dir: str | Path = "data",
    arrays_path: str | Path = "",
    validation_size: int = 0,
    test_size: int = 0,
    fraction: float = 1.0,
    seed: int = 0,
    image_layout: str = "auto",
) -> ImageData:
    """Reads a data set, fetching it first if need be, and splits it.

    The publisher's test part is the test part. Validation images are drawn from the publisher's training part by seed,
    stratified: 5,000 of them by default, so 45,000/5,000/10,000 for CIFAR. Where there is no such test part (`digits`,
    `arrays`) one fifth is drawn for test and one fifth for validation. The split does not depend on `fraction`.

    Args:
        dataset: One of `DATASETS`.
        data_dir: Folder with the publishers' files, or where they are downloaded to.
        arrays_path: The user's `.npz` file with x and y, for `arrays` alone.
        validation_size: Number of validation images; 0 for the default.
        test_size: Number of test images, where the publisher gives no test part; 0 for the default.
        fraction: Share of the training images kept at all, stratified, in (0, 1].
        seed: The run's seed.
        image_layout: How the axes of a user's `x` are meant, one of `LAYOUTS`.

    Returns:
        The three parts, with mean and deviation of the training images that are kept.

    Raises:
        ValueError: A parameter is unknown, ill-typed or impossible.
        DataError: The files are missing, corrupt, or have too few examples of a class for the split (a ValueError too).
        OSError: No space is left, or the folder cannot be written.
    """
    _check_parameters(dataset, arrays_path, validation_size, test_size, fraction, seed)
    if dataset == "digits":
        examples = read_digits()
    elif dataset == "arrays":
        examples = read_user_arrays(Path(arrays_path), image_layout)
    else:
        examples = PUBLISHED[dataset].read(Path(data_dir))
    data = split_examples(examples, dataset, validation_size, test_size, fraction, seed)
    return replace(data, source=str(arrays_path) or dataset, fingerprint=examples.fingerprint())


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
    rest, test, share = np.arange(len(labels)), None, round(_HELD_OUT * len(labels))
    if examples.test_images is not None and examples.test_labels is not None:
        test = Part(examples.test_images, examples.test_labels)
    test_size = test_size or share
    validation_size = validation_size or (share if test is None else _VALIDATION_IMAGES)
    held_out = validation_size + (test_size if test is None else 0)
    if held_out >= len(labels):
        raise DataError(
            f"{name} has {len(labels):,} images to split, and {held_out:,} of them were asked for validation and test: "
            "none would be left for training. Make `validation_size` or `test_size` smaller."
        )
    if test is None:
        taken, rest = take_out(labels, rest, test_size, stream(seed, "test split"))
        test = Part(examples.images[taken], labels[taken])
    taken, rest = take_out(labels, rest, validation_size, stream(seed, "validation split"))
    validation = Part(examples.images[taken], labels[taken])
    if fraction < 1:
        kept = max(1, round(fraction * len(rest)))
        rest = np.sort(rest[stratified_draw(labels[rest], kept, stream(seed, "kept images"))])
    train = Part(examples.images[rest], labels[rest])
    for part_name, part in (("training", train), ("validation", validation), ("test", test)):
        _check_classes(part, part_name, name, examples.class_names)
    mean, std = channel_statistics(train.images)
    return ImageData(
        name, train, validation, test, mean, std, examples.class_names, examples.flip, examples.labels_in_file
    )


def channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation per channel of images scaled to [0, 1].

    Args:
        images: uint8 `[n, h, w, c]`.

    Returns:
        Two float32 arrays `[c]`; the deviation of a channel that never changes is 1, so that it divides safely.
    """
    channels = images.shape[-1]
    histogram = np.zeros((channels, 256), np.int64)
    for start in range(0, len(images), _STATISTICS_CHUNK):
        pixels = images[start : start + _STATISTICS_CHUNK].reshape(-1, channels)
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
    dataset: object, arrays_path: object, validation_size: object, test_size: object, fraction: object, seed: object
) -> None:
    check_name("dataset", dataset, DATASETS)
    for name, value in (("validation_size", validation_size), ("test_size", test_size), ("seed", seed)):
        check_whole(name, value, 0)
    if not isinstance(fraction, Real) or isinstance(fraction, bool) or not 0 < float(fraction) <= 1:
        raise invalid("fraction", "a number in (0, 1]", repr(fraction))
    if test_size and dataset in PUBLISHED:
        raise invalid("test_size", f"0, because {dataset} comes with its own test part", test_size)
    if (dataset == "arrays") != bool(str(arrays_path)):
        expected = "the path of an .npz file" if dataset == "arrays" else "nothing, unless `dataset` is 'arrays'"
        raise invalid("arrays_path", expected, repr(str(arrays_path)))


def _check_labels(examples: Examples, name: str) -> None:
    classes = len(examples.class_names)
    for labels in (examples.labels, examples.test_labels):
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

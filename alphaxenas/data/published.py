"""The published data sets: where they come from, what their files are, and how they lie in the data folder.

Files that are already there are used without network: the unpacked folder first, then the archive, then what
torchvision or Keras left, then a download.
Addresses, sizes and checksums: https://www.cs.toronto.edu/~kriz/cifar.html (binary versions),
https://ossci-datasets.s3.amazonaws.com/mnist (mirror of yann.lecun.com, which no longer serves the files) and
https://github.com/zalandoresearch/fashion-mnist.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.data.download import DataError, Fetch, RemoteFile, download, unpacked
from alphaxenas.data.formats import (
    CIFAR_PIXELS,
    read_cifar,
    read_cifar_python,
    read_idx,
    read_names,
    read_python_names,
    unpack,
)
from alphaxenas.data.stored import Images, in_chunks

log = logging.getLogger(__name__)
_ENTRIES = Path(__file__).with_name("published.json")


@dataclass(frozen=True)
class Examples:
    """A data set as its publisher divides it.

    Attributes:
        images: uint8 `[n, h, w, c]`, in memory or on disk.
        labels: int32 `[n]`.
        class_names: One per class.
        flip: Whether a mirrored image still shows its class.
        test_images: The publisher's test part, `[m, h, w, c]`; None where the publisher gives none.
        test_labels: int32 `[m]`, or None.
        validation_images: The publisher's validation part; None where the publisher gives none.
        validation_labels: int32, or None.
        labels_in_file: See `Labels.in_file`.
        known_fingerprint: The fingerprint, where it was computed before.
    """

    images: Images
    labels: np.ndarray
    class_names: tuple[str, ...]
    flip: bool
    test_images: Images | None = None
    test_labels: np.ndarray | None = None
    validation_images: Images | None = None
    validation_labels: np.ndarray | None = None
    labels_in_file: tuple[str, ...] = ()
    known_fingerprint: str = ""

    def fingerprint(self) -> str:
        """A text of 16 digits that differs where images, labels, their names or `flip` do."""
        if self.known_fingerprint:
            return self.known_fingerprint
        digest = hashlib.sha256(json.dumps([self.class_names, self.flip]).encode())
        parts = (self.images, self.labels, self.test_images, self.test_labels)
        for array in (*parts, self.validation_images, self.validation_labels):
            if array is not None:
                digest.update(f"{array.shape} {array.dtype.str}".encode())
                for chunk in in_chunks(array):
                    digest.update(np.ascontiguousarray(chunk).data)
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Cifar:
    """One of the CIFAR data sets, in its binary or its Python version.

    Attributes:
        archive: The publisher's archive.
        folder: The folder inside it, and in the data folder.
        train_files: Training files in order.
        test_file: Test file.
        names_file: Class names, one a line.
        label_bytes: See `read_cifar`.
        records: Records of one training file.
        test_records: Records of the test file.
        python: Of the Python version: its archive, folder, names file, test file, training files, and what the labels
            and their names are called.
    """

    archive: RemoteFile
    folder: str
    train_files: tuple[str, ...]
    test_file: str
    names_file: str
    label_bytes: int
    records: int
    test_records: int
    python: dict[str, Any]

    def read(self, data_dir: Path, fetch: Fetch | None = None) -> Examples:
        """Reads the data set, after unpacking what is there or downloading what is missing.

        Args:
            data_dir: The data folder.
            fetch: See `download`, whose errors pass through.

        Returns:
            Training and test part.
        """
        folder = data_dir / self.folder
        if not folder.is_dir():
            if not (data_dir / self.archive.name).exists() and (place := self._python_folder(data_dir)):
                return self._read_python(place)
            archive = download(self.archive, data_dir, fetch)
            self._unpack(archive, folder, (*self.train_files, self.test_file, self.names_file))
        parts = [read_cifar(folder / name, self.records, self.label_bytes) for name in self.train_files]
        test_images, test_labels = read_cifar(folder / self.test_file, self.test_records, self.label_bytes)
        names = read_names(folder / self.names_file)
        images, labels = (np.concatenate(arrays) for arrays in zip(*parts))
        return Examples(images, labels, names, True, test_images, test_labels)

    def _unpack(self, archive: Path, folder: Path, files: tuple[str, ...]) -> None:
        records = self.records * len(self.train_files) + self.test_records
        size = records * (self.label_bytes + math.prod(CIFAR_PIXELS))
        unpacked(folder, size, lambda unfinished: unpack(archive, unfinished, files))
        log.info("Unpacked %s; the archive is no longer needed", archive)

    def _python_folder(self, data_dir: Path) -> Path | None:
        """The folder of the Python version in the data folder or among what Keras downloaded; None without one."""
        name = self.python["folder"]
        files = (*self.python["train_files"], self.python["test_file"], self.python["names_file"])
        archive = data_dir / self.python["archive"]
        if not (data_dir / name).is_dir() and archive.is_file():
            self._unpack(archive, data_dir / name, files)
        for place in (data_dir / name, keras_folder() / name, keras_folder() / f"{name}-target" / name):
            if place.is_dir():
                return place
        return None

    def _read_python(self, place: Path) -> Examples:
        log.info("%s: read from the Python version in %s", self.folder, place)
        python = self.python
        parts = [read_cifar_python(place / name, self.records, python["labels"]) for name in python["train_files"]]
        test_images, test_labels = read_cifar_python(place / python["test_file"], self.test_records, python["labels"])
        names = read_python_names(place / python["names_file"], python["names"])
        images, labels = (np.concatenate(arrays) for arrays in zip(*parts))
        return Examples(images, labels, names, True, test_images, test_labels)


def keras_folder() -> Path:
    """Where Keras keeps the data sets that it has downloaded."""
    return Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser(), "datasets")


@dataclass(frozen=True)
class Idx:
    """A data set of four IDX files with 28x28 grey images.

    Attributes:
        folder: Folder in the data folder.
        also: Where torchvision keeps the files, unpacked, in the data folder.
        files: Training images, training labels, test images, test labels.
        records: Number of training and of test examples.
        class_names: One per class.
        flip: See `Examples`.
    """

    folder: str
    also: str
    files: tuple[RemoteFile, ...]
    records: tuple[int, int]
    class_names: tuple[str, ...]
    flip: bool

    def read(self, data_dir: Path, fetch: Fetch | None = None) -> Examples:
        """Reads the data set, after downloading what is missing or damaged.

        Args:
            data_dir: The data folder.
            fetch: See `download`, whose errors pass through.

        Returns:
            Training and test part.
        """
        packed = keras_folder() / f"{self.folder}.npz"
        if packed.is_file() and not any(self._found(file, data_dir) for file in self.files):
            return self._read_keras(packed)
        arrays = []
        for number, file in enumerate(self.files):
            path = self._found(file, data_dir) or download(file, data_dir / self.folder, fetch)
            count = self.records[number // 2]
            arrays.append(read_idx(path, (count,) if number % 2 else (count, 28, 28)))
        images, test_images = (each[..., None] for each in arrays[::2])
        labels, test_labels = (each.astype(np.int32) for each in arrays[1::2])
        return Examples(images, labels, self.class_names, self.flip, test_images, test_labels)

    def _found(self, file: RemoteFile, data_dir: Path) -> Path | None:
        """The file where it is not to be downloaded; one that is packed in the data folder is verified there."""
        plain, own = file.name.removesuffix(".gz"), data_dir / self.folder
        if (own / file.name).exists():
            return None
        places = (own / plain, data_dir / self.also / plain, keras_folder() / self.folder / file.name)
        return next((place for place in places if place.is_file()), None)

    def _read_keras(self, path: Path) -> Examples:
        """Keras' own file of the four arrays."""
        log.info("%s: read from %s", self.folder, path)
        arrays = []
        try:
            with np.load(path, allow_pickle=False) as stored:
                for number, name in enumerate(("x_train", "y_train", "x_test", "y_test")):
                    count, array = self.records[number // 2], stored[name]
                    if array.shape != ((count,) if number % 2 else (count, 28, 28)) or array.dtype != np.uint8:
                        raise DataError(f"{path}: `{name}` is {array.dtype} of shape {list(array.shape)}")
                    arrays.append(array)
        except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{path} is not the file that Keras keeps ({error}). Delete it, or mend it.") from error
        images, labels, test_images, test_labels = arrays
        return Examples(
            images[..., None],
            labels.astype(np.int32),
            self.class_names,
            self.flip,
            test_images[..., None],
            test_labels.astype(np.int32),
        )


def read_digits() -> Examples:
    """scikit-learn's 1,797 handwritten digits, 8x8, 17 shades of grey; part of that package, so never fetched."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    pixels = np.rint(images * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    return Examples(pixels, labels.astype(np.int32), tuple("0123456789"), flip=False)


def _published(entry: dict[str, Any]) -> Cifar | Idx:
    """A data set from its entry in `published.json`."""
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    if fields.pop("format") == "cifar":
        return Cifar(RemoteFile(**fields.pop("archive")), **fields)
    return Idx(files=tuple(RemoteFile(**file) for file in fields.pop("files")), **fields)


PUBLISHED = {name: _published(entry) for name, entry in json.loads(_ENTRIES.read_text(encoding="utf-8")).items()}
KNOWN_SHAPES = {
    "digits": ((8, 8, 1), 10),
    "cifar10": ((32, 32, 3), 10),
    "cifar100": ((32, 32, 3), 100),
    "mnist": ((28, 28, 1), 10),
    "fashion_mnist": ((28, 28, 1), 10),
}
"""Image shape and number of classes of the data sets that never change."""

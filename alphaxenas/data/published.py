"""The published data sets: where they come from, what their files are, and how they lie in the data folder.

Files that are already there are used without network: the unpacked folder first, then the archive, then a download.
Addresses, sizes and checksums: https://www.cs.toronto.edu/~kriz/cifar.html (binary versions),
https://ossci-datasets.s3.amazonaws.com/mnist (mirror of yann.lecun.com, which no longer serves the files) and
https://github.com/zalandoresearch/fashion-mnist.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.data.download import Fetch, RemoteFile, download, locked, require_space
from alphaxenas.data.formats import CIFAR_PIXELS, read_arrays, read_cifar, read_idx, read_names, unpack

log = logging.getLogger(__name__)
_ENTRIES = Path(__file__).with_name("published.json")


@dataclass(frozen=True)
class Examples:
    """A data set as its publisher divides it.

    Attributes:
        images: uint8 `[n, h, w, c]`.
        labels: int32 `[n]`.
        class_names: One per class.
        flip: Whether a mirrored image still shows its class.
        test_images: The publisher's test part, `[m, h, w, c]`; None where the publisher gives none.
        test_labels: int32 `[m]`, or None.
        labels_in_file: See `Labels.in_file`.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    flip: bool
    test_images: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    labels_in_file: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """A text of 16 digits that differs where images, labels, their names or `flip` do."""
        digest = hashlib.sha256(json.dumps([self.class_names, self.flip]).encode())
        for array in (self.images, self.labels, self.test_images, self.test_labels):
            if array is not None:
                digest.update(f"{array.shape} {array.dtype.str}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Cifar:
    """One of the CIFAR data sets in its binary version.

    Attributes:
        archive: The publisher's archive.
        folder: The folder inside it, and in the data folder.
        train_files: Training files in order.
        test_file: Test file.
        names_file: Class names, one a line.
        label_bytes: See `read_cifar`.
        records: Records of one training file.
        test_records: Records of the test file.
    """

    archive: RemoteFile
    folder: str
    train_files: tuple[str, ...]
    test_file: str
    names_file: str
    label_bytes: int
    records: int
    test_records: int

    def read(self, data_dir: Path, fetch: Fetch | None = None) -> Examples:
        """Reads the data set, after downloading and unpacking what is missing.

        Args:
            data_dir: The data folder.
            fetch: See `download`, whose errors pass through.

        Returns:
            Training and test part.
        """
        folder = data_dir / self.folder
        if not folder.is_dir():
            self._make_folder(data_dir, fetch)
        parts = [read_cifar(folder / name, self.records, self.label_bytes) for name in self.train_files]
        test_images, test_labels = read_cifar(folder / self.test_file, self.test_records, self.label_bytes)
        names = read_names(folder / self.names_file)
        images, labels = (np.concatenate(arrays) for arrays in zip(*parts))
        return Examples(images, labels, names, True, test_images, test_labels)

    def _make_folder(self, data_dir: Path, fetch: Fetch | None) -> None:
        """Unpacks under a temporary name and renames, so that the folder is whole or absent."""
        archive = download(self.archive, data_dir, fetch)
        unfinished = data_dir / f".{self.folder}.part"
        with locked(data_dir):
            if (data_dir / self.folder).is_dir():
                return
            shutil.rmtree(unfinished, ignore_errors=True)
            records = self.records * len(self.train_files) + self.test_records
            require_space(data_dir, records * (self.label_bytes + math.prod(CIFAR_PIXELS)))
            unfinished.mkdir()
            try:
                unpack(archive, unfinished, (*self.train_files, self.test_file, self.names_file))
                unfinished.rename(data_dir / self.folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
        log.info("Unpacked %s; the archive is no longer needed", archive)


@dataclass(frozen=True)
class Idx:
    """A data set of four gzipped IDX files with 28x28 grey images.

    Attributes:
        folder: Folder in the data folder.
        files: Training images, training labels, test images, test labels.
        records: Number of training and of test examples.
        class_names: One per class.
        flip: See `Examples`.
    """

    folder: str
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
        arrays = []
        for number, file in enumerate(self.files):
            path = download(file, data_dir / self.folder, fetch)
            count = self.records[number // 2]
            arrays.append(read_idx(path, (count,) if number % 2 else (count, 28, 28)))
        images, test_images = (each[..., None] for each in arrays[::2])
        labels, test_labels = (each.astype(np.int32) for each in arrays[1::2])
        return Examples(images, labels, self.class_names, self.flip, test_images, test_labels)


def read_digits() -> Examples:
    """scikit-learn's 1,797 handwritten digits, 8x8, 17 shades of grey; part of that package, so never fetched."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    pixels = np.rint(images * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    return Examples(pixels, labels.astype(np.int32), tuple("0123456789"), flip=False)


def read_user_arrays(path: Path, layout: str = "auto") -> Examples:
    """A user's own images. Mirrored only if the file says `flip=True`: they may show writing.

    Args:
        path: See `read_arrays`, and so is the next.
        layout: How the axes of `x` are meant.
    """
    images, labels, flip = read_arrays(path, layout)
    return Examples(images, labels.numbers, labels.class_names, flip, labels_in_file=labels.in_file)


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

"""Images on disk: `StoredImages`, rows of an uncompressed `.npy` file, and the folder in which decoded images are kept.

Pictures are decoded once, to `<data_dir>/decoded/<name>/images.npy`. Sets of at most `IN_MEMORY_BYTES` are then read
whole; of larger ones a batch is read when it is drawn, so memory does not grow with the set. Rows are read by their
place in the file instead of through a memory map, whose pages would count as this process's memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.data.download import DataError, locked, require_space

IN_MEMORY_BYTES = 1 << 28
"""All of CIFAR's images are 176 MiB."""
CHUNK_BYTES = 1 << 24
VERSION = 1
"""Of the way pictures are decoded; another one has them decoded again."""


class StoredImages:
    """Some images of a `.npy` file of unsigned bytes, in some order.

    Attributes:
        shape: `(n, h, w, c)`.
        dtype: uint8.
    """

    dtype, ndim = np.dtype(np.uint8), 4

    def __init__(self, path: Path, places: np.ndarray | None = None) -> None:
        """Opens a file.

        Args:
            path: The file; its array is uint8 `[n, h, w, c]`, in C order.
            places: Which rows, and in which order; None for all.
        """
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        self._path, self._start, self._row = path, mapped.offset, mapped.shape[1:]
        self._file = path.open("rb", buffering=0)
        self._places = np.arange(len(mapped)) if places is None else places

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of images, then the shape of one."""
        return (len(self._places), *self._row)

    @property
    def nbytes(self) -> int:
        """Bytes that all of them would take in memory."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return len(self._places)

    def pick(self, indices: np.ndarray | slice) -> StoredImages:
        """Those with these indices, none of which is read yet."""
        picked = object.__new__(type(self))
        picked.__dict__ |= self.__dict__ | {"_places": self._places[indices]}
        return picked

    def __getitem__(self, key: Any) -> np.ndarray:
        """The images of an index, a slice, or an array of indices or truth values, read from the file."""
        places = np.atleast_1d(self._places[key])
        images = np.empty((len(places), *self._row), np.uint8)
        content, size = images.reshape(-1).data, int(np.prod(self._row))
        starts = np.flatnonzero(np.diff(places, prepend=-2) != 1) if len(places) else places
        for first, last in zip(starts, [*starts[1:], len(places)]):
            self._read(content[first * size : last * size], self._start + int(places[first]) * size)
        return images[0] if np.ndim(self._places[key]) == 0 else images

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All of them in memory, for what cannot do with less."""
        return self[:] if dtype is None else self[:].astype(dtype)

    def _read(self, content: memoryview, offset: int) -> None:
        while content:
            count = os.preadv(self._file.fileno(), [content], offset)
            if not count:
                raise DataError(f"{self._path} is shorter than it was when it was opened. Run the same again.")
            content, offset = content[count:], offset + count


Images = np.ndarray | StoredImages


def pick(images: Images, indices: np.ndarray | slice) -> Images:
    """Some of the images; those on disk stay there.

    Args:
        images: uint8 `[n, h, w, c]`.
        indices: `[m]`, or a slice.
    """
    return images.pick(indices) if isinstance(images, StoredImages) else images[indices]


def in_chunks(images: Images) -> Iterator[np.ndarray]:
    """All images in order, a few MiB at a time."""
    count = max(1, CHUNK_BYTES // max(1, int(np.prod(images.shape[1:]))))
    for start in range(0, len(images), count):
        yield images[start : start + count]


def open_images(path: Path) -> Images:
    """The images of a `.npy` file: in memory where they are few, on disk otherwise."""
    stored = StoredImages(path)
    return stored[:] if stored.nbytes <= IN_MEMORY_BYTES else stored


class Writer:
    """Writes images one chunk after the other into a new `.npy` file, whose number and size are known before."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        """Begins the file.

        Args:
            path: The file.
            shape: `(n, h, w, c)` of all that will be written.

        Raises:
            OSError: There is not enough space.
        """
        require_space(path.parent, int(np.prod(shape, dtype=np.int64)))
        self._file = path.open("wb")
        np.lib.format.write_array_header_1_0(
            self._file, {"descr": "|u1", "fortran_order": False, "shape": tuple(map(int, shape))}
        )

    def write(self, images: np.ndarray) -> None:
        """Adds images, uint8."""
        self._file.write(np.ascontiguousarray(images).data)

    def close(self) -> None:
        """Ends the file, safely on disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


@dataclass(frozen=True, eq=False)
class Kept:
    """Decoded images with what is kept beside them.

    Attributes:
        images: All parts one after the other.
        labels: int32, one for each image.
        about: JSON values.
    """

    images: Images
    labels: np.ndarray
    about: dict[str, Any]


def kept(data_dir: Path, source: Path, made_of: Any, make: Callable[[Path], dict[str, Any]]) -> Kept:
    """Decoded images, from the last time where nothing has changed since.

    Args:
        data_dir: The data folder; they lie in `decoded/` in it.
        source: What they are decoded from; names their folder.
        made_of: All that they depend on, JSON values: when it changes they are made again.
        make: Writes `images.npy` and `labels.npy` into a folder and returns JSON values that are kept with them.

    Returns:
        The images with what is kept beside them.

    Raises:
        DataError: The data folder cannot be written.
        OSError: No space is left.
    """
    digest = hashlib.sha256(json.dumps([VERSION, made_of]).encode()).hexdigest()
    where = hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:8]
    folder = data_dir / "decoded" / f"{source.name}-{where}"
    found = _opened(folder, digest)
    if found is None:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with locked(folder.parent):
                found = _opened(folder, digest) or _made(folder, digest, make)
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise DataError(
                "Invalid value for `data_dir`. Expected a folder that can be written to, for the decoded images of "
                f"{source}. Received: {data_dir} ({error.strerror})"
            ) from error
    return found


def _made(folder: Path, digest: str, make: Callable[[Path], dict[str, Any]]) -> Kept:
    """Makes the folder under another name and renames it, so that it is whole or absent."""
    unfinished = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        about = {"made_of": digest, **make(unfinished)}
        (unfinished / "about.json").write_text(json.dumps(about), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Kept(open_images(folder / "images.npy"), np.load(folder / "labels.npy"), about)


def _opened(folder: Path, digest: str) -> Kept | None:
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        if about["made_of"] == digest:
            return Kept(open_images(folder / "images.npy"), np.load(folder / "labels.npy"), about)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None

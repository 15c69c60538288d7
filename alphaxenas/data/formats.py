"""Readers of file formats: CIFAR's two versions, IDX, a user's own `.npz` and `.npy`. Nothing in them is run."""

from __future__ import annotations

import gzip
import math
import tarfile
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from alphaxenas.data.download import DataError
from alphaxenas.data.labels import Labels, number_classes
from alphaxenas.data.plain_pickle import read_plain_pickle

CIFAR_PIXELS = (3, 32, 32)
LAYOUTS = ("auto", "channels_last", "channels_first")
MOST_COLOURS = 4
"""Channels of photographs; more of them in the last axis, and no more in the second, look like channels first."""
_IDX_UINT8 = 0x08


def read_cifar(path: Path, records: int, label_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """Reads one file of CIFAR's binary version.

    A record is `label_bytes` bytes, the last of which is the (fine) label, then the 32x32 red, green and blue planes.

    Args:
        path: A `.bin` file.
        records: How many records it must hold.
        label_bytes: 1 for CIFAR-10, 2 for CIFAR-100 (coarse, fine).

    Returns:
        Images uint8 `[records, 32, 32, 3]` and labels int32 `[records]`.

    Raises:
        DataError: The file is missing or has another size.
    """
    length = label_bytes + math.prod(CIFAR_PIXELS)
    size = path.stat().st_size if path.is_file() else None
    if size != records * length:
        raise DataError(
            f"{path} is {'missing' if size is None else 'damaged'}. Expected {records:,} records of {length:,} bytes, "
            f"{records * length:,} bytes in all. Received: {0 if size is None else size:,} bytes. "
            f"Delete the folder {path.parent} to have it made again."
        )
    rows = np.fromfile(path, np.uint8).reshape(records, length)
    images = rows[:, label_bytes:].reshape(-1, *CIFAR_PIXELS).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), rows[:, label_bytes - 1].astype(np.int32)


def read_cifar_python(path: Path, records: int, labels_key: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads one file of CIFAR's Python version, a pickle, by a reader that builds plain data alone.

    Args:
        path: The file.
        records: How many images it must hold.
        labels_key: What the labels are called: `labels`, or `fine_labels`.

    Returns:
        As of `read_cifar`.

    Raises:
        DataError: It is missing, damaged, or holds something else.
    """
    found = read_plain_pickle(path)
    data, labels = _entry(found, "data"), _entry(found, labels_key)
    length = math.prod(CIFAR_PIXELS)
    if not isinstance(data, np.ndarray) or data.shape != (records, length):
        raise DataError(f"{path}: expected `data` of {records:,} x {length:,} unsigned bytes. Received: {_seen(data)}")
    if not isinstance(labels, list) or len(labels) != records or not all(type(one) is int for one in labels):
        raise DataError(f"{path}: expected `{labels_key}`, {records:,} whole numbers. Received: {_seen(labels)}")
    if not 0 <= min(labels) <= max(labels) < 256:
        raise DataError(f"{path}: labels out of range. Received: {min(labels)} to {max(labels)}")
    images = data.reshape(-1, *CIFAR_PIXELS).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(labels, np.int32)


def read_python_names(path: Path, key: str) -> tuple[str, ...]:
    """Reads the class names of CIFAR's Python version.

    Args:
        path: The file `batches.meta` or `meta`.
        key: What they are called there.

    Raises:
        DataError: It is missing, damaged, or holds no such list of texts.
    """
    names = _entry(read_plain_pickle(path), key)
    if not isinstance(names, list) or not all(isinstance(name, str | bytes) for name in names):
        raise DataError(f"{path}: expected `{key}`, a list of texts. Received: {_seen(names)}")
    return tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names)


def _entry(found: dict[Any, Any], key: str) -> Any:
    """An entry by its name, which Python 2 wrote as bytes."""
    return found.get(key.encode(), found.get(key))


def _seen(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"shape {list(value.shape)}"
    return f"a {type(value).__name__}{f' of {len(value):,}' if isinstance(value, list) else ''}"


def read_names(path: Path) -> tuple[str, ...]:
    """Reads CIFAR's class names, one a line; DataError if the file is missing."""
    if not path.is_file():
        raise DataError(f"{path} is missing. Delete the folder {path.parent} to have it made again.")
    return tuple(path.read_text(encoding="utf-8").split())


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Reads an IDX file of unsigned bytes.

    Args:
        path: The file, gzipped if its name ends with `.gz`.
        shape: What its header must say, e.g. `(60000, 28, 28)`.

    Returns:
        uint8 array of that shape.

    Raises:
        DataError: The file is no gzip or IDX file, cut short, or of another shape.

    Source: The format's description on the MNIST page: two zero bytes, type, number of dimensions, then the sizes
        as big-endian 32-bit numbers.
    """
    header = bytes([0, 0, _IDX_UINT8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
    count = math.prod(shape)
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            received = stream.read(len(header))
            content = stream.read(count + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged ({error}). Delete it to have it downloaded again.") from error
    if received != header or len(content) != count:
        raise DataError(
            f"{path} is not the expected IDX file. Expected unsigned bytes of shape {list(shape)} (header "
            f"{header.hex()}). Received: header {received.hex()} and {len(content):,}"
            f"{' or more' if len(content) > count else ''} bytes of content."
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def read_arrays(path: Path, layout: str = "auto") -> tuple[np.ndarray, Labels, bool]:
    """Reads a user's own images: an `.npz` with `x`, `y` and, if wanted, `class_names` and `flip`.

    Args:
        path: File with `x` `[n, h, w]` or `[n, h, w, c]`, whole numbers 0..255 or fractions in [0, 1], and `y` `[n]` or
            `[n, 1]`, see `number_classes`.
        layout: One of `LAYOUTS`, how the axes of `x` are meant; `auto`: channels last, unless that looks wrong.

    Returns:
        Images uint8 `[n, h, w, c]`, labels, and whether a mirrored image still shows its class.

    Raises:
        DataError: The file is missing or its content is not of that form.
    """
    if not path.is_file():
        raise DataError(f"Invalid value for `arrays_path`. Expected an .npz file with x and y. Received: {path}")
    try:
        stored = np.load(path, allow_pickle=False)
        if not isinstance(stored, np.lib.npyio.NpzFile):
            raise DataError(f"{path} is a single array. Expected an .npz file with x and y, as np.savez writes it.")
        with stored:
            if missing := {"x", "y"} - set(stored.files):
                raise DataError(f"{path} lacks {', '.join(sorted(missing))}. Received: {sorted(stored.files)}")
            wanted: tuple[str, ...] = ("x", "y", "class_names", "flip")
            found = {name: stored[name] for name in wanted if name in stored.files}
    except DataError:
        raise
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read as an .npz of plain arrays (Python objects are never loaded; labels that are texts "
            f"are saved with y=labels.astype(str)): {error}"
        ) from error
    x, y = found["x"], found["y"]
    if x.ndim == 4 and y.ndim and len(x) != len(y) == x.shape[3]:
        raise DataError(
            f"{path}: the images lie along the last axis of `x`, {list(x.shape)}. Expected [n, h, w, c]: save it with "
            "np.moveaxis(x, -1, 0)."
        )
    images = to_bytes(laid_out(x, layout, path))
    return images, number_classes(y, len(images), found.get("class_names"), path), _switch(found.get("flip"), path)


def open_array(path: Path, name: str) -> np.ndarray:
    """The array of a `.npy` file, mapped: nothing of it is read yet.

    Args:
        path: The file.
        name: The parameter that says where it is, for messages.

    Raises:
        DataError: There is no such file, or it is no `.npy` file of plain values.
    """
    if not path.is_file():
        raise DataError(f"Invalid value for `{name}`. Expected the path of an .npy file. Received: {path}")
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(
            f"{path} cannot be read as an .npy file of plain values (Python objects are never loaded): {error}"
        ) from error
    if not isinstance(found, np.ndarray):
        raise DataError(f"{path} is no .npy file. Expected a single array, as np.save writes it.")
    return found


def unpack(archive: Path, destination: Path, names: Collection[str]) -> None:
    """Takes files out of a `.tar.gz` into a folder.

    Args:
        archive: The archive. All its members must lie in one folder and be plain files or folders.
        destination: An existing, empty folder; files land directly in it.
        names: The file names to take; the others are left out.

    Raises:
        DataError: A member has an unsafe path or kind, a wanted file is missing, or the archive is damaged.
        OSError: The disk is full.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = {}
            for member in tar:
                _check_member(member, archive, destination)
                members[PurePosixPath(member.name).name] = member
            if missing := sorted(set(names) - set(members)):
                raise DataError(f"{archive} lacks {', '.join(missing)}")
            for name in names:
                source = tar.extractfile(members[name])
                if source is None:
                    raise DataError(f"{archive}: {name} is not a plain file")
                with source, (destination / name).open("wb") as target:
                    while chunk := source.read(1 << 20):
                        target.write(chunk)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{archive} is damaged ({error}). Delete it to have it downloaded again.") from error


def _check_member(member: tarfile.TarInfo, archive: Path, destination: Path) -> None:
    path = PurePosixPath(member.name)
    safe = not path.is_absolute() and ".." not in path.parts and len(path.parts) <= 2
    if not safe or not (member.isfile() or member.isdir()):
        raise DataError(f"{archive} holds an unsafe entry, {member.name!r}: only files inside one folder are unpacked")
    # Python's own rules where this release has them (3.11.4 on).
    if hasattr(tarfile, "data_filter"):
        tarfile.data_filter(member, str(destination))


def _switch(flip: np.ndarray | None, path: Path) -> bool:
    """A truth value, or 0 or 1; nothing is False."""
    if flip is None:
        return False
    if flip.size != 1 or flip.dtype.kind not in "biu" or flip.item() not in (0, 1):
        raise DataError(f"{path}: invalid `flip`. Expected True or False. Received: {flip.dtype} {str(flip)[:40]!r}")
    return bool(flip.item())


def laid_out(x: np.ndarray, layout: str, path: Path) -> np.ndarray:
    """The axes of a user's images as `[n, h, w, c]`; a view, so a mapped array stays on disk.

    Args:
        x: `[n, h, w]` or of four axes: bytes, whole numbers 0..255 or fractions in [0, 1].
        layout: One of `LAYOUTS`.
        path: For messages.

    Raises:
        DataError: Shape, type or values are others.
    """
    if x.ndim == 3:
        x = x[..., None]
    elif x.ndim == 4 and layout == "channels_first":
        x = x.transpose(0, 2, 3, 1)
    if x.ndim != 4 or 0 in x.shape:
        raise DataError(f"{path}: invalid shape of `x`. Expected [n, h, w] or [n, h, w, c]. Received: {list(x.shape)}")
    if layout == "auto" and x.shape[1] <= MOST_COLOURS < x.shape[3]:
        raise DataError(
            f"{path}: `x` of shape {list(x.shape)} looks like channels first, as PyTorch has it. Expected "
            "[n, h, w, c]: save it with x.transpose(0, 2, 3, 1), or set `image_layout` to 'channels_first'. "
            f"If images really are {x.shape[1]} pixels high with {x.shape[3]} channels, set it to 'channels_last'."
        )
    if x.dtype == np.uint8:
        return x
    whole = np.issubdtype(x.dtype, np.integer)
    if not whole and not np.issubdtype(x.dtype, np.floating):
        raise DataError(f"{path}: invalid type of `x`. Expected numbers. Received: {x.dtype}")
    low, high, limit = x.min(), x.max(), 255 if whole else 1
    if not (low >= 0 and high <= limit):
        raise DataError(
            f"{path}: invalid pixels in `x`. Expected whole numbers 0..255 or fractions 0..1. "
            f"Received: {x.dtype} from {low} to {high}"
        )
    return x


def to_bytes(x: np.ndarray) -> np.ndarray:
    """Images of `laid_out` as contiguous uint8."""
    if np.issubdtype(x.dtype, np.floating):
        x = np.rint(x * 255)
    return np.ascontiguousarray(x, np.uint8)

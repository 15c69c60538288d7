"""PNG and JPEG pictures as arrays of one size, decoded once on all cores and kept; see `alphaxenas.data.stored`."""

from __future__ import annotations

import io
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from alphaxenas.data.download import DataError
from alphaxenas.data.labels import Labels
from alphaxenas.data.published import Examples
from alphaxenas.data.stored import Images, Writer, kept, open_images, pick

FORMATS = ("PNG", "JPEG")
PARTS = ("train", "test", "validation")
_PART_NAMES = {name: name for name in PARTS} | {"training": "train", "val": "validation", "valid": "validation"}
_MOST_NAMED, _GROUP = 50, 32
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture upright, by its EXIF orientation."""

Source = tuple[str, "Path | bytes"]
"""What messages call a picture, and its file or content."""
Result = TypeVar("Result")


@dataclass(frozen=True)
class Failure:
    """A picture that cannot be used: its name, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class PictureSet:
    """Pictures before they are decoded.

    Attributes:
        origin: The user's folder or file.
        sources: Gives all pictures in order, each time it is called: training, test, validation.
        counts: How many of them each part has.
        labels: Of all of them.
        state: JSON values that change when a picture does.
    """

    origin: Path
    sources: Callable[[], Iterator[Source]]
    counts: Mapping[str, int]
    labels: Labels
    state: Any


def part_of(name: str) -> str:
    """The part, of `PARTS`, that a folder or file of this name holds by custom; empty for another name."""
    return _PART_NAMES.get(name.casefold(), "")


def examples_of_pictures(pictures: PictureSet, data_dir: Path, size: int) -> Examples:
    """Decodes pictures, or finds them decoded.

    Args:
        pictures: The pictures.
        data_dir: The data folder.
        size: Side in pixels that every picture is brought to, its largest square in the middle being kept; 0: as they
            are, and then all must have one size.

    Returns:
        All parts; grey where all pictures are, with three channels otherwise.

    Raises:
        DataError: Names all pictures that cannot be read, or says that their sizes differ.
    """

    def make(folder: Path) -> dict[str, Any]:
        decode_all(pictures, size, folder / "images.npy")
        labels = pictures.labels
        np.save(folder / "labels.npy", labels.numbers)
        about = {
            "counts": {part: pictures.counts.get(part, 0) for part in PARTS},
            "class_names": labels.class_names,
            "labels_in_file": labels.in_file,
        }
        examples = _examples(open_images(folder / "images.npy"), labels.numbers, about)
        return about | {"fingerprint": examples.fingerprint()}

    found = kept(data_dir, pictures.origin, {"size": size, "pictures": pictures.state}, make)
    return _examples(found.images, found.labels, found.about)


def _examples(images: Images, labels: np.ndarray, about: Mapping[str, Any]) -> Examples:
    parts: dict[str, Any] = {}
    start = 0
    for part, count in about["counts"].items():
        rows = slice(start, start + count)
        if count:
            prefix = "" if part == "train" else f"{part}_"
            parts |= {f"{prefix}images": pick(images, rows), f"{prefix}labels": labels[rows]}
        start += count
    return Examples(
        class_names=tuple(about["class_names"]),
        labels_in_file=tuple(about["labels_in_file"]),
        known_fingerprint=about.get("fingerprint", ""),
        flip=False,
        **parts,
    )


def decode_all(pictures: PictureSet, size: int, target: Path) -> None:
    """Decodes pictures into one `.npy` file.

    Args:
        pictures: The pictures.
        size: As for `examples_of_pictures`.
        target: The file.

    Raises:
        DataError: As for `examples_of_pictures`.
    """
    count, failed = sum(pictures.counts.values()), []
    sizes: Counter[tuple[int, int]] = Counter()
    example: dict[tuple[int, int], str] = {}
    channels = 1
    for name, found in _in_threads(look_at, pictures.sources(), count, "Looking at images"):
        if isinstance(found, Failure):
            failed.append(found)
            continue
        height, width, colours = found
        sizes[height, width] += 1
        example.setdefault((height, width), name)
        channels = max(channels, colours)
    if not sizes:
        raise _refusal(pictures.origin, failed, count)
    if not size and len(sizes) > 1:
        shown = "; ".join(
            f"{number:,} of {width} x {height} (such as {example[height, width]})"
            for (height, width), number in sizes.most_common(3)
        )
        raise DataError(
            f"Invalid value for `image_size`. Expected the side in pixels that all images are brought to, because "
            f"those in {pictures.origin} differ: {shown}{'; ...' if len(sizes) > 3 else ''}. Received: 0"
        )
    broken = {failure.name for failure in failed}
    shape = (size, size) if size else next(iter(sizes))
    writer = Writer(target, (count, *shape, channels))

    def decoded(file: Path | bytes) -> np.ndarray:
        return decode(file, size, channels)

    whole = (source for source in pictures.sources() if source[0] not in broken)
    for name, image in _in_threads(decoded, whole, count - len(broken), "Decoding images"):
        if isinstance(image, Failure):
            failed.append(image)
        else:
            writer.write(image)
    writer.close()
    if failed:
        raise _refusal(pictures.origin, failed, count)


def look_at(file: Path | bytes) -> tuple[int, int, int]:
    """Height, width (upright) and channels (1 or 3) of a picture, of which the first bytes are read."""
    with _open(file) as picture:
        width, height = picture.size
        if _orientation(picture) >= 5:
            width, height = height, width
        return height, width, 1 if picture.mode[0] in "1LI" else 3


def decode(file: Path | bytes, size: int, channels: int) -> np.ndarray:
    """A picture as an array: upright, on white where it is transparent, 16 bits brought to 8.

    Args:
        file: The picture, or its content.
        size: Side of the square that is brought to, in pixels; 0 for none.
        channels: 1 for grey, 3 for colours.

    Returns:
        uint8 `[h, w, channels]`.
    """
    with _open(file) as opened:
        turn = _TURNS.get(_orientation(opened))
        if size:
            opened.draft(None, (size, size))  # a large JPEG is decoded at a fraction of its size
        picture: Image.Image = opened
        picture.load()
    if picture.mode.startswith("I"):
        deep = np.asarray(picture).astype(np.int64)
        picture = Image.fromarray(((deep.clip(0, 65_535) + 128) // 257).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    picture = picture.convert("L" if channels == 1 else "RGB")
    if turn is not None:
        picture = picture.transpose(turn)
    if size and picture.size != (size, size):
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(picture).reshape(picture.height, picture.width, channels)


def _open(file: Path | bytes) -> Any:
    return Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=FORMATS)


def _orientation(picture: Image.Image) -> int:
    return picture.getexif().get(_ORIENTATION, 1) if "exif" in picture.info else 1


def _in_threads(
    function: Callable[[Path | bytes], Result], sources: Iterable[Source], count: int, words: str
) -> Iterator[tuple[str, Result | Failure]]:
    """The function's result or failure for every picture, in order, a few groups of pictures ahead."""
    from tqdm.auto import tqdm

    def group_of(group: list[Source]) -> list[tuple[str, Result | Failure]]:
        return [(name, _result(function, name, file)) for name, file in group]

    workers, sources = os.cpu_count() or 1, iter(sources)
    waiting: deque[Future[list[tuple[str, Result | Failure]]]] = deque()
    with ThreadPoolExecutor(workers) as pool, tqdm(total=count, desc=words, unit=" images", delay=2) as bar:
        while (group := list(islice(sources, _GROUP))) or waiting:
            if group:
                waiting.append(pool.submit(group_of, group))
            if not group or len(waiting) > 4 * workers:
                done = waiting.popleft().result()
                bar.update(len(done))
                yield from done


def _result(function: Callable[[Path | bytes], Result], name: str, file: Path | bytes) -> Result | Failure:
    try:
        return function(file)
    except Exception as error:  # whatever a decoder stumbles over, the picture is named
        if (len(file) if isinstance(file, bytes) else _length(file)) == 0:
            return Failure(name, "is empty")
        if isinstance(error, UnidentifiedImageError):
            return Failure(name, "is no PNG or JPEG image")
        return Failure(name, f"is damaged ({error})")


def _length(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return -1


def _refusal(origin: Path, failed: list[Failure], count: int) -> DataError:
    named = "; ".join(f"{failure.name} {failure.reason}" for failure in failed[:_MOST_NAMED])
    more = f"; and {len(failed) - _MOST_NAMED:,} more" if len(failed) > _MOST_NAMED else ""
    return DataError(
        f"{len(failed):,} of {count:,} images in {origin} cannot be read: {named}{more}. Replace or delete them."
    )

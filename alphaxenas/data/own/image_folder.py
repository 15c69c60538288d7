"""A folder of pictures: one folder for each class, possibly within `train/`, `test/` and `validation/`."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from alphaxenas.data.download import DataError
from alphaxenas.data.labels import Labels, text_names
from alphaxenas.data.own.pictures import PARTS, PictureSet, Source, part_of
from alphaxenas.suggestions import invalid

SUFFIXES = (".png", ".jpg", ".jpeg")

log = logging.getLogger(__name__)


def list_pictures(root: Path) -> PictureSet:
    """Finds the pictures of a folder without opening one.

    Hidden files and folders are left out, and so is what is no `.png`, `.jpg` or `.jpeg`. Folders within that of a
    class belong to it. Classes are numbered in the order of their names; names that are all whole numbers, by these.

    Args:
        root: The folder.

    Returns:
        Its pictures.

    Raises:
        DataError: It is no folder, has no classes or a class without pictures, or its parts have different classes.
    """
    if not root.is_dir():
        raise DataError(str(invalid("images_path", "a folder with one folder of images for each class", root)))
    parts, state = _parts(root), hashlib.sha256()
    found: dict[str, dict[str, list[str]]] = {}
    other: list[str] = []
    for part, place in parts.items():
        found[part] = {name: [] for name in _folders(place)}
        for name, files in found[part].items():
            for file, status in sorted(_files(place / name), key=lambda one: one[0]):
                if file.lower().endswith(SUFFIXES):
                    files.append(file)
                    line = f"{os.path.relpath(file, root)}\0{status.st_size}\0{status.st_mtime_ns}\n"
                    state.update(os.fsencode(line))
                else:
                    other.append(file)
    if other:
        log.warning("%s: %d files that are no PNG or JPEG are left out, such as %s.", root, len(other), other[0])
    names = _class_names(root, parts, found)
    number = {name: place for place, name in enumerate(names)}
    files, labels, counts = [], [], {}
    for part in (part for part in PARTS if part in parts):
        counts[part] = sum(map(len, found[part].values()))
        for name in sorted(found[part], key=number.__getitem__):
            files += found[part][name]
            labels += [number[name]] * len(found[part][name])

    def sources() -> Iterator[Source]:
        return ((os.path.relpath(file, root), Path(file)) for file in files)

    return PictureSet(
        root, sources, counts, Labels(np.array(labels, np.int32), names), [state.hexdigest(), list(names)]
    )


def _parts(root: Path) -> dict[str, Path]:
    """Where each part lies; the folder itself where its folders are classes."""
    folders = _folders(root)
    named = {name: part_of(name) for name in folders if part_of(name) and _folders(root / name)}
    if "train" not in named.values():
        return {"train": root}
    if len(named) < len(folders) or len(set(named.values())) < len(named):
        raise DataError(
            f"{root}: expected either one folder for each class, or train/ and, if wanted, test/ and validation/ with "
            f"one folder for each class in each of them. Received: {', '.join(folders)}"
        )
    return {part: root / name for name, part in named.items()}


def _class_names(root: Path, parts: dict[str, Path], found: dict[str, dict[str, list[str]]]) -> tuple[str, ...]:
    """Names of the classes in order, after all checks."""
    names = list(found["train"])
    if len(names) < 2:
        raise DataError(
            f"{parts['train']} has {len(names)} folders. Expected one folder of PNG or JPEG images for each of two or "
            "more classes, named as the class."
        )
    for part, place in parts.items():
        if unknown := sorted(set(found[part]) - set(names)):
            raise DataError(f"{place} has classes that {parts['train']} has not: {', '.join(unknown[:20])}")
        if blank := [name for name in found[part] if name != name.strip()]:
            raise DataError(
                f"{place} has a folder whose name begins or ends with a blank, {blank[0]!r}. Rename it: no class is "
                "called so."
            )
        if empty := sorted(name for name, files in found[part].items() if not files):
            raise DataError(
                f"{place} has folders without PNG or JPEG images: {', '.join(empty[:20])}. Fill or delete them."
            )
    try:
        texts = text_names(np.array([name.encode() for name in names]), root)
    except UnicodeEncodeError as error:
        raise DataError(f"{root}: the name of a class is not UTF-8: {error.object!r}") from error
    whole = all(text.isascii() and text.isdigit() for text in texts)
    return tuple(sorted(texts, key=int if whole else str))


def _folders(place: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(place) if entry.is_dir() and not _hidden(entry.name))


def _files(place: str | Path) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(place) as entries:
        for entry in entries:
            if _hidden(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            elif entry.is_file():
                yield entry.path, entry.stat()
            elif entry.is_symlink() and not entry.is_dir():
                raise DataError(f"{entry.path} is a link to a file that is not there.")


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX")) or name.lower() in ("thumbs.db", "desktop.ini")

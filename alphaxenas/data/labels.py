"""Labels and class names of a user's own data: any labels become 0..n-1, and what stood in the file is kept."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alphaxenas.data.download import DataError


@dataclass(frozen=True)
class Labels:
    """Labels as networks need them.

    Attributes:
        numbers: int32 `[n]`, 0..num_classes-1.
        class_names: One per class.
        in_file: What stands in the file for each class; empty where it is the number or the name of the class.
    """

    numbers: np.ndarray
    class_names: tuple[str, ...]
    in_file: tuple[str, ...] = ()


def number_classes(y: np.ndarray, count: int, class_names: np.ndarray | None, path: Path) -> Labels:
    """Numbers the classes in ascending order of what stands in the file.

    Args:
        y: `[n]` or `[n, 1]`: whole numbers from 0, truth values, or texts.
        count: Number of images.
        class_names: As in the file, if it has them: by number where all labels are numbers below their count, in
            ascending order of the labels otherwise; where labels are texts, in the order that classes are to have.
        path: For messages.

    Returns:
        The labels.

    Raises:
        DataError: They are of another kind or number, or names and labels do not fit.
    """
    names = None if class_names is None else text_names(class_names, path)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.shape != (count,) or y.dtype.kind not in "iubUS":
        raise DataError(
            f"{path}: invalid `y`. Expected {count:,} whole numbers or texts, one for each image. "
            f"Received: {y.dtype} of shape {list(y.shape)}"
        )
    if y.dtype.kind in "US":
        return _number_texts(_texts(y, "y", path), names, path)
    if y.dtype.kind != "b" and y.min() < 0:
        raise DataError(f"{path}: labels out of range. Expected 0 or more. Received: {y.min()} to {y.max()}")
    found, numbers = np.unique(y, return_inverse=True)
    if y.dtype.kind == "b":
        found = found.astype(np.int64)
    if found[-1] < (len(found) if names is None else len(names)):
        return Labels(y.astype(np.int32), names or tuple(map(str, found)))
    if names is not None and len(names) != len(found):
        raise DataError(
            f"{path}: labels out of range. Expected 0..{len(names) - 1} for {len(names)} classes, or as many different "
            f"ones as there are `class_names`. Received: {found[0]} to {found[-1]}, {len(found):,} different ones"
        )
    in_file = tuple(map(str, found))
    return Labels(numbers.astype(np.int32), names or in_file, in_file)


def text_names(names: np.ndarray, path: Path) -> tuple[str, ...]:
    """Class names as texts.

    Args:
        names: `[k]` texts or UTF-8 bytes.
        path: For messages.

    Raises:
        DataError: They are no list of different, visible texts.
    """
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise DataError(
            f"{path}: invalid `class_names`. Expected a list of texts, one for each class. "
            f"Received: {names.dtype} of shape {list(names.shape)}"
        )
    texts = _texts(names, "class_names", path)
    for text in texts:
        if texts.count(text) > 1:
            raise DataError(f"{path}: invalid `class_names`. Expected different ones. Received: {text!r} twice")
    return tuple(texts)


def _number_texts(texts: list[str], names: tuple[str, ...] | None, path: Path) -> Labels:
    names = names or tuple(sorted(set(texts)))
    number = {name: place for place, name in enumerate(names)}
    if unknown := sorted(set(texts) - set(names)):
        raise DataError(
            f"{path}: `y` and `class_names` do not fit. Expected labels among {', '.join(names[:10])}. "
            f"Received: {unknown[0]!r}"
        )
    return Labels(np.array([number[text] for text in texts], np.int32), names)


def _texts(words: np.ndarray, name: str, path: Path) -> list[str]:
    """Texts without blanks around them, none of them empty or with control characters."""
    found = []
    for place, word in enumerate(words.tolist()):
        try:
            text = (word.decode("utf-8") if isinstance(word, bytes) else word).strip()
        except UnicodeDecodeError:
            text = ""
        if not text or any(unicodedata.category(sign) == "Cc" for sign in text):
            raise DataError(f"{path}: invalid `{name}`. Expected readable texts. Received: {word!r} at place {place}")
        found.append(text)
    return found

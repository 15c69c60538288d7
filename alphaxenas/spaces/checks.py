"""Checks of parameters and of written architectures, with messages that name value, range and nearest name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from alphaxenas.suggestions import did_you_mean

NUMBERS = r"[\s\d\[\],-]+"
"""Pattern of a text of whole numbers."""


def check_name(parameter: str, name: object, allowed: Iterable[str], place: str = "") -> str:
    """Returns `name` if it is allowed.

    Args:
        parameter: What the name stands for, as the user knows it, e.g. `"operation"`.
        name: The name received.
        allowed: The names that would be right.
        place: Where it was found, e.g. `"block b1"`; empty when there is only one place.

    Raises:
        ValueError: Names the value, everything that is allowed, and the nearest of it.
    """
    allowed = tuple(allowed)
    if isinstance(name, str) and name in allowed:
        return name
    where = f" in {place}" if place else ""
    raise ValueError(
        f"Invalid value for `{parameter}`{where}. Expected one of {', '.join(allowed)}. "
        f"Received: {name!r}{did_you_mean(name, allowed) or '.'}"
    )


def check_names(parameter: str, names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Returns `names` as a tuple if there is at least one, all are known, and none occurs twice.

    Args:
        parameter: What the names stand for.
        names: The names received.
        known: The names to choose from.

    Raises:
        ValueError: Names what is wrong and what is allowed.
    """
    if isinstance(names, str) or not isinstance(names, Sequence) or not names:
        raise ValueError(
            f"Invalid value for `{parameter}`. Expected a list of names from {', '.join(known)}. Received: {names!r}"
        )
    for name in names:
        check_name(parameter, name, known)
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise ValueError(
            f"Invalid value for `{parameter}`. Expected every name once. Received: {twice!r} more than once"
        )
    return tuple(names)


def check_count(parameter: str, value: object) -> None:
    """Refuses what is not a whole number of at least 1.

    Args:
        parameter: What the number stands for.
        value: The value received.

    Raises:
        ValueError: Names the value and the range.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"Invalid value for `{parameter}`. Expected a whole number >= 1. Received: {value!r}")


def read_fields(text: str, example: str, **kinds: type) -> dict[str, Any]:
    """Reads a JSON object that has exactly the given fields.

    Args:
        text: JSON.
        example: What it should look like, for the message.
        kinds: The class of each field's value.

    Raises:
        ValueError: The text is not JSON, or not such an object.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"Invalid value for `architecture`. Expected valid JSON. Received JSON with an error: {error}"
        ) from None
    if (
        not isinstance(content, dict)
        or set(content) != set(kinds)
        or not all(isinstance(content[name], kind) for name, kind in kinds.items())
    ):
        raise ValueError(f"Invalid value for `architecture`. Expected {example}. Received: {text.strip()[:80]!r}")
    return content


def read_integers(text: str, lengths: Iterable[int], expected: str) -> list[int]:
    """Reads whole numbers; brackets, commas and line breaks do not matter.

    Args:
        text: As ENAS or NAO prints an architecture.
        lengths: How many numbers there may be.
        expected: The same in words, for the message.

    Raises:
        ValueError: Something is not a whole number, or their number is wrong.
    """
    words = re.sub(r"[\[\],]", " ", text).split()
    if len(words) not in lengths or not all(re.fullmatch(r"-?\d+", word) for word in words):
        raise ValueError(
            f"Invalid value for `architecture`. Expected whole numbers, {expected}. "
            f"Received: {len(words)} words, {text.strip()[:80]!r}"
        )
    return list(map(int, words))

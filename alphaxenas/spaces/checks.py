"""Checks of parameters and of written architectures, with messages that name value, range and nearest name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from alphaxenas.contracts import Tokens
from alphaxenas.suggestions import check_name, invalid

NUMBERS = r"[\s\d\[\],-]+"
"""Pattern of a text of whole numbers."""


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
        raise invalid(parameter, f"a list of names from {', '.join(known)}", repr(names))
    for name in names:
        check_name(parameter, name, known)
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise invalid(parameter, "every name once", f"{twice!r} more than once")
    return tuple(names)


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
        raise invalid("architecture", example, repr(text.strip()[:80]))
    return content


def check_object(value: Any, name: str, where: str, **kinds: type) -> Any:
    """Returns a JSON value if it is an object that has exactly the given fields.

    Args:
        value: The value received.
        name: What it is one of.
        where: Which one it is.
        kinds: The class of each field's value.

    Raises:
        ValueError: Names the fields and the value.
    """
    fits = isinstance(value, dict) and set(value) == set(kinds)
    if not fits or not all(isinstance(value[field], kind) for field, kind in kinds.items()):
        fields = " and ".join(", ".join(kinds).rsplit(", ", 1))
        raise invalid(name, f"an object with {fields}", repr(value), where)
    return value


def write_lines(**fields: Any) -> str:
    """A JSON object with a line for each of its fields, and for each element of those that are lists."""

    def written(value: Any) -> str:
        if not isinstance(value, list):
            return json.dumps(value)
        return "[\n    " + ",\n    ".join(map(json.dumps, value)) + "\n  ]"

    return "{\n" + ",\n".join(f'  "{name}": {written(value)}' for name, value in fields.items()) + "\n}"


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
        raise invalid("architecture", f"whole numbers, {expected}", f"{len(words)} words, {text.strip()[:80]!r}")
    return list(map(int, words))


def check_code(numbers: Sequence[int], place: int, what: str, legal: Sequence[int]) -> int:
    """The number at a place of what ENAS or NAO prints, if it is legal there.

    Args:
        numbers: As of `read_integers`.
        place: Position among them, counted from 0.
        what: What the number stands for, for the message.
        legal: The numbers that would be right, ascending.

    Raises:
        ValueError: Names the position and what is legal there.
    """
    if numbers[place] not in legal:
        expected = f"{legal[0]} to {legal[-1]}" if isinstance(legal, range) else ", ".join(map(str, legal))
        where = f"of {len(numbers)} integers, at position {place} ({what})"
        raise invalid("architecture", expected, numbers[place], where)
    return numbers[place]


def illegal(tokens: Tokens, legal_actions: Callable[[Tokens], Tokens]) -> ValueError:
    """The error of tokens that are no complete sequence, for the caller to raise.

    Args:
        tokens: Illegal, or legal but unfinished.
        legal_actions: As of a space.

    Returns:
        Names the first token that is wrong, or that tokens are missing, and what would be legal there.
    """
    for place, token in enumerate(tokens):
        if token not in (legal := legal_actions(tokens[:place])):
            expected = f"one of {legal}" if legal else f"the sequence to end after {place} tokens"
            return invalid("tokens", expected, repr(token), f"at place {place}")
    return invalid("tokens", "a complete sequence", f"{tokens}, which goes on with one of {legal_actions(tokens)}")


def set_fields(instance: Any, **values: Any) -> None:
    """Sets fields of a frozen dataclass in its `__post_init__`.

    Args:
        instance: The object.
        values: By the name of the field.
    """
    for name, value in values.items():
        object.__setattr__(instance, name, value)

"""Error messages: what is wrong with which value, what is allowed, and the allowed name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral
from typing import Any

CUTOFF = 0.4
"""Similarity, in [0, 1], from which a name is near: `cifar` has 0.83 with `cifar10`, `svhn` 0.22 with `mnist`."""


def did_you_mean(received: object, allowed: Iterable[str], quote: str = "'") -> str:
    """`". Did you mean 'NAME'?"` with the nearest allowed name, upper and lower case alike; empty when none is near.

    Args:
        received: What was written.
        allowed: The names that would be right.
        quote: What stands on either side of the name.
    """
    names: dict[str, str] = {}
    for name in allowed:
        names.setdefault(name.lower(), name)
    near = get_close_matches(str(received).lower(), names, 1, CUTOFF)
    return f". Did you mean {quote}{names[near[0]]}{quote}?" if near else ""


def invalid(name: str, expected: object, received: object, where: str = "") -> ValueError:
    """The error for a value that is not allowed, for the caller to raise.

    Args:
        name: The parameter or field.
        expected: What is allowed, in words.
        received: The value; a text as it should stand in the message.
        where: Which of several values of that name it is, such as `"in layer l2"`; empty for the only one.
    """
    return ValueError(f"Invalid value for `{name}`{where and f' {where}'}. Expected {expected}. Received: {received}")


def check_name(name: str, value: object, allowed: Iterable[str], place: str = "") -> str:
    """Returns `value` if it is allowed.

    Args:
        name: What the value stands for, as the user knows it, e.g. `"operation"`.
        value: The value received.
        allowed: The values that would be right.
        place: Where it was found, e.g. `"block b1"`; empty when there is only one place.

    Raises:
        ValueError: Names the value, everything that is allowed, and the nearest of it.
    """
    allowed = tuple(allowed)
    if isinstance(value, str) and value in allowed:
        return value
    received = f"{value!r}{did_you_mean(value, allowed) or '.'}"
    raise invalid(name, f"one of {', '.join(allowed)}", received, f"in {place}" if place else "")


def check_whole(name: str, value: object, low: int = 1, high: int | None = None, where: str = "") -> None:
    """Refuses what is not a whole number in a range.

    Args:
        name: What the number stands for.
        value: The value received.
        low: The smallest number allowed.
        high: The largest; None for no limit.
        where: As for `invalid`.

    Raises:
        ValueError: Names the value and the range.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or int(value) < low or (high is not None and int(value) > high):  # type: ignore[call-overload]
        limits = f">= {low}" if high is None else f"from {low} to {high}"
        raise invalid(name, f"a whole number {limits}", repr(value), where)


def check_fields(owner: Any, **checks: tuple[Any, str]) -> None:
    """Checks attributes of an object.

    Args:
        owner: The object.
        checks: By the name of the attribute, whether it is allowed and what is, in words.

    Raises:
        ValueError: Names the first attribute that is not allowed, what is, and its value.
    """
    for name, (holds, expected) in checks.items():
        if not holds:
            raise invalid(name, expected, repr(getattr(owner, name)))

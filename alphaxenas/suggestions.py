"""The end of an error message about a name: the allowed one that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

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

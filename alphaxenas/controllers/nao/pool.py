"""The pool of NAO: its best members, and the replacement of its worst.

Source: Luo et al. 2018, section 3.3 and the published code. Departure: the best members are really sorted and cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alphaxenas.contracts import Tokens
from alphaxenas.suggestions import invalid


@dataclass(frozen=True)
class Member:
    """An architecture of the pool.

    Attributes:
        key: Of the architecture; a pool has each once.
        tokens: Its sequence.
        reward: What it was rated with.
    """

    key: str
    tokens: Tokens
    reward: float


def best(pool: Sequence[Member], count: int) -> list[Member]:
    """The `count` members with the highest rewards, best first; of equals the earlier.

    Args:
        pool: In the order in which they came.
        count: >= 0.
    """
    return sorted(pool, key=lambda member: -member.reward)[:count]


def renewed(pool: Sequence[Member], arrived: Sequence[Member], size: int) -> list[Member]:
    """The pool after a round: what arrived replaces its worst members, best first.

    Args:
        pool: Different keys.
        arrived: Different keys, none of them in the pool; at most `size`.
        size: Members that the pool has after that, or fewer while fewer are known.

    Raises:
        ValueError: A key comes twice, or more arrived than the pool can hold.
    """
    keys = [member.key for member in (*pool, *arrived)]
    if len(set(keys)) < len(keys) or len(arrived) > size:
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise invalid("arrived", f"at most {size} members, all of new keys", f"{len(arrived)}, known: {twice[:3]}")
    return best([*best(pool, size - len(arrived)), *arrived], size)

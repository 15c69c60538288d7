"""The pool of NAO: its best members, the replacement of its worst, and whose turn it is to train shared weights.

Source: Luo et al. 2018, section 3.3 and the published code. Departures: the best members are really sorted and cut off, and a member
is drawn by its predicted score, too, which the code offers but lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alphaxenas.contracts import Tokens

POLICIES = ("uniform", "size", "accuracy", "prediction")
"""How members are drawn to train shared weights."""


@dataclass(frozen=True)
class Member:
    """An architecture of the pool.

    Attributes:
        key: Of the architecture; a pool has each once.
        tokens: Its game.
        reward: What it was rated with.
    """

    key: str
    tokens: Tokens
    reward: float


def best(pool: Sequence[Member], count: int) -> list[Member]:
    """The `count` members with the highest rewards, best first; of equals the earlier."""
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
        raise ValueError(f"Invalid value for `arrived`. Expected at most {size} members, all of new keys. Received: {len(arrived)}, known: {twice[:3]}")
    return best([*best(pool, size - len(arrived)), *arrived], size)


def chances(policy: str, values: Sequence[float]) -> np.ndarray:
    """With which probability each member is drawn, `[n]`.

    Args:
        policy: One of `POLICIES`.
        values: Per member what the policy goes by: parameters (`"size"`), validation accuracy, or predicted score, none below 0;
            `"uniform"` reads only how many there are.

    Returns:
        In proportion to the values; uniform where all are 0.

    Raises:
        ValueError: An unknown policy, no member, or a value that is negative or no number.
    """
    values = np.asarray(values, np.float64)
    if policy not in POLICIES:
        raise ValueError(f"Invalid value for `policy`. Expected one of {', '.join(POLICIES)}. Received: {policy!r}")
    if not len(values) or not np.all(np.isfinite(values)) or np.any(values < 0):
        raise ValueError(f"Invalid value for `values`. Expected one or more numbers >= 0. Received: {values.tolist()}")
    if policy == "uniform" or not values.any():
        return np.full(len(values), 1 / len(values))
    return values / values.sum()


def drawn(policy: str, values: Sequence[float], count: int, rng: np.random.Generator) -> np.ndarray:
    """Places of `count` members drawn with the probabilities of `chances`, with replacement."""
    return rng.choice(len(values), size=count, p=chances(policy, values))

"""Which architecture trains shared weights next: draws from a pool with probabilities that say what is preferred.

Source: NAO with weight sharing trains uniformly, in proportion to the number of parameters, to the last validation
accuracy, or to what its predictor expects (the last was announced and never written).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alphaxenas.suggestions import check_fields, check_name, check_whole, invalid
from alphaxenas.supernet import SAMPLE_POLICIES


@dataclass(frozen=True)
class Plan:
    """How long a pool with shared weights is trained, and how its members are drawn and scored.

    Attributes:
        rounds: How often members are scored, >= 1.
        epochs: Passes over the training images before each scoring, >= 1.
        policy: Whose turn it is at a training step: one of `SAMPLE_POLICIES`; before there are scores,
            uniform.
        learning_rate: Highest rate; one cosine down to 0 per round.
        subset: Validation images that members are scored on at first.
    """

    rounds: int = 4
    epochs: int = 4
    policy: str = "uniform"
    learning_rate: float = 0.05
    subset: int = 100

    def __post_init__(self) -> None:
        check_name("policy", self.policy, SAMPLE_POLICIES)
        for name, low in (("rounds", 1), ("epochs", 1), ("subset", 2)):
            check_whole(name, getattr(self, name), low)
        check_fields(self, learning_rate=(self.learning_rate > 0, "a number > 0"))


def draw_probabilities(policy: str, values: Sequence[float]) -> np.ndarray:
    """Probability with which each architecture of a pool is drawn, `[n]`.

    Args:
        policy: One of `SAMPLE_POLICIES`: `"uniform"`, or what the values are, to which the others are proportional.
        values: Of every architecture, `[n]`, n >= 1: its number of trainable values (larger networks need more steps),
            its last measured validation accuracy, or a predicted one; predictions below 0 count as 0. Uniform draws use
            their number alone.

    Raises:
        ValueError: The policy is unknown, or the values are none, not finite or negative.
    """
    check_name("policy", policy, SAMPLE_POLICIES)
    given, count = np.asarray(values, float), len(values)
    if not count or not np.isfinite(given).all() or (policy != "prediction" and (given < 0).any()):
        raise invalid("values", f"finite numbers, as the policy {policy!r} needs", repr(values))
    weights = np.maximum(given, 0.0) if policy != "uniform" else np.ones(count)
    # A pool of which nothing good is known is drawn from uniformly.
    return weights / weights.sum() if weights.sum() > 0 else np.full(count, 1.0 / count)

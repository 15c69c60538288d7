"""Which architecture trains shared weights next: draws from a pool with probabilities that say what is preferred.

Source: NAO with weight sharing trains uniformly, in proportion to the number of parameters, to the last validation
accuracy, or to what its predictor expects (the last was announced and never written).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alphaxenas.suggestions import invalid
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
        for name, holds, expected in (
            ("rounds", self.rounds >= 1, "a whole number >= 1"),
            ("epochs", self.epochs >= 1, "a whole number >= 1"),
            ("policy", self.policy in SAMPLE_POLICIES, f"one of {', '.join(SAMPLE_POLICIES)}"),
            ("learning_rate", self.learning_rate > 0, "a number > 0"),
            ("subset", self.subset >= 2, "a whole number >= 2"),
        ):
            if not holds:
                raise invalid(name, expected, repr(getattr(self, name)))


def draw_probabilities(
    policy: str,
    count: int,
    parameters: Sequence[float] | None = None,
    accuracies: Sequence[float] | None = None,
    predictions: Sequence[float] | None = None,
) -> np.ndarray:
    """Probability with which each architecture of a pool is drawn, `[count]`.

    Args:
        policy: One of `SAMPLE_POLICIES`: every architecture alike, or in proportion to one of the following.
        count: Architectures in the pool.
        parameters: Numbers of trainable values, `[count]`; larger networks need more steps.
        accuracies: Last measured validation accuracies, `[count]`.
        predictions: Predicted validation accuracies, `[count]`; values below 0 count as 0.

    Raises:
        ValueError: The policy is unknown, or what it needs is missing, of another length or not finite.
    """
    if policy not in SAMPLE_POLICIES:
        raise invalid("policy", f"one of {', '.join(SAMPLE_POLICIES)}", repr(policy))
    if count < 1:
        raise invalid("count", "a whole number >= 1", count)
    if policy == "uniform":
        return np.full(count, 1.0 / count)
    name = {"parameters": "parameters", "accuracy": "accuracies", "prediction": "predictions"}[policy]
    given = {"parameters": parameters, "accuracies": accuracies, "predictions": predictions}[name]
    values = np.asarray(() if given is None else given, float)
    if values.shape != (count,) or not np.isfinite(values).all() or (policy != "prediction" and (values < 0).any()):
        raise invalid(name, f"{count} finite numbers, as the policy {policy!r} needs", repr(given))
    values = np.maximum(values, 0.0)
    # A pool of which nothing good is known is drawn from uniformly.
    return values / values.sum() if values.sum() > 0 else np.full(count, 1.0 / count)

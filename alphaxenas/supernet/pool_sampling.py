"""Which architecture trains shared weights next: draws from a pool with probabilities that say what is preferred.

Source: NAO with weight sharing trains uniformly, in proportion to the number of parameters, to the last validation
accuracy, or to what its predictor expects (the last was announced and never written).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alphaxenas.supernet import SAMPLE_POLICIES


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
        raise ValueError(
            f"Invalid value for `policy`. Expected one of {', '.join(SAMPLE_POLICIES)}. Received: {policy!r}"
        )
    if count < 1:
        raise ValueError(f"Invalid value for `count`. Expected a whole number >= 1. Received: {count}")
    if policy == "uniform":
        return np.full(count, 1.0 / count)
    name = {"parameters": "parameters", "accuracy": "accuracies", "prediction": "predictions"}[policy]
    given = {"parameters": parameters, "accuracies": accuracies, "predictions": predictions}[name]
    values = np.asarray(() if given is None else given, float)
    if values.shape != (count,) or not np.isfinite(values).all() or (policy != "prediction" and (values < 0).any()):
        raise ValueError(
            f"Invalid value for `{name}`. Expected {count} finite numbers, as the policy {policy!r} needs. Received: {given!r}"
        )
    values = np.maximum(values, 0.0)
    # A pool of which nothing good is known is drawn from uniformly.
    return values / values.sum() if values.sum() > 0 else np.full(count, 1.0 / count)


def draw(rng: np.random.Generator, probabilities: np.ndarray, draws: int) -> np.ndarray:
    """Numbers of the drawn architectures, `[draws]`, with replacement."""
    return rng.choice(len(probabilities), size=draws, p=probabilities)

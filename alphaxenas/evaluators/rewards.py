"""What an evaluator makes of the validation accuracies of a training."""

from __future__ import annotations

from collections.abc import Sequence


def reward_of(accuracies: Sequence[float], reward: str) -> float:
    """The validation accuracy that counts.

    Args:
        accuracies: Of the validated epochs, in order; at least one.
        reward: One of `alphaxenas.evaluators.REWARDS`.

    Returns:
        The highest accuracy or that of the last epoch.
    """
    return max(accuracies) if reward == "best" else accuracies[-1]

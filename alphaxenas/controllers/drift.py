"""How far the level of rewards rises while shared weights learn, so that children of different ages can be compared.

Under shared weights the level rises while a search goes on, by more than architectures differ: the child that was tried
last looks best. Where some children were drawn uniformly, their rewards show that drift alone, whatever the search
prefers by now, and every reward is compared as if it had been measured at the latest age.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FEWEST_UNIFORM = 6
"""Uniformly drawn children before their drift is estimated."""


def drift(ages: Sequence[int], rewards: Sequence[float]) -> float:
    """By how much rewards rise per unit of sqrt(age), >= 0.

    Least squares; 0 with fewer than `FEWEST_UNIFORM` children. The square root lies between the steep and the flat
    rises seen in practice, and one slope is all that a few dozen rewards determine.

    Args:
        ages: Of `n` uniformly drawn children: how many had trained the shared weights before.
        rewards: Their `n` rewards at one budget.
    """
    if len(ages) < FEWEST_UNIFORM:
        return 0.0
    roots, levels = np.sqrt(np.asarray(ages, np.float64)), np.asarray(rewards, np.float64)
    away = roots - roots.mean()
    return max(float(away @ levels / max(away @ away, 1e-9)), 0.0)

"""Several proxies as one order: the sum of their ranks."""

from __future__ import annotations

import numpy as np


def ranks(scores: np.ndarray) -> np.ndarray:
    """Ranks of every column's values as shares, ascending: the best value has 1; equal values share their mean rank.

    Args:
        scores: `[n, p]`, larger is better. Values that are not finite are the worst, and equal.

    Returns:
        Float64 `[n, p]` in (0, 1].
    """
    from scipy.stats import rankdata

    values = np.where(np.isfinite(scores), scores, -np.inf)
    return rankdata(values, axis=0) / max(len(values), 1)


def rank_sum(scores: np.ndarray) -> np.ndarray:
    """One number for several proxies, by ranks alone, so that their scales do not matter.

        s(i) = sum_p log(rank_p(i) / n)

    The logarithm punishes a low rank more than it rewards a high one: an architecture must be good by all of them.

    Args:
        scores: `[n, p]`, larger is better; not finite is worst.

    Returns:
        Float64 `[n]`, at most 0; larger is better.

    Source: Lee & Ham 2024, "AZ-NAS: assembling zero-cost proxies for network architecture search", the
    non-linear ranking aggregation of section 3.
    """
    return np.log(ranks(scores)).sum(1)

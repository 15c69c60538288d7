"""Methods that learn find the optimum of the known table in less than half of the queries of random search."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import pytest
from scipy.stats import wilcoxon

from alphaxenas.controllers.baselines.evolution import RegularizedEvolution
from alphaxenas.controllers.baselines.local_search import LocalSearch
from alphaxenas.controllers.baselines.random_search import RandomSearch
from alphaxenas.controllers.mcts.uct import UCT
from alphaxenas.controllers.policy_gradient.reinforce import Reinforce
from alphaxenas.controllers.surrogate.alphax import AlphaX
from tests.controllers.tabular import SPACE, queries


@cache
def of_random_search(seed: int) -> int:
    return queries(RandomSearch(SPACE, seed))


@pytest.mark.parametrize(
    "make, seeds, level",
    [
        (LocalSearch, 25, 0.01),
        (RegularizedEvolution, 25, 0.01),
        (UCT, 25, 0.01),
        (AlphaX, 12, 0.05),
        (partial(Reinforce, units=8), 12, 0.01),
        (partial(Reinforce, units=8, cell="nascell"), 12, 0.01),
    ],
)
def test_half_the_queries_of_random_search_are_too_many(make, seeds, level):
    ours = [queries(make(SPACE, seed)) for seed in range(seeds)]
    theirs = [of_random_search(seed) for seed in range(seeds)]
    assert np.mean(ours) < 0.5 * np.mean(theirs)
    assert wilcoxon(ours, theirs, alternative="less").pvalue < level

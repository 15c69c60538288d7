"""The controllers that must keep the contract: add a factory here and every contract test runs on it.

A factory takes (space, seed) and returns a fresh controller whose search and final budgets are `SEARCH` and `FINAL`.
Networks are imported inside the factory, so that the other controllers are tested without loading TensorFlow.
"""

from __future__ import annotations

import pytest

from alphaxenas.contracts import Budget

SEARCH, FINAL = Budget(1, 0.5), Budget(3)


def random_search(space, seed):
    from alphaxenas.controllers.random_search import RandomSearch

    return RandomSearch(space, search_budget=SEARCH, final_budget=FINAL, searches_per_final=3, seed=seed)


FACTORIES = {"random_search": random_search}


@pytest.fixture(params=FACTORIES)
def make_controller(request):
    return FACTORIES[request.param]

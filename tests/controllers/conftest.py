"""The controllers that must keep the contract: add a factory here and every contract test runs on it.

A factory takes (space, seed) and returns a fresh controller whose search and final budgets are `SEARCH` and `FINAL`;
`promote_every` of a factory is the number of its searches to a final, where that is fixed.
Networks are imported inside the factory, so that the other controllers are tested without loading TensorFlow.
"""

from __future__ import annotations

import pytest

from alphaxenas.contracts import Budget
from alphaxenas.controllers.catalogue import make_controller as make
from alphaxenas.controllers.pareto.objectives import named

SEARCH, FINAL = Budget(1, 0.5), Budget(3)


def alphaxenas_original(space, seed, **settings):
    from alphaxenas.controllers.alphaxenas.original import OriginalAlphaXENAS

    settings = {"refresh_after": 4, "temperature": 1.0, "prior": "uniform", **settings}
    small = {"num_simulations": 3, "search_children": 0, "lstm_units": 8, "lstm_steps": 3, "lstm_batch_size": 4}
    return OriginalAlphaXENAS(space, SEARCH, FINAL, planning="children", seed=seed, **small, **settings)


def alphaxenas_original_lstm(space, seed):
    return alphaxenas_original(
        space, seed, prior="lstm", refresh_after=5, tree_renewal=3, temperature=0.5, warmup_iterations=1
    )


def played(name, **settings):
    def factory(space, seed):
        return make(name, space, seed, SEARCH, FINAL, promote_every=factory.promote_every, **settings)

    factory.promote_every, factory.drawn_last = 3, settings.get("uniform_share", 0) > 0
    return factory


def with_depth(name, **settings):
    """A controller in a space with a proxy."""
    from alphaxenas.networks.options import NetworkOptions
    from alphaxenas.networks.registry import build_network
    from alphaxenas.networks.training.initial import NetworkWithBatch
    from alphaxenas.proxies import ProxyScores, SpaceWithProxies

    def network(cell):
        return NetworkWithBatch(build_network(cell, NetworkOptions(2, 2, 2, 1)), (8, 8, 1), tuple)

    def factory(space, seed):
        scores = ProxyScores(("depth",), space.key, network)
        return plain(SpaceWithProxies(space, scores), seed)

    plain = played(name, **settings)
    factory.promote_every = plain.promote_every
    return factory


def for_two(name, **settings):
    """A controller of two objectives."""
    factory = played(name, objectives=named(("accuracy", "parameters")), **settings)
    factory.several_objectives = True
    return factory


LSTM = {"lstm_units": 8, "lstm_steps": 3, "lstm_batch_size": 4}
FACTORIES = {
    "random_search": played("random"),
    "alphaxenas": played("alphaxenas", num_simulations=3, initial_children=3, **LSTM),
    "alphaxenas_uniform": played("alphaxenas", num_simulations=2, initial_children=2, uniform_share=0.5, **LSTM),
    "alphaxenas_puct": played("alphaxenas", num_simulations=3, move_rule="puct", prior="uniform", climb=False),
    "alphaxenas_rollouts": played("alphaxenas", num_simulations=1, planning="rollouts", free_features=False, **LSTM),
    "alphaxenas_original": alphaxenas_original,
    "ranked": played("ranked", sample=5),
    "ranked_with_proxies": with_depth("ranked", sample=5),
    "static": played("static", sample=5),
    "static_with_proxies": with_depth("static", by="depth+parameters", sample=5),
    "alphaxenas_original_lstm": alphaxenas_original_lstm,
    "uct": played("uct"),
    "uct_original": played("uct", exploration=2.0, values="raw"),
    "alphax": played("alphax", refit_every=4, meta_layers=(8, 8), meta_epochs=2),
    "evolution": played("evolution", population=4, sample=2),
    "local": played("local"),
    "guided": played("guided", simulations=16, initial=3),
    "guided_lstm": played("guided", simulations=8, initial=3, surrogate="lstm"),
    "guided_tree": played("guided", simulations=16, initial=3, plan="tree"),
    "reinforce": played("reinforce", batch=4, units=8),
    "reinforce_nascell": played("reinforce", batch=3, units=4, cell="nascell", epsilon=0.5),
    "controller_pool": played("controller_pool", batch=3, units=8, policies=2),
    "guided_none": played("guided", simulations=8, initial=3, surrogate="none", plan="rollouts"),
    "evolution_of_two": for_two("evolution", population=4, sample=2),
    "guided_of_two": for_two("guided", initial=3),
    "uct_of_two": for_two("uct"),
    "alphaxenas_of_two": for_two("alphaxenas", num_simulations=2, initial_children=2, prior="uniform", climb=False),
    "nao": played("nao", pool=4, tops=2, new=2, random=1, epochs=2),
    "nao_code": played("nao", preset="code", pool=5, tops=2, new=3, random=1, epochs=1),
}


@pytest.fixture(params=FACTORIES)
def make_controller(request):
    return FACTORIES[request.param]

"""Zero-cost proxies in every space that a search can name, with every controller that uses them."""

from __future__ import annotations

import numpy as np
import pytest

from alphaxenas.config import from_values
from alphaxenas.contracts import Budget, Outcome
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.networks.options import NetworkOptions
from alphaxenas.networks.registry import build_network
from alphaxenas.networks.training.initial import NetworkWithBatch
from alphaxenas.pipelines.factory import search_space
from alphaxenas.proxies import ProxyScores, SpaceWithProxies
from alphaxenas.spaces.features import SIZE
from alphaxenas.spaces.from_parameters import SPACES

SHAPE, CHILDREN = (32, 32, 3), 5
CONTROLLERS = {
    "alphaxenas": {"num_simulations": 3, "initial_children": 2, "prior": "uniform"},
    "guided": {"simulations": 8, "initial": 2},
    "ranked": {"sample": 8},
    "static": {"sample": 8},
}


class Nameless:
    """A space of a user that tells nothing about its features."""

    def __init__(self, space):
        self._space = space

    def __getattr__(self, name):
        if name in ("_space", "feature_names", "feature_groups"):
            raise AttributeError(name)
        return getattr(self._space, name)


def with_parameters(space):
    def initial(architecture):
        return NetworkWithBatch(build_network(architecture, NetworkOptions(10, filters=4, cells=3)), SHAPE, tuple)

    return SpaceWithProxies(space, ProxyScores(("parameters",), space.key, initial))


def proposals(space, controller):
    """The architectures that are asked for when rewards say nothing."""
    searching, found = make_controller(controller, space, 0, Budget(1), **CONTROLLERS[controller]), []
    for number in range(CHILDREN):
        proposal = searching.ask()
        found.append(space.decode(proposal.tokens))
        searching.tell(Outcome(proposal, 0.5 + 0.01 * (number % 3)))
    return found


@pytest.mark.parametrize("controller", CONTROLLERS)
@pytest.mark.parametrize("name", [*SPACES, "nameless"])
def test_a_search_with_a_proxy_proposes_other_architectures_each_time_and_begins_with_a_large_one(name, controller):
    own = search_space(from_values({"space": "cell" if name == "nameless" else name, "blocks": 2}))
    space = with_parameters(Nameless(own) if name == "nameless" else own)
    found = proposals(space, controller)
    assert len({space.key(each) for each in found}) == CHILDREN
    usual = space.proxies.scores([own.sample(np.random.default_rng(seed)) for seed in range(16)])
    # AlphaXENAS begins by what the space itself tells, the static order with the deepest.
    tells = name != "nameless" and SIZE in own.feature_names()
    if controller in ("ranked", "guided") or (controller == "alphaxenas" and tells):
        assert space.proxies.scores(found[:1])[0, 0] > np.median(usual)


def test_names_of_features_fit_the_features_also_where_a_space_has_none():
    own = search_space(from_values({"blocks": 2}))
    for space in (with_parameters(own), with_parameters(Nameless(own))):
        names, features = space.feature_names(), space.features(own.sample(np.random.default_rng(0)))
        assert len(names) == len(features) and names[-1] == "proxy parameters"
    assert names[0] == "feature 0" and space.feature_groups()["features"][0].stop == len(features) - 1

"""Orders known before the search: by proxies over a sample, and static ones."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pytest

from alphaxenas.contracts import Budget, Outcome
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.proxies import ProxyScores, SpaceWithProxies, rank_sum
from alphaxenas.proxies.catalogue import PROXIES, Proxy
from alphaxenas.spaces import CellSpace, NASBench201

SPACE = CellSpace(blocks=2, operations=("conv3x3", "sep3x3", "identity"))


def value(key, name):
    """What the made-up proxies say of an architecture."""
    return float(crc32(f"{name}{key}".encode()) % 17)


class Named:
    """An initial network that has nothing but a key."""

    def __init__(self, architecture):
        self.key = SPACE.key(architecture)
        self.outline = type("Outline", (), {"operations": []})


@pytest.fixture
def proxies(monkeypatch):
    for name in ("one", "other"):
        monkeypatch.setitem(PROXIES, name, Proxy(name, name))
    monkeypatch.setattr(Proxy, "__call__", lambda self, network: value(network.key, self.place))
    return ProxyScores(("one", "other"), SPACE.key, Named)


def order(controller, count):
    found = []
    while len(found) < count and (proposal := controller.ask()) is not None:
        found.append(proposal.tokens)
        controller.tell(Outcome(proposal, 0.5))
    return found


def test_a_sample_is_tried_by_falling_sum_of_ranks(proxies):
    found = order(make_controller("ranked", SpaceWithProxies(SPACE, proxies), 0, Budget(1), sample=30), 60)
    keys = [SPACE.key(SPACE.decode(tokens)) for tokens in found]
    assert len(set(keys)) == 60 and proxies.summary()["scored"] == 60
    for sample in (keys[:30], keys[30:]):
        sums = rank_sum(np.array([[value(key, name) for name in proxies.names] for key in sample]))
        assert np.all(np.diff(sums) <= 1e-9) and np.ptp(sums) > 1


def test_a_static_order_goes_by_its_names_in_turn(proxies):
    controller = make_controller("static", SpaceWithProxies(SPACE, proxies), 0, Budget(1), by="other+one", sample=40)
    keys = [SPACE.key(SPACE.decode(tokens)) for tokens in order(controller, 40)]
    pairs = [(value(key, "other"), value(key, "one")) for key in keys]
    assert pairs == sorted(pairs, reverse=True) and len(set(pairs)) > 20


def test_a_space_that_tells_depth_and_parameters_is_ordered_as_a_whole():
    space = NASBench201()
    found = order(make_controller("static", space, 0, Budget(1)), 300)
    assert found == order(make_controller("static", space, 0, Budget(1)), 300)
    assert found != order(make_controller("static", space, 1, Budget(1)), 300)
    names = space.feature_names()
    places = [names.index("longest path by convolution"), names.index("log parameters")]
    values = [tuple(space.features(space.decode(tokens))[places].tolist()) for tokens in found]
    assert values == sorted(values, reverse=True)
    assert found[0] == (3,) * 6


def test_a_name_that_nothing_tells_is_said():
    controller = make_controller("static", SPACE, 0, Budget(1), by="height+depth", sample=4)
    controller.ask()
    assert "the space does not tell height: equal for all" in controller.status_line()
    assert "no proxies" in make_controller("ranked", SPACE, 0, Budget(1)).status_line()


def test_no_sample_is_refused():
    with pytest.raises(ValueError, match="`sample`. Expected a whole number >= 1. Received: 0"):
        make_controller("ranked", SPACE, 0, Budget(1), sample=0)

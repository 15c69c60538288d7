"""Scores for searches: each computed once, kept in checkpoints, and given to whatever reads features."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.networks.options import NetworkOptions
from alphaxenas.networks.registry import build_network
from alphaxenas.networks.training.initial import NetworkWithBatch
from alphaxenas.proxies import PROXIES, ProxyScores, SpaceWithProxies, rank_sum, ranks
from alphaxenas.proxies.catalogue import Proxy
from alphaxenas.spaces import CellSpace

SPACE = CellSpace(blocks=2, operations=("conv3x3", "sep3x3", "identity"))
NAMES = ("depth", "parameters")


def no_batch():
    raise AssertionError("free proxies read no images")


def network_of(architecture):
    return NetworkWithBatch(
        build_network(architecture, NetworkOptions(3, filters=2, cells=2, reductions=1)), (8, 8, 1), no_batch
    )


def scores_of(names=NAMES, network_of=network_of):
    return ProxyScores(names, SPACE.key, network_of)


def sample(count=6, seed=0):
    rng = np.random.default_rng(seed)
    return [SPACE.sample(rng) for _ in range(count)]


def test_scores_are_those_of_the_proxies_and_computed_once():
    built = []
    scores = scores_of(network_of=lambda each: built.append(each) or network_of(each))
    found = scores.scores(sample())
    assert found.tolist() == [[PROXIES[name](network_of(each)) for name in NAMES] for each in sample()]
    assert scores.scores(sample()).tolist() == found.tolist()
    assert len(built) == scores.summary()["scored"] == len({SPACE.key(each) for each in sample()})
    assert scores.scores([]).shape == (0, len(NAMES))


def test_state_survives_and_belongs_to_its_proxies():
    scores, fresh = scores_of(), scores_of(network_of=no_batch)
    found, spent = scores.scores(sample()), scores.take_seconds()
    state = scores.state()
    json.dumps({name: value for name, value in state.items() if name != "scores"}, allow_nan=False)
    fresh.restore(state)
    assert spent > 0 and fresh.scores(sample()).tolist() == found.tolist()
    assert fresh.seconds() == scores.seconds() and fresh.take_seconds() == scores.take_seconds() == 0.0
    with pytest.raises(ValueError, match="other proxies. Expected depth. Received: depth, parameters"):
        scores_of(("depth",)).restore(state)


def test_a_score_that_is_not_finite_is_recorded_and_last(monkeypatch):
    broken, worst = ({SPACE.key(each)} for each in sample()[:2])
    values = {key: -np.inf for key in broken} | {key: -1e30 for key in worst}
    monkeypatch.setitem(PROXIES, "broken", Proxy("free.depth", "broken"))
    monkeypatch.setattr(
        Proxy,
        "__call__",
        lambda self, network: values.get(SPACE.key(network.network.cell), float(network.outline.depth)),
    )
    scores = scores_of(("broken",))
    found = scores.scores(sample())
    first, second = (SPACE.key(each) for each in sample()[:2])
    assert scores.not_finite(first) == {"not_finite": ["broken"]} and scores.known(first) == {}
    assert scores.not_finite(second) == {} and scores.known(second) == {"broken": -1e30}
    assert np.isnan(found[0, 0]) and scores.summary()["not_finite"] == {"broken": 1}
    assert ranks(found)[0, 0] == min(ranks(found)[:, 0]) < min(ranks(found)[1:, 0])
    columns = [SpaceWithProxies(SPACE, scores).features(each)[-1] for each in sample(40)]
    assert np.isfinite(columns).all() and columns[0] < columns[1] == min(columns[1:])
    assert len(set(columns[2:])) > 3 and np.std(columns[2:]) > 0.05 * np.std(columns)


def test_where_no_usual_score_is_finite_a_finite_one_still_has_a_higher_entry(monkeypatch):
    monkeypatch.setitem(PROXIES, "broken", Proxy("free.depth", "broken"))
    space, rare = SpaceWithProxies(SPACE, scores_of(("broken",))), SPACE.key(sample(seed=99)[0])
    values = {rare: -7.0}
    monkeypatch.setattr(Proxy, "__call__", lambda self, network: values.get(SPACE.key(network.network.cell), np.nan))
    assert space.features(sample(seed=99)[0])[-1] > space.features(sample()[0])[-1]


def test_the_sum_of_ranks_wants_everything_good():
    scores = np.array([[3.0, 1e9], [2.0, 5e9], [1.0, 9e9], [np.nan, 9e9]])
    assert ranks(scores)[:, 0].tolist() == [1.0, 0.75, 0.5, 0.25]
    assert ranks(scores)[:, 1].tolist() == [0.25, 0.5, 0.875, 0.875]
    assert np.argmax(rank_sum(scores)) == 2 and np.argmin(rank_sum(scores)) == 3
    assert rank_sum(scores * [[7.0, 0.1]]).tolist() == rank_sum(scores).tolist()


def test_a_space_with_proxies_has_a_column_for_each():
    space = SpaceWithProxies(SPACE, scores_of())
    cell, own = sample()[0], SPACE.features(sample()[0])
    found = space.features(cell)
    assert found.dtype == np.float32 and found[: len(own)].tolist() == own.tolist()
    assert np.sinh(found[len(own) :]) == pytest.approx(space.proxies.scores([cell])[0], rel=1e-3)
    columns, kind = space.feature_groups()["proxies"]
    assert (columns, kind) == (slice(len(own), len(own) + 2), "numbers")
    assert set(space.feature_groups()) > {"proxies"}
    assert space.key(cell) == SPACE.key(cell) and space.size() == SPACE.size()
    assert len({space, SpaceWithProxies(SPACE, scores_of())}) == 1 != len({space, SPACE})


def test_free_proxies_need_no_tensorflow():
    code = (
        "import sys; from alphaxenas.proxies import PROXIES; from alphaxenas.networks.cell import CellNetwork; "
        "from alphaxenas.networks.training.initial import NetworkWithBatch; from alphaxenas.spaces.cell import Cell; "
        "n = NetworkWithBatch(CellNetwork(Cell.parse('prev:conv3x3 + prev:identity'), 2), (8, 8, 1), None); "
        "print([p(n) for p in PROXIES.values() if p.cost == 'free'], 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"

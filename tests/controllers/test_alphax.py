"""AlphaX: what a leaf is worth, when the meta-DNN learns, and what it learns."""

from __future__ import annotations

import numpy as np
import pytest

from alphaxenas.controllers.mcts.uct import UCT
from alphaxenas.controllers.surrogate.alphax import AlphaX
from alphaxenas.controllers.surrogate.meta_dnn import MetaDNN
from tests.controllers.tabular import SPACE, Digits, reward, search

SMALL = {"meta_layers": (16, 16), "refit_every": 10}
WIDE = Digits(9, 4)


class Constant:
    """A meta-DNN that expects 0.25 of everything and notes what it was asked."""

    loss = None

    def __init__(self):
        self.asked, self.fits = [], []

    def fit(self, features, values):
        self.fits.append((len(self.asked), features, values))

    def predict(self, features):
        self.asked.append(features)
        return np.full(len(features), 0.25)


def stubbed(space, **settings):
    strategy = AlphaX(space, 0, **{**SMALL, **settings})
    strategy._net = Constant()
    return strategy


@pytest.mark.parametrize(
    "settings", [{"exploration": 0.15}, {"values": "raw", "exploration": 2.0}], ids=["ranked", "original"]
)
def test_without_predicted_rollouts_it_is_uct(settings):
    for seed in range(3):
        assert search(AlphaX(SPACE, seed, rollouts=0, **settings), 300) == search(UCT(SPACE, seed, **settings), 300)


@pytest.mark.parametrize("planning", [0, 1])
def test_a_leaf_is_worth_the_mean_of_its_true_reward_and_of_k_predicted_ones(planning):
    strategy = stubbed(WIDE, values="raw", planning=planning)
    search(strategy, 10, lambda tokens: 0.75)
    before = strategy.tree_snapshot()["total"].sum()
    search(strategy, 1, lambda tokens: 0.75)
    tree = strategy.tree_snapshot()
    assert tree["total"].sum() - before == pytest.approx(
        (0.75 + 0.25) / 2 * (1 + _depth(tree, len(tree["parent"]) - 1))
    )


def _depth(tree, row):
    return 0 if tree["parent"][row] < 0 else 1 + _depth(tree, tree["parent"][row])


def test_evaluated_rollouts_count_with_their_true_value():
    strategy = stubbed(Digits(3, 2), values="raw", refit_every=1)
    sequences = search(strategy, 5, lambda tokens: 0.75)
    keys = [strategy._space.key(tokens) for tokens in sequences]
    assert strategy._predict(sequences) == (keys, [0.75] * 5)
    unknown = next(
        tokens for tokens in ((a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)) if tokens not in sequences
    )
    assert strategy._predict([sequences[0], unknown]) == ([keys[0], strategy._space.key(unknown)], [0.75, 0.25])


def test_simulations_of_which_nothing_is_evaluated_are_worth_what_is_predicted():
    strategy = stubbed(WIDE, values="raw", planning=7)
    search(strategy, 10, lambda tokens: 0.75)
    before = strategy.tree_snapshot()
    tokens = strategy.suggest()
    waiting = strategy.tree_snapshot()
    strategy.observe(tokens, 0.75)
    after = strategy.tree_snapshot()
    assert [tree["visits"][0] for tree in (before, waiting, after)] == [10, 16, 17]
    assert waiting["total"][0] - before["total"][0] == pytest.approx(6 * 0.25)
    assert after["total"][0] - waiting["total"][0] == pytest.approx((0.75 + 0.25) / 2)


@pytest.mark.parametrize("planning", [0, 1, 10])
def test_visits_of_a_node_are_those_of_its_edges_and_one(planning):
    strategy = AlphaX(Digits(4, 3), 0, **SMALL, planning=planning)
    for _ in range(80):
        search(strategy, 1)
        tree = strategy.tree_snapshot()
        inner = [row for row in range(len(tree["parent"])) if (tree["parent"] == row).any()]
        assert all(tree["visits"][row] == tree["visits"][tree["parent"] == row].sum() + 1 for row in inner)
    assert len(inner) > 20


def test_the_rollouts_of_a_simulation_are_predicted_in_one_batch():
    strategy = stubbed(WIDE, planning=1)
    search(strategy, 10)
    asked = len(strategy._net.asked)
    strategy.suggest()
    assert len(strategy._net.asked) == asked + 1
    assert len(strategy._net.asked[-1]) == 11


def test_the_best_predicted_rollout_is_evaluated():
    strategy = stubbed(WIDE, planning=3)
    search(strategy, 10)
    strategy._net.predict = lambda features: features @ np.arange(features.shape[1]) / 1000
    chosen, drawn, rollout = [], [], strategy._uct.rollout
    strategy._uct.rollout = lambda prefix, rng: drawn.append(rollout(prefix, rng)) or drawn[-1]
    for _ in range(5):
        drawn.clear()
        chosen = strategy.suggest()
        best = max(drawn, key=lambda tokens: WIDE.features(tokens) @ np.arange(36))
        assert chosen == best and len(drawn) == 33


def test_it_learns_whenever_so_many_more_are_evaluated_and_predicts_them_first():
    strategy = stubbed(SPACE, refit_every=10)
    sequences = search(strategy, 35)
    assert [len(features) for _, features, _ in strategy._net.fits] == [10, 20, 30]
    for number, (asked, features, _) in enumerate(strategy._net.fits[1:], 1):
        unseen = np.stack([SPACE.features(tokens) for tokens in sequences[10 * number : 10 * number + 10]])
        assert np.array_equal(strategy._net.asked[asked - 1], unseen)
        assert np.array_equal(features[-10:], unseen)


def test_failures_teach_nothing():
    strategy = stubbed(SPACE, refit_every=5)
    search(strategy, 20, lambda tokens: None if tokens[0] == 3 else reward(tokens))
    for _, features, _ in strategy._net.fits:
        assert not features[:, 3].any()


def test_the_rank_correlation_of_what_it_had_not_seen_is_reported():
    strategy = AlphaX(SPACE, 0, refit_every=30)
    search(strategy, 59)
    assert "surrogate/rank_correlation" not in strategy.diagnostics()
    search(strategy, 91)
    assert 0.2 < strategy.diagnostics()["surrogate/rank_correlation"] <= 1


@pytest.mark.parametrize(
    "name, value",
    [
        ("rollouts", -1),
        ("refit_every", 0),
        ("rollouts", True),
        ("planning", -1),
        ("meta_layers", ()),
        ("meta_layers", "64-x"),
    ],
)
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=name.removeprefix("meta_")):
        AlphaX(SPACE, 0, **{name: value})


class TestMetaDNN:
    def examples(self, count=200):
        features = np.random.default_rng(0).normal(size=(count, 6)).astype(np.float32)
        return features, 1 / (1 + np.exp(-features @ np.array([1, -2, 0, 0.5, 0, 0])))

    def test_its_gradients_are_those_of_finite_differences(self):
        net, (features, rewards) = MetaDNN((5, 4), 1e-3, 16, 1, 0), self.examples(16)
        net.fit(features, rewards)
        net._arrays = [array.astype(np.float64) for array in net._arrays]
        gradients = net._gradients(features.astype(np.float64), rewards)[0]
        for array, gradient in zip(net._arrays, gradients, strict=True):
            place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
            losses = []
            for sign in (1, -1):
                array[place] += sign * 1e-5
                losses.append(np.mean((net._forward(features.astype(np.float64))[-1][:, 0] - rewards) ** 2))
                array[place] -= sign * 1e-5
            assert gradient[place] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-4)

    def test_it_learns_a_function(self):
        net, (features, rewards) = MetaDNN((32, 32), 3e-3, 32, 60, 0), self.examples()
        net.fit(features[:150], rewards[:150])
        assert np.mean((net.predict(features[150:]) - rewards[150:]) ** 2) < 0.1 * rewards.var()

    def test_a_further_fit_goes_on_from_its_weights(self):
        net, (features, rewards) = MetaDNN((16,), 1e-3, 32, 10, 0), self.examples()
        losses = []
        for _ in range(6):
            net.fit(features, rewards)
            losses.append(net.loss)
        assert losses == sorted(losses, reverse=True)

    def test_stored_and_restored_it_learns_on_to_the_same_bits(self):
        one, two, (features, rewards) = (
            MetaDNN((8, 8), 1e-2, 16, 3, 0),
            MetaDNN((8, 8), 1e-2, 16, 3, 1),
            self.examples(),
        )
        one.fit(features, rewards)
        two.restore(one.state())
        for net in (one, two):
            net.fit(features, rewards)
        assert np.array_equal(one.predict(features), two.predict(features))

    def test_the_size_of_the_original_is_written_as_text(self):
        strategy = AlphaX(SPACE, 0, meta_layers="512-2048-2048-512")
        strategy._net._begin(56)
        assert sum(array.size for array in strategy._net._arrays) == 6_325_761

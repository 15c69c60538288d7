"""GuidedSearch: plans, surrogates, and what they are worth on a space whose optimum is known."""

from __future__ import annotations

import numpy as np
import pytest

from alphaxenas.controllers.baselines.random_search import RandomSearch
from alphaxenas.controllers.surrogate.acquisition import RewardTransform, best_and_latest, log_improvement
from alphaxenas.controllers.surrogate.alternatives import SURROGATES, make_surrogate
from alphaxenas.controllers.surrogate.gaussian_process import GaussianProcess, negative_log_posterior
from alphaxenas.controllers.surrogate.guided import GuidedSearch
from alphaxenas.spaces import CellSpace
from alphaxenas.spaces.nasbench.nasbench201 import NASBench201

SPACE = NASBench201()
WORTH = {"none": 0.0, "skip_connect": 0.3, "nor_conv_1x1": 0.6, "nor_conv_3x3": 1.0, "avg_pool_3x3": 0.2}
OPTIMUM = ("nor_conv_3x3",) * 6


def reward(tokens):
    """Best with 3x3 convolutions everywhere, with an interaction of the last two edges."""
    operations = SPACE.decode(tokens).operations
    clash = 0.05 * (operations[4] == operations[5] != "nor_conv_3x3")
    return 0.5 + 0.4 * np.mean([WORTH[operation] for operation in operations]) - clash


def queries(strategy, most=250):
    """Suggestions up to and including the optimum."""
    for count in range(1, most + 1):
        tokens = strategy.suggest()
        strategy.observe(tokens, reward(tokens))
        if SPACE.decode(tokens).operations == OPTIMUM:
            return count
    return most


def test_the_optimum_is_found_in_a_fraction_of_the_queries_of_random_search():
    found = [queries(GuidedSearch(SPACE, seed)) for seed in range(3)]
    assert max(found) <= 60
    assert min(queries(RandomSearch(SPACE, seed)) for seed in range(3)) > 60


def test_a_large_space_is_never_enumerated(monkeypatch):
    import alphaxenas.controllers.surrogate.guided as module

    monkeypatch.setattr(module, "every_architecture", lambda space: pytest.fail("the space was enumerated"))
    search = GuidedSearch(CellSpace(), 0, simulations=32)
    for _ in range(14):
        tokens = search.suggest()
        search.observe(tokens, 0.5 + 0.01 * (sum(tokens) % 7))


def test_the_plan_finds_nearly_the_best_of_what_enumeration_finds():
    search = GuidedSearch(SPACE, 1, plan="tree")
    for _ in range(16):
        tokens = search.suggest()
        search.observe(tokens, reward(tokens))
    search._fit()
    sequences = [
        SPACE.encode(SPACE.parse("".join(str(number // 5**place % 5) for place in range(5, -1, -1))))
        for number in range(SPACE.size())
    ]
    sequences = [tokens for tokens in sequences if search._history.key(tokens) not in search._history]
    bounds = search._bounds(sequences, np.stack([SPACE.features(SPACE.decode(tokens)) for tokens in sequences]))
    planned = sequences.index(search._planned())
    assert np.sum(bounds > bounds[planned]) <= 3


def test_a_small_space_is_looked_at_as_a_whole():
    search = GuidedSearch(SPACE, 1)
    for _ in range(6):
        search.observe(tokens := search.suggest(), reward(tokens))
    search._fit()
    sequences = [tuple(number // 5**place % 5 for place in range(6)) for number in range(SPACE.size())]
    sequences = [tokens for tokens in sequences if search._history.key(tokens) not in search._history]
    values = search._improvement(sequences, np.stack([SPACE.features(SPACE.decode(tokens)) for tokens in sequences]))
    assert values[sequences.index(search._planned())] == pytest.approx(values.max(), rel=1e-4)
    for plan, surrogate in (("tree", "gp"), ("auto", "none")):
        assert GuidedSearch(SPACE, 1, plan=plan, surrogate=surrogate)._plan == "tree"


@pytest.mark.parametrize("plan", ["auto", "tree"])
def test_the_first_suggestions_are_large_and_deep_unless_that_is_hidden(plan, monkeypatch):
    monkeypatch.setattr("alphaxenas.controllers.surrogate.guided.PROMISING", 100)

    column = SPACE.feature_names().index("log parameters")

    def large(**settings):
        search = GuidedSearch(SPACE, 0, plan=plan, initial=100, **settings)
        return [SPACE.features(SPACE.decode(search.suggest()))[column] > np.log(1 + 21) for _ in range(100)]

    first, uniform = large(), large(without="flow")
    assert first[0] and np.mean(first) > np.mean(uniform) + 0.08


def test_what_is_hidden_changes_no_suggestion(monkeypatch):
    """Size and depth are set to noise: with `without="flow"` the search does the same."""
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Blinded(NASBench201):
        def features(self, architecture):
            found = super().features(architecture).copy()
            found[self.feature_groups()["flow"][0]] = hash(architecture.operations) % 97
            return found

    def trace(space, **settings):
        search, found = GuidedSearch(space, 0, **settings), []
        for _ in range(10):
            found.append(search.suggest())
            search.observe(found[-1], reward(found[-1]))
        return found

    assert trace(Blinded(), without="flow") == trace(SPACE, without="flow")
    assert trace(Blinded()) != trace(SPACE)


@pytest.mark.parametrize("without", ["size", "flow+paths+edges"])
def test_a_group_of_features_that_is_not_there_or_all_of_them_cannot_be_hidden(without):
    with pytest.raises(ValueError, match=r"`without`.*paths, edges, flow"):
        GuidedSearch(SPACE, 0, without=without)


def test_the_expected_improvement_is_that_of_a_sum_over_draws():
    draws = np.random.default_rng(0).normal(size=200_000)
    for above, deviation in ((0.3, 0.5), (-0.4, 0.3), (2.0, 0.01)):
        expected = np.log(np.maximum(above + deviation * draws, 0).mean())
        assert log_improvement(np.array([above]), np.array([deviation]))[0] == pytest.approx(expected, abs=0.02)


def test_the_expected_improvement_has_the_right_order_where_it_underflows():
    above = np.array([-900.0, -50.0, -3.0, -1.0, 0.0, 1.0, 40.0, 50.0])
    for deviation in (1.0, 0.01, 0.0):
        values = log_improvement(above, np.full(8, deviation))
        assert np.all(np.isfinite(values)) and np.all(np.diff(values) > 0)
    deviations = np.array([0.1, 0.2, 0.5, 1.0])
    assert np.all(np.diff(log_improvement(np.full(4, -2.0), deviations)) > 0)


def test_without_uncertainty_and_with_it_different_architectures_are_tried():
    one, other = (GuidedSearch(SPACE, 2, uncertainty=weight) for weight in (0.0, 4.0))
    trace = []
    for search in (one, other):
        sequences = []
        for _ in range(14):
            sequences.append(search.suggest())
            search.observe(sequences[-1], reward(sequences[-1]))
        trace.append(sequences)
    assert trace[0][:3] == trace[1][:3] and trace[0] != trace[1]


def test_the_tree_of_a_plan_counts_every_walk():
    search = GuidedSearch(SPACE, 3, simulations=64, plan="tree")
    for _ in range(9):
        tokens = search.suggest()
        search.observe(tokens, reward(tokens))
    search.suggest()
    tree = search.tree_snapshot()
    assert (tree["visits"][0], tree["tried"][0]) == (64, 64)
    assert tree["visits"][tree["parent"] == 0].sum() == 64


@pytest.mark.parametrize("failed", [None, 0.0])
def test_failures_move_the_plan_elsewhere(failed):
    """Architectures that begin with the digit 3 would be the best if they did not fail."""
    shares = {}
    for name, rate in (("failing", failed), ("succeeding", 1.0)):
        search, found = GuidedSearch(SPACE, 4, simulations=32), []
        for _ in range(32):
            found.append(search.suggest())
            search.observe(found[-1], rate if found[-1][0] == 3 else reward(found[-1]))
        shares[name] = np.mean([tokens[0] == 3 for tokens in found[-16:]])
    assert shares["failing"] < 0.2 < 0.8 < shares["succeeding"]


def test_outstanding_suggestions_do_not_move_the_surrogates_hyperparameters():
    """They count at their predicted means, which agree with any hyperparameters and say nothing about them."""
    search = GuidedSearch(SPACE, 5, simulations=16)
    for _ in range(24):
        search.observe(tokens := search.suggest(), reward(tokens))
    search.suggest()
    before = search.state()["surrogate"]
    for _ in range(6):
        search.suggest()
    after = search.state()["surrogate"]
    assert after["fitted"] == before["fitted"] <= 24
    assert np.array_equal(after["theta"], before["theta"])


@pytest.mark.parametrize("name", SURROGATES)
def test_surrogates_rank_architectures_that_they_did_not_see(name):
    rng = np.random.default_rng(0)
    sequences = list({SPACE.encode(SPACE.sample(rng)): None for _ in range(260)})
    features = np.stack([SPACE.features(SPACE.decode(tokens)) for tokens in sequences])
    values = np.array([reward(tokens) for tokens in sequences])
    values = (values - values.mean()) / values.std()
    surrogate = make_surrogate(name, SPACE, 0)
    for _ in range(8 if name == "lstm" else 1):
        surrogate.fit(sequences[:160], features[:160], values[:160])
    mean, deviation = surrogate.predict(sequences[160:], features[160:])
    assert np.all(deviation >= 0) and surrogate.noise() >= 0
    assert np.corrcoef(mean, values[160:])[0, 1] > {"gp": 0.95, "lstm": 0.5, "none": 0.15}[name]


def test_a_gaussian_process_is_sure_of_what_it_saw_and_unsure_elsewhere():
    rng = np.random.default_rng(1)
    sequences = [SPACE.encode(SPACE.sample(rng)) for _ in range(40)]
    features = np.stack([SPACE.features(SPACE.decode(tokens)) for tokens in sequences])
    values = np.array([reward(tokens) for tokens in sequences])
    process = GaussianProcess(SPACE)
    process.fit(sequences[:20], features[:20], (values[:20] - values.mean()) / values.std())
    _, seen = process.predict(sequences[:20], features[:20])
    _, unseen = process.predict(sequences[20:], features[20:])
    assert seen.max() < unseen.mean()


def test_the_gradient_of_the_posterior_is_that_of_finite_differences():
    rng = np.random.default_rng(1)
    inputs, values = rng.normal(size=(2, 30, 3)), rng.normal(size=30)
    distances = [((part[:, None] - part[None]) ** 2).sum(-1) for part in inputs]
    theta, prior = rng.normal(0, 0.3, 5), (np.zeros(5), np.ones(5))
    _, gradient = negative_log_posterior(theta, distances, values, *prior)
    for place, step in enumerate(1e-5 * np.eye(5)):
        above, below = (negative_log_posterior(theta + s, distances, values, *prior)[0] for s in (step, -step))
        assert gradient[place] == pytest.approx((above - below) / 2e-5, rel=1e-6)


def test_a_fit_finds_that_values_have_no_noise_which_the_prior_did_not_know():
    rng = np.random.default_rng(2)
    sequences = [SPACE.encode(SPACE.sample(rng)) for _ in range(60)]
    features = np.stack([SPACE.features(SPACE.decode(tokens)) for tokens in sequences])
    values = np.array([reward(tokens) for tokens in sequences])
    process = GaussianProcess(SPACE)
    before = process.noise()
    process.fit(sequences, features, (values - values.mean()) / values.std())
    assert process.noise() < 0.95 * before


def test_the_transform_is_monotone_and_can_be_undone():
    rewards = np.array([0.1, 0.5, 0.8, 0.9, 0.93, 0.94])
    transform = RewardTransform(rewards)
    values = transform(np.array([*rewards, 0.95]))
    assert np.all(np.diff(values) > 0)
    assert [transform.inverse(value) for value in values] == pytest.approx([*rewards, 0.95])
    stretched = np.diff(values)
    assert stretched[4] / 0.01 > stretched[0] / 0.4  # per point of accuracy, near the best more than far below


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("surrogate", "oracle"),
        ("plan", "guess"),
        ("prior", "lstm"),
        ("uncertainty", -1),
        ("simulations", 0),
        ("initial", 1),
    ],
)
def test_impossible_settings_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        GuidedSearch(SPACE, 0, **{name: value})


def test_of_very_many_measured_architectures_the_surrogate_sees_the_best_and_the_latest():
    rewards = {number: None if number == 7 else (number * 37 % 101) / 101 for number in range(50)}
    assert best_and_latest(rewards, 50) == list(range(50))
    kept = best_and_latest(rewards, 20)
    best = sorted((number for number in range(50) if number != 7), key=lambda number: -rewards[number])[:10]
    assert set(kept) == {*best, *range(40, 50)} and kept == sorted(kept)


def test_a_plan_that_predicts_many_times_pays_for_the_cube_once(monkeypatch):
    import scipy.linalg

    solved, plain = [], scipy.linalg.solve_triangular
    monkeypatch.setattr(
        scipy.linalg, "solve_triangular", lambda *words, **named: solved.append(0) or plain(*words, **named)
    )
    process, rng = GaussianProcess(SPACE), np.random.default_rng(0)
    features = np.stack([SPACE.features(SPACE.sample(rng)) for _ in range(20)])
    for count in (12, 11):
        process.condition([], features[:count], rng.normal(size=count))
        one, other = process.predict([], features), process.predict([], features)
        np.testing.assert_array_equal(one, other)
        assert np.all(one[1][:count].max() < one[1][count:].max()), "the deviation is that of the latest condition"
    assert len(solved) == 2

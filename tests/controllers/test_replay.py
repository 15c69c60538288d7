"""The replay: what it keeps, and how rewards of different budgets become comparable targets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from alphaxenas.contracts import Budget
from alphaxenas.controllers.alphaxenas.replay import CLIP, Replay, rank_correlation
from alphaxenas.controllers.drift import FEWEST_UNIFORM

SEARCH, FINAL = Budget(1, 0.5), Budget(3)


def filled(capacity=100):
    replay, rng = Replay(capacity, 3, 4), np.random.default_rng(0)
    for number in range(20):
        replay.add(f"s{number}", (number % 4, 1, 2), SEARCH, 0.93 + 0.01 * rng.standard_normal(), number)
        replay.add(f"f{number}", (number % 4, 1), FINAL, 0.97 + 0.01 * rng.standard_normal(), number)
    return replay


def test_capacity_holds_and_the_oldest_leave():
    replay = filled(capacity=7)
    assert len(replay) == 7
    assert replay.state()["keys"][-1] == "f19"


def test_a_refreshed_score_replaces_the_old_one_and_keeps_the_moves():
    replay, moves = Replay(5, 2, 4), np.full((2, 4), 0.25, np.float32)
    replay.add("a", (0, 1), FINAL, 0.5, 0, policies=moves)
    replay.add("a", (0, 1), FINAL, 0.9, 3)
    assert len(replay) == 1
    assert replay.state()["rewards"].tolist() == [0.9]
    np.testing.assert_array_equal(replay.examples().policies[0], moves)


def test_moves_alone_are_examples_without_a_value_and_leave_all_rewards_as_they_are():
    replay, plain, moves = filled(), filled(), np.full((3, 4), 0.25, np.float32)
    replay.add_moves((1, 1, 1), SEARCH, 4, moves)
    assert len(replay) == len(plain) and replay.scale(SEARCH) == plain.scale(SEARCH)
    assert replay.present_rewards(SEARCH) == plain.present_rewards(SEARCH)
    examples, before = replay.examples(), plain.examples()
    np.testing.assert_array_equal(examples.values[:-1], before.values)
    assert np.isnan(examples.values[-1]) and examples.tokens[-1].tolist() == [1, 1, 1]
    np.testing.assert_array_equal(examples.policies[-1], moves)
    np.testing.assert_allclose(examples.context[-1], Replay.context(SEARCH, 4), rtol=1e-6)


def test_the_latest_moves_alone_are_kept_once_each_and_push_no_reward_out():
    replay = filled(capacity=4)
    for number in (0, 1, 2, 3, 0, 1):
        replay.add_moves((number, 1), FINAL, number, np.full((2, 4), 0.25 + number, np.float32))
    replay.add_moves((3, 3), FINAL, 9, np.ones((2, 4), np.float32))
    examples = replay.examples()
    assert len(replay) == 4 and not np.isnan(examples.values[:4]).any() and np.isnan(examples.values[4:]).all()
    assert examples.tokens[4:, :2].tolist() == [[3, 1], [0, 1], [1, 1], [3, 3]]


def test_targets_are_standardised_per_budget():
    examples = filled().examples()
    for epochs in (np.log1p(1), np.log1p(3)):
        values = examples.values[np.isclose(examples.context[:, 0], epochs)]
        assert len(values) == 20
        assert abs(np.median(values)) < 1e-6
        assert 0.5 < values.std() < 2


def test_budgets_reach_the_inputs():
    assert np.unique(filled().examples().context[:, :2], axis=0).shape == (2, 2)


def test_failures_neither_move_the_scale_nor_enter_as_zero():
    replay = filled()
    before = replay.scale(SEARCH)
    replay.add("broken", (0, 0, 0), SEARCH, 0.0, 9, failed=True)
    assert replay.scale(SEARCH) == before
    assert replay.value(SEARCH, 0.0, failed=True) > 0.85
    assert replay.examples().values.min() >= -CLIP


def test_one_diverged_child_does_not_squeeze_the_others():
    replay = filled()
    before = replay.scale(SEARCH).spread
    replay.add("diverged", (0, 0, 0), SEARCH, 0.1, 9)
    assert replay.scale(SEARCH).spread < 15 * before
    assert replay.value(SEARCH, 0.1) > 0.1


def test_only_failures_are_no_scale():
    replay = Replay(5, 2, 4)
    replay.add("a", (0, 1), SEARCH, 0.0, 0, failed=True)
    assert replay.scale(SEARCH) is None
    assert replay.examples().values.tolist() == [-1.0]


def test_state_comes_back():
    replay, other = filled(), Replay(100, 3, 4)
    replay.add("p", (0, 1), FINAL, 0.5, 0, policies=np.full((2, 4), 0.25, np.float32))
    replay.add_moves((1, 1, 1), SEARCH, 4, np.full((3, 4), 0.25, np.float32))
    replay.add_moves((2, 1), FINAL, 5, np.full((2, 4), 0.5, np.float32))
    other.restore(replay.state())
    np.testing.assert_equal(other.state(), replay.state())


def test_rank_correlation_agrees_with_scipy():
    rng = np.random.default_rng(0)
    for _ in range(5):
        first, second = rng.integers(0, 6, 30), rng.integers(0, 6, 30)
        assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second)[0])
    assert np.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))


def test_impossible_capacity_is_refused():
    with pytest.raises(ValueError, match="`replay_capacity`"):
        Replay(0, 3, 4)


def drifting(uniform, count=24):
    """Records of one budget whose level rises by 0.02 per unit of sqrt(age); every third one is 0.05 better than the
    others.
    """
    replay, rng = Replay(100, 2, 4), np.random.default_rng(1)
    for age in range(count):
        reward = 0.4 + 0.02 * np.sqrt(age) + 0.05 * (age % 3 == 0) + 0.002 * rng.standard_normal()
        replay.add(f"c{age}", (age % 4, 1), SEARCH, reward, age, uniform=uniform)
    return replay


def test_the_drift_of_uniform_children_is_found_and_taken_off():
    replay = drifting(uniform=True)
    assert replay.drift(SEARCH) == pytest.approx(0.02, abs=0.005)
    values = replay.examples().values
    better = np.arange(24) % 3 == 0
    assert values[better].min() > values[~better].max()
    early, late = replay.present(SEARCH, 0.45, 0), replay.present(SEARCH, 0.4 + 0.02 * np.sqrt(23), 23)
    assert early > late


def test_without_uniform_children_there_is_no_drift_because_the_search_itself_may_improve():
    replay = drifting(uniform=False)
    assert replay.drift(SEARCH) == 0.0
    assert replay.present(SEARCH, 0.45, 0) == 0.45
    assert Replay(100, 2, 4).drift(SEARCH) == 0.0


def test_few_uniform_children_and_a_falling_level_show_no_drift():
    assert drifting(uniform=True, count=FEWEST_UNIFORM - 1).drift(SEARCH) == 0.0
    replay = Replay(100, 2, 4)
    for age in range(10):
        replay.add(f"c{age}", (0, 1), SEARCH, 0.9 - 0.01 * age, age, uniform=True)
    assert replay.drift(SEARCH) == 0.0


def test_who_was_drawn_uniformly_survives_a_restore_and_old_states_have_nobody():
    replay, other = drifting(uniform=True), Replay(100, 2, 4)
    other.restore(replay.state())
    assert other.drift(SEARCH) == replay.drift(SEARCH) > 0
    state = replay.state()
    del state["uniform"]
    other.restore(state)
    assert other.drift(SEARCH) == 0.0

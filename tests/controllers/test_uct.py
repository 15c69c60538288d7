"""UCT: where it walks, what it counts, what costs nothing, and what a failure does to it."""

from __future__ import annotations

from collections import Counter
from math import log, sqrt

import numpy as np
import pytest

from alphaxenas.controllers.mcts.uct import UCT
from tests.controllers.tabular import SPACE, Digits, Unordered, reward, search

ORIGINAL = {"exploration": 2.0, "values": "raw"}


def edges(tree):
    """Rows of the children of every row."""
    children = {row: [] for row in range(len(tree["parent"]))}
    for row, parent in enumerate(tree["parent"]):
        if parent >= 0:
            children[parent].append(row)
    return children


def prefixes(tree):
    """The prefix of every row."""
    found = []
    for parent, action in zip(tree["parent"], tree["action"]):
        found.append(() if parent < 0 else (*found[parent], int(action)))
    return found


@pytest.mark.parametrize("settings", [{}, ORIGINAL], ids=["default", "original"])
@pytest.mark.parametrize(
    "space", [Digits(4, 3), Unordered(4, 3)], ids=["sequences with keys of their own", "many sequences of one key"]
)
def test_visits_of_a_node_are_those_of_its_edges_and_one(space, settings):
    strategy = UCT(space, 0, **settings)
    for _ in range(60):
        search(strategy, 1)
        tree = strategy.tree_snapshot()
        for row, children in edges(tree).items():
            assert tree["visits"][row] == tree["visits"][children].sum() + 1
        assert np.array_equal(tree["visits"], tree["tried"])


def test_one_simulation_adds_one_node():
    strategy = UCT(Digits(4, 3), 0)
    search(strategy, 40)
    numbers = strategy.diagnostics()
    assert numbers["tree/nodes"] == numbers["tree/visits"] == 40 + numbers["tree/free"]


def test_a_simulation_walks_along_the_largest_bound_and_tries_every_edge_first():
    strategy, c, checked = UCT(SPACE, 0, **ORIGINAL), ORIGINAL["exploration"], 0
    search(strategy, 30)
    for _ in range(120):
        before = strategy.tree_snapshot()
        strategy.observe(tokens := strategy.suggest(), reward(tokens))
        after = strategy.tree_snapshot()
        row_of = dict(zip(prefixes(before), range(len(before["parent"]))))
        added = set(prefixes(after)) - set(row_of)
        if len(added) > 1:
            continue
        (new,) = added
        children = edges(before)
        for depth, action in enumerate(new):
            row = row_of[new[:depth]]
            actions = {int(before["action"][child]): child for child in children[row]}
            if len(actions) < SPACE.base:
                assert action not in actions and depth == len(new) - 1
                continue
            score = {
                other: before["total"][child] / before["visits"][child]
                + 2 * c * sqrt(2 * log(before["tried"][row]) / before["tried"][child])
                for other, child in actions.items()
            }
            assert score[action] == pytest.approx(max(score.values()))
            checked += 1
    assert checked > 100


def test_the_walked_path_and_no_other_takes_the_value():
    strategy = UCT(SPACE, 3, **ORIGINAL)
    search(strategy, 50)
    before = dict(zip(prefixes(strategy.tree_snapshot()), strategy.tree_snapshot()["total"]))
    tokens = strategy.suggest()
    strategy.observe(tokens, 0.9)
    after = dict(zip(prefixes(strategy.tree_snapshot()), strategy.tree_snapshot()["total"]))
    (new,) = set(after) - set(before)
    assert tokens[: len(new)] == new
    for prefix, total in after.items():
        gained = 0.9 if new[: len(prefix)] == prefix else 0.0
        assert total == pytest.approx(before.get(prefix, 0.0) + gained)


def test_ranked_values_are_shares_of_lower_rewards():
    strategy = UCT(SPACE, 0)
    for rate in (0.5, 0.1, 0.5, 0.9):
        strategy.observe(strategy.suggest(), rate)
    assert [strategy.value(rate) for rate in (0.1, 0.5, 0.9)] == [1 / 8, 1 / 2, 7 / 8]


def test_known_architectures_cost_nothing():
    space = Unordered(4, 3)
    strategy = UCT(space, 0)
    found = [space.key(tokens) for tokens in search(strategy, 1000)]
    assert len(found) == len(set(found)) == 15
    assert strategy.suggest() is None


def test_a_subtree_whose_sequences_are_known_is_never_walked_again():
    space = Digits(3, 2)
    strategy = UCT(space, 0)
    for _ in range(8):
        known = Counter(tokens[:2] for tokens in strategy.history.outstanding) or Counter()
        search(strategy, 1)
        tree = strategy.tree_snapshot()
        closed = {prefix: tried for prefix, tried in zip(prefixes(tree), tree["tried"]) if len(prefix) == 3}
        assert set(closed.values()) <= {1} and not known
    assert strategy.suggest() is None


def test_a_failure_is_backed_up_nowhere_and_counts_as_an_attempt():
    strategy = UCT(SPACE, 1)
    search(strategy, 20)
    before = strategy.tree_snapshot()
    strategy.observe(strategy.suggest(), None)
    after = strategy.tree_snapshot()
    assert after["visits"].sum() == before["visits"].sum()
    assert after["total"].sum() == pytest.approx(before["total"].sum())
    assert after["tried"][0] == before["tried"][0] + 1


def test_a_part_that_always_fails_is_left():
    shares = []
    for seed in range(10):
        strategy = UCT(SPACE, seed)
        found = search(strategy, 120, lambda tokens: None if tokens[0] == 3 else 0.5 + 0.01 * tokens[0])
        shares.append(np.mean([tokens[0] == 3 for tokens in found[-60:]]))
    assert np.mean(shares) < 0.5 / SPACE.base


def test_rewards_that_are_awaited_send_simulations_elsewhere():
    strategy = UCT(SPACE, 0)
    waiting = [strategy.suggest() for _ in range(1 + SPACE.base)]
    assert {tokens[0] for tokens in waiting[1:]} == set(range(SPACE.base)) or len({t[0] for t in waiting}) == SPACE.base
    for tokens in reversed(waiting):
        strategy.observe(tokens, reward(tokens))
    assert strategy.tree_snapshot()["visits"][0] == len(waiting)


def test_every_simulation_that_waits_for_one_reward_gets_it():
    """AX-4: several paths end in architectures of one key, whose reward is backed up along each of them."""
    strategy = UCT(Unordered(4, 3), 0)
    waiting = [strategy.suggest() for _ in range(8)]
    together = max(len(group) for group in strategy._waiting.values())
    simulations = sum(len(group) for group in strategy._waiting.values())
    assert together > 1
    for tokens in waiting:
        strategy.observe(tokens, 0.5)
    tree = strategy.tree_snapshot()
    assert tree["visits"][0] == simulations and np.array_equal(tree["visits"], tree["tried"])


def test_the_original_constants_visit_about_evenly_and_ours_do_not():
    """AX-6: c = 2 on accuracies is breadth-first."""
    spread = {}
    for name, settings in (("ours", {}), ("original", ORIGINAL)):
        strategy = UCT(SPACE, 0, **settings)
        search(strategy, 300)
        tree = strategy.tree_snapshot()
        first = tree["visits"][tree["parent"] == 0]
        spread[name] = first.max() / first.min()
    assert spread["original"] < 1.5 < 3 < spread["ours"]


@pytest.mark.parametrize("name, value", [("exploration", -0.1), ("exploration", float("nan")), ("values", "scaled")])
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        UCT(SPACE, 0, **{name: value})

"""The tree search: which edge it walks, what it counts, what it never does again."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaxenas.controllers.mcts.selection import PUCT
from alphaxenas.controllers.mcts.tree import Prediction
from alphaxenas.controllers.mcts.tree import Tree as AnyTree


def Tree(legal_actions, predict, exploration=1.0):
    return AnyTree(legal_actions, predict, PUCT(exploration))


def toy(depth, width):
    """Token sequences of `depth` moves with `width` choices each."""
    return lambda tokens: () if len(tokens) == depth else tuple(range(width))


def constant(tokens, actions):
    return Prediction([1 / len(actions)] * len(actions), 0.5)


def chance(tokens):
    return int.from_bytes(hashlib.sha256(str(tokens).encode()).digest()[:4], "big") / 2**32


def hashed(tokens, actions):
    return Prediction([1 / len(actions)] * len(actions), chance(tokens))


def simulate(tree, count):
    """`count` simulations in which complete sequences stay open, valued by chance."""
    for _ in range(count):
        leaf = tree.select_and_expand()
        tree.backup(leaf, chance(leaf.tokens) if leaf.complete else leaf.value)


def node_laws(tree, tokens, legal):
    """Asserts parent visits = sum of edge visits + 1 everywhere below `tokens`; returns how many nodes there are."""
    found = tree.statistics(tokens)
    if found is None:
        return 0
    assert found["total"] == [sum(found["visits"]) + 1]
    return 1 + sum(node_laws(tree, (*tokens, action), legal) for action in legal(tokens))


def test_golden_tree_of_a_bandit():
    # One move, equal priors, c = 1, values 0, 1 and 0.5, prediction 0.5. By hand, score = scaled Q + sqrt(N) / 3 / (1 +
    # n): N=1: no range yet, all equal, the first. N=2: range [0, 0.5]: 0 + 0.24, then 0.5 + 0.47 twice: edge 1. N=3:
    # 0.29, 1 + 0.29, 0.5 + 0.58: edge 1. N=4: 0.33, 1 + 0.22, 0.625 + 0.67: edge 2. Then edge 1 stays ahead.
    values = {(0,): 0.0, (1,): 1.0, (2,): 0.5}
    tree = Tree(toy(1, 3), constant, exploration=1.0)
    walked = []
    for _ in range(8):
        leaf = tree.select_and_expand()
        walked.append(leaf.tokens[0])
        tree.backup(leaf, values[leaf.tokens])
    assert walked == [0, 1, 1, 2, 1, 1, 1, 1]
    assert tree.statistics()["visits"] == [1, 6, 1]
    assert tree.statistics()["means"] == [0.0, 1.0, 0.5]


def test_golden_tree_of_equal_values_follows_the_priors():
    tree = Tree(toy(3, 2), lambda tokens, actions: Prediction([0.75, 0.25], 0.5), exploration=1.0)
    for _ in range(8):
        leaf = tree.select_and_expand()
        tree.backup(leaf, 0.5)
    assert tree.statistics()["visits"] == [6, 2]
    assert tree.statistics((0,))["visits"] == [4, 1]


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 60), st.floats(0, 5))
@settings(max_examples=40)
def test_visits_of_a_node_are_those_of_its_edges_plus_one(depth, width, count, exploration):
    legal = toy(depth, width)
    tree = Tree(legal, hashed, exploration)
    simulate(tree, count)
    assert node_laws(tree, (), legal) == tree.summary()["nodes"]
    assert sum(tree.statistics()["visits"]) == count


def test_every_sequence_is_measured_once_and_then_the_tree_is_exhausted():
    tree, seen = Tree(toy(3, 3), hashed, 1.0), []
    tree.search(1000, lambda tokens: seen.append(tokens) or chance(tokens))
    assert len(seen) == len(set(seen)) == 27
    assert tree.select_and_expand() is None
    for _ in range(3):
        tree.advance(tree.choose(np.random.default_rng(0), 0))
    siblings = [tokens for tokens in seen if tokens[:2] == tree.prefix[:2]]
    assert tree.prefix == max(siblings, key=chance)


def test_a_reopened_sequence_is_simulated_again_and_a_corrected_value_is_as_if_it_had_always_been_so():
    tree = Tree(toy(2, 2), constant, 1.0)
    leaves = []
    while (leaf := tree.select_and_expand()) is not None:
        leaves.append(leaf)
        tree.backup(leaf, 0.25 if leaf.complete else 0.5, solved=leaf.complete)
    sequences = [leaf for leaf in leaves if leaf.complete]
    before = tree.statistics()["means"]
    tree.correct(sequences[0], 0.5)
    slot = sequences[0].tokens[0]
    visits = tree.statistics()["visits"][slot]
    assert tree.statistics()["means"][slot] == pytest.approx(before[slot] + 0.5 / visits)
    assert tree.statistics(sequences[0].tokens[:1])["means"][sequences[0].tokens[1]] == pytest.approx(0.75)
    tree.reopen(sequences[0].tokens)
    assert tree.select_and_expand().tokens == sequences[0].tokens


def test_virtual_loss_sends_the_next_simulation_elsewhere_and_leaves_no_trace():
    tree = Tree(toy(1, 3), lambda tokens, actions: Prediction([0.5, 0.3, 0.2], 0.5), 1.0)
    untouched = Tree(toy(1, 3), lambda tokens, actions: Prediction([0.5, 0.3, 0.2], 0.5), 1.0)
    first, second = tree.select_and_expand(), tree.select_and_expand()
    assert first.tokens != second.tokens
    tree.cancel(second)
    tree.cancel(first)
    simulate(tree, 5)
    simulate(untouched, 5)
    np.testing.assert_equal(tree.statistics(), untouched.statistics())


def test_action_values_are_scaled_by_the_range_seen():
    # The same sequence in accuracies of a narrow band and of [0, 1] is searched in the same way.
    def scaled(low, width):
        tree = Tree(toy(3, 3), lambda t, a: Prediction([1 / 3] * 3, low + width * chance(t)), 1.0)
        for _ in range(60):
            leaf = tree.select_and_expand()
            tree.backup(leaf, low + width * chance(leaf.tokens))
        return tree.statistics()["visits"]

    assert scaled(0.0, 1.0) == scaled(0.9375, 0.03125)


@pytest.mark.parametrize("far", [-40.0, 40.0])
def test_initial_values_beyond_the_range_seen_count_as_its_ends(far):
    """Otherwise one prediction far from everything seen swamps the priors, however small its own is."""

    def predict(tokens, actions):
        return Prediction([0.9, 0.1], 0.5, [0.5, far])

    tree, slots = Tree(toy(1, 2), predict, exploration=1.0), []
    tree.backup(tree.select_and_expand(), 0.4)
    for _ in range(3):
        leaf = tree.select_and_expand()
        slots.append(leaf.tokens[0])
        tree.cancel(leaf)
    # Range [0.4, 0.5]. Edge 0, visited once: 0 + 0.9 sqrt(2) / 2 = 0.64. Edge 1: 0 or 1, + 0.1 sqrt(2).
    assert slots == [int(far > 0)] * 3
    # With c = 4 the priors decide even against the best end: 2.55 against 1.57; unclamped it would be 396.57.
    eager = Tree(toy(1, 2), predict, exploration=4.0)
    eager.backup(eager.select_and_expand(), 0.4)
    assert eager.select_and_expand().tokens == (0,)


def test_values_found_below_a_later_root_reach_the_prefixes_above_it():
    tree = Tree(toy(3, 2), constant, 1.0)
    simulate(tree, 6)
    tree.advance(0)
    before = tree.statistics()
    tree.backup(tree.select_and_expand(), 0.9)
    after = tree.statistics()
    assert after["visits"][0] == before["visits"][0] + 1 and after["visits"][1] == before["visits"][1]
    assert after["total"] == [before["total"][0] + 1]
    assert after["means"][0] > before["means"][0]


def test_a_finished_sequence_is_never_the_move_again():
    tree, rng, played = Tree(toy(2, 2), hashed, 1.0), np.random.default_rng(0), []
    for _ in range(4):
        tree.rewind()
        for _ in range(2):
            simulate(tree, 3)
            tree.advance(tree.choose(rng, 1.0))
        tree.mark_fully_played(tree.prefix)
        played.append(tree.prefix)
    assert len(set(played)) == 4
    tree.rewind()
    assert tree.root_fully_played()


def test_temperature_zero_takes_the_most_visited_and_one_draws_by_visits():
    tree = Tree(toy(2, 3), lambda t, a: Prediction([0.6, 0.3, 0.1], 0.5), 1.0)
    simulate(tree, 40)
    counts = tree.visit_counts()
    rng = np.random.default_rng(0)
    assert {tree.choose(rng, 0) for _ in range(20)} == {int(np.argmax(counts))}
    drawn = np.bincount([tree.choose(rng, 1.0) for _ in range(4000)], minlength=3) / 4000
    np.testing.assert_allclose(drawn, counts / counts.sum(), atol=0.03)


def test_a_restored_tree_goes_on_alike():
    tree = Tree(toy(4, 3), hashed, 1.0)
    simulate(tree, 30)
    tree.advance(1)
    tree.search(10, chance)
    waiting = tree.select_and_expand()
    other = Tree(toy(4, 3), hashed, 1.0)
    other.restore(tree.state())
    for each in (tree, other):
        each.backup(waiting, 0.9)
        each.search(25, chance)
    np.testing.assert_equal(other.state(), tree.state())


def test_a_move_keeps_the_subtree():
    tree = Tree(toy(4, 2), hashed, 1.0)
    simulate(tree, 20)
    below = tree.statistics((0,))
    tree.advance(0)
    assert dict(zip(tree.root_actions(), tree.visit_counts())) == dict(zip(below["actions"], below["visits"]))


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="`exploration`"):
        PUCT(-1.0)
    with pytest.raises(ValueError, match="`temperature`"):
        Tree(toy(1, 2), constant).choose(np.random.default_rng(0), -1.0)

"""Gumbel AlphaZero's rules, the default of AlphaXENAS' moves: what is simulated, what is chosen, what is learned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaxenas.controllers.alphaxenas.controller import AlphaXENAS
from alphaxenas.controllers.mcts.gumbel import ImprovedPolicy, SequentialHalving, completed_values, improved_policy
from alphaxenas.controllers.mcts.nodes import Node
from alphaxenas.controllers.mcts.tree import Prediction, Tree
from alphaxenas.spaces import CellSpace


class Noise:
    """A generator whose Gumbel variables are given."""

    def __init__(self, *values):
        self._values = np.array(values, float)

    def gumbel(self, size):
        assert size == len(self._values)
        return self._values


def node_of(priors, visits, means, value=0.5, initial=None):
    """A node whose edges were visited, with means where there are visits."""
    node = Node(tuple(range(len(priors))), Prediction(priors, value, initial))
    node.visits = list(visits)
    node.sums = [count * mean for count, mean in zip(visits, means)]
    node.total, node.sum = 1 + sum(visits), value + sum(node.sums)
    return node


def bandit(values, simulations, noise, considered=8, solved=False):
    """The edges that the simulations of one move take, the tree, and the move: complete sequences of one token, equal
    priors.
    """
    count = len(values)
    tree = Tree(
        lambda tokens: () if tokens else tuple(range(count)),
        lambda tokens, actions: Prediction([1 / count] * count, 0.5),
        ImprovedPolicy(),
    )
    halving, taken = SequentialHalving(tree.root(), simulations, considered, Noise(*noise)), []
    for _ in range(simulations):
        slot = halving.next(*tree.range)
        if slot == -1:
            break
        leaf = tree.select_and_expand(slot)
        taken.append(leaf.tokens[0])
        tree.backup(leaf, values[leaf.tokens[0]], solved=solved)
    return taken, tree, halving.move(*tree.range)


# --- sequential halving ------------------------------------------------------------------------------------------


def test_golden_tree_of_a_bandit():
    # 16 simulations of 4 actions: two phases of 8. First every action twice, in the order of the noise. Then sigma is
    # (50 + 2) * 0.1 q = 5.2 q with q = 0, 1, 0.5, 0.25: noise + sigma = 3, 7.2, 3.6, 1.3 leaves actions 1 and 2, which
    # are simulated four times each. In the end sigma is 5.6 q: action 1 with 7.6 against 3.8.
    taken, tree, move = bandit((0.0, 1.0, 0.5, 0.25), 16, noise=(3, 2, 1, 0))
    assert taken == [0, 1, 2, 3] * 2 + [1, 2] * 4
    assert tree.statistics()["visits"] == [2, 6, 6, 2] and move == 1
    assert tree.statistics()["means"] == [0.0, 1.0, 0.5, 0.25]
    # What the policy learns has no noise in it: softmax of 5.6 q, the priors being equal.
    weights = np.exp(5.6 * np.array([0, 1, 0.5, 0.25]))
    np.testing.assert_allclose(improved_policy(tree.root(), *tree.range), weights / weights.sum())


def test_noise_decides_where_it_outweighs_the_values():
    # As above with 9 in place of 3: 9, 7.2, 3.6, 1.3 leaves actions 0 and 1; at the end 9 against 2 + 5.6.
    taken, _, move = bandit((0.0, 1.0, 0.5, 0.25), 16, noise=(9, 2, 1, 0))
    assert taken == [0, 1, 2, 3] * 2 + [0, 1] * 4 and move == 0


def test_only_the_actions_of_most_prior_and_noise_are_considered():
    taken, _, move = bandit((0.0, 0.2, 1.0, 0.9), 8, noise=(0, 3, 1, 2), considered=2)
    # One phase: 8 // (1 * 2) = 4 rounds of actions 1 and 3, whose values differ by 0.7 / 0.7: sigma by 5.4.
    assert taken == [1, 3] * 4 and move == 3


def test_eight_actions_are_halved_three_times_and_fewer_simulations_than_actions_try_the_first_of_them():
    values = tuple(np.linspace(0.0, 1.0, 8))
    taken, _, move = bandit(values, 24, noise=(0,) * 8)
    # 24 // (3 * 8) = 1 round of eight, 24 // (3 * 4) = 2 of four, 24 // (3 * 2) = 4 of two.
    assert taken == [*range(8), *[7, 6, 5, 4] * 2, *[7, 6] * 4] and move == 7
    taken, _, _ = bandit(values, 3, noise=range(8))
    assert taken == [7, 6, 5]


def test_solved_actions_are_not_simulated_again_and_count_in_the_move():
    taken, tree, move = bandit((0.1, 0.9, 0.5), 12, noise=(0, 0, 0), solved=True)
    assert taken == [0, 1, 2] and move == 1
    assert SequentialHalving(tree.root(), 4, 8, Noise(0, 0, 0)).next(*tree.range) == -1


def test_visits_from_before_the_move_do_not_end_its_first_phase():
    node = node_of([0.25] * 4, [5, 0, 0, 1], [1.0, 0, 0, 0.5])
    halving = SequentialHalving(node, 16, 4, Noise(0, 1, 2, 3))
    assert [halving.next(0.0, 1.0) for _ in range(8)] == [3, 2, 1, 0] * 2


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=12),
    st.integers(1, 80),
    st.integers(1, 12),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60)
def test_every_simulation_is_spent_on_a_considered_action_and_the_move_is_one_of_the_most_visited(
    values, simulations, considered, seed
):
    noise = np.random.default_rng(seed).gumbel(size=len(values))
    taken, tree, move = bandit(values, simulations, noise, considered)
    visits = tree.statistics()["visits"]
    assert len(taken) == sum(visits) == simulations
    assert set(taken) <= set(np.argsort(-noise, kind="stable")[: min(considered, simulations)].tolist())
    assert visits[move] >= max(visits) - 1


# --- completed values and the improved policy --------------------------------------------------------------------


def test_values_of_unvisited_actions_are_completed():
    # Danihelka et al. 2022, eq. 10: q of a visited action is its mean, that of another is completed, here by its own
    # prediction, clipped into the range; everything then scaled to it.
    predicted = node_of([0.2] * 5, [2, 0, 1, 0, 0], [0.6, 0, 0.4, 0, 0], initial=[9.0, 0.5, 9.0, 0.0, 2.0])
    np.testing.assert_allclose(completed_values(predicted, 0.4, 0.8), [0.5, 0.25, 0.0, 0.0, 1.0])
    # Without predictions by the node's mean: (0.5 + 2 * 0.6 + 0.4) / 4 = 0.525.
    plain = node_of([1 / 3] * 3, [2, 0, 1], [0.6, 0, 0.4])
    np.testing.assert_allclose(completed_values(plain, 0.4, 0.8), [0.5, 0.3125, 0.0])
    assert completed_values(plain, 0.4, 0.4).tolist() == [0.0] * 3  # no range seen: nothing is told apart


def test_the_improved_policy_is_the_prior_where_nothing_tells_actions_apart():
    priors = [0.5, 0.3, 0.2]
    np.testing.assert_allclose(improved_policy(node_of(priors, [3, 2, 1], [0.7] * 3), 0.7, 0.7), priors)


def test_the_improved_policy_by_hand():
    # sigma = (50 + 4) * 0.1 q = 5.4 q.
    found = improved_policy(node_of([0.6, 0.4], [4, 2], [0.5, 0.75]), 0.5, 1.0)
    weights = np.array([0.6, 0.4 * np.exp(5.4 * 0.5)])
    np.testing.assert_allclose(found, weights / weights.sum())


edges = st.lists(st.tuples(st.floats(0.01, 1), st.integers(0, 30), st.floats(0, 1)), min_size=2, max_size=10)


@given(edges, st.data())
@settings(max_examples=100)
def test_the_improved_policy_sums_to_one_and_rises_with_the_value_of_an_action(rows, data):
    priors = np.array([row[0] for row in rows])
    priors, visits, means = (priors / priors.sum()).tolist(), [row[1] for row in rows], [row[2] for row in rows]
    slot = data.draw(st.integers(0, len(rows) - 1))
    visits[slot] += 1
    before = improved_policy(node_of(priors, visits, means, initial=means), 0.0, 1.0)
    higher = [*means]
    higher[slot] = data.draw(st.floats(means[slot], 1.0))
    after = improved_policy(node_of(priors, visits, higher, initial=means), 0.0, 1.0)
    assert before.sum() == pytest.approx(1) and np.all(before > 0)
    others = np.arange(len(rows)) != slot
    assert after[slot] >= before[slot] - 1e-12 and np.all(after[others] <= before[others] + 1e-12)
    if higher[slot] > means[slot] + 1e-3 and 1e-6 < before[slot] < 1 - 1e-6:
        assert after[slot] > before[slot]


# --- below the root ----------------------------------------------------------------------------------------------


def test_below_the_root_visits_follow_the_improved_policy():
    # Equal values: the improved policy is the prior 0.5, 0.3, 0.2. Lags of the visits behind it: first the prior
    # itself; 0, 0.3, 0.2 after edge 0; 0.17, -0.03, 0.2 after edge 1; 0.25, 0.05, -0.05 after edge 2.
    node, taken = node_of([0.5, 0.3, 0.2], [0, 0, 0], [0.5] * 3), []
    for _ in range(4):
        slot = ImprovedPolicy()(node, node.priors, 0.5, 0.5)
        node.visits[slot] += 1
        taken.append(slot)
    assert taken == [0, 1, 2, 0]
    for _ in range(996):
        node.visits[ImprovedPolicy()(node, node.priors, 0.5, 0.5)] += 1
    np.testing.assert_allclose(np.array(node.visits) / 1000, node.priors, atol=0.005)


def test_below_the_root_awaited_simulations_count_and_solved_edges_are_left():
    node = node_of([0.5, 0.3, 0.2], [0, 0, 0], [0.5] * 3)
    node.virtual_loss[0] = 1
    assert ImprovedPolicy()(node, node.priors, 0.5, 0.5) == 1
    node.solved = [True, True, False]
    assert ImprovedPolicy()(node, node.priors, 0.5, 0.5) == 2
    node.solved = [True] * 3
    assert ImprovedPolicy()(node, node.priors, 0.5, 0.5) == -1


# --- in AlphaXENAS -----------------------------------------------------------------------------------------------


def test_a_move_of_alphaxenas_has_its_simulations_and_teaches_the_improved_policy(monkeypatch):
    simulations, moves, before = 24, [], {}
    advance, root = Tree.advance, Tree.root

    def noted_root(tree):
        node = root(tree)
        before.setdefault(id(node), (node, list(node.visits)))
        return node

    def noted_advance(tree, action):
        node = root(tree)
        moves.append((node, before[id(node)][1], list(node.visits), improved_policy(node, *tree.range), action))
        advance(tree, action)

    monkeypatch.setattr(Tree, "root", noted_root)
    monkeypatch.setattr(Tree, "advance", noted_advance)
    space = CellSpace(blocks=2)
    controller = AlphaXENAS(space, 0, num_simulations=simulations, prior="uniform", initial_children=2)
    for number in range(4):
        tokens = controller.suggest()
        controller.observe(tokens, 0.5 + 0.1 * (number % 3))
        assert space.legal_actions(tokens) == ()
    assert len(moves) % space.max_length == 0 and moves
    for node, start, end, _, action in moves:
        spent = sum(end) - sum(start)
        assert spent == simulations or (spent < simulations and any(node.solved))
        if spent == simulations and not any(node.solved):
            assert end[node.actions.index(action)] - start[node.actions.index(action)] > 0
    assert sum(sum(end) - sum(start) == simulations for _, start, end, *_ in moves) > len(moves) // 2
    # The rows that the LSTM is taught are those policies.
    taught = list(controller._planner._plans.values())[-1]
    for row, (node, *_, policy, _) in zip(taught, moves[-space.max_length :], strict=True):
        np.testing.assert_allclose(row[list(node.actions)], policy, atol=1e-4)
        assert row.sum() == pytest.approx(1, abs=1e-5)

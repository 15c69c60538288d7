"""How a policy learns: each term of the loss on its own, against what the seed systems got wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alphaxenas.controllers.optimizer import clipped
from alphaxenas.controllers.policy_gradient.policy_network import PolicyNetwork
from alphaxenas.controllers.policy_gradient.policy_update import Baseline, Learning, PolicyLearner

SEQUENCES = [(token, other) for token in range(3) for other in range(3)]


def legal_actions(tokens):
    return (0, 1, 2) if len(tokens) < 2 else ()


def learner(seed=0, cell="lstm", **learning):
    plain = {"learning_rate": 0.01, "gradient_clip": 0.0, "advantage_clip": 0.0, "baseline_decay": 0.9}
    return PolicyLearner(PolicyNetwork(3, 2, cell, 8, seed=seed), legal_actions, Learning(**{**plain, **learning}))


def probabilities(found):
    return np.exp(found.network.log_probability(SEQUENCES, legal_actions))


def test_a_sequence_better_than_the_baseline_gets_more_probable_and_a_worse_one_less():
    for reward, sign in ((0.9, 1), (0.1, -1)):
        found = learner()
        found.baseline.add(np.array([0.4, 0.6]))
        before = probabilities(found)[4]
        found.update([SEQUENCES[4]], [reward], [math.log(before)])
        assert sign * (probabilities(found)[4] - before) > 0


def test_the_better_the_accuracy_the_larger_the_step_towards_a_sequence():
    """WAL-1: a jump of more than 0.01 earned 0.01."""
    baseline = Baseline(0.8)
    baseline.add(np.array([0.5, 0.6]))
    rewards = np.array([0.1, 0.3, 0.55, 0.56, 0.561, 0.7, 0.9, 1.0])
    assert (np.diff(baseline.advantages(rewards, 0.0)) > 0).all()
    assert (np.diff(baseline.advantages(rewards, 3.0)) >= 0).all()


def test_the_step_does_not_depend_on_the_number_of_an_option():
    """TIT-3: labels of index + 1 made the third option count three times. Here the gradient of the logits is p - 1 for
    each.
    """
    found = learner()
    found.network.parameters[...] = 0.0
    gradients = [found.network.gradient([(token, token)], legal_actions, np.ones(1))[0] for token in range(3)]
    norms = [np.linalg.norm(gradient) for gradient in gradients]
    assert norms == pytest.approx([norms[0]] * 3) and norms[0] > 0


@pytest.mark.parametrize("place", [0, 1])
def test_every_decision_of_a_sequence_is_credited_with_its_reward(place):
    """TIT-4: the discounted return of all but one decision was dropped. Accuracy comes at the end and counts for all,
    undiscounted.
    """
    found = learner()
    found.baseline.add(np.array([0.4, 0.6]))
    before = probabilities(found).reshape(3, 3)
    found.update([(1, 1)], [0.9], [math.log(before[1, 1])])
    after = probabilities(found).reshape(3, 3)
    gains = [
        after.sum(axis=1)[1] / before.sum(axis=1)[1],
        (after[1, 1] / after[1].sum()) / (before[1, 1] / before[1].sum()),
    ]
    assert gains[place] > 1.01
    gradient = found.network.gradient([(1, 1)], legal_actions, np.ones(1))[0]
    heads = found.network._views(gradient)["head_bias"]
    assert np.linalg.norm(heads[0]) == pytest.approx(np.linalg.norm(heads[1]), rel=0.05)


def test_every_weight_that_the_policy_reads_learns_and_there_is_no_second_copy():
    """WAL-5: drawing used one bias, training another. Drawing and scoring read the same vector that the optimiser
    changes.
    """
    found = learner(cell="nascell")
    views = found.network._weights
    assert all(np.shares_memory(view, found.network.parameters) for view in views.values())
    before = {name: view.copy() for name, view in views.items()}
    rng = np.random.default_rng(0)
    for _ in range(3):
        drawn = found.network.sample(rng, legal_actions, 12)
        found.update([each.tokens for each in drawn], rng.uniform(size=12), [each.log_policy for each in drawn])
    assert all((view != before[name]).any() for name, view in views.items())
    drawn = found.network.sample(rng, legal_actions, 5)
    found.network._weights["head_bias"][0] += [5.0, 0.0, -5.0]
    again = found.network.sample(np.random.default_rng(0), legal_actions, 200)
    assert np.mean([each.tokens[0] == 0 for each in again]) > 0.9
    np.testing.assert_allclose(
        found.network.log_probability([each.tokens for each in again], legal_actions),
        [each.log_policy for each in again],
    )


def test_clipping_clips():
    gradient = np.array([3.0, 4.0])
    found, norm = clipped(gradient, 1.0)
    assert np.linalg.norm(found) == pytest.approx(1.0) and found[0] / found[1] == pytest.approx(0.75) and norm == 5.0
    assert clipped(gradient, 5.5)[0] is gradient and clipped(gradient, 0.0)[0] is gradient


def test_the_optimiser_gets_the_clipped_gradient():
    def second_moments(bound):
        found = learner(gradient_clip=bound)
        found.baseline.add(np.array([0.4, 0.41]))
        found.update([SEQUENCES[4]], [0.9], [math.log(1 / 9)])
        return found.numbers["gradient_norm"], found.state()["optimizer"]["second"][0].sum() / (1 - 0.999)

    norm, free = second_moments(0.0)
    assert norm > 1 and free == pytest.approx(norm**2)
    assert second_moments(0.01)[1] == pytest.approx(0.01**2)


def test_baseline_and_spread_are_moving_averages_corrected_for_their_start():
    """F20."""
    baseline = Baseline(0.8)
    assert baseline.advantages(np.array([0.4, 0.6]), 0.0).tolist() == pytest.approx([-1.0, 1.0])
    assert (baseline.mean, baseline.spread) == pytest.approx((0.5, 0.1))
    assert baseline.advantages(np.array([0.7]), 0.0).tolist() == pytest.approx([2.0])
    weights = np.array([0.8 * 0.2, 0.2])
    assert baseline.mean == pytest.approx((weights * [0.5, 0.7]).sum() / weights.sum())
    assert baseline.spread == pytest.approx(math.sqrt((weights * [0.01, 0.04]).sum() / weights.sum()))
    for _ in range(100):
        baseline.add(np.array([0.9]))
    assert baseline.mean == pytest.approx(0.9)
    assert baseline.advantages(np.array([0.0, 1.0]), 1.5).tolist() == [-1.5, 1.5]


def test_equal_rewards_teach_nothing():
    found = learner()
    before = found.network.parameters.copy()
    for _ in range(3):
        found.update(SEQUENCES, [0.5] * 9, [math.log(1 / 9)] * 9)
    np.testing.assert_allclose(found.network.parameters, before, atol=1e-6)


def test_the_entropy_bonus_flattens():
    """F19."""
    entropies = []
    for bonus in (0.0, 1.0):
        found, rng = learner(entropy=bonus, learning_rate=0.1), np.random.default_rng(0)
        for _ in range(60):
            drawn = found.network.sample(rng, legal_actions, 8)
            found.update(
                [each.tokens for each in drawn],
                [float(each.tokens == (2, 1)) for each in drawn],
                [each.log_policy for each in drawn],
            )
        entropies.append(found.network.evaluate(SEQUENCES, legal_actions).entropies.mean())
    assert entropies[0] < 0.6 * entropies[1]


def test_uniform_draws_are_weighted_so_that_they_bias_nothing():
    """Expectation over the mixture of policy and uniform draws of the weighted gradient is REINFORCE's own gradient."""
    found = learner()
    found.network.parameters += np.random.default_rng(1).normal(0, 0.5, found.network.parameters.shape)
    policy, advantages, epsilon = probabilities(found), np.arange(9) / 9 - 0.3, 0.4
    mixture = (1 - epsilon) * policy + epsilon / 9
    expected = found.network.gradient(SEQUENCES, legal_actions, policy * advantages)[0]
    weighted = sum(
        mixture[i]
        * found.network.gradient([SEQUENCES[i]], legal_actions, np.array([policy[i] / mixture[i] * advantages[i]]))[0]
        for i in range(9)
    )
    np.testing.assert_allclose(weighted, expected, atol=1e-12)
    assert (policy / mixture).max() <= 1 / (1 - epsilon)


def test_reinforce_finds_the_one_rewarded_sequence():
    for cell in ("lstm", "nascell"):
        found, rng = learner(cell=cell, learning_rate=0.1), np.random.default_rng(0)
        for _ in range(80):
            drawn = found.network.sample(rng, legal_actions, 8)
            found.update(
                [each.tokens for each in drawn],
                [float(each.tokens == (2, 1)) for each in drawn],
                [each.log_policy for each in drawn],
            )
        assert probabilities(found)[SEQUENCES.index((2, 1))] > 0.7


def test_imitation_makes_examples_more_probable():
    found = learner()
    before = probabilities(found)
    for _ in range(10):
        found.update(SEQUENCES, [0.5] * 9, [math.log(1 / 9)] * 9, [(0, 2), (2, 0)], 0.5)
    assert (probabilities(found)[[2, 6]] > before[[2, 6]]).all()


def test_a_restored_learner_goes_on_bit_for_bit():
    one, other = learner(entropy=0.1), learner(seed=5, entropy=0.1)
    for step in range(6):
        if step == 3:
            other.restore(one.state())
        rewards = np.random.default_rng(step).uniform(size=9)
        one.update(SEQUENCES, rewards, [math.log(1 / 9)] * 9)
        if step >= 3:
            other.update(SEQUENCES, rewards, [math.log(1 / 9)] * 9)
            assert (one.network.parameters == other.network.parameters).all() and one.numbers == other.numbers


@pytest.mark.parametrize(
    "name, value",
    [
        ("learning_rate", 0.0),
        ("gradient_clip", -1.0),
        ("entropy", -0.1),
        ("baseline_decay", 1.0),
        ("advantage_clip", -1.0),
    ],
)
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}`. Expected"):
        Learning(**{"learning_rate": 0.1, name: value})

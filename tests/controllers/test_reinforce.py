"""Search by policy gradient: what is drawn, what is answered from memory, when a policy has collapsed and what comes of
it.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from alphaxenas.contracts import Budget
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.controllers.policy_gradient.reinforce import FREE_BATCHES, WINDOW, Reinforce
from tests.controllers.tabular import SPACE, Digits, Unordered, reward, search

COLLAPSING = {"learning_rate": 0.3, "entropy": 0.0, "tanh_constant": 0.0}
"""What the seed system did without: nothing holds the policy back."""


def test_what_was_evaluated_before_is_learnt_from_again_and_never_evaluated_twice():
    """TIT-7: the seed system trained 12 of 63 networks a second time."""
    strategy, batches = Reinforce(Digits(3, 3), 0, **COLLAPSING), []
    learner = strategy._learners[0]
    update = learner.update
    learner.update = lambda sequences, rewards, *rest: (
        batches.append((sequences, rewards)),
        update(sequences, rewards, *rest),
    )
    found = search(strategy, 15)
    assert len(set(found)) == 15
    drawn = Counter(sequence for sequences, _ in batches for sequence in sequences)
    assert max(drawn.values()) > 3 and strategy.diagnostics()["policy/repeated"] > 0
    assert all(each == reward(sequence) for sequences, rewards in batches for sequence, each in zip(sequences, rewards))


def test_a_policy_that_draws_nothing_new_gives_way_to_a_uniform_draw_after_a_bounded_number_of_batches():
    strategy = Reinforce(SPACE, 0, **COLLAPSING)
    search(strategy, 100)
    numbers = strategy.diagnostics()
    assert numbers["policy/uniform"] > 10
    assert numbers["policy/repeated"] <= 100 * 10 * (FREE_BATCHES + 1)


def test_collapse_is_noticed_and_shown():
    """TIT-7: the seed's controller ended with one architecture, and nothing said so."""
    space = Digits(8, 4)
    fallen, alive = Reinforce(space, 0, **COLLAPSING), Reinforce(space, 0)
    search(fallen, 110), search(alive, 110)
    fallen_numbers, alive_numbers = fallen.diagnostics(), alive.diagnostics()
    assert fallen_numbers["policy/fewest_unique"] < 20 < alive_numbers["policy/fewest_unique"] <= WINDOW
    assert fallen_numbers["policy/entropy"] < 0.1 < alive_numbers["policy/entropy"]
    assert (
        fallen_numbers["policy/restarts"] == 0
        and "collapsed" in fallen.status_line()
        and "collapsed" not in alive.status_line()
    )


def test_different_architectures_are_counted_over_the_last_draws():
    strategy, drawn = Reinforce(SPACE, 3, batch=7, units=8), []
    sample = strategy._learners[0].network.sample

    def watched(*arguments):
        found = sample(*arguments)
        drawn.extend(each.tokens for each in found)
        return found

    strategy._learners[0].network.sample = watched
    search(strategy, 130)
    windows = [len(set(drawn[start : start + WINDOW])) for start in range(len(drawn) - WINDOW + 1)]
    assert strategy.diagnostics()["policy/fewest_unique"] == min(windows) < WINDOW
    assert strategy.diagnostics()["policy/unique_share"] == windows[-1] / WINDOW


def test_of_a_collapsed_pool_the_most_decided_policy_starts_anew_and_the_others_go_on():
    strategy = Reinforce(SPACE, 0, policies=3, restart_below=0.4, **COLLAPSING)
    search(strategy, 100)
    assert (
        sum(strategy._restarts) == strategy.diagnostics()["policy/restarts"] > 0 and "restart" in strategy.status_line()
    )
    while min(learner.updates for learner in strategy._learners) < 5:
        search(strategy, 1)
    strategy._draw()
    strategy._history.rewards |= {drawn.key: reward(drawn.tokens) for drawn in strategy._waiting}
    restarts, sequences = list(strategy._restarts), [drawn.tokens for drawn in strategy._waiting]
    entropies = [
        learner.network.evaluate(sequences, strategy._legal).entropies.mean() for learner in strategy._learners
    ]
    before = [learner.network.parameters.copy() for learner in strategy._learners]
    strategy._since_restart.extend(["same"] * WINDOW)
    strategy._learn()
    (number,) = np.flatnonzero(np.array(strategy._restarts) - restarts)
    assert number == int(np.argmin(entropies))
    fresh = strategy._learners[number]
    assert fresh.updates == 0 and not strategy._since_restart and (fresh.network.parameters != before[number]).any()
    assert fresh.network.evaluate([(0,) * 5], strategy._legal).entropies[0] > 6
    assert all(other.updates > 1 for other in strategy._learners if other is not fresh)


def test_a_pool_that_restarts_does_not_collapse_where_one_policy_does():
    one, pool = (
        Reinforce(Digits(6, 4), 0, **settings, **COLLAPSING) for settings in ({}, {"policies": 4, "restart_below": 0.5})
    )
    search(one, 90), search(pool, 150)
    assert one.diagnostics()["policy/fewest_unique"] < 5 and pool.diagnostics()["policy/fewest_unique"] >= 20
    assert pool.diagnostics()["policy/restarts"] > 0


def test_policies_of_a_pool_differ_and_each_learns_from_every_draw():
    strategy = Reinforce(SPACE, 0, policies=3, batch=6)
    weights = [learner.network.parameters for learner in strategy._learners]
    assert not np.allclose(weights[0], weights[1]) and not np.allclose(weights[1], weights[2])
    found = search(strategy, 120)
    assert (
        len(set(found)) == 120
        and {learner.updates for learner in strategy._learners} == {strategy._batches}
        and strategy._batches >= 19
    )
    elite = strategy._elite
    assert [each for each, _ in elite] == sorted(map(reward, found), reverse=True)[:10]
    assert all(reward(tokens) == each for each, tokens in elite)


def test_draws_of_a_pool_carry_the_probability_of_the_mixture_with_its_uniform_part():
    strategy = Reinforce(SPACE, 0, epsilon=0.4, policies=2)
    strategy._learners[0].network.parameters += np.random.default_rng(0).normal(
        0, 0.5, len(strategy._learners[0].network.parameters)
    )
    strategy.suggest()
    sequences = [drawn.tokens for drawn in strategy._waiting]
    one, other = (np.exp(learner.network.log_probability(sequences, strategy._legal)) for learner in strategy._learners)
    np.testing.assert_allclose(
        [np.exp(drawn.log_drawn) for drawn in strategy._waiting],
        0.3 * one + 0.3 * other + 0.4 / SPACE.size(),
        rtol=1e-9,
    )


def test_policies_imitate_what_the_pool_found_best():
    chances = []
    for imitation in (0.0, 0.5):
        strategy = Reinforce(SPACE, 0, policies=2, imitation=imitation)
        strategy._elite = [(0.99, (3, 3, 3, 3, 3))]
        for _ in range(3):
            strategy._draw()
            strategy._history.rewards |= {drawn.key: 0.5 for drawn in strategy._waiting}
            strategy._learn()
        chances.append(
            min(
                learner.network.log_probability([(3, 3, 3, 3, 3)], strategy._legal)[0] for learner in strategy._learners
            )
        )
    assert chances[1] > chances[0] + 0.1


def test_the_share_of_uniform_draws_follows_its_schedule():
    """F19, WAL-3: exploration is reached, and falls by its factor after every batch."""
    strategy, shares = Reinforce(SPACE, 0, batch=5, epsilon=0.8), []
    sample = strategy._learners[0].network.sample

    def watched(rng, legal_actions, count, explored):
        shares.append((strategy.diagnostics()["policy/epsilon"], list(explored)))
        return sample(rng, legal_actions, count, explored)

    strategy._learners[0].network.sample = watched
    search(strategy, 400)
    assert [share for share, _ in shares] == pytest.approx([0.8 * 0.99**batch for batch in range(len(shares))])
    explored = [np.mean([explored for _, explored in part]) for part in (shares[:20], shares[60:])]
    assert len(shares) > 80 and 0.55 < explored[0] < 0.9 and 0.25 < explored[1] < 0.5


def test_architectures_with_equal_keys_are_one():
    space = Unordered(3, 3)
    found = search(Reinforce(space, 0), 100)
    assert len(found) == len({space.key(tokens) for tokens in found}) == 10


def test_a_failed_architecture_is_left_out_of_its_batch_and_not_suggested_again():
    strategy, batches = Reinforce(SPACE, 0), []
    learner = strategy._learners[0]
    update = learner.update
    learner.update = lambda sequences, *rest: (batches.append(sequences), update(sequences, *rest))
    found = search(strategy, 120, lambda tokens: None if tokens[0] == 3 else reward(tokens))
    assert len(set(found)) == 120 and batches
    assert all(sequence[0] != 3 for sequences in batches for sequence in sequences)


def test_a_batch_may_be_outstanding_at_once_and_no_more():
    strategy = Reinforce(SPACE, 0, batch=4)
    waiting = [strategy.suggest() for _ in range(4)]
    assert None not in waiting and strategy.suggest() is None
    for tokens in waiting[::-1]:
        strategy.observe(tokens, reward(tokens))
    assert strategy.suggest() is not None


def test_the_numbers_of_learning_are_shown():
    strategy = Reinforce(SPACE, 0, learning_rate=0.03, entropy=0.3)
    search(strategy, 40)
    numbers = strategy.diagnostics()
    assert {
        f"policy/{name}"
        for name in (
            "reward",
            "baseline",
            "advantage",
            "entropy",
            "log_probability",
            "gradient_norm",
            "learning_rate",
            "unique_share",
            "fewest_unique",
            "restarts",
            "epsilon",
            "repeated",
            "uniform",
        )
    } == set(numbers)
    assert (
        numbers["policy/learning_rate"] == 0.03
        and 0.1 < numbers["policy/reward"] < 1
        and numbers["policy/log_probability"] < 0
    )


def test_the_pool_of_the_catalogue_has_several_policies_that_imitate_and_start_anew():
    pool, one = (make_controller(name, SPACE, 0, Budget(1)).strategy for name in ("controller_pool", "reinforce"))
    assert (
        len(pool._learners) > 1 == len(one._learners)
        and pool._imitation > 0 == one._imitation
        and pool._restart_below > 0 == one._restart_below
    )
    assert len(make_controller("controller_pool", SPACE, 0, Budget(1), policies=2).strategy._learners) == 2


@pytest.mark.parametrize(
    "name, value",
    [
        ("policies", 0),
        ("batch", 0),
        ("batch", 2.5),
        ("epsilon", 1.0),
        ("imitation", -1.0),
        ("restart_below", 1.0),
        ("cell", "gru"),
        ("learning_rate", 0.0),
    ],
)
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}`. Expected"):
        Reinforce(SPACE, 0, **{name: value})

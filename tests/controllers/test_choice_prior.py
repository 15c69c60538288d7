"""What a user thinks of the words of a space: held against rewards, bounded, and worth something to every search."""

from __future__ import annotations

import numpy as np
import pytest

from alphaxenas.contracts import Budget, Outcome
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.controllers.choice_prior import TRUSTED, ChoicePrior
from alphaxenas.controllers.mcts.nodes import Node
from alphaxenas.controllers.mcts.selection import UCB1
from alphaxenas.controllers.mcts.tree import Prediction
from alphaxenas.spaces.user_space import UserSpace
from tests.controllers.tabular import Digits

SPACE = Digits(length=5, base=4)
GOOD = {"3": 4.0, "0": 0.25}
MISLEADING = {"3": 0.25, "0": 4.0}


def accuracy(tokens):
    return 0.5 + 0.02 * sum(tokens) + 0.01 * (tokens[0] == 3)


def told(weights, count, reward=accuracy):
    prior, rng = ChoicePrior(UserSpace(SPACE, weights=weights)), np.random.default_rng(0)
    for _ in range(count):
        tokens = SPACE.sample(rng)
        prior.observe(tokens, reward(tokens))
    return prior


def test_rewards_decide_how_far_a_prior_is_trusted():
    assert told(GOOD, 0).trust == 1.0
    assert told(GOOD, 5).trust > 0.7 and told(GOOD, 100).trust > 0.5
    assert told(MISLEADING, 5).trust < TRUSTED and told(MISLEADING, 100).trust < 0.01
    assert told(GOOD, 100).trusted and not told(MISLEADING, 100).trusted
    assert told(GOOD, 100, lambda tokens: 0.5).trust < 0.05, "of equal rewards it has told nothing"
    assert told(MISLEADING, 20, lambda tokens: None).trust == 1.0, "failures say nothing"


def test_without_a_prior_nothing_is_trusted_or_remembered():
    prior = told({}, 5)
    assert not prior and not prior.trusted and prior.state()["told"].shape == (0, 2)
    assert prior.preference([(0, 0, 0, 0, 0)]) == 0.0


@pytest.mark.parametrize("count", [0, 1, 9, 25, 26])
def test_a_restored_prior_goes_on_as_the_stored_one(count):
    prior, other = told(GOOD, count), ChoicePrior(UserSpace(SPACE, weights=GOOD))
    other.restore(prior.state())
    assert other.trust == prior.trust
    for tokens in ((3, 3, 3, 3, 3), (0, 1, 2, 3, 0), (0, 0, 0, 0, 1)):
        for each in (prior, other):
            each.observe(tokens, accuracy(tokens))
        assert other.trust == prior.trust


def test_a_preference_costs_at_most_half():
    prior = told(GOOD, 0)
    least, most = prior.preference([(0,) * 5, (3,) * 5])
    assert np.log(0.5) <= least < 0 < most
    prior.forget(100)
    assert np.allclose(prior.preference([(0,) * 5, (3,) * 5]), [0.1 * least, 0.1 * most])


def test_every_second_draw_is_uniform_in_the_end():
    prior, rng = told({"3": 1e6}, 0), np.random.default_rng(1)
    assert {prior.draw(rng) for _ in range(50)} == {(3,) * 5}
    prior.forget(10**9)
    others = np.mean([prior.draw(rng) != (3,) * 5 for _ in range(400)])
    assert 0.42 < others < 0.58
    picked = np.mean([prior.pick([(0,) * 5, (3,) * 5], rng) == (0,) * 5 for _ in range(400)])
    assert 0.18 < picked < 0.32


def test_what_is_preferred_comes_first_of_several():
    prior, rng = told(GOOD, 0), np.random.default_rng(0)
    sequences = [(digit,) * 5 for digit in range(4)]
    last = [prior.shuffled(sequences, rng)[-1] for _ in range(50)]
    assert last.count((3,) * 5) > 45
    plain = ChoicePrior(SPACE).shuffled(sequences, np.random.default_rng(2))
    assert plain == [sequences[place] for place in np.random.default_rng(2).permutation(4)]


def test_a_tree_waits_with_what_a_trusted_prior_speaks_against():
    node, prior = Node((0, 1, 2, 3), Prediction([0.25] * 4, 0.0)), told(GOOD, 0)
    rule = UCB1(0.15, np.random.default_rng(0).random, prior)
    taken = []
    for _ in range(12):
        slot = rule(node, node.priors, 0.0, 1.0)
        taken.append(slot)
        node.visits[slot] += 1
        node.sums[slot] += 0.9 if slot == 3 else 0.5
        node.total += 1
    assert taken[0] == 3 and 0 not in taken and taken.count(3) > 6
    taken = []
    for each in (told(MISLEADING, 100), ChoicePrior(SPACE)):
        node, rule = Node((0, 1, 2, 3), Prediction([0.25] * 4, 0.0)), UCB1(0.15, np.random.default_rng(3).random, each)
        taken.append([rule(node, node.priors, 0.0, 1.0) for _ in range(4)])
    assert taken[0] == taken[1], "a prior that is not trusted changes nothing"


def queries(name, weights, seed, **settings):
    controller = make_controller(name, UserSpace(SPACE, weights=weights), seed, Budget(1), **settings)
    count = 0
    while (proposal := controller.ask()) is not None:
        count += 1
        controller.tell(Outcome(proposal, accuracy(proposal.tokens)))
        if proposal.tokens == (3,) * 5:
            break
    return count


@pytest.mark.parametrize("name", ["random", "evolution", "local", "uct", "guided"])
def test_a_good_prior_halves_the_queries_and_a_misleading_one_costs_little(name):
    settings = {"plan": "enumerate"} if name == "guided" else {}
    seeds = range(4 if name == "guided" else 20)
    none, good, misleading = (
        np.mean([queries(name, weights, seed, **settings) for seed in seeds]) for weights in ({}, GOOD, MISLEADING)
    )
    assert good <= 0.5 * none, (none, good)
    assert misleading <= 1.5 * none, (none, misleading)

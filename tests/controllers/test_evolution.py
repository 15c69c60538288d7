"""Regularized evolution: who lives, who dies, whose child is next."""

from __future__ import annotations

import pytest

from alphaxenas.controllers.baselines.evolution import RegularizedEvolution
from tests.controllers.tabular import SPACE, Digits, reward, search


def population(strategy):
    return [tuple(tokens) for tokens, _ in strategy.state()["population"]]


def test_the_population_is_constant_and_its_oldest_member_dies_however_good_it_is():
    strategy = RegularizedEvolution(Digits(9, 4), 0, population=6, sample=3)
    search(strategy, 6)
    for step in range(60):
        before, free = population(strategy), strategy.diagnostics()["evolution/free"]
        tokens = strategy.suggest()
        strategy.observe(tokens, 0.5 - 0.001 * step)
        entered = 1 + int(strategy.diagnostics()["evolution/free"] - free)
        assert population(strategy)[:-entered] == before[entered:]
        assert population(strategy)[-1] == tokens and len(population(strategy)) == 6


def test_known_children_enter_with_their_reward_at_no_cost():
    strategy = RegularizedEvolution(Digits(4, 2), 0, population=4, sample=4)
    found = search(strategy, 100)
    assert len(found) == len(set(found)) == 16
    assert strategy.diagnostics()["evolution/free"] > 0
    members = strategy.state()["population"]
    assert len(members) == 4 and all(rate == reward(tuple(tokens)) for tokens, rate in members)


def test_children_differ_from_a_member_in_one_choice():
    strategy = RegularizedEvolution(Digits(9, 4), 0, population=5, sample=2)
    search(strategy, 5)
    for _ in range(40):
        members = population(strategy)
        (child,) = search(strategy, 1)
        assert any(sum(a != b for a, b in zip(child, member)) == 1 for member in members)


def test_the_winner_of_a_tournament_is_mutated():
    space = Digits(9, 4)
    strategy = RegularizedEvolution(space, 0, population=5, sample=60)
    first = search(strategy, 5, lambda tokens: 0.1)
    strategy._population[2] = (first[2], 0.9)
    assert {sum(a != b for a, b in zip(strategy.suggest(), first[2])) for _ in range(10)} == {1}


def test_a_failed_architecture_does_not_enter():
    strategy = RegularizedEvolution(SPACE, 0, population=5, sample=3)
    search(strategy, 80, lambda tokens: None if tokens[0] == 3 else 0.5)
    assert len(population(strategy)) == 5
    assert all(tokens[0] != 3 for tokens in population(strategy))


def test_it_waits_only_while_nothing_has_arrived():
    strategy = RegularizedEvolution(SPACE, 0, population=3, sample=3)
    waiting = [strategy.suggest() for _ in range(3)]
    assert None not in waiting and strategy.suggest() is None
    strategy.observe(waiting[1], 0.5)
    child = strategy.suggest()
    assert sum(a != b for a, b in zip(child, waiting[1])) == 1


@pytest.mark.parametrize("name", ["population", "sample"])
@pytest.mark.parametrize("value", [0, 2.5, True])
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}`. Expected a whole number >= 1"):
        RegularizedEvolution(SPACE, 0, **{name: value})

"""Random search: what it spends, that it never repeats itself, that it is uniform."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from alphaxenas.contracts import Budget, Outcome
from alphaxenas.controllers import random_search
from alphaxenas.controllers.random_search import PATIENCE, RandomSearch, complete_games
from alphaxenas.spaces import CellSpace

SPACE = CellSpace(blocks=2)
TINY = CellSpace(blocks=1, operations=("conv3x3", "identity"))
SEARCH, FINAL = Budget(1, 0.5), Budget(4)


def searcher(space=SPACE, searches_per_final=3, seed=0):
    return RandomSearch(space, SEARCH, FINAL, searches_per_final, seed)


def play(controller, steps, reward=lambda proposal: 0.5, status="ok"):
    proposals = []
    for _ in range(steps):
        if (proposal := controller.ask()) is None:
            break
        proposals.append(proposal)
        controller.tell(Outcome(proposal, reward(proposal), status))
    return proposals


def test_a_round_is_several_search_children_and_one_final():
    proposals = play(searcher(searches_per_final=3), 12)
    assert [proposal.purpose for proposal in proposals] == ["search", "search", "search", "final"] * 3
    assert {(proposal.purpose, proposal.budget) for proposal in proposals} == {("search", SEARCH), ("final", FINAL)}


def test_the_final_is_the_best_of_its_round():
    rewards = [0.2, 0.9, 0.4, 0.0, 0.1, 0.1, 0.3, 0.0]
    proposals = play(searcher(), 8, reward=lambda proposal: rewards[proposal.number])
    assert proposals[3].tokens == proposals[1].tokens
    assert proposals[7].tokens == proposals[6].tokens


def test_of_equals_the_first_drawn_is_chosen():
    proposals = play(searcher(), 4)
    assert proposals[3].tokens == proposals[0].tokens


def test_no_key_is_drawn_twice():
    space = CellSpace(blocks=2, operations=("conv3x3", "identity"), combinations=("add",))
    drawn = [p for p in play(searcher(space), 200) if p.purpose == "search"]
    keys = [space.key(space.decode(proposal.tokens)) for proposal in drawn]
    assert len(set(keys)) == len(keys) == 150


def test_every_key_of_a_small_space_is_drawn_once_and_then_nothing():
    controller = searcher(TINY, searches_per_final=3)
    proposals = play(controller, 1000)
    keys = Counter(TINY.key(TINY.decode(p.tokens)) for p in proposals if p.purpose == "search")
    assert keys == Counter({TINY.key(TINY.decode(tokens)): 1 for tokens in complete_games(TINY)}.keys())
    assert len(keys) % 3, "the last round is a short one"
    assert sum(p.purpose == "final" for p in proposals) == -(-len(keys) // 3)
    assert controller.ask() is None


def test_the_end_of_a_small_space_survives_interruption(monkeypatch):
    # With little patience the last half of the keys is counted out instead of drawn.
    monkeypatch.setattr(random_search, "PATIENCE", 2)
    uninterrupted = play(searcher(TINY), 1000)
    controller, proposals = searcher(TINY), []
    for _ in range(len(uninterrupted) + 1):
        proposals += play(controller, 1)
        state = controller.state()
        controller = searcher(TINY, seed=1)
        controller.restore(state)
    assert proposals == uninterrupted


def test_all_search_children_of_a_round_and_its_predecessors_final_may_be_outstanding():
    controller = searcher(searches_per_final=3)
    first = [controller.ask() for _ in range(3)]
    assert None not in first
    assert controller.ask() is None, "the final waits for the outcomes of its round"
    for proposal in reversed(first):
        controller.tell(Outcome(proposal, 0.1 * proposal.number))
    final = controller.ask()
    assert (final.purpose, final.tokens) == ("final", first[2].tokens)
    second = [controller.ask() for _ in range(3)]
    assert [proposal.purpose for proposal in second] == ["search"] * 3
    controller.tell(Outcome(second[0], 0.5))
    controller.tell(Outcome(final, 0.7))
    with pytest.raises(ValueError, match="outstanding proposals"):
        controller.tell(Outcome(final, 0.7))


@pytest.mark.parametrize("seed", range(5))
def test_what_is_proposed_does_not_depend_on_the_order_of_outcomes(seed):
    def reward(proposal):
        return (7 * proposal.number % 11) / 11

    in_order = play(searcher(), 12, reward)
    controller, rng, outstanding, proposals = searcher(), np.random.default_rng(seed), [], []
    while len(proposals) < 12:
        while len(proposals) < 12 and (proposal := controller.ask()) is not None:
            proposals.append(proposal)
            outstanding.append(proposal)
        if outstanding:
            late = outstanding.pop(rng.integers(len(outstanding)))
            controller.tell(Outcome(late, reward(late)))
    assert [(p.tokens, p.purpose) for p in proposals] == [(p.tokens, p.purpose) for p in in_order]


def test_failed_children_are_never_given_the_final_budget():
    controller = searcher(searches_per_final=2)
    one, two = controller.ask(), controller.ask()
    controller.tell(Outcome(one, 0.0, "failed", reason="loss is not finite"))
    controller.tell(Outcome(two, 0.0))
    assert controller.ask().tokens == two.tokens


def test_a_round_in_which_everything_failed_has_no_final():
    proposals = play(searcher(), 7, status="failed", reward=lambda proposal: 0.0)
    assert [proposal.purpose for proposal in proposals] == ["search"] * 7


def test_draws_are_uniform_over_games_also_when_few_are_left():
    first, last = Counter(), Counter()
    for seed in range(300):
        controller = searcher(TINY, searches_per_final=100, seed=seed)
        drawn = [proposal.tokens for proposal in play(controller, 5)]
        first[drawn[0]] += 1
        controller._scarce = True
        last[controller.ask().tokens] += 1
    games = list(complete_games(TINY))
    assert chisquare([first[game] for game in games]).pvalue > 1e-3
    assert set(last) <= set(games) and len(last) > len(games) / 2


def test_counting_out_what_is_left_begins_only_after_many_vain_draws():
    controller = searcher(TINY, searches_per_final=100)
    keys = {TINY.key(TINY.decode(tokens)) for tokens in complete_games(TINY)}
    controller._drawn = set(sorted(keys)[1:])
    assert not controller._scarce
    proposal = controller.ask()
    assert TINY.key(TINY.decode(proposal.tokens)) == sorted(keys)[0]
    assert controller.ask() is None and controller._scarce
    assert PATIENCE > 10 * TINY.size()


def test_diagnostics_and_beliefs_tell_what_was_spent_and_found():
    controller = searcher()
    assert controller.beliefs() == "nothing evaluated yet"
    proposals = play(controller, 3, reward=lambda proposal: 0.1 * proposal.number)
    assert str(SPACE.decode(proposals[2].tokens)) in controller.beliefs()
    assert "random_search/best_final" not in controller.diagnostics()
    play(controller, 2, reward=lambda proposal: 0.8125)
    assert controller.beliefs().startswith("best of 1 at the final budget: 0.8125 by ")
    assert controller.diagnostics() == {
        "random_search/rounds": 1.0,
        "random_search/search_children": 4.0,
        "random_search/final_children": 1.0,
        "random_search/failed": 0.0,
        "random_search/best_search": 0.8125,
        "random_search/best_final": 0.8125,
    }


@pytest.mark.parametrize("number", [0, -1, 1.5, True])
def test_a_round_needs_at_least_one_search_child(number):
    with pytest.raises(ValueError, match="`searches_per_final`. Expected a whole number >= 1"):
        searcher(searches_per_final=number)

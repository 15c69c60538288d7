"""Promotion: what a round costs, which child gets the final budget, what the strategy is told."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from alphaxenas.contracts import Budget, Outcome
from alphaxenas.controllers.baselines.random_search import RandomSearch
from alphaxenas.controllers.catalogue import CONTROLS, STRATEGIES, make_controller
from alphaxenas.controllers.history import complete_sequences
from alphaxenas.controllers.pareto.objectives import named
from alphaxenas.controllers.promotion import SuccessiveHalving
from alphaxenas.spaces import CellSpace

SPACE = CellSpace(blocks=2)
TINY = CellSpace(blocks=1, operations=("conv3x3", "identity"))
SEARCH, FINAL = Budget(1, 0.5), Budget(4)


def searcher(space=SPACE, promote_every=3, seed=0, final=FINAL):
    return SuccessiveHalving(RandomSearch(space, seed), space, SEARCH, final, promote_every)


def play(controller, steps, reward=lambda proposal: 0.5, status="ok"):
    proposals = []
    for _ in range(steps):
        if (proposal := controller.ask()) is None:
            break
        proposals.append(proposal)
        controller.tell(Outcome(proposal, reward(proposal), status))
    return proposals


def test_a_round_is_several_search_children_and_one_final():
    proposals = play(searcher(promote_every=3), 12)
    assert [proposal.purpose for proposal in proposals] == ["search", "search", "search", "final"] * 3
    assert {(proposal.purpose, proposal.budget) for proposal in proposals} == {("search", SEARCH), ("final", FINAL)}


def test_without_finals_there_is_one_budget_and_nothing_twice():
    proposals = play(searcher(TINY, promote_every=0, final=None), 1000)
    assert {(proposal.purpose, proposal.budget) for proposal in proposals} == {("search", SEARCH)}
    keys = [TINY.key(TINY.decode(proposal.tokens)) for proposal in proposals]
    assert len(set(keys)) == len(keys) == len({TINY.key(TINY.decode(tokens)) for tokens in complete_sequences(TINY)})


def test_finals_need_a_budget():
    with pytest.raises(ValueError, match="`final_budget`"):
        searcher(final=None)


def test_the_best_child_of_the_whole_search_that_was_not_promoted_yet_is_promoted():
    rewards = [0.2, 0.9, 0.8, 0.0, 0.1, 0.1, 0.3, 0.0, 0.0, 0.0, 0.25, 0.0]
    proposals = play(searcher(), 12, reward=lambda proposal: rewards[proposal.number])
    assert proposals[3].tokens == proposals[1].tokens
    assert proposals[7].tokens == proposals[2].tokens, "a child of the round before is better than all of this one"
    assert proposals[11].tokens == proposals[6].tokens


def test_of_equals_the_first_proposed_is_promoted():
    proposals = play(searcher(), 4)
    assert proposals[3].tokens == proposals[0].tokens


@pytest.mark.parametrize("name, settings", (("random", {}), ("alphaxenas", {"uniform_share": 1.0, "prior": "uniform"})))
def test_where_children_share_weights_rewards_are_compared_as_if_measured_now(name, settings):
    def best_is_promoted(rewards_age):
        controller = make_controller(name, SPACE, 0, SEARCH, FINAL, 12, rewards_age=rewards_age, **settings)
        searched = [0.6 + 0.05 * step**0.5 + (0.1 if step == 1 else 0.001 * (step % 2)) for step in range(12)]
        proposals = play(controller, 13, reward=lambda proposal: searched[min(proposal.number, 11)])
        assert proposals[12].purpose == "final"
        return proposals[12].tokens == proposals[1].tokens

    assert best_is_promoted(rewards_age=True) and not best_is_promoted(rewards_age=False)


@pytest.mark.parametrize("name", CONTROLS)
def test_shared_weights_have_the_same_history_in_the_controls_as_in_alphaxenas(name):
    half, updates = {"uniform_share": 0.5}, []
    for who, settings in ((name, half), ("alphaxenas", {**half, "prior": "uniform"}), (name, {})):
        proposals = play(make_controller(who, SPACE, 0, SEARCH, FINAL, 4, **settings), 15)
        updates.append([proposal.updates_shared_weights for proposal in proposals if proposal.purpose == "search"])
    assert updates[0] == updates[1] == [True, False] * 6 and all(updates[2])
    with pytest.raises(ValueError, match="`uniform_share`"):
        make_controller(name, SPACE, 0, SEARCH, FINAL, 4, uniform_share=1.5)


def test_a_share_of_children_changes_nothing_in_what_random_search_tries():
    tried = [
        [proposal.tokens for proposal in play(make_controller("random", SPACE, 0, SEARCH, FINAL, 4, **settings), 15)]
        for settings in ({}, {"uniform_share": 0.5})
    ]
    assert tried[0] == tried[1]


@pytest.mark.parametrize(
    "name, share, best", [("alphaxenas", 0.5, 3), ("alphaxenas", 1.0, 2), ("static", 0.5, 3), ("random", 0.5, 2)]
)
def test_a_child_drawn_to_train_the_shared_weights_is_promoted_where_no_chosen_one_is_left(name, share, best):
    """Of a round every other child is drawn, and rated higher than those that the search chose."""
    settings = {"uniform_share": share} | ({"prior": "uniform"} if name == "alphaxenas" else {})
    controller = make_controller(name, SPACE, 0, SEARCH, FINAL, 4, rewards_age=True, **settings)
    rewards = [0.5, 0.1, 0.6, 0.2] + [0.05] * 100
    proposals = play(controller, 5, reward=lambda proposal: rewards[proposal.number])
    assert proposals[4].purpose == "final" and proposals[4].tokens == proposals[best].tokens
    if share == 0.5:
        again = make_controller(name, SPACE, 0, SEARCH, FINAL, 4, rewards_age=True, **settings)
        again.restore(controller.state())
        next_promoted = [
            play(one, 5, reward=lambda proposal: rewards[proposal.number])[4].tokens for one in (controller, again)
        ]
        assert next_promoted[0] == next_promoted[1]
        assert (next_promoted[0] == proposals[1].tokens) == (name != "random")


def test_random_search_for_several_objectives_has_chosen_what_it_drew():
    objectives = named(("accuracy", "parameters"))
    settings = {"uniform_share": 0.5, "objectives": objectives}
    controller = make_controller("random", SPACE, 0, SEARCH, FINAL, 4, rewards_age=True, **settings)
    proposals = []
    for reward in (0.5, 0.1, 0.6, 0.2):
        proposals.append(controller.ask())
        controller.tell(Outcome(proposals[-1], reward, "ok", {"parameters": 1.0}))
    assert controller.ask().tokens == proposals[2].tokens


@pytest.mark.parametrize("name", sorted({*STRATEGIES} - {*CONTROLS}))
def test_other_searches_have_no_uniform_share(name):
    with pytest.raises(ValueError, match="uniform_share"):
        make_controller(name, SPACE, 0, SEARCH, FINAL, 4, uniform_share=0.5)


def test_what_a_search_prefers_tells_no_drift():
    controller = make_controller("evolution", SPACE, 0, SEARCH, FINAL, 12, rewards_age=True)
    proposals = play(controller, 13, reward=lambda proposal: 0.6 + 0.01 * proposal.number)
    assert proposals[12].tokens == proposals[11].tokens


def test_the_last_round_of_a_small_space_is_a_short_one():
    proposals = play(searcher(TINY, promote_every=3), 1000)
    counts = Counter(proposal.purpose for proposal in proposals)
    assert counts["search"] % 3
    assert counts["final"] == -(-counts["search"] // 3)


def test_the_strategy_is_told_rewards_at_the_search_budget_alone():
    class Told(RandomSearch):
        told = []

        def observe(self, tokens, reward):
            super().observe(tokens, reward)
            self.told.append((tokens, reward))

    strategy = Told(SPACE, 0)
    controller = SuccessiveHalving(strategy, SPACE, SEARCH, FINAL, 3)
    proposals = play(controller, 4, reward=lambda proposal: 0.1 * proposal.number)
    failed = controller.ask()
    controller.tell(Outcome(failed, 0.0, "missing"))
    assert strategy.told == [(proposal.tokens, 0.1 * proposal.number) for proposal in proposals[:3]] + [
        (failed.tokens, None)
    ]


def test_all_search_children_of_a_round_and_its_predecessors_final_may_be_outstanding():
    controller = searcher(promote_every=3)
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
def test_what_random_search_proposes_does_not_depend_on_the_order_of_outcomes(seed):
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
    controller = searcher(promote_every=2)
    one, two = controller.ask(), controller.ask()
    controller.tell(Outcome(one, 0.0, "failed", reason="loss is not finite"))
    controller.tell(Outcome(two, 0.0))
    assert controller.ask().tokens == two.tokens


def test_where_everything_failed_nothing_is_promoted():
    proposals = play(searcher(), 7, status="failed", reward=lambda proposal: 0.0)
    assert [proposal.purpose for proposal in proposals] == ["search"] * 7


def test_diagnostics_and_beliefs_tell_what_was_spent_and_found():
    controller = searcher()
    assert controller.status_line() == "nothing evaluated yet"
    proposals = play(controller, 3, reward=lambda proposal: 0.1 * proposal.number)
    assert str(SPACE.decode(proposals[2].tokens)) in controller.status_line()
    assert "search/best_final" not in controller.diagnostics()
    play(controller, 2, reward=lambda proposal: 0.8125)
    assert controller.status_line().startswith("best of 1 at the final budget: 0.8125 by ")
    assert controller.diagnostics() == {
        "search/iterations": 1.0,
        "search/children": 5.0,
        "search/failed": 0.0,
        "search/best_search": 0.8125,
        "search/best_final": 0.8125,
    }


@pytest.mark.parametrize("number", [-1, 1.5, True])
def test_the_number_of_searches_is_a_whole_one(number):
    with pytest.raises(ValueError, match="`promote_every`. Expected a whole number >= 0"):
        searcher(promote_every=number)

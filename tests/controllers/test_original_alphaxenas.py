"""The original search: what it proposes, what it never does twice, and what its values mean."""

from __future__ import annotations

import numpy as np
import pytest

from alphaxenas.contracts import Budget, Outcome
from alphaxenas.controllers.alphaxenas.original import OriginalAlphaXENAS
from alphaxenas.spaces import CellSpace
from tests.controllers.tabular import UnorderedDigits as Digits

SEARCH, FINAL = Budget(1), Budget(3)


def small(space=None, **settings):
    defaults = {"num_simulations": 6, "lstm_units": 8, "lstm_steps": 3, "lstm_batch_size": 8, "search_children": 0}
    return OriginalAlphaXENAS(space or Digits(), SEARCH, FINAL, planning="children", **(defaults | settings))


def play(controller, reward, steps=10**6, noise=None):
    """Proposals and outcomes until nothing is asked for or `steps` are made."""
    outcomes = []
    while len(outcomes) < steps and (proposal := controller.ask()) is not None:
        outcomes.append(Outcome(proposal, reward(proposal)))
        controller.tell(outcomes[-1])
    return outcomes


def total(proposal):
    return 0.5 + 0.03 * sum(proposal.tokens) + 0.05 * proposal.budget.epochs


@pytest.mark.parametrize("renewal", [0, 1])
def test_no_key_is_trained_twice_for_one_budget_and_every_one_is_played(renewal):
    outcomes = play(small(tree_renewal=renewal), total)
    trained = [("".join(map(str, sorted(o.proposal.tokens))), o.proposal.budget) for o in outcomes]
    assert len(trained) == len(set(trained))
    assert sum(o.proposal.purpose == "final" for o in outcomes) == 20  # multisets of 3 out of 4 digits


def test_an_accuracy_of_exactly_zero_is_an_outcome_like_any_other():
    """In the original a terminal of accuracy 0 was taken for one never evaluated, and trained again at every visit."""
    outcomes = play(small(refresh_after=0, promotion="rollout"), lambda proposal: 0.0)
    trained = [("".join(map(str, sorted(o.proposal.tokens))), o.proposal.budget) for o in outcomes]
    assert len(trained) == len(set(trained)) and sum(o.proposal.purpose == "final" for o in outcomes) == 20


def test_a_sequence_ends_with_the_best_child_that_ended_none_before():
    outcomes = play(small(Digits(4), refresh_after=0, seed=2), total, steps=24)
    measured, ended = {}, set()
    for outcome in outcomes:
        sequence = tuple(sorted(outcome.proposal.tokens))
        if outcome.proposal.purpose == "final":
            left = {key: reward for key, reward in measured.items() if key not in ended}
            assert left[sequence] == max(left.values())
            ended.add(sequence)
        else:
            measured[sequence] = outcome.reward
    assert len(ended) >= 5


@pytest.mark.parametrize("promotion", ["best_unpromoted", "rollout"])
def test_every_move_is_a_target_of_the_policy_whatever_is_promoted(promotion):
    """Only the moves up to where the promoted child left the played sequence were learned before, a few of them all."""
    controller, built, promoted = small(CellSpace(blocks=2), seed=3, promotion=promotion), {}, set()
    while len(promoted) < 5:
        proposal = controller.ask()
        if proposal.purpose == "final":
            built[controller._tree.prefix] = controller._schedule.policies()
            promoted.add(proposal.tokens)
        controller.tell(Outcome(proposal, 0.5 + 0.01 * proposal.tokens[2] + 0.001 * proposal.tokens[7]))
    examples = controller._replay.examples()
    found = {
        tuple(tokens[:length].tolist()): (policies[:length], value)
        for tokens, length, policies, value in zip(
            examples.tokens, examples.lengths, examples.policies, examples.values
        )
        if policies.any()
    }
    assert found.keys() == built.keys()
    for tokens, (policies, value) in found.items():
        np.testing.assert_array_equal(policies, built[tokens])
        np.testing.assert_allclose(policies.sum(1), 1, rtol=1e-5)
        assert np.isnan(value) == (tokens not in promoted)
    assert (built.keys() == promoted) == (promotion == "rollout")
    assert "policy_loss" in controller._lookahead._network.losses


@pytest.mark.parametrize(
    "settings",
    [
        {"num_simulations": 12, "tree_renewal": 16, "warmup_iterations": 16, "prior": "lstm"},
        {"num_simulations": 1, "tree_renewal": 0, "warmup_iterations": 0, "prior": "uniform"},
        {
            "num_simulations": 1,
            "tree_renewal": 1,
            "warmup_iterations": 0,
            "prior": "lstm",
        },  # divided by zero in the original
    ],
)
def test_the_originals_configurations_play(settings):
    space = CellSpace(blocks=2)
    controller = small(space, temperature=1.0, exploration=5.0, **settings)
    outcomes = play(controller, lambda p: 0.5 + 0.01 * p.tokens[2] + 0.001 * p.tokens[7], steps=40)
    assert len(outcomes) == 40
    assert sum(o.proposal.purpose == "final" for o in outcomes) >= 3


def test_values_of_the_tree_are_of_the_search_budget():
    # Finals score far higher; a tree that mixed them in would hold values above every search reward.
    controller = small(Digits(5), tree_renewal=0, refresh_after=0)
    outcomes = play(controller, lambda p: 0.2 + 0.01 * sum(p.tokens) + (0.6 if p.purpose == "final" else 0.0), steps=40)
    assert {o.proposal.purpose for o in outcomes} == {"search", "final"}
    means = controller._tree.statistics()["means"]
    assert all(mean < 0.45 for mean in means if mean == mean)


def test_old_values_are_scored_again_without_training_and_replaced():
    rewards = {}

    def drifting(proposal):
        rewards[proposal.number] = proposal
        return 0.5 + 0.01 * sum(proposal.tokens) + 0.004 * proposal.number

    controller = small(Digits(3), tree_renewal=0, refresh_after=4, temperature=1.0)
    outcomes = play(controller, drifting)
    refreshed = [o for o in outcomes if o.proposal.purpose == "refresh"]
    assert refreshed
    for outcome in refreshed:
        assert outcome.proposal.budget.epochs == 0
    last = {
        controller._key(o.proposal.tokens): o.reward for o in outcomes if o.proposal.purpose in ("search", "refresh")
    }
    for key, visits in controller._evaluated._visits.items():
        assert {visit.value for visit in visits} == {controller._replay.value(SEARCH, last[key])}


def test_measured_values_add_up_along_every_path():
    # Without predictions left in it, the sums at the root are those of the values its simulations brought.
    controller = small(Digits(2), tree_renewal=0, refresh_after=3, warmup_iterations=99)
    play(controller, lambda p: 0.5 + 0.01 * p.number, steps=4)
    root = controller._tree.statistics()
    assert root["total"] == [sum(root["visits"]) + 1]


def test_failures_do_not_wreck_the_scale():
    controller = small(Digits(5))
    for step in range(40):
        proposal = controller.ask()
        failed = step % 4 == 0
        reward = 0.0 if failed else 0.93 + 0.002 * sum(proposal.tokens)
        controller.tell(Outcome(proposal, reward, "failed" if failed else "ok", reason="x" if failed else ""))
    assert controller._lookahead.scale.centre > 0.9
    assert controller._tree.state()["range"][0] > 0.85


def test_held_out_predictions_are_about_keys_never_trained_on(monkeypatch):
    controller = small(Digits(5))
    asked, predict = [], controller._lookahead._network.predict

    def spy(prefixes, contexts):
        keys = {key for key, _ in controller._replay._records}
        asked.append(controller._key(prefixes[0]))
        assert asked[-1] not in keys
        return predict(prefixes, contexts)

    monkeypatch.setattr(controller._lookahead._network, "predict", spy)
    play(controller, total, steps=40)
    assert len(asked) > 15
    assert -1 <= controller.diagnostics()["lstm/rank_correlation"] <= 1

"""The whole controller: what it proposes, what it never does twice, and what its values mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from alphaxenas.contracts import Budget, Outcome
from alphaxenas.controllers.alphaxenas.controller import AlphaXENAS
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.spaces import CellSpace

SEARCH, FINAL = Budget(1), Budget(3)


@dataclass(frozen=True)
class Digits:
    """Token sequences of `length` digits; the order of the digits does not matter (equal keys)."""

    length: int = 3
    vocabulary: tuple[str, ...] = ("0", "1", "2", "3")

    @property
    def max_length(self):
        return self.length

    def legal_actions(self, tokens):
        return () if len(tokens) == self.length else tuple(range(len(self.vocabulary)))

    def decode(self, tokens):
        return tuple(tokens)

    def encode(self, architecture):
        return architecture

    def sample(self, rng):
        return tuple(rng.integers(len(self.vocabulary), size=self.length).tolist())

    def key(self, architecture):
        return "".join(map(str, sorted(architecture)))


def small(space=None, **settings):
    defaults = {"num_simulations": 6, "lstm_units": 8, "lstm_steps": 3, "lstm_batch_size": 8, "search_children": 2}
    return AlphaXENAS(space or Digits(), SEARCH, FINAL, **(defaults | settings))


def play(controller, reward, steps=10**6, noise=None):
    """Proposals and outcomes until nothing is asked for or `steps` are made."""
    outcomes = []
    while len(outcomes) < steps and (proposal := controller.ask()) is not None:
        outcomes.append(Outcome(proposal, reward(proposal)))
        controller.tell(outcomes[-1])
    return outcomes


def total(proposal):
    return 0.5 + 0.03 * sum(proposal.tokens) + 0.05 * proposal.budget.epochs


def test_with_a_uniform_share_only_uniform_children_train_the_shared_weights():
    outcomes = play(small(CellSpace(2), search_children=4, uniform_share=0.5), total, steps=25)
    sequences = [outcomes[start : start + 5] for start in range(0, 25, 5)]
    for sequence in sequences:
        assert [outcome.proposal.purpose for outcome in sequence] == ["search"] * 4 + ["final"]
        assert [outcome.proposal.updates_shared_weights for outcome in sequence] == [True, False, True, False, False]
    assert all(outcome.proposal.updates_shared_weights for outcome in play(small(CellSpace(2)), total, steps=12))


def test_uniform_children_do_not_depend_on_rewards():
    """Their draws are uniform whatever the search prefers: their digits are spread alike under opposite rewards."""
    counts = []
    for sign in (1, -1):
        outcomes = play(
            small(Digits(12), search_children=4, uniform_share=0.5),
            lambda p: 0.5 + sign * 0.01 * sum(p.tokens),
            steps=120,
        )
        drawn = [sum(o.proposal.tokens) / 12 for o in outcomes if o.proposal.updates_shared_weights]
        guided = [sum(o.proposal.tokens) / 12 for o in outcomes if not o.proposal.updates_shared_weights]
        counts.append((np.mean(drawn), np.mean(guided)))
    (up_drawn, up_guided), (down_drawn, down_guided) = counts
    assert abs(up_drawn - down_drawn) < 0.4 and up_guided - down_guided > abs(up_drawn - down_drawn)


def test_with_a_uniform_share_of_one_nothing_is_searched():
    """The control: rewards say which child is promoted, and nothing else of what is tried."""
    tried = []
    for sign in (1, -1):
        settings = {"search_children": 3, "uniform_share": 1.0, "num_simulations": 1, "dirichlet_weight": 0.0}
        outcomes = play(small(Digits(12), **settings), lambda p: 0.5 + sign * 0.01 * sum(p.tokens), steps=24)
        tried.append([o.proposal.tokens for o in outcomes if o.proposal.purpose == "search"])
        assert all(o.proposal.updates_shared_weights for o in outcomes if o.proposal.purpose == "search")
    assert tried[0] == tried[1] and len(tried[0]) == 18


def test_a_uniform_share_needs_children_and_is_a_share():
    for settings in ({"uniform_share": 1.1}, {"uniform_share": -0.1}, {"uniform_share": 0.5, "search_children": 0}):
        with pytest.raises(ValueError, match="`uniform_share`"):
            small(**settings)


@pytest.mark.parametrize("children", [0, 2])
@pytest.mark.parametrize("renewal", [0, 1])
def test_no_key_is_trained_twice_for_one_budget_and_every_one_is_played(children, renewal):
    outcomes = play(small(search_children=children, tree_renewal=renewal, refresh_after=0), total)
    trained = [("".join(map(str, sorted(o.proposal.tokens))), o.proposal.budget) for o in outcomes]
    assert len(trained) == len(set(trained))
    assert sum(o.proposal.purpose == "final" for o in outcomes) == 20  # multisets of 3 out of 4 digits


def test_an_accuracy_of_exactly_zero_is_an_outcome_like_any_other():
    """In the original a terminal of accuracy 0 was taken for one never evaluated, and trained again at every visit."""
    outcomes = play(small(search_children=0, refresh_after=0, promotion="rollout"), lambda proposal: 0.0)
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


def test_policies_of_moves_that_the_finished_sequence_did_not_make_are_unknown():
    controller = small(seed=3)
    outcomes = play(controller, total, steps=40)
    assert any(o.proposal.purpose == "final" for o in outcomes)
    policies = controller._replay.examples().policies
    sums = policies.sum(-1)
    assert np.all(np.isclose(sums, 1) | (sums == 0))
    assert np.any(np.isclose(sums, 1))


def test_the_optimum_of_a_space_that_can_be_counted_out_is_found_early():
    outcomes = play(small(Digits(5), num_simulations=16, seed=1), total, steps=30)
    assert max(sum(o.proposal.tokens) for o in outcomes) == 15


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
    controller = small(space, search_children=0, temperature=1.0, exploration=5.0, **settings)
    outcomes = play(controller, lambda p: 0.5 + 0.01 * p.tokens[2] + 0.001 * p.tokens[7], steps=40)
    assert len(outcomes) == 40
    assert sum(o.proposal.purpose == "final" for o in outcomes) >= 3


def test_search_children_bounds_what_a_sequence_costs():
    outcomes = play(small(CellSpace(blocks=2), search_children=4), lambda p: 0.5 + 0.01 * p.tokens[2], steps=25)
    assert [o.proposal.purpose for o in outcomes] == 5 * [*4 * ["search"], "final"]


def test_values_of_the_tree_are_of_the_search_budget():
    # Finals score far higher; a tree that mixed them in would hold values above every search reward.
    controller = small(Digits(5), tree_renewal=0, search_children=3, refresh_after=0)
    outcomes = play(controller, lambda p: 0.2 + 0.01 * sum(p.tokens) + (0.6 if p.purpose == "final" else 0.0), steps=40)
    assert {o.proposal.purpose for o in outcomes} == {"search", "final"}
    means = controller._tree.statistics()["means"]
    assert all(mean < 0.45 for mean in means if mean == mean)


def test_old_values_are_scored_again_without_training_and_replaced():
    rewards = {}

    def drifting(proposal):
        rewards[proposal.number] = proposal
        return 0.5 + 0.01 * sum(proposal.tokens) + 0.004 * proposal.number

    controller = small(Digits(3), search_children=0, tree_renewal=0, refresh_after=4, temperature=1.0)
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


def test_age_counts_children_that_had_trained_the_shared_weights_before(monkeypatch):
    """Replay and evaluation cache agree; guided children and promoted ones move no weight and do not count."""
    controller = small(CellSpace(2), search_children=4, uniform_share=0.5)
    ages, moved = {"replay": [], "cache": []}, 0
    for name, part, place in (("replay", controller._replay, 4), ("cache", controller._evaluated, 3)):

        def spy(*arguments, add=part.add, name=name, place=place):
            ages[name].append(arguments[place])
            return add(*arguments)

        monkeypatch.setattr(part, "add", spy)
    expected = {"replay": [], "cache": []}
    for _ in range(15):
        proposal = controller.ask()
        expected["replay"].append(moved)
        if proposal.purpose == "search":
            expected["cache"].append(moved)
            moved += proposal.updates_shared_weights
        controller.tell(Outcome(proposal, total(proposal)))
    assert ages == expected and moved == 6


def test_measured_values_add_up_along_every_path():
    # Without predictions left in it, the sums at the root are those of the values its simulations brought.
    controller = small(Digits(2), search_children=0, tree_renewal=0, refresh_after=3, warmup_iterations=99)
    play(controller, lambda p: 0.5 + 0.01 * p.number, steps=4)
    root = controller._tree.statistics()
    assert root["total"] == [sum(root["visits"]) + 1]


def test_failures_do_not_wreck_the_scale():
    controller = small(Digits(5), search_children=4)
    for step in range(40):
        proposal = controller.ask()
        failed = step % 4 == 0
        reward = 0.0 if failed else 0.93 + 0.002 * sum(proposal.tokens)
        controller.tell(Outcome(proposal, reward, "failed" if failed else "ok", reason="x" if failed else ""))
    assert controller._lookahead.scale.centre > 0.9
    assert controller._tree.state()["range"][0] > 0.85


def test_held_out_predictions_are_about_keys_never_trained_on(monkeypatch):
    controller = small(Digits(5), search_children=5)
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


def test_it_beats_random_search_at_equal_trials():
    space, gains = CellSpace(), []
    for seed in range(2):
        effects = np.random.default_rng(seed).normal(0, 0.012, len(space.vocabulary))
        scores = []
        for controller in (
            AlphaXENAS(space, SEARCH, FINAL, seed=seed),
            make_controller("random", space, seed, SEARCH, FINAL, 6),
        ):
            noise = np.random.default_rng([seed, 1])
            outcomes = play(controller, lambda p: 0.7 + effects[list(p.tokens)].sum() + noise.normal(0, 0.01), steps=42)
            scores.append(np.mean([o.reward for o in outcomes[-12:]]))
        gains.append(scores[0] - scores[1])
    assert min(gains) > 0.02


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_simulations", 0),
        ("temperature", -1.0),
        ("prior", "lst"),
        ("tree_renewal", -1),
        ("dirichlet_weight", 1.5),
        ("dirichlet_alpha", 0.0),
        ("refresh_after", -1),
        ("search_children", -1),
        ("exploration", -0.1),
    ],
)
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        small(**{name: value})

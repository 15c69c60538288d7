"""What every controller promises, whatever it believes (`alphaxenas.contracts.Controller`)."""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import pytest

from alphaxenas.contracts import Budget, Outcome
from alphaxenas.controllers.alphaxenas.replay import Replay
from alphaxenas.spaces import CellSpace
from alphaxenas.spaces.user_space import Limits, UserSpace

STEPS = 14
SPACE = CellSpace(blocks=2, operations=("conv3x3", "sep3x3", "identity"))
TINY = CellSpace(blocks=1, operations=("conv3x3", "identity"))


def judged(proposal, space=SPACE):
    """A reward that is the same for the same proposal on every machine, better at the dearer budget."""
    text = space.key(space.decode(proposal.tokens))
    chance = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32
    metrics = {"loss": 1.0 - chance, "parameters": float(cost(space, text))}
    return Outcome(proposal, 0.3 + 0.4 * chance + 0.02 * proposal.budget.epochs, metrics=metrics)


def cost(space, text):
    """From 1 to 4, the same for the same key."""
    return 1 + hashlib.sha256(b"cost" + text.encode()).digest()[0] % 4


def wished(space=SPACE):
    """The space of somebody who knows: a limit that half the architectures hold, favoured words, two starts."""
    limits = Limits({"cost": 2.0}, lambda architecture: {"cost": cost(space, space.key(architecture))})
    rng, starts = np.random.default_rng(7), {}
    while len(starts) < 2:
        architecture = space.sample(rng)
        if not limits.broken(architecture):
            starts.setdefault(space.key(architecture), architecture)
    return UserSpace(space, limits, {space.vocabulary[-1]: 5.0, space.vocabulary[0]: 0.5}, starts)


def play(controller, steps, space=SPACE):
    """Proposals of `steps` rounds of ask and tell; fewer when the controller has nothing more to ask."""
    proposals = []
    for _ in range(steps):
        if (proposal := controller.ask()) is None:
            break
        proposals.append(proposal)
        controller.tell(judged(proposal, space))
    return proposals


def stored(value):
    """A state as it comes back from disk; refuses everything but arrays and JSON values under string keys."""
    if isinstance(value, np.ndarray):
        assert value.dtype != object
        return value.copy()
    if isinstance(value, dict):
        assert all(isinstance(name, str) for name in value)
        return {name: stored(content) for name, content in value.items()}
    if isinstance(value, list):
        return [stored(content) for content in value]
    assert value is None or type(value) in (str, int, float, bool), f"neither an array nor a JSON value: {value!r}"
    return json.loads(json.dumps(value, allow_nan=False))


class TestControllerContract:
    def test_proposals_are_complete_sequences_numbered_from_zero(self, make_controller):
        proposals = play(make_controller(SPACE, 0), STEPS)
        assert [proposal.number for proposal in proposals] == list(range(STEPS))
        for proposal in proposals:
            assert SPACE.legal_actions(proposal.tokens) == ()
            assert SPACE.encode(SPACE.decode(proposal.tokens)) == proposal.tokens
            assert isinstance(proposal.budget, Budget)
            assert proposal.purpose in ("search", "final", "refresh")
        assert {"search", "final"} <= {proposal.purpose for proposal in proposals}

    def test_a_finished_architecture_gets_the_dearer_budget(self, make_controller):
        proposals = play(make_controller(SPACE, 1), STEPS)
        search, final = ([p.budget for p in proposals if p.purpose == purpose] for purpose in ("search", "final"))
        assert max(budget.epochs for budget in search) < min(budget.epochs for budget in final)

    def test_all_promote_by_the_same_rule(self, make_controller, monkeypatch):
        """Rewards count as they are told here; what AlphaXENAS makes of their age under shared weights is left out.

        Where a share is drawn to train shared weights, the others come first.
        """
        monkeypatch.setattr(Replay, "drift", lambda self, budget: 0.0)
        if getattr(make_controller, "several_objectives", False):
            return  # by fronts: tests/controllers/test_pareto.py
        controller, unpromoted, promotions = make_controller(SPACE, 2), {}, 0
        drawn_last = getattr(make_controller, "drawn_last", False)
        for _ in range(40):
            proposal = controller.ask()
            outcome, key = judged(proposal), SPACE.key(SPACE.decode(proposal.tokens))
            if proposal.purpose == "final":
                # AlphaXENAS promotes its rollout where no child is left to promote.
                if unpromoted:
                    assert unpromoted[key] == max(unpromoted.values())
                    del unpromoted[key]
                    promotions += 1
            elif proposal.purpose == "search" or key in unpromoted:
                unpromoted[key] = (not (drawn_last and proposal.updates_shared_weights), outcome.reward)
            controller.tell(outcome)
        assert promotions >= 3

    def test_same_seed_and_outcomes_give_the_same_proposals(self, make_controller):
        assert play(make_controller(SPACE, 3), STEPS) == play(make_controller(SPACE, 3), STEPS)

    def test_another_seed_gives_other_proposals(self, make_controller):
        assert play(make_controller(SPACE, 3), STEPS) != play(make_controller(SPACE, 4), STEPS)

    def test_interrupted_after_every_step_it_goes_on_as_if_nothing_had_been(self, make_controller):
        uninterrupted = play(make_controller(SPACE, 5), STEPS)
        controller, proposals = make_controller(SPACE, 5), []
        for _ in range(STEPS):
            proposals += play(controller, 1)
            state = stored(controller.state())
            # A fresh controller of another seed: what counts is the state alone.
            controller = make_controller(SPACE, 6)
            controller.restore(state)
        assert proposals == uninterrupted

    def test_interrupted_between_ask_and_tell_the_proposal_stays_outstanding(self, make_controller):
        uninterrupted = play(make_controller(SPACE, 5), 6)
        first, second = make_controller(SPACE, 5), make_controller(SPACE, 5)
        play(first, 3)
        waiting = first.ask()
        second.restore(stored(first.state()))
        second.tell(judged(waiting))
        assert [waiting, *play(second, 2)] == uninterrupted[3:6]

    def test_what_a_user_wants_and_knows_is_held_and_survives_interruptions(self, make_controller):
        space = wished()
        uninterrupted = play(make_controller(space, 5), STEPS)
        searched = [proposal for proposal in uninterrupted if proposal.purpose == "search"]
        assert [proposal.tokens for proposal in searched[:2]] == list(space.starts)
        for proposal in searched:
            assert space.allows(space.decode(proposal.tokens))
        controller, proposals = make_controller(space, 5), []
        for _ in range(STEPS):
            proposals += play(controller, 1)
            state = stored(controller.state())
            controller = make_controller(space, 6)
            controller.restore(state)
        assert proposals == uninterrupted

    def test_what_is_refused_for_its_cost_does_not_count_in_a_round(self, make_controller):
        if (every := getattr(make_controller, "promote_every", None)) is None:
            return  # the original's iterations count simulations
        controller, rounds, refusals = make_controller(SPACE, 3), [0], 0
        for step in range(22):
            proposal = controller.ask()
            refused = proposal.purpose == "search" and step % 2
            controller.tell(Outcome(proposal, 0.0, "refused") if refused else judged(proposal))
            if proposal.purpose == "final":
                rounds.append(0)
            elif refused:
                refusals += 1
            else:
                rounds[-1] += 1
        assert refusals >= 6 and rounds[:-1] == [every] * (len(rounds) - 1) and len(rounds) >= 3

    def test_a_state_is_not_changed_by_playing_on(self, make_controller):
        controller = make_controller(SPACE, 7)
        play(controller, 5)
        state = controller.state()
        before = stored(state)
        expected = play(controller, 4)
        np.testing.assert_equal(stored(state), before)
        other = make_controller(SPACE, 7)
        other.restore(before)
        assert play(other, 4) == expected

    def test_several_proposals_may_be_outstanding_and_outcomes_come_in_any_order(self, make_controller):
        controller, rng, outstanding, told = make_controller(SPACE, 8), np.random.default_rng(0), [], 0
        numbers = set()
        while told < STEPS:
            while len(outstanding) < 3 and (proposal := controller.ask()) is not None:
                assert proposal.number not in numbers
                numbers.add(proposal.number)
                outstanding.append(proposal)
            assert outstanding, "nothing to ask although nothing is awaited"
            controller.tell(judged(outstanding.pop(rng.integers(len(outstanding)))))
            told += 1

    def test_failures_do_not_stop_it(self, make_controller):
        controller = make_controller(SPACE, 9)
        for step in range(STEPS):
            proposal = controller.ask()
            assert proposal is not None
            outcome = Outcome(proposal, 0.0, "failed", reason="loss is not finite") if step % 2 else judged(proposal)
            controller.tell(outcome)
        assert all(math.isfinite(number) for number in controller.diagnostics().values())

    def test_outcomes_that_nobody_asked_for_are_refused(self, make_controller):
        controller = make_controller(SPACE, 10)
        proposal = controller.ask()
        controller.tell(judged(proposal))
        with pytest.raises(ValueError, match="proposal"):
            controller.tell(judged(proposal))

    def test_a_tiny_space_is_searched_to_its_end_and_no_further(self, make_controller):
        keys = {TINY.key(TINY.sample(np.random.default_rng(seed))) for seed in range(400)}
        controller = make_controller(TINY, 11)
        proposals = play(controller, 20 * TINY.size(), TINY)
        assert len(proposals) < 20 * TINY.size()
        assert {TINY.key(TINY.decode(proposal.tokens)) for proposal in proposals} == keys
        assert controller.ask() is None

    def test_a_tree_snapshot_has_a_row_for_every_prefix_walked_to(self, make_controller):
        controller = make_controller(SPACE, 13)
        play(controller, STEPS)
        tree = controller.tree_snapshot()
        if tree is None:
            return
        assert {len(column) for column in tree.values()} == {len(tree["parent"])}
        parents, visits = tree["parent"], tree["visits"]
        assert parents[0] == -1 and np.all(parents[1:] < np.arange(1, len(parents))) and visits[0] > 0
        below = np.bincount(parents[1:], visits[1:], len(parents))
        assert np.all(below <= visits) and np.all(visits <= tree["tried"])

    def test_diagnostics_are_numbers_and_beliefs_one_line(self, make_controller):
        controller = make_controller(SPACE, 12)
        for _ in range(STEPS):
            numbers = controller.diagnostics()
            assert all(isinstance(tag, str) and type(number) is float for tag, number in numbers.items())
            assert all(math.isfinite(number) for number in numbers.values())
            assert controller.status_line() and "\n" not in controller.status_line()
            play(controller, 1)
        assert controller.diagnostics()

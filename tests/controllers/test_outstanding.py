"""Proposals that wait for their outcomes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alphaxenas.contracts import Budget, Outcome
from alphaxenas.controllers.pending import PendingTrials


def test_a_foreign_outcome_of_the_same_number_is_refused_and_the_proposal_still_awaited():
    outstanding = PendingTrials()
    proposal = outstanding.propose((1, 2), Budget(1), "search")
    with pytest.raises(ValueError, match=r"outstanding proposals \[0\]\. Received: proposal 0, tokens \(2, 1\)"):
        outstanding.take(Outcome(replace(proposal, tokens=(2, 1)), 0.5))
    assert list(outstanding) == [proposal]
    assert outstanding.take(Outcome(proposal, 0.5)) == proposal
    assert not outstanding


def test_restored_proposals_are_the_same_and_numbers_go_on():
    first, second = PendingTrials(), PendingTrials()
    taken = first.propose((3,), Budget(0, 0.25), "refresh")
    waiting = [
        first.propose((1, 2), Budget(1, 0.5), "search", updates_shared_weights=False),
        first.propose((4,), Budget(3), "final"),
    ]
    first.take(Outcome(taken, 0.1))
    second.restore(first.state())
    assert list(second) == waiting
    assert second.propose((5,), Budget(1), "search").number == 3

"""The proposals of one controller whose outcomes are awaited. Outcomes are matched by number, in any order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alphaxenas.contracts import Budget, Outcome, Proposal, Tokens
from alphaxenas.suggestions import invalid


def plain(tokens: Tokens) -> list[int]:
    """Tokens as JSON values."""
    return [int(token) for token in tokens]


class PendingTrials:
    """Numbers proposals from 0 and keeps each until its outcome is there. Iterates over them in the order proposed."""

    def __init__(self) -> None:
        self._proposals: dict[int, Proposal] = {}
        self._proposed = 0

    def __len__(self) -> int:
        """Number of proposals awaited."""
        return len(self._proposals)

    def __iter__(self) -> Iterator[Proposal]:
        """The proposals awaited."""
        return iter(self._proposals.values())

    def propose(self, tokens: Tokens, budget: Budget, purpose: str, updates_shared_weights: bool = True) -> Proposal:
        """The next proposal; its fields are those of `Proposal`.

        Args:
            tokens: A complete sequence.
            budget: As of `Proposal`.
            purpose: As of `Proposal`.
            updates_shared_weights: As of `Proposal`.
        """
        proposal = Proposal(self._proposed, tokens, budget, purpose, updates_shared_weights)
        self._proposals[proposal.number] = proposal
        self._proposed += 1
        return proposal

    def take(self, outcome: Outcome) -> Proposal:
        """The proposal that an outcome belongs to; it is awaited no longer.

        Raises:
            ValueError: It belongs to none of them.
        """
        number = outcome.proposal.number
        if self._proposals.get(number) != outcome.proposal:
            expected = f"the outcome of one of the outstanding proposals {sorted(self._proposals)}"
            raise invalid("outcome", expected, f"proposal {number}, tokens {outcome.proposal.tokens}")
        return self._proposals.pop(number)

    def state(self) -> dict[str, Any]:
        """The number proposed so far, and the proposals awaited."""
        return {"proposed": self._proposed, "awaited": [proposal.to_json() for proposal in self]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self._proposed = int(state["proposed"])
        proposals = map(Proposal.from_json, state["awaited"])
        self._proposals = {proposal.number: proposal for proposal in proposals}

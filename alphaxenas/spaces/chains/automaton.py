"""The token sequences of a space that is given by a rule: legal tokens, number of sequences, the n-th sequence.

Prefixes after which the same tokens may follow are one state, so a space of very many sequences is a small automaton.
It is built once: how many sequences continue from each state is counted exactly, and tokens from which no sequence can
be completed are removed. Afterwards everything is a look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.spaces.checks import illegal

MOST_STATES = 200_000
"""A rule that needs more states than this is refused: it would take minutes and gigabytes."""


class TooManyStatesError(ValueError):
    """The rule tells more than `MOST_STATES` prefixes apart."""


class SequenceAutomaton:
    """All token sequences that a rule allows.

    Args:
        start: State of the empty prefix.
        follow: The transitions from a state, token to next state, in ascending order of the tokens; None where the
            sequence is complete, an empty mapping where nothing is legal. Every sequence must end.

    Attributes:
        size: Exact number of sequences; 0 if there is none.
        longest: Length of the longest sequence.
        blocked: States met from which nothing was legal.

    Raises:
        TooManyStatesError: See there.
    """

    def __init__(self, start: Any, follow: Callable[[Any], Mapping[int, Any] | None]) -> None:
        transitions: dict[Hashable, Mapping[int, Any] | None] = {}
        counts: dict[Hashable, int] = {}
        depths: dict[Hashable, int] = {}
        waiting = [start]
        while waiting:
            state = waiting[-1]
            if state not in transitions:
                transitions[state] = follow(state)
                if len(transitions) > MOST_STATES:
                    raise TooManyStatesError(f"more than {MOST_STATES:,} prefixes have to be told apart")
            following = transitions[state]
            unknown = [other for other in (following or {}).values() if other not in counts]
            if unknown and state not in counts:
                waiting += unknown
                continue
            waiting.pop()
            if following is None:
                counts[state], depths[state] = 1, 0
            else:
                counts[state] = sum(counts[other] for other in following.values())
                depths[state] = 1 + max((depths[other] for other in following.values() if counts[other]), default=-1)
        self.blocked: list[Any] = [state for state, following in transitions.items() if following == {}]
        self.size, self.longest = counts[start], depths[start]
        alive = [start, *(state for state in counts if counts[state] and state != start)]
        numbers = {state: number for number, state in enumerate(alive)}
        self._counts = [counts[state] for state in numbers]
        self._transitions: list[dict[int, int]] = [
            {token: numbers[other] for token, other in (transitions[state] or {}).items() if counts[other]}
            for state in numbers
        ]
        self._legal = [tuple(following) for following in self._transitions]

    def legal_actions(self, tokens: Tokens) -> Tokens:
        """Tokens that may follow the prefix `tokens`, ascending; empty for a complete sequence.

        Raises:
            ValueError: No sequence begins so; names the first token that is wrong and what would be legal there.
        """
        state, transitions = 0, self._transitions
        try:
            for token in tokens:
                state = transitions[state][token]
        except KeyError:
            raise illegal(tokens, self.legal_actions) from None
        return self._legal[state]

    def check(self, tokens: Tokens) -> None:
        """ValueError unless `tokens` is a complete sequence: names the first token that is wrong."""
        if self.legal_actions(tokens):
            raise illegal(tokens, self.legal_actions)

    def sample(self, rng: np.random.Generator) -> Tokens:
        """A sequence drawn uniformly."""
        size, width = self.size, -(-self.size.bit_length() // 8) + 1
        # Numbers beyond the last whole multiple of the size would favour the first sequences.
        limit = 256**width // size * size
        while (number := int.from_bytes(rng.bytes(width), "big")) >= limit:
            pass
        return self.sequence(number % size)

    def sequence(self, number: int) -> Tokens:
        """Sequence `number` in ascending order of tokens, from 0."""
        state, tokens = 0, []
        while self._transitions[state]:
            for token, other in self._transitions[state].items():
                if number < self._counts[other]:
                    break
                number -= self._counts[other]
            tokens.append(token)
            state = other
        return tuple(tokens)

"""The games of a space that is given by a rule: which tokens may follow a prefix, how many games there are, the n-th
game.

Prefixes after which the same may follow are one state, so a space of very many games is a small graph of states. The
graph is walked once when it is made: how many games go on from each state is counted exactly, and moves that lead
nowhere are taken out. Afterwards everything is a look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens

MOST_STATES = 200_000
"""A rule that needs more states than this is refused: it would take minutes and gigabytes."""


class TooManyStatesError(ValueError):
    """The rule tells more than `MOST_STATES` prefixes apart."""


class SequenceAutomaton:
    """All games that a rule allows.

    Args:
        start: State of the empty prefix.
        follow: The moves from a state, token to next state, in ascending order of the tokens; None where the game is
            complete, an empty mapping where nothing is legal. TokenEncoder must end.

    Attributes:
        size: Exact number of games; 0 if there is none.
        longest: Length of the longest game.
        blocked: States met from which nothing was legal.

    Raises:
        TooManyStatesError: See there.
    """

    def __init__(self, start: Hashable, follow: Callable[[Any], Mapping[int, Hashable] | None]) -> None:
        moves: dict[Hashable, Mapping[int, Hashable] | None] = {}
        counts: dict[Hashable, int] = {}
        depths: dict[Hashable, int] = {}
        waiting = [start]
        while waiting:
            state = waiting[-1]
            if state not in moves:
                moves[state] = follow(state)
                if len(moves) > MOST_STATES:
                    raise TooManyStatesError(f"more than {MOST_STATES:,} prefixes have to be told apart")
            following = moves[state]
            unknown = (
                []
                if following is None or state in counts
                else [other for other in following.values() if other not in counts]
            )
            if unknown:
                waiting += unknown
                continue
            waiting.pop()
            if following is None:
                counts[state], depths[state] = 1, 0
            else:
                counts[state] = sum(counts[other] for other in following.values())
                depths[state] = 1 + max((depths[other] for other in following.values() if counts[other]), default=-1)
        self.blocked = [state for state, following in moves.items() if following is not None and not following]
        self.size, self.longest = counts[start], depths[start]
        numbers = {
            state: number
            for number, state in enumerate([start, *(state for state in counts if counts[state] and state != start)])
        }
        self._counts = [counts[state] for state in numbers]
        self._moves: list[dict[int, int]] = [
            {token: numbers[other] for token, other in (moves[state] or {}).items() if counts[other]}
            for state in numbers
        ]
        self._legal = [tuple(following) for following in self._moves]

    def legal_actions(self, tokens: Tokens) -> Tokens:
        """Tokens that may follow the prefix `tokens`, ascending; empty for a whole game.

        Raises:
            ValueError: No game begins so; names the first token that is wrong and what would be legal there.
        """
        state, moves = 0, self._moves
        try:
            for token in tokens:
                state = moves[state][token]
        except KeyError:
            raise self._wrong(tokens) from None
        return self._legal[state]

    def check(self, tokens: Tokens) -> None:
        """ValueError unless `tokens` is a whole game: names the first token that is wrong."""
        if legal := self.legal_actions(tokens):
            raise ValueError(
                f"Invalid value for `tokens`. Expected a whole game. Received: {tokens}, which goes on with one of {legal}"
            )

    def sample(self, rng: np.random.Generator) -> Tokens:
        """A game drawn uniformly."""
        size, width = self.size, -(-self.size.bit_length() // 8) + 1
        # Numbers beyond the last whole multiple of the size would favour the first games.
        limit = 256**width // size * size
        while (number := int.from_bytes(rng.bytes(width), "big")) >= limit:
            pass
        return self.game(number % size)

    def game(self, number: int) -> Tokens:
        """IterationSchedule `number` in ascending order of tokens, from 0."""
        state, tokens = 0, []
        while self._moves[state]:
            for token, other in self._moves[state].items():
                if number < self._counts[other]:
                    break
                number -= self._counts[other]
            tokens.append(token)
            state = other
        return tuple(tokens)

    def _wrong(self, tokens: Tokens) -> ValueError:
        state = 0
        for place, token in enumerate(tokens):
            if token not in self._moves[state]:
                break
            state = self._moves[state][token]
        legal = self._legal[state]
        expected = f"one of {legal}" if legal else f"the game to end after {place} tokens"
        return ValueError(f"Invalid value for `tokens` at place {place}. Expected {expected}. Received: {token!r}")

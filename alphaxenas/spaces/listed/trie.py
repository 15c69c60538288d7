"""The games of a space that is given as a list: which tokens may follow a prefix, without a rule."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from alphaxenas.contracts import Tokens


class GameTrie:
    """TokenEncoder in ascending order; the games with a common prefix are neighbours, so a trie needs no nodes of its own.

    Args:
        games: Different games, none of which is the beginning of another.
    """

    def __init__(self, games: Iterable[Tokens]) -> None:
        self.games: tuple[Tokens, ...] = tuple(sorted(games))
        self._legal: dict[Tokens, Tokens] = {}

    def legal_actions(self, tokens: Tokens) -> Tokens:
        """Tokens that follow the prefix `tokens` in at least one game, ascending; empty for a whole game.

        Raises:
            ValueError: No game begins so; names the first token that is wrong and what would be legal there.
        """
        legal = self._legal.get(tokens)
        if legal is None:
            legal = self._legal[tokens] = self._found(tokens)
        return legal

    def check(self, tokens: Tokens) -> None:
        """ValueError unless `tokens` is a whole game: names the first token that is wrong."""
        if self.legal_actions(tokens):
            raise ValueError(
                f"Invalid value for `tokens`. Expected a whole game. Received: {tokens}, which goes on with one of "
                f"{self.legal_actions(tokens)}"
            )

    def _found(self, tokens: Tokens) -> Tokens:
        depth, games = len(tokens), self.games
        low = bisect_left(games, tokens)
        high = bisect_left(games, (*tokens[:-1], tokens[-1] + 1), low) if tokens else len(games)
        if low == high:
            place = self._first_wrong(tokens)
            legal = self.legal_actions(tokens[:place])
            expected = f"one of {legal}" if legal else f"the game to end after {place} tokens"
            raise ValueError(
                f"Invalid value for `tokens` at place {place}. Expected {expected}. Received: {tokens[place]!r}"
            )
        legal = []
        while low < high and len(games[low]) > depth:
            legal.append(games[low][depth])
            low = bisect_left(games, (*tokens, legal[-1] + 1), low, high)
        return tuple(legal)

    def _first_wrong(self, tokens: Tokens) -> int:
        return next(place for place, token in enumerate(tokens) if token not in self.legal_actions(tokens[:place]))

"""The token sequences of a space that is given as a list."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from alphaxenas.contracts import Tokens
from alphaxenas.suggestions import invalid


class SequenceTrie:
    """Sequences in ascending order: those with a common prefix stand together, so the trie needs no nodes of its own.

    Args:
        sequences: Different sequences, none of which is a prefix of another.
    """

    def __init__(self, sequences: Iterable[Tokens]) -> None:
        self.sequences: tuple[Tokens, ...] = tuple(sorted(sequences))
        self._legal: dict[Tokens, Tokens] = {}

    def legal_actions(self, tokens: Tokens) -> Tokens:
        """Tokens that follow the prefix `tokens` in at least one sequence, ascending; empty for a complete sequence.

        Raises:
            ValueError: No sequence begins so; names the first token that is wrong and what would be legal there.
        """
        legal = self._legal.get(tokens)
        if legal is None:
            legal = self._legal[tokens] = self._found(tokens)
        return legal

    def check(self, tokens: Tokens) -> None:
        """ValueError unless `tokens` is a complete sequence: names the first token that is wrong."""
        if self.legal_actions(tokens):
            raise invalid(
                "tokens", "a complete sequence", f"{tokens}, which goes on with one of {self.legal_actions(tokens)}"
            )

    def _found(self, tokens: Tokens) -> Tokens:
        depth, sequences = len(tokens), self.sequences
        low = bisect_left(sequences, tokens)
        high = bisect_left(sequences, (*tokens[:-1], tokens[-1] + 1), low) if tokens else len(sequences)
        if low == high:
            place = self._first_wrong(tokens)
            legal = self.legal_actions(tokens[:place])
            expected = f"one of {legal}" if legal else f"the sequence to end after {place} tokens"
            raise invalid("tokens", expected, repr(tokens[place]), f"at place {place}")
        following: list[int] = []
        while low < high and len(sequences[low]) > depth:
            following.append(sequences[low][depth])
            low = bisect_left(sequences, (*tokens, following[-1] + 1), low, high)
        return tuple(following)

    def _first_wrong(self, tokens: Tokens) -> int:
        return next(place for place, token in enumerate(tokens) if token not in self.legal_actions(tokens[:place]))

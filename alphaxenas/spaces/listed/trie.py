"""The token sequences of a space that is given as a list, and what such spaces share."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.spaces.checks import illegal, set_fields


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

    def _found(self, tokens: Tokens) -> Tokens:
        depth, sequences = len(tokens), self.sequences
        low = bisect_left(sequences, tokens)
        high = bisect_left(sequences, (*tokens[:-1], tokens[-1] + 1), low) if tokens else len(sequences)
        if low == high:
            raise illegal(tokens, self.legal_actions)
        following: list[int] = []
        while low < high and len(sequences[low]) > depth:
            following.append(sequences[low][depth])
            low = bisect_left(sequences, (*tokens, following[-1] + 1), low, high)
        return tuple(following)


class ListedSpace:
    """What spaces share whose token sequences are listed: legality, decoding, size and uniform sampling.

    A subclass is a frozen dataclass that calls `_define` in `__post_init__`. Its hash is computed once: it is asked for
    often, and of thousands of sequences it is slow.
    """

    max_length: int
    _cells: dict[Tokens, Any]
    _trie: SequenceTrie
    _hash: int

    def legal_actions(self, tokens: Tokens) -> Tokens:
        """Tokens that may follow the prefix `tokens`, ascending; empty when the sequence is complete."""
        return self._trie.legal_actions(tokens)

    def decode(self, tokens: Tokens) -> Any:
        """The architecture of a complete token sequence.

        Raises:
            ValueError: The sequence is not complete, or names the first illegal token and what would be legal there.
        """
        if tokens not in self._cells:
            raise illegal(tokens, self.legal_actions)
        return self._cells[tokens]

    def size(self) -> int:
        """Exact number of token sequences: the number of architectures."""
        return len(self._cells)

    def sample(self, rng: np.random.Generator) -> Any:
        """An architecture drawn uniformly."""
        return self._cells[self._trie.sequences[int(rng.integers(len(self._cells)))]]

    def __hash__(self) -> int:
        return self._hash

    def _define(self, cells: dict[Tokens, Any], identity: Hashable, **fields: Any) -> None:
        """Sets what follows from the architectures by their sequences, and from what makes the space itself."""
        longest, trie = max(map(len, cells)), SequenceTrie(cells)
        set_fields(self, max_length=longest, _cells=cells, _trie=trie, _hash=hash(identity), **fields)

"""Token sequences as arrays for networks that read and write tokens, and the symmetries of a space.

A network needs every sequence at one length, and the tokens that were legal at every place. What a space allows may
depend on the whole prefix, and sequences may differ in length: both are asked of the space once per sequence and
remembered.

Symmetries are found, not declared: a swap of two places, or of two groups of places, is a symmetry of a sequence where
the result is a sequence of the same key, such as the two inputs of a node that adds them, with their operations. Which
swaps can be is tried out on a few sequences of the space; for every single sequence the key decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.seeds import stream
from alphaxenas.spaces.checks import illegal

TRIED = 24
"""Token sequences on which swaps are tried out."""
WIDEST = 6
"""Widest groups of neighbouring places that are swapped with each other."""

Swap = tuple[int, ...]
"""Where each place of a sequence takes its token from."""


class SequenceArrays(NamedTuple):
    """`n` sequences; L is the length of the longest possible sequence, V the size of the vocabulary.

    Attributes:
        tokens: `[n, L]` int32, 0 after a sequence's end.
        lengths: `[n]` int32.
        legal: `[n, L, V]` bool, the tokens that were legal at every place; all after a sequence's end.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    legal: np.ndarray


class TokenEncoder:
    """Turns sequences of a space into arrays, knows what is legal after a prefix, and finds sequences of equal key.

    Args:
        space: Any search space.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.vocabulary, self.length = len(space.vocabulary), space.max_length
        self._legal: dict[Tokens, np.ndarray] = {}
        self._rows: dict[Tokens, np.ndarray] = {}
        self._variants: dict[Tokens, list[Tokens]] = {}
        self._swaps: list[Swap] | None = None

    def legal(self, prefix: Tokens) -> np.ndarray:
        """Which tokens may follow a prefix, `[V]` bool; none when the sequence is complete."""
        row = self._legal.get(prefix)
        if row is None:
            if len(self._legal) > 200_000:
                self._legal.clear()
            row = self._legal[prefix] = np.zeros(self.vocabulary, bool)
            row[list(self.space.legal_actions(prefix))] = True
        return row

    def arrays(self, sequences: Sequence[Tokens]) -> SequenceArrays:
        """Complete sequences as arrays.

        Raises:
            ValueError: A token that is not legal at its place, or a sequence that is not complete.
        """
        tokens = np.zeros((len(sequences), self.length), np.int32)
        legal = np.ones((len(sequences), self.length, self.vocabulary), bool)
        for row, sequence in enumerate(sequences):
            tokens[row, : len(sequence)] = sequence
            legal[row, : len(sequence)] = self._rows_of(sequence)
        return SequenceArrays(tokens, np.array([len(sequence) for sequence in sequences], np.int32), legal)

    def variants(self, sequence: Tokens, most: int) -> list[Tokens]:
        """The sequence, and up to `most` - 1 others of the same key, by single swaps and random sequences of swaps;
        always the same ones.

        Args:
            sequence: A complete sequence.
            most: Largest number of sequences, >= 1.
        """
        found = self._variants.get(sequence)
        if found is None or len(found) > most:
            found = self._variants[sequence] = self._varied(sequence, most)
        return found

    def swaps(self) -> list[Swap]:
        """Swaps of places that keep the key of some of the sequences tried and are not alone in being allowed there."""
        if self._swaps is None:
            self._swaps = self._found_swaps()
        return self._swaps

    def _rows_of(self, sequence: Tokens) -> np.ndarray:
        rows = self._rows.get(sequence)
        if rows is None:
            parts = [self.legal(sequence[:place]) for place in range(len(sequence))]
            fits = all(0 <= token < self.vocabulary and row[token] for token, row in zip(sequence, parts))
            if not fits or self.legal(sequence).any():
                raise illegal(sequence, self.space.legal_actions)
            rows = self._rows[sequence] = np.stack(parts)
        return rows

    def _varied(self, sequence: Tokens, most: int) -> list[Tokens]:
        key = self.space.key(self.space.decode(sequence))
        fitting = [swap for swap in self.swaps() if len(swap) == len(sequence)]
        single = [swap for swap in fitting if self._swapped(sequence, swap, key) is not None]
        found = dict.fromkeys([sequence])
        rng = stream(0, "symmetries", sequence)
        for attempt in range(4 * most if single else 0):
            if len(found) >= most:
                break
            other = sequence
            for swap in rng.permutation(len(single))[
                : 1 if attempt < len(single) else int(rng.integers(1, len(single) + 1))
            ]:
                other = self._swapped(other, single[swap], key) or other
            found[other] = None
        return list(found)

    def _swapped(self, sequence: Tokens, swap: Swap, key: str) -> Tokens | None:
        """The sequence after a swap; None where it would be the same, illegal or of another key."""
        other = tuple([sequence[place] for place in swap])
        if other == sequence:
            return None
        try:
            return other if self.space.key(self.space.decode(other)) == key else None
        except ValueError:  # no sequence of the space
            return None

    def _found_swaps(self) -> list[Swap]:
        space, rng = self.space, stream(0, "symmetries")
        # Long sequences are tried on fewer: every place brings swaps of its own.
        sequences = list(
            dict.fromkeys(space.encode(space.sample(rng)) for _ in range(max(2, min(TRIED, 2000 // space.max_length))))
        )
        keys = [space.key(space.decode(sequence)) for sequence in sequences]
        found: dict[Swap, None] = {}
        for length in sorted({len(sequence) for sequence in sequences}):
            for swap in _possible_swaps(length):
                for sequence, key in zip(sequences, keys):
                    if len(sequence) == length and self._swapped(sequence, swap, key) is not None:
                        found[swap] = None
                        break
        return list(found)


def _possible_swaps(length: int) -> list[Swap]:
    """Neighbouring groups of places in exchange, and two pairs of neighbours exchanged at once, none twice."""
    places = tuple(range(length))
    found: dict[Swap, None] = {}
    for start in range(length):
        for width in range(1, min(WIDEST, (length - start) // 2) + 1):
            middle, end = start + width, start + 2 * width
            found[(*places[:start], *places[middle:end], *places[start:middle], *places[end:])] = None
        if start + 4 <= length:
            found[(*places[:start], start + 1, start, start + 3, start + 2, *places[start + 4 :])] = None
    return list(found)

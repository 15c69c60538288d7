"""Base of the spaces whose token sequences all have one length, with legal tokens that depend on the position alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.spaces.checks import illegal, set_fields
from alphaxenas.suggestions import invalid


class FixedLengthSpace:
    """What such spaces share: legality, size, uniform sampling and neighbours.

    A subclass is a frozen dataclass of its parameters. It calls `_define` in `__post_init__` and has `encode` and
    `_build`, which turns tokens that are known to be legal into an architecture.

    Attributes:
        vocabulary: Readable name of every token.
        max_length: Length of every token sequence.
        legal_at: Legal tokens at every position, ascending; one more entry, which is empty, stands for the end.
    """

    vocabulary: tuple[str, ...]
    max_length: int
    legal_at: tuple[Tokens, ...]

    def legal_actions(self, tokens: Tokens) -> Tokens:
        """Tokens that may follow the prefix `tokens`, ascending; empty when the sequence is complete."""
        # A look-up: this is the inner loop of every search.
        try:
            return self.legal_at[len(tokens)]
        except IndexError:
            raise invalid("tokens", f"at most {self.max_length} tokens", len(tokens)) from None

    def decode(self, tokens: Tokens) -> Any:
        """The architecture of a complete token sequence.

        Raises:
            ValueError: The sequence is not complete, or names the first illegal token and what is legal there.
        """
        if len(tokens) != self.max_length:
            raise invalid("tokens", f"{self.max_length} tokens", len(tokens))
        if any(token not in legal for token, legal in zip(tokens, self.legal_at)):
            raise illegal(tokens, self.legal_actions)
        return self._build(tokens)

    def size(self) -> int:
        """Exact number of token sequences: the product of the numbers of legal tokens."""
        return prod(len(legal) for legal in self.legal_at[:-1])

    def sample(self, rng: np.random.Generator) -> Any:
        """An architecture drawn uniformly over token sequences: every token is independent and uniform."""
        return self.decode(tuple(legal[rng.integers(len(legal))] for legal in self.legal_at[:-1]))

    def neighbours(self, architecture: Any) -> list[Any]:
        """All architectures that differ in one token, each once, in ascending order of place and token."""
        tokens = self.encode(architecture)
        return [
            self.decode((*tokens[:place], other, *tokens[place + 1 :]))
            for place, token in enumerate(tokens)
            for other in self.legal_at[place]
            if other != token
        ]

    def encode(self, architecture: Any) -> Tokens:
        """The tokens of an architecture; `decode(encode(a)) == a`."""
        raise NotImplementedError

    def _build(self, tokens: Tokens) -> Any:
        raise NotImplementedError

    def _define(self, legal: Sequence[Tokens], vocabulary: tuple[str, ...], **fields: Any) -> None:
        """Sets what follows from the parameters of a frozen dataclass."""
        set_fields(self, vocabulary=vocabulary, max_length=len(legal), legal_at=(*legal, ()), **fields)

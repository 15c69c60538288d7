"""Some architectures of a space as a space of their own: a pool for which a table knows the results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.spaces.listed.trie import ListedSpace
from alphaxenas.suggestions import invalid


@dataclass(frozen=True, repr=False)
class Subset(ListedSpace):
    """The token sequences of a space that lead to one of the given architectures (`alphaxenas.contracts.SearchSpace`).

    Every architecture keeps one sequence, that of the form in which it was given. Other sequences of the parent space
    for the same key do not belong to the subset, and `encode` gives the kept one for them.

    Attributes:
        space: The parent space: tokens, keys, features, forms and drawings are its own.
        architectures: At least one, with different keys.
        vocabulary: The parent's.
        max_length: Of the longest sequence.

    Example:
        >>> from alphaxenas.spaces import NASBench201
        >>> parent = NASBench201()
        >>> pool = Subset(parent, tuple(map(parent.parse, ("000000", "000001", "444444"))))
        >>> pool.size(), pool.legal_actions((0, 0, 0, 0, 0)), len(pool.neighbours(parent.parse("000000")))
        (3, (0, 1), 1)
    """

    space: Any
    architectures: tuple[Any, ...]
    vocabulary: tuple[str, ...] = field(init=False, compare=False)
    max_length: int = field(init=False, compare=False)
    _members: dict[str, tuple[Any, Tokens]] = field(init=False, compare=False)
    __hash__ = ListedSpace.__hash__

    def __post_init__(self) -> None:
        architectures = tuple(self.architectures)
        if not architectures:
            raise invalid("architectures", "at least one", "none")
        members: dict[str, tuple[Any, Tokens]] = {}
        for architecture in architectures:
            key = self.space.key(architecture)
            if key in members:
                raise invalid("architectures", "different keys", f"{members[key][0]} and {architecture}, both {key}")
            members[key] = architecture, self.space.encode(architecture)
        cells = {tokens: architecture for architecture, tokens in members.values()}
        fields = {"architectures": architectures, "vocabulary": self.space.vocabulary, "_members": members}
        self._define(cells, (self.space, architectures), **fields)

    def __repr__(self) -> str:
        return f"Subset({len(self.architectures):,} of {self.space!r})"

    def encode(self, architecture: Any) -> Tokens:
        """The tokens of the member with the architecture's key; `decode(encode(a)) == a` for members as given.

        Raises:
            ValueError: No member has that key.
        """
        return self._member(architecture)[1]

    def key(self, architecture: Any) -> str:
        """The parent's key."""
        return self.space.key(architecture)

    def sample(self, rng: np.random.Generator) -> Any:
        """A member drawn uniformly."""
        return self.architectures[int(rng.integers(len(self.architectures)))]

    def neighbours(self, architecture: Any) -> list[Any]:
        """The architecture's neighbours in the parent space that are members, as they were given, each once."""
        found = {}
        for other in self.space.neighbours(architecture):
            key = self.space.key(other)
            if key in self._members:
                found[key] = self._members[key][0]
        found.pop(self.space.key(architecture), None)
        return list(found.values())

    def features(self, architecture: Any) -> np.ndarray:
        """The parent's features."""
        return self.space.features(architecture)

    def feature_names(self) -> tuple[str, ...]:
        """What each entry of `features` means."""
        return self.space.feature_names()

    def feature_groups(self) -> dict[str, tuple[slice, str]]:
        """The parent's, or one group of numbers where it has none."""
        groups = getattr(self.space, "feature_groups", None)
        return groups() if groups else {"features": (slice(None), "numbers")}

    def parse(self, text: str) -> Any:
        """The member that a text or JSON form of the parent space stands for; ValueError if there is none."""
        return self._member(self.space.parse(text))[0]

    def _member(self, architecture: Any) -> tuple[Any, Tokens]:
        try:
            return self._members[self.space.key(architecture)]
        except KeyError:
            raise invalid("architecture", f"one of the {len(self.architectures):,} members", architecture) from None

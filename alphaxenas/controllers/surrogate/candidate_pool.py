"""Where GuidedSearch looks: all architectures of a small space, or what its plans met of a large one; and which are
promising before anything is measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.choice_prior import ChoicePrior
from alphaxenas.controllers.history import TrialHistory, numbered_sequences
from alphaxenas.proxies.ranks import rank_sum
from alphaxenas.seeds import stream

ENUMERABLE = 40_000
"""Sequences of the largest space that is looked at as a whole."""
SAMPLE, FEW = 2_000, 64
"""Random architectures of a larger space among which promising ones are looked for; fewer where each takes time."""
TRIES = 100
"""Draws of a promising architecture before a uniform one is taken."""
_PROMISING = re.compile(r"log parameters|longest path by convolution|sum of levels")
"""Features of which more is promising, beside those of the group `proxies`."""

Bounds = Callable[[list[Tokens], np.ndarray], np.ndarray]
"""Values `[m]` of sequences with features `[m, d]`."""


@dataclass(frozen=True)
class Architectures:
    """One sequence for every key.

    Attributes:
        sequences: `n` complete sequences.
        place: Place of the sequence by key.
        features: float32 `[n, d]`.
    """

    sequences: list[Tokens]
    place: dict[str, int]
    features: np.ndarray


@lru_cache(maxsize=4)
def every_architecture(space: SearchSpace) -> Architectures:
    """All architectures of a space of at most `ENUMERABLE` sequences."""
    # Spaces are hashable, which a protocol cannot say.
    sequences, numbers, place = numbered_sequences(space)  # type: ignore[arg-type]
    first = np.unique(numbers, return_index=True)[1]
    return _with_features(space, [sequences[row] for row in first], place)


@lru_cache(maxsize=4)
def some_architectures(space: SearchSpace, count: int) -> Architectures:
    """Random architectures of a space, the same in every search.

    Args:
        space: Any search space.
        count: How many are drawn; equal keys are one.
    """
    rng = stream(0, "guided", "sample")
    drawn = (space.sample(rng) for _ in range(count))
    first = {space.key(architecture): space.encode(architecture) for architecture in drawn}
    return _with_features(space, list(first.values()), {key: place for place, key in enumerate(first)})


def _with_features(space: SearchSpace, sequences: list[Tokens], place: dict[str, int]) -> Architectures:
    prepare(space, sequences)
    return Architectures(sequences, place, np.stack([space.features(space.decode(tokens)) for tokens in sequences]))


def prepare(space: SearchSpace, sequences: Iterable[Tokens]) -> None:
    """Has proxies score sequences at once where there are workers for that, instead of one by one when it is needed.

    Args:
        space: What gives features.
        sequences: Complete ones.
    """
    if (together := getattr(space, "prepare", None)) is not None:
        together(space.decode(tokens) for tokens in sequences)


def takes_time(space: SearchSpace) -> bool:
    """Whether looking at an architecture takes time, because features contain scores of proxies or limits need its
    outline: such a space is never looked at as a whole.
    """
    limits = getattr(space, "limits", None)
    return "proxies" in getattr(space, "feature_groups", dict)() or (limits is not None and limits.takes_time)


def is_small(space: SearchSpace) -> bool:
    """Whether all architectures of a space can be looked at in every plan."""
    return space.size() <= ENUMERABLE and not takes_time(space)


class Promising:
    """Architectures to begin with: large and deep ones, those that proxies rate high, those that the user prefers.

    The first is the best by the sum of the logarithms of its ranks by size, depth and every proxy among the features.
    The others are drawn by rank, whose share is the square of a uniform number: half of them are in the best quarter.
    Where the user has a prior, every second one is drawn by it instead: neither hides what the other one is worth.

    Args:
        space: Any search space.
        whole: Whether all its architectures are looked at, or a sample.
        without: Groups of features that are not looked at.
    """

    def __init__(self, space: SearchSpace, whole: bool, without: Collection[str] = ()) -> None:
        names: tuple[str, ...] = getattr(space, "feature_names", tuple)()
        groups: dict[str, tuple[slice, str]] = getattr(space, "feature_groups", dict)()
        members = {name: set(range(len(names))[columns]) for name, (columns, _) in groups.items()}
        found = {column for column, name in enumerate(names) if _PROMISING.fullmatch(name)}
        found |= members.get("proxies", set())
        self._columns = sorted(found.difference(*(members.get(group, ()) for group in without)))
        self._space, self._whole = space, whole

    def known(self, prior: ChoicePrior) -> bool:
        """Whether anything is known: features, or a prior that is trusted."""
        return bool(self._columns) or prior.trusted

    def suggest(self, history: TrialHistory, rng: np.random.Generator) -> Tokens | None:
        """Suggests a new one of them; None where nothing is known or `TRIES` draws were known.

        Args:
            history: What was suggested, nothing at the first call.
            rng: Decides between equals, and draws.
        """
        if not self.known(history.prior):
            return None
        space: Any = self._space
        found = (
            every_architecture(space)
            if self._whole
            else some_architectures(space, FEW if takes_time(space) else SAMPLE)
        )
        if history.prior and (len(history) % 2 or not self._columns):
            values = np.asarray(history.prior.preference(found.sequences))
        else:
            values = rank_sum(found.features[:, self._columns])
        order = np.lexsort([rng.random(len(values)), -values])
        shares = [0.0] if not len(history) else rng.random(TRIES) ** 2
        for share in shares:
            tokens = found.sequences[order[int(share * len(order))]]
            key = history.key(tokens)
            if key not in history:
                return history.suggest(tokens, key)
        return None


class CandidatePool:
    """Sequences that plans met, with features and latest values; one per key.

    Args:
        space: Gives keys and features.
        history: Tells which sequences were suggested.
    """

    def __init__(self, space: SearchSpace, history: TrialHistory) -> None:
        self._space, self._history = space, history
        self._empty()

    def _empty(self) -> None:
        self._places: dict[str, int] = {}
        self._keys: list[str] = []
        self._sequences: list[Tokens] = []
        self._key_of: dict[Tokens, str] = {}
        self._features = np.zeros((0, 0), np.float32)
        self._values = np.zeros(0)

    def __len__(self) -> int:
        return len(self._sequences)

    def features_of(self, tokens: Tokens) -> np.ndarray:
        """The features of a sequence, remembered or not."""
        return self._space.features(self._space.decode(tokens))

    def is_new(self, tokens: Tokens) -> bool:
        """Whether a sequence was never suggested."""
        return self._key(tokens) not in self._history

    def add(self, sequences: Iterable[Tokens]) -> list[int]:
        """Takes sequences in, unless their key is there; returns their places."""
        places, sequences = [], list(sequences)
        prepare(self._space, (tokens for tokens in sequences if self._key(tokens) not in self._places))
        for tokens in sequences:
            key = self._key(tokens)
            place = self._places.get(key)
            if place is None:
                place = self._places[key] = len(self._sequences)
                self._keys.append(key)
                self._sequences.append(tokens)
                features = self.features_of(tokens)
                if place >= len(self._features):
                    room = np.zeros((max(2 * place, 512), len(features)), np.float32)
                    room[:place] = self._features[:place] if place else 0
                    self._features, self._values = (
                        room,
                        np.concatenate([self._values[:place], np.full(len(room) - place, -np.inf)]),
                    )
                self._features[place] = features
                self._values[place] = -np.inf
            places.append(place)
        return places

    def add_valued(self, sequences: list[Tokens], bounds: Bounds) -> np.ndarray:
        """Adds sequences and values those that are new to this plan; returns all their values.

        Args:
            sequences: `m` complete sequences.
            bounds: Values of sequences.
        """
        places = self.add(sequences)
        unvalued = sorted({place for place in places if self._values[place] == -np.inf})
        if unvalued:
            self._values[unvalued] = bounds([self._sequences[place] for place in unvalued], self._features[unvalued])
        return self._values[places]

    def value(self, bounds: Bounds) -> None:
        """Values everything anew."""
        count = len(self)
        self._values[:count] = bounds(self._sequences, self._features[:count])

    def value_of(self, tokens: Tokens) -> float:
        """The latest value of a remembered sequence."""
        return float(self._values[self._places[self._key(tokens)]])

    def median(self) -> float:
        """The median of all values."""
        return float(np.median(self._values[: len(self)]))

    def best(self, count: int, new: bool = False) -> list[Tokens]:
        """The sequences of the largest values, best first.

        Args:
            count: How many at most.
            new: Leave out what was suggested.
        """
        order = np.argsort(-self._values[: len(self)], kind="stable")
        found: list[Tokens] = []
        for place in order:
            if not new or self._keys[place] not in self._history:
                found.append(self._sequences[place])
                if len(found) == count:
                    break
        return found

    def best_new(self) -> Tokens | None:
        """The sequence of the largest value that was never suggested; None if there is none."""
        return next(iter(self.best(1, new=True)), None)

    def valued(self) -> tuple[list[Tokens], np.ndarray]:
        """All sequences and their latest values."""
        return list(self._sequences), self._values[: len(self)].copy()

    def climb(self, starts: int, bounds: Bounds) -> None:
        """From the best new sequences along single changes, as long as one is better.

        Args:
            starts: How many sequences to climb from.
            bounds: Values of sequences.
        """
        space = self._space
        for start in self.best(starts, new=True):
            tokens, value = start, self.value_of(start)
            while True:
                sequences = [space.encode(other) for other in space.neighbours(space.decode(tokens))]
                if not sequences:
                    break
                values = self.add_valued(sequences, bounds)
                new = [bound if self.is_new(sequence) else -np.inf for bound, sequence in zip(values, sequences)]
                best = int(np.argmax(new))
                if values[best] <= value or not self.is_new(sequences[best]):
                    break
                tokens, value = sequences[best], values[best]

    def forget(self, count: int) -> None:
        """Keeps the `count` best sequences."""
        if len(self) > 2 * count:
            kept = np.sort(np.argsort(-self._values[: len(self)], kind="stable")[:count])
            self._features[: len(kept)], self._values[: len(kept)] = self._features[kept], self._values[kept]
            self._sequences, self._keys = (
                [self._sequences[place] for place in kept],
                [self._keys[place] for place in kept],
            )
            self._places = {key: place for place, key in enumerate(self._keys)}
            self._key_of = {}

    def state(self) -> list[list[int]]:
        """The sequences; features and keys follow from them, values from the next plan."""
        return [list(map(int, tokens)) for tokens in self._sequences]

    def restore(self, state: list[list[int]]) -> None:
        """Takes over a `state()`."""
        self._empty()
        self.add(tuple(tokens) for tokens in state)

    def _key(self, tokens: Tokens) -> str:
        key = self._key_of.get(tokens)
        if key is None:
            key = self._key_of[tokens] = self._history.key(tokens)
        return key

"""Chains as fixed-length vectors for surrogate models: choices, counts of values, and amounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alphaxenas.spaces.chains.chain import SKIPS, Chain, Value, format_value
from alphaxenas.spaces.features import columns_of


@dataclass(frozen=True)
class ChainFeatures:
    """How chains of one space become numbers.

    Attributes:
        names: What each entry means.
        groups: Entries that belong together, with their kind; see `contracts.SearchSpace.features`.
    """

    names: tuple[str, ...]
    groups: dict[str, tuple[slice, str]]
    _places: dict[str, int]
    _scales: dict[str, float]

    @classmethod
    def of(cls, layers: int, choices: Sequence[tuple[str, Sequence[Value]]], skips: bool) -> ChainFeatures:
        """The features of a space.

        Args:
            layers: How many.
            choices: (name, values) of every choice.
            skips: Whether there are skip connections.
        """
        words = [f"{name}={format_value(value)}" for name, values in choices for value in values]
        scales = {name: max(abs(float(value)) for value in values) for name, values in choices if _is_scale(values)}
        earlier = [f"{number}: {SKIPS} {source}" for number in range(layers) for source in range(number)]
        levels = [f"{number}: level of {name}" for number in range(layers) for name in scales]
        blocks = {
            "choices": ("one-hot", [f"{number}: {word}" for number in range(layers) for word in words]),
            "skips": ("one-hot", earlier if skips else []),
            "counts": ("numbers", [f"number of {word}" for word in words] + [f"number of {SKIPS}"] * skips),
            "levels": ("numbers", levels + [f"sum of {name}" for name in scales]),
        }
        names, groups = columns_of(blocks)
        return cls(names, groups, {name: place for place, name in enumerate(names)}, scales)

    def vector(self, chain: Chain) -> np.ndarray:
        """float32 `[len(names)]`: ones for what was chosen, counts, and amounts as shares of the largest."""
        vector, places = np.zeros(len(self.names), np.float32), self._places
        for number, layer in enumerate(chain.layers):
            for name, value in layer.pairs:
                word = f"{name}={format_value(value)}"
                vector[places[f"{number}: {word}"]] = 1
                vector[places[f"number of {word}"]] += 1
                if name in self._scales:
                    level = float(value) / self._scales[name]
                    vector[places[f"{number}: level of {name}"]] = level
                    vector[places[f"sum of {name}"]] += level
        for number, sources in enumerate(chain.skips):
            for source in sources:
                vector[places[f"{number}: {SKIPS} {source}"]] = 1
                vector[places[f"number of {SKIPS}"]] += 1
        return vector


def _is_scale(values: Sequence[Value]) -> bool:
    """Whether values are amounts: two different numbers or more."""
    return len(values) > 1 and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)

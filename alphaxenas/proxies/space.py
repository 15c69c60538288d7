"""A search space whose features end with the scores of proxies: whatever reads features uses proxies."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace
from alphaxenas.proxies.catalogue import PROXIES
from alphaxenas.proxies.scores import ProxyScores
from alphaxenas.seeds import stream

REFERENCE = 32
"""Random architectures whose scores tell how low the entry of a score is that is not finite."""


class SpaceWithProxies:
    """Another space with a feature for each proxy (`alphaxenas.contracts.SearchSpace`); all else is that space's.

    Args:
        space: Any search space.
        proxies: Scores of its architectures.

    Attributes:
        plain: The space as given.
        proxies: As given.
    """

    def __init__(self, space: SearchSpace, proxies: ProxyScores) -> None:
        self.plain = self._space = space
        self.proxies = proxies

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_space":
            raise AttributeError(name)
        return getattr(self._space, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpaceWithProxies) and (self._space, self.proxies.names) == (
            other._space,
            other.proxies.names,
        )

    def __hash__(self) -> int:
        return hash((self._space, self.proxies.names))

    def features(self, architecture: Any) -> np.ndarray:
        """The features of the space, then one for each proxy: `arcsinh` of its score.

        That is the logarithm of large scores of either sign. A score that is not finite has a lower entry than all that
        are finite: these are at least the lowest of `REFERENCE` random architectures, the same in every run, less their
        span, and that entry is lower by another span. It is not far away, because models look at the columns' variance.

        Returns:
            Float32 `[d + p]`.
        """
        floors, spans = self._floors
        scores = np.arcsinh(self.proxies.scores([architecture])[0])
        scores = np.where(np.isnan(scores), floors - spans, np.maximum(scores, floors))
        return np.concatenate([self._space.features(architecture), scores]).astype(np.float32)

    def prepare(self, architectures: Iterable[Any]) -> None:
        """Scores architectures whose features will be asked for, all at once where there are workers for that."""
        if self.proxies.elsewhere is not None:
            self.proxies.scores(list(architectures))

    def feature_names(self) -> tuple[str, ...]:
        """What each entry of `features` means; those of a space without names are numbered.

        A proxy's entry is not called like the proxy alone: spaces have entries such as `depth`, too.
        """
        names = getattr(self._space, "feature_names", None)
        own = range(len(self._space.features(self._example)))
        proxies = (f"proxy {name}" for name in self.proxies.names)
        return (*(names() if names else (f"feature {place}" for place in own)), *proxies)

    def feature_groups(self) -> dict[str, tuple[slice, str]]:
        """The groups of the space, or one group of numbers where it has none, and `"proxies"`."""
        own = len(self._space.features(self._example))
        groups = getattr(self._space, "feature_groups", None)
        return {
            **(groups() if groups else {"features": (slice(0, own), "numbers")}),
            "proxies": (slice(own, own + len(self.proxies.names)), "numbers"),
        }

    @cached_property
    def _example(self) -> Any:
        return self._space.sample(stream(0, "proxies", "example"))

    @cached_property
    def _floors(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest entry of a finite score by each proxy, and the span of usual ones; free proxies need no floor."""
        floors, spans = np.full(len(self.proxies.names), -np.inf), np.ones(len(self.proxies.names))
        costly = [place for place, name in enumerate(self.proxies.names) if PROXIES[name].cost != "free"]
        if costly:
            rng = stream(0, "proxies", "reference")
            scores = np.arcsinh(self.proxies.scores([self._space.sample(rng) for _ in range(REFERENCE)]))
            for place in costly:
                usual = scores[np.isfinite(scores[:, place]), place]
                spans[place] = np.ptp(usual) if len(usual) and np.ptp(usual) > 0 else 1.0
                floors[place] = (usual.min() if len(usual) else 0.0) - spans[place]
        return floors, spans

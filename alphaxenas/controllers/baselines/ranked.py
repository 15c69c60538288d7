"""An order known before the search: the controls that every search which learns has to beat.

Architectures are ranked without training any, and tried from the best on. `by` says by what:

- empty: the sum of ranks of the run's proxies, over a random sample: random search with the same proxies as the others.
- names joined by `+`, as in `depth+parameters`: the static order, by the first, equal ones by the second and so on. A
  name is one of a proxy of the space, else of a feature of the space.

A space of few architectures is ranked as a whole where that costs nothing. Otherwise a new sample follows when one is
used up. What the order learns from rewards: nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.history import PATIENCE, HistoryStrategy, complete_sequences
from alphaxenas.proxies.ranks import rank_sum
from alphaxenas.proxies.scores import ProxyScores
from alphaxenas.seeds import stream
from alphaxenas.suggestions import check_whole

WHOLE = 50_000
"""Largest space whose features are all looked at."""
FEATURES = {"parameters": "log parameters", "depth": "longest .* by convolution|depth"}
"""What the features of spaces call what proxies have other names for."""


class RankedSample(HistoryStrategy):
    """Tries architectures by falling rank (`alphaxenas.controllers.promotion.Strategy`).

    Args:
        space: Any search space; the order by proxies needs a `SpaceWithProxies`.
        seed: Of the sample, and of the order of equal architectures.
        by: What is ranked by, see above. A name that the space does not tell is equal for all, and the status line says
            so; without any the order is random.
        sample: Architectures ranked at a time, >= 1.

    Raises:
        ValueError: `sample` is out of range.
    """

    def __init__(self, space: SearchSpace, seed: int, *, by: str = "", sample: int = 256) -> None:
        check_whole("sample", sample)
        super().__init__(space, stream(seed, "ranked_sample"))
        self._sample = sample
        self._queue: list[Tokens] = []
        self._scores: ProxyScores | None = getattr(space, "proxies", None)
        self._names = tuple(filter(None, by.split("+")))
        self._proxies = self._scores.names if self._scores is not None else ()
        known: tuple[str, ...] = ()
        if set(self._names) - set(self._proxies):
            known = getattr(space, "feature_names", tuple)()
        self._columns = {name: _column(name, known) for name in self._names if name not in self._proxies}

    def suggest(self) -> Tokens | None:
        """The next of the order; None when every key has been suggested."""
        if not self._queue:
            self._queue = self._ranked()
        while self._queue:
            tokens = self._queue.pop()
            if self._history.start(tokens) is not None:
                return tokens
        return self._history.draw(self._rng)

    def status_line(self) -> str:
        """By what the space does not tell, if anything."""
        missing = [name for name, column in self._columns.items() if column is None]
        if not self._names and not self._proxies:
            return "random order: the space has no proxies"
        return f"the space does not tell {', '.join(missing)}: equal for all" if missing else ""

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return super().state() | {"queue": [list(map(int, tokens)) for tokens in self._queue]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        super().restore(state)
        self._queue = [tuple(tokens) for tokens in state["queue"]]

    def _ranked(self) -> list[Tokens]:
        """A new sample, the best last."""
        free = bool(self._names) and not set(self._names) & set(self._proxies)
        if self._space.size() <= (WHOLE if free else self._sample):
            sequences = list(complete_sequences(self._space))
        else:
            sequences = self._drawn()
        if not sequences:
            return []
        values = self._values([self._space.decode(tokens) for tokens in sequences])
        noise = self._rng.random(len(sequences))
        return [sequences[place] for place in np.lexsort([noise, *values.T[::-1]])]

    def _drawn(self) -> list[Tokens]:
        """A sample without equal keys or what was suggested, by the user's prior where there is one; fewer where
        nothing new is met for long.
        """
        found: dict[str, Tokens] = {}
        vain = 0
        while len(found) < self._sample and vain < PATIENCE:
            prior, space = self._history.prior, self._space
            tokens = prior.draw(self._rng) if prior else space.encode(space.sample(self._rng))
            key = self._history.key(tokens)
            vain = vain + 1 if key in found or key in self._history else 0
            if not vain:
                found[key] = tokens
        return list(found.values())

    def _values(self, architectures: list[Any]) -> np.ndarray:
        """What is ranked by, larger is better, the most important first: `[n, k]`."""
        scores = np.zeros((len(architectures), 0))
        if self._scores is not None and (not self._names or set(self._names) & set(self._proxies)):
            scores = self._scores.scores(architectures)
        if not self._names:
            return rank_sum(scores)[:, None]
        features = None
        if any(column is not None for column in self._columns.values()):
            features = np.stack([self._space.features(architecture) for architecture in architectures])
        values = np.zeros((len(architectures), len(self._names)))
        for place, name in enumerate(self._names):
            if name in self._proxies:
                values[:, place] = np.nan_to_num(scores[:, self._proxies.index(name)], nan=-np.inf)
            elif features is not None and (column := self._columns[name]) is not None:
                values[:, place] = features[:, column]
        return values


def _column(name: str, features: tuple[str, ...]) -> int | None:
    """The place of a feature that a name means."""
    pattern = FEATURES.get(name, re.escape(name))
    return next((place for place, feature in enumerate(features) if re.fullmatch(pattern, feature)), None)

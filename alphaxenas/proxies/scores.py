"""Scores of architectures by several proxies: each computed once, with its cost in seconds.

This is what searches use. A controller gets it in one of two ways, and needs no other:

- As features: the space that it is given is a `SpaceWithProxies`, whose `features` end with a column for each proxy
  (`feature_groups()["proxies"]`), and which has the scores as its attribute `proxies`.
- As an order: `space.proxies.scores(architectures)` is an array `[n, p]`, `rank_sum` makes one number of a row.

`getattr(space, "proxies", None)` is None where no proxies are configured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from alphaxenas.proxies.catalogue import PROXIES, check_defined, check_names, undefined
from alphaxenas.proxies.network import InitialNetwork


class ProxyScores:
    """Scores by key, kept for the whole search and in its checkpoints.

    Args:
        names: Keys of `PROXIES`, each once.
        key: Of an architecture, such as `space.key`; architectures of equal keys have the scores of the first of them.
        network_of: The initial network of an architecture.
        clock: Seconds since whenever, for the cost.

    Attributes:
        names: As given.
        elsewhere: Scores several architectures at once, on workers: rows, and seconds by proxy; None: here, in turn.

    Raises:
        ValueError: There is no such proxy; names the nearest.
    """

    def __init__(
        self,
        names: Sequence[str],
        key: Callable[[Any], str],
        network_of: Callable[[Any], InitialNetwork],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        check_names(names)
        self.names = tuple(names)
        self._key, self._network_of, self._clock = key, network_of, clock
        self._known: dict[str, np.ndarray] = {}
        self._seconds = dict.fromkeys(self.names, 0.0)
        self._taken = 0.0
        self.elsewhere: Callable[[list[Any]], tuple[np.ndarray, dict[str, float]]] | None = None

    def check(self, architecture: Any) -> None:
        """Refuses, before any work, proxies that cannot score such an architecture's network.

        Raises:
            ValueError: Names the proxy and the layer that it cannot score.
        """
        network = self._network_of(architecture)
        check_defined(self.names, network.outline, f"the network of the {type(architecture).__name__} {architecture}")

    def scores(self, architectures: Sequence[Any]) -> np.ndarray:
        """Scores, computed for the architectures that are new.

        Args:
            architectures: `n` architectures of one space.

        Returns:
            Float64 `[n, p]` in the order of `names`, larger is better; NaN where a score is not finite or not defined,
            which `ranks` and `rank_sum` count as the worst.
        """
        keys = [self._key(architecture) for architecture in architectures]
        new = {key: one for key, one in reversed(list(zip(keys, architectures))) if key not in self._known}
        fresh = [key for key in dict.fromkeys(keys) if key in new]
        if self.elsewhere is not None and len(fresh) > 1:
            rows, seconds = self.elsewhere([new[key] for key in fresh])
            self._known |= zip(fresh, rows)
            for name, spent in seconds.items():
                self._seconds[name] += spent
        else:
            self._known |= {key: self._computed(new[key]) for key in fresh}
        return np.stack([self._known[key] for key in keys]) if keys else np.zeros((0, len(self.names)))

    def known(self, key: str) -> dict[str, float]:
        """The finite scores of an architecture by proxy, to six digits; empty where it was not scored."""
        row = self._known.get(key, ())
        return {name: float(f"{score:.6g}") for name, score in zip(self.names, row) if np.isfinite(score)}

    def not_finite(self, key: str) -> dict[str, list[str]]:
        """For its record, the proxies that have no finite score of an architecture, as `not_finite`; empty for none."""
        names = [name for name, score in zip(self.names, self._known.get(key, ())) if not np.isfinite(score)]
        return {"not_finite": names} if names else {}

    def seconds(self) -> dict[str, float]:
        """Seconds that every proxy took so far, those of earlier processes of the run included."""
        return dict(self._seconds)

    def take_seconds(self) -> float:
        """Seconds since the last call: what the records add to the trial that the scores led to."""
        total = sum(self._seconds.values())
        taken, self._taken = total - self._taken, total
        return taken

    def summary(self) -> dict[str, Any]:
        """For the results of a search: architectures scored, and for every proxy seconds and scores not finite."""
        missing = {
            name: sum(bool(np.isnan(row[place])) for row in self._known.values())
            for place, name in enumerate(self.names)
        }
        seconds = {name: round(spent, 3) for name, spent in self._seconds.items()}
        return {"scored": len(self._known), "seconds": seconds, "not_finite": missing}

    def state(self) -> dict[str, Any]:
        """All scores and seconds, as arrays and JSON values."""
        scores = np.stack(list(self._known.values())) if self._known else np.zeros((0, len(self.names)))
        return {"names": list(self.names), "keys": list(self._known), "scores": scores, "seconds": self.seconds()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`.

        Raises:
            ValueError: It is that of other proxies.
        """
        if tuple(state["names"]) != self.names:
            raise ValueError(
                f"The stored scores are of other proxies. Expected {', '.join(self.names)}. "
                f"Received: {', '.join(state['names'])}"
            )
        self._known = dict(zip(state["keys"], np.asarray(state["scores"], np.float64)))
        self._seconds = {name: float(seconds) for name, seconds in state["seconds"].items()}
        self._taken = sum(self._seconds.values())

    def _computed(self, architecture: Any) -> np.ndarray:
        row = np.full(len(self.names), np.nan)
        begin = self._clock()
        network = self._network_of(architecture)
        for place, name in enumerate(self.names):
            score = np.nan if undefined(name, network.outline) else PROXIES[name](network)
            row[place] = score if np.isfinite(score) else np.nan
            # What the network costs to describe is charged to the first proxy.
            self._seconds[name] += self._clock() - begin
            begin = self._clock()
        return row

"""What a user wants of architectures and knows about them, as a property of the space that is searched.

    UserSpace(space, limits=Limits({"parameters": 1e6}, costs), weights={"sep3x3": 4.0}, starts={"darts_v2": cell})

Everything that searches reads it from the space, through `TrialHistory` and `ChoicePrior`, and needs no code of its
own:

- `allows(architecture)`: whether it holds the limits. What does not is never suggested, and never trained.
- `token_weights`: how likely a user thinks each word of the vocabulary to be right, before anything was measured. A
  `StateSpace` has it from `.add(..., prior=[...])`.
- `starts`: architectures to be evaluated first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.seeds import stream
from alphaxenas.spaces.checks import check_name
from alphaxenas.suggestions import invalid

TRIES = 20
"""Draws that may break the limits before the space is walked through instead."""
WALK = 20
"""Steps of such a walk, from the last architecture that was met."""
LOOKED_AT = 200
"""Architectures that are drawn to see whether any holds the limits."""

Costs = Callable[[Any], Mapping[str, float]]
"""Costs of an architecture by name, remembered by whoever computes them; empty where they are not known."""


class Limits:
    """The most that an architecture may cost.

    Args:
        maxima: By the name of the cost; each above 0.
        costs: Of an architecture.
        names: What messages call the limits, by the name of the cost; by default `max_` and the name.
        takes_time: Whether `costs` computes something, so that nobody asks for those of a whole space.

    Raises:
        ValueError: A limit is not above 0.
    """

    def __init__(
        self,
        maxima: Mapping[str, float],
        costs: Costs,
        names: Mapping[str, str] | None = None,
        takes_time: bool = False,
    ) -> None:
        self.maxima, self.costs, self.takes_time = dict(maxima), costs, takes_time
        self.names = {name: (names or {}).get(name, f"max_{name}") for name in self.maxima}
        for name, most in self.maxima.items():
            if not most > 0:
                raise invalid(self.names[name], "a number above 0", most)

    def excess(self, architecture: Any) -> dict[str, float]:
        """Cost / limit of every limit whose cost is known: above 1 where it is broken."""
        costs = self.costs(architecture)
        return {name: costs[name] / most for name, most in self.maxima.items() if name in costs}

    def broken(self, architecture: Any) -> str:
        """Which limit an architecture breaks, in words; empty where it holds them all."""
        for name, share in self.excess(architecture).items():
            if share > 1.0:
                most = self.maxima[name]
                return f"{name} {share * most:.6g} is more than `{self.names[name]}` {most:.6g}"
        return ""


class UserSpace:
    """Another space with what its user wants and knows (`alphaxenas.contracts.SearchSpace`); all else is that space's.

    Args:
        space: Any search space.
        limits: What architectures may cost; None for anything.
        weights: Weight, above 0, by word of the vocabulary; 1 for the words left out.
        starts: Architectures of the space by what they are called.

    Attributes:
        limits: As given.
        starts: Names of the starting architectures by their tokens.
        token_weights: By token, float64 `[V]`; None where nothing is preferred.

    Raises:
        ValueError: A word or an architecture is not of the space, a weight is not above 0, or a starting architecture
            breaks a limit.
    """

    def __init__(
        self,
        space: SearchSpace,
        limits: Limits | None = None,
        weights: Mapping[str, float] | None = None,
        starts: Mapping[str, Any] | None = None,
    ) -> None:
        self._space, self.limits = space, limits
        self.token_weights: np.ndarray | None = getattr(space, "token_weights", None)
        if weights:
            words = list(space.vocabulary)
            self.token_weights = np.ones(len(words)) if self.token_weights is None else self.token_weights.copy()
            for word, weight in weights.items():
                place = words.index(check_name("favoured", word, words))
                if not (np.isfinite(weight) and weight > 0):
                    raise invalid("favoured", "weights above 0", weight, f"of {word}")
                self.token_weights[place] *= weight
        self.starts: dict[Tokens, str] = {}
        for name, architecture in (starts or {}).items():
            try:
                tokens = space.encode(architecture)
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                reason = error if isinstance(error, ValueError) else f"this is a {type(architecture).__name__}"
                raise invalid("start_from", f"architectures of the space ({reason})", name) from None
            if reason := "" if limits is None else limits.broken(architecture):
                raise invalid("start_from", "architectures that hold the limits", f"{name}, whose {reason}")
            self.starts[tokens] = name
        self._anchor: Any = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_space":
            raise AttributeError(name)
        return getattr(self._space, name)

    def _identity(self) -> tuple:
        weights = None if self.token_weights is None else tuple(self.token_weights.tolist())
        limits = () if self.limits is None else tuple(sorted(self.limits.maxima.items()))
        return self._space, limits, weights, tuple(self.starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UserSpace) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def allows(self, architecture: Any) -> bool:
        """Whether an architecture holds the limits, as far as its costs are known."""
        return self.limits is None or not self.limits.broken(architecture)

    def sample(self, rng: np.random.Generator) -> Any:
        """An architecture that holds the limits: drawn uniformly, or where such ones are rare met on a walk."""
        for _ in range(TRIES):
            architecture = self._space.sample(rng)
            if self.allows(architecture):
                return architecture
        if self._anchor is None:
            self.check_limits()
        architecture = self._anchor
        for _ in range(WALK):
            others = self._space.neighbours(architecture)
            other = others[int(rng.random() * len(others))] if others else architecture
            architecture = other if self.allows(other) else architecture
        return architecture

    def check_limits(self) -> None:
        """Refuses limits that nothing holds, as far as drawing and then going to ever cheaper neighbours tells.

        Raises:
            ValueError: Names the limit and the least that was found.
        """
        if self.limits is None:
            return
        rng, best, least = stream(0, "limits"), None, np.inf
        for _ in range(LOOKED_AT):
            architecture = self._space.sample(rng)
            most = max(self.limits.excess(architecture).values(), default=0.0)
            if most < least:
                best, least = architecture, most
            if least <= 1.0:
                break
        improved = True
        while least > 1.0 and improved:
            improved = False
            for other in self._space.neighbours(best):
                most = max(self.limits.excess(other).values(), default=0.0)
                if most < least:
                    best, least, improved = other, most, True
        if least > 1.0:
            name = max(self.limits.excess(best).items(), key=lambda pair: pair[1])[0]
            most = self.limits.maxima[name]
            raise invalid(
                self.limits.names[name],
                f"at least {least * most:.6g}, the {name} of the smallest architecture that was found ({best})",
                f"{most:.6g}, which no architecture holds",
            )
        self._anchor = best

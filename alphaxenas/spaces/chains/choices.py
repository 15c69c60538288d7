"""What a declared space is declared with: named choices, and rules about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alphaxenas.spaces.chains.chain import Layer, Value, format_value
from alphaxenas.suggestions import invalid

SCOPES = ("layer", "pair", "prefix")
"""What a constraint looks at: one layer, a layer and the one before it, or all layers so far."""
FORBIDDEN = ",;=+\n"
"""Marks that separate choices, layers and values in texts."""


@dataclass(frozen=True)
class Choice:
    """One named choice.

    Attributes:
        name: How it is called.
        values: What may be chosen; at least one, all different.
        when: (name of an earlier choice, values): the choice exists only in layers where each of these has one of its
            values.
        prior: How likely each value is thought to be right before anything is measured, a weight above 0 for each;
            empty where nothing is known.
    """

    name: str
    values: tuple[Value, ...]
    when: tuple[tuple[str, tuple[Value, ...]], ...] = ()
    prior: tuple[float, ...] = ()

    def exists(self, layer: Mapping[str, Value]) -> bool:
        """Whether the choice has to be made, given the earlier choices of the layer."""
        return all(name in layer and layer[name] in values for name, values in self.when)


@dataclass(frozen=True)
class Rule:
    """A constraint on one choice; see `StateSpace.constrain`."""

    name: str
    allows: Callable[..., bool]
    over: str = "layer"

    def holds(self, layers: tuple[Layer, ...]) -> bool:
        """Whether the last of `layers` is allowed after the others."""
        if self.over == "layer":
            return bool(self.allows(layers[-1]))
        if self.over == "pair":
            return len(layers) < 2 or bool(self.allows(*layers[-2:]))
        return bool(self.allows(layers))


def checked_prior(prior: Sequence[float] | None, count: int, place: str) -> tuple[float, ...]:
    """Returns weights as plain numbers: one above 0 for each of `count` values, or none at all.

    Args:
        prior: The weights received.
        count: How many values there are.
        place: What they are weights of, for the message.

    Raises:
        ValueError: Says what is wrong.
    """
    weights = () if prior is None else tuple(prior)
    numbers = all(isinstance(one, (int, float, np.number)) and np.isfinite(one) and one > 0 for one in weights)
    if prior is not None and (len(weights) != count or not numbers):
        raise invalid("prior", f"{count} weights above 0, one for each value", repr(prior), f"of {place}")
    return tuple(map(float, weights))


def is_word(text: str) -> bool:
    """Whether a text can stand for a name or a value in the text forms of chains."""
    return text != "" and text == text.strip() and not any(mark in text for mark in FORBIDDEN)


def checked_values(values: Sequence[Value], place: str) -> tuple[Value, ...]:
    """Returns values as plain Python values: at least one, none twice, each with a text of its own.

    Args:
        values: The values received.
        place: What they are values of, for the message.

    Raises:
        ValueError: Names what is wrong and what is allowed.
    """
    if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__iter__"):
        raise ValueError(f"Invalid value for {place}. Expected a list of values. Received: {values!r}")
    plain = tuple(value.item() if isinstance(value, np.generic) else value for value in values)
    if not plain:
        raise ValueError(f"Invalid value for {place}. Expected at least one value. Received: none")
    seen: dict[str, Value] = {}
    for value in plain:
        is_number = isinstance(value, (bool, int, float)) and np.isfinite(value)
        if not is_number and not (isinstance(value, str) and is_word(value)):
            raise ValueError(
                f"Invalid value for {place}. Expected numbers, truth values or texts without any of {FORBIDDEN!r}. "
                f"Received: {value!r}"
            )
        if format_value(value) in seen or value in seen.values():
            raise ValueError(
                f"Invalid value for {place}. Expected every value once. Received: {value!r} more than once"
            )
        seen[format_value(value)] = value
    return plain

"""Which tokens may follow which in a declared space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alphaxenas.spaces.chains.automaton import SequenceAutomaton, TooManyStatesError
from alphaxenas.spaces.chains.chain import SKIPS, Layer, format_value
from alphaxenas.spaces.chains.choices import SCOPES, Choice, Rule

State = tuple[int, int, Any, Any]
"""(layer, place in it, earlier layers, choices of this layer), the last two as far as they matter for what follows."""


@dataclass(frozen=True)
class Transitions:
    """The transitions of a declared space's automaton.

    Attributes:
        layers: How many.
        choices: Made in every layer.
        rules: Constraints on the choices.
        skips: Whether every layer chooses which of the earlier layers feed it.
        tokens: For every choice, and for `skips`, the token of every value's text.
    """

    layers: int
    choices: tuple[Choice, ...]
    rules: tuple[Rule, ...]
    skips: bool
    tokens: Mapping[str, Mapping[str, int]]

    def automaton(self) -> SequenceAutomaton:
        """All token sequences of the space.

        Raises:
            ValueError: Constraints leave nothing legal, or look at too much; names the choice.
        """
        scope = max((SCOPES.index(rule.over) for rule in self.rules), default=-1)
        try:
            graph = SequenceAutomaton((0, 0, (), ()), lambda state: self._following(state, scope))
        except TooManyStatesError as error:
            names = sorted({rule.name for rule in self.rules})
            raise ValueError(
                f"Invalid constraint on {' and '.join(map(repr, names))}: {error}. "
                "Let it look at less, with over='pair' or over='layer'."
            ) from None
        if not graph.size:
            layer, place, _, chosen = max(graph.blocked, key=lambda state: state[:2])
            left = [choice.name for choice in self.choices[place:] if choice.exists(dict(chosen))]
            layer, name = (layer, left[0]) if left else (layer + 1, self.choices[0].name)
            raise ValueError(f"Invalid constraint: nothing is left legal for the choice {name!r} in layer {layer}.")
        return graph

    def _following(self, state: State, scope: int) -> dict[int, State] | None:
        """The legal tokens of a state and the states after them; None where the sequence is complete."""
        layer, place, before, chosen = state
        while layer < self.layers:
            while place < len(self.choices):
                choice, place = self.choices[place], place + 1
                if choice.exists(dict(chosen)):
                    first = self.tokens[choice.name][format_value(choice.values[0])]
                    following: dict[int, State] = {}
                    for rank, value in enumerate(choice.values):
                        now = (*chosen, (choice.name, value))
                        if self._allowed(choice.name, before, now):
                            following[first + rank] = (layer, place, before, self._remembered(now, place, scope))
                    return following
            if self.skips and place < len(self.choices) + layer:
                same = layer, place + 1, before, chosen
                return {self.tokens[SKIPS]["no"]: same, self.tokens[SKIPS]["yes"]: same}
            before = {"layer": (), "pair": (chosen,), "prefix": (*before, chosen)}[SCOPES[max(scope, 0)]]
            layer, place, chosen = layer + 1, 0, ()
        return None

    def _remembered(self, chosen: tuple, place: int, scope: int) -> tuple:
        """Of a layer's choices those that later ones or constraints may ask for."""
        if scope > 0 or (scope == 0 and place < len(self.choices)):
            return chosen
        asked = {name for choice in self.choices[place:] for name, _ in choice.when}
        return tuple(pair for pair in chosen if pair[0] in asked)

    def _allowed(self, name: str, before: tuple, chosen: tuple) -> bool:
        rules = [rule for rule in self.rules if rule.name == name]
        if not rules:
            return True
        layers = tuple(map(Layer, (*before, chosen)))
        return all(rule.holds(layers) for rule in rules)

"""Spaces that a user declares: named choices, repeated for every layer, in a few lines.

    space = (
        StateSpace(layers=4)
        .add("kernel", [1, 3], prior=[1, 4])
        .add("filters", [16, 32, 64])
        .add("rate", [0.1, 0.3], when={"filters": [32, 64]})
        .constrain("filters", lambda before, layer: layer["filters"] >= before["filters"], over="pair")
    )

The token sequence goes through the layers. Each layer has one token for every choice, in the order of the declaration
(a conditional choice only where its condition holds), and then, with `skips=True`, one token for every earlier layer:
whether it feeds this one. A space is a value that cannot be changed: `add` and `constrain` return a new one.

A prior on the values of a choice is what every controller begins with and forgets as architectures are rated, see
`alphaxenas.controllers.choice_prior`.

Source: StateSpace of titu1994/neural-architecture-search for choices repeated per layer; Zoph & Le 2016, "Neural
architecture search with reinforcement learning", section 3.3, for skip connections by anchor points. Departures:
conditional choices and constraints, which the original lacks; prefixes that a constraint leaves without a complete
sequence are not legal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.spaces.chains.automaton import SequenceAutomaton
from alphaxenas.spaces.chains.chain import SKIPS, Chain, Layer, Value, format_value, read_chain
from alphaxenas.spaces.chains.choices import FORBIDDEN, SCOPES, Choice, Rule, checked_prior, checked_values, is_word
from alphaxenas.spaces.chains.features import ChainFeatures
from alphaxenas.spaces.chains.transitions import Transitions
from alphaxenas.spaces.checks import check_name, set_fields
from alphaxenas.suggestions import check_whole, invalid


@dataclass(frozen=True)
class StateSpace:
    """A declared space (`alphaxenas.contracts.SearchSpace`).

    Attributes:
        layers: How many, >= 1.
        choices: Made in every layer, in this order; see `add`.
        rules: See `constrain`.
        skips: Whether every layer chooses which of the earlier layers feed it. Without, each feeds the next.
        vocabulary: `name=value` for every choice, then `skips=no` and `skips=yes`.
        max_length: Of the longest token sequence.
        token_weights: The weights of the priors by token, `[V]`; None where no choice has a prior.

    Raises:
        ValueError: A choice is empty, holds a value twice or has a name that is taken; `layers` is below 1; or
            constraints leave nothing legal. Names the choice.

    Example:
        >>> space = StateSpace(layers=2).add("kernel", [1, 3]).add("filters", [16, 32, 64])
        >>> space.size(), space.legal_actions((1,))
        (36, (2, 3, 4))
        >>> str(space.decode((0, 2, 1, 4)))
        'kernel=1, filters=16; kernel=3, filters=64'
    """

    layers: int
    choices: tuple[Choice, ...] = ()
    rules: tuple[Rule, ...] = ()
    skips: bool = False
    vocabulary: tuple[str, ...] = field(init=False, repr=False, compare=False)
    max_length: int = field(init=False, repr=False, compare=False)
    token_weights: np.ndarray | None = field(init=False, repr=False, compare=False)
    _tokens: dict[str, dict[str, int]] = field(init=False, repr=False, compare=False)
    _graph: SequenceAutomaton = field(init=False, repr=False, compare=False)
    _features: ChainFeatures = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_whole("layers", self.layers)
        vocabulary: list[str] = []
        tokens: dict[str, dict[str, int]] = {}
        for choice in self.choices:
            tokens[choice.name] = {
                format_value(value): len(vocabulary) + rank for rank, value in enumerate(choice.values)
            }
            vocabulary += [f"{choice.name}={format_value(value)}" for value in choice.values]
        if self.skips:
            tokens[SKIPS] = {answer: len(vocabulary) + rank for rank, answer in enumerate(("no", "yes"))}
            vocabulary += [f"{SKIPS}={answer}" for answer in tokens[SKIPS]]
        graph = Transitions(self.layers, tuple(self.choices), tuple(self.rules), self.skips, tokens).automaton()
        declared = [(choice.name, choice.values) for choice in self.choices]
        set_fields(
            self,
            choices=tuple(self.choices),
            rules=tuple(self.rules),
            vocabulary=tuple(vocabulary),
            max_length=graph.longest if self.choices else 0,
            token_weights=self._weights(len(vocabulary), tokens),
            _tokens=tokens,
            _graph=graph,
            _features=ChainFeatures.of(self.layers, declared, self.skips),
        )

    def _weights(self, count: int, tokens: Mapping[str, Mapping[str, int]]) -> np.ndarray | None:
        if not any(choice.prior for choice in self.choices):
            return None
        weights = np.ones(count)
        for choice in self.choices:
            for value, weight in zip(choice.values, choice.prior):
                weights[tokens[choice.name][format_value(value)]] = weight
        return weights

    def add(
        self,
        name: str,
        values: Sequence[Value],
        when: Mapping[str, Any] | None = None,
        prior: Sequence[float] | None = None,
    ) -> StateSpace:
        """This space with a further choice in every layer.

        Args:
            name: A new name.
            values: What may be chosen: numbers, texts or truth values, all different.
            when: Earlier choices of the layer and the value, or list of values, that each must have for this choice to
                exist.
            prior: For every value a weight above 0, how likely it is thought to be right; None: all are alike.

        Raises:
            ValueError: See the class.
        """
        place = f"choice {name!r}"
        if not isinstance(name, str) or not is_word(name) or name == SKIPS:
            raise invalid("name", f"a word without any of {FORBIDDEN!r} that is not {SKIPS!r}", repr(name))
        if name in (choice.name for choice in self.choices):
            raise invalid("name", "every choice once", f"{name!r} a second time")
        values = checked_values(values, f"`values` of {place}")
        conditions = []
        for other, wanted in (when or {}).items():
            earlier = {choice.name: choice for choice in self.choices}
            check_name("when", other, earlier or ("a choice that was added before",), place)
            wanted = checked_values(wanted if isinstance(wanted, (list, tuple)) else [wanted], f"`when` of {place}")
            known = {format_value(value): value for value in earlier[other].values}
            texts = [check_name(f"when of {other}", format_value(value), known, place) for value in wanted]
            conditions.append((other, tuple(known[text] for text in texts)))
        weights = checked_prior(prior, len(values), place)
        return replace(self, choices=(*self.choices, Choice(name, values, tuple(conditions), weights)))

    def constrain(self, name: str, allows: Callable[..., bool], over: str = "layer") -> StateSpace:
        """This space without the token sequences in which the choice `name` breaks a rule.

        The rule is asked whenever the choice has been made; it sees the choices of the layer up to this one. What leads
        into a dead end is not legal, however early.

        Args:
            name: The choice.
            allows: True for what is allowed. It is called with what `over` says and must depend on nothing else.
            over: `"layer"`: `allows(layer)`; `"pair"`: `allows(before, layer)`, from the second layer on; `"prefix"`:
                `allows(layers)`, all so far. A prefix rule tells every prefix apart, so it suits spaces of up to some
                100,000 sequences.

        Raises:
            ValueError: The choice is unknown, or nothing is left legal; names the choice.
        """
        check_name("name", name, [choice.name for choice in self.choices] or ("a choice that was added before",))
        check_name("over", over, SCOPES)
        return replace(self, rules=(*self.rules, Rule(name, allows, over)))

    def legal_actions(self, tokens: Tokens) -> Tokens:
        """Tokens that may follow the prefix `tokens`, ascending; empty when the sequence is complete."""
        return self._automaton.legal_actions(tokens)

    def decode(self, tokens: Tokens) -> Chain:
        """The architecture of a complete token sequence.

        Raises:
            ValueError: The sequence is not complete, or names the first illegal token and what would be legal there.
        """
        self._automaton.check(tokens)
        remaining, layers, skips = iter(tokens), [], []
        for number in range(self.layers):
            layer: dict[str, Value] = {}
            for choice in self.choices:
                if choice.exists(layer):
                    first = self._tokens[choice.name][format_value(choice.values[0])]
                    layer[choice.name] = choice.values[next(remaining) - first]
            layers.append(Layer(tuple(layer.items())))
            if self.skips:
                yes = self._tokens[SKIPS]["yes"]
                skips.append(tuple(source for source in range(number) if next(remaining) == yes))
        return Chain(tuple(layers), tuple(skips))

    def encode(self, architecture: Chain) -> Tokens:
        """The tokens of an architecture; `decode(encode(a)) == a`.

        Raises:
            ValueError: It does not belong to this space; names layer and choice.
        """
        tokens = self._written_as_tokens(architecture)
        try:
            self._automaton.check(tokens)
        except ValueError as error:
            raise invalid("architecture", "one that the constraints allow", f"{architecture} ({error})") from None
        return tokens

    def key(self, architecture: Chain) -> str:
        """The text form: different choices are taken for different functions."""
        return str(architecture)

    def size(self) -> int:
        """Exact number of token sequences."""
        return self._automaton.size

    def sample(self, rng: np.random.Generator) -> Chain:
        """An architecture drawn uniformly over token sequences, constraints and conditions included."""
        return self.decode(self._automaton.sample(rng))

    def neighbours(self, architecture: Chain) -> list[Chain]:
        """All that differ in one choice of one layer, or in one skip connection.

        Choices that exist only under the changed one disappear with it; those that come to exist take every value.
        """
        self.encode(architecture)
        found = []
        for number, layer in enumerate(architecture.layers):
            for choice in self.choices:
                before, after = architecture.layers[:number], architecture.layers[number + 1 :]
                for value in choice.values if choice.name in layer else ():
                    if value != layer[choice.name]:
                        changed = self._changed(layer, choice.name, value)
                        found += [Chain((*before, new, *after), architecture.skips) for new in changed]
            for source in range(number if self.skips else 0):
                skips = list(architecture.skips)
                skips[number] = tuple(sorted(set(skips[number]) ^ {source}))
                found.append(Chain(architecture.layers, tuple(skips)))
        return [other for other in found if self._is_legal(other)]

    def features(self, architecture: Chain) -> np.ndarray:
        """float32 of shape `[len(self.feature_names())]`; see `alphaxenas.spaces.chains.features`."""
        return self._features.vector(architecture)

    def feature_names(self) -> tuple[str, ...]:
        """What each entry of `features` means."""
        return self._features.names

    def feature_groups(self) -> dict[str, tuple[slice, str]]:
        """Which entries of `features` belong together."""
        return dict(self._features.groups)

    def parse(self, text: str) -> Chain:
        """An architecture of this space from its JSON or one-line text form.

        Raises:
            ValueError: Says in which layer what is wrong, what is allowed, and the nearest name.
        """
        entries = read_chain(text)
        if len(entries) != self.layers:
            raise invalid("architecture", f"{self.layers} layers", len(entries))
        layers, skips = [], []
        for number, entry in enumerate(entries):
            sources = entry.pop(SKIPS, None)
            if sources is not None and not (self.skips and isinstance(sources, list)):
                expected = "a list of earlier layers" if self.skips else "nothing: this space has no skip connections"
                raise invalid(SKIPS, expected, repr(sources), f"in layer {number}")
            allowed = [str(source) for source in range(number)] or ("nothing: no layer is earlier",)
            known = {int(check_name(SKIPS, str(source), allowed, f"layer {number}")) for source in sources or ()}
            skips.append(tuple(sorted(known)))
            for name in entry:
                check_name("choice", name, self._tokens.keys() - {SKIPS}, f"layer {number}")
            chosen = [choice for choice in self.choices if choice.name in entry]
            layers.append(Layer(tuple((one.name, self._read(one, entry[one.name], number)) for one in chosen)))
        architecture = Chain(tuple(layers), tuple(skips) if self.skips else ())
        self.encode(architecture)
        return architecture

    @property
    def _automaton(self) -> SequenceAutomaton:
        if not self.choices:
            raise invalid("choices", "at least one; add it with `add`", "none")
        return self._graph

    def _written_as_tokens(self, architecture: Chain) -> Tokens:
        if len(architecture.layers) != self.layers or bool(architecture.skips) != self.skips:
            kind = "with" if self.skips else "without"
            raise invalid("architecture", f"{self.layers} layers {kind} skip connections", architecture)
        tokens: list[int] = []
        for number, layer in enumerate(architecture.layers):
            expected = [choice.name for choice in self.choices if choice.exists(layer)]
            if list(layer) != expected:
                raise invalid("architecture", f"the choices {', '.join(expected)}", layer, f"in layer {number}")
            for name, value in layer.pairs:
                known = self._tokens[name]
                tokens.append(known[check_name(name, format_value(value), known, f"layer {number}")])
            if self.skips:
                fed = (source in architecture.skips[number] for source in range(number))
                tokens += [self._tokens[SKIPS]["yes" if feeds else "no"] for feeds in fed]
        return tuple(tokens)

    def _is_legal(self, architecture: Chain) -> bool:
        try:
            return not self._automaton.legal_actions(self._written_as_tokens(architecture))
        except ValueError:
            return False

    def _changed(self, layer: Layer, name: str, value: Value) -> list[Layer]:
        """The layer with another value of one choice."""
        partial: list[tuple] = [()]
        for choice in self.choices:
            kept = (layer[choice.name],) if choice.name in layer else choice.values
            values = (value,) if choice.name == name else kept
            grown = []
            for pairs in partial:
                grown += [(*pairs, (choice.name, new)) for new in values] if choice.exists(dict(pairs)) else [pairs]
            partial = grown
        return list(map(Layer, partial))

    @staticmethod
    def _read(choice: Choice, value: Any, number: int) -> Value:
        known = {format_value(each): each for each in choice.values}
        return known[check_name(choice.name, format_value(value), known, f"layer {number}")]

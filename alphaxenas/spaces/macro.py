"""The macro space of ENAS: a chain of layers, each with an operation and a skip connection from any earlier output.

Layer l reads the output of the layer before it (layer 0 reads the stem). Sources of skip connections are the stem and
all layers before that one. The token sequence has, for each layer in turn, one token for the operation and one for
every source, which is also the order of the integers that ENAS prints: `0 1 0 4 1 1` are the three layers below.

Text, one line, the sources in brackets:

    conv3x3; sep3x3; avgpool3x3(stem,l0)

JSON, one line per layer: `{"layers": [{"operation": "conv3x3", "skips": []}, ...]}`.

Source: Pham et al. 2018, section 2.3, "Designing convolutional networks"; the meaning of the integers is that of the
published code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.spaces.checks import (
    NUMBERS,
    check_code,
    check_name,
    check_object,
    read_fields,
    read_integers,
    write_lines,
)
from alphaxenas.spaces.features import CHANNELS, DEPTH, SIZE, as_features, groups_of, operation_cost
from alphaxenas.spaces.fixed_length import FixedLengthSpace
from alphaxenas.suggestions import check_whole, invalid

MACRO_OPERATIONS = ("conv3x3", "sep3x3", "conv5x5", "sep5x5", "avgpool3x3", "maxpool3x3")
"""In the order of ENAS's codes 0..5."""
SKIPS = ("no skip", "skip")
_EXAMPLE = "conv3x3; sep3x3; avgpool3x3(stem,l0)"


def source_name(index: int) -> str:
    """0 is `stem`, 1+l is `ll`, the output of layer l."""
    return "stem" if index == 0 else f"l{index - 1}"


@dataclass(frozen=True)
class MacroLayer:
    """One layer.

    Attributes:
        operation: One of `MACRO_OPERATIONS`.
        skips: Sources of its skip connections, ascending: 0 = stem, 1+j = layer j.
    """

    operation: str
    skips: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.operation + (f"({','.join(map(source_name, self.skips))})" if self.skips else "")


@dataclass(frozen=True)
class MacroArchitecture:
    """A finished architecture of the macro space.

    Attributes:
        layers: At least one; layer l may skip from sources 0 to l-1 (source l is what it reads anyway).
    """

    layers: tuple[MacroLayer, ...]

    def __post_init__(self) -> None:
        layers = tuple(MacroLayer(layer.operation, tuple(sorted(layer.skips))) for layer in self.layers)
        object.__setattr__(self, "layers", layers)
        if not layers:
            raise invalid("layers", "at least one layer", "none")
        for number, layer in enumerate(layers):
            check_name("operation", layer.operation, MACRO_OPERATIONS, f"layer l{number}")
            if len(set(layer.skips)) < len(layer.skips) or not all(0 <= source < number for source in layer.skips):
                allowed = ", ".join(map(source_name, range(number))) or "none"
                received = ", ".join(map(source_name, layer.skips))
                raise invalid("skips", f"each at most once among: {allowed}", received, f"in layer l{number}")

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self) -> str:
        """One line; see the module text."""
        return "; ".join(map(str, self.layers))

    def to_json(self) -> str:
        """JSON text with a line per layer."""
        names = [(layer.operation, list(map(source_name, layer.skips))) for layer in self.layers]
        return write_lines(layers=[{"operation": operation, "skips": skips} for operation, skips in names])

    def to_integers(self) -> str:
        """As ENAS prints it: per layer the operation's code, then 0 or 1 for every source."""
        numbers: list[int] = []
        for number, layer in enumerate(self.layers):
            numbers.append(MACRO_OPERATIONS.index(layer.operation))
            numbers += (int(source in layer.skips) for source in range(number))
        return " ".join(map(str, numbers))

    @classmethod
    def from_integers(cls, text: str) -> MacroArchitecture:
        """The architecture that ENAS printed as `text`; brackets, commas and line breaks do not matter.

        Args:
            text: 1 + l integers for layer l: its operation's code, then 0 or 1 for every source.

        Raises:
            ValueError: Names the position and what is legal there.
        """
        lengths = {_length(layers): layers for layers in range(1, len(text) + 1)}
        numbers = read_integers(text, lengths, "1 + l for layer l: 1, 3, 6, ..., 78 for twelve layers")
        layers, found, start = lengths[len(numbers)], [], 0
        for layer in range(layers):
            code = check_code(numbers, start, f"operation of layer {layer}", range(len(MACRO_OPERATIONS)))
            for source in range(layer):
                check_code(numbers, start + 1 + source, f"skip from {source_name(source)} to layer {layer}", range(2))
            skips = tuple(source for source in range(layer) if numbers[start + 1 + source])
            found.append(MacroLayer(MACRO_OPERATIONS[code], skips))
            start += layer + 1
        return cls(tuple(found))

    @classmethod
    def parse(cls, text: str) -> MacroArchitecture:
        """The architecture of the one-line, the JSON or the integer form.

        Raises:
            ValueError: Says in which layer what is wrong, what is allowed, and the nearest name.
        """
        if text.lstrip().startswith("{"):
            return cls(tuple(_read_json(text)))
        if re.fullmatch(NUMBERS, text):
            return cls.from_integers(text)
        return cls(
            tuple(_read_layer(piece, number) for number, piece in enumerate(text.strip().removesuffix(";").split(";")))
        )


@dataclass(frozen=True)
class MacroSpace(FixedLengthSpace):
    """The rules for chains of a given number of layers (`alphaxenas.contracts.SearchSpace`).

    Attributes:
        layers: Layers, >= 1.
        vocabulary: The operations, then `no skip` and `skip`.
        max_length: Of every token sequence: layers + layers * (layers - 1) / 2.

    Example:
        >>> MacroSpace().size() == 6**12 * 2**66
        True
    """

    layers: int = 12

    def __post_init__(self) -> None:
        check_whole("layers", self.layers)
        first = len(MACRO_OPERATIONS)
        legal: list[Tokens] = []
        for layer in range(self.layers):
            legal += [tuple(range(first)), *[(first, first + 1)] * layer]
        self._define(legal, (*MACRO_OPERATIONS, *SKIPS))

    @property
    def operations(self) -> tuple[str, ...]:
        """What a layer may choose from."""
        return MACRO_OPERATIONS

    def _build(self, tokens: Tokens) -> MacroArchitecture:
        found, start = [], 0
        for layer in range(self.layers):
            chosen = tokens[start + 1 : start + 1 + layer]
            skips = tuple(source for source, token in enumerate(chosen) if token == len(MACRO_OPERATIONS) + 1)
            found.append(MacroLayer(MACRO_OPERATIONS[tokens[start]], skips))
            start += layer + 1
        return MacroArchitecture(tuple(found))

    def encode(self, architecture: MacroArchitecture) -> Tokens:
        """The tokens of an architecture; `decode(encode(a)) == a`. Raises ValueError for another number of layers."""
        self._check(architecture)
        first, tokens = len(MACRO_OPERATIONS), []
        for number, layer in enumerate(architecture.layers):
            tokens.append(MACRO_OPERATIONS.index(layer.operation))
            tokens += (first + (source in layer.skips) for source in range(number))
        return tuple(tokens)

    def key(self, architecture: MacroArchitecture) -> str:
        """The one-line text: no two architectures of this space are the same graph."""
        return architecture.to_text()

    def features(self, architecture: MacroArchitecture) -> np.ndarray:
        """float32: one-hot operations layer by layer, every skip decision, counts, then size and depth; see
        `feature_groups` and `alphaxenas.spaces.features`.
        """
        self._check(architecture)
        kinds = [MACRO_OPERATIONS.index(layer.operation) for layer in architecture.layers]
        one_hot = np.eye(len(MACRO_OPERATIONS), dtype=np.float32)[kinds]
        skips = [
            float(source in layer.skips) for number, layer in enumerate(architecture.layers) for source in range(number)
        ]
        spans = [number - source for number, layer in enumerate(architecture.layers) for source in layer.skips]
        counts = [*one_hot.sum(0), len(spans), sum(spans)]
        return np.concatenate([one_hot.ravel(), skips, counts, as_features(*_cost(architecture))]).astype(np.float32)

    def feature_names(self) -> tuple[str, ...]:
        """What each entry of `features` means; `stem > l2` is a skip connection."""
        layers = range(self.layers)
        return (
            *(f"l{number}={operation}" for number in layers for operation in MACRO_OPERATIONS),
            *(f"{source_name(source)} > l{number}" for number in layers for source in range(number)),
            *(f"number of {operation}" for operation in MACRO_OPERATIONS),
            "number of skips",
            "layers skipped",
            SIZE,
            DEPTH,
        )

    def feature_groups(self) -> dict[str, tuple[slice, str]]:
        """Which entries of `features` belong together."""
        kinds, skips = len(MACRO_OPERATIONS), self.layers * (self.layers - 1) // 2
        return groups_of(
            operations=(self.layers * kinds, "one-hot"),
            skips=(skips, "numbers"),
            counts=(kinds + 2, "counts"),
            flow=(2, "numbers"),
        )

    def parse(self, text: str) -> MacroArchitecture:
        """An architecture of this space from its JSON, one-line or integer form; ValueError as
        `MacroArchitecture.parse`.
        """
        architecture = MacroArchitecture.parse(text)
        self._check(architecture)
        return architecture

    def _check(self, architecture: MacroArchitecture) -> None:
        """ValueError unless the architecture belongs to this space."""
        if len(architecture.layers) != self.layers:
            raise invalid("architecture", f"{self.layers} layers", len(architecture.layers))


def _cost(architecture: MacroArchitecture) -> tuple[int, int]:
    """Weights and depth of the network, which doubles channels and halves all that is still read after each third."""
    layers, size, channels = architecture.layers, 0, CHANNELS
    third, depths = len(layers) // 3, [1]
    for number, layer in enumerate(layers):
        cost = operation_cost(layer.operation)
        size, depth = size + channels**2 + cost.weights(channels), depths[-1] + 1 + cost.depths[0]
        if number:
            size += channels**2 * (1 + len(layer.skips))
            depth = max([depth, *(depths[source] for source in layer.skips)]) + 1
        depths.append(depth)
        if third and number + 1 in (third, 2 * third):
            later = {source for other in layers[number + 1 :] for source in other.skips if source <= number}
            size, channels = size + 2 * channels**2 * len(later | {number + 1}), 2 * channels
            depths = [each + 1 for each in depths]
    return size, depths[-1]


def _length(layers: int) -> int:
    return layers * (layers + 1) // 2


def _read_layer(text: str, number: int) -> MacroLayer:
    """Layer `number` from `operation` or `operation(source,source)`."""
    found = re.fullmatch(r"\s*([\w-]+)\s*(?:\(([^()]*)\))?\s*", text)
    if not found:
        raise invalid("architecture", f"text such as {_EXAMPLE!r}", repr(text.strip()), f"in layer l{number}")
    return _layer(found[1], [name.strip() for name in (found[2] or "").split(",") if name.strip()], number)


def _layer(operation: object, names: Sequence[object], number: int) -> MacroLayer:
    place, allowed = f"layer l{number}", [source_name(index) for index in range(number)]
    checked = check_name("operation", operation, MACRO_OPERATIONS, place)
    if names and not allowed:
        raise invalid("skips", "none: there is no earlier output", list(names), f"in {place}")
    return MacroLayer(checked, tuple(allowed.index(check_name("skips", name, allowed, place)) for name in names))


def _read_json(text: str) -> list[MacroLayer]:
    layers = read_fields(text, '{"layers": [...]}', layers=list)["layers"]
    for number, layer in enumerate(layers):
        check_object(layer, "layers", f"in layer l{number}", operation=object, skips=list)
    return [_layer(layer["operation"], layer["skips"], number) for number, layer in enumerate(layers)]

"""Architectures of declared spaces: layers one after another, each with its chosen values, and how they are written.

Text, one line, `;` between layers; with skip connections every layer but the first says which earlier layers feed it:

    kernel=3, filters=16; kernel=1, filters=32, skips=0; kernel=3, filters=64, skips=none

JSON, one line per layer:

    {
      "layers": [
        {"kernel": 3, "filters": 16},
        {"kernel": 1, "filters": 32, "skips": [0]},
        {"kernel": 3, "filters": 64, "skips": []}
      ]
    }
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alphaxenas.spaces.checks import read_fields, write_lines
from alphaxenas.suggestions import invalid

Value = int | float | str | bool
SKIPS = "skips"
"""Word for skip connections in both forms; no choice may be called so."""


@dataclass(frozen=True)
class Layer(Mapping):
    """The choices of one layer, a read-only mapping: `layer["kernel"]`, `layer.get("pool", 1)`.

    Attributes:
        pairs: (name, value) in the order of the declaration, without the choices that do not exist in this layer.
    """

    pairs: tuple[tuple[str, Value], ...]

    def __getitem__(self, name: str) -> Value:
        for known, value in self.pairs:
            if known == name:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self.pairs])

    def __len__(self) -> int:
        return len(self.pairs)

    def __str__(self) -> str:
        return ", ".join(f"{name}={format_value(value)}" for name, value in self.pairs)


@dataclass(frozen=True)
class Chain:
    """A finished architecture of a declared space.

    Attributes:
        layers: From the input to the output.
        skips: For every layer the earlier layers that feed it, ascending; empty as a whole in a space without skip
            connections.
    """

    layers: tuple[Layer, ...]
    skips: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.skips and len(self.skips) != len(self.layers):
            raise invalid("skips", f"one entry for each of {len(self.layers)} layers", self.skips)
        for number, sources in enumerate(self.skips):
            if list(sources) != sorted(set(sources)) or not all(0 <= source < number for source in sources):
                raise invalid("skips", "earlier layers, ascending", sources, f"of layer {number}")

    def __str__(self) -> str:
        texts = list(map(str, self.layers))
        for number, sources in enumerate(self.skips[1:], 1):
            texts[number] += f", {SKIPS}={'+'.join(map(str, sources)) or 'none'}"
        return "; ".join(texts)

    def to_json(self) -> str:
        """JSON text with a line per layer."""
        rows = [dict[str, Any](layer) for layer in self.layers]
        for row, sources in zip(rows[1:], self.skips[1:]):
            row[SKIPS] = list(sources)
        return write_lines(layers=rows)

    def inputs(self, number: int) -> tuple[int, ...]:
        """The layers that feed layer `number`; empty where it reads the network's input."""
        if self.skips:
            return self.skips[number]
        return (number - 1,) if number else ()

    def output_layers(self) -> tuple[int, ...]:
        """The layers that feed no other layer; the network's output is read from them all."""
        used = {source for number in range(len(self.layers)) for source in self.inputs(number)}
        return tuple(number for number in range(len(self.layers)) if number not in used)


def format_value(value: Value) -> str:
    """A value as it stands in texts; different values of a choice have different texts."""
    return repr(value) if isinstance(value, float) else str(value)


def read_chain(text: str) -> list[dict[str, Any]]:
    """The layers of a text or JSON form, as they are written: name to text, or to what JSON held.

    Raises:
        ValueError: It has neither form.
    """
    text = text.strip()
    if text.startswith("{"):
        example = '{"layers": [{"NAME": VALUE}, ...]}'
        layers = read_fields(text, example, layers=list)["layers"]
        if not all(isinstance(layer, dict) for layer in layers):
            raise invalid("architecture", example, repr(text[:80]))
        return layers
    layers = []
    for number, piece in enumerate(text.removesuffix(";").split(";")):
        layer: dict[str, Any] = {}
        for entry in piece.split(","):
            name, mark, value = (part.strip() for part in entry.partition("="))
            if not mark or name in layer:
                expected = "every choice once" if mark else "`NAME=VALUE` with commas between"
                raise invalid("architecture", expected, repr(piece.strip()), f"in layer {number}")
            layer[name] = value
        if SKIPS in layer:
            sources = [] if layer[SKIPS] == "none" else layer[SKIPS].split("+")
            layer[SKIPS] = [int(source) if source.strip().isdecimal() else source for source in sources]
        layers.append(layer)
    return layers

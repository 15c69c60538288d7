"""Plain convolution nets: a fixed whitening of 2x2 patches, then three stages of 3x3 convolutions.

A stage has a width, one to three convolutions, a 2x2 max-pooling after the first of them or before it, and may add its
first convolution's output to that of the later ones. One activation serves the whole net; the head takes the largest or
the mean value of every channel. What such nets compute, in full, stands in `alphaxenas.networks.convnet`.

Text, one line, `;` between stages, then activation and head; brackets stand where a residual connection is:

    64 conv pool conv; 128 pool conv [conv conv]; 128 conv pool; gelu; max

JSON: `{"stages": [{"width": 64, "convolutions": 2, "pool": "after", "residual": false}, ...], "activation": "gelu",
"head": "max"}`.

Source of the nets: K. Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU" (`airbench93`, `airbench94`), and
its 96 % variant for three convolutions with a residual connection. Departure: his pooling is always after the first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.spaces.checks import check_name, check_object, read_fields, write_lines
from alphaxenas.spaces.features import DEPTH, SIZE, groups_of
from alphaxenas.spaces.fixed_length import FixedLengthSpace
from alphaxenas.suggestions import invalid

WIDTHS = tuple(range(32, 257, 32))
BLOCKS = ((1, False), (2, False), (3, False), (2, True), (3, True))
"""Number of convolutions, and whether a residual connection is around the later ones."""
POOLS = ("after", "before")
"""Where a stage halves the image: after its first convolution, or before it."""
ACTIVATIONS = ("relu", "gelu", "silu")
HEADS = ("max", "average")
STAGES = 3
_PATTERNS = {
    f"{'pool conv' if pool == 'before' else 'conv pool'}"
    f"{' [' * residual}{' ' * (not residual and count > 1)}{' '.join(['conv'] * (count - 1))}{']' * residual}": (
        count,
        pool,
        residual,
    )
    for count, residual in BLOCKS
    for pool in POOLS
}
"""Text of a stage without its width to number of convolutions, place of the pooling, residual connection."""
_EXAMPLE = "64 conv pool conv; 128 pool conv [conv conv]; 128 conv pool; gelu; max"


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        width: Number of channels, one of `WIDTHS`.
        convolutions: 1 to 3.
        pool: One of `POOLS`.
        residual: Whether the first convolution's output is added to that of the later ones, of which there are some.
    """

    width: int
    convolutions: int = 2
    pool: str = "after"
    residual: bool = False

    def __str__(self) -> str:
        own = (self.convolutions, self.pool, self.residual)
        return f"{self.width} {next(text for text, pattern in _PATTERNS.items() if pattern == own)}"

    def sides(self, side: int) -> list[int]:
        """Side of the image at every convolution.

        Args:
            side: That the stage gets, at least 2.
        """
        return [side if self.pool == "after" else side // 2, *[side // 2] * (self.convolutions - 1)]


@dataclass(frozen=True)
class ConvNet:
    """A finished architecture.

    Attributes:
        stages: `STAGES` of them.
        activation: One of `ACTIVATIONS`.
        head: One of `HEADS`.
    """

    stages: tuple[Stage, ...]
    activation: str = "gelu"
    head: str = "max"

    def __post_init__(self) -> None:
        if len(self.stages) != STAGES:
            raise invalid("stages", f"{STAGES} stages", len(self.stages))
        for number, stage in enumerate(self.stages):
            for name, value, allowed in (
                ("width", stage.width, WIDTHS),
                ("pool", stage.pool, POOLS),
                ("convolutions and residual", (stage.convolutions, stage.residual), BLOCKS),
            ):
                if value not in allowed:
                    raise invalid(name, f"one of {', '.join(map(str, allowed))}", repr(value), f"in stage {number}")
        check_name("activation", self.activation, ACTIVATIONS)
        check_name("head", self.head, HEADS)

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self) -> str:
        """One line; see the module text."""
        return "; ".join([*map(str, self.stages), self.activation, self.head])

    def to_json(self) -> str:
        """JSON text with a line per stage."""
        return write_lines(stages=list(map(vars, self.stages)), activation=self.activation, head=self.head)

    def layers(self, side: int, channels: int) -> Iterator[tuple[int, int, int]]:
        """Every 3x3 convolution in order, as (side of its image, input channels, output channels).

        Args:
            side: Of the images.
            channels: Of the images.
        """
        side, channels = side - 1, 8 * channels
        for stage in self.stages:
            for at in stage.sides(side):
                yield at, channels, stage.width
                channels = stage.width
            side //= 2

    def multiply_adds(self, side: int = 32, channels: int = 3, classes: int = 10) -> int:
        """Of one image's forward pass.

        Args:
            side: Of the images.
            channels: Of the images.
            classes: Their number.
        """
        whitening = (side - 1) ** 2 * 4 * channels * 8 * channels
        convolutions = sum(9 * at**2 * before * after for at, before, after in self.layers(side, channels))
        return whitening + convolutions + self.stages[-1].width * classes

    @classmethod
    def parse(cls, text: str) -> ConvNet:
        """The architecture of a name in `KNOWN_CONVNETS`, the one-line or the JSON form.

        Raises:
            ValueError: Says in which stage what is wrong, what is allowed, and the nearest name.
        """
        written = text.strip().removeprefix("zoo:")
        if written in KNOWN_CONVNETS:
            return KNOWN_CONVNETS[written]
        if written.startswith("{"):
            fields = read_fields(written, '{"stages": [...], ...}', stages=list, activation=str, head=str)
            stages = tuple(_stage_of_json(stage, number) for number, stage in enumerate(fields["stages"]))
            return cls(stages, fields["activation"], fields["head"])
        pieces = [piece.strip() for piece in written.removesuffix(";").split(";")]
        if len(pieces) != STAGES + 2:
            form = f"{STAGES} stages, an activation and a head, such as {_EXAMPLE!r}"
            raise invalid("architecture", f"{form}, or one of {', '.join(KNOWN_CONVNETS)}", repr(text.strip()))
        return cls(tuple(_stage_of_text(piece, number) for number, piece in enumerate(pieces[:-2])), *pieces[-2:])


KNOWN_CONVNETS = {
    "airbench93": ConvNet((Stage(64), Stage(128), Stage(128))),
    "airbench94": ConvNet((Stage(64), Stage(256), Stage(256))),
}
"""Hand-made nets by name."""


@dataclass(frozen=True)
class ConvNetSpace(FixedLengthSpace):
    """Nets of three stages: width, block and place of the pooling of each, then activation and head.

    No two token sequences mean the same net: a residual connection is chosen together with the convolutions that it
    is around.

    Example:
        >>> ConvNetSpace().size() == (8 * 5 * 2) ** 3 * 3 * 2
        True
    """

    def __post_init__(self) -> None:
        blocks = [f"{count} conv{', residual' * residual}" for count, residual in BLOCKS]
        kinds = [list(map(str, WIDTHS)), blocks, [f"pool {place}" for place in POOLS], list(ACTIVATIONS), list(HEADS)]
        starts = np.cumsum([0, *map(len, kinds)]).tolist()
        tokens = [tuple(range(start, start + len(kind))) for start, kind in zip(starts, kinds)]
        vocabulary = tuple(name for kind in kinds for name in kind)
        self._define([*tokens[:3] * STAGES, *tokens[3:]], vocabulary)

    @property
    def operations(self) -> tuple[str, ...]:
        """Whatever may be chosen: widths, blocks, places of the pooling, activations, heads."""
        return self.vocabulary

    def encode(self, architecture: ConvNet) -> Tokens:
        """The tokens of an architecture; `decode(encode(a)) == a`."""
        ranks = [
            rank
            for stage in architecture.stages
            for rank in (
                WIDTHS.index(stage.width),
                BLOCKS.index((stage.convolutions, stage.residual)),
                POOLS.index(stage.pool),
            )
        ]
        ranks += [ACTIVATIONS.index(architecture.activation), HEADS.index(architecture.head)]
        return tuple(legal[rank] for rank, legal in zip(ranks, self.legal_at))

    def _build(self, tokens: Tokens) -> ConvNet:
        ranks = [legal.index(token) for token, legal in zip(tokens, self.legal_at)]
        stages = []
        for width, block, pool in zip(ranks[0:-2:3], ranks[1:-2:3], ranks[2:-2:3]):
            count, residual = BLOCKS[block]
            stages.append(Stage(WIDTHS[width], count, POOLS[pool], residual))
        return ConvNet(tuple(stages), ACTIVATIONS[ranks[-2]], HEADS[ranks[-1]])

    def key(self, architecture: ConvNet) -> str:
        """The one-line text: no two architectures of this space are the same function."""
        return architecture.to_text()

    def features(self, architecture: ConvNet) -> np.ndarray:
        """float32 numbers, see `feature_groups`: of every stage width, convolutions, residual and place of the pooling;
        one-hot activation and head; costs for images of 32x32x3 pixels, which set how long a training step takes, and
        the number of convolutions.
        """
        stages = [
            value
            for stage in architecture.stages
            for value in (math.log2(stage.width), stage.convolutions, stage.residual, stage.pool == "before")
        ]
        names = [architecture.activation == name for name in ACTIVATIONS]
        names += [architecture.head == name for name in HEADS]
        layers = list(architecture.layers(32, 3))
        values, weights = (
            sum(at**2 * after for at, _, after in layers),
            sum(9 * before * after for _, before, after in layers),
        )
        costs = [math.log2(architecture.multiply_adds()), math.log2(values), math.log(weights), len(layers)]
        return np.array([*stages, *names, *costs], np.float32)

    def feature_names(self) -> tuple[str, ...]:
        """What each entry of `features` means."""
        columns = ("log2 width", "convolutions", "residual", "pool before")
        stages = (f"stage {number}: {column}" for number in range(STAGES) for column in columns)
        return (
            *stages,
            *ACTIVATIONS,
            *(f"{head} head" for head in HEADS),
            "log2 multiply-adds",
            "log2 values",
            SIZE,
            DEPTH,
        )

    def feature_groups(self) -> dict[str, tuple[slice, str]]:
        """Which entries of `features` belong together."""
        names = (len(ACTIVATIONS) + len(HEADS), "one-hot")
        return groups_of(stages=(4 * STAGES, "numbers"), **{"activation and head": names}, costs=(4, "numbers"))

    def parse(self, text: str) -> ConvNet:
        """As `ConvNet.parse`."""
        return ConvNet.parse(text)


def is_convnet_text(text: str) -> bool:
    """Whether a text is meant as an architecture of this space rather than as a cell or a chain."""
    written = text.strip().removeprefix("zoo:")
    return written in KNOWN_CONVNETS or '"stages"' in written or bool(re.match(r"\d+ (conv|pool)\b", written))


def _stage_of_text(text: str, number: int) -> Stage:
    """Stage `number` from `64 conv pool conv`."""
    found = re.fullmatch(r"(\d+)\s+(.*)", text)
    words = re.sub(r"\s+", " ", found[2]) if found else ""
    if found is None or words not in _PATTERNS:
        raise invalid(
            "architecture", f"a width and one of {', '.join(map(repr, _PATTERNS))}", repr(text), f"in stage {number}"
        )
    count, pool, residual = _PATTERNS[words]
    return Stage(int(found[1]), count, pool, residual)


def _stage_of_json(stage: Any, number: int) -> Stage:
    """Stage `number` from its JSON object."""
    fields = dict.fromkeys(Stage.__dataclass_fields__, object)
    return Stage(**check_object(stage, "stages", f"in stage {number}", **fields))

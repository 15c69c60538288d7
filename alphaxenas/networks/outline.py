"""What a network needs, found without computing anything: arrays, parameters, multiply-adds.

`Outline` offers the operations of `LayerInterface` over shapes instead of tensors, made from the table `OPERATIONS`. A
network is walked once over an outline to learn which arrays it wants, and once over `Layers` to build its graph.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alphaxenas.networks.bank import ArraySpec
from alphaxenas.networks.layer_interface import LayerInterface


@dataclass(frozen=True)
class Shaped:
    """Stands for a tensor.

    Attributes:
        shape: Its first entry is the batch dimension, None, and all others are numbers.
        depth: Convolutions on the longest path that leads to it from the image; -1 where none does.
    """

    shape: tuple[Any, ...]
    depth: int = 0


class Outline:
    """The arrays and costs of one forward pass.

    Attributes:
        kernels: Convolution kernels by name: computed in the chosen precision, with weight decay.
        matrices: Kernels of dense layers: float32, with weight decay.
        vectors: Scales, offsets and biases: float32, without weight decay.
        statistics: Moving means and variances.
        multiply_adds: Of one image's forward pass.
        depth: Convolutions on the longest path from the image to the first output, found by `outline_of`.
        operations: (operation, name of its weights or empty) of every call, in order.
        training: Whether parts that exist in training only (the auxiliary head) are walked.
    """

    def __init__(self, training: bool) -> None:
        self.training = training
        self.kernels: dict[str, ArraySpec] = {}
        self.matrices: dict[str, ArraySpec] = {}
        self.vectors: dict[str, ArraySpec] = {}
        self.statistics: dict[str, ArraySpec] = {}
        self.multiply_adds = self.depth = 0
        self.operations: list[tuple[str, str]] = []

    @property
    def weights(self) -> dict[str, ArraySpec]:
        """All trainable arrays: kernels, matrices, vectors, in this order."""
        return {**self.kernels, **self.matrices, **self.vectors}

    @property
    def parameters(self) -> int:
        """Number of trainable values."""
        return sum(spec.size for spec in self.weights.values())


@dataclass(frozen=True)
class Needs:
    """What one operation gives and needs; the groups are those of `Outline`."""

    shape: tuple[Any, ...]
    kernels: Mapping[str, ArraySpec] = field(default_factory=dict)
    matrices: Mapping[str, ArraySpec] = field(default_factory=dict)
    vectors: Mapping[str, ArraySpec] = field(default_factory=dict)
    statistics: Mapping[str, ArraySpec] = field(default_factory=dict)
    multiply_adds: int = 0


def _strided(x: Shaped, stride: int, channels: int | None = None) -> tuple[Any, ...]:
    """Shape of an image after an operation with a stride."""
    _, height, width, own = x.shape
    return None, -(-height // stride), -(-width // stride), own if channels is None else channels


def _conv(x, name, filters, size, stride=1, bias=False, initial="he") -> Needs:
    channels, shape = x.shape[3], _strided(x, stride, filters)
    high, wide = size if isinstance(size, tuple) else (1 if x.shape[1] == 1 else size, size)
    # Xavier's variance is that of "he" with the fan-out counted in.
    inputs = channels + filters if initial == "xavier" else channels
    kind = "dirac" if initial == "dirac" else "he"
    kernel = ArraySpec((high, wide, channels, filters), kind, high * wide * inputs)
    vectors = {f"{name}/bias": ArraySpec((filters,), "zeros")} if bias else {}
    return Needs(shape, {f"{name}/kernel": kernel}, vectors=vectors, multiply_adds=kernel.size * shape[1] * shape[2])


def _depthwise(x, name, size, stride=1, dilation=1) -> Needs:
    shape, kernel = _strided(x, stride), ArraySpec((size, size, x.shape[3], 1), "he", size * size)
    return Needs(shape, {f"{name}/depthwise": kernel}, multiply_adds=kernel.size * shape[1] * shape[2])


def _whiten(x, name) -> Needs:
    _, height, width, channels = x.shape
    kernel = ArraySpec((2, 2, channels, 8 * channels), "whitening")
    return Needs(
        (None, height - 1, width - 1, 8 * channels),
        vectors={f"{name}/bias": ArraySpec((8 * channels,), "zeros")},
        statistics={f"{name}/kernel": kernel},
        multiply_adds=kernel.size * (height - 1) * (width - 1),
    )


def _batch_norm(x, name, scale=True) -> Needs:
    ones, zeros = (ArraySpec(x.shape[-1:], initial) for initial in ("ones", "zeros"))
    vectors = {**({f"{name}/scale": ones} if scale else {}), f"{name}/offset": zeros}
    return Needs(x.shape, vectors=vectors, statistics={f"{name}/mean": zeros, f"{name}/variance": ones})


def _dense_of_parts(parts, name, units) -> Needs:
    kernels = {
        f"{name}/{part}/kernel" if part else f"{name}/kernel": ArraySpec((x.shape[1], units), "he", 2 * x.shape[1])
        for part, x in parts.items()
    }
    bias, multiply_adds = ArraySpec((units,), "zeros"), sum(kernel.size for kernel in kernels.values())
    return Needs((None, units), matrices=kernels, vectors={f"{name}/bias": bias}, multiply_adds=multiply_adds)


def _same(x, *_, **__) -> Needs:
    return Needs(x.shape)


def _pool(x, size, stride=1, whole=False) -> Needs:
    if whole:
        _, height, width, channels = x.shape
        return Needs((None, *((side - size) // stride + 1 for side in (height, width)), channels))
    return Needs(_strided(x, stride))


OPERATIONS: dict[str, Callable[..., Needs]] = {
    "input": _same,
    "line": lambda x: Needs((None, 1, x.shape[1] * x.shape[2], x.shape[3])),
    "conv": _conv,
    "depthwise": _depthwise,
    "whiten": _whiten,
    "batch_norm": _batch_norm,
    "dense": lambda x, name, units, divisor=1.0: _dense_of_parts({"": x}, name, units),
    "dense_of_parts": _dense_of_parts,
    "shifted": _same,
    "zeros": _same,
    "relu": _same,
    "activation": _same,
    "add": lambda parts: Needs(parts[0].shape),
    "concat": lambda parts: Needs((*parts[0].shape[:-1], sum(part.shape[-1] for part in parts))),
    "first_channels": lambda x, channels: Needs((*x.shape[:-1], channels)),
    "max_pool": _pool,
    "min_pool": _pool,
    "average_pool": _pool,
    "global_average": lambda x: Needs((None, x.shape[3])),
    "global_max": lambda x: Needs((None, x.shape[3])),
    "flatten": lambda x: Needs((None, x.shape[1] * x.shape[2] * x.shape[3])),
    "dropout": _same,
    "drop_path": _same,
}
"""Operation of `LayerInterface` to what it gives and needs, from the same arguments."""
CONVOLUTIONS = ("conv", "depthwise")
"""Operations that count as depth."""


def _depths(values: Iterable[Any]) -> Iterator[int]:
    """The depths of all shapes among some arguments, and in lists and mappings among them."""
    for value in values:
        if isinstance(value, Shaped):
            yield value.depth
        elif isinstance(value, (Mapping, Sequence)) and not isinstance(value, str):
            yield from _depths(value.values() if isinstance(value, Mapping) else value)


def _recorded(name: str, needs_of: Callable[..., Needs]) -> Callable[..., Shaped]:
    """The method of `Outline` for an operation, with the signature and the documentation of the interface."""

    @functools.wraps(getattr(LayerInterface, name))
    def operation(self: Outline, *arguments: Any, **named: Any) -> Shaped:
        needs = needs_of(*arguments, **named)
        for group in ("kernels", "matrices", "vectors", "statistics"):
            getattr(self, group).update(getattr(needs, group))
        self.multiply_adds += needs.multiply_adds
        self.operations.append(
            (name, next((each for each in arguments if isinstance(each, str)), named.get("name", "")))
        )
        before = max(_depths((*arguments, *named.values())), default=0)
        reached = before >= 0 and name != "zeros"
        return Shaped(needs.shape, before + (name in CONVOLUTIONS) if reached else -1)

    return operation


for _name, _needs_of in OPERATIONS.items():
    setattr(Outline, _name, _recorded(_name, _needs_of))


def outline_of(
    network: Callable[[Any, Any], Any], image_shape: tuple[int, int, int], training: bool = False
) -> Outline:
    """Walks a network over shapes.

    Args:
        network: See `alphaxenas.networks.training.loop.Network`.
        image_shape: Height, width, channels.
        training: Whether to include what exists in training only.

    Returns:
        Its outline.
    """
    outline = Outline(training)
    first, *_ = network(outline, Shaped((None, *image_shape)))
    outline.depth = max(first.depth, 0)
    return outline

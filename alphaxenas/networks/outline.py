"""What a network needs, found without computing anything: arrays, parameters, multiply-adds.

`Outline` offers the same functions as `Layers`, over shapes instead of tensors. A network is walked once over an
outline to learn which arrays it wants, and once over `Layers` to build its graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alphaxenas.networks.bank import ArraySpec


@dataclass(frozen=True)
class Shaped:
    """Stands for a tensor; `shape[0]` is the batch dimension, None."""

    shape: tuple[int | None, ...]


class Outline:
    """The arrays and costs of one forward pass.

    Attributes:
        kernels: Convolution kernels by name: computed in the chosen precision, with weight decay.
        matrices: Kernels of dense layers: float32, with weight decay.
        vectors: Scales, offsets and biases: float32, without weight decay.
        statistics: Moving means and variances.
        multiply_adds: Of one image's forward pass.
        training: Whether parts that exist in training only (the auxiliary head) are walked.
    """

    def __init__(self, training: bool) -> None:
        self.training = training
        self.kernels: dict[str, ArraySpec] = {}
        self.matrices: dict[str, ArraySpec] = {}
        self.vectors: dict[str, ArraySpec] = {}
        self.statistics: dict[str, ArraySpec] = {}
        self.multiply_adds = 0

    @property
    def weights(self) -> dict[str, ArraySpec]:
        """All trainable arrays: kernels, matrices, vectors, in this order."""
        return {**self.kernels, **self.matrices, **self.vectors}

    @property
    def parameters(self) -> int:
        """Number of trainable values."""
        return sum(spec.size for spec in self.weights.values())

    def input(self, images: Shaped) -> Shaped:
        """As `Layers.input`."""
        return images

    def line(self, x: Shaped) -> Shaped:
        """As `Layers.line`."""
        return Shaped((None, 1, x.shape[1] * x.shape[2], x.shape[3]))

    def conv(
        self,
        x: Shaped,
        name: str,
        filters: int,
        size: int | tuple[int, int],
        stride: int = 1,
        bias: bool = False,
        xavier: bool = False,
    ) -> Shaped:
        """As `Layers.conv`."""
        _, height, width, channels = x.shape
        high, wide = size if isinstance(size, tuple) else (1 if height == 1 else size, size)
        # Xavier's variance is that of "he" with the fan-out counted in.
        fan = high * wide * (channels + filters * xavier)
        self.kernels[f"{name}/kernel"] = ArraySpec((high, wide, channels, filters), "he", fan)
        if bias:
            self.vectors[f"{name}/bias"] = ArraySpec((filters,), "zeros")
        y = Shaped((None, -(-height // stride), -(-width // stride), filters))
        self.multiply_adds += high * wide * channels * filters * y.shape[1] * y.shape[2]
        return y

    def depthwise(self, x: Shaped, name: str, size: int, stride: int = 1, dilation: int = 1) -> Shaped:
        """As `Layers.depthwise`."""
        _, height, width, channels = x.shape
        self.kernels[f"{name}/depthwise"] = ArraySpec((size, size, channels, 1), "he", size * size)
        y = Shaped((None, -(-height // stride), -(-width // stride), channels))
        self.multiply_adds += size * size * channels * y.shape[1] * y.shape[2]
        return y

    def batch_norm(self, x: Shaped, name: str) -> Shaped:
        """As `Layers.batch_norm`."""
        channels = (x.shape[-1],)
        for kind, group, initial in (
            ("scale", self.vectors, "ones"),
            ("offset", self.vectors, "zeros"),
            ("mean", self.statistics, "zeros"),
            ("variance", self.statistics, "ones"),
        ):
            group[f"{name}/{kind}"] = ArraySpec(channels, initial)
        return x

    def dense(self, x: Shaped, name: str, units: int) -> Shaped:
        """As `Layers.dense`."""
        self.matrices[f"{name}/kernel"] = ArraySpec((x.shape[1], units), "he", 2 * x.shape[1])
        self.vectors[f"{name}/bias"] = ArraySpec((units,), "zeros")
        self.multiply_adds += x.shape[1] * units
        return Shaped((None, units))

    def dense_of_parts(self, parts: Mapping[str, Shaped], name: str, units: int) -> Shaped:
        """As `Layers.dense_of_parts`."""
        inputs = sum(x.shape[1] for x in parts.values())
        for part, x in parts.items():
            self.matrices[f"{name}/{part}/kernel"] = ArraySpec((x.shape[1], units), "he", 2 * x.shape[1])
        self.vectors[f"{name}/bias"] = ArraySpec((units,), "zeros")
        self.multiply_adds += inputs * units
        return Shaped((None, units))

    def shifted(self, x: Shaped) -> Shaped:
        """As `Layers.shifted`."""
        return x

    def relu(self, x: Shaped) -> Shaped:
        """As `Layers.relu`."""
        return x

    def add(self, parts: Sequence[Shaped]) -> Shaped:
        """As `Layers.add`."""
        return parts[0]

    def concat(self, parts: Sequence[Shaped]) -> Shaped:
        """As `Layers.concat`."""
        return Shaped((*parts[0].shape[:-1], sum(part.shape[-1] for part in parts)))

    def max_pool(self, x: Shaped, size: int, stride: int = 1) -> Shaped:
        """As `Layers.max_pool`."""
        return Shaped((None, -(-x.shape[1] // stride), -(-x.shape[2] // stride), x.shape[3]))

    average_pool = min_pool = max_pool

    def global_average(self, x: Shaped) -> Shaped:
        """As `Layers.global_average`."""
        return Shaped((None, x.shape[3]))

    def flatten(self, x: Shaped) -> Shaped:
        """As `Layers.flatten`."""
        return Shaped((None, x.shape[1] * x.shape[2] * x.shape[3]))

    def dropout(self, x: Shaped, rate: float) -> Shaped:
        """As `Layers.dropout`."""
        return x

    def drop_path(self, x: Shaped, rate: float, depth: float) -> Shaped:
        """As `Layers.drop_path`."""
        return x


def outline_of(
    network: Callable[[Any, Any], Any], image_shape: tuple[int, int, int], training: bool = False
) -> Outline:
    """Walks a network over shapes.

    Args:
        network: See `training.Network`.
        image_shape: Height, width, channels.
        training: Whether to include what exists in training only.

    Returns:
        Its outline.
    """
    outline = Outline(training)
    network(outline, Shaped((None, *image_shape)))
    return outline

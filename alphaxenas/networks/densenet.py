"""DenseNet-BC (Huang et al. 2017), the hand-made baseline, for the same training loop as all children.

Source: Huang, Liu, van der Maaten, Weinberger 2017, "Densely connected convolutional networks", section 3 and table 1.
Departure: the stem keeps small images as they are and all blocks have equal numbers of layers, as in the paper's
CIFAR networks; dropout zeroes values after each convolution but the first, as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alphaxenas.suggestions import check_whole, invalid

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.networks.layer_interface import LayerInterface

DENSE_BLOCKS = 3


@dataclass(frozen=True)
class DenseNet:
    """A densely connected network; calling it builds the forward pass.

    Attributes:
        num_classes: Number of classes.
        depth: Layers with weights: 4 + 6 n.
        growth: Channels that every layer adds.
        compression: Share of channels that a transition keeps, in (0, 1].
        dropout: Rate after every convolution but the first.

    Raises:
        ValueError: The depth does not fit, or a number is out of range.
    """

    num_classes: int
    depth: int = 100
    growth: int = 12
    compression: float = 0.5
    dropout: float = 0.0

    def __post_init__(self) -> None:
        step = 2 * DENSE_BLOCKS
        if self.depth < 4 + step or (self.depth - 4) % step:
            raise invalid("depth", f"4 + a positive multiple of {step}", self.depth)
        check_whole("growth", self.growth)
        if not 0.0 < self.compression <= 1.0:
            raise invalid("compression", "a number in (0, 1]", self.compression)

    def __call__(self, layers: LayerInterface, images: tf.Tensor) -> list[tf.Tensor]:
        """Logits `[B, num_classes]` of normalised images `[B, h, w, c]`, as a list of one."""
        channels = 2 * self.growth if self.compression < 1.0 else 16
        x = layers.conv(layers.input(images), "stem", channels, 3)
        per_block = (self.depth - 4) // (2 * DENSE_BLOCKS)
        for block in range(DENSE_BLOCKS):
            for index in range(per_block):
                x = layers.concat([x, self._layer(layers, x, f"dense{block}/layer{index}")])
            channels += per_block * self.growth
            if block < DENSE_BLOCKS - 1:
                channels = int(channels * self.compression)
                x = self._convolve(layers, x, f"transition{block}", channels, 1)
                x = layers.average_pool(x, 2, 2)
        x = layers.relu(layers.batch_norm(x, "head"))
        return [layers.dense(layers.global_average(x), "classifier", self.num_classes)]

    def _layer(self, layers: LayerInterface, x: tf.Tensor, name: str) -> tf.Tensor:
        x = self._convolve(layers, x, f"{name}/bottleneck", 4 * self.growth, 1)
        return self._convolve(layers, x, name, self.growth, 3)

    def _convolve(self, layers: LayerInterface, x: tf.Tensor, name: str, filters: int, size: int) -> tf.Tensor:
        return layers.dropout(layers.conv(layers.relu(layers.batch_norm(x, name)), name, filters, size), self.dropout)

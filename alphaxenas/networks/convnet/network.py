"""The network of a plain convolution net.

Whitening of 2x2 patches without padding, activation; then every stage: convolution, pooling (before or after it), batch
normalisation, activation, and the same without pooling for its later convolutions; then the largest or mean value of
every channel and the classifier, whose logits are divided by 9. Pooling leaves an odd last row and column out, batch
normalisation has no scale, and a stage's first convolutions start as copies of their inputs.

Source: K. Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3 and its published network.
Departures: the classifier has a bias; places of the pooling, residual connections in any stage and the average head are
there for the search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alphaxenas.networks.options import NetworkOptions
from alphaxenas.spaces.convnet import STAGES, ConvNet, Stage
from alphaxenas.suggestions import invalid

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.networks.layer_interface import LayerInterface

LOGIT_DIVISOR = 9.0
SMALLEST_SIDE = 2**STAGES + 1


@dataclass(frozen=True)
class ConvNetwork:
    """A plain convolution net; calling it builds the forward pass.

    Attributes:
        net: The architecture.
        num_classes: Number of classes.
        width_share: Share of the channels of every stage; numbers of channels are multiples of eight.
    """

    net: ConvNet
    num_classes: int
    width_share: float = 1.0

    def __call__(self, layers: LayerInterface, images: tf.Tensor) -> list[tf.Tensor]:
        """Logits `[B, num_classes]` of normalised images `[B, h, w, c]`, as a list of one.

        Raises:
            ValueError: The images are smaller than the pooling allows.
        """
        check_image_size(*images.shape[1:3])
        x = layers.activation(layers.whiten(layers.input(images), "whitening"), self.net.activation)
        for number, stage in enumerate(self.net.stages):
            x = self._stage(layers, x, stage, f"stage{number}")
        x = layers.global_max(x) if self.net.head == "max" else layers.global_average(x)
        return [layers.dense(x, "classifier", self.num_classes, LOGIT_DIVISOR)]

    def _stage(self, layers: LayerInterface, x: tf.Tensor, stage: Stage, name: str) -> tf.Tensor:
        first, width = x, max(8, 8 * round(stage.width * self.width_share / 8))
        for number in range(stage.convolutions):
            if number == 0 and stage.pool == "before":
                x = layers.max_pool(x, 2, 2, whole=True)
            x = layers.conv(x, f"{name}/conv{number}", width, 3, initial="dirac")
            if number == 0 and stage.pool == "after":
                x = layers.max_pool(x, 2, 2, whole=True)
            x = layers.batch_norm(x, f"{name}/norm{number}", scale=False)
            if stage.residual and number == stage.convolutions - 1:
                x = layers.add([x, first])
            x = layers.activation(x, self.net.activation)
            if number == 0:
                first = x
        return x


def check_image_size(height: int, width: int) -> None:
    """Refuses images that are smaller than the pooling allows.

    Args:
        height: In pixels.
        width: In pixels.

    Raises:
        ValueError: They are.
    """
    if min(height, width) < SMALLEST_SIDE:
        least = f"images of at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels"
        expected = f"{least} for the space convnet, which halves them {STAGES} times"
        raise invalid("dataset", expected, f"images of {height}x{width} pixels")


def convnet_network(net: ConvNet, options: NetworkOptions) -> ConvNetwork:
    """The network of a plain convolution net.

    Args:
        net: The architecture.
        options: `num_classes` and `width_share` count; the architecture itself says how wide it is.

    Returns:
        The network.
    """
    return ConvNetwork(net, options.num_classes, options.width_share)

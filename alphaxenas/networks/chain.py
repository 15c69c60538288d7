"""The network that a chain stands for: convolutions one after another, with skip connections where the space has them.

A layer is a convolution with bias and ReLU, then max-pooling and dropout where the chain says so. All weights start
with Xavier's variance (Glorot & Bengio 2010) and biases at 0, as in both seeds: titu1994/neural-architecture-search
(2-D chains, mean over the image before the classifier) and wallarm/nascell-automl (chains along the flattened image,
classifier over all values).

Skip connections follow Zoph & Le 2016, section 3.3: a layer reads the concatenation of the layers that feed it, the
image if there is none, and the classifier reads all layers that feed no other. Departures: inputs of different
resolutions are brought together by average pooling instead of padding with zeros, which keeps places aligned; pooling
windows lie side by side, where wallarm's overlap in all pixels but one and nothing ever shrinks.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alphaxenas.networks.options import NetworkOptions
from alphaxenas.spaces.chains.chain import Chain
from alphaxenas.suggestions import invalid

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.networks.layer_interface import LayerInterface

STRIDES = (2, 1, 2, 1)
"""Of titu1994's four layers."""
FORMS = ("image", "line")
HEADS = ("average", "flatten")


@dataclass(frozen=True)
class ChainNetwork:
    """A child network; calling it builds the forward pass.

    Attributes:
        chain: The architecture. Its layers have `kernel` and `filters`, and may have `pool` (side of the window, 1 for
            none) and `dropout` (rate in [0, 1) at which values are dropped).
        num_classes: Number of classes.
        strides: Of the convolutions, repeated for further layers.
        form: `"image"`, or `"line"` to convolve along the flattened image.
        head: What the classifier reads: `"average"` over the image, or `"flatten"` for all values.

    Raises:
        ValueError: The chain lacks a choice or a value is out of range; names layer and choice.
    """

    chain: Chain
    num_classes: int
    strides: tuple[int, ...] = (1,)
    form: str = "image"
    head: str = "average"

    def __post_init__(self) -> None:
        for name, value, allowed in (("form", self.form, FORMS), ("head", self.head, HEADS)):
            if value not in allowed:
                raise invalid(name, f"one of {', '.join(allowed)}", repr(value))
        for number, layer in enumerate(self.chain.layers):
            for name, default in (("kernel", None), ("filters", None), ("pool", 1)):
                value = layer.get(name, default)
                if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                    raise invalid(name, "a whole number >= 1", repr(value), f"in layer {number}")
            rate = layer.get("dropout", 0.0)
            if isinstance(rate, (bool, str)) or not 0.0 <= rate < 1.0:
                raise invalid("dropout", "a rate in [0, 1)", repr(rate), f"in layer {number}")

    def __call__(self, layers: LayerInterface, images: tf.Tensor) -> list[tf.Tensor]:
        """Logits `[B, num_classes]` of normalised images `[B, h, w, c]`, as a list of one."""
        x = layers.input(images)
        source = layers.line(x) if self.form == "line" else x
        # By how much each layer's input is smaller than the image; the image is number -1.
        shrinks = [
            stride * layer.get("pool", 1) for stride, layer in zip(itertools.cycle(self.strides), self.chain.layers)
        ]
        outputs: list[tf.Tensor] = []
        for number, layer in enumerate(self.chain.layers):
            sources = self.chain.inputs(number) or (-1,)
            parts = [
                self._reduced(layers, source if one < 0 else outputs[one], shrinks[one + 1 : number]) for one in sources
            ]
            outputs.append(self._layer(layers, layers.concat(parts), number))
        ends = self.chain.output_layers()
        if self.head == "average":
            features = layers.concat([layers.global_average(outputs[end]) for end in ends])
        else:
            features = layers.flatten(
                layers.concat([self._reduced(layers, outputs[end], shrinks[end + 1 :]) for end in ends])
            )
        return [layers.dense(features, "classifier", self.num_classes)]

    def _layer(self, layers: LayerInterface, x: tf.Tensor, number: int) -> tf.Tensor:
        name = f"layer{number}"
        layer: Mapping[str, Any] = self.chain.layers[number]  # checked in __post_init__
        stride, pool = self.strides[number % len(self.strides)], layer.get("pool", 1)
        x = layers.relu(layers.conv(x, name, layer["filters"], layer["kernel"], stride, bias=True, xavier=True))
        if pool > 1:
            x = layers.max_pool(x, pool, pool)
        return layers.dropout(x, layer.get("dropout", 0.0))

    @staticmethod
    def _reduced(layers: LayerInterface, x: tf.Tensor, shrinks: Sequence[int]) -> tf.Tensor:
        for shrink in shrinks:
            if shrink > 1:
                x = layers.average_pool(x, shrink, shrink)
        return x


def convolution_chain(chain: Chain, num_classes: int) -> ChainNetwork:
    """titu1994's network: strides 2, 1, 2, 1, mean over the image, classifier.

    Args:
        chain: The architecture.
        num_classes: Number of classes.

    Returns:
        The network.
    """
    return ChainNetwork(chain, num_classes, STRIDES)


def mnist_chain(chain: Chain, num_classes: int, form: str = "line") -> ChainNetwork:
    """wallarm's network, whose classifier reads all values.

    Args:
        chain: The architecture.
        num_classes: Number of classes.
        form: `"line"` along the flattened image, or its 2-D form `"image"`.

    Returns:
        The network.
    """
    return ChainNetwork(chain, num_classes, form=form, head="flatten")


def chain_network(chain: Chain, options: NetworkOptions) -> ChainNetwork:
    """wallarm's network around a chain that declares pooling, else titu1994's.

    Args:
        chain: The architecture.
        options: `num_classes` and `chain_form` count.

    Returns:
        The network.
    """
    if "pool" in chain.layers[0]:
        return mnist_chain(chain, options.num_classes, options.chain_form)
    return convolution_chain(chain, options.num_classes)

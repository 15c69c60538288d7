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
from alphaxenas.suggestions import check_name, check_whole, invalid

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
        check_name("form", self.form, FORMS)
        check_name("head", self.head, HEADS)
        for number, layer in enumerate(self.chain.layers):
            for name, default in (("kernel", None), ("filters", None), ("pool", 1)):
                check_whole(name, layer.get(name, default), where=f"in layer {number}")
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
            read = [(source if one < 0 else outputs[one], shrinks[one + 1 : number]) for one in sources]
            parts = [self._reduced(layers, x, own) for x, own in read]
            outputs.append(self._layer(layers, layers.concat(parts), number))
        ends = self.chain.output_layers()
        if self.head == "average":
            features = layers.concat([layers.global_average(outputs[end]) for end in ends])
        else:
            reduced = [self._reduced(layers, outputs[end], shrinks[end + 1 :]) for end in ends]
            features = layers.flatten(layers.concat(reduced))
        return [layers.dense(features, "classifier", self.num_classes)]

    def _layer(self, layers: LayerInterface, x: tf.Tensor, number: int) -> tf.Tensor:
        name = f"layer{number}"
        layer: Mapping[str, Any] = self.chain.layers[number]  # checked in __post_init__
        stride, pool = self.strides[number % len(self.strides)], layer.get("pool", 1)
        x = layers.relu(layers.conv(x, name, layer["filters"], layer["kernel"], stride, bias=True, initial="xavier"))
        if pool > 1:
            x = layers.max_pool(x, pool, pool)
        return layers.dropout(x, layer.get("dropout", 0.0))

    @staticmethod
    def _reduced(layers: LayerInterface, x: tf.Tensor, shrinks: Sequence[int]) -> tf.Tensor:
        for shrink in shrinks:
            if shrink > 1:
                x = layers.average_pool(x, shrink, shrink)
        return x


def chain_network(chain: Chain, options: NetworkOptions) -> ChainNetwork:
    """The network of the seed that a chain comes from.

    With pooling that is wallarm's, whose classifier reads all values, else titu1994's: strides 2, 1, 2, 1, and the mean
    over the image before the classifier.

    Args:
        chain: The architecture.
        options: `num_classes` and `chain_form` count.

    Returns:
        The network.
    """
    if "pool" in chain.layers[0]:
        return ChainNetwork(chain, options.num_classes, form=options.chain_form, head="flatten")
    return ChainNetwork(chain, options.num_classes, STRIDES)

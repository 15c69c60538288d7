"""The network that a macro architecture stands for: stem, a chain of layers with skip connections, classifier.

A layer brings its input through a 1x1 convolution, batch norm and ReLU, and applies its operation. The result and the
sources of its skip connections are concatenated and brought back to the number of filters by ReLU, a 1x1 convolution
and batch norm, computed as one product per source, so that architectures with different skips share weights. After a
third and two thirds of the layers every output that is still read is halved by a factorised reduction.

Sources: Pham et al. 2018, section 2.3; the published code of ENAS, whose sources of skip connections are the stem and
all layers but the one just before. Departures from that code: its search summed skip connections and its final network
concatenated them, built separable convolutions as full ones and had no pooling: here one network serves both, the
concatenation of the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alphaxenas.networks.micro_operations import apply_micro_operation, factorised_reduction
from alphaxenas.networks.options import NetworkOptions, apply_stem
from alphaxenas.spaces.macro import MacroArchitecture
from alphaxenas.suggestions import check_whole

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.networks.layer_interface import LayerInterface


WIDENING = 2
"""By how much reductions multiply the filters in the project's searches and final trainings alike."""


@dataclass(frozen=True)
class MacroNetwork:
    """A chain of layers; calling it builds the forward pass.

    Attributes:
        architecture: The layers.
        num_classes: Number of classes.
        filters: Channels of every layer before the first reduction, even.
        widening: By how much each of the two reductions multiplies the filters; 1 in ENAS's search, 2 in its final
            network.
        stem_stride: 1, 2 to halve the image in the stem, or 8 for large images; see `apply_stem`.
        drop_path: Largest drop-path rate of operations; see `LayerInterface.drop_path`.
        dropout: Rate before the classifier.
    """

    architecture: MacroArchitecture
    num_classes: int
    filters: int = 36
    widening: int = 1
    stem_stride: int = 1
    drop_path: float = 0.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_whole("filters", self.filters, 2)
        check_whole("widening", self.widening)

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.architecture.layers)

    def reduced_after(self) -> tuple[int, ...]:
        """Layers after which everything is halved: a third and two thirds of all; none where there are fewer than
        three.
        """
        third = self.depth // 3
        return (third - 1, 2 * third - 1) if third else ()

    def filters_of(self, layer: int) -> int:
        """Channels of a layer's output before it is halved."""
        return self.filters * self.widening ** sum(layer > reduced for reduced in self.reduced_after())

    def __call__(self, layers: LayerInterface, images: tf.Tensor) -> list[tf.Tensor]:
        """Logits `[B, num_classes]` of normalised images `[B, h, w, c]`, as a list of one."""
        sources: list[tf.Tensor | None] = [self.stem(layers, images)]
        for number, layer in enumerate(self.architecture.layers):
            y = self.operate(layers, layer.operation, sources[-1], f"layer{number}/{layer.operation}", number)
            if number:
                read_here = {"own": y} | {source_part(source): sources[source] for source in layer.skips}
                parts = [self.part(layers, x, f"layer{number}/{name}", number) for name, x in read_here.items()]
                y = layers.batch_norm(layers.add(parts), f"layer{number}")
            sources.append(y)
            if number in self.reduced_after():
                read = self.still_read(number)
                sources = [
                    self.halve(layers, x, source, number) if source in read else None
                    for source, x in enumerate(sources)
                ]
        return [self.head(layers, sources[-1])]

    def still_read(self, layer: int) -> set[int]:
        """Sources that are read after a layer: its own output, and where later skip connections begin."""
        later = self.architecture.layers[layer + 1 :]
        return {layer + 1} | {source for other in later for source in other.skips if source <= layer}

    def stem(self, layers: LayerInterface, images: tf.Tensor) -> tf.Tensor:
        """As `apply_stem`.

        Args:
            layers: The layers of this forward pass.
            images: `[B, h, w, c]`.

        Returns:
            `[B, h / stem_stride, w / stem_stride, filters]`.
        """
        return apply_stem(layers, images, self.filters, self.stem_stride)

    def operate(self, layers: LayerInterface, operation: str, x: tf.Tensor, name: str, number: int) -> tf.Tensor:
        """1x1 convolution, batch norm, ReLU, and the operation of a layer, with drop-path.

        Args:
            layers: The layers of this forward pass.
            operation: The operation of the layer.
            x: Output of the layer before, `[B, h, w, c]`.
            name: Prefix of the names of the weights.
            number: Number of the layer.

        Returns:
            `[B, h, w, filters_of(number)]`.
        """
        filters = self.filters_of(number)
        x = layers.relu(layers.batch_norm(layers.conv(x, f"{name}/in", filters, 1), f"{name}/in"))
        y = apply_micro_operation(layers, operation, x, f"{name}/out", filters, sep_repeats=1)
        return layers.drop_path(y, self.drop_path, (number + 1) / self.depth)

    def part(self, layers: LayerInterface, x: tf.Tensor, name: str, number: int) -> tf.Tensor:
        """What one source adds to the 1x1 convolution over the concatenation.

        Args:
            layers: The layers of this forward pass.
            x: The source, `[B, h, w, c]`.
            name: Where the weights live in the bank.
            number: Number of the layer that reads it.

        Returns:
            `[B, h, w, filters_of(number)]`.
        """
        return layers.conv(layers.relu(x), name, self.filters_of(number), 1)

    def halve(self, layers: LayerInterface, x: tf.Tensor, source: int, number: int) -> tf.Tensor:
        """Factorised reduction of one source after a layer.

        Args:
            layers: The layers of this forward pass.
            x: The source, `[B, h, w, c]`.
            source: Its number.
            number: Number of the layer.

        Returns:
            `[B, h / 2, w / 2, filters_of(number + 1)]`.
        """
        name = f"reduction{number}/{source_part(source)}"
        return factorised_reduction(layers, {"x": x}, name, self.filters_of(number + 1))

    def head(self, layers: LayerInterface, x: tf.Tensor) -> tf.Tensor:
        """ReLU, global average, dropout, affine map.

        Args:
            layers: The layers of this forward pass.
            x: Output of the last layer, `[B, h, w, c]`.

        Returns:
            Logits `[B, num_classes]`.
        """
        pooled = layers.dropout(layers.global_average(layers.relu(x)), self.dropout)
        return layers.dense(pooled, "classifier", self.num_classes)


def macro_network(architecture: MacroArchitecture, options: NetworkOptions) -> MacroNetwork:
    """The network of a macro architecture.

    Args:
        architecture: The layers.
        options: `filters`, `stem_stride`, `drop_path` and `dropout` count.

    Returns:
        The network.
    """
    return MacroNetwork(architecture, widening=WIDENING, **options.of(MacroNetwork))


def source_part(source: int) -> str:
    """How a source is called in the names of weights."""
    return f"source{source}"

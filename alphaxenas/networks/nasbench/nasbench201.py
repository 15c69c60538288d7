"""The network that a cell of NAS-Bench-201 stands for: stem, three stages of one cell each repeated, classifier.

The stem is a 3x3 convolution with batch norm. Every stage repeats the cell, whose nodes are the sums of their edges:
nothing, the source itself, ReLU - convolution - batch norm, or 3x3 average pooling. Between stages a residual block
halves the image and doubles the channels: two 3x3 convolutions as on the edges, the first of stride 2, and beside them
2x2 average pooling and a 1x1 convolution. Batch norm, ReLU, the mean over the image and a classifier end the network.

As published, everything is built and trained that a cell names, also what no path joins to its output; a node without
inputs is zero, of which a convolution with batch norm makes its offset. Trainable parameters and multiply-adds of
convolutions are those of the published table (16 channels, 15 cells; tested).

Source: Dong & Yang 2020, "NAS-Bench-201", section 2.1 and figure 1. Departures: epsilon of batch norm 1e-3 instead of
1e-5, initial kernels of variance 2 / fan-in, and the image is padded as TensorFlow does it where it is halved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alphaxenas.networks.nasbench.stages import first_cells
from alphaxenas.networks.options import NetworkOptions, apply_stem
from alphaxenas.spaces.nasbench.nasbench201 import EDGES, NASBench201Cell

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.networks.layer_interface import LayerInterface


@dataclass(frozen=True)
class NASBench201Network:
    """A child network; calling it builds the forward pass.

    Attributes:
        cell: The architecture.
        num_classes: Number of classes.
        filters: Channels of the first stage; published: 16.
        cells: Number of cells of all three stages together, >= 3; published: 15.
        stem_stride: 1, 2 to halve the image in the stem, or 8 for large images; see `apply_stem`.
        dropout: Rate before the classifier.
    """

    cell: NASBench201Cell
    num_classes: int
    filters: int = 16
    cells: int = 15
    stem_stride: int = 1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        first_cells(self.cells)

    def filters_of(self, index: int) -> int:
        """Channels of a cell."""
        return self.filters * 2 ** sum(index >= first for first in first_cells(self.cells))

    def __call__(self, layers: LayerInterface, images: tf.Tensor) -> list[tf.Tensor]:
        """Logits `[B, num_classes]` of normalised images `[B, h, w, c]`, as a list of one."""
        x = self.stem(layers, images)
        for index in range(self.cells):
            x = self.enter(layers, x, index)
            nodes = [x]
            for target in range(1, 4):
                edges = [edge for edge, (_, end) in enumerate(EDGES) if end == target]
                parts = [
                    self.operate(layers, self.cell.operations[edge], nodes[EDGES[edge][0]], index, edge)
                    for edge in edges
                    if self.cell.operations[edge] != "none"
                ]
                nodes.append(layers.add(parts) if parts else layers.zeros(x))
            x = nodes[-1]
        return [self.head(layers, x)]

    def stem(self, layers: LayerInterface, images: tf.Tensor) -> tf.Tensor:
        """As `apply_stem`.

        Args:
            layers: The layers of this forward pass.
            images: `[B, h, w, c]`.

        Returns:
            `[B, h / stem_stride, w / stem_stride, filters]`.
        """
        return apply_stem(layers, images, self.filters, self.stem_stride)

    def enter(self, layers: LayerInterface, x: tf.Tensor, index: int) -> tf.Tensor:
        """What a cell reads: the output before it, at the beginning of a stage through a residual block.

        Args:
            layers: The layers of this forward pass.
            x: Output of the cell before, or of the stem.
            index: Number of the cell.

        Returns:
            `[B, h, w, filters_of(index)]`.
        """
        if index not in first_cells(self.cells):
            return x
        name, filters = f"reduction{index}", self.filters_of(index)
        y = layers.conv(layers.relu(x), f"{name}/first", filters, 3, 2)
        y = layers.conv(layers.relu(layers.batch_norm(y, f"{name}/first")), f"{name}/second", filters, 3)
        halved = layers.conv(layers.average_pool(x, 2, 2), f"{name}/beside", filters, 1)
        return layers.add([halved, layers.batch_norm(y, f"{name}/second")])

    def operate(self, layers: LayerInterface, operation: str, x: tf.Tensor, index: int, edge: int) -> tf.Tensor:
        """The operation of an edge.

        Args:
            layers: The layers of this forward pass.
            operation: One of `OPERATIONS_201`.
            x: The source, `[B, h, w, filters_of(index)]`.
            index: Number of the cell.
            edge: Place in `EDGES`.

        Returns:
            The shape of `x`.
        """
        if operation == "none":
            return layers.zeros(x)
        if operation == "skip_connect":
            return x
        if operation == "avg_pool_3x3":
            return layers.average_pool(x, 3)
        source, target = EDGES[edge]
        name, size = f"cell{index}/edge{source}-{target}/{operation}", int(operation[-1])
        return layers.batch_norm(layers.conv(layers.relu(x), name, self.filters_of(index), size), name)

    def head(self, layers: LayerInterface, x: tf.Tensor) -> tf.Tensor:
        """Batch norm, ReLU, mean over the image, and the classifier.

        Args:
            layers: The layers of this forward pass.
            x: Output of the last cell.

        Returns:
            Logits `[B, num_classes]`.
        """
        pooled = layers.global_average(layers.relu(layers.batch_norm(x, "head")))
        return layers.dense(layers.dropout(pooled, self.dropout), "classifier", self.num_classes)


def nasbench201_network(cell: NASBench201Cell, options: NetworkOptions) -> NASBench201Network:
    """The network of a cell.

    Args:
        cell: The architecture.
        options: `num_classes`, `filters`, `cells`, `stem_stride` and `dropout` count.

    Returns:
        The network.
    """
    return NASBench201Network(cell, **options.of(NASBench201Network))

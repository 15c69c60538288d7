"""The network that a cell of NAS-Bench-101 stands for: stem, three stacks of one cell each repeated, classifier.

Every convolution, the stem included, is followed by batch norm and ReLU. A vertex applies its operation to the sum of
the vertices that it reads; the cell's input reaches a vertex through a 1x1 convolution to its channels. The output
concatenates the vertices that feed it, and adds the input, through such a convolution, where an edge joins them. Before
the second and the third stack 2x2 maximum pooling halves the image, and channels are doubled. The mean over the image
and a classifier end the network.

Trainable parameters are those of the published table (128 channels, 9 cells; tested).

With shared weights a kernel belongs to a vertex, an operation and a number of channels: cells that give a vertex other
channels have weights of their own there.

Source: Ying et al. 2019, "NAS-Bench-101", section 2.2 and appendix A. Departures: epsilon of batch norm 1e-3 instead of
1e-5, and initial kernels of variance 2 / fan-in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alphaxenas.networks.nasbench.stages import first_cells
from alphaxenas.networks.options import NetworkOptions, apply_stem
from alphaxenas.spaces.nasbench.cell101 import NASBench101Cell
from alphaxenas.suggestions import invalid

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.networks.layer_interface import LayerInterface


def vertex_channels(cell: NASBench101Cell, channels: int) -> tuple[int, ...]:
    """Channels of the inner vertices.

    Those that feed the output share its channels evenly, the first ones one more each where that leaves a rest. Every
    other vertex has as many as the widest one that it feeds.

    Args:
        cell: The architecture.
        channels: Of the cell's output.

    Returns:
        Channels of vertices 1..n.

    Raises:
        ValueError: There are fewer channels than vertices that feed the output.

    Source: Ying et al. 2019, appendix A, and the published function `compute_vertex_channels`.
    """
    last = len(cell.operations) + 1
    feeding = [source for source, target in cell.edges if target == last and source]
    if channels < len(feeding):
        raise invalid(
            "filters", f"at least {len(feeding)}, one for each vertex that feeds the output of {cell}", channels
        )
    found = [0] * (last + 1)
    for place, vertex in enumerate(feeding):
        found[vertex] = channels // len(feeding) + (place < channels % len(feeding))
    for vertex in range(last - 1, 0, -1):
        if vertex not in feeding:
            found[vertex] = max(found[target] for source, target in cell.edges if source == vertex)
    return tuple(found[1:last])


@dataclass(frozen=True)
class NASBench101Network:
    """A child network; calling it builds the forward pass.

    Attributes:
        cell: The architecture.
        num_classes: Number of classes.
        filters: Channels of the stem and of the first stack; published: 128.
        cells: Number of cells of all three stacks together, >= 3; published: 9.
        stem_stride: 1, 2 to halve the image in the stem, or 8 for large images; see `apply_stem`.
        dropout: Rate before the classifier.
    """

    cell: NASBench101Cell
    num_classes: int
    filters: int = 128
    cells: int = 9
    stem_stride: int = 1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        first_cells(self.cells)
        vertex_channels(self.cell, self.filters)

    def filters_of(self, index: int) -> int:
        """Channels of a cell's output."""
        return self.filters * 2 ** sum(index >= first for first in first_cells(self.cells))

    def __call__(self, layers: LayerInterface, images: tf.Tensor) -> list[tf.Tensor]:
        """Logits `[B, num_classes]` of normalised images `[B, h, w, c]`, as a list of one."""
        x = layers.relu(apply_stem(layers, images, self.filters, self.stem_stride))
        for index in range(self.cells):
            x = self._cell(layers, layers.max_pool(x, 2, 2) if index in first_cells(self.cells) else x, index)
        pooled = layers.dropout(layers.global_average(x), self.dropout)
        return [layers.dense(pooled, "classifier", self.num_classes)]

    def _cell(self, layers: LayerInterface, x: tf.Tensor, index: int) -> tf.Tensor:
        width, last = self.filters_of(index), len(self.cell.operations) + 1
        channels = (0, *vertex_channels(self.cell, width))
        values = [x]
        for vertex, operation in enumerate(self.cell.operations, start=1):
            own, name = channels[vertex], f"cell{index}/vertex{vertex}"
            sources = [source for source, target in self.cell.edges if target == vertex]
            parts = [layers.first_channels(values[source], own) for source in sources if source]
            if 0 in sources:
                parts.append(_convolved(layers, x, f"{name}/input/{own}", own, 1))
            y = layers.add(parts)
            if operation == "maxpool3x3":
                y = layers.max_pool(y, 3)
            else:
                y = _convolved(layers, y, f"{name}/{operation}/{own}", own, int(operation[4]))
            values.append(y)
        ends = [source for source, target in self.cell.edges if target == last]
        parts = [_convolved(layers, x, f"cell{index}/output/input", width, 1)] if 0 in ends else []
        if any(ends):
            parts.append(layers.concat([values[end] for end in ends if end]))
        return layers.add(parts)


def nasbench101_network(cell: NASBench101Cell, options: NetworkOptions) -> NASBench101Network:
    """The network of a cell.

    Args:
        cell: The architecture.
        options: `num_classes`, `filters`, `cells`, `stem_stride` and `dropout` count.

    Returns:
        The network.
    """
    return NASBench101Network(cell, **options.of(NASBench101Network))


def _convolved(layers: LayerInterface, x: tf.Tensor, name: str, filters: int, size: int) -> tf.Tensor:
    return layers.relu(layers.batch_norm(layers.conv(x, name, filters, size), name))

"""The network that a cell stands for: stem, N copies of the cell with reductions, classifier.

Every cell receives the outputs of the two cells before it. Each is brought to the cell's resolution by average pooling
and to its number of filters by a 1x1 convolution over the concatenated loose ends. That convolution is computed as a
sum of one 1x1 convolution per loose end, which is the same function without the copies: its weights are addressed by
the block they read, so that children with different loose ends still share them.

Departures from the seed (AlphaXENAS): weights per position and operation instead of one kernel per operation for the
whole network; the two-input index rule reaches the cell before the previous one and the block just before; optional
reductions (0 keeps the seed's full-resolution network); only loose ends reach the next cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alphaxenas.networks.options import NetworkOptions
from alphaxenas.spaces.cell import Block, Cell
from alphaxenas.suggestions import invalid

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.networks.layer_interface import LayerInterface


@dataclass(frozen=True)
class CellNetwork:
    """A child network; calling it builds the forward pass.

    Attributes:
        cell: The architecture.
        num_classes: Number of classes.
        filters: Channels of every block before the first reduction; doubled by each reduction.
        cells: Number of copies of the cell.
        reductions: How many times height and width are halved, at evenly spaced cells; 0 for none.
        stem_stride: 1, or 2 to halve the image in the stem.
        drop_path: Largest drop-path rate; see `LayerInterface.drop_path`.
        dropout: Rate before the classifier.
        auxiliary: Whether a second classifier reads the first cell after the last reduction, in training only.
    """

    cell: Cell
    num_classes: int
    filters: int = 16
    cells: int = 6
    reductions: int = 2
    stem_stride: int = 1
    drop_path: float = 0.0
    dropout: float = 0.0
    auxiliary: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.reductions < max(self.cells, 1) or self.cells < 1:
            raise invalid("reductions", f"0 to {self.cells - 1}, fewer than cells", self.reductions)

    def reduction_cells(self) -> tuple[int, ...]:
        """Indices of the cells that work at half the resolution of the cell before them."""
        return tuple(self.cells * (stage + 1) // (self.reductions + 1) for stage in range(self.reductions))

    def __call__(self, layers: LayerInterface, images: tf.Tensor) -> list[tf.Tensor]:
        """Logits of a batch.

        Args:
            layers: The layers of this forward pass.
            images: Normalised images `[B, h, w, c]`.

        Returns:
            Logits `[B, num_classes]` in float32; in training with `auxiliary`, followed by the second classifier's.
        """
        stem = layers.conv(layers.input(images), "stem", self.filters, 3, self.stem_stride)
        stem = layers.batch_norm(stem, "stem")
        before, previous = {"stem": stem}, {"stem": stem}
        filters, logits = self.filters, []
        for index in range(self.cells):
            if index in self.reduction_cells():
                filters *= 2
            states = []
            for source, (name, ends) in enumerate((("previous", previous), ("before", before))):
                stride = 2 ** (self._halvings(index) - self._halvings(index - 1 - source))
                states.append(
                    self._project(layers, ends, f"cell{index}/{name}", filters, stride) if self._reads(source) else None
                )
            for number, block in enumerate(self.cell.blocks):
                states.append(
                    self._block(layers, block, states, f"cell{index}/block{number}", filters, (index + 1) / self.cells)
                )
            before, previous = previous, {f"block{end}": states[2 + end] for end in self.cell.output_blocks()}
            if self.auxiliary and layers.training and index == max(self.reduction_cells(), default=self.cells // 2):
                logits.append(self._auxiliary_head(layers, previous, filters))
        features = layers.relu(self._project(layers, previous, "head", 2 * filters))
        pooled = layers.dropout(layers.global_average(features), self.dropout)
        return [layers.dense(pooled, "classifier", self.num_classes), *logits]

    def _reads(self, source: int) -> bool:
        return any(source in (block.input1, block.input2) for block in self.cell.blocks)

    def _halvings(self, index: int) -> int:
        return sum(index >= reduction for reduction in self.reduction_cells())

    def _project(
        self, layers: LayerInterface, ends: dict[str, tf.Tensor], name: str, filters: int, stride: int = 1
    ) -> tf.Tensor:
        parts = []
        for end, x in ends.items():
            if stride > 1:
                x = layers.average_pool(x, stride, stride)
            parts.append(layers.conv(layers.relu(x), f"{name}/{end}", filters, 1))
        return layers.batch_norm(layers.add(parts), name)

    def _block(
        self, layers: LayerInterface, block: Block, states: list, name: str, filters: int, depth: float
    ) -> tf.Tensor:
        sides = []
        for slot, source, operation in (
            ("first", block.input1, block.operation1),
            ("second", block.input2, block.operation2),
        ):
            y = apply_operation(layers, operation, states[source], f"{name}/{slot}/{operation}", filters)
            sides.append(y if operation == "identity" else layers.drop_path(y, self.drop_path, depth))
        if block.combination == "add":
            return layers.add(sides)
        # A 1x1 convolution over the concatenation, as a sum of one per side.
        parts = [
            layers.conv(layers.relu(y), f"{name}/concat/{slot}", filters, 1)
            for slot, y in zip(("first", "second"), sides)
        ]
        return layers.batch_norm(layers.add(parts), f"{name}/concat")

    def _auxiliary_head(self, layers: LayerInterface, ends: dict[str, tf.Tensor], filters: int) -> tf.Tensor:
        x = layers.relu(self._project(layers, ends, "auxiliary", filters))
        return layers.dense(layers.global_average(x), "auxiliary/classifier", self.num_classes)


def cell_network(cell: Cell, options: NetworkOptions) -> CellNetwork:
    """The network of a cell.

    Args:
        cell: The architecture.
        options: All but `chain_form` count.

    Returns:
        The network.
    """
    return CellNetwork(
        cell,
        options.num_classes,
        filters=options.filters,
        cells=options.cells,
        reductions=options.reductions,
        stem_stride=options.stem_stride,
        drop_path=options.drop_path,
        dropout=options.dropout,
        auxiliary=options.auxiliary,
    )


def apply_operation(layers: LayerInterface, operation: str, x: tf.Tensor, name: str, filters: int) -> tf.Tensor:
    """One operation of a block.

    Args:
        layers: The layers of this forward pass.
        operation: `convKxK` (ReLU, convolution, batch norm), `sepKxK` (ReLU, depthwise, 1x1 convolution, batch norm),
            `identity`, `maxpoolKxK` or `avgpoolKxK`, with any K.
        x: `[B, h, w, filters]`.
        name: Where the weights live in the bank.
        filters: Number of output channels.

    Returns:
        `[B, h, w, filters]`.

    Raises:
        ValueError: The operation is unknown.
    """
    kind, size = operation.rstrip("0123456789x"), operation.rpartition("x")[2]
    if kind == "conv":
        return layers.batch_norm(layers.conv(layers.relu(x), name, filters, int(size)), name)
    if kind == "sep":
        spatial = layers.depthwise(layers.relu(x), name, int(size))
        return layers.batch_norm(layers.conv(spatial, f"{name}/pointwise", filters, 1), name)
    if kind == "maxpool":
        return layers.max_pool(x, int(size))
    if kind == "avgpool":
        return layers.average_pool(x, int(size))
    if kind == "identity":
        return x
    raise invalid("operation", "convKxK, sepKxK, maxpoolKxK, avgpoolKxK or identity", repr(operation))

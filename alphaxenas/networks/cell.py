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
from typing import TYPE_CHECKING, Any

from alphaxenas.networks.micro_operations import apply_micro_operation, separable
from alphaxenas.networks.options import NetworkOptions, apply_stem
from alphaxenas.spaces.cell import Block, Cell
from alphaxenas.suggestions import invalid

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.networks.layer_interface import LayerInterface

SLOTS = ("first", "second")
"""The two operations of a block, in the names of weights."""
Ends = dict[str, Any]
"""What is concatenated: tensors `[B, h, w, c]` by the names of the weights that read them."""


class CellStack:
    """What all networks of stacked cells share: the walk over cells and blocks; calling a network builds it.

    A subclass is a dataclass with `filters`, `cells`, `stem_stride` and `drop_path` and with the methods that the walk
    asks; `index` is the number of a cell in all of them, -1 the stem.
    """

    def __call__(self: Any, layers: LayerInterface, images: tf.Tensor) -> list[tf.Tensor]:
        """Logits of a batch.

        Args:
            layers: The layers of this forward pass.
            images: Normalised images `[B, h, w, c]`.

        Returns:
            Logits `[B, num_classes]` in float32; in training with a second classifier, followed by that one's.
        """
        stem = {"stem": self.stem(layers, images)}
        before, previous, logits = stem, stem, []
        for index in range(self.cells):
            cell = self.cell_of(index)
            read = {source for row in cell.rows for source in row[:2]}
            states = [
                self.preprocess(layers, ends, index, source) if source in read else None
                for source, ends in enumerate((previous, before))
            ]
            for number, block in enumerate(cell.blocks):
                states.append(self.block(layers, block, states, index, number))
            ends = {f"block{end}": states[2 + end] for end in self.ends_of(cell)}
            before, previous = previous, self.output(layers, ends, index)
            if self.has_auxiliary_head(layers, index):
                logits.append(self.auxiliary_head(layers, previous))
        return [self.head(layers, previous), *logits]

    def stem(self: Any, layers: LayerInterface, images: tf.Tensor) -> tf.Tensor:
        """As `apply_stem`.

        Args:
            layers: The layers of this forward pass.
            images: `[B, h, w, c]`.

        Returns:
            `[B, h / stem_stride, w / stem_stride, filters_of(-1)]`.
        """
        return apply_stem(layers, images, self.filters_of(-1), self.stem_stride)

    def block(self: Any, layers: LayerInterface, block: Block, states: list, index: int, number: int) -> tf.Tensor:
        """The output of a block: both operations, added, or concatenated and brought back to the cell's filters.

        Args:
            layers: The layers of this forward pass.
            block: Inputs, operations and combination.
            states: The cell's inputs and the outputs of its earlier blocks.
            index: Index of the cell.
            number: Number of the block.

        Returns:
            `[B, h, w, filters_of(index)]`.
        """
        sides = []
        pairs = (block.input1, block.operation1), (block.input2, block.operation2)
        for slot, (source, operation) in enumerate(pairs):
            name = self.name_of(index, number, slot, operation)
            sides.append(self.operate(layers, operation, states[source], name, index, self.stride_of(index, source)))
        if block.combination == "add":
            return layers.add(sides)
        return self.project(
            layers, dict(zip(SLOTS, sides)), f"cell{index}/block{number}/concat", self.filters_of(index)
        )

    def operate(
        self: Any, layers: LayerInterface, operation: str, x: tf.Tensor, name: str, index: int, stride: int
    ) -> tf.Tensor:
        """One operation of a node, with drop-path.

        Args:
            layers: The layers of this forward pass.
            operation: One that the network's `apply` knows.
            x: `[B, h, w, c]`.
            name: Where the weights live in the bank.
            index: Index of the cell.
            stride: 1 or 2.

        Returns:
            `[B, h / stride, w / stride, filters_of(index)]`.
        """
        y = self.apply(layers, operation, x, name, self.filters_of(index), stride)
        return y if operation == "identity" else layers.drop_path(y, self.drop_path, (index + 1) / self.cells)

    @staticmethod
    def project(layers: LayerInterface, ends: Ends, name: str, filters: int) -> tf.Tensor:
        """ReLU, 1x1 convolution over the concatenated ends, batch norm.

        Args:
            layers: The layers of this forward pass.
            ends: What is concatenated.
            name: Where the weights live in the bank.
            filters: Number of output channels.

        Returns:
            `[B, h, w, filters]`.
        """
        parts = [layers.conv(layers.relu(x), f"{name}/{end}", filters, 1) for end, x in ends.items()]
        return layers.batch_norm(layers.add(parts), name)

    @staticmethod
    def name_of(index: int, number: int, slot: int, operation: str) -> str:
        """Where an operation's weights live in the bank.

        Args:
            index: Index of the cell.
            number: Number of the block.
            slot: 0 or 1, which of the block's two operations.
            operation: Its name.

        Returns:
            A prefix of names.
        """
        return f"cell{index}/block{number}/{SLOTS[slot]}/{operation}"

    def halvings(self: Any, index: int) -> int:
        """How many reduction cells there are up to and including a cell."""
        return sum(index >= reduction for reduction in self.reduction_cells())


@dataclass(frozen=True)
class CellNetwork(CellStack):
    """A child network; calling it builds the forward pass.

    Attributes:
        cell: The architecture.
        num_classes: Number of classes.
        filters: Channels of every block before the first reduction; doubled by each reduction.
        cells: Number of copies of the cell.
        reductions: How many times height and width are halved, at evenly spaced cells; 0 for none.
        stem_stride: 1, 2 to halve the image in the stem, or 8 for large images; see `apply_stem`.
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

    def filters_of(self, index: int) -> int:
        """Channels of the blocks of a cell."""
        return self.filters * 2 ** self.halvings(index)

    def cell_of(self, index: int) -> Cell:
        """The cell at an index."""
        return self.cell

    def ends_of(self, cell: Cell) -> tuple[int, ...]:
        """Numbers of the blocks that are concatenated to a cell's output."""
        return cell.output_blocks()

    def stride_of(self, index: int, source: int) -> int:
        """Stride of an operation: inputs are brought to a cell's resolution before.

        Args:
            index: Index of the cell.
            source: Number of the input.
        """
        return 1

    def preprocess(self, layers: LayerInterface, ends: Ends, index: int, source: int) -> tf.Tensor:
        """An input of a cell, at the cell's number of filters and resolution.

        Args:
            layers: The layers of this forward pass.
            ends: What is concatenated.
            index: Index of the cell.
            source: 0 for the previous cell, 1 for the one before.

        Returns:
            `[B, h, w, filters_of(index)]`.
        """
        stride = 2 ** (self.halvings(index) - self.halvings(index - 1 - source))
        if stride > 1:
            ends = {end: layers.average_pool(x, stride, stride) for end, x in ends.items()}
        return self.project(layers, ends, f"cell{index}/{('previous', 'before')[source]}", self.filters_of(index))

    def apply(
        self, layers: LayerInterface, operation: str, x: tf.Tensor, name: str, filters: int, stride: int = 1
    ) -> tf.Tensor:
        """One operation of a block; see `apply_operation`.

        Args:
            layers: The layers of this forward pass.
            operation: As of `apply_operation`.
            x: `[B, h, w, filters]`.
            name: Where the weights live in the bank.
            filters: Number of output channels.
            stride: 1.
        """
        return apply_operation(layers, operation, x, name, filters)

    def output(self, layers: LayerInterface, ends: Ends, index: int) -> Ends:
        """What later cells read of a cell: its ends.

        Args:
            layers: The layers of this forward pass.
            ends: Outputs of blocks.
            index: Index of the cell.
        """
        return ends

    def head(self, layers: LayerInterface, ends: Ends) -> tf.Tensor:
        """1x1 convolution, batch norm, ReLU, global average, dropout, affine map.

        Args:
            layers: The layers of this forward pass.
            ends: Output of the last cell.

        Returns:
            Logits `[B, num_classes]`.
        """
        features = layers.relu(self.project(layers, ends, "head", 2 * self.filters_of(self.cells)))
        pooled = layers.dropout(layers.global_average(features), self.dropout)
        return layers.dense(pooled, "classifier", self.num_classes)

    def has_auxiliary_head(self, layers: LayerInterface, index: int) -> bool:
        """Whether the second classifier reads this cell.

        Args:
            layers: The layers of this forward pass.
            index: Index of the cell.
        """
        read = max(self.reduction_cells(), default=self.cells // 2)
        return self.auxiliary and layers.training and index == read

    def auxiliary_head(self, layers: LayerInterface, ends: Ends) -> tf.Tensor:
        """1x1 convolution, batch norm, ReLU, global average, affine map.

        Args:
            layers: The layers of this forward pass.
            ends: Output of the cell that it reads.

        Returns:
            Logits `[B, num_classes]`.
        """
        filters = self.filters_of(max(self.reduction_cells(), default=0))
        x = layers.relu(self.project(layers, ends, "auxiliary", filters))
        return layers.dense(layers.global_average(x), "auxiliary/classifier", self.num_classes)


def cell_network(cell: Cell, options: NetworkOptions) -> CellNetwork:
    """The network of a cell.

    Args:
        cell: The architecture.
        options: All but `width_share` and `chain_form` count.

    Returns:
        The network.
    """
    return CellNetwork(cell, **options.of(CellNetwork))


def apply_operation(layers: LayerInterface, operation: str, x: tf.Tensor, name: str, filters: int) -> tf.Tensor:
    """One operation of a block, at stride 1.

    Args:
        layers: The layers of this forward pass.
        operation: As of `apply_micro_operation`, but `sepKxK` is applied once.
        x: `[B, h, w, filters]`.
        name: Where the weights live in the bank.
        filters: Number of output channels.

    Returns:
        `[B, h, w, filters]`.

    Raises:
        ValueError: The operation is unknown.
    """
    if operation.startswith("sep"):
        return separable(layers, x, name, filters, int(operation.rpartition("x")[2]))
    return apply_micro_operation(layers, operation, x, name, filters)

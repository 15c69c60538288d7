"""The network that a pair of micro cells stands for: stem, normal cells, a reduction cell after each third, classifier.

Every cell receives the outputs of the two cells before it. Each is brought to the cell's number of filters by ReLU, a
1x1 convolution and batch norm; the older one, where it still has the earlier resolution, by a factorised reduction. In
a reduction cell, operations that read a cell input have stride 2 and filters are doubled. Loose ends are concatenated;
all that reads the concatenation computes one product per loose end, addressed by the block it reads, so that
architectures with different loose ends share weights.

Where the published families differ, this network follows NASNet and ENAS and has an option for the others:
`sep_repeats` (DARTS, ENAS, NASNet: 2), `concat_all` (DARTS concatenates every node, not the unused ones), `joined`
(ENAS and NAO with shared weights bring what is concatenated back to one number of filters and normalise it). With
shared weights `joined` matters: without it the classifier reads sums of up to 32 terms from one architecture and of two
from the next, and hardly learns.

Sources: Zoph et al. 2018, section 3.1 and appendix A; Pham et al. 2018, sections 2.3 and 3.2.
Departures: the auxiliary head ends in a global average instead of a convolution over the whole image, so that it fits
images of any size; pooling is not followed by batch norm (as in DARTS) nor preceded by a 1x1 convolution (its input has
the right number of filters already).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from alphaxenas.networks.cell import CellStack, Ends
from alphaxenas.networks.micro_operations import apply_micro_operation, factorised_reduction
from alphaxenas.networks.options import LARGE_STRIDE, NetworkOptions
from alphaxenas.spaces.cell import Cell
from alphaxenas.spaces.forms.genotype import Genotype
from alphaxenas.spaces.micro import MicroArchitecture
from alphaxenas.spaces.zoo import ZooCell
from alphaxenas.suggestions import check_whole

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.networks.layer_interface import LayerInterface

STEM_FACTOR = 3
FEWEST_CELLS = 3
"""One, and a reduction cell after each third."""
AUXILIARY_FILTERS, AUXILIARY_FACTOR = 128, 6
"""Channels of the auxiliary head's first convolution, and their factor in the second: 128 and 768, as published."""


@dataclass(frozen=True)
class MicroNetwork(CellStack):
    """A network of normal and reduction cells; calling it builds the forward pass.

    Attributes:
        architecture: The two cells.
        num_classes: Number of classes.
        filters: Channels of every node before the first reduction, even; doubled by each.
        cells: Number of cells, reduction cells included, >= 3. Published: 8 while ENAS and NAO search, 17 and 20 in the
            end.
        stem_stride: 1, 2 to halve the image in the stem, or 8 for large images; see `apply_stem`.
        drop_path: Largest drop-path rate; see `LayerInterface.drop_path`.
        dropout: Rate before the classifier.
        auxiliary_filters: Channels of the first convolution of a second classifier that reads the last reduction cell,
            in training only; 0 for none, 128 as published.
        sep_repeats: See `apply_micro_operation`.
        concat_all: Whether the outputs of all nodes are concatenated, not only those that no node uses.
        joined: Whether a cell ends in ReLU, a 1x1 convolution of its concatenated nodes to its number of filters, and
            batch norm.
    """

    architecture: MicroArchitecture
    num_classes: int
    filters: int = 16
    cells: int = 8
    stem_stride: int = 1
    drop_path: float = 0.0
    dropout: float = 0.0
    auxiliary_filters: int = 0
    sep_repeats: int = 2
    concat_all: bool = False
    joined: bool = False

    def __post_init__(self) -> None:
        check_whole("cells", self.cells, FEWEST_CELLS)
        check_whole("filters", self.filters, 2)
        check_whole("sep_repeats", self.sep_repeats)

    def reduction_cells(self) -> tuple[int, int]:
        """Indices of the reduction cells: a third and two thirds of all."""
        return self.cells // 3, 2 * self.cells // 3

    def filters_of(self, index: int) -> int:
        """Channels of the nodes of a cell; -1 is the stem."""
        if index < 0:
            return self.filters if self.stem_stride == LARGE_STRIDE else STEM_FACTOR * self.filters
        return self.filters * 2 ** self.halvings(index)

    def cell_of(self, index: int) -> Cell:
        """The cell at an index."""
        return self.architecture.reduction if index in self.reduction_cells() else self.architecture.normal

    def ends_of(self, cell: Cell) -> tuple[int, ...]:
        """Numbers of the blocks that are concatenated to a cell's output."""
        return tuple(range(len(cell.blocks))) if self.concat_all else cell.output_blocks()

    def preprocess(self, layers: LayerInterface, ends: Ends, index: int, source: int) -> tf.Tensor:
        """An input of a cell, at the cell's number of filters and the previous cell's resolution.

        Args:
            layers: The layers of this forward pass.
            ends: What is concatenated, by the name that its weights have; each `[B, h, w, c]`.
            index: Index of the cell.
            source: 0 for the previous cell, 1 for the one before.

        Returns:
            `[B, h, w, filters_of(index)]`, or half of the height and width, see `is_halved`.
        """
        name, filters = f"cell{index}/{('previous', 'before')[source]}", self.filters_of(index)
        if self.is_halved(index, source):
            return factorised_reduction(layers, ends, name, filters)
        return self.project(layers, ends, name, filters)

    def is_halved(self, index: int, source: int) -> bool:
        """Whether a cell's input has twice the resolution that the cell reads.

        Args:
            index: Index of the cell.
            source: 0 for the previous cell, 1 for the one before.

        Returns:
            True for the older input just after a reduction.
        """
        return source == 1 and self.halvings(index - 1) > self.halvings(index - 2)

    def output(self, layers: LayerInterface, ends: Ends, index: int) -> Ends:
        """What later cells read of a cell: its ends, or these joined.

        Args:
            layers: The layers of this forward pass.
            ends: Outputs of nodes by name, each `[B, h, w, c]`.
            index: Index of the cell.

        Returns:
            Tensors by the name that the weights reading them have.
        """
        if not self.joined:
            return ends
        return {"joined": self.project(layers, ends, f"cell{index}/joined", self.filters_of(index))}

    def stride_of(self, index: int, source: int) -> int:
        """Stride of an operation.

        Args:
            index: Index of the cell.
            source: Number of the node input that it reads; 0 and 1 are the cell's inputs.

        Returns:
            1 or 2.
        """
        return 2 if index in self.reduction_cells() and source < 2 else 1

    def apply(
        self, layers: LayerInterface, operation: str, x: tf.Tensor, name: str, filters: int, stride: int = 1
    ) -> tf.Tensor:
        """One operation of a node; see `apply_micro_operation`.

        Args:
            layers: The layers of this forward pass.
            operation: As of `apply_micro_operation`.
            x: `[B, h, w, filters]`.
            name: Where the weights live in the bank.
            filters: Number of output channels.
            stride: 1 or 2.
        """
        return apply_micro_operation(layers, operation, x, name, filters, stride, self.sep_repeats)

    def head(self, layers: LayerInterface, ends: Ends) -> tf.Tensor:
        """ReLU, global average, dropout, affine map.

        Args:
            layers: The layers of this forward pass.
            ends: Output of the last cell, each `[B, h, w, c]`.

        Returns:
            Logits `[B, num_classes]`.
        """
        pooled = {end: layers.dropout(layers.global_average(layers.relu(x)), self.dropout) for end, x in ends.items()}
        return layers.dense_of_parts(pooled, "classifier", self.num_classes)

    def has_auxiliary_head(self, layers: LayerInterface, index: int) -> bool:
        """Whether the second classifier reads this cell.

        Args:
            layers: The layers of this forward pass.
            index: Index of the cell.

        Returns:
            True for the last reduction cell, in training, with `auxiliary_filters`.
        """
        return bool(self.auxiliary_filters) and layers.training and index == self.reduction_cells()[-1]

    def auxiliary_head(self, layers: LayerInterface, ends: Ends) -> tf.Tensor:
        """ReLU, 5x5 average of stride 3, two convolutions with batch norm and ReLU, global average, affine map.

        Args:
            layers: The layers of this forward pass.
            ends: Output of the last reduction cell, each `[B, h, w, c]`.

        Returns:
            Logits `[B, num_classes]`.
        """
        pooled = {end: layers.average_pool(layers.relu(x), 5, 3) for end, x in ends.items()}
        x = layers.relu(self.project(layers, pooled, "auxiliary/first", self.auxiliary_filters))
        x = layers.conv(x, "auxiliary/second", AUXILIARY_FACTOR * self.auxiliary_filters, 3)
        x = layers.relu(layers.batch_norm(x, "auxiliary/second"))
        return layers.dense(layers.global_average(x), "auxiliary/classifier", self.num_classes)


def micro_network(architecture: MicroArchitecture, options: NetworkOptions) -> MicroNetwork:
    """The network of a searched pair of cells, joined.

    Args:
        architecture: The two cells.
        options: All but `reductions`, `width_share` and `chain_form` count.

    Returns:
        The network.
    """
    auxiliary_filters = AUXILIARY_FILTERS if options.auxiliary else 0
    own = options.of(MicroNetwork)
    return MicroNetwork(architecture, auxiliary_filters=auxiliary_filters, joined=True, **own)


def zoo_network(cell: ZooCell | Genotype, options: NetworkOptions) -> MicroNetwork:
    """The network of a published pair of cells, not joined.

    Args:
        cell: The two cells, and which nodes their authors concatenate.
        options: As for `micro_network`.

    Returns:
        The network.
    """
    return replace(micro_network(cell.architecture, options), concat_all=cell.concat_all, joined=False)

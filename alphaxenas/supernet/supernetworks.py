"""All networks of a space in one walk: the micro and the macro network with a switch for every choice.

A supernetwork builds the forward pass over `SwitchedLayers`, with the layer code of the network of one architecture,
and says which choices an architecture stands for, in the order in which the walk asks for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from alphaxenas.networks.macro import MacroNetwork, source_part
from alphaxenas.networks.micro import MicroNetwork
from alphaxenas.spaces.macro import MacroArchitecture, MacroSpace
from alphaxenas.spaces.micro import MicroArchitecture, MicroSpace

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.networks.training.loop import Network
    from alphaxenas.supernet.choice_array import ChoiceArray
    from alphaxenas.supernet.switched import SwitchedLayers

CELL_INPUTS = 2


class Supernetwork(Protocol):
    """All networks of a space."""

    def network(self, architecture) -> Network:
        """The network of one architecture."""

    def choices(self, architecture) -> list[int]:
        """What the walk's choices are for an architecture."""

    def __call__(self, layers: Any, images: Any) -> list:
        """Logits of a batch, as of the architecture's own network."""


@dataclass(frozen=True)
class MicroSupernetwork:
    """All networks of a micro space.

    Attributes:
        space: Nodes per cell and operations.
        build: Network of an architecture; all that it has beside its architecture must be the same for all.
    """

    space: MicroSpace
    build: Callable[[MicroArchitecture], MicroNetwork]

    def network(self, architecture: MicroArchitecture) -> MicroNetwork:
        """As `Supernetwork.network`."""
        return self.build(architecture)

    def choices(self, architecture: MicroArchitecture) -> list[int]:
        """For every operation of every cell: its input, and its number (behind all others where it strides)."""
        network, codes, found = self.build(architecture), self.space.operations, []
        for index in range(network.cells):
            for input1, input2, operation1, operation2, _ in network.cell_of(index).rows:
                for source, operation in ((input1, operation1), (input2, operation2)):
                    strides = network.stride_of(index, source) > 1
                    found += [
                        source,
                        codes.index(operation)
                        + (0 if strides or index not in network.reduction_cells() else len(codes)),
                    ]
        return found

    def __call__(self, layers: SwitchedLayers, images: tf.Tensor) -> list[tf.Tensor]:
        """As `Supernetwork.__call__`."""
        network = self._any_network()
        stem = {"stem": network.stem(layers, images)}
        before, previous, logits = stem, stem, []
        for index in range(network.cells):
            with layers.optional():
                inputs = [
                    network.preprocess(layers, ends, index, source) for source, ends in enumerate((previous, before))
                ]
            outputs = self._cell(layers, network, inputs, index)
            with layers.optional():
                ends = network.output(layers, {f"block{number}": x for number, x in enumerate(outputs)}, index)
            before, previous = previous, ends
            if network.has_auxiliary_head(layers, index):
                with layers.optional():
                    logits.append(network.auxiliary_head(layers, previous))
        with layers.optional():
            return [network.head(layers, previous), *logits]

    def _cell(self, layers: SwitchedLayers, network: MicroNetwork, inputs: list, index: int) -> list:
        """Outputs of all nodes. In a reduction cell inputs are larger than nodes, and both may be read."""
        reduces, outputs = index in network.reduction_cells(), []
        large = layers.choice_array(inputs[0])
        for x in inputs:
            large.append(x)
        nodes: ChoiceArray | None = None if reduces else large
        for number in range(self.space.blocks):
            sides = []
            for slot in range(2):
                source, chosen = layers.choice(), layers.choice()
                read = [(large.pick(source), 2 if reduces else 1)]
                if reduces and nodes is not None:
                    read.append((nodes.pick(source if source is None else source - CELL_INPUTS), 1))
                sides.append(self._side(layers, network, read, chosen, index, number, slot))
            outputs.append(layers.add(sides))
            if nodes is None:
                nodes = layers.choice_array(outputs[0])
            nodes.append(outputs[-1])
        return outputs

    def _side(
        self, layers: SwitchedLayers, network: MicroNetwork, read: list, chosen, index: int, number: int, slot: int
    ) -> tf.Tensor:
        def branch(operation: str, place: int, stride: int):
            name = network.name_of(index, number, slot, operation)
            return lambda inner, inputs: network.operate(inner, operation, inputs[place], name, index, stride)

        operations = self.space.operations
        branches = [
            branch(operation, place, stride) for place, (_, stride) in enumerate(read) for operation in operations
        ]
        same = (network.filters_of(index), *(stride for _, stride in read), index if network.drop_path else None)
        return layers.switch(chosen, branches, [x for x, _ in read], same)

    def _any_network(self) -> MicroNetwork:
        return self.build(self.space.decode(tuple(legal[0] for legal in self.space.legal_at[:-1])))


@dataclass(frozen=True)
class MacroSupernetwork:
    """All networks of a macro space.

    Attributes:
        space: How many layers.
        build: Network of an architecture; all that it has beside its architecture must be the same for all.
    """

    space: MacroSpace
    build: Callable[[MacroArchitecture], MacroNetwork]

    def network(self, architecture: MacroArchitecture) -> MacroNetwork:
        """As `Supernetwork.network`."""
        return self.build(architecture)

    def choices(self, architecture: MacroArchitecture) -> list[int]:
        """The operation of every layer; skip connections show in the weights of the path."""
        return [self.space.operations.index(layer.operation) for layer in architecture.layers]

    def __call__(self, layers: SwitchedLayers, images: tf.Tensor) -> list[tf.Tensor]:
        """As `Supernetwork.__call__`."""
        network = self.build(self.space.parse("; ".join([self.space.operations[0]] * self.space.layers)))
        sources = [network.stem(layers, images)]
        for number in range(network.depth):
            branches = [self._branch(network, operation, number) for operation in self.space.operations]
            same = (network.filters_of(number), number if network.drop_path else None)
            y = layers.switch(layers.choice(), branches, [sources[-1]], same)
            if number:
                parts = [network.part(layers, y, f"layer{number}/own", number)]
                with layers.optional():
                    parts += [
                        network.part(layers, sources[source], f"layer{number}/{source_part(source)}", number)
                        for source in range(number)
                    ]
                y = layers.batch_norm(layers.add(parts), f"layer{number}")
            sources.append(y)
            if number in network.reduced_after():
                with layers.optional():
                    sources = [network.halve(layers, x, source, number) for source, x in enumerate(sources)]
        return [network.head(layers, sources[-1])]

    @staticmethod
    def _branch(network: MacroNetwork, operation: str, number: int) -> Callable:
        # A function of its own, so that every branch keeps its operation: in the published code all ended with the
        # last.
        return lambda inner, inputs: network.operate(inner, operation, inputs[0], f"layer{number}/{operation}", number)

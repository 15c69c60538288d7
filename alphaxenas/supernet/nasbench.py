"""All networks of NAS-Bench-201 in one walk; see `alphaxenas.supernet.supernetworks`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alphaxenas.networks.nasbench.nasbench201 import NASBench201Network
from alphaxenas.spaces.nasbench.nasbench201 import EDGES, OPERATIONS_201, NASBench201, NASBench201Cell

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.supernet.switched import SwitchedLayers


@dataclass(frozen=True)
class NASBench201Supernetwork:
    """All networks of NAS-Bench-201 (`alphaxenas.supernet.supernetworks.Supernetwork`).

    Attributes:
        build: Network of an architecture; all that it has beside its architecture must be the same for all.
    """

    build: Callable[[NASBench201Cell], NASBench201Network]

    def network(self, architecture: NASBench201Cell) -> NASBench201Network:
        """As `Supernetwork.network`."""
        return self.build(architecture)

    def choices(self, architecture: NASBench201Cell) -> list[int]:
        """The operation of every edge, which is that of all cells."""
        return list(NASBench201().encode(architecture))

    def __call__(self, layers: SwitchedLayers, images: tf.Tensor) -> list[tf.Tensor]:
        """As `Supernetwork.__call__`."""
        network = self.build(NASBench201().decode((0,) * len(EDGES)))
        chosen = [layers.choice() for _ in EDGES]
        x = network.stem(layers, images)
        for index in range(network.cells):
            nodes = [network.enter(layers, x, index)]
            for target in range(1, 4):
                parts = [
                    layers.switch(
                        chosen[edge], self._branches(network, index, edge), [nodes[source]], network.filters_of(index)
                    )
                    for edge, (source, end) in enumerate(EDGES)
                    if end == target
                ]
                nodes.append(layers.add(parts))
            x = nodes[-1]
        return [network.head(layers, x)]

    @staticmethod
    def _branches(network: NASBench201Network, index: int, edge: int) -> list[Callable]:
        def branch(operation: str) -> Callable:
            return lambda inner, inputs: network.operate(inner, operation, inputs[0], index, edge)

        return [branch(operation) for operation in OPERATIONS_201]

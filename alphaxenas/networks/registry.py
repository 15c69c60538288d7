"""Which network is built around an architecture: one line per class of architectures.

A new space that trains on images brings its own module with the architecture's class and a network for it, and enters
both here and in `alphaxenas.spaces.from_parameters`:

    NETWORKS[Ladder] = NetworkFamily(ladder_network, ("filters", "dropout"))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alphaxenas.networks.cell import cell_network
from alphaxenas.networks.chain import chain_network
from alphaxenas.networks.convnet.network import convnet_network
from alphaxenas.networks.macro import macro_network
from alphaxenas.networks.micro import micro_network, zoo_network
from alphaxenas.networks.nasbench.nasbench101 import nasbench101_network
from alphaxenas.networks.nasbench.nasbench201 import nasbench201_network
from alphaxenas.networks.options import NetworkOptions
from alphaxenas.spaces.cell import Cell
from alphaxenas.spaces.chains.chain import Chain
from alphaxenas.spaces.convnet import ConvNet
from alphaxenas.spaces.forms.genotype import Genotype
from alphaxenas.spaces.macro import MacroArchitecture
from alphaxenas.spaces.micro import MicroArchitecture
from alphaxenas.spaces.nasbench.cell101 import NASBench101Cell
from alphaxenas.spaces.nasbench.nasbench201 import NASBench201Cell
from alphaxenas.spaces.zoo import ZooCell

if TYPE_CHECKING:
    from alphaxenas.networks.training.loop import Network


@dataclass(frozen=True)
class NetworkFamily:
    """The networks of one class of architectures.

    Attributes:
        build: Network of an architecture with given options.
        options: Names of the `NetworkOptions` that `build` uses, besides the number of classes.
        reductions: How often these networks halve the image, where that cannot be chosen.
    """

    build: Callable[[Any, NetworkOptions], Network]
    options: tuple[str, ...]
    reductions: int | None = None


_SIZES, _NOISE = ("filters", "stem_stride"), ("drop_path", "dropout")
NETWORKS: dict[type, NetworkFamily] = {
    Cell: NetworkFamily(cell_network, (*_SIZES, "cells", "reductions", *_NOISE, "auxiliary")),
    MicroArchitecture: NetworkFamily(micro_network, (*_SIZES, "cells", *_NOISE, "auxiliary"), reductions=2),
    ZooCell: NetworkFamily(zoo_network, (*_SIZES, "cells", *_NOISE, "auxiliary"), reductions=2),
    Genotype: NetworkFamily(zoo_network, (*_SIZES, "cells", *_NOISE, "auxiliary"), reductions=2),
    MacroArchitecture: NetworkFamily(macro_network, (*_SIZES, *_NOISE), reductions=2),
    NASBench101Cell: NetworkFamily(nasbench101_network, (*_SIZES, "cells", "dropout"), reductions=2),
    NASBench201Cell: NetworkFamily(nasbench201_network, (*_SIZES, "cells", "dropout"), reductions=2),
    Chain: NetworkFamily(chain_network, ("chain_form",)),
    ConvNet: NetworkFamily(convnet_network, ("width_share",)),
}


def network_family(architecture: Any) -> NetworkFamily:
    """The entry of an architecture's class.

    Raises:
        TypeError: The class has no entry.
    """
    family = NETWORKS.get(type(architecture))
    if family is None:
        known = ", ".join(kind.__name__ for kind in NETWORKS)
        raise TypeError(f"There is no network for a {type(architecture).__name__}. Expected one of {known}.")
    return family


def build_network(architecture: Any, options: NetworkOptions) -> Network:
    """The network of an architecture.

    Args:
        architecture: An instance of a class in `NETWORKS`.
        options: Sizes and regularisation; those that the family does not use are ignored.

    Returns:
        A function that builds the forward pass.

    Raises:
        TypeError: The architecture's class has no entry.
        ValueError: An option is impossible for this architecture.
    """
    return network_family(architecture).build(architecture, options)

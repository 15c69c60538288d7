"""Which space a configuration searches, and the networks that are built from its architectures: cells, pairs of cells,
chains.

`stages` uses this, so every stage and every controller works on chains as on cells. Chains of declared choices are
trained from scratch: they are small, and a position's kernels of different sizes share nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alphaxenas.config import Config
from alphaxenas.contracts import SearchSpace
from alphaxenas.networks.cell import CellNetwork
from alphaxenas.networks.chain import ChainNetwork, convolution_chain, mnist_chain
from alphaxenas.networks.macro import WIDENING, MacroNetwork
from alphaxenas.networks.micro import MicroNetwork
from alphaxenas.networks.training.loop import Network, Recipe
from alphaxenas.spaces.chains.chain import Chain
from alphaxenas.spaces.from_parameters import CHAIN_SPACES, space_from_parameters


def search_space(config: Config) -> SearchSpace:
    """The configured search space: `space` says which."""
    return space_from_parameters(config.parameters("space"))


def child_network(config: Config, num_classes: int) -> Callable[[Any], Network]:
    """What the search builds around an architecture."""
    child, space = config.child, config.space
    if space.space == "cell":
        return lambda cell: CellNetwork(
            cell, num_classes, child.filters, child.cells, child.reductions, child.stem_stride
        )
    if space.space == "micro":
        return lambda pair: MicroNetwork(pair, num_classes, child.filters, child.cells, child.stem_stride, joined=True)
    if space.space == "macro":
        return lambda chain: MacroNetwork(chain, num_classes, child.filters, WIDENING, child.stem_stride)
    return lambda chain: chain_network(config, chain, num_classes)


def chain_network(config: Config, chain: Chain, num_classes: int) -> ChainNetwork:
    """The network of a chain, in the search as in the final training."""
    if config.space.space == "mnist_chain":
        return mnist_chain(chain, num_classes, config.space.chain_form)
    return convolution_chain(chain, num_classes)


def child_recipe(config: Config) -> Recipe:
    """How children are trained in the search."""
    child = config.child
    return Recipe(
        child.learning_rate,
        child.momentum,
        child.weight_decay,
        child.gradient_clip,
        child.label_smoothing,
        precision=config.run.precision,
        optimizer=child.optimizer,
    )


def shares_weights(config: Config) -> bool:
    """Whether the children of the search share weights."""
    return not is_declared(config)


def is_declared(config: Config) -> bool:
    """Whether the space is one of declared choices (`alphaxenas.spaces.chains.state_space`): a layer chain."""
    return config.space.space in CHAIN_SPACES

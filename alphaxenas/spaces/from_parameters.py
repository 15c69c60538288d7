"""The search spaces that the parameter `space` can name, for searches and for whoever reads their records.

A new space is one module and one line of `SPACES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alphaxenas.contracts import SearchSpace
from alphaxenas.spaces.cell import CellSpace
from alphaxenas.spaces.chains.presets import convolution_chains, mnist_chains
from alphaxenas.spaces.checks import check_name
from alphaxenas.spaces.convnet import ConvNetSpace
from alphaxenas.spaces.macro import MacroSpace
from alphaxenas.spaces.micro import MicroSpace
from alphaxenas.spaces.nasbench.nasbench101 import NASBench101
from alphaxenas.spaces.nasbench.nasbench201 import NASBench201

SPACES: dict[str, Callable[[Mapping[str, Any]], SearchSpace]] = {
    "cell": lambda p: CellSpace(p["blocks"], tuple(p["operations"]), tuple(p["combinations"])),
    "chain": lambda p: convolution_chains(p["layers"], skips=p["chain_skips"]),
    "mnist_chain": lambda p: mnist_chains(p["layers"], skips=p["chain_skips"]),
    "micro": lambda p: MicroSpace(p["blocks"]),
    "macro": lambda p: MacroSpace(p["layers"]),
    "nasbench101": lambda p: NASBench101(),
    "nasbench201": lambda p: NASBench201(),
    "convnet": lambda p: ConvNetSpace(),
}
"""Name to builder; a builder reads the parameters that it needs from a mapping."""
CHAIN_SPACES = ("chain", "mnist_chain")
"""Spaces of layer chains."""
SCRATCH_SPACES = (*CHAIN_SPACES, "convnet")
"""Spaces whose children are all trained from scratch; in the others children may share weights."""

STAGED_SPACES = ("nasbench101", "nasbench201")
"""Spaces of published benchmarks whose networks have three stages."""


def shares_weights(parameters: Mapping[str, Any]) -> bool:
    """Whether the children of a search share weights: not those of chains and plain nets, whose kernels differ in size.

    Args:
        parameters: Those of a configuration or of a run's record; older records have no `share_weights`.
    """
    return parameters.get("share_weights", True) and parameters.get("space", "cell") not in SCRATCH_SPACES


def space_from_parameters(parameters: Mapping[str, Any]) -> SearchSpace:
    """Builds a search space.

    Args:
        parameters: Those of a configuration or of a run's record. Records without `space` are from the time when
            there were cells only.

    Raises:
        ValueError: No space has that name; names them all and the nearest.
    """
    return SPACES[check_name("space", parameters.get("space", "cell"), SPACES)](parameters)

"""The space that parameters name, for searches and for whoever reads their records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alphaxenas.contracts import SearchSpace
from alphaxenas.spaces.cell import CellSpace
from alphaxenas.spaces.chains.presets import chain_space
from alphaxenas.spaces.macro import MacroSpace
from alphaxenas.spaces.micro import MicroSpace

SPACES = ("cell", "chain", "mnist_chain", "micro", "macro")
CHAIN_SPACES = ("chain", "mnist_chain")
"""Spaces of layer chains, whose children are all trained from scratch; in the others children share weights."""


def space_from_parameters(parameters: Mapping[str, Any]) -> SearchSpace:
    """The space of the parameters `space`, `blocks`, `operations`, `combinations`, `chain_layers` and `chain_skips`.

    Records without `space` are from the time when there were cells only.
    """
    name = parameters.get("space", "cell")
    if name == "cell":
        return CellSpace(parameters["blocks"], tuple(parameters["operations"]), tuple(parameters["combinations"]))
    if name == "micro":
        return MicroSpace(parameters["blocks"])
    if name == "macro":
        return MacroSpace(parameters["chain_layers"])
    return chain_space(name, parameters["chain_layers"], parameters["chain_skips"])

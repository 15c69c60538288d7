"""The search spaces that must keep the contract: add a space here and every contract test runs on it."""

from __future__ import annotations

import pytest

from alphaxenas.spaces import CellSpace

SPACES = {
    "cell": CellSpace(),
    "cell of one block": CellSpace(blocks=1, operations=("conv3x3", "identity")),
    "cell of six blocks": CellSpace(blocks=6),
    "cell with add only": CellSpace(blocks=3, operations=("sep3x3", "maxpool3x3", "conv1x1"), combinations=("add",)),
}
TINY_SPACES = {
    "one block": CellSpace(blocks=1, operations=("conv3x3", "identity", "maxpool3x3")),
    "two blocks": CellSpace(blocks=2, operations=("conv3x3", "identity")),
    "three blocks": CellSpace(blocks=3, operations=("conv3x3",), combinations=("add", "concat")),
}


@pytest.fixture(params=SPACES)
def space(request):
    return SPACES[request.param]


@pytest.fixture(params=TINY_SPACES)
def tiny_space(request):
    return TINY_SPACES[request.param]

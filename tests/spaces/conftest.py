"""The search spaces that must keep the contract: add a space here and every contract test runs on it."""

from __future__ import annotations

import pytest

from alphaxenas.spaces import CellSpace, NASBench201, Table

SOME_CODES = tuple(("3x3", "5x5", "1x1")[a] + "," + str(b) + "," + ("max", "avg")[c] for a in range(3) for b in (8, 16, 128) for c in range(2) if (a + b + c) % 5)
SOME = Table(tuple(tuple(code.split(",")) for code in SOME_CODES), positions=("kernel", "width", "pool"))
EVERY = Table(tuple((a, b, c) for a in "01" for b in "012" for c in "xyz"))

SPACES = {
    "cell": CellSpace(),
    "cell of one block": CellSpace(blocks=1, operations=("conv3x3", "identity")),
    "cell of six blocks": CellSpace(blocks=6),
    "cell with add only": CellSpace(blocks=3, operations=("sep3x3", "maxpool3x3", "conv1x1"), combinations=("add",)),
    "nasbench201": NASBench201(),
    "table with gaps": SOME,
    "table of everything": EVERY,
}
TINY_SPACES = {
    "one block": CellSpace(blocks=1, operations=("conv3x3", "identity", "maxpool3x3")),
    "two blocks": CellSpace(blocks=2, operations=("conv3x3", "identity")),
    "three blocks": CellSpace(blocks=3, operations=("conv3x3",), combinations=("add", "concat")),
    "nasbench201": NASBench201(),
    "table with gaps": SOME,
    "table of everything": EVERY,
}


@pytest.fixture(params=SPACES)
def space(request):
    return SPACES[request.param]


@pytest.fixture(params=TINY_SPACES)
def tiny_space(request):
    return TINY_SPACES[request.param]

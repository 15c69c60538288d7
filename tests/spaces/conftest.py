"""The search spaces that must keep the contract: add a space here and every contract test runs on it."""

from __future__ import annotations

import pytest

from alphaxenas.spaces import (
    CellSpace,
    ConvNetSpace,
    MacroSpace,
    MicroSpace,
    NASBench101,
    NASBench201,
    RecurrentSpace,
    StateSpace,
    Subset,
    Table,
)
from alphaxenas.spaces.forms.nao_notation import NAO_OPERATIONS

WITH_GAPS = (
    (a, str(b), c) for a in ("3x3", "5x5", "1x1") for b in (8, 16, 128) for c in ("max", "avg") if (a, b) != ("5x5", 16)
)
SOME = Table(tuple(WITH_GAPS), positions=("kernel", "width", "pool"))
EVERY = Table(tuple((a, b, c) for a in "01" for b in "012" for c in "xyz"))
CODES_201 = (f"{number * 7 % 5}{number % 3}0{number % 5}1{number % 4}" for number in range(60))
POOL_201 = Subset(NASBench201(), tuple(map(NASBench201().parse, CODES_201)))
POOL_101 = Subset(
    NASBench101(5),
    tuple(
        map(
            NASBench101(5).parse,
            (
                "output(0)",
                "maxpool3x3(0) output(1)",
                "maxpool3x3(0) output(0,1)",
                "conv3x3-bn-relu(0) output(0,1)",
                "conv3x3-bn-relu(0) maxpool3x3(0) output(1,2)",
                "conv3x3-bn-relu(0) maxpool3x3(0,1) output(2)",
                "conv3x3-bn-relu(0) conv1x1-bn-relu(0) maxpool3x3(0,1,2) output(2,3)",
            ),
        )
    ),
)

CHOICES = StateSpace(2).add("kernel", [1, 3]).add("act", ["relu", "tanh"]).add("rate", [0.0, 0.25, 0.5])
SKIPS = StateSpace(3, skips=True).add("kernel", [1, 3])
RULED = (
    StateSpace(3)
    .add("kernel", [1, 3, 5])
    .add("filters", [16, 32])
    .constrain("filters", lambda layer: layer["kernel"] < 5 or layer["filters"] == 16)
    .constrain("kernel", lambda before, layer: layer["kernel"] >= before["kernel"], over="pair")
)
SUMMED = (
    StateSpace(4)
    .add("width", [1, 2, 3])
    .constrain("width", lambda layers: sum(layer["width"] for layer in layers) <= 7, over="prefix")
)
CONDITIONAL = (
    StateSpace(2)
    .add("kind", ["conv", "pool", "none"])
    .add("size", [2, 3], when={"kind": ["conv", "pool"]})
    .add("filters", [8, 16, 32], when={"kind": "conv"})
)
CONDITIONAL_WITH_SKIPS = (
    StateSpace(3, skips=True).add("drop", [True, False]).add("rate", [0.1, 0.5], when={"drop": True})
)
DEEP = StateSpace(25, skips=True).add("kernel", [1, 3]).add("filters", [16, 32, 64])

SPACES = {
    "cell": CellSpace(),
    "cell of one block": CellSpace(blocks=1, operations=("conv3x3", "identity")),
    "cell of six blocks": CellSpace(blocks=6),
    "cell with add only": CellSpace(blocks=3, operations=("sep3x3", "maxpool3x3", "conv1x1"), combinations=("add",)),
    "micro": MicroSpace(),
    "micro of two nodes, other operations": MicroSpace(2, ("identity", "dilsep3x3", "conv1x7-7x1", "minpool2x2")),
    "micro of nao's nineteen operations": MicroSpace(5, NAO_OPERATIONS),
    "macro": MacroSpace(),
    "macro of one layer": MacroSpace(1),
    "recurrent": RecurrentSpace(),
    "recurrent as enas": RecurrentSpace(4, choose_first=True, output="unused"),
    "convnet": ConvNetSpace(),
    "nasbench201": NASBench201(),
    "nasbench101": NASBench101(),
    "nasbench101 of few edges": NASBench101(6, 5),
    "table with gaps": SOME,
    "table of everything": EVERY,
    "subset of nasbench201": POOL_201,
    "subset of nasbench101": POOL_101,
    "declared choices": CHOICES,
    "declared with skip connections": SKIPS,
    "declared with rules": RULED,
    "declared with a sum": SUMMED,
    "declared with conditions": CONDITIONAL,
    "declared with conditions and skip connections": CONDITIONAL_WITH_SKIPS,
    "declared with 25 layers": DEEP,
}
TINY_SPACES = {
    "one block": CellSpace(blocks=1, operations=("conv3x3", "identity", "maxpool3x3")),
    "two blocks": CellSpace(blocks=2, operations=("conv3x3", "identity")),
    "three blocks": CellSpace(blocks=3, operations=("conv3x3",), combinations=("add", "concat")),
    "macro of two layers": MacroSpace(2),
    "macro of three layers": MacroSpace(3),
    "recurrent of two nodes": RecurrentSpace(2, choose_first=True),
    "recurrent of three nodes": RecurrentSpace(3),
    "micro of one node": MicroSpace(1, ("sep3x3", "identity")),
    "nasbench201": NASBench201(),
    "table with gaps": SOME,
    "table of everything": EVERY,
    "subset of nasbench201": POOL_201,
    "declared choices": CHOICES,
    "declared with skip connections": SKIPS,
    "declared with rules": RULED,
    "declared with a sum": SUMMED,
}
"""Their sequences have one length each."""
TINY_SPACES_OF_MANY_LENGTHS = {
    "nasbench101 of four vertices": NASBench101(4),
    "nasbench101 of five vertices, five edges": NASBench101(5, 5),
    "subset of nasbench101": POOL_101,
    "declared with conditions": CONDITIONAL,
    "declared with conditions and skip connections": CONDITIONAL_WITH_SKIPS,
}


@pytest.fixture(params=SPACES)
def space(request):
    return SPACES[request.param]


@pytest.fixture(params=TINY_SPACES | TINY_SPACES_OF_MANY_LENGTHS)
def tiny_space(request):
    return (TINY_SPACES | TINY_SPACES_OF_MANY_LENGTHS)[request.param]


@pytest.fixture(params=TINY_SPACES)
def tiny_space_of_one_length(request):
    return TINY_SPACES[request.param]

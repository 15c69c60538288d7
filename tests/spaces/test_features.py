"""The free features order architectures as their networks are ordered: by parameters, and by convolutions in a row."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from alphaxenas.networks.options import NetworkOptions
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.registry import build_network
from alphaxenas.spaces import CellSpace, ConvNetSpace, MacroSpace, MicroSpace, NASBench201
from alphaxenas.spaces.features import DEPTH, SIZE
from alphaxenas.spaces.forms.nao_notation import NAO_OPERATIONS

SPACES = {
    "cell": (CellSpace(), {}, 0.98),
    "cell of three cells and eight filters": (CellSpace(), {"filters": 8, "cells": 3}, 0.94),
    "cell of one block": (CellSpace(1), {}, 0.95),
    "micro": (MicroSpace(), {"cells": 8}, 0.98),
    "micro of nao's nineteen operations": (MicroSpace(5, NAO_OPERATIONS), {"cells": 8}, 0.98),
    "macro": (MacroSpace(), {}, 0.98),
    "macro of two layers": (MacroSpace(2), {}, 0.98),
    "convnet": (ConvNetSpace(), {}, 0.99),
}
"""Space, options of its network, and the least rank correlation with the number of parameters."""


@pytest.mark.parametrize(("space", "options", "least"), SPACES.values(), ids=SPACES)
def test_size_and_depth_order_architectures_as_their_networks(space, options, least):
    rng = np.random.default_rng(0)
    architectures = [space.sample(rng) for _ in range(100)]
    networks = [build_network(each, NetworkOptions(10, **options)) for each in architectures]
    outlines = [outline_of(network, (32, 32, 3)) for network in networks]
    names, features = space.feature_names(), np.stack([space.features(each) for each in architectures])
    size, depth = (features[:, names.index(name)] for name in (SIZE, DEPTH))
    assert kendalltau(size, [outline.parameters for outline in outlines]).statistic > least
    # Convolutions are counted exactly, up to those that all networks of a space have, in networks of the usual cells.
    more = {outline.depth - round(float(value)) for outline, value in zip(outlines, depth)}
    assert len(more) == 1 or options.get("cells") == 3
    assert kendalltau(depth, [outline.depth for outline in outlines]).statistic > 0.9


def test_the_same_names_mean_the_same_in_nas_bench_201():
    assert {SIZE, DEPTH} <= set(NASBench201().feature_names())

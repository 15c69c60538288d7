"""Declared spaces of the seed systems, ready-made: layer chains for `children.chain_network`."""

from __future__ import annotations

from collections.abc import Sequence

from alphaxenas.spaces.chains.state_space import StateSpace


def convolution_chains(
    layers: int = 4, kernels: Sequence[int] = (1, 3), filters: Sequence[int] = (16, 32, 64), skips: bool = False
) -> StateSpace:
    """Chains of 2-D convolutions; by default the 1,296 networks of titu1994/neural-architecture-search.

    Args:
        layers: How many.
        kernels: Sides of the kernels.
        filters: Numbers of channels.
        skips: Whether every layer chooses what feeds it (the paper's skip connections, which the seed lacks).
    """
    return StateSpace(layers, skips=skips).add("kernel", kernels).add("filters", filters)


def mnist_chains(
    layers: int = 2,
    filters: Sequence[int] = (8, 16, 32, 64),
    kernels: Sequence[int] = (3, 5, 7, 9),
    pools: Sequence[int] = (1, 2, 3, 4),
    dropouts: Sequence[float] = (0.0, 0.1, 0.25, 0.5),
    skips: bool = False,
) -> StateSpace:
    """The four choices per layer of wallarm/nascell-automl: convolution, max-pooling, dropout.

    Departures: lists of values in place of any whole number from 1 to 99 (which made 9e15 networks of two layers, most
    of them useless), and dropout is a rate in [0, 1), where the seed fed whole numbers as probabilities to keep, so
    that nothing was ever dropped.

    Args:
        layers: How many.
        filters: Numbers of channels.
        kernels: Sides, or lengths along the flattened image.
        pools: Sides or lengths of the pooling windows, which are as far apart; 1 for no pooling.
        dropouts: Rates.
        skips: As for `convolution_chains`.
    """
    return (
        StateSpace(layers, skips=skips)
        .add("kernel", kernels)
        .add("filters", filters)
        .add("pool", pools)
        .add("dropout", dropouts)
    )


MNIST_BY_HAND = "kernel=5, filters=32, pool=2, dropout=0.0; kernel=5, filters=64, pool=2, dropout=0.0"
"""The hand-made network that the blog of wallarm/nascell-automl compares with, as a text of `mnist_chains(2)`."""

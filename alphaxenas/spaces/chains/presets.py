"""Declared spaces of the seed systems, ready-made: layer chains for `alphaxenas.networks.chain`."""

from __future__ import annotations

from alphaxenas.spaces.chains.state_space import StateSpace


def convolution_chains(layers: int = 4, skips: bool = False) -> StateSpace:
    """Chains of 2-D convolutions; by default the 1,296 networks of titu1994/neural-architecture-search.

    Args:
        layers: How many.
        skips: Whether every layer chooses what feeds it (the paper's skip connections, which the seed lacks).
    """
    return StateSpace(layers, skips=skips).add("kernel", (1, 3)).add("filters", (16, 32, 64))


def mnist_chains(layers: int = 2, skips: bool = False) -> StateSpace:
    """The four choices per layer of wallarm/nascell-automl: convolution, max-pooling, dropout.

    Departures: lists of values in place of any whole number from 1 to 99 (which made 9e15 networks of two layers, most
    of them useless), and dropout is a rate in [0, 1), where the seed fed whole numbers as probabilities to keep, so
    that nothing was ever dropped. Kernels and pools are sides, or lengths along the flattened image; pooling windows
    are as far apart as they are wide, and 1 stands for no pooling.

    Args:
        layers: How many.
        skips: As for `convolution_chains`.
    """
    space = StateSpace(layers, skips=skips).add("kernel", (3, 5, 7, 9)).add("filters", (8, 16, 32, 64))
    return space.add("pool", (1, 2, 3, 4)).add("dropout", (0.0, 0.1, 0.25, 0.5))


MNIST_BY_HAND = "kernel=5, filters=32, pool=2, dropout=0.0; kernel=5, filters=64, pool=2, dropout=0.0"
"""The hand-made network that the blog of wallarm/nascell-automl compares with, as a text of `mnist_chains(2)`."""

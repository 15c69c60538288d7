"""Proxies that compute nothing: what the outline of a network tells of its size and depth. No TensorFlow.

They are the controls of every other proxy: few published proxies order architectures better than their size does.

Source: White et al. 2022, "A deeper look at zero-cost proxies for lightweight NAS" (ICLR blog track); Krishnakumar et
al. 2022, "NAS-Bench-Suite-Zero: accelerating research on zero cost proxies", table 1 (`params`, `flops`).
"""

from __future__ import annotations

from alphaxenas.proxies.network import InitialNetwork


def parameters(network: InitialNetwork) -> float:
    """Number of trainable values.

    Source: Krishnakumar et al. 2022, table 1, `params`.
    """
    return float(network.outline.parameters)


def multiply_adds(network: InitialNetwork) -> float:
    """Multiply-adds of one image's forward pass: convolutions and dense layers.

    Published counts of NAS-Bench-201 also add 9 for every value of a 3x3 average pool and 3 for every value that is
    normalised and rectified; that changes the order of cells that differ in pools (tested: with them, theirs are met).

    Source: Krishnakumar et al. 2022, table 1, `flops`.
    """
    return float(network.outline.multiply_adds)


def depth(network: InitialNetwork) -> float:
    """Convolutions on the longest path from the image to the output; a depthwise one counts like any other.

    No publication's proxy, but the control of those that grow with every layer, such as synflow and Zen-score.
    """
    return float(network.outline.depth)

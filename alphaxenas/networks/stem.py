"""How networks of cells and of layers begin: from the image to the channels of the first cell or layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.networks.layer_interface import LayerInterface

LARGE_STRIDE = 8
"""Of the stem for images as large as ImageNet's."""


def apply_stem(layers: LayerInterface, images: tf.Tensor, filters: int, stride: int) -> tf.Tensor:
    """3x3 convolution and batch norm; with `LARGE_STRIDE` three of them, each of stride 2, with ReLU in between.

    Args:
        layers: The layers of this forward pass.
        images: `[B, h, w, c]`.
        filters: Number of output channels; of the first of three convolutions half as many.
        stride: 1, 2 or `LARGE_STRIDE`.

    Returns:
        `[B, h / stride, w / stride, filters]`.

    Source: of the three convolutions, the code published with Liu et al. 2019, "DARTS". Departure: there the first
        cell also reads the second of them, at twice the resolution.
    """
    x = layers.input(images)
    if stride != LARGE_STRIDE:
        return layers.batch_norm(layers.conv(x, "stem", filters, 3, stride), "stem")
    for number, channels in enumerate((max(filters // 2, 1), filters, filters)):
        x = layers.relu(x) if number else x
        x = layers.batch_norm(layers.conv(x, f"stem{number}", channels, 3, 2), f"stem{number}")
    return x

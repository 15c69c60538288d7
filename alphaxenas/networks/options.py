"""What may be chosen of a network besides its architecture, for all families of networks alike, and the stem that most
begin with: from the image to the channels of the first cell or layer.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.networks.layer_interface import LayerInterface

LARGE_STRIDE = 8
"""Of the stem for images as large as ImageNet's."""


@dataclass(frozen=True)
class NetworkOptions:
    """Sizes and regularisation of a network; `alphaxenas.networks.registry` says which a family uses.

    Attributes:
        num_classes: Number of classes.
        filters: Channels before the first reduction.
        cells: Number of cells.
        reductions: How many times height and width are halved.
        stem_stride: 1, 2 to halve the image in the stem, or 8 for large images; see `apply_stem`.
        drop_path: Largest drop-path rate; see `LayerInterface.drop_path`.
        dropout: Rate before the classifier.
        auxiliary: Whether a second classifier is trained in the middle of the network.
        width_share: Share of the architecture's channels, in (0, 1], where it says itself how many it has.
        chain_form: For chains with pooling: `"image"`, or `"line"` to convolve along the flattened image.
    """

    num_classes: int
    filters: int = 16
    cells: int = 6
    reductions: int = 2
    stem_stride: int = 1
    drop_path: float = 0.0
    dropout: float = 0.0
    auxiliary: bool = False
    width_share: float = 1.0
    chain_form: str = "image"

    def of(self, network: type) -> dict[str, Any]:
        """Those options that are fields of a network's dataclass, as arguments for it."""
        names = {field.name for field in fields(network)}
        return {name: value for name, value in vars(self).items() if name in names}


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

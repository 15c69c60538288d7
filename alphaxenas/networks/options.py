"""What may be chosen of a network besides its architecture, for all families of networks alike."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


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

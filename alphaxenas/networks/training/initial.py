"""A network before its training, with a batch: what zero-cost proxies score (`alphaxenas.proxies`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from alphaxenas.data.stored import Images
from alphaxenas.networks.bank import WeightBank
from alphaxenas.networks.outline import Outline, outline_of
from alphaxenas.seeds import stream


@dataclass(frozen=True)
class NetworkWithBatch:
    """See `alphaxenas.proxies.network.InitialNetwork`. TensorFlow is loaded when something is computed.

    Attributes:
        network: Builds the forward pass, see `training.loop.Network`.
        image_shape: Height, width and channels.
        batch: Gives the images and their classes.
        seed: Of the initial weights, which are those of a child of a bank with this seed.
    """

    network: Callable[[Any, Any], list[Any]]
    image_shape: tuple[int, int, int]
    batch: Callable[[], tuple[Any, Any]]
    seed: int = 0

    @cached_property
    def outline(self) -> Outline:
        """What the network needs and costs in prediction."""
        return outline_of(self.network, self.image_shape)

    def weights(self) -> dict[str, Any]:
        """As `InitialNetwork.weights`."""
        import tensorflow as tf

        bank = WeightBank(self.seed)
        return {
            name: tf.constant(bank.take("weights", {name: spec}).reshape(spec.shape))
            for name, spec in self.outline.weights.items()
        }

    def logits(
        self, weights: Mapping[str, Any], images: Any, view: Callable[[Any], Any], precision: str = "float32"
    ) -> Any:
        """As `InitialNetwork.logits`.

        Args:
            weights: By name.
            images: `[B, h, w, c]`.
            view: Of the layers.
            precision: Of activations.
        """
        from alphaxenas.networks.layers import Layers

        return self.network(view(Layers(weights, self._whitenings, True, precision)), images)[0]

    @cached_property
    def _whitenings(self) -> dict[str, Any]:
        """Kernels of whitenings, which are not trained but follow from the images."""
        names = [name for name, spec in self.outline.statistics.items() if spec.initial == "whitening"]
        if not names:
            return {}
        import tensorflow as tf

        from alphaxenas.networks.convnet.whitening import whitening_kernel

        return dict.fromkeys(names, tf.constant(whitening_kernel([self.batch()[0].numpy()])))


def initial_batch(
    images: Images, labels: np.ndarray, mean: np.ndarray, std: np.ndarray, size: int, seed: int
) -> Callable[[], tuple[Any, Any]]:
    """One batch of training images, as `NetworkWithBatch` wants it: drawn once, normalised, without augmentation.

    Args:
        images: uint8 `[n, h, w, c]`.
        labels: int32 `[n]`.
        mean: `[c]`, of images scaled to [0, 1].
        std: `[c]`, on the same scale.
        size: Images of the batch; all where there are fewer.
        seed: Of the draw.

    Returns:
        A function that gives images, float32 `[size, h, w, c]`, and classes, int32 `[size]`, as tensors.
    """
    places = np.sort(stream(seed, "proxies", "batch").permutation(len(images))[:size])

    @cache
    def batch() -> tuple[Any, Any]:
        import tensorflow as tf

        pixels = (images[places].astype(np.float32) / 255.0 - mean) / std
        return tf.constant(pixels, tf.float32), tf.constant(labels[places], tf.int32)

    return batch

"""Zen-score: how much the features change with a Gaussian image, whatever the classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from alphaxenas.proxies.network import InitialNetwork, View, walked
from alphaxenas.seeds import tensor_seed

STEP = 1e-2
"""alpha: size of the disturbance."""


class _Features(View):
    """Keeps the features before the image is averaged, and the deviation of every batch normalisation's input."""

    def __init__(self, layers: Any) -> None:
        super().__init__(layers)
        self.features: Any = None
        self.deviations: list[float] = []

    def batch_norm(self, x: Any, name: str, scale: bool = True) -> Any:
        y = self._layers.batch_norm(x, name, scale)
        self.deviations.append(float(np.sqrt(np.mean(self._layers.measured[f"{name}/variance"]))))
        return y

    def global_average(self, x: Any) -> Any:
        self.features = x
        return self._layers.global_average(x)

    def global_max(self, x: Any) -> Any:
        self.features = x
        return self._layers.global_max(x)

    def flatten(self, x: Any) -> Any:
        self.features = x
        return self._layers.flatten(x)


def zen(network: InitialNetwork) -> float:
    """Zen-score: change of the features with the image, times what batch normalisation divided by.

        s = log mean |f(x) - f(x + alpha e)| + sum_l log sqrt(mean_c variance_lc)

    x, e and the kernels are drawn from N(0, 1), so that every layer adds the logarithm of its fan-in; f are the
    features before the mean over the image, and the sum runs over batch normalisations. Without any it is not defined:
    nothing keeps the features in range.

    Departure: one batch of the size of the images' batch instead of 32 repetitions, and its own variances: published
    values come from running ones, which after few batches are too small, by the same factor in every layer, and so
    favour networks of fewer layers.

    Source: Lin et al. 2021, "Zen-NAS: a zero-shot NAS for high-performance image recognition", algorithm 1.
    """
    import tensorflow as tf

    shape = network.batch()[0].shape
    weights = network.weights() | {
        name: tf.random.stateless_normal(spec.shape, tensor_seed(network.seed, "zen", name))
        for name, spec in network.outline.kernels.items()
    }
    x, e = (tf.random.stateless_normal(shape, tensor_seed(network.seed, "zen", part)) for part in ("image", "change"))
    first, second = (walked(network, weights, images, _Features)[1] for images in (x, x + STEP * e))
    change = float(tf.reduce_mean(tf.abs(first.features - second.features)))
    with np.errstate(divide="ignore"):
        return float(np.log(change) + np.sum(np.log(first.deviations)))

"""Proxies that ask how well the untrained network tells the images of a batch apart: NASWOT and jacov.

Both in training mode, where batch normalisation uses the statistics of the batch, as published.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alphaxenas.proxies.network import InitialNetwork, View, walked

SMALL = 1e-5
"""k of jacov."""


class _Rectified(View):
    """Keeps the outputs of all rectifiers, also where the layers compute one for several operations."""

    def __init__(self, layers: Any) -> None:
        super().__init__(layers)
        self.outputs: list[Any] = []

    def relu(self, x: Any) -> Any:
        y = self._layers.relu(x)
        self.outputs.append(y)
        return y


def naswot(network: InitialNetwork) -> float:
    """How different the linear regions are that the images of a batch lie in.

        s = log |K|,    K_ij = N - d(c_i, c_j)

    c_i says of every rectifier whether it is active for image i, N is their number, d the Hamming distance.

    Source: Mellor et al. 2021, "Neural architecture search without training", equation 2.
    """
    import tensorflow as tf

    images, _ = network.batch()
    _, seen = walked(network, network.weights(), images, _Rectified)
    kernel = np.zeros((int(images.shape[0]),) * 2)
    for output in seen.outputs:
        # With signs instead of bits: N - d = (N + <s_i, s_j>) / 2; whole numbers, exact in float32.
        signs = tf.reshape(tf.where(output > 0, 1.0, -1.0), [output.shape[0], -1])
        kernel += 0.5 * (signs.shape[1] + tf.linalg.matmul(signs, signs, transpose_b=True).numpy())
    sign, logarithm = np.linalg.slogdet(kernel)
    return float(logarithm) if sign > 0 else float("-inf")


def jacov(network: InitialNetwork) -> float:
    """How little the gradients of the output by different images correlate.

        s = -sum_i (log(e_i + k) + 1 / (e_i + k)),    k = 1e-5

    e_i are the eigenvalues of the correlation matrix of the gradients of the summed outputs, one by each image.

    Source: Mellor et al. 2020, "Neural architecture search without training", version 1, section 3.
    """
    import tensorflow as tf

    images, _ = network.batch()
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(network.logits(network.weights(), images, View))
    by_image = tape.gradient(total, images, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    jacobian = tf.reshape(by_image, [images.shape[0], -1]).numpy().astype(np.float64)
    centred = jacobian - jacobian.mean(1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    if not np.all(norms > 0):
        return float("nan")
    rows = centred / norms
    eigenvalues = np.linalg.eigvalsh(rows @ rows.T) + SMALL
    return float(-np.sum(np.log(eigenvalues) + 1.0 / eigenvalues))

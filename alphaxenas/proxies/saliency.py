"""Proxies from gradients of one batch's loss by the kernels: gradient norm, SNIP, GraSP, Fisher, ZiCo; and synflow.

Pruning scores of single weights, summed over the kernels of convolutions and dense layers, not over scales, offsets
and biases. All but synflow are in training mode, where batch normalisation uses the statistics of the batch; the loss
is the mean cross-entropy.

Source: Abdelfattah et al. 2021, "Zero-cost proxies for lightweight NAS", section 3, which made proxies of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alphaxenas.proxies.network import InitialNetwork, View, walked


def grad_norm(network: InitialNetwork) -> float:
    """Sum over kernels of the Euclidean norm of the gradient.

    Source: Abdelfattah et al. 2021, section 3.2.
    """
    _, gradients = _gradients(network)
    return float(sum(np.linalg.norm(gradient) for gradient in gradients.values()))


def snip(network: InitialNetwork) -> float:
    """How much the loss depends on each weight's being there: `sum |dL/dw * w|`.

    Source: Lee, Ajanthan & Torr 2019, "SNIP: single-shot network pruning based on connection sensitivity",
    section 4.1.
    """
    weights, gradients = _gradients(network)
    return float(sum(np.abs(gradient * weights[name]).sum(dtype=np.float64) for name, gradient in gradients.items()))


def grasp(network: InitialNetwork) -> float:
    """By how much the squared norm of the gradient falls with each weight's removal: `-sum (H g) * w`.

    g is the gradient and H the Hessian of the loss, on the same batch and at temperature 1 (Abdelfattah et al. 2021).

    Source: Wang, Zhang & Grosse 2020, "Picking winning tickets before training by preserving gradient flow",
    equation 8.
    """
    import tensorflow as tf

    # By second derivatives: gradients in float32 are too rough for a difference, as some rectifiers change sides.
    weights, names, images, labels = _parts(network)
    kernels = [weights[name] for name in names]
    with tf.GradientTape() as outer:
        outer.watch(kernels)
        with tf.GradientTape() as inner:
            inner.watch(kernels)
            loss = _loss(network.logits(weights, images, _Outputs), labels)
        # Zero for a convolution that leads nowhere, as cells of NAS-Bench-201 may have it.
        gradients = inner.gradient(loss, kernels, unconnected_gradients="zero")
        product = tf.add_n([tf.reduce_sum(tf.stop_gradient(gradient) * gradient) for gradient in gradients])
    products = outer.gradient(product, kernels, unconnected_gradients="zero")
    return -float(sum(tf.reduce_sum(kernel * each).numpy() for kernel, each in zip(kernels, products)))


def fisher(network: InitialNetwork) -> float:
    """How much the loss depends on each channel's being there, to the second order.

        s = sum_c n_c / (2 B) sum_b (sum_xy a * dL/da)^2

    over the channels c of the outputs a of all convolutions and dense layers; n_c is the number of weights that make
    the channel, over which Abdelfattah et al. (2021, section 3.2) sum. Scores depend on the initial scale of layers
    that no batch normalisation follows, so published ones, of PyTorch's default initial weights, differ in rank too.

    Source: Theis et al. 2018, "Faster gaze prediction with dense networks and Fisher pruning", section 2; as a score of
    untrained networks in Turner et al. 2020, "BlockSwap: Fisher-guided block substitution", section 4.
    """
    import tensorflow as tf

    weights, names, images, labels = _parts(network)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        logits, seen = walked(network, weights, images, _Outputs)
        loss = _loss(logits, labels)
    total = 0.0
    for name, output, gradient in zip(seen.names, seen.outputs, tape.gradient(loss, seen.outputs)):
        if gradient is not None:
            pixels = tf.reduce_sum(output * gradient, list(range(1, len(output.shape) - 1)))
            making = sum(int(tf.size(weights[each])) for each in names if each.rpartition("/")[0] in name)
            total += making / output.shape[-1] * float(tf.reduce_sum(tf.reduce_mean(tf.square(pixels), 0))) / 2.0
    return total


def zico(network: InitialNetwork) -> float:
    """How large gradients are against their deviation between batches; the batch is split into two.

        s = sum_l log sum_w mean(|dL/dw|) / deviation(|dL/dw|)

    over the weights w of each kernel l whose gradients differ between the two.

    Source: Li et al. 2023, "ZiCo: zero-shot NAS via inverse coefficient of variation on gradients", section 3.
    """
    images, labels = network.batch()
    half = int(images.shape[0]) // 2
    first, second = (
        {name: np.abs(gradient) for name, gradient in _gradients(network, part)[1].items()}
        for part in ((images[:half], labels[:half]), (images[half:], labels[half:]))
    )
    total = 0.0
    for name in first:
        mean, deviation = 0.5 * (first[name] + second[name]), 0.5 * np.abs(first[name] - second[name])
        ratios = mean[deviation > 0] / deviation[deviation > 0]
        total += float(np.log(ratios.sum(dtype=np.float64))) if ratios.size else 0.0
    return total


def synflow(network: InitialNetwork) -> float:
    """Logarithm of what flows through all paths: `log sum dR/dw * w` with R the sum of outputs for an image of ones.

    Without batch normalisation, with the absolute values of all weights, in float64, as published: without a label, a
    batch or a sign, so that nothing cancels.

    Source: Tanaka et al. 2020, "Pruning neural networks without any data by iteratively conserving synaptic flow",
    equation 2.
    """
    import tensorflow as tf

    weights, names, images, _ = _parts(network)
    weights = {name: tf.cast(tf.abs(value), tf.float64) for name, value in weights.items()}
    kernels = [weights[name] for name in names]
    with tf.GradientTape() as tape:
        tape.watch(kernels)
        ones = tf.ones([1, *images.shape[1:]], tf.float64)
        total = tf.reduce_sum(network.logits(weights, ones, _Linear, "float64"))
    gradients = tape.gradient(total, kernels)
    flow = sum(float(tf.reduce_sum(k * g)) for k, g in zip(kernels, gradients) if g is not None)
    return float(np.log(flow)) if flow > 0 else float("-inf")


class _Outputs(View):
    """Keeps the outputs of convolutions and dense layers, as tensors of their own: layers fuse nothing across them."""

    def __init__(self, layers: Any) -> None:
        super().__init__(layers)
        self.outputs: list[Any] = []
        self.names: list[tuple[str, ...]] = []

    def conv(self, x: Any, name: str, *arguments: Any, **named: Any) -> Any:
        return self._kept(self._layers.conv(x, name, *arguments, **named), name)

    def depthwise(self, x: Any, name: str, *arguments: Any, **named: Any) -> Any:
        return self._kept(self._layers.depthwise(x, name, *arguments, **named), name)

    def dense(self, x: Any, name: str, *arguments: Any, **named: Any) -> Any:
        return self._kept(self._layers.dense(x, name, *arguments, **named), name)

    def dense_of_parts(self, parts: Mapping[str, Any], name: str, units: int) -> Any:
        return self._kept(self._layers.dense_of_parts(parts, name, units), *(f"{name}/{part}" for part in parts))

    def _kept(self, y: Any, *names: str) -> Any:
        import tensorflow as tf

        self.outputs.append(tf.identity(y))
        self.names.append(names)
        return self.outputs[-1]


class _Linear(View):
    """No batch normalisation, and no change of precision."""

    def batch_norm(self, x: Any, name: str, scale: bool = True) -> Any:
        return x

    def global_average(self, x: Any) -> Any:
        import tensorflow as tf

        return tf.reduce_mean(x, [1, 2])

    def global_max(self, x: Any) -> Any:
        import tensorflow as tf

        return tf.reduce_max(x, [1, 2])

    def flatten(self, x: Any) -> Any:
        import tensorflow as tf

        return tf.reshape(x, [x.shape[0], -1])


def _parts(network: InitialNetwork) -> tuple[dict[str, Any], list[str], Any, Any]:
    """Weights, names of the kernels among them, images and classes."""
    return network.weights(), [*network.outline.kernels, *network.outline.matrices], *network.batch()


def _loss(logits: Any, labels: Any) -> Any:
    import tensorflow as tf

    chosen = tf.one_hot(labels, logits.shape[1]) * tf.nn.log_softmax(logits)
    return -tf.reduce_sum(chosen) / tf.cast(tf.shape(logits)[0], tf.float32)


def _gradients(network: InitialNetwork, batch: Any = None) -> tuple[Mapping[str, np.ndarray], dict[str, np.ndarray]]:
    """Weights, and gradients of the loss by the kernels; those that nothing depends on are left out."""
    import tensorflow as tf

    weights, names, *own = _parts(network)
    images, labels = batch or own
    kernels = [weights[name] for name in names]
    with tf.GradientTape() as tape:
        tape.watch(kernels)
        loss = _loss(network.logits(weights, images, View), labels)
    gradients = zip(names, tape.gradient(loss, kernels))
    found = {name: gradient.numpy() for name, gradient in gradients if gradient is not None}
    return {name: value.numpy() for name, value in weights.items()}, found

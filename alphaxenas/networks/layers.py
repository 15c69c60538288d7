"""The layers that children are made of, over given weights.

One `Layers` object serves one forward pass (one traced graph). It computes in the chosen precision and collects the
batch statistics. Its operations are documented in `layer_interface`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from alphaxenas.networks.convnet.activations import fused
from alphaxenas.networks.layer_interface import Size
from alphaxenas.networks.normalised_product import normalised_product
from alphaxenas.networks.pixels import along, every, large

if TYPE_CHECKING:
    from alphaxenas.networks.training.replicas import Share

EPSILON = 1e-3

PIXELS = 256
"""Of an image from which on a 1x1 convolution is a product of matrices: the same sums, with their gradients in up to 60
% of the time on CPUs (32x32 pixels, 16 filters). Below, the convolution is as fast and traced sooner."""
MANY_PIXELS = 1024
"""From which on its batch normalisation is computed with it, see `normalised_product`."""


def dilated(kernel: tf.Tensor | np.ndarray, dilation: int) -> tf.Tensor | np.ndarray:
    """A depthwise kernel with zeros between its entries: any stride goes with it, on every device.

    Args:
        kernel: `[s, s, c, 1]`.
        dilation: Distance of its entries afterwards; 1 leaves it as it is.

    Returns:
        `[(s - 1) * dilation + 1, (s - 1) * dilation + 1, c, 1]`.
    """
    if dilation == 1:
        return kernel
    size, side = int(kernel.shape[0]), (int(kernel.shape[0]) - 1) * dilation + 1
    spread = np.zeros((side, size), np.float32)
    spread[np.arange(size) * dilation, np.arange(size)] = 1.0
    einsum = np.einsum if isinstance(kernel, np.ndarray) else tf.einsum
    spread = spread if isinstance(kernel, np.ndarray) else tf.cast(spread, kernel.dtype)
    return einsum("ai,bj,ijcm->abcm", spread, spread, kernel)


class Layers:
    """Layer functions of one forward pass; see `LayerInterface`.

    Args:
        weights: Tensors by name, convolution kernels already in the chosen precision.
        statistics: Moving means and variances by name; used when not training.
        training: Batch statistics, dropout and drop-path on.
        precision: `"float32"` or `"bfloat16"`: the type of activations.
        seed: Int32 tensor `[2]` of this step's randomness; needed for dropout and drop-path.
        progress: Float scalar in [0, 1]: how much of the training is over; scales drop-path.
        share: Where several devices share a batch in training: this one's part of it.
        frozen: Whether the bias of a whitening is trained no more, so that no gradient need reach it.

    Attributes:
        measured: Batch means and variances by the names of the moving statistics, when training.
    """

    def __init__(
        self,
        weights: Mapping[str, tf.Tensor],
        statistics: Mapping[str, tf.Tensor],
        training: bool,
        precision: str = "float32",
        seed: tf.Tensor | None = None,
        progress: tf.Tensor | float = 0.0,
        share: Share | None = None,
        frozen: bool = False,
    ) -> None:
        self.training = training
        self.measured: dict[str, tf.Tensor] = {}
        self._weights = weights
        self._statistics = statistics
        self._dtype = tf.dtypes.as_dtype(precision)
        self._seed = seed
        self._progress = progress
        self._share = share
        self._frozen = frozen
        self._draws = 0
        self._known: dict[tuple, tuple[tf.Tensor, tf.Tensor]] = {}
        self._products: dict[int, tuple[tf.Tensor, tf.Tensor, tf.Tensor]] = {}

    def input(self, images: tf.Tensor) -> tf.Tensor:
        """As `LayerInterface.input`."""
        return tf.cast(images, self._dtype)

    def line(self, x: tf.Tensor) -> tf.Tensor:
        """As `LayerInterface.line`."""
        return tf.reshape(x, [-1, 1, x.shape[1] * x.shape[2], x.shape[3]])

    def conv(
        self,
        x: tf.Tensor,
        name: str,
        filters: int,
        size: Size,
        stride: int = 1,
        bias: bool = False,
        initial: str = "he",
    ) -> tf.Tensor:
        """As `LayerInterface.conv`."""
        kernel = self._weights[f"{name}/kernel"]
        if kernel.shape[:2] == (1, 1) and large(x, PIXELS, stride):
            rows, matrix = tf.reshape(every(x, stride), [-1, x.shape[3]]), tf.reshape(kernel, kernel.shape[2:])
            y = tf.reshape(tf.linalg.matmul(rows, matrix), [-1, x.shape[1] // stride, x.shape[2] // stride, filters])
            self._products[id(y)] = y, rows, matrix
        else:
            y = tf.raw_ops.Conv2D(input=x, filter=kernel, strides=[1, *along(x, stride), 1], padding="SAME")
        return tf.raw_ops.BiasAdd(value=y, bias=tf.cast(self._weights[f"{name}/bias"], self._dtype)) if bias else y

    def depthwise(self, x: tf.Tensor, name: str, size: int, stride: int = 1, dilation: int = 1) -> tf.Tensor:
        """As `LayerInterface.depthwise`."""
        kernel = self._weights[f"{name}/depthwise"]
        if dilation > 1 and stride == 1 and large(x, PIXELS, dilation):
            # Every `dilation`-th row and column is an image of its own, in which the kernel is dense.
            spread = {"block_shape": [dilation] * 2}
            apart = tf.raw_ops.SpaceToBatchND(input=x, paddings=[[0, 0]] * 2, **spread)
            y = tf.raw_ops.DepthwiseConv2dNative(input=apart, filter=kernel, strides=[1] * 4, padding="SAME")
            return tf.ensure_shape(tf.raw_ops.BatchToSpaceND(input=y, crops=[[0, 0]] * 2, **spread), x.shape)
        return tf.raw_ops.DepthwiseConv2dNative(
            input=x, filter=dilated(kernel, dilation), strides=[1, stride, stride, 1], padding="SAME"
        )

    def whiten(self, x: tf.Tensor, name: str) -> tf.Tensor:
        """As `LayerInterface.whiten`."""
        kernel, bias = self._statistics[f"{name}/kernel"], self._weights[f"{name}/bias"]
        self.measured[f"{name}/kernel"] = tf.reshape(kernel, [-1])
        y = tf.raw_ops.Conv2D(input=x, filter=tf.cast(kernel, self._dtype), strides=[1] * 4, padding="VALID")
        y = tf.raw_ops.BiasAdd(value=y, bias=tf.cast(bias, self._dtype))
        return tf.stop_gradient(y) if self._frozen else y

    def batch_norm(self, x: tf.Tensor, name: str, scale: bool = True) -> tf.Tensor:
        """As `LayerInterface.batch_norm`."""
        offset = self._weights[f"{name}/offset"]
        return self._normalised(x, name, self._weights[f"{name}/scale"] if scale else tf.ones_like(offset), offset)

    def _normalised(self, x: tf.Tensor, name: str, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
        if not self.training:
            moving = {kind: self._statistics[f"{name}/{kind}"] for kind in ("mean", "variance")}
            return tf.raw_ops.FusedBatchNormV3(
                x=x, scale=scale, offset=offset, epsilon=EPSILON, is_training=False, **moving
            ).y
        if self._share:
            return self._shared_batch_norm(x, name, scale, offset)
        if id(x) in self._products and large(x, MANY_PIXELS) and x.dtype == tf.float32:
            # The product itself is then used by nothing, and not computed.
            _, rows, matrix = self._products[id(x)]
            y, self.measured[f"{name}/mean"], self.measured[f"{name}/variance"] = normalised_product(
                rows, matrix, scale, offset, EPSILON
            )
            return tf.reshape(y, [-1, *x.shape[1:]])
        result = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=[], variance=[], epsilon=EPSILON, is_training=True
        )
        self.measured[f"{name}/mean"], self.measured[f"{name}/variance"] = result.batch_mean, result.batch_variance
        return result.y

    def dense(self, x: tf.Tensor, name: str, units: int, divisor: float = 1.0) -> tf.Tensor:
        """As `LayerInterface.dense`."""
        y = tf.linalg.matmul(x, self._weights[f"{name}/kernel"]) + self._weights[f"{name}/bias"]
        return y if divisor == 1.0 else y / divisor

    def dense_of_parts(self, parts: Mapping[str, tf.Tensor], name: str, units: int) -> tf.Tensor:
        """As `LayerInterface.dense_of_parts`."""
        products = [tf.linalg.matmul(x, self._weights[f"{name}/{part}/kernel"]) for part, x in parts.items()]
        return self.add(products) + self._weights[f"{name}/bias"]

    def shifted(self, x: tf.Tensor) -> tf.Tensor:
        """As `LayerInterface.shifted`."""
        return tf.slice(tf.pad(x, [[0, 0], [0, 1], [0, 1], [0, 0]]), [0, 1, 1, 0], [-1, *x.shape[1:]])

    def zeros(self, x: tf.Tensor) -> tf.Tensor:
        """As `LayerInterface.zeros`."""
        return tf.zeros_like(x)

    def relu(self, x: tf.Tensor) -> tf.Tensor:
        """As `LayerInterface.relu`, computed once for a tensor that several operations rectify."""
        return self._once("relu", x, lambda: tf.raw_ops.Relu(features=x))

    def activation(self, x: tf.Tensor, kind: str) -> tf.Tensor:
        """As `LayerInterface.activation`."""
        return self.relu(x) if kind == "relu" else fused(x, kind)

    def add(self, parts: Sequence[tf.Tensor]) -> tf.Tensor:
        """As `LayerInterface.add`."""
        return parts[0] if len(parts) == 1 else tf.raw_ops.AddN(inputs=list(parts))

    def concat(self, parts: Sequence[tf.Tensor]) -> tf.Tensor:
        """As `LayerInterface.concat`."""
        return parts[0] if len(parts) == 1 else tf.concat(list(parts), -1)

    def first_channels(self, x: tf.Tensor, channels: int) -> tf.Tensor:
        """As `LayerInterface.first_channels`."""
        return x if x.shape[-1] == channels else x[..., :channels]

    def max_pool(self, x: tf.Tensor, size: int, stride: int = 1, whole: bool = False) -> tf.Tensor:
        """As `LayerInterface.max_pool`."""
        if whole:
            return tf.nn.max_pool2d(x, along(x, size), along(x, stride), "VALID")
        return self._pool(tf.nn.max_pool2d, x, size, stride)

    def min_pool(self, x: tf.Tensor, size: int, stride: int = 1) -> tf.Tensor:
        """As `LayerInterface.min_pool`."""
        return -self.max_pool(-x, size, stride)

    def average_pool(self, x: tf.Tensor, size: int, stride: int = 1) -> tf.Tensor:
        """As `LayerInterface.average_pool`."""
        return self._pool(tf.nn.avg_pool2d, x, size, stride)

    def global_average(self, x: tf.Tensor) -> tf.Tensor:
        """As `LayerInterface.global_average`."""
        return tf.reduce_mean(tf.cast(x, tf.float32), [1, 2])

    def global_max(self, x: tf.Tensor) -> tf.Tensor:
        """As `LayerInterface.global_max`."""
        return tf.reduce_max(tf.cast(x, tf.float32), [1, 2])

    def flatten(self, x: tf.Tensor) -> tf.Tensor:
        """As `LayerInterface.flatten`."""
        return tf.reshape(tf.cast(x, tf.float32), [-1, x.shape[1] * x.shape[2] * x.shape[3]])

    def dropout(self, x: tf.Tensor, rate: float) -> tf.Tensor:
        """As `LayerInterface.dropout`."""
        return self._drop(x, rate, tf.shape(x)[1:]) if self.training and rate else x

    def drop_path(self, x: tf.Tensor, rate: float, depth: float) -> tf.Tensor:
        """As `LayerInterface.drop_path`."""
        if not self.training or not rate:
            return x
        return self._drop(x, rate * depth * self._progress, [1, 1, 1])

    def _pool(self, pool: Callable, x: tf.Tensor, size: int, stride: int) -> tf.Tensor:
        """A pool without weights, computed once (and its slow gradient, too) where several operations of a cell are the
        same.
        """
        return self._once((pool, size, stride), x, lambda: pool(x, along(x, size), along(x, stride), "SAME"))

    def _once(self, what: object, x: tf.Tensor, compute: Callable[[], tf.Tensor]) -> tf.Tensor:
        """What was computed of this tensor before, or is now."""
        if (what, id(x)) not in self._known:
            self._known[what, id(x)] = x, compute()  # with x, so that its id stays its own
        return self._known[what, id(x)][1]

    def _drop(self, x: tf.Tensor, rate: float | tf.Tensor, shape: tf.Tensor | list) -> tf.Tensor:
        """Drops what one draw of `shape` per image says."""
        self._draws += 1
        images = self._share.images if self._share else tf.shape(x)[0]
        uniform = tf.random.stateless_uniform(
            tf.concat([[images], shape], 0), self._seed + tf.constant([0, 7919 * self._draws])
        )
        keep = (self._share.of(uniform) if self._share else uniform) >= rate
        return x * tf.cast(tf.cast(keep, tf.float32) / (1.0 - rate), x.dtype)

    def _shared_batch_norm(self, x: tf.Tensor, name: str, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
        """Batch normalisation over the images of all devices, with the variance measured as the fused kernel does."""
        assert self._share is not None
        exact = tf.cast(x, tf.float32)
        sums = [tf.reduce_sum(each, [0, 1, 2]) for each in (exact, tf.square(exact))]
        values, squares, count = self._share.sum([*sums, tf.cast(tf.size(x[..., 0]), tf.float32)])
        mean = values / count
        variance = squares / count - tf.square(mean)
        self.measured[f"{name}/mean"], self.measured[f"{name}/variance"] = mean, variance * count / (count - 1.0)
        return tf.cast(tf.nn.batch_normalization(exact, mean, variance, offset, scale, EPSILON), x.dtype)

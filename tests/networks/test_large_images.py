"""What the layers compute in another way where images are large is what TensorFlow's own operations compute."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.networks.layers import EPSILON, MANY_PIXELS, PIXELS, Layers

LARGE, SMALL = 32, 12
assert SMALL**2 < PIXELS <= LARGE**2 and MANY_PIXELS <= LARGE**2


def layers_over(weights, training=True):
    return Layers(weights, {}, training, seed=tf.zeros([2], tf.int32))


def arrays(*shapes):
    rng = np.random.default_rng(0)
    return [tf.constant(rng.standard_normal(shape, np.float32)) for shape in shapes]


def assert_same_with_gradients(ours, theirs, inputs, rtol=1e-4):
    """Two functions of the same tensors, with gradients of a sum that weights every output differently."""
    found = []
    for function in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            y = function(*inputs)
            (weights,) = arrays(y.shape)
            loss = tf.reduce_sum(y * weights)
        found.append([y, *tape.gradient(loss, inputs)])
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol * float(tf.reduce_max(abs(other))))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [SMALL, LARGE, LARGE + 1])
def test_a_pointwise_convolution_is_the_convolution(side, stride):
    assert_same_with_gradients(
        lambda x, kernel: layers_over({"c/kernel": kernel}).conv(x, "c", 4, 1, stride),
        lambda x, kernel: tf.nn.conv2d(x, kernel, stride, "SAME"),
        arrays((2, side, side, 3), (1, 1, 3, 4)),
    )


@pytest.mark.parametrize("side", [SMALL, LARGE])
def test_its_normalisation_is_batch_normalisation_with_the_same_statistics(side):
    seen = []

    def ours(x, kernel, scale, offset):
        layers = layers_over({"c/kernel": kernel, "n/scale": scale, "n/offset": offset})
        y = layers.batch_norm(layers.conv(x, "c", 4, 1), "n")
        seen.append((layers.measured["n/mean"], layers.measured["n/variance"]))
        return y

    def theirs(x, kernel, scale, offset):
        result = tf.raw_ops.FusedBatchNormV3(
            x=tf.nn.conv2d(x, kernel, 1, "SAME"),
            scale=scale,
            offset=offset,
            mean=[],
            variance=[],
            epsilon=EPSILON,
            is_training=True,
        )
        seen.append((result.batch_mean, result.batch_variance))
        return result.y

    x, *others = arrays((2, side, side, 3), (1, 1, 3, 4), (4,), (4,))
    assert_same_with_gradients(ours, theirs, [tf.nn.relu(x + 1.0), *others], 1e-3)
    for one, other in zip(*seen):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [SMALL, LARGE, LARGE + 1])
def test_a_dilated_depthwise_convolution_is_tensorflows(side):
    assert_same_with_gradients(
        lambda x, kernel: layers_over({"d/depthwise": kernel}).depthwise(x, "d", 3, dilation=2),
        lambda x, kernel: tf.nn.depthwise_conv2d(x, kernel, [1] * 4, "SAME", dilations=[2, 2]),
        arrays((2, side, side, 3), (3, 3, 3, 1)),
    )


def test_an_image_moved_by_a_pixel_has_zeros_at_its_end():
    (x,) = arrays((2, 4, 6, 3))
    moved = layers_over({}).shifted(x).numpy()
    np.testing.assert_array_equal(moved[:, :-1, :-1], x[:, 1:, 1:])
    assert not moved[:, -1].any() and not moved[:, :, -1].any()


def test_equal_pools_of_a_tensor_are_one_and_others_are_not():
    x, other = arrays((2, 8, 8, 3), (2, 8, 8, 3))
    layers = layers_over({})
    first = layers.max_pool(x, 3, 2)
    assert layers.max_pool(x, 3, 2) is first
    different = [
        layers.max_pool(other, 3, 2),
        layers.max_pool(x, 2, 2),
        layers.max_pool(x, 3, 1),
        layers.average_pool(x, 3, 2),
    ]
    assert all(each is not first for each in different)

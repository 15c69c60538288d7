"""Sizes and strides over the pixels of an image tensor."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from alphaxenas.networks.layer_interface import Size


def along(x: Any, size: Size) -> tuple[int, int]:
    """A size in both directions, or along the row of pixels alone.

    Args:
        x: `[B, h, w, c]`, of TensorFlow or of Keras.
        size: In pixels; two numbers stay what they are.

    Returns:
        Height and width; height 1 on an image of height 1.
    """
    return size if isinstance(size, tuple) else ((1 if x.shape[1] == 1 else size), size)


def large(x: tf.Tensor, pixels: int, divisor: int = 1) -> bool:
    """Whether an image has so many pixels, in rows and columns that the divisor divides.

    Args:
        x: `[B, h, w, c]`.
        pixels: Fewest pixels.
        divisor: Of height and width.
    """
    return x.shape[1] * x.shape[2] >= pixels and x.shape[1] % divisor == x.shape[2] % divisor == 0


def every(x: tf.Tensor, stride: int) -> tf.Tensor:
    """Every `stride`-th pixel, by slices of whole rows, whose gradient is a padding.

    Args:
        x: `[B, h, w, c]`, h and w multiples of the stride.
        stride: Distance of the pixels.

    Returns:
        `[B, h / stride, w / stride, c]`.
    """
    if stride == 1:
        return x
    _, height, width, channels = x.shape
    rows = tf.reshape(x, [-1, height // stride, stride, width * channels])
    rows = tf.slice(rows, [0, 0, 0, 0], [-1, height // stride, 1, width * channels])
    pixels = tf.reshape(rows, [-1, height // stride, width // stride, stride * channels])
    return tf.slice(pixels, [0, 0, 0, 0], [-1, height // stride, width // stride, channels])

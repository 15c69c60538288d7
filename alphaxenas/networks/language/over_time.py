"""The loop over the words of a window, in either direction, which all recurrent parts share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from alphaxenas.runs.machine import usable_cores

MOST_PARTS = 4
"""Parts of a batch at most: products of fewer rows take hardly less time."""


def over_time(
    step: Callable[..., tuple[tuple, Sequence[tf.Tensor]]],
    state: tuple[tf.Tensor, ...],
    like: tf.Tensor,
    count: int,
    backwards: bool = False,
) -> tuple[tuple[tf.Tensor, ...], list[tf.TensorArray]]:
    """Does a step for every word of a window, and keeps what each step gives.

    Args:
        step: Takes the place in the window and the state; returns the state after it and `count` tensors to keep.
        state: Before the first step.
        like: A tensor of the window, `[time, ...]`: its length and type are those of what is kept.
        count: Tensors that a step keeps.
        backwards: From the last word to the first.

    Returns:
        The state after the last step, and what was kept by the place in the window: reading it from here copies
        nothing.
    """
    steps = tf.shape(like)[0]
    start, move = (steps - 1, -1) if backwards else (tf.constant(0), 1)

    def goes_on(time: tf.Tensor, *_: Any) -> tf.Tensor:
        return time >= 0 if backwards else time < steps

    def body(time: tf.Tensor, state: tuple, kept: Sequence[tf.TensorArray]) -> Any:
        state, stored = step(time, *state)
        return time + move, state, [array.write(time, what) for array, what in zip(kept, stored, strict=True)]

    kept = [tf.TensorArray(like.dtype, steps, clear_after_read=False, element_shape=None) for _ in range(count)]
    _, state, kept = tf.while_loop(goes_on, body, (start, state, kept), parallel_iterations=1)
    return state, kept


def in_parts(run: Callable[..., Any], *batched: tf.Tensor) -> Any:
    """What `run` gives for a whole batch, computed for parts of it that know nothing of each other.

    TensorFlow computes them side by side. The products of a step are too small for several cores.

    Args:
        run: Takes tensors of a part; returns one `[..., batch, n]`, or a tuple of such.
        batched: `[..., batch, n]` each.
    """
    parts = _parts()
    if parts == 1:
        return run(*batched)
    rows = tf.shape(batched[0])[-2]
    sizes = tf.stack([(rows * (part + 1)) // parts - (rows * part) // parts for part in range(parts)])
    found = [run(*part) for part in zip(*(tf.split(tensor, sizes, -2, num=parts) for tensor in batched))]
    if isinstance(found[0], tuple):
        return tuple(tf.concat(part, -2) for part in zip(*found))
    return tf.concat(found, -2)


def _parts() -> int:
    """One for each core that TensorFlow may use; one where a GPU computes."""
    if tf.config.list_physical_devices("GPU"):
        return 1
    limits = (tf.config.threading.get_intra_op_parallelism_threads(), int(os.environ.get("TF_NUM_INTRAOP_THREADS", 0)))
    return min(MOST_PARTS, *filter(None, limits), usable_cores())


def weight_gradient(read: tf.Tensor, products: tf.Tensor) -> tf.Tensor:
    """The gradient of a weight matrix over a window, as one product.

    Args:
        read: `[time, batch, rows]`: what the matrix was multiplied with.
        products: `[time, batch, columns]`: errors of the products.

    Returns:
        `[rows, columns]`.
    """
    rows, columns = (tf.reshape(tensor, (-1, tensor.shape[-1])) for tensor in (read, products))
    return tf.matmul(rows, columns, transpose_a=True)

"""The loop over the words of a window, in either direction, which all recurrent parts share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def over_time(
    step: Callable[..., tuple[tuple, Sequence[tf.Tensor]]],
    state: tuple[tf.Tensor, ...],
    like: tf.Tensor,
    count: int,
    backwards: bool = False,
) -> tuple[tuple[tf.Tensor, ...], list[tf.Tensor]]:
    """Does a step for every word of a window, and stacks what each step keeps.

    Args:
        step: Takes the place in the window and the state; returns the state after it and `count` tensors to keep.
        state: Before the first step.
        like: A tensor of the window, `[time, ...]`: its length and type are those of what is kept.
        count: Tensors that a step keeps.
        backwards: From the last word to the first.

    Returns:
        The state after the last step, and what was kept, `[time, ...]` each.
    """
    steps = tf.shape(like)[0]
    start, move = (steps - 1, -1) if backwards else (tf.constant(0), 1)

    def goes_on(time: tf.Tensor, *_: Any) -> tf.Tensor:
        return time >= 0 if backwards else time < steps

    def body(time: tf.Tensor, state: tuple, kept: Sequence[tf.TensorArray]) -> Any:
        state, stored = step(time, *state)
        return time + move, state, [array.write(time, what) for array, what in zip(kept, stored)]

    kept = [tf.TensorArray(like.dtype, steps, element_shape=None) for _ in range(count)]
    _, state, kept = tf.while_loop(goes_on, body, (start, state, kept), parallel_iterations=1)
    return state, [array.stack() for array in kept]

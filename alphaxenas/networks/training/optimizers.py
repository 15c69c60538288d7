"""Updates of weights in TensorFlow: the one implementation for children, and for the networks of controllers.

Children use TensorFlow's fused operations. They act on the variable's handle, which inside a step on several devices is
the local one: every device makes the same update by itself. Controllers keep weights in tensors too, which the fused
operations cannot change: for them Adam is a formula (`adam_update`), which differs from the fused one by rounding.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from alphaxenas.networks.devices import load_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = load_tensorflow()

FIRST_DECAY, SECOND_DECAY, ADAM_EPSILON = 0.9, 0.999, 1e-7
"""Of Adam's moments; Keras' constants."""


def adam_rate(rate: float, steps: int) -> float:
    """The learning rate that corrects the bias of Adam's moments.

    Args:
        rate: Learning rate.
        steps: Number of this update, from 1.

    Returns:
        The rate for `apply_adam`.

    Source: Kingma & Ba 2015, end of section 2.
    """
    return rate * math.sqrt(1.0 - SECOND_DECAY**steps) / (1.0 - FIRST_DECAY**steps)


def apply_adam(
    values: tf.Variable, first: tf.Variable, second: tf.Variable, gradient: tf.Tensor, rate: tf.Tensor
) -> None:
    """One update by Adam, fused and in place.

    Args:
        values: Weights `[n]`.
        first: Moving average of gradients `[n]`.
        second: Moving average of squared gradients `[n]`.
        gradient: `[n]`.
        rate: As `adam_rate` gives it.
    """
    tf.raw_ops.ResourceApplyAdam(
        var=values.handle,
        m=first.handle,
        v=second.handle,
        beta1_power=0.0,
        beta2_power=0.0,
        lr=rate,
        beta1=FIRST_DECAY,
        beta2=SECOND_DECAY,
        epsilon=ADAM_EPSILON,
        grad=gradient,
    )


def adam_update(
    values: tf.Tensor,
    first: tf.Tensor,
    second: tf.Tensor,
    gradient: tf.Tensor,
    rate: tf.Tensor | float,
    steps: tf.Tensor,
    epsilon: float = ADAM_EPSILON,
    weight_decay: float = 0.0,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """One update by Adam with decoupled weight decay, as a formula.

    Args:
        values: Weights of any shape.
        first: Moving average of gradients, of that shape.
        second: Moving average of squared gradients, of that shape.
        gradient: Of that shape.
        rate: Learning rate, its bias not corrected.
        steps: Number of this update, from 1.
        epsilon: Added to the root of the squares, > 0.
        weight_decay: Share of the weights that is subtracted, times the learning rate, >= 0.

    Returns:
        What to subtract from the weights, and both new averages.

    Source: Kingma & Ba 2015, end of section 2; Loshchilov & Hutter 2019, Algorithm 2.
    """
    first = FIRST_DECAY * first + (1 - FIRST_DECAY) * gradient
    second = SECOND_DECAY * second + (1 - SECOND_DECAY) * tf.square(gradient)
    power = tf.cast(steps, tf.float32)
    corrected = rate * tf.sqrt(1 - SECOND_DECAY**power) / (1 - FIRST_DECAY**power)
    difference = corrected * first / (tf.sqrt(second) + epsilon)
    if weight_decay:
        difference += rate * (weight_decay * values)
    return difference, first, second


def apply_momentum(
    values: tf.Variable, accumulator: tf.Variable, gradient: tf.Tensor, rate: tf.Tensor, momentum: float
) -> None:
    """One update by Nesterov momentum.

    Args:
        values: Weights `[n]`.
        accumulator: Momentum accumulator `[n]`.
        gradient: `[n]`.
        rate: Learning rate.
        momentum: In [0, 1).
    """
    tf.raw_ops.ResourceApplyMomentum(
        var=values.handle, accum=accumulator.handle, lr=rate, grad=gradient, momentum=momentum, use_nesterov=True
    )


def subtract(variable: tf.Variable, difference: tf.Tensor) -> None:
    """Subtracts from a variable, on every device by itself.

    Args:
        variable: `[n]`.
        difference: `[n]`.
    """
    tf.raw_ops.AssignSubVariableOp(resource=variable.handle, value=difference)

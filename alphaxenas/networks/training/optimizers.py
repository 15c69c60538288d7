"""Updates of a flat vector of weights by TensorFlow's fused operations, the one implementation for children.

The operations act on the variable's handle, which inside a step on several devices is the local one: every device
makes the same update by itself.
"""

from __future__ import annotations

import math

import tensorflow as tf

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
    """One update by Adam.

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

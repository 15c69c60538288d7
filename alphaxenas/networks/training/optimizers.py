"""Updates of weights in TensorFlow: the one implementation for children, and for the networks of controllers.

Children use TensorFlow's fused operations. They act on the variable's handle, which inside a step on several devices is
the local one: every device makes the same update by itself. Controllers keep weights in tensors too, which the fused
operations cannot change: for them Adam is a formula (`adam_update`), which differs from the fused one by rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from alphaxenas.networks.devices import load_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.networks.bank import ArraySpec
    from alphaxenas.networks.training.recipe import Recipe
else:
    tf = load_tensorflow()

FIRST_DECAY, SECOND_DECAY, ADAM_EPSILON = 0.9, 0.999, 1e-7
"""Of Adam's moments; Keras' constants."""
KILOSTEP = 1024
"""Images that the rates of `decoupled` are for."""
MUON_RATE, MUON_MOMENTUM, NEWTON_SCHULZ = 0.24, 0.6, (3.4445, -4.7750, 2.0315)
"""Of the CIFAR-10 record with Muon, and of its iteration."""


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


def decoupled(
    gradient: tf.Tensor, values: tf.Tensor, images: tf.Tensor, rate: tf.Tensor, recipe: Recipe
) -> tuple[tf.Tensor, tf.Tensor]:
    """Gradient and learning rate that make `apply_momentum` independent of batch size, momentum and learning rate.

    An image moves the weights by `rate / (1024 (1 + 1 / (1 - momentum)))` times its gradient, and 1,024 images decay
    them by the share `weight_decay`, which follows the schedule of the rate.

    Args:
        gradient: Of the mean loss, `[n]`.
        values: Weights `[n]`; all decay.
        images: Size of the batch.
        rate: Learning rate per 1,024 images.
        recipe: Its momentum, weight decay and highest rate count.

    Returns:
        Gradient `[n]` and learning rate.

    Source: D. Page 2018, "How to train your ResNet", part 5 (rates per image, decay apart from the rate); Jordan 2024,
    appendix A (decoupled hyperparameters).
    """
    decayed = gradient + (recipe.weight_decay / recipe.learning_rate) * values
    return tf.cast(images, tf.float32) * decayed, rate / (KILOSTEP * (1.0 + 1.0 / (1.0 - recipe.momentum)))


def orthogonalised(matrix: tf.Tensor, rounds: int = 3) -> tf.Tensor:
    """Nearly the orthogonal matrix next to a matrix: its singular values become about 1.

    Args:
        matrix: `[m, n]`.
        rounds: Of the iteration.

    Returns:
        `[m, n]`.

    Source: K. Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks" (quintic Newton-Schulz
    iteration with its constants).
    """
    wide = matrix.shape[0] < matrix.shape[1]
    x = matrix if wide else tf.transpose(matrix)
    x /= tf.norm(x) + ADAM_EPSILON
    for _ in range(rounds):
        products = tf.linalg.matmul(x, x, transpose_b=True)
        mixed = NEWTON_SCHULZ[1] * products + NEWTON_SCHULZ[2] * tf.linalg.matmul(products, products)
        x = NEWTON_SCHULZ[0] * x + tf.linalg.matmul(mixed, x)
    return x if wide else tf.transpose(x)


def apply_muon(
    values: tf.Variable,
    slots: tf.Variable,
    gradient: tf.Tensor,
    rate: tf.Tensor,
    kernels: Mapping[str, ArraySpec],
    recipe: Recipe,
) -> None:
    """One update: Muon for convolution kernels, Nesterov momentum for all else.

    Args:
        values: Weights `[n]`, kernels first.
        slots: Momentum `[n]`.
        gradient: `[n]`.
        rate: Learning rate of what is no kernel; that of kernels is `MUON_RATE` at its highest.
        kernels: Of convolutions, by name.
        recipe: Its momentum and highest rate count.

    Source: as of `orthogonalised`, with the kernels kept at a norm of sqrt(filters) as in the authors' CIFAR-10 record.
    """
    sizes = [spec.size for spec in kernels.values()]
    rest = gradient.shape[0] - sum(sizes)
    momentum = tf.repeat(tf.constant([MUON_MOMENTUM, recipe.momentum]), [sum(sizes), rest])
    ahead = momentum * slots.read_value() + gradient
    assign(slots, ahead)
    aheads = tf.split(gradient + momentum * ahead, [*sizes, rest])
    before = tf.split(values.read_value(), [*sizes, rest])
    highest = recipe.learning_rate / (KILOSTEP * (1.0 + 1.0 / (1.0 - recipe.momentum)))
    moved = []
    for spec, towards, kernel in zip(kernels.values(), aheads, before):
        filters = spec.shape[-1]
        step = tf.reshape(orthogonalised(tf.reshape(towards, [-1, filters])), [-1])
        moved.append(kernel * (math.sqrt(filters) / tf.norm(kernel)) - MUON_RATE * (rate / highest) * step)
    assign(values, tf.concat([*moved, before[-1] - rate * aheads[-1]], 0))


def assign(variable: tf.Variable, value: tf.Tensor) -> None:
    """Sets a variable, on every device by itself.

    Args:
        variable: `[n]`.
        value: `[n]`.
    """
    tf.raw_ops.AssignVariableOp(resource=variable.handle, value=value)


def subtract(variable: tf.Variable, difference: tf.Tensor) -> None:
    """Subtracts from a variable, on every device by itself.

    Args:
        variable: `[n]`.
        difference: `[n]`.
    """
    tf.raw_ops.AssignSubVariableOp(resource=variable.handle, value=difference)

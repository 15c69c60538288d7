"""Adam against its formula, worked out by hand for two steps: in NumPy and in TensorFlow, with weight decay."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from alphaxenas.controllers.optimizer import Adam
from alphaxenas.networks.training.optimizers import adam_update

RATE, GRADIENTS = 0.1, (2.0, -1.0)


def by_hand(epsilon, as_keras=False, decay=0.0):
    """The weight 1.0 after one step and after two: moments 0.2 and 0.004, then 0.08 and 0.004996."""
    weight, found = 1.0, []
    for step, (first, second) in enumerate(((0.2, 0.004), (0.08, 0.004996)), start=1):
        mean, square = first / (1 - 0.9**step), second / (1 - 0.999**step)
        root = sqrt(square) + (epsilon / sqrt(1 - 0.999**step) if as_keras else epsilon)
        weight -= RATE * mean / root + RATE * decay * weight
        found.append(weight)
    return found


@pytest.mark.parametrize("epsilon", [1e-8, 0.5])
@pytest.mark.parametrize("as_keras", [False, True])
def test_two_steps_in_numpy(epsilon, as_keras):
    weights = np.ones(1)
    optimizer, found = Adam([weights], epsilon=epsilon, as_keras=as_keras), []
    for gradient in GRADIENTS:
        optimizer.step([weights], [np.array([gradient])], RATE)
        found.append(weights[0])
    np.testing.assert_allclose(found, by_hand(epsilon, as_keras), rtol=1e-9)


def test_a_restored_optimizer_goes_on_as_the_first_one_would_have():
    one, other = np.ones(1), np.ones(1)
    optimizer, restored = Adam([one]), Adam([other])
    optimizer.step([one], [np.array([2.0])], RATE)
    restored.restore(optimizer.state())
    other[...] = one
    for adam, weights in ((optimizer, one), (restored, other)):
        adam.step([weights], [np.array([-1.0])], RATE)
    assert one == other


@pytest.mark.parametrize(("epsilon", "decay"), [(1e-7, 0.0), (0.5, 0.0), (1e-8, 0.3)])
def test_two_steps_in_tensorflow(epsilon, decay):
    weights, first, second, found = np.ones(1, np.float32), np.zeros(1, np.float32), np.zeros(1, np.float32), []
    for steps, gradient in enumerate(GRADIENTS, start=1):
        difference, first, second = adam_update(
            weights, first, second, np.array([gradient], np.float32), RATE, np.int32(steps), epsilon, decay
        )
        weights = weights - difference
        found.append(float(weights[0]))
    # `adam_update` adds epsilon before the correction, as Keras does.
    np.testing.assert_allclose(found, by_hand(epsilon, as_keras=True, decay=decay), rtol=1e-4)

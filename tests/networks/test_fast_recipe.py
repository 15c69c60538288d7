"""Fast trainings: decoupled momentum, Muon, lookahead, the triangle, mirroring in every second epoch, views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.data.images import ImageData, Part
from alphaxenas.data.pipeline import Batches, views
from alphaxenas.networks.export.keras_export import test_accuracy as accuracy_of
from alphaxenas.networks.training.optimizers import KILOSTEP, MUON_MOMENTUM, MUON_RATE, orthogonalised
from alphaxenas.networks.training.recipe import Recipe
from tests.networks.test_training import gradient_by_hand, linear
from tests.networks.tiny import batch_of, child_of, weights_of

SHAPE = (2, 2, 4)
DECOUPLED = Recipe(8.0, 0.8, 0.5, 0.0, optimizer="decoupled")


def kernel_of(child):
    return weights_of(child)["shared/kernel"][0, 0].astype(np.float64)


class TestDecoupledMomentum:
    def test_it_is_nesterov_momentum_of_the_summed_loss_with_rates_for_1024_images(self):
        # As published: SGD of the sum of losses, rate lr / kilostep, decay wd * batch / kilostep / rate.
        child, batch, (images, labels) = child_of(linear(), recipe=DECOUPLED, shape=SHAPE), 5, batch_of(5, SHAPE)
        kernel, slot = kernel_of(child), 0.0
        kilostep = 1024 * (1 + 1 / (1 - 0.8))
        highest = 8.0 / kilostep
        for share in (0.25, 1.0, 0.5):
            child.train_step(images, labels, 8.0 * share)
            gradient = batch * gradient_by_hand(kernel, images, labels, 1)
            gradient += 0.5 * batch / kilostep / highest * kernel
            slot = 0.8 * slot + gradient
            kernel = kernel - share * highest * (gradient + 0.8 * slot)
        np.testing.assert_allclose(kernel_of(child), kernel, atol=1e-6)

    def test_decay_does_not_depend_on_the_learning_rate(self):
        left = []
        for rate in (1e-6, 1e-3):
            child = child_of(linear(), recipe=replace(DECOUPLED, learning_rate=rate), shape=SHAPE)
            before = kernel_of(child)
            child.train_step(tf.zeros([4, *SHAPE]), tf.zeros([4], tf.int32), rate)
            left.append(kernel_of(child) / before)
        np.testing.assert_allclose(*left, rtol=1e-5)
        assert left[0].max() < 1


class TestMuon:
    def test_singular_values_become_about_one(self):
        matrix = np.random.default_rng(0).standard_normal((6, 20)).astype(np.float32)
        for one in (matrix, matrix.T):
            found = orthogonalised(tf.constant(one), 5).numpy()
            assert found.shape == one.shape
            values = np.linalg.svd(found, compute_uv=False)
            assert 0.6 < values.min() and values.max() < 1.3

    def test_kernels_move_by_an_orthogonal_step_and_keep_their_norm(self):
        recipe = replace(DECOUPLED, optimizer="muon", weight_decay=0.0)
        child, (images, labels) = child_of(linear(), recipe=recipe, shape=SHAPE), batch_of(5, SHAPE)
        before = kernel_of(child)
        child.train_step(images, labels, 8.0)
        # At first the slot is the gradient: towards (1 + momentum) times it, whose size does not matter.
        gradient = gradient_by_hand(before, images, labels, 1)
        step = orthogonalised(tf.constant((1 + MUON_MOMENTUM) * gradient, tf.float32)).numpy()
        expected = before * np.sqrt(3) / np.linalg.norm(before) - MUON_RATE * step
        np.testing.assert_allclose(kernel_of(child), expected, atol=1e-4)
        assert KILOSTEP == 1024


class TestLookahead:
    RECIPE = Recipe(0.1, 0.0, 0.0, 0.0, lookahead=True)

    def test_slow_weights_meet_the_trained_ones_every_five_steps(self):
        child, (images, labels) = child_of(linear(), recipe=self.RECIPE, shape=SHAPE), batch_of(5, SHAPE)
        fast = slow = kernel_of(child)
        for step in range(10):
            progress = step / 10
            child.train_step(images, labels, 0.1, progress)
            fast = fast - 0.1 * gradient_by_hand(fast, images, labels, 1)
            if step in (4, 9):
                decay = 0.95**5 * progress**3
                fast = slow = decay * slow + (1 - decay) * fast
            np.testing.assert_allclose(child.state()["values"], fast.ravel(), atol=1e-5)
            np.testing.assert_allclose(kernel_of(child), slow, atol=1e-5)

    def test_it_goes_on_from_a_state_in_the_middle(self):
        images, labels = batch_of(5, SHAPE)
        whole, first = (child_of(linear(), recipe=self.RECIPE, shape=SHAPE) for _ in range(2))
        second = child_of(linear(), recipe=self.RECIPE, shape=SHAPE)
        for step in range(7):
            whole.train_step(images, labels, 0.1, step / 7)
            if step == 3:
                second.restore(first.state())
            (first if step < 3 else second).train_step(images, labels, 0.1, step / 7)
        for name, array in whole.state().items():
            np.testing.assert_array_equal(second.state()[name], array, err_msg=name)

    def test_another_average_is_refused(self):
        with pytest.raises(ValueError, match="`average`.*lookahead"):
            Recipe(lookahead=True, average=0.9)


def test_the_triangle_goes_up_and_down_along_lines():
    recipe = Recipe(2.0, schedule="triangle", warmup=0.9, restart=0.1)
    assert [recipe.rate_at(share) for share in (0, 0.115, 0.23, 0.615, 1)] == pytest.approx([0.4, 1.2, 2.0, 1.07, 0.14])


class TestAugmentation:
    @staticmethod
    def batches(alternating=True, count=40):
        rng = np.random.default_rng(0)
        part = Part(rng.integers(0, 256, (count, 6, 6, 1), np.uint8), np.arange(count, dtype=np.int32))
        return Batches(part, np.zeros(1), np.ones(1), 7, True, 0, 0, True, alternating)

    @staticmethod
    def mirrored(batches, epoch, seed=0):
        """By label: whether the image is the stored one from left to right (False) or from right to left (True)."""
        found = {}
        stored = {
            int(label): image.numpy()
            for images, labels in batches.epoch(0, 0, augment=False)
            for image, label in zip(images, labels)
        }
        for images, labels in batches.epoch(seed, epoch):
            for image, label in zip(images.numpy(), labels.numpy()):
                same, turned = (np.allclose(image, one) for one in (stored[label], stored[label][:, ::-1]))
                assert same != turned
                found[int(label)] = turned
        return found

    def test_every_image_is_mirrored_in_every_second_epoch(self):
        epochs = [self.mirrored(self.batches(), epoch) for epoch in range(4)]
        assert len(epochs[0]) == 40
        assert all(epochs[0][label] != epochs[1][label] for label in range(40))
        assert epochs[0] == epochs[2] and epochs[1] == epochs[3]
        assert 8 < sum(epochs[0].values()) < 32
        assert self.mirrored(self.batches(), 0, seed=1) != epochs[0]

    def test_otherwise_chance_decides_anew(self):
        epochs = [self.mirrored(self.batches(alternating=False), epoch) for epoch in range(3)]
        assert epochs[0] != epochs[2] and any(epochs[0][label] == epochs[1][label] for label in range(40))


class TestViews:
    IMAGES = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 1)

    def test_six_views_of_every_image_with_half_of_the_weight_on_the_unmoved(self):
        found = list(views(self.IMAGES))
        assert [weight for weight, _ in found] == [0.25, 0.25, 0.125, 0.125, 0.125, 0.125]
        np.testing.assert_array_equal(found[0][1], self.IMAGES)
        np.testing.assert_array_equal(found[1][1], self.IMAGES[:, :, ::-1])
        np.testing.assert_array_equal(found[2][1][:, 1:, 1:], self.IMAGES[:, :3, :3])
        np.testing.assert_array_equal(found[4][1][:, :3, :3], self.IMAGES[:, 1:, 1:])
        # Where a view reaches beyond the image, the image is mirrored at its border.
        np.testing.assert_array_equal(found[2][1][:, 0, 1:], self.IMAGES[:, 1, :3])

    def test_images_that_must_not_be_mirrored_have_three(self):
        assert [weight for weight, _ in views(self.IMAGES, flip=False)] == [0.5, 0.25, 0.25]

    def test_the_mean_of_the_logits_decides(self):
        class Model:
            """Class 1 where the first pixel is bright, and surer of it the brighter it is."""

            input_shape, output_shape = (None, 4, 4, 1), (None, 2)

            @staticmethod
            def predict_on_batch(pixels):
                logit = pixels[:, 0, 0, 0] - 100.0
                one = 1 / (1 + np.exp(-logit / 20))
                return np.stack([1 - one, one], 1)

        images = np.zeros((1, 4, 4, 1), np.uint8)
        images[0, 0, 0], images[0, 0, 3] = 110, 80
        part = Part(images, np.array([1], np.int32))
        data = ImageData("one", part, part, part, np.zeros(1), np.ones(1), ("dark", "bright"), True)
        # Seen as it is the pixel is bright enough; the views show a pixel that is not.
        assert accuracy_of(Model(), data) == 1.0
        assert accuracy_of(Model(), data, with_views=True) == 0.0

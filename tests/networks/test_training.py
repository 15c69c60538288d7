"""The training loop: which weights move and by how much, schedules, gradients, evaluation, continuing."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.data.images import Part
from alphaxenas.data.pipeline import Batches
from alphaxenas.networks.bank import WeightBank
from alphaxenas.networks.layers import EPSILON
from alphaxenas.networks.nasbench.nasbench101 import NASBench101Network
from alphaxenas.networks.nasbench.nasbench201 import NASBench201Network
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.training.fit import fit
from alphaxenas.networks.training.loop import AUXILIARY_WEIGHT, DivergedError, Recipe
from alphaxenas.spaces.cell import Cell
from alphaxenas.spaces.nasbench.cell101 import read_cell
from alphaxenas.spaces.nasbench.nasbench201 import NASBench201
from tests.networks.tiny import (
    CLASSES,
    MIXED,
    PLAIN,
    SHAPE,
    SMALL,
    batch_of,
    child_of,
    network_of,
    snapshot,
    weights_of,
)

nasbench201 = functools.partial(NASBench201Network, NASBench201().parse("342104"), CLASSES, 2, 3)
nasbench101 = functools.partial(
    NASBench101Network, read_cell("conv3x3-bn-relu(0) maxpool3x3(0,1) conv1x1-bn-relu(1) output(0,2,3)"), CLASSES, 3, 3
)
OTHER = Cell.parse("prev2:sep3x3 + prev:conv5x5")


def linear(times: int = 1):
    """One 1x1 convolution that is applied to `times` shares of the image's channels and summed; a plain linear map."""

    def network(layers, images):
        x = layers.input(images)
        y = layers.add([layers.conv(x, "shared", CLASSES, 1) for _ in range(times)])
        return [layers.global_average(y)]

    return network


def softmax(logits):
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


def gradient_by_hand(kernel, images, labels, times, smoothing=0.0):
    """Of the mean cross-entropy of `linear(times)` with respect to its kernel `[channels, classes]`, in float64."""
    features = images.numpy().astype(np.float64).mean((1, 2))
    targets = np.eye(CLASSES)[labels.numpy()] * (1 - smoothing) + smoothing / CLASSES
    return times * features.T @ (softmax(times * features @ kernel) - targets) / len(features)


class TestTheUpdate:
    """One step against Nesterov momentum computed by hand (Sutskever et al. 2013, as in most libraries)."""

    SHAPE = (2, 2, 4)

    def trained(self, times, recipe, steps=3):
        child = child_of(linear(times), recipe=recipe, shape=self.SHAPE)
        start = weights_of(child)["shared/kernel"][0, 0].astype(np.float64)
        images, labels = batch_of(5, self.SHAPE)
        for _ in range(steps):
            child.train_step(images, labels, recipe.learning_rate)
        return start, weights_of(child)["shared/kernel"][0, 0], images, labels

    def by_hand(self, kernel, images, labels, times, recipe, steps=3):
        slot = np.zeros_like(kernel)
        for _ in range(steps):
            gradient = (
                gradient_by_hand(kernel, images, labels, times, recipe.label_smoothing) + recipe.weight_decay * kernel
            )
            if recipe.gradient_clip:
                gradient = gradient * min(1.0, recipe.gradient_clip / np.linalg.norm(gradient))
            slot = recipe.momentum * slot + gradient
            kernel = kernel - recipe.learning_rate * (gradient + recipe.momentum * slot)
        return kernel

    @pytest.mark.parametrize("times", [1, 4])
    def test_a_kernel_used_several_times_moves_once_by_the_summed_gradient(self, times):
        start, after, images, labels = self.trained(times, PLAIN)
        assert not np.allclose(after, start, atol=1e-3)
        np.testing.assert_allclose(after, self.by_hand(start, images, labels, times, PLAIN), atol=1e-5)

    @pytest.mark.parametrize("times", [1, 4])
    def test_the_size_of_a_step_does_not_depend_on_how_often_a_kernel_is_used(self, times):
        # Weight decay alone: the gradient does not contain the uses, so neither may the step.
        recipe = replace(PLAIN, weight_decay=0.5, learning_rate=0.1, momentum=0.0)
        child = child_of(linear(times), recipe=recipe, shape=self.SHAPE)
        start = weights_of(child)["shared/kernel"]
        child.train_step(tf.zeros([2, *self.SHAPE]), tf.zeros([2], tf.int32), 0.1)
        np.testing.assert_allclose(weights_of(child)["shared/kernel"], start * (1 - 0.1 * 0.5), rtol=1e-5)

    @pytest.mark.parametrize(
        "options",
        [
            {"momentum": 0.0},
            {"weight_decay": 0.3},
            {"label_smoothing": 0.2},
            {"gradient_clip": 0.05},
            {"gradient_clip": 1e6},
            {"momentum": 0.5, "weight_decay": 0.3, "label_smoothing": 0.2, "gradient_clip": 0.05},
        ],
    )
    def test_every_part_of_the_recipe_is_as_by_hand(self, options):
        recipe = replace(PLAIN, **options)
        start, after, images, labels = self.trained(1, recipe)
        np.testing.assert_allclose(after, self.by_hand(start, images, labels, 1, recipe), atol=1e-5)

    @pytest.mark.parametrize("bound", [0.5, 0.01])
    def test_the_global_norm_of_a_clipped_gradient_is_at_most_the_bound(self, bound):
        recipe = replace(PLAIN, momentum=0.0, learning_rate=1.0, gradient_clip=bound, weight_decay=0.1)
        for clip in (bound, 0.0):
            child = child_of(network_of(), recipe=replace(recipe, gradient_clip=clip))
            before = child.state()["values"]
            child.train_step(*batch_of(), 1.0)
            norm = np.linalg.norm(child.state()["values"] - before)
            assert norm == pytest.approx(bound, rel=1e-4) if clip else norm > bound

    def test_weight_decay_is_for_kernels_alone(self):
        child = child_of(network_of(), recipe=replace(PLAIN, momentum=0.0, weight_decay=0.5))
        plain = child_of(network_of(), recipe=replace(PLAIN, momentum=0.0))
        start = weights_of(child)
        for each in (child, plain):
            each.train_step(*batch_of(), 0.1)
        decayed, undecayed = weights_of(child), weights_of(plain)
        for name in child.weights:
            expected = undecayed[name] - 0.1 * 0.5 * start[name] * name.endswith("kernel")
            np.testing.assert_allclose(decayed[name], expected, atol=2e-5, err_msg=name)


def loss_in_float64(network, arrays, images, labels):
    """Training loss of a cell network in NumPy-like float64 layers."""

    class Double:
        training, min_pool = True, None  # no minimum pooling here

        def __init__(self):
            self.relu, self.add, self.concat = tf.nn.relu, tf.add_n, lambda parts: tf.concat(parts, -1)

        def input(self, x):
            return tf.cast(x, tf.float64)

        def conv(self, x, name, filters, size, stride=1):
            return tf.nn.conv2d(x, arrays[f"{name}/kernel"], stride, "SAME")

        def depthwise(self, x, name, size, stride=1, dilation=1):
            assert (stride, dilation) == (1, 1), "not part of this stand-in"
            return tf.nn.depthwise_conv2d(x, arrays[f"{name}/depthwise"], [1, 1, 1, 1], "SAME")

        def batch_norm(self, x, name):
            mean, variance = tf.nn.moments(x, [0, 1, 2])
            return tf.nn.batch_normalization(
                x, mean, variance, arrays[f"{name}/offset"], arrays[f"{name}/scale"], EPSILON
            )

        def max_pool(self, x, size, stride=1):
            return tf.nn.max_pool2d(x, size, stride, "SAME")

        def average_pool(self, x, size, stride=1):
            return tf.nn.avg_pool2d(x, size, stride, "SAME")

        def global_average(self, x):
            return tf.reduce_mean(x, [1, 2])

        def dense(self, x, name, units):
            return x @ arrays[f"{name}/kernel"] + arrays[f"{name}/bias"]

        def dropout(self, x, rate):
            return x

        def drop_path(self, x, rate, depth):
            return x

    logits, *auxiliary = network(Double(), images)
    losses = [tf.nn.sparse_softmax_cross_entropy_with_logits(labels, each) for each in (logits, *auxiliary)]
    return float(tf.reduce_mean(losses[0]) + AUXILIARY_WEIGHT * sum(tf.reduce_mean(each) for each in losses[1:]))


def test_the_gradient_equals_finite_differences():
    network = network_of(MIXED, auxiliary=True)
    child = child_of(network, recipe=replace(PLAIN, momentum=0.0))
    images, labels = batch_of(4)
    start = {name: array.astype(np.float64) for name, array in weights_of(child).items()}
    child.train_step(images, labels, 1.0)
    gradient = {name: start[name] - array for name, array in weights_of(child).items()}
    rng, step = np.random.default_rng(0), 1e-5
    # Random directions through all arrays, and one through each kind of array.
    chosen = [list(child.weights)] * 3 + [
        [name for name in child.weights if name.endswith(kind)]
        for kind in ("kernel", "depthwise", "scale", "offset", "bias")
    ]
    for names in chosen:
        direction = {name: rng.standard_normal(start[name].shape) for name in names}
        sides = [
            loss_in_float64(
                network,
                {**start, **{name: start[name] + sign * step * direction[name] for name in names}},
                images,
                labels,
            )
            for sign in (1, -1)
        ]
        expected = (sides[0] - sides[1]) / (2 * step)
        scale = np.sqrt(sum(np.sum(gradient[name] ** 2) for name in names))
        assert sum(np.sum(gradient[name] * direction[name]) for name in names) == pytest.approx(
            expected, abs=2e-3 * scale, rel=2e-3
        )


class TestThePath:
    def test_every_array_of_the_path_changes_in_one_step(self):
        child = child_of(network_of(MIXED, auxiliary=True))
        before = weights_of(child)
        child.train_step(*batch_of(), 0.1)
        still = [name for name, array in weights_of(child).items() if np.array_equal(array, before[name])]
        assert not still
        assert {
            "stem/scale",
            "stem/offset",
            "auxiliary/classifier/kernel",
            "auxiliary/classifier/bias",
            "stem/mean",
        } <= set(before)

    def test_only_the_path_moves(self):
        bank, images, labels = WeightBank(0), *batch_of()
        first = child_of(network_of(SMALL), bank)
        first.train_step(images, labels, 0.1)
        first.store()
        before = snapshot(bank)
        second = child_of(network_of(OTHER), bank)
        second.train_step(images, labels, 0.1)
        second.store()
        after, path = snapshot(bank), {*second.weights, *second.statistics}
        on = {key for key in before if key.split(":")[1] in path}
        off = set(before) - on
        assert off and {key: before[key] for key in off} == {key: after[key] for key in off}
        assert all(before[key] != after[key] for key in on)
        assert {key.split(":")[0] for key in off} == set(bank.PARTS) == {key.split(":")[0] for key in on}

    def test_a_child_starts_from_the_slots_of_the_child_before_it(self):
        bank, images, labels = WeightBank(0), *batch_of()
        whole = child_of(network_of(), WeightBank(0))
        for _ in range(2):
            child = child_of(network_of(), bank)
            child.train_step(images, labels, 0.1)
            child.store()
            whole.train_step(images, labels, 0.1)
        for name, array in weights_of(whole).items():
            np.testing.assert_array_equal({**bank["weights"], **bank["statistics"]}[name], array)

    def test_nothing_reaches_the_bank_before_it_is_stored(self):
        bank = WeightBank(0)
        child_of(network_of(), bank).train_step(*batch_of(), 0.1)
        assert not snapshot(bank)

    def test_a_step_of_rate_zero_moves_the_statistics_alone(self):
        child = child_of(network_of())
        before = child.state()
        child.train_step(*batch_of(), 0.0)
        np.testing.assert_array_equal(child.state()["values"], before["values"])
        assert not np.array_equal(child.state()["moving"], before["moving"])


def logits_of(child, images):
    return next(child.predict([(images, None)]))[0]


class TestOneFunction:
    """The searched child, the final child and a continued child are the same function of the same weights."""

    @pytest.mark.parametrize("build", [functools.partial(network_of, MIXED), nasbench201, nasbench101])
    def test_weights_moved_by_name_give_the_same_logits(self, build):
        images, labels = batch_of()
        searched = child_of(build())
        searched.train_step(images, labels, 0.1)
        bank = WeightBank(99)
        searched.store(bank)
        final = child_of(build(dropout=0.3), bank, Recipe(warmup=0.1, label_smoothing=0.1))
        np.testing.assert_array_equal(logits_of(final, images), logits_of(searched, images))

    def test_bfloat16_is_close_to_float32(self):
        images, labels = batch_of(12)
        exact, rough = (
            child_of(network_of(MIXED), recipe=replace(PLAIN, precision=precision))
            for precision in ("float32", "bfloat16")
        )
        before, differences = logits_of(exact, images), []
        for _ in range(2):
            differences.append(np.abs(logits_of(exact, images) - logits_of(rough, images)).max())
            for child in (exact, rough):
                child.train_step(images, labels, 0.05)
        assert 0 < max(differences) < 0.1 * np.abs(before).max()
        assert logits_of(rough, images).dtype == np.float32
        assert rough.state()["values"].dtype == np.float32

    def test_a_restored_child_goes_on_bit_for_bit(self):
        images, labels = batch_of()
        child, other = child_of(network_of()), child_of(network_of(), WeightBank(5))
        child.train_step(images, labels, 0.1)
        other.restore(child.state())
        for each in (child, other):
            each.train_step(images, labels, 0.1, 0.5, (3, 4))
        for part, array in child.state().items():
            np.testing.assert_array_equal(other.state()[part], array)

    def test_parameters_are_those_of_the_prediction(self):
        plain, auxiliary = child_of(network_of()), child_of(network_of(auxiliary=True))
        assert plain.parameters == len(plain.state()["values"])
        assert auxiliary.parameters == plain.parameters < len(auxiliary.state()["values"])
        assert plain.multiply_adds == outline_of(network_of(), SHAPE).multiply_adds > 0


def batches_of(count, batch_size, seed=0, augment=False):
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % CLASSES).astype(np.int32)
    images = rng.integers(0, 100, (count, *SHAPE), np.uint8) + (labels * 60).astype(np.uint8)[:, None, None, None]
    return Batches(Part(images, labels), np.full(1, 0.5, np.float32), np.full(1, 0.3, np.float32), batch_size, augment)


@pytest.fixture(scope="module")
def child():
    """One traced child for everything that does not depend on the network; `fresh` brings it back to its start."""
    return child_of(network_of(MIXED), recipe=replace(PLAIN, learning_rate=0.05))


@pytest.fixture(scope="module")
def start(child):
    return child.state()


@pytest.fixture
def fresh(child, start):
    child.restore(start)
    return child


class TestFit:
    def test_it_learns(self, fresh):
        history = fit(fresh, batches_of(60, 12), batches_of(21, 8, seed=1), 6, seed=0)
        assert [record["epoch"] for record in history] == [1, 2, 3, 4, 5, 6]
        assert history[-1]["loss"] < 0.7 * history[0]["loss"]
        assert history[-1]["validation_accuracy"] > 0.6

    def test_the_rates_of_the_epochs_follow_one_cosine(self, fresh):
        history = fit(fresh, batches_of(24, 12), batches_of(9, 9), 3, seed=0)
        expected = [fresh.recipe.rate_at((2 * epoch + 1) / 6) for epoch in range(3)]
        assert [record["learning_rate"] for record in history] == pytest.approx(expected)

    def test_progress_seed_and_rate_of_every_step_reach_the_graph(self, fresh, monkeypatch):
        seen = []
        monkeypatch.setattr(
            fresh, "train_step", lambda x, y, rate, progress, seed: seen.append((rate, progress, seed)) or (1.0, 0)
        )
        fit(fresh, batches_of(24, 12), batches_of(9, 9), 2, seed=0)
        assert [progress for _, progress, _ in seen] == pytest.approx([0, 0.25, 0.5, 0.75])
        assert [rate for rate, *_ in seen] == pytest.approx(
            [fresh.recipe.rate_at(progress) for progress in (0, 0.25, 0.5, 0.75)]
        )
        assert len({seed for *_, seed in seen}) == 4

    @pytest.mark.parametrize("fraction, images", [(1.0, 50), (0.5, 25), (0.01, 1)])
    def test_the_fraction_is_what_an_epoch_sees(self, fresh, fraction, images):
        [record] = fit(fresh, batches_of(50, 12), batches_of(9, 9), 1, seed=0, fraction=fraction)
        assert record["images"] == images

    def test_equal_seeds_give_equal_numbers_and_others_do_not(self, fresh, start):
        def numbers(seed, rng_stream=()):
            fresh.restore(start)
            history = fit(
                fresh, batches_of(40, 12, augment=True), batches_of(9, 9), 2, seed=seed, rng_stream=rng_stream
            )
            return [record["loss"] for record in history], fresh.state()["values"].tobytes()

        assert numbers(1) == numbers(1)
        assert numbers(1) != numbers(2)
        assert numbers(1) != numbers(1, ("trial", 3))

    def test_a_training_continued_after_any_epoch_ends_the_same(self, fresh, start):
        training, validation, kept = batches_of(24, 12, augment=True), batches_of(9, 9), []
        whole = fit(
            fresh,
            training,
            validation,
            3,
            seed=0,
            validate_every=1,
            after_epoch=lambda history: kept.append((list(history), fresh.state())),
        )
        final = fresh.state()["values"]
        for history, state in kept[:-1]:
            fresh.restore(state)
            assert fit(fresh, training, validation, 3, seed=0, validate_every=1, history=history) == whole
            np.testing.assert_array_equal(fresh.state()["values"], final)

    @pytest.mark.parametrize("every, measured", [(0, [5]), (2, [2, 4, 5]), (1, [1, 2, 3, 4, 5])])
    def test_validation_comes_after_every_so_many_epochs_and_after_the_last(self, fresh, every, measured):
        history = fit(fresh, batches_of(12, 12), batches_of(9, 9), 5, seed=0, validate_every=every)
        assert [record["epoch"] for record in history if "validation_accuracy" in record] == measured

    @pytest.mark.parametrize("patience, epochs", [(0, 8), (1, 3), (2, 6), (3, 7)])
    def test_patience_counts_validated_epochs_without_a_better_accuracy(self, fresh, monkeypatch, patience, epochs):
        accuracies = iter([0.1, 0.5, 0.5, 0.6, 0.4, 0.6, 0.2, 0.9])
        monkeypatch.setattr(fresh, "accuracy", lambda batches: next(accuracies))
        history = fit(fresh, batches_of(12, 12), batches_of(9, 9), 8, seed=0, patience=patience, validate_every=1)
        assert len(history) == epochs


class TestTheMovingAverage:
    RECIPE = replace(PLAIN, average=0.5)

    def test_it_equals_its_formula(self):
        child, plain = child_of(network_of(), recipe=self.RECIPE), child_of(network_of())
        expected = {**weights_of(plain)}
        for updates in range(12):
            for each in (child, plain):
                each.train_step(*batch_of(seed=updates), 0.05)
            decay = min(0.5, (1 + updates) / (10 + updates))
            expected = {name: decay * expected[name] + (1 - decay) * array for name, array in weights_of(plain).items()}
        for name, array in weights_of(child).items():
            np.testing.assert_allclose(array, expected[name], atol=1e-5, err_msg=name)
        # The training itself is the same with and without.
        np.testing.assert_array_equal(child.state()["values"], plain.state()["values"])

    def test_predictions_are_made_with_it(self):
        child, images = child_of(network_of(), recipe=self.RECIPE), batch_of()[0]
        for step in range(3):
            child.train_step(*batch_of(seed=step), 0.3)
        bank = WeightBank(1)
        child.store(bank)
        averaged, last = child_of(network_of(), bank), child_of(network_of())
        last.restore({part: child.state()[part] for part in ("values", "slots", "moving")})
        np.testing.assert_array_equal(logits_of(child, images), logits_of(averaged, images))
        assert np.abs(logits_of(child, images) - logits_of(last, images)).max() > 1e-3

    def test_calibration_sets_the_statistics_that_predictions_use(self):
        child = child_of(network_of(), recipe=self.RECIPE)
        before = child.state()
        child.calibrate([batch_of()])
        after = child.state()
        assert not np.array_equal(after["average_moving"], before["average_moving"])
        np.testing.assert_array_equal(after["moving"], before["moving"])

    def test_a_training_continued_after_any_epoch_ends_the_same(self):
        child = child_of(network_of(), recipe=replace(self.RECIPE, average=0.9))
        begin, training, validation, kept = child.state(), batches_of(24, 12, augment=True), batches_of(9, 9), []
        whole = fit(
            child,
            training,
            validation,
            3,
            seed=0,
            validate_every=1,
            after_epoch=lambda history: kept.append((list(history), child.state())),
        )
        final = child.state()
        assert final["steps"] == 6 and begin["steps"] == 0
        for history, state in kept[:-1]:
            child.restore(state)
            assert fit(child, training, validation, 3, seed=0, validate_every=1, history=history) == whole
            for part, array in final.items():
                np.testing.assert_array_equal(child.state()[part], array, err_msg=part)

    def test_without_it_nothing_is_kept(self):
        assert set(child_of(network_of()).state()) == {"values", "slots", "moving"}


class TestAStateThatDoesNotFit:
    def test_of_another_architecture(self):
        with pytest.raises(ValueError, match="another architecture.*`values`"):
            child_of(network_of(SMALL)).restore(child_of(network_of(OTHER)).state())

    def test_of_a_recipe_without_average(self):
        with pytest.raises(ValueError, match="recipe.*`average`. Received: none"):
            child_of(network_of(), recipe=replace(PLAIN, average=0.9)).restore(child_of(network_of()).state())


class TestPrediction:
    @pytest.mark.parametrize("sizes", [[21], [8, 8, 5], [1] * 21, [20, 1], [2, 3, 7, 9]])
    def test_every_image_counts_once_whatever_the_batch_sizes(self, fresh, sizes):
        images, _ = batch_of(21)
        # Labels that the network gets right on a known set of images.
        labels = logits_of(fresh, images).argmax(1).astype(np.int32)
        labels[[0, 4, 8, 20]] = (labels[[0, 4, 8, 20]] + 1) % CLASSES
        borders = np.cumsum([0, *sizes])
        pieces = [(images[a:b], tf.constant(labels[a:b])) for a, b in zip(borders, borders[1:])]
        assert fresh.accuracy(pieces) == pytest.approx(17 / 21)
        assert [len(logits) for logits, _ in fresh.predict(pieces)] == sizes

    def test_the_logits_of_an_image_do_not_depend_on_the_others(self, fresh):
        images, _ = batch_of(7)
        alone = np.concatenate([logits_of(fresh, images[k : k + 1]) for k in range(7)])
        np.testing.assert_allclose(alone, logits_of(fresh, images), atol=1e-5)

    def test_calibration_sets_the_statistics_to_their_mean_over_the_batches_and_moves_no_weight(self, fresh):
        first, second = batch_of(6, seed=1), batch_of(6, seed=2)
        before, measured = fresh.state(), []
        for batches in ([first], [second], [first, second]):
            fresh.restore({**before, "moving": before["moving"] + 50})
            fresh.calibrate(batches)
            measured.append(fresh.state()["moving"])
        np.testing.assert_allclose(measured[2], (measured[0] + measured[1]) / 2, atol=1e-4)
        for part in ("values", "slots"):
            np.testing.assert_array_equal(fresh.state()[part], before[part])

    def test_with_calibrated_statistics_prediction_is_training_without_its_noise(self, fresh):
        images, labels = batch_of(30)
        fresh.calibrate([(images, labels)])
        logits = logits_of(fresh, images)
        expected = -np.log(softmax(logits)[np.arange(30), labels]).mean()
        assert fresh.train_step(images, labels, 0.0)[0] == pytest.approx(expected, rel=0.02)


def spoiling(child, after):
    """Three batches; after some of them the last weight, a bias of the classifier, is not a number."""
    for number in range(3):
        if number == after:
            state = child.state()
            child.restore({**state, "values": np.append(state["values"][:-1], np.float32(np.nan))})
        yield batch_of()


class TestDivergence:
    def test_a_loss_that_is_not_finite_is_an_error_that_says_when(self, fresh):
        with pytest.raises(DivergedError, match="nan at step 2 of 3"):
            fresh.train_epoch(spoiling(fresh, 1), 3, 0.0, 1.0, 0)

    def test_not_a_number_is_found_even_where_the_loss_hides_it(self, fresh):
        # A rectifier turns it into 0, so that the loss stays finite.
        images, labels = batch_of()
        bad = tf.fill(images.shape, np.float32(np.nan))
        with pytest.raises(DivergedError, match="step 2 of 2"):
            fresh.train_epoch([(images, labels), (bad, labels)], 2, 0.0, 1.0, 0)

    def test_weights_spoiled_by_the_last_step_are_found_too(self):
        child = child_of(network_of(), recipe=replace(PLAIN, learning_rate=float("inf")))
        with pytest.raises(DivergedError, match="weight.*step 1 of 1"):
            child.train_epoch([batch_of()], 1, 0.0, 0.0, 0)

    def test_predictions_that_are_not_finite_have_no_accuracy(self, fresh, start):
        fresh.restore({**start, "values": np.append(start["values"][:-1], np.float32(np.inf))})
        with pytest.raises(DivergedError, match="logit"):
            fresh.accuracy([batch_of()])


def test_tracing_children_one_after_another_warns_of_nothing(caplog):
    for number in range(7):
        child = child_of(network_of(SMALL, cells=1, reductions=0), WeightBank(number))
        logits_of(child, batch_of()[0])
    assert not [record for record in caplog.records if "retracing" in record.getMessage()]

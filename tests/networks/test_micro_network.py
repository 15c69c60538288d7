"""The network of micro cells: the published conventions, what it shares, what it exports to."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.data.images import ImageData, Part
from alphaxenas.networks.bank import WeightBank
from alphaxenas.networks.export.keras_export import export_keras
from alphaxenas.networks.layers import Layers, dilated
from alphaxenas.networks.micro import MicroNetwork
from alphaxenas.networks.micro_operations import apply_micro_operation, factorised_reduction
from alphaxenas.networks.outline import Outline, Shaped, outline_of
from alphaxenas.networks.training.loop import Recipe
from alphaxenas.spaces.micro import MICRO_OPERATIONS, MicroArchitecture, MicroSpace
from tests.networks.tiny import CLASSES, SHAPE, batch_of, child_of, layers_of

TWO = MicroArchitecture.parse(
    "prev:sep3x3 + prev2:identity; b0:avgpool3x3 + prev:sep5x5 / "
    "prev:identity + prev2:sep3x3; prev:maxpool3x3 + prev2:identity"
)


def network_of(architecture=TWO, **options):
    return MicroNetwork(architecture, CLASSES, **{"filters": 2, "cells": 3, **options})


class Resolutions(Outline):
    """An outline that remembers height and channels after every batch norm."""

    def __init__(self):
        super().__init__(training=True)
        self.seen = {}

    def batch_norm(self, x, name):
        self.seen[name] = x.shape[1], x.shape[3]
        return super().batch_norm(x, name)


def seen_in(network, side=32):
    outline = Resolutions()
    network(outline, Shaped((None, side, side, 3)))
    return outline.seen


@pytest.mark.parametrize("cells, reductions", [(3, (1, 2)), (5, (1, 3)), (8, (2, 5)), (17, (5, 11)), (20, (6, 13))])
def test_reductions_stand_at_a_third_and_two_thirds_as_published(cells, reductions):
    assert MicroNetwork(TWO, 10, cells=cells).reduction_cells() == reductions


def test_stem_has_three_times_the_filters_and_reductions_halve_the_image_and_double_them():
    seen = seen_in(MicroNetwork(TWO, 10, filters=4, cells=5))
    assert seen["stem"] == (32, 12)
    assert seen["cell0/block0/first/sep3x3/1"] == (32, 4)
    assert seen["cell1/previous"] == (32, 8) and seen["cell1/block0/second/sep3x3/0"] == (16, 8)
    assert seen["cell2/before"] == (16, 8) and seen["cell2/block0/first/sep3x3/0"] == (16, 8)
    assert seen["cell4/before"] == (8, 16)
    assert (
        "cell2/before/even/block1/kernel" in outline_of(MicroNetwork(TWO, 10, filters=4, cells=5), (32, 32, 3)).kernels
    )


def operation_output(operation, x, stride=1, filters=2):
    outline = Outline(training=True)
    expected = apply_micro_operation(outline, operation, Shaped(tuple(x.shape)), "op", filters, stride).shape
    bank = WeightBank(0)
    arrays = {
        name: tf.constant(bank.take("weights", {name: spec}).reshape(spec.shape))
        for name, spec in outline.weights.items()
    }
    y = apply_micro_operation(Layers(arrays, {}, True), operation, x, "op", filters, stride)
    assert y.shape[1:] == expected[1:]
    return y


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [8, 7, 1])
def test_every_operation_keeps_the_shape_that_its_stride_says(stride, side):
    for operation in MICRO_OPERATIONS:
        y = operation_output(operation, batch_of(3, (side, side, 2))[0], stride)
        assert tuple(y.shape) == (3, -(-side // stride), -(-side // stride), 2)


def test_distinct_operations_give_distinct_outputs_and_gradients():
    # ENAS-1: every code of the published macro search executed the same operation.
    x, outputs, gradients = batch_of(4, (8, 8, 2))[0], {}, {}
    for operation in MICRO_OPERATIONS:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = operation_output(operation, x)
            total = tf.reduce_sum(y * y * y)
        outputs[operation], gradients[operation] = y.numpy(), tape.gradient(total, x).numpy()
    for number, first in enumerate(MICRO_OPERATIONS):
        for second in MICRO_OPERATIONS[number + 1 :]:
            assert not np.allclose(outputs[first], outputs[second]), (first, second)
            assert not np.allclose(gradients[first], gradients[second]), (first, second)


@pytest.mark.parametrize("operation", ["wavelet", "sep3x5", "conv1x7", "conv1x7-1x7", "maxpool3x3-3x3"])
def test_an_unknown_operation_is_named(operation):
    with pytest.raises(ValueError, match="operation"):
        operation_output(operation, batch_of(2, (4, 4, 2))[0])


def test_a_dilated_kernel_equals_the_dilated_convolution():
    x, kernel = batch_of(2, (9, 9, 2))[0], np.random.default_rng(0).standard_normal((3, 3, 2, 1)).astype(np.float32)
    expected = tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME", dilations=[2, 2])
    for spread in (dilated(kernel, 2), dilated(tf.constant(kernel), 2)):
        np.testing.assert_allclose(tf.nn.depthwise_conv2d(x, spread, [1, 1, 1, 1], "SAME"), expected, atol=1e-5)


def test_a_factorised_reduction_sees_every_row_and_every_column():
    x = tf.reshape(tf.range(1.0, 17.0), [1, 4, 4, 1])
    one = tf.ones([1, 1, 1, 1])
    layers = Layers(
        {f"r/{half}/x/kernel": one for half in ("even", "odd")} | {"r/scale": tf.ones(2), "r/offset": tf.zeros(2)},
        {"r/mean": tf.zeros(2), "r/variance": tf.ones(2) - 1e-3},
        False,
    )
    y = factorised_reduction(layers, {"x": x}, "r", 2).numpy()
    np.testing.assert_allclose(y[0, :, :, 0], [[1, 3], [9, 11]], rtol=1e-5)
    np.testing.assert_allclose(y[0, :, :, 1], [[6, 8], [14, 16]], rtol=1e-5)


def test_a_separable_convolution_is_applied_twice_or_as_often_as_told():
    twice, once = (set(outline_of(network_of(sep_repeats=repeats), SHAPE).kernels) for repeats in (2, 1))
    name = "cell0/block0/first/sep3x3"
    assert {
        f"{name}/0/depthwise",
        f"{name}/0/pointwise/kernel",
        f"{name}/1/depthwise",
        f"{name}/1/pointwise/kernel",
    } <= twice
    assert f"{name}/1/depthwise" not in once


def test_all_nodes_or_the_unused_ones_are_concatenated():
    unused, every = (outline_of(network_of(concat_all=concat_all), SHAPE).weights for concat_all in (False, True))
    assert "cell1/previous/block1/kernel" in unused and "cell1/previous/block0/kernel" not in unused
    assert "cell1/previous/block0/kernel" in every and "cell1/before/stem/kernel" in every


def test_joined_cells_bring_their_ends_back_to_one_normalised_output():
    plain, joined = (outline_of(network_of(filters=4, joined=joined), SHAPE) for joined in (False, True))
    assert {"cell0/joined/block1/kernel", "cell0/joined/scale", "cell1/previous/joined/kernel"} <= set(
        joined.weights
    ) - set(plain.weights)
    assert joined.weights["classifier/joined/kernel"].shape == (16, CLASSES)


def test_weights_are_shared_by_position_and_operation():
    other = MicroArchitecture.parse(str(TWO).replace("prev:sep3x3 + prev2:identity;", "prev2:sep3x3 + prev2:identity;"))
    name = "cell0/block0/first/sep3x3/0/depthwise"
    assert all(name in outline_of(network_of(each), SHAPE).weights for each in (TWO, other))


@pytest.mark.parametrize("place, wrong", [("cells", 2), ("filters", 1), ("sep_repeats", 0)])
def test_impossible_networks_are_refused(place, wrong):
    with pytest.raises(ValueError, match=f"`{place}`"):
        network_of(**{place: wrong})


def test_the_auxiliary_head_trains_and_is_gone_in_prediction():
    # ENAS-4: the weights of the published auxiliary head were left out of the training.
    child = child_of(network_of(auxiliary_filters=2))
    before, (images, labels) = child.arrays(), batch_of()
    child.train_step(images, labels, 0.1)
    after = child.arrays()
    names = [name for name in before if name.startswith("auxiliary/")]
    assert len(names) >= 6 and all(not np.array_equal(before[name], after[name]) for name in names)
    assert len(network_of(auxiliary_filters=2)(layers_of(network_of(auxiliary_filters=2)), images)) == 1
    assert child.parameters == child_of(network_of()).parameters


def test_every_weight_of_the_path_moves_in_one_step():
    child = child_of(network_of(), recipe=Recipe(weight_decay=0.0))
    before, (images, labels) = child.arrays(), batch_of()
    child.train_step(images, labels, 0.1)
    after = child.arrays()
    assert not [name for name in before if np.array_equal(before[name], after[name])]


def test_clipping_clips():
    # ENAS-4: `clip_mode="norm"` of the published code appended the gradient as it was.
    moved = []
    for clip in (0.0, 1e-3):
        child = child_of(network_of(), recipe=Recipe(momentum=0.0, weight_decay=0.0, gradient_clip=clip))
        before = child.state()["values"]
        child.train_step(*batch_of(), 1.0)
        moved.append(np.linalg.norm(child.state()["values"] - before))
    assert moved[0] > 2e-3 and moved[1] == pytest.approx(1e-3, rel=0.02)


def test_drop_path_and_dropout_change_training_and_nothing_in_prediction():
    images, plain = batch_of()[0], network_of()
    for options in ({"drop_path": 0.9}, {"dropout": 0.5}):
        network = network_of(**options)
        outputs = [
            [n(layers_of(n, training=training), images)[0].numpy() for n in (plain, network)]
            for training in (False, True)
        ]
        np.testing.assert_array_equal(*outputs[0])
        assert not np.allclose(*outputs[1])


def everything():
    """All operations in both cells."""
    nodes = [
        f"{source}:{operation} + b{number - 1}:identity"
        for number, (source, operation) in enumerate(
            (("prev", "prev2")[index % 2], operation) for index, operation in enumerate(MICRO_OPERATIONS)
        )
    ]
    nodes[0] = nodes[0].replace("b-1", "prev2")
    return MicroArchitecture.parse(" / ".join(["; ".join(nodes)] * 2))


def test_the_exported_model_is_the_same_function():
    rng = np.random.default_rng(0)
    parts = [
        Part(rng.integers(0, 256, (9, 8, 8, 1), np.uint8), np.arange(9, dtype=np.int32) % CLASSES) for _ in range(3)
    ]
    data = ImageData("random", *parts, np.full(1, 0.5, np.float32), np.full(1, 0.25, np.float32), tuple("abc"), True)
    network = network_of(everything(), filters=4)
    child = child_of(network)
    images = (parts[0].images / 255 - 0.5) / 0.25
    for _ in range(3):
        child.train_step(tf.constant(images, tf.float32), tf.constant(parts[0].labels), 0.01)
    model = export_keras(child, network, data)
    logits = next(child.predict([(tf.constant(images, tf.float32), parts[0].labels)]))[0]
    np.testing.assert_allclose(
        model.predict_on_batch(parts[0].images.astype(np.float32)), tf.nn.softmax(logits), atol=1e-4
    )


def test_enas_sizes_are_those_of_the_published_network():
    # 6 + 2 cells, 20 filters: a random architecture has between 0.1 and 1.5 million weights.
    sizes = [
        outline_of(MicroNetwork(MicroSpace().sample(np.random.default_rng(seed)), 10, 20, 8), (32, 32, 3)).parameters
        for seed in range(20)
    ]
    assert 1e5 < min(sizes) < max(sizes) < 1.5e6

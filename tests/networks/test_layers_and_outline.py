"""`Outline` says over shapes what `Layers` does over tensors; what the layers compute is checked against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.networks.densenet import DenseNet
from alphaxenas.networks.layers import EPSILON, Layers
from alphaxenas.networks.outline import Outline, Shaped, outline_of
from tests.networks.tiny import EVERYTHING, MIXED, SHAPE, SMALL, batch_of, layers_of, network_of


class Recorded(dict):
    """Arrays that remember which names were asked for."""

    def __init__(self, arrays) -> None:
        super().__init__(arrays)
        self.used: set[str] = set()

    def __getitem__(self, name):
        self.used.add(name)
        return super().__getitem__(name)


NETWORKS = {
    "small": (network_of(SMALL), SHAPE),
    "all operations, odd size": (network_of(EVERYTHING, auxiliary=True, drop_path=0.3, dropout=0.3), (7, 7, 3)),
    "no reduction, strided stem": (network_of(MIXED, reductions=0, stem_stride=2), (9, 6, 3)),
    "two reductions": (network_of(MIXED, cells=3, reductions=2, auxiliary=True), (8, 8, 1)),
    "DenseNet-BC": (DenseNet(3, depth=10, growth=2), (8, 8, 3)),
    "DenseNet without compression": (DenseNet(3, depth=10, growth=2, compression=1.0), (8, 8, 1)),
}


@pytest.mark.parametrize("training", [False, True], ids=["prediction", "training"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_outline_names_exactly_the_arrays_that_the_graph_uses(name, training):
    network, shape = NETWORKS[name]
    outline, layers = outline_of(network, shape, training), layers_of(network, shape, training)
    layers._weights = layers._statistics = arrays = Recorded(layers._weights)
    logits = network(layers, batch_of(3, shape)[0])
    expected = set(outline.weights) | (set() if training else set(outline.statistics))
    assert arrays.used == expected
    assert {name: array.shape for name, array in layers.measured.items()} == (
        {name: spec.shape for name, spec in outline.statistics.items()} if training else {}
    )
    assert [tuple(x.shape) for x in logits] == [(3, 3)] * len(logits)
    assert outline.parameters == sum(int(np.prod(arrays[name].shape)) for name in outline.weights)


def walk_both(function, shape=(4, 5, 7, 3)):
    """The shapes that one call gives over tensors and over an outline."""
    outline = Outline(training=True)
    shaped = function(outline, Shaped((None, *shape[1:])))
    weights = {name: tf.ones(spec.shape) for name, spec in outline.weights.items()}
    layers = Layers(weights, {}, True, seed=tf.zeros([2], tf.int32), progress=1.0)
    return tuple(function(layers, tf.ones(shape)).shape[1:]), tuple(shaped.shape[1:])


@pytest.mark.parametrize(
    "function",
    [
        lambda layers, x: layers.conv(x, "a", 4, 3),
        lambda layers, x: layers.conv(x, "a", 4, 3, 2),
        lambda layers, x: layers.depthwise(x, "a", 5),
        lambda layers, x: layers.batch_norm(x, "a"),
        lambda layers, x: layers.relu(x),
        lambda layers, x: layers.add([x, x]),
        lambda layers, x: layers.concat([x, layers.conv(x, "a", 4, 1)]),
        lambda layers, x: layers.max_pool(x, 3),
        lambda layers, x: layers.max_pool(x, 3, 2),
        lambda layers, x: layers.average_pool(x, 4, 4),
        lambda layers, x: layers.dense(layers.global_average(x), "a", 9),
        lambda layers, x: layers.first_channels(layers.zeros(x), 2),
        lambda layers, x: layers.dropout(layers.drop_path(x, 0.5, 1.0), 0.5),
    ],
)
def test_every_layer_gives_the_outlined_shape(function):
    computed, outlined = walk_both(function)
    assert computed == outlined


def test_multiply_adds_are_counted_by_hand():
    outline = Outline(training=False)
    x = outline.conv(Shaped((None, 5, 7, 3)), "a", 4, 3, 2)
    outline.dense(outline.global_average(outline.depthwise(x, "b", 5)), "c", 9)
    assert outline.multiply_adds == 3 * 3 * 3 * 4 * (3 * 4) + 5 * 5 * 4 * (3 * 4) + 4 * 9


def test_the_auxiliary_head_counts_in_training_only():
    with_head, without = network_of(auxiliary=True), network_of()
    assert outline_of(with_head, SHAPE).parameters == outline_of(without, SHAPE).parameters
    more = set(outline_of(with_head, SHAPE, training=True).weights) - set(
        outline_of(without, SHAPE, training=True).weights
    )
    assert more and all(name.startswith("auxiliary") for name in more)


def test_parameters_of_a_known_network():
    # Stem 9*2+4; two projections (1x1, 2 -> 2) and a 3x3 block, each with scale and offset; head 2 -> 4; classifier.
    network = network_of(SMALL, cells=1, reductions=0)
    assert outline_of(network, SHAPE).parameters == (18 + 4) + 2 * (4 + 4) + (36 + 4) + (8 + 8) + (4 * 3 + 3)


def test_batch_norm_uses_the_batch_in_training_and_the_moving_statistics_in_prediction():
    x = np.random.default_rng(0).standard_normal((3, 4, 4, 2)).astype(np.float32)
    weights = {"n/scale": tf.constant([2.0, 3.0]), "n/offset": tf.constant([1.0, -1.0])}
    moving = {"n/mean": tf.constant([0.5, 0.1]), "n/variance": tf.constant([4.0, 0.25])}
    training = Layers(weights, {}, True)
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    expected = (x - mean) / np.sqrt(variance + EPSILON) * [2, 3] + [1, -1]
    np.testing.assert_allclose(training.batch_norm(tf.constant(x), "n"), expected, atol=1e-5)
    np.testing.assert_allclose(training.measured["n/mean"], mean, atol=1e-6)
    np.testing.assert_allclose(training.measured["n/variance"], variance, rtol=0.03)
    expected = (x - [0.5, 0.1]) / np.sqrt(np.array([4.0, 0.25]) + EPSILON) * [2, 3] + [1, -1]
    np.testing.assert_allclose(Layers(weights, moving, False).batch_norm(tf.constant(x), "n"), expected, atol=1e-5)


def test_padding_neither_wins_a_maximum_nor_counts_in_a_mean():
    layers, x = Layers({}, {}, False), -tf.ones([1, 4, 4, 1])
    np.testing.assert_array_equal(layers.max_pool(x, 3), x)
    np.testing.assert_array_equal(layers.average_pool(x, 3), x)


def dropped(rate=0.4, training=True, depth=1.0, progress=1.0, seed=0, paths=True, images=4000):
    layers = Layers({}, {}, training, "float32", tf.constant([seed, 0], tf.int32), tf.constant(progress))
    x = tf.ones([images, 2, 2, 1])
    return (layers.drop_path(x, rate, depth) if paths else layers.dropout(x, rate)).numpy()


def test_drop_path_drops_whole_paths_of_single_images_and_keeps_the_mean():
    y = dropped()
    assert all(len(np.unique(image)) == 1 for image in y)
    assert (y == 0).mean() == pytest.approx(0.4, abs=0.03)
    assert y.max() == pytest.approx(1 / 0.6)


@pytest.mark.parametrize("depth, progress, rate", [(0.5, 1.0, 0.2), (1.0, 0.5, 0.2), (0.5, 0.5, 0.1), (1.0, 0.0, 0.0)])
def test_the_drop_path_rate_grows_with_depth_and_progress(depth, progress, rate):
    y = dropped(depth=depth, progress=progress)
    assert (y == 0).mean() == pytest.approx(rate, abs=0.03)
    assert y.max() == pytest.approx(1 / (1 - rate))


def test_dropout_drops_single_values_and_keeps_the_mean():
    y = dropped(paths=False)
    assert (y == 0).mean() == pytest.approx(0.4, abs=0.03)
    assert y.mean() == pytest.approx(1.0, abs=0.05)
    assert any(len(np.unique(image)) == 2 for image in y)


@pytest.mark.parametrize("paths", [True, False])
def test_nothing_is_dropped_in_prediction_or_at_rate_zero(paths):
    assert (dropped(paths=paths, training=False) == 1).all()
    assert (dropped(paths=paths, rate=0.0) == 1).all()


def test_draws_repeat_with_the_seed_and_differ_between_seeds_and_places():
    np.testing.assert_array_equal(dropped(seed=1), dropped(seed=1))
    assert not np.array_equal(dropped(seed=1), dropped(seed=2))
    layers, x = Layers({}, {}, True, seed=tf.zeros([2], tf.int32), progress=1.0), tf.ones([100, 1, 1, 1])
    assert not np.array_equal(layers.drop_path(x, 0.5, 1.0), layers.drop_path(x, 0.5, 1.0))

"""Chains as networks: the seeds' shapes, skip connections, dropout that drops, Xavier, Adam, export."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.data.images import ImageData, Part
from alphaxenas.networks.bank import WeightBank
from alphaxenas.networks.chain import ChainNetwork, chain_network
from alphaxenas.networks.export.keras_export import export_keras
from alphaxenas.networks.options import NetworkOptions
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.training.loop import Recipe
from alphaxenas.spaces import Chain, StateSpace
from alphaxenas.spaces.chains.presets import MNIST_BY_HAND, convolution_chains, mnist_chains
from tests.networks.tiny import batch_of, child_of, layers_of


def convolution_chain(chain, num_classes):
    return chain_network(chain, NetworkOptions(num_classes))


def mnist_chain(chain, num_classes, form="line"):
    return chain_network(chain, NetworkOptions(num_classes, chain_form=form))


TITU, WALLARM = convolution_chains(), mnist_chains()
LONG = TITU.parse("kernel=3, filters=64; kernel=3, filters=64; kernel=3, filters=32; kernel=3, filters=64")
DROPPING = WALLARM.parse("kernel=3, filters=8, pool=2, dropout=0.5; kernel=3, filters=8, pool=1, dropout=0.0")
SKIPPING = StateSpace(3, skips=True).add("kernel", [1, 3]).add("filters", [2, 4])
ADAM = Recipe(learning_rate=0.01, weight_decay=0.0, gradient_clip=0.0, optimizer="adam")


class TestShapes:
    def test_titu1994s_network_has_the_parameters_of_its_keras_original(self):
        expected = 9 * 3 * 64 + 64 + 9 * 64 * 64 + 64 + 9 * 64 * 32 + 32 + 9 * 32 * 64 + 64 + 64 * 10 + 10
        outline = outline_of(convolution_chain(LONG, 10), (32, 32, 3))
        assert outline.parameters == expected
        assert outline.multiply_adds == 256 * (27 * 64 + 9 * 64 * 64) + 64 * (9 * 64 * 32 + 9 * 32 * 64) + 640

    def test_the_chain_along_the_flattened_image_shrinks_with_its_pooling(self):
        chain = WALLARM.parse("kernel=9, filters=8, pool=4, dropout=0.0; kernel=5, filters=16, pool=2, dropout=0.0")
        outline = outline_of(mnist_chain(chain, 10), (28, 28, 1))
        assert outline.weights["layer0/kernel"].shape == (1, 9, 1, 8)
        assert outline.weights["layer1/kernel"].shape == (1, 5, 8, 16)
        # 784 / 4 / 2 positions of 16 channels: the seed's pooling kept all 784 (WAL-6).
        assert outline.weights["classifier/kernel"].shape == (98 * 16, 10)

    def test_the_network_of_the_blog(self):
        outline = outline_of(mnist_chain(WALLARM.parse(MNIST_BY_HAND), 10, "image"), (28, 28, 1))
        assert outline.weights["layer0/kernel"].shape == (5, 5, 1, 32)
        assert outline.weights["classifier/kernel"].shape == (7 * 7 * 64, 10)

    def test_logits_have_the_shape_that_the_outline_says(self):
        for network in (convolution_chain(LONG, 3), mnist_chain(DROPPING, 3), mnist_chain(DROPPING, 3, "image")):
            (logits,) = network(layers_of(network), batch_of()[0])
            assert logits.shape == (6, 3) and logits.dtype == tf.float32

    def test_a_line_sees_pixels_beside_each_other_and_an_image_those_below_too(self):
        chain = Chain((replace(LONG.layers[0], pairs=(("kernel", 3), ("filters", 1))),))
        images = np.zeros((1, 4, 4, 1), np.float32)
        images[0, 1, 1, 0] = 1.0
        touched = {}
        for form in ("line", "image"):
            network = ChainNetwork(chain, 2, form=form, head="flatten")
            seen = []
            layers = layers_of(network, (4, 4, 1))
            layers.relu = lambda x, seen=seen: seen.append(x) or x
            network(layers, tf.constant(images))
            touched[form] = np.flatnonzero(seen[0].numpy().reshape(16)).tolist()
        assert touched == {"line": [4, 5, 6], "image": [0, 1, 2, 4, 5, 6, 8, 9, 10]}


class TestSkipConnections:
    def test_a_layer_reads_the_concatenation_of_what_feeds_it_at_its_own_resolution(self):
        chain = SKIPPING.parse("kernel=3, filters=2; kernel=3, filters=4, skips=0; kernel=1, filters=2, skips=0+1")
        outline = outline_of(ChainNetwork(chain, 3, strides=(2, 2, 1)), (8, 8, 3))
        assert outline.weights["layer2/kernel"].shape == (1, 1, 2 + 4, 2)
        assert outline.weights["classifier/kernel"].shape == (2, 3)

    def test_a_layer_that_nothing_feeds_reads_the_image_and_output_layers_reach_the_classifier(self):
        chain = SKIPPING.parse("kernel=3, filters=2; kernel=3, filters=4, skips=none; kernel=1, filters=2, skips=1")
        outline = outline_of(ChainNetwork(chain, 3, strides=(2, 1, 1)), (8, 8, 3))
        assert outline.weights["layer1/kernel"].shape == (3, 3, 3, 4)
        assert outline.weights["classifier/kernel"].shape == (2 + 2, 3)

    def test_every_game_builds_and_every_weight_gets_a_gradient(self):
        rng = np.random.default_rng(0)
        for head in ("average", "flatten"):
            for _ in range(6):
                child = child_of(ChainNetwork(SKIPPING.sample(rng), 3, strides=(2, 1), head=head), recipe=ADAM)
                before = child.arrays()
                x, y = batch_of()
                child.train_step(x, y, 0.01)
                # Rectified units may sleep on six images; kernels as a whole do not.
                assert all(
                    not np.array_equal(before[name], after)
                    for name, after in child.arrays().items()
                    if name.endswith("kernel")
                )


class TestDropout:
    """The seed fed whole numbers as probabilities to keep: nothing was ever dropped (WAL-4)."""

    def test_the_chosen_share_of_values_is_dropped_in_training_and_none_in_prediction(self):
        network = mnist_chain(DROPPING, 3, "image")
        shares = {}
        for training in (True, False):
            layers, seen = layers_of(network, training=training), []
            dropout = layers.dropout
            layers.dropout = lambda x, rate, drop=dropout, seen=seen: seen.append((x, drop(x, rate))) or seen[-1][1]
            network(layers, tf.abs(batch_of(images=60)[0]) + 1.0)
            before, after = seen[0]
            alive = before.numpy() > 0
            shares[training] = 1 - (after.numpy()[alive] > 0).mean()
        assert shares[True] == pytest.approx(0.5, abs=0.03) and shares[False] == 0

    def test_a_whole_number_is_no_rate(self):
        for rate in (1, 5, -0.1, True, "0.5"):
            chain = Chain((replace(DROPPING.layers[0], pairs=(("kernel", 3), ("filters", 8), ("dropout", rate))),))
            with pytest.raises(ValueError, match="`dropout` in layer 0. Expected a rate in"):
                mnist_chain(chain, 3)


def test_missing_or_impossible_values_are_named():
    for values, name in (
        ((("filters", 8),), "kernel"),
        ((("kernel", 3), ("filters", 0)), "filters"),
        ((("kernel", 3), ("filters", 8), ("pool", 0.5)), "pool"),
    ):
        with pytest.raises(ValueError, match=f"`{name}` in layer 0"):
            convolution_chain(Chain((replace(LONG.layers[0], pairs=values),)), 3)


def test_weights_start_with_xaviers_variance_and_biases_at_zero():
    network = convolution_chain(LONG, 10)
    arrays = child_of(network, shape=(8, 8, 3)).arrays()
    assert arrays["layer1/kernel"].std() == pytest.approx(np.sqrt(2 / (9 * (64 + 64))), rel=0.03)
    assert not arrays["layer1/bias"].any()


class TestAdam:
    def test_steps_equal_those_of_keras(self):
        network = mnist_chain(DROPPING, 3, "image")
        chain_without_dropout = WALLARM.parse(
            "kernel=3, filters=8, pool=2, dropout=0.0; kernel=3, filters=8, pool=1, dropout=0.0"
        )
        network = replace(network, chain=chain_without_dropout)
        child, (x, y) = child_of(network, recipe=ADAM), batch_of()
        arrays = child.arrays()
        variables = {name: tf.Variable(array) for name, array in arrays.items()}
        optimizer = keras.optimizers.Adam(0.01)
        for _ in range(5):
            child.train_step(x, y, 0.01)
            with tf.GradientTape() as tape:
                layers = layers_of(network)
                layers._weights = variables
                (logits,) = network(layers, x)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
            optimizer.apply(tape.gradient(loss, list(variables.values())), list(variables.values()))
        for name, array in child.arrays().items():
            np.testing.assert_allclose(
                array, variables[name].numpy(), atol=1e-4, err_msg=name
            )  # five steps move them by up to 0.05

    def test_a_restored_child_goes_on_bit_for_bit(self):
        (x, y), network = batch_of(), mnist_chain(DROPPING, 3)
        first, second = (child_of(network, recipe=ADAM) for _ in range(2))
        for step in range(3):
            first.train_step(x, y, 0.01, seed=(0, step))
        second.restore(first.state())
        for child in (first, second):
            child.train_step(x, y, 0.01, seed=(0, 3))
        assert all(np.array_equal(array, second.state()[name]) for name, array in first.state().items())

    def test_its_moments_are_not_left_in_the_bank(self):
        bank = WeightBank(0)
        child, (x, y) = child_of(mnist_chain(DROPPING, 3), bank, ADAM), batch_of()
        child.train_step(x, y, 0.01)
        child.store()
        assert bank["weights"] and not bank["slots"]

    def test_an_unknown_optimizer_is_refused(self):
        with pytest.raises(ValueError, match="`optimizer`. Expected one of momentum, adam"):
            Recipe(optimizer="rmsprop")


@pytest.mark.parametrize("form", ["line", "image"])
def test_an_exported_chain_predicts_as_the_child_and_loads_without_this_project(form, tmp_path):
    network = mnist_chain(DROPPING, 3, form)
    child, (x, y) = child_of(network, recipe=ADAM), batch_of()
    child.train_step(x, y, 0.01)
    pixels = np.random.default_rng(0).integers(0, 255, (6, 8, 8, 1), np.uint8)
    part = Part(pixels, np.arange(6, dtype=np.int32) % 3)
    data = ImageData(
        "noise", part, part, part, np.full(1, 0.5, np.float32), np.full(1, 0.25, np.float32), ("a", "b", "c"), True
    )
    model = export_keras(child, network, data)
    model.save(tmp_path / "chain.keras")
    loaded = keras.saving.load_model(tmp_path / "chain.keras", compile=False, safe_mode=True)
    ((logits, _),) = child.predict([(tf.constant((pixels / 255.0 - 0.5).astype(np.float32) / 0.25), y)])
    np.testing.assert_allclose(
        loaded.predict_on_batch(pixels.astype(np.float32)), tf.nn.softmax(logits).numpy(), atol=1e-5
    )

"""The network of macro architectures: skips, reductions, distinct operations, shared names, export."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.data.images import ImageData, Part
from alphaxenas.networks.export.keras_export import export_keras
from alphaxenas.networks.macro import MacroNetwork
from alphaxenas.networks.outline import Outline, Shaped, outline_of
from alphaxenas.networks.training.loop import Recipe
from alphaxenas.spaces.macro import MACRO_OPERATIONS, MacroArchitecture, MacroSpace
from tests.networks.tiny import CLASSES, SHAPE, batch_of, child_of, layers_of

SIX = MacroArchitecture.parse(
    "conv3x3; sep3x3(stem); conv5x5(l0); sep5x5(stem,l1); avgpool3x3(l2); maxpool3x3(stem,l0,l3)"
)


def network_of(architecture=SIX, **options):
    return MacroNetwork(architecture, CLASSES, **{"filters": 2, **options})


def logits_and_gradient(text):
    network, images = network_of(MacroArchitecture.parse(text)), batch_of()[0]
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = network(layers_of(network, training=True), images)[0]
        total = tf.reduce_sum(logits * logits * logits)
    return logits.numpy(), tape.gradient(total, images).numpy()


def test_distinct_operations_give_distinct_outputs_and_gradients():
    # ENAS-1: six branches shared one loop variable, so that every code of the search executed max pooling.
    found = [logits_and_gradient(f"conv3x3; {operation}; sep3x3") for operation in MACRO_OPERATIONS]
    for number, (logits, gradient) in enumerate(found):
        for other_logits, other_gradient in found[number + 1 :]:
            assert not np.allclose(logits, other_logits, atol=1e-4) and not np.allclose(
                gradient, other_gradient, atol=1e-4
            )


@pytest.mark.parametrize(
    "other", ["conv3x3; sep3x3; sep3x3(stem)", "conv3x3; sep3x3; sep3x3(l0)", "conv3x3; sep3x3(stem); sep3x3"]
)
def test_every_skip_connection_changes_the_logits(other):
    assert not np.allclose(logits_and_gradient("conv3x3; sep3x3; sep3x3")[0], logits_and_gradient(other)[0], atol=1e-4)


def test_a_layer_is_a_1x1_convolution_over_the_concatenation():
    network = network_of(MacroArchitecture.parse("conv3x3; sep3x3(stem)"))
    layers, images = layers_of(network, training=True), batch_of(4)[0]
    stem = network.stem(layers, images)
    first = network.operate(layers, "conv3x3", stem, "layer0/conv3x3", 0)
    own = network.operate(layers, "sep3x3", first, "layer1/sep3x3", 1)
    kernel = tf.concat([layers._weights[f"layer1/{part}/kernel"] for part in ("own", "source0")], 2)
    joined = tf.nn.conv2d(tf.nn.relu(tf.concat([own, stem], 3)), kernel, 1, "SAME")
    mean, variance = tf.nn.moments(joined, [0, 1, 2])
    expected = network.head(layers, (joined - mean) / tf.sqrt(variance + 1e-3))
    np.testing.assert_allclose(network(layers_of(network, training=True), images)[0], expected, atol=1e-4)


class Resolutions(Outline):
    def __init__(self):
        super().__init__(training=True)
        self.seen = {}

    def batch_norm(self, x, name):
        self.seen[name] = x.shape[1], x.shape[3]
        return super().batch_norm(x, name)


def test_outputs_that_are_still_read_are_halved_after_a_third_and_two_thirds():
    assert MacroNetwork(MacroSpace().sample(np.random.default_rng(0)), 10).reduced_after() == (3, 7)
    outline = Resolutions()
    network_of(filters=4, widening=2)(outline, Shaped((None, 32, 32, 3)))
    seen = outline.seen
    assert [seen[f"layer{number}"] for number in range(1, 6)] == [(32, 4), (16, 8), (16, 8), (8, 16), (8, 16)]
    # After layer 1: its output, and the stem, l0 (twice skipped from). After layer 3: l3, l2, and the stem and l0
    # again.
    assert {name for name in seen if name.startswith("reduction1/")} == {
        f"reduction1/source{source}" for source in (0, 1, 2)
    }
    assert {name for name in seen if name.startswith("reduction3/")} == {
        f"reduction3/source{source}" for source in (0, 1, 3, 4)
    }


def test_the_same_operation_at_the_same_layer_shares_its_weights():
    first, second = (
        set(outline_of(network_of(MacroArchitecture.parse(text)), SHAPE).weights)
        for text in ("conv3x3; sep3x3; sep5x5(l0)", "conv5x5; sep3x3(stem); sep5x5")
    )
    assert "layer1/sep3x3/out/0/depthwise" in first & second and "layer0/conv3x3/out/kernel" in first - second
    assert "layer1/source0/kernel" in second - first and "layer2/source1/kernel" in first - second


def test_every_weight_of_the_path_moves_in_one_step():
    child = child_of(network_of(drop_path=0.0), recipe=Recipe(weight_decay=0.0))
    before = child.arrays()
    child.train_step(*batch_of(), 0.1)
    after = child.arrays()
    assert not [name for name in before if np.array_equal(before[name], after[name])]


def test_drop_path_and_dropout_change_training_alone():
    images, plain = batch_of()[0], network_of()
    for options in ({"drop_path": 0.9}, {"dropout": 0.5}):
        network = network_of(**options)
        outputs = [
            [n(layers_of(n, training=training), images)[0].numpy() for n in (plain, network)]
            for training in (False, True)
        ]
        np.testing.assert_array_equal(*outputs[0])
        assert not np.allclose(*outputs[1])


@pytest.mark.parametrize("layers", [1, 2, 3, 5])
def test_any_number_of_layers_and_any_image_works(layers):
    network = network_of(MacroSpace(layers).sample(np.random.default_rng(layers)))
    for shape in ((7, 5, 1), (1, 1, 1)):
        assert np.isfinite(network(layers_of(network, shape, training=True), batch_of(4, shape)[0])[0]).all()


@pytest.mark.parametrize("place, wrong", [("filters", 1), ("widening", 0)])
def test_impossible_networks_are_refused(place, wrong):
    with pytest.raises(ValueError, match=f"`{place}`"):
        network_of(**{place: wrong})


def test_the_exported_model_is_the_same_function():
    rng = np.random.default_rng(0)
    parts = [
        Part(rng.integers(0, 256, (9, 8, 8, 1), np.uint8), np.arange(9, dtype=np.int32) % CLASSES) for _ in range(3)
    ]
    data = ImageData("random", *parts, np.full(1, 0.5, np.float32), np.full(1, 0.25, np.float32), tuple("abc"), True)
    network = network_of(filters=4)
    child = child_of(network)
    images = tf.constant((parts[0].images / 255 - 0.5) / 0.25, tf.float32)
    for _ in range(3):
        child.train_step(images, tf.constant(parts[0].labels), 0.01)
    logits = next(child.predict([(images, parts[0].labels)]))[0]
    probabilities = export_keras(child, network, data).predict_on_batch(parts[0].images.astype(np.float32))
    np.testing.assert_allclose(probabilities, tf.nn.softmax(logits), atol=1e-4)

"""Plain convolution nets: costs, whitening, what is frozen when, residual connections, activations, export."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.networks.bank import ArraySpec, WeightBank
from alphaxenas.networks.chain import chain_network
from alphaxenas.networks.convnet.activations import fused
from alphaxenas.networks.convnet.network import ConvNetwork, convnet_network
from alphaxenas.networks.convnet.whitening import EPSILON, whitening_kernel
from alphaxenas.networks.export.keras_export import export_keras, save_keras
from alphaxenas.networks.export.onnx_export import save_onnx
from alphaxenas.networks.options import NetworkOptions
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.training.loop import Recipe
from alphaxenas.spaces.chains.presets import convolution_chains
from alphaxenas.spaces.convnet import KNOWN_CONVNETS, ConvNet
from tests.networks.test_export_onnx import data_of
from tests.networks.tiny import CLASSES, batch_of, child_of, weights_of

SHAPE = (10, 11, 3)
MIXED = ConvNet.parse("32 conv pool [conv]; 64 pool conv [conv conv]; 32 conv pool conv; gelu; max")
SILU = ConvNet.parse("32 conv pool; 32 pool conv; 32 conv pool; silu; average")
RECIPE = Recipe(1.0, 0.85, 0.01, 0.0, optimizer="decoupled", offset_rate=64.0, whitening=0.5)


def prepared(net=MIXED, recipe=RECIPE, shape=SHAPE):
    child = child_of(ConvNetwork(net, CLASSES), recipe=recipe, shape=shape)
    child.prepare([batch_of(40, shape)])
    return child


@pytest.mark.parametrize("name", KNOWN_CONVNETS)
def test_the_space_counts_the_multiply_adds_of_the_network(name):
    net = KNOWN_CONVNETS[name]
    outline = outline_of(ConvNetwork(net, 10), (32, 32, 3))
    assert net.multiply_adds() == outline.multiply_adds
    assert outline_of(ConvNetwork(MIXED, 7), (28, 28, 1)).multiply_adds == MIXED.multiply_adds(28, 1, 7)
    # The whitening's kernel is none of the weights, its bias is.
    assert (
        outline.parameters == 24 + sum(9 * a * b + b for _, a, b in net.layers(32, 3)) + 10 * net.stages[2].width + 10
    )


def test_a_share_of_the_channels_keeps_everything_else():
    wide = replace(MIXED, stages=tuple(replace(stage, width=2 * stage.width) for stage in MIXED.stages))
    half = outline_of(convnet_network(wide, NetworkOptions(7, width_share=0.5)), (28, 28, 1))
    assert half.multiply_adds == MIXED.multiply_adds(28, 1, 7)


class TestWhitening:
    @pytest.mark.parametrize("channels", [1, 3, 5])
    def test_whitened_patches_are_uncorrelated_and_of_size_one(self, channels):
        rng = np.random.default_rng(0)
        images = np.cumsum(rng.standard_normal((50, 9, 8, channels)), 1).astype(np.float32)
        kernel = whitening_kernel([images[:20], images[20:]])
        assert kernel.shape == (2, 2, channels, 8 * channels)
        np.testing.assert_array_equal(kernel[..., : 4 * channels], -kernel[..., 4 * channels :])
        outputs = tf.nn.conv2d(images, kernel[..., : 4 * channels], 1, "VALID").numpy().reshape(-1, 4 * channels)
        np.testing.assert_allclose(outputs.T @ outputs / len(outputs), np.eye(4 * channels), atol=0.05)

    def test_small_eigenvalues_are_not_blown_up(self):
        flat = np.zeros((4, 9, 9, 1), np.float32)
        flat[:, ::2] = 1.0
        assert np.abs(whitening_kernel([flat])).max() <= 1 / np.sqrt(EPSILON)

    def test_constant_images_are_refused(self):
        with pytest.raises(ValueError, match="`dataset`.*differ.*3 images.*value 0.5"):
            whitening_kernel([np.full((3, 9, 9, 1), 0.5, np.float32)])

    def test_no_more_images_are_read_than_are_needed(self):
        def batches():
            yield np.random.default_rng(0).standard_normal((5_000, 2, 2, 1)).astype(np.float32)
            pytest.fail("read on")

        whitening_kernel(batches())

    def test_training_leaves_the_kernel_and_moves_the_bias_until_it_is_frozen(self):
        child = prepared()
        kernel = weights_of(child)["whitening/kernel"]
        assert np.abs(kernel).max() > 0.1
        seen = []
        for progress in (0.0, 0.4, 0.5, 0.9):
            child.train_step(*batch_of(8, SHAPE), 0.5, progress)
            seen.append(weights_of(child))
            np.testing.assert_array_equal(seen[-1]["whitening/kernel"], kernel)
        moved = [not np.array_equal(a["whitening/bias"], b["whitening/bias"]) for a, b in zip(seen, seen[1:])]
        assert moved == [True, False, False]
        assert not np.array_equal(seen[2]["stage0/conv0/kernel"], seen[3]["stage0/conv0/kernel"])

    def test_it_is_part_of_the_state(self):
        child, other = prepared(), child_of(ConvNetwork(MIXED, CLASSES), WeightBank(1), RECIPE, SHAPE)
        other.restore(child.state())
        x, _ = batch_of(4, SHAPE)
        np.testing.assert_array_equal(next(other.predict([(x, [0])]))[0], next(child.predict([(x, [0])]))[0])


def test_first_filters_copy_a_channel_each():
    spec = ArraySpec((3, 3, 4, 6), "dirac", 36)
    kernel = WeightBank(0).take("weights", {"k": spec}).reshape(spec.shape)
    x = np.random.default_rng(0).standard_normal((2, 5, 5, 4)).astype(np.float32)
    y = tf.nn.conv2d(x, kernel, 1, "SAME").numpy()
    np.testing.assert_array_equal(y[..., :4], x)
    assert kernel[..., 4:].std() == pytest.approx(np.sqrt(1 / (3 * 36)), rel=0.25)
    narrow = ArraySpec((3, 3, 6, 4), "dirac", 54)
    y = tf.nn.conv2d(
        np.tile(x, 2)[..., :6], WeightBank(0).take("weights", {"k": narrow}).reshape(narrow.shape), 1, "SAME"
    )
    np.testing.assert_array_equal(y, x)


def test_offsets_of_normalisations_move_by_their_own_rate():
    steps = {}
    for rate in (1.0, 64.0):
        child = prepared(recipe=replace(RECIPE, offset_rate=rate, weight_decay=0.0, momentum=0.0))
        before = weights_of(child)
        child.train_step(*batch_of(8, SHAPE), 0.1)
        steps[rate] = {name: array - before[name] for name, array in weights_of(child).items()}
    for name, ratio in (("stage1/norm0/offset", 64.0), ("stage1/conv0/kernel", 1.0), ("whitening/bias", 1.0)):
        assert np.abs(steps[1.0][name]).max() > 0
        np.testing.assert_allclose(steps[64.0][name], ratio * steps[1.0][name], rtol=1e-2, atol=1e-6)


def test_a_residual_connection_adds_the_first_convolutions_output():
    plain = child_of(
        ConvNetwork(ConvNet.parse(str(MIXED).replace("[conv]", "conv")), CLASSES), recipe=RECIPE, shape=SHAPE
    )
    x, y = batch_of(8, SHAPE)
    plain.prepare([(x, y)])
    assert not np.allclose(next(plain.predict([(x, y)]))[0], next(prepared().predict([(x, y)]))[0], atol=1e-3)


@pytest.mark.parametrize("kind", ["gelu", "silu"])
@pytest.mark.parametrize("precision, atol", [("float32", 1e-5), ("bfloat16", 3e-2)])
def test_fused_activations_are_keras_own_with_their_gradients(kind, precision, atol):
    x = tf.cast(tf.reshape(tf.linspace(-6.0, 6.0, 60), [3, 4, 5]), precision)
    theirs = (lambda x: keras.activations.gelu(x, approximate=True)) if kind == "gelu" else keras.activations.silu
    found = []
    for function, values in ((lambda x: fused(x, kind), x), (theirs, tf.cast(x, tf.float32))):
        with tf.GradientTape() as tape:
            tape.watch(values)
            y = function(values)
        found.append((y, tape.gradient(y, values, output_gradients=tf.ones_like(y) * 2)))
    for ours, expected in zip(*found):
        assert ours.dtype == precision and ours.shape == (3, 4, 5)
        np.testing.assert_allclose(tf.cast(ours, tf.float32), expected, atol=atol)


@pytest.mark.parametrize("shape", [(8, 9, 3), (32, 8, 1)])
def test_images_smaller_than_the_pooling_allows_are_refused(shape):
    with pytest.raises(ValueError, match=r"`dataset`.*at least 9x9 pixels.*Received: images of \d+x\d+"):
        outline_of(ConvNetwork(MIXED, 3), shape)


@pytest.fixture(scope="module", params=[MIXED, SILU], ids=str)
def exported(request, tmp_path_factory):
    """Logits of the child, pixels, and the model as it was stored."""
    child, data = prepared(request.param), data_of(SHAPE)
    for step in range(3):
        child.train_step(*batch_of(8, SHAPE, step), 1.0)
    pixels = data.test.images.astype(np.float32)
    normalised = tf.constant((pixels / 255 - data.mean) / data.std)
    path = tmp_path_factory.mktemp("model") / "model.keras"
    save_keras(export_keras(child, ConvNetwork(request.param, CLASSES), data), path)
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    return next(child.predict([(normalised, [0])]))[0], pixels, model


class TestExport:
    def test_the_stored_keras_model_contains_the_whitening_and_predicts_the_same(self, exported):
        logits, pixels, model = exported
        expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        assert np.ptp(expected, 0).max() > 1e-2
        np.testing.assert_allclose(model.predict_on_batch(pixels), expected, atol=1e-5)

    @pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
    def test_the_onnx_file_predicts_the_same(self, exported, tmp_path):
        import onnxruntime

        _, pixels, model = exported
        save_onnx(model, tmp_path / "model.onnx")
        session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
        [received] = session.run(None, {"pixels": pixels})
        np.testing.assert_allclose(received, model.predict_on_batch(pixels), atol=1e-5)

    @pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
    def test_biases_of_chains_are_in_the_onnx_file(self, tmp_path):
        import onnxruntime

        chain = convolution_chains(1).parse("kernel=3, filters=32")
        network = chain_network(chain, NetworkOptions(CLASSES))
        child = child_of(network, recipe=Recipe(0.1), shape=SHAPE)
        child.train_step(*batch_of(8, SHAPE), 1.0)
        model = export_keras(child, network, data_of(SHAPE))
        save_onnx(model, tmp_path / "model.onnx")
        pixels = data_of(SHAPE).test.images.astype(np.float32)
        session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
        np.testing.assert_allclose(session.run(None, {"pixels": pixels})[0], model.predict_on_batch(pixels), atol=1e-5)

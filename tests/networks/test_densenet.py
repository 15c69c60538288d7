"""DenseNet-BC: sizes of the published networks, structure, bad depths."""

from __future__ import annotations

import numpy as np
import pytest

from alphaxenas.networks.densenet import DenseNet
from alphaxenas.networks.outline import outline_of
from tests.networks.tiny import batch_of, layers_of

CIFAR = (32, 32, 3)


def test_parameter_count_of_the_small_published_network():
    assert outline_of(DenseNet(10, depth=100, growth=12), CIFAR).parameters == 769_162


@pytest.mark.parametrize("depth, growth, millions", [(250, 24, 15.3), (190, 40, 25.6)])
def test_parameter_counts_of_the_large_published_networks(depth, growth, millions):
    assert outline_of(DenseNet(10, depth, growth), CIFAR).parameters / 1e6 == pytest.approx(millions, abs=0.05)


def test_more_classes_widen_the_classifier_alone():
    ten, hundred = (outline_of(DenseNet(classes), CIFAR).parameters for classes in (10, 100))
    assert hundred - ten == 90 * (342 + 1)


def test_every_layer_reads_all_layers_before_it_and_adds_its_growth():
    kernels = outline_of(DenseNet(10, depth=16, growth=3), CIFAR).kernels
    inputs = [kernels[f"dense0/layer{index}/bottleneck/kernel"].shape[2:] for index in range(2)]
    assert inputs == [(6, 12), (9, 12)]
    assert kernels["transition0/kernel"].shape[2:] == (12, 6)


def test_a_layer_passes_its_inputs_on_unchanged_so_that_the_classifier_depends_on_each():
    network = DenseNet(3, depth=10, growth=2)
    layers, images = layers_of(network, (8, 8, 1), training=True), batch_of()[0]
    logits = network(layers, images)[0].numpy()
    for name in outline_of(network, (8, 8, 1)).kernels:
        changed = layers_of(network, (8, 8, 1), training=True)
        changed._weights[name] = -changed._weights[name]
        assert not np.allclose(network(changed, images)[0], logits, atol=1e-4), name


def test_dropout_acts_in_training_only():
    plain, dropped = DenseNet(3, depth=10, growth=2), DenseNet(3, depth=10, growth=2, dropout=0.5)
    images = batch_of()[0]
    np.testing.assert_array_equal(dropped(layers_of(dropped), images)[0], plain(layers_of(plain), images)[0])
    assert not np.allclose(
        dropped(layers_of(dropped, training=True), images)[0], plain(layers_of(plain, training=True), images)[0]
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"depth": 41}, r"`depth`.*multiple of 6.*41"),
        ({"depth": 4}, r"`depth`.*4"),
        ({"growth": 0}, r"`growth`.*0"),
        ({"compression": 0.0}, r"`compression`.*0\.0"),
        ({"compression": 1.5}, r"`compression`.*1\.5"),
    ],
)
def test_impossible_numbers_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DenseNet(10, **options)

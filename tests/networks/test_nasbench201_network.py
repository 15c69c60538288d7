"""The trainable network of NAS-Bench-201: published sizes, the published function, training and export."""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.networks.export.keras_export import _KerasLayers
from alphaxenas.networks.nasbench.nasbench201 import NASBench201Network
from alphaxenas.networks.nasbench.stages import first_cells
from alphaxenas.networks.options import NetworkOptions
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.registry import build_network
from alphaxenas.networks.training.initial import NetworkWithBatch
from alphaxenas.proxies.catalogue import PROXIES
from alphaxenas.spaces.nasbench.nasbench201 import NASBench201
from tests.data.real import real_table
from tests.networks.tiny import CLASSES, SHAPE, batch_of, child_of, layers_of

SPACE = NASBench201()


def network_of(code, **options):
    return NASBench201Network(SPACE.parse(code), CLASSES, **{"filters": 2, "cells": 3, **options})


def logits_of(code, images):
    network = network_of(code)
    return network(layers_of(network, images.shape[1:]), images)[0].numpy()


def test_parameters_are_the_published_ones_and_so_are_multiply_adds():
    with gzip.open(real_table("nasbench201_cifar.csv.gz"), "rt") as file:
        rows = list(csv.DictReader(file))
    values = 5 * (16 * 32**2 + 32 * 16**2 + 64 * 8**2)
    for place in np.random.default_rng(0).choice(len(rows), 100, replace=False):
        code = rows[place]["op_code"]
        outline = outline_of(NASBench201Network(SPACE.parse(code), 10), (32, 32, 3))
        assert outline.parameters == int(rows[place]["params"])
        # The table counts more than multiply-adds: ReLU and batch norm 3 a value, pooling 9, and outside the cells.
        uncounted = values * (3 * sum(code.count(digit) for digit in "23") + 9 * code.count("4")) + 160_832
        assert outline.multiply_adds + uncounted == int(rows[place]["flops_cifar"])


@pytest.mark.parametrize("cells, first", [(3, (1, 2)), (4, (1, 2)), (5, (1, 3)), (15, (5, 10))])
def test_stages_are_evenly_long(cells, first):
    assert first_cells(cells) == first


def test_fewer_cells_than_stages_are_refused():
    with pytest.raises(ValueError, match="`cells`. Expected a whole number >= 3. Received: 2"):
        network_of("111111", cells=2)


def test_every_operation_of_every_edge_counts():
    images, _ = batch_of()
    one = "321243"
    expected = logits_of(one, images)
    others = [f"{one[:edge]}{code}{one[edge + 1 :]}" for edge in range(6) for code in "01234" if code != one[edge]]
    assert all(np.abs(logits_of(code, images) - expected).max() > 1e-4 for code in others)


def test_nodes_are_sums_and_nodes_without_inputs_are_zero():
    images, _ = batch_of()
    # Node 3 reads the input alone, itself or through skip connections; nodes 1 and 2 are zero or read by nobody.
    assert {logits_of(code, images).tobytes() for code in ("000100", "341100", "000111", "001111")} == {
        logits_of("000100", images).tobytes()
    }
    # Where nothing reaches the output all images look alike.
    assert np.ptp(logits_of("000033", images), axis=0).max() < 1e-6 < np.ptp(logits_of("000100", images), axis=0).max()


def test_a_dead_convolution_has_weights_and_only_its_offset_reaches_the_output():
    child = child_of(network_of("000130"))
    before = child.arrays()
    for _ in range(2):
        child.train_step(*batch_of(), 0.1)
    after = child.arrays()
    moved = {name for name in before if name.startswith("cell") and not np.array_equal(before[name], after[name])}
    ends = {name.rpartition("/")[2] for name in moved if "/edge1-3/" in name}
    assert "offset" in ends and not ends & {"kernel", "scale"}
    assert "cell0/edge1-3/nor_conv_3x3/kernel" in child.weights


@pytest.mark.parametrize("shape", [(11, 9, 3), (16, 16, 1)])
def test_any_image_is_halved_twice_and_a_strided_stem_halves_it_again(shape):
    full, halved = (outline_of(network_of("333333", stem_stride=stride), shape) for stride in (1, 2))
    assert full.parameters == halved.parameters and full.multiply_adds > 2.5 * halved.multiply_adds
    assert network_of("333333").filters_of(0) * 4 == network_of("333333").filters_of(2)


def test_it_learns_a_batch_by_heart():
    child, (images, labels) = child_of(network_of("300111", filters=4)), batch_of()
    losses = [child.train_step(images, labels, 0.1)[0] for _ in range(25)]
    assert losses[-1] < 0.5 * losses[0]


def test_every_proxy_scores_a_cell_with_convolutions_that_lead_nowhere():
    network = NetworkWithBatch(network_of("310103"), SHAPE, batch_of, 0)
    scores = {name: proxy(network) for name, proxy in PROXIES.items()}
    assert (
        network.outline.weights["cell0/edge0-1/nor_conv_3x3/kernel"].size and np.isfinite(list(scores.values())).all()
    )


def test_the_registry_builds_it_with_its_options():
    options = NetworkOptions(CLASSES, filters=6, cells=4, stem_stride=2, dropout=0.5)
    assert build_network(SPACE.parse("342104"), options) == network_of(
        "342104", filters=6, cells=4, stem_stride=2, dropout=0.5
    )


def test_an_exported_network_gives_the_childs_probabilities():
    network = network_of("342104")
    child, (images, labels) = child_of(network), batch_of()
    child.train_step(images, labels, 0.1)
    layers, pixels = _KerasLayers(), tf.keras.Input(SHAPE)
    model = tf.keras.Model(pixels, network(layers, pixels)[0])
    arrays = child.arrays()
    for layer, names in layers.arrays:
        layer.set_weights(layers.values(names, arrays))
    expected = tf.nn.softmax(next(child.predict([(images, labels)]))[0])
    np.testing.assert_allclose(model(images), expected, atol=1e-5)

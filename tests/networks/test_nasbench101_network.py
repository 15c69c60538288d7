"""The trainable network of NAS-Bench-101: published sizes, channels by the published rule, training and export."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.networks.export.keras_export import _KerasLayers
from alphaxenas.networks.nasbench.nasbench101 import NASBench101Network, vertex_channels
from alphaxenas.networks.options import NetworkOptions
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.registry import build_network
from alphaxenas.spaces.nasbench.cell101 import OPERATIONS_101, NASBench101Cell, read_cell
from tests.data.real import real_table
from tests.networks.tiny import CLASSES, SHAPE, batch_of, child_of, layers_of

CONV3, CONV1, POOL = OPERATIONS_101
UNEVEN = f"{CONV3}(0) {CONV1}(0,1) {POOL}(1) output(0,1,2,3)"
"""Three vertices share the output's channels, and two read one of more channels than their own."""


def network_of(text, **options):
    return NASBench101Network(read_cell(text), CLASSES, **{"filters": 4, "cells": 3, **options})


def test_parameters_are_the_published_ones():
    with np.load(real_table("nasbench101_20k.npz"), allow_pickle=False) as file:
        table = {name: file[name] for name in ("adjacency", "ops", "num_vertices", "trainable_params")}
    for place in np.random.default_rng(1).choice(len(table["ops"]), 100, replace=False):
        number = table["num_vertices"][place]
        inner = [OPERATIONS_101[code] for code in table["ops"][place][1 : number - 1]]
        cell = NASBench101Cell.from_matrix(table["adjacency"][place][:number, :number], ["input", *inner, "output"])
        outline = outline_of(NASBench101Network(cell, 10), (32, 32, 3))
        assert outline.parameters == table["trainable_params"][place], cell


@pytest.mark.parametrize(
    "text, channels",
    [
        (UNEVEN, (4, 3, 3)),
        (f"{CONV3}(0) output(1)", (10,)),
        (f"{CONV3}(0) {CONV1}(1) output(0,2)", (10, 10)),
        (f"{CONV1}(0) {CONV3}(0,1) {POOL}(1) output(2,3)", (5, 5, 5)),
        ("output(0)", ()),
    ],
)
def test_vertices_share_the_channels_of_the_output(text, channels):
    assert vertex_channels(read_cell(text), 10) == channels


def test_too_few_channels_name_the_parameter():
    with pytest.raises(ValueError, match="`filters`. Expected at least 3, .*Received: 2"):
        network_of(UNEVEN, filters=2)
    with pytest.raises(ValueError, match="`cells`. Expected a whole number >= 3"):
        network_of(UNEVEN, cells=2)


def test_every_edge_and_operation_counts():
    images, logits = batch_of()[0], set()
    texts = (
        UNEVEN,
        f"{CONV3}(0) {CONV1}(0,1) {POOL}(1) output(1,2,3)",
        f"{CONV3}(0) {CONV1}(1) {POOL}(1) output(0,1,2,3)",
        f"{CONV3}(0) {CONV1}(0,1) {CONV1}(1) output(0,1,2,3)",
        f"{CONV3}(0) {CONV1}(0,1) {POOL}(2) output(0,1,2,3)",
        "output(0)",
    )
    for text in texts:
        network = network_of(text)
        logits.add(network(layers_of(network), images)[0].numpy().round(5).tobytes())
    assert len(logits) == len(texts)


def test_it_learns_a_batch_by_heart_and_exports_what_it_learned():
    network = network_of(UNEVEN)
    child, (images, labels) = child_of(network), batch_of()
    losses = [child.train_step(images, labels, 0.1)[0] for _ in range(15)]
    assert losses[-1] < 0.7 * losses[0]
    layers, pixels = _KerasLayers(), tf.keras.Input(SHAPE)
    model, arrays = tf.keras.Model(pixels, network(layers, pixels)[0]), child.arrays()
    for layer, names in layers.arrays:
        layer.set_weights(layers.values(names, arrays))
    expected = tf.nn.softmax(next(child.predict([(images, labels)]))[0])
    np.testing.assert_allclose(model(images), expected, atol=1e-5)


def test_the_registry_builds_it_with_its_options():
    options = NetworkOptions(CLASSES, filters=6, cells=4, stem_stride=2, dropout=0.5)
    assert build_network(read_cell(UNEVEN), options) == network_of(
        UNEVEN, filters=6, cells=4, stem_stride=2, dropout=0.5
    )

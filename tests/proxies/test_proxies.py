"""What every zero-cost proxy promises, and what each of them computes on networks whose scores are known."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.networks.cell import CellNetwork
from alphaxenas.networks.nasbench.nasbench201 import NASBench201Network
from alphaxenas.networks.options import NetworkOptions
from alphaxenas.networks.registry import build_network
from alphaxenas.networks.training.initial import NetworkWithBatch
from alphaxenas.proxies import COSTS, PROXIES, check_defined, check_names
from alphaxenas.spaces import CellSpace, MacroSpace, MicroSpace, NASBench201
from alphaxenas.spaces.cell import Cell
from alphaxenas.spaces.chains.presets import convolution_chains

SHAPE, CLASSES, IMAGES = (8, 8, 3), 4, 12
BATCH = [name for name, proxy in PROXIES.items() if proxy.cost == "batch"]
CELL = Cell.parse("prev:conv3x3 + prev2:sep3x3; b0:maxpool3x3 | prev:conv1x1")
PLAIN = Cell.parse("prev:conv3x3 + prev:identity")
SPACES = {"cell": CellSpace(2), "micro": MicroSpace(2), "macro": MacroSpace(3), "chain": convolution_chains(2)}


def batch(shape=SHAPE, images=IMAGES):
    pixels = np.random.default_rng(0).standard_normal((images, *shape)).astype(np.float32)
    return tf.constant(pixels), tf.constant(np.arange(images, dtype=np.int32) % CLASSES)


def of_cell(cell=CELL, seed=0, **options):
    return NetworkWithBatch(
        CellNetwork(cell, CLASSES, **{"filters": 4, "cells": 2, "reductions": 1, **options}), SHAPE, batch, seed
    )


def straight(layers, images):
    """Three convolutions with batch normalisation, the last kernels that a path through it has."""
    x = layers.input(images)
    for number in range(3):
        x = layers.relu(layers.batch_norm(layers.conv(x, f"layer{number}", 6, 3), f"layer{number}"))
    return [layers.dense(layers.global_average(x), "classifier", CLASSES)]


def linear(layers, images):
    return [layers.dense(layers.flatten(layers.input(images)), "classifier", CLASSES)]


class Scaled(NetworkWithBatch):
    """The kernels of all convolutions are three times as large."""

    def weights(self):
        weights = super().weights()
        return {name: value * 3.0 if name in self.outline.kernels else value for name, value in weights.items()}


@pytest.mark.parametrize("name", PROXIES)
class TestProxyContract:
    def test_same_seed_same_score_in_plain_numbers(self, name):
        first, second = PROXIES[name](of_cell()), PROXIES[name](of_cell(Cell.parse(str(CELL))))
        assert type(first) is float and np.isfinite(first) and first == second

    def test_another_seed_changes_what_depends_on_weights_alone(self, name):
        same = PROXIES[name](of_cell()) == PROXIES[name](of_cell(seed=1))
        assert same == (PROXIES[name].cost == "free")

    def test_dropout_and_auxiliary_heads_do_not_show(self, name):
        assert PROXIES[name](of_cell()) == PROXIES[name](of_cell(dropout=0.5, drop_path=0.3, auxiliary=True))

    def test_every_family_of_networks_is_scored_or_refused_by_name(self, name):
        for kind, space in SPACES.items():
            architecture = space.sample(np.random.default_rng(3))
            network = NetworkWithBatch(
                build_network(architecture, NetworkOptions(CLASSES, filters=4, cells=3)), SHAPE, batch
            )
            if (kind, name) == ("chain", "zen"):
                with pytest.raises(
                    ValueError, match="zen is not defined for this network: layer 'layer0' .*batch_norm"
                ):
                    check_defined([name], network.outline)
            else:
                check_defined([name], network.outline)
                assert np.isfinite(PROXIES[name](network)), kind

    def test_a_cell_that_passes_nothing_on_is_not_above_one_that_does(self, name):
        nothing, something = (
            NetworkWithBatch(NASBench201Network(NASBench201().parse(code), CLASSES, 2, 3), SHAPE, batch)
            for code in ("000000", "333313")
        )
        size = abs if name == "grasp" else float  # GraSP has either sign
        assert not size(PROXIES[name](nothing)) > size(PROXIES[name](something))

    def test_it_says_what_it_costs_and_where_it_comes_from(self, name):
        module, function = PROXIES[name].place.split(".")
        text = getattr(__import__(f"alphaxenas.proxies.{module}", fromlist=[function]), function).__doc__
        assert PROXIES[name].cost in COSTS
        assert PROXIES[name].cost == "free" or (
            "Source: " in text and ("equation" in text or "ection" in text or "algorithm" in text)
        )


def test_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="Received: 'synflov'. Did you mean 'synflow'"):
        check_names(["parameters", "synflov"])


def test_synflow_refuses_an_operation_that_it_does_not_know():
    outline = of_cell().outline
    outline.operations.append(("sigmoid", "gate7"))
    with pytest.raises(ValueError, match="it does not know the operation `sigmoid` of layer 'gate7'. Remove synflow"):
        check_defined(["snip", "synflow"], outline)


# --- what they compute ------------------------------------------------------------------------------------------------


def test_free_proxies_count_a_network_whose_counts_are_known():
    network = NetworkWithBatch(straight, SHAPE, batch)
    kernels = 9 * 3 * 6 + 2 * 9 * 6 * 6
    assert PROXIES["parameters"](network) == kernels + 3 * 12 + 6 * CLASSES + CLASSES
    assert PROXIES["multiply_adds"](network) == 64 * kernels + 6 * CLASSES
    assert PROXIES["depth"](network) == 3


def test_depth_is_that_of_the_longest_path():
    shallow, deep = ("prev:conv3x3 + prev2:conv3x3", "prev:conv3x3 + prev2:identity; b0:conv3x3 + prev:identity")
    one, two = (PROXIES["depth"](of_cell(Cell.parse(text), cells=3)) for text in (shallow, deep))
    assert two == one + 3


@pytest.mark.parametrize("code, in_a_cell", [("000000", 0), ("000300", 1), ("303003", 3), ("300033", 2), ("310142", 1)])
def test_depth_counts_paths_from_the_image_alone(code, in_a_cell):
    """A convolution of a node that nothing reaches is not depth; the stem and two residual blocks are."""
    network = NetworkWithBatch(NASBench201Network(NASBench201().parse(code), CLASSES, 2, 3), SHAPE, batch)
    assert PROXIES["depth"](network) == (5 + 3 * in_a_cell if in_a_cell else 0)


# By how much a score grows when all kernels before batch normalisation are three times as large.
SCALE = {"naswot": 0.0, "jacov": 0.0, "snip": 0.0, "fisher": 0.0, "synflow": 3 * np.log(3.0)}


@pytest.mark.parametrize("name", SCALE)
def test_batch_normalisation_hides_the_scale_of_kernels_where_it_should(name):
    before, after = (PROXIES[name](kind(straight, SHAPE, batch)) for kind in (NetworkWithBatch, Scaled))
    assert after - before == pytest.approx(SCALE[name], abs=0.01 * max(abs(before), 1.0))


def softmax_gradient(network):
    """Gradient of the mean cross-entropy of a linear network, its kernel, and the images as rows."""
    images, labels = (part.numpy() for part in network.batch())
    rows, kernel = images.reshape(len(images), -1), network.weights()["classifier/kernel"].numpy()
    return rows, kernel, labels, lambda kernel: rows.T @ error(rows @ kernel, labels) / len(rows)


def error(logits, labels):
    chances = np.exp(logits - logits.max(1, keepdims=True))
    return chances / chances.sum(1, keepdims=True) - np.eye(logits.shape[1])[labels]


def test_saliencies_of_a_linear_network_are_those_of_their_formulas():
    network = NetworkWithBatch(linear, SHAPE, batch)
    rows, kernel, labels, gradient = softmax_gradient(network)
    g, step = gradient(kernel), 1e-3
    curved = (gradient(kernel + step * g) - gradient(kernel - step * g)) / (2 * step)
    activations = rows @ kernel
    by_output = activations * error(activations, labels) / len(rows)
    expected = {
        "grad_norm": np.linalg.norm(g),
        "snip": np.abs(g * kernel).sum(),
        "grasp": -(curved * kernel).sum(),
        "fisher": 0.5 * len(kernel) * np.square(by_output).mean(0).sum(),
        "synflow": np.log(np.abs(kernel).sum()),
    }
    for name, value in expected.items():
        assert PROXIES[name](network) == pytest.approx(value, rel=2e-3), name


def test_jacov_of_a_linear_network_sees_gradients_that_are_all_one():
    tiny, count = 1e-5, IMAGES
    expected = -(np.log(count + tiny) + 1 / (count + tiny) + (count - 1) * (np.log(tiny) + 1 / tiny))
    assert PROXIES["jacov"](NetworkWithBatch(linear, SHAPE, batch)) == pytest.approx(expected, rel=1e-6)


def test_naswot_counts_the_rectifiers_that_two_images_share():
    def network(layers, images):
        return [layers.dense(layers.flatten(layers.relu(images)), "classifier", CLASSES)]

    def two():
        return tf.constant([[[[1.0], [1.0], [-1.0]]], [[[1.0], [-1.0], [-1.0]]]]), tf.constant([0, 1])

    found = PROXIES["naswot"](NetworkWithBatch(network, (1, 3, 1), two))
    assert found == pytest.approx(np.log(3 * 3 - 2 * 2))


def test_equal_images_have_no_naswot_and_no_zen_is_lost_to_overflow():
    def equal():
        images, labels = batch()
        return tf.repeat(images[:1], IMAGES, 0), labels

    assert PROXIES["naswot"](NetworkWithBatch(straight, SHAPE, equal)) == -np.inf


def test_zen_grows_with_the_logarithm_of_the_fan_in_of_every_layer():
    def wide(filters):
        def network(layers, images):
            x = layers.input(images)
            for number in range(2):
                x = layers.relu(layers.batch_norm(layers.conv(x, f"layer{number}", filters, 1), f"layer{number}"))
            return [layers.dense(layers.global_average(x), "classifier", CLASSES)]

        return NetworkWithBatch(network, SHAPE, batch)

    # The second layer alone reads the channels, whose fan-in is sixteen times as large: its deviation is four times.
    assert PROXIES["zen"](wide(128)) - PROXIES["zen"](wide(8)) == pytest.approx(np.log(4.0), abs=0.3)


def test_synflow_of_a_deep_wide_network_does_not_overflow():
    assert 100 < PROXIES["synflow"](of_cell(PLAIN, filters=48, cells=24, reductions=2)) < np.inf


@pytest.mark.parametrize("name", ["parameters", "multiply_adds", "depth", "naswot", "synflow", "snip"])
def test_a_cell_of_convolutions_stands_before_one_that_passes_its_input_on(name):
    passes = Cell.parse("prev:identity + prev:identity")
    assert PROXIES[name](of_cell(PLAIN, cells=4)) > PROXIES[name](of_cell(passes, cells=4))

"""Shared weights with a fresh architecture per step: the same function, gradient and step as the architecture's own
network.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.networks.bank import WeightBank
from alphaxenas.networks.layers import Layers
from alphaxenas.networks.macro import MacroNetwork
from alphaxenas.networks.micro import MicroNetwork
from alphaxenas.networks.nasbench.nasbench201 import NASBench201Network
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.training.recipe import Recipe
from alphaxenas.spaces.macro import MacroSpace
from alphaxenas.spaces.micro import MicroSpace
from alphaxenas.spaces.nasbench.nasbench201 import NASBench201
from alphaxenas.supernet.nasbench import NASBench201Supernetwork
from alphaxenas.supernet.supernet import Supernet
from alphaxenas.supernet.supernetworks import MacroSupernetwork, MicroSupernetwork
from tests.networks.tiny import CLASSES, SHAPE, batch_of

RECIPE = Recipe(learning_rate=0.1, weight_decay=1e-2, gradient_clip=0.5)
MICRO, MACRO = MicroSpace(2, ("sep3x3", "maxpool3x3", "identity")), MacroSpace(3)
MICRO_TEXTS = (
    # Chains, loose ends, a cell input that no node reads, a node that reads one input twice.
    "prev:sep3x3 + prev2:identity; b0:sep3x3 + b0:identity / prev:sep3x3 + prev2:maxpool3x3; b0:sep3x3 + prev:identity",
    "prev:identity + prev:identity; prev:sep3x3 + prev:maxpool3x3 / "
    "prev2:identity + prev2:sep3x3; prev2:sep3x3 + b0:identity",
    "prev2:sep3x3 + prev2:sep3x3; prev2:sep3x3 + prev2:maxpool3x3 / "
    "prev:maxpool3x3 + prev:maxpool3x3; prev:identity + prev:identity",
)
MACRO_TEXTS = (
    "conv3x3; sep3x3(stem); avgpool3x3(stem,l0)",
    "maxpool3x3; conv5x5; sep5x5(l0)",
    "sep3x3; conv3x3; conv3x3",
)


def supernetwork(space, **options):
    if isinstance(space, MicroSpace):
        return MicroSupernetwork(
            space,
            lambda one: MicroNetwork(one, CLASSES, **{"filters": 2, "cells": 3, "auxiliary_filters": 2, **options}),
        )
    if isinstance(space, NASBench201):
        return NASBench201Supernetwork(
            lambda one: NASBench201Network(one, CLASSES, **{"filters": 2, "cells": 3, **options})
        )
    return MacroSupernetwork(space, lambda one: MacroNetwork(one, CLASSES, **{"filters": 2, **options}))


def supernet(space, seed=0, recipe=RECIPE, **options):
    return Supernet(supernetwork(space, **options), SHAPE, recipe, seed)


@functools.cache
def shared(name):
    """One supernet a space for the tests that only look, because tracing takes seconds."""
    options = {"joined": {"joined": True}}.get(name, {})
    return supernet(SPACES[name], **options)


SPACES = {"micro": MICRO, "joined": MICRO, "macro": MACRO, "nasbench201": NASBench201()}
NB201_CODES = ("342124", "003301")
"""Every operation; a node without inputs whose convolution gives its offset."""
CASES = (
    [("micro", text) for text in MICRO_TEXTS]
    + [("macro", text) for text in MACRO_TEXTS]
    + [("joined", MICRO_TEXTS[1])]
    + [("nasbench201", code) for code in NB201_CODES]
)


@pytest.mark.parametrize("name, text", CASES)
def test_a_step_moves_what_a_step_of_the_own_network_moves_and_nothing_else(name, text):
    # ENAS-3: the searched and the final network of the published code were different functions.
    net, (images, labels) = shared(name), batch_of()
    one = SPACES[name].parse(text)
    fresh = WeightBank(1)
    net.take(fresh)
    child = net.child(one)
    before, moved_before = WeightBank(1), WeightBank(1)
    net.store(before)
    for seed in range(2):
        loss, hits = net.train_step(one, images, labels, 0.1, 0.5, (seed, 0))
        expected_loss, expected_hits = child.train_step(images, labels, 0.1, 0.5, (seed, 0))
        assert loss == pytest.approx(expected_loss, rel=1e-4) and hits == expected_hits
    after = moved_before
    net.store(after)
    own = child.arrays()
    assert set(child.weights) == set(outline_of(net._network.network(one), SHAPE, training=True).weights)
    for key, value in after["weights"].items():
        if key in child.weights:
            np.testing.assert_allclose(value, own[key], rtol=1e-3, atol=1e-5, err_msg=key)
        else:
            np.testing.assert_array_equal(value, before["weights"][key], err_msg=key)
            np.testing.assert_array_equal(after["slots"][key], before["slots"][key], err_msg=key)


@pytest.mark.parametrize("name, text", CASES[:2] + CASES[3:5] + CASES[-3:])
def test_prediction_with_measured_statistics_is_that_of_the_calibrated_own_network(name, text):
    net, one = shared(name), SPACES[name].parse(text)
    net.take(WeightBank(2))
    batches = [batch_of(seed=seed) for seed in range(3)]
    child = net.child(one)
    child.calibrate(batches)
    expected = next(child.predict(batches))[0]
    np.testing.assert_allclose(net.predict(one, batches[0][0], net.measure(one, batches)), expected, atol=1e-4)
    assert net.accuracy(one, batches, batches) == child.accuracy(batches)


@pytest.mark.parametrize("name", SPACES)
def test_steps_of_random_architectures_equal_those_of_their_own_networks(name):
    net, space, (images, labels) = shared(name), SPACES[name], batch_of()
    net.take(WeightBank(3))
    rng = np.random.default_rng(0)
    for _ in range(3):
        one = space.sample(rng)
        child, before, after = net.child(one), WeightBank(3), WeightBank(3)
        net.store(before)
        for step in (child.train_step, functools.partial(net.train_step, one)):
            step(images, labels, 0.1)
        net.store(after)
        own = child.arrays()
        for key in child.weights:
            # By the change, which is small beside the weight itself.
            moved, expected = (array - before["weights"][key] for array in (after["weights"][key], own[key]))
            np.testing.assert_allclose(moved, expected, rtol=1e-3, atol=1e-4, err_msg=key)


@pytest.mark.parametrize(
    "name, texts", [("micro", MICRO_TEXTS[:2]), ("macro", MACRO_TEXTS[:2]), ("nasbench201", NB201_CODES)]
)
def test_only_the_convolutions_of_the_architecture_run(name, texts, monkeypatch):
    """Every layer that runs is noted when it does, not when it is traced: the graph holds the layers of all."""
    convolutions, ran = ("conv", "depthwise"), []

    def noted(method):
        def run(layers, x, *arguments, **named):
            y = method(layers, x, *arguments, **named)
            note = tf.numpy_function(lambda: ran.append(method.__name__) or np.int64(0), [], tf.int64)
            with tf.control_dependencies([note]):
                return tf.identity(y)

        return run

    for operation in convolutions:
        monkeypatch.setattr(Layers, operation, noted(getattr(Layers, operation)))
    net, (images, labels) = supernet(SPACES[name]), batch_of()
    for one in map(SPACES[name].parse, texts):
        ran.clear()
        net.measure(one, [(images, labels)])
        own = outline_of(net._network.network(one), SHAPE, training=True).operations
        assert sorted(ran) == sorted(operation for operation, _ in own if operation in convolutions)
        assert 0 < len(ran) < len(net._outline.kernels)


def test_a_step_that_diverges_changes_nothing_and_is_reported():
    net, (images, labels) = shared("macro"), batch_of()
    net.take(WeightBank(4))
    before = net.state()
    loss, _ = net.train_step(MACRO.parse(MACRO_TEXTS[0]), images * np.nan, labels, 0.1)
    assert not np.isfinite(loss)
    after = net.state()
    assert all(np.array_equal(before[key], after[key]) for key in before)
    assert net.accuracy(MACRO.parse(MACRO_TEXTS[0]), [(images * np.nan, labels)], [(images, labels)]) == 0.0


def test_what_does_not_fit_into_memory_is_left_out(monkeypatch):
    net, (images, labels), one = shared("macro"), batch_of(), MACRO.parse(MACRO_TEXTS[0])

    def exhausted(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "no memory")

    for name in ("_step", "_statistics"):
        monkeypatch.setitem(net.__dict__, name, exhausted)
    loss, hits = net.train_step(one, images, labels, 0.1)
    assert np.isnan(loss) and hits == 0 and net.accuracy(one, [(images, labels)], [(images, labels)]) == 0.0


def test_only_momentum_without_an_average_is_offered():
    for wrong in ({"optimizer": "adam"}, {"average": 0.9}):
        with pytest.raises(ValueError, match="`optimizer` or `average`"):
            Supernet(supernetwork(MACRO), SHAPE, Recipe(**wrong), 0)


def test_state_continues_bit_for_bit():
    net, (images, labels), rng = shared("macro"), batch_of(), np.random.default_rng(0)
    net.take(WeightBank(5))
    net.train_step(MACRO.sample(rng), images, labels, 0.1)
    state, one = net.state(), MACRO.sample(rng)
    first = net.train_step(one, images, labels, 0.1), net.state()
    net.restore(state)
    second = net.train_step(one, images, labels, 0.1), net.state()
    assert first[0] == second[0] and all(np.array_equal(first[1][key], second[1][key]) for key in state)


def test_drop_path_and_dropout_work_in_the_supernet_and_differ_by_seed():
    net, (images, labels) = supernet(MacroSpace(2), drop_path=0.5, dropout=0.2), batch_of()
    one = MacroSpace(2).parse("conv3x3; sep3x3(stem)")
    state, losses = net.state(), []
    for seed in ((0, 0), (0, 0), (0, 1)):
        net.restore(state)
        losses.append(net.train_step(one, images, labels, 0.1, 1.0, seed)[0])
    assert losses[0] == losses[1] != losses[2]


def test_clipping_clips_the_norm_of_the_path():
    net, (images, labels) = shared("macro"), batch_of()
    net.take(WeightBank(6))
    before = net.state()["values"]
    net.train_step(MACRO.parse(MACRO_TEXTS[0]), images, labels, 1.0)
    # Nesterov's first step is (1 + momentum) times the clipped gradient.
    assert np.linalg.norm(net.state()["values"] - before) == pytest.approx(1.9 * 0.5, rel=1e-3)


def test_parameters_are_those_of_all_and_of_one():
    net, one = shared("macro"), MACRO.parse(MACRO_TEXTS[0])
    assert net.parameters_of(one) == outline_of(net._network.network(one), SHAPE).parameters < net.parameters
    assert tf.size(net._path(one)[1]) == net.parameters_of(one)

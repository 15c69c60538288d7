"""A step on two devices against the same step on one. Virtual CPU devices have to be made before TensorFlow starts: a
process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.networks.devices import load_tensorflow
from alphaxenas.networks.training.replicas import Replicas

SCRIPT = """
import json, sys
from dataclasses import replace
from alphaxenas.networks.devices import load_tensorflow
tf = load_tensorflow()
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import numpy as np
from alphaxenas.networks.bank import WeightBank
from alphaxenas.networks.training.recipe import Recipe
from alphaxenas.networks.training.fit import fit
from alphaxenas.networks.training.loop import CompiledChild
from tests.networks.test_training import batches_of
from tests.networks.tiny import MIXED, SHAPE, network_of

recipe = Recipe(0.05, weight_decay=1e-3, gradient_clip=1.0, label_smoothing=0.1, average=0.9)
network = network_of(MIXED, auxiliary=True, drop_path=0.3, dropout=0.3)
found = {}
for devices in (1, 2):
    child = CompiledChild(network, WeightBank(0), SHAPE, recipe, devices)
    # 35 images in batches of 11 or 12: shares of a batch are not all equal.
    history = fit(child, batches_of(35, 12, augment=True), batches_of(21, 8), 3, seed=0, validate_every=1)
    state = child.state()
    found[devices] = {"history": history, "state": {part: array.tolist() for part, array in state.items()}}
    if devices == 2:
        variables = [child.vectors.weights, child.vectors.slots, child.vectors.moving, *child.vectors.averaged]
        found["copies"] = [len(variable.values) for variable in variables]
        found["equal"] = all(np.array_equal(*(copy.numpy() for copy in variable.values)) for variable in variables)
        again = CompiledChild(network, WeightBank(1), SHAPE, recipe, devices)
        again.restore(state)
        found["restored"] = all(np.array_equal(again.state()[part], state[part]) for part in state)
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def found():
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout)


@pytest.mark.parametrize("number", ["loss", "train_accuracy", "validation_accuracy", "learning_rate", "images"])
def test_two_devices_have_the_curve_of_one(found, number):
    one, two = ([record[number] for record in found[devices]["history"]] for devices in "12")
    assert two == pytest.approx(one, abs=2e-4)
    assert number != "loss" or len(set(one)) == 3


@pytest.mark.parametrize("part", ["values", "slots", "moving", "average", "average_moving", "steps"])
def test_two_devices_end_with_the_weights_of_one(found, part):
    assert found["2"]["state"][part] == pytest.approx(found["1"]["state"][part], abs=2e-3)


def test_every_device_holds_the_same_weights(found):
    assert found["copies"] == [2] * 5 and found["equal"]


def test_a_checkpoint_reaches_every_device(found):
    assert found["restored"]


def test_more_devices_than_there_are_are_refused():
    load_tensorflow()
    with pytest.raises(ValueError, match="`devices`. Expected 1 to .*Received: 99"):
        Replicas(99)

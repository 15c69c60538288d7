"""A space that trains on images is one module and one line of the registry: nothing else is touched."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

from alphaxenas.config import PROJECT_ROOT

MODULE = '''
"""Towers of convolutions: the space, its architectures and their network."""
from alphaxenas.networks.registry import NETWORKS, NetworkFamily
from alphaxenas.spaces.chains.chain import Chain
from alphaxenas.spaces.chains.state_space import StateSpace


class Tower(Chain):
    """As a chain, with a network of its own."""


class TowerSpace(StateSpace):
    def decode(self, tokens):
        return Tower(super().decode(tokens).layers)

    def parse(self, text):
        return Tower(super().parse(text).layers)


def towers(parameters):
    return TowerSpace(parameters["layers"]).add("kernel", (1, 3))


def tower_network(tower, options):
    def network(layers, images):
        x = layers.input(images)
        for number, layer in enumerate(tower.layers):
            name = f"layer{number}"
            x = layers.batch_norm(layers.conv(x, name, options.filters, layer["kernel"], 2), name)
        return [layers.dense(layers.global_average(layers.relu(x)), "classifier", options.num_classes)]

    return network


NETWORKS[Tower] = NetworkFamily(tower_network, ("filters",))
'''
PROGRAM = """
import json, sys
from alphaxenas.spaces.from_parameters import SPACES
from mine.towers import towers

SPACES["tower"] = towers  # the one line

from alphaxenas.config import ParameterError, from_values
from alphaxenas.pipelines.factory import load_images
from alphaxenas.pipelines.final import train_best
from alphaxenas.pipelines.search import search

small = {"fraction": 0.2, "filters": 2, "train_filters": 2, "layers": 2, "train_epochs": 1, "warmup_epochs": 0.5}
limits = {"trials": 2, "search_children": 1, "search_fraction": 0.2, "final_epochs": 1}
values = {"exp_dir": sys.argv[1], "tensorboard_dir": sys.argv[1], "space": "tower", "controllers": ["random"]}
config = from_values({**values, **small, **limits})
data = load_images(config)
found, trained = search(config, "random", 0, data), train_best(config, data)
refused = []
for name, value in (("train_dropout", 0.5), ("train_drop_path", 0.5), ("train_auxiliary", True)):
    try:
        train_best(from_values({**values, **small, **limits, "run": name, name: value,
                                "architecture": trained["models"][0]["architecture"]}), data)
    except ValueError as error:
        refused.append(str(error))
print(json.dumps([found["trained"], found["best"][0]["reward"], trained["test_accuracy"], refused]))
"""


def test_a_new_space_is_searched_and_its_best_architecture_trained(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("")
    (tmp_path / "mine" / "towers.py").write_text(textwrap.dedent(MODULE))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "exp")],
        env={"PYTHONPATH": f"{tmp_path}:{PROJECT_ROOT}", "TF_CPP_MIN_LOG_LEVEL": "2", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    searched, reward, accuracy, refused = json.loads(done.stdout.splitlines()[-1])
    assert searched == 2 and 0 < reward < 1 and 0 < accuracy < 1
    for message, name in zip(
        refused, ("dropout`. Expected 0.0", "drop_path`. Expected 0.0", "auxiliary`. Expected False")
    ):
        assert f"`train_{name}, because the network of a Tower has no place for it" in message
    assert len(refused) == 3

"""Chains by configuration: the space, the networks, and a search in it by every controller."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alphaxenas.coach import Coach
from alphaxenas.config import ParameterError, from_values
from alphaxenas.contracts import Budget, Outcome
from alphaxenas.controllers import CONTROLLERS
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.controllers.pareto.objectives import named
from alphaxenas.data import load_data
from alphaxenas.networks.outline import outline_of
from alphaxenas.pipelines.factory import (
    child_network,
    configured_controller,
    final_network,
    load_images,
    make_evaluator,
    search_space,
)
from alphaxenas.pipelines.final import chosen_architectures
from alphaxenas.pipelines.search import search
from alphaxenas.pipelines.stages import conclusions_on_images
from alphaxenas.runs import RunFolder
from alphaxenas.spaces import CellSpace, StateSpace
from alphaxenas.spaces.chains.presets import MNIST_BY_HAND
from alphaxenas.spaces.from_parameters import shares_weights
from tests.evaluators.test_keras_models import arrays

TINY = {
    "space": "chain",
    "layers": 2,
    "optimizer": "adam",
    "learning_rate": 0.003,
    "augment": False,
    "search_fraction": 0.2,
    "final_fraction": 0.2,
}


def configured(tmp_path, **values):
    return from_values({"exp_dir": str(tmp_path / "exp"), "tensorboard_dir": str(tmp_path / "events"), **values})


def test_the_parameter_space_says_what_is_searched(tmp_path):
    assert search_space(configured(tmp_path)) == CellSpace()
    assert search_space(configured(tmp_path, space="chain")).size() == 1296
    assert search_space(configured(tmp_path, space="chain", chain_skips=True)).size() == 1296 * 2**6
    assert search_space(configured(tmp_path, space="mnist_chain", layers=2)).size() == 256**2
    with pytest.raises(ParameterError, match="Did you mean 'chain'"):
        configured(tmp_path, space="chains")


def test_what_notebook_01_concludes_describes_the_images(tmp_path):
    config = configured(tmp_path, fraction=0.5)
    data = load_images(config)
    found = conclusions_on_images(config, data)
    assert found["sizes"] == {name: len(getattr(data, name)) for name in ("train", "validation", "test")}
    assert found["headline"] == (
        f"digits: {len(data.train):,} training, {len(data.validation):,} validation, {len(data.test):,} test images"
    )
    assert found["fraction"] == 0.5 and found["image_shape"] == [8, 8, 1] and len(found["mean"]) == 1


def test_cells_share_weights_and_chains_do_not(tmp_path):
    data = load_data("digits")
    assert (
        make_evaluator(configured(tmp_path), data, 0).state()
        and not make_evaluator(configured(tmp_path, **TINY), data, 0).state()
    )
    assert shares_weights(configured(tmp_path).parameters())
    assert not shares_weights(configured(tmp_path, **TINY).parameters())


@pytest.mark.parametrize("form", ["line", "image"])
def test_the_hand_made_network_is_one_of_the_space_and_trained_alike(tmp_path, form):
    config = configured(tmp_path, space="mnist_chain", layers=2, chain_form=form, architecture=MNIST_BY_HAND)
    (chain,) = chosen_architectures(config)
    data = load_data("digits")
    assert final_network(config, chain, data) == child_network(config, 10)(chain)
    assert outline_of(final_network(config, chain, data), data.image_shape).parameters > 0


@pytest.mark.parametrize("controller", ["alphaxenas", "guided"])
def test_trust_in_rewards_reaches_the_controllers_that_choose_by_it(tmp_path, controller):
    space, told = search_space(configured(tmp_path, **TINY)), []
    for trust in (0.0, 0.0, 1.0):
        config = configured(tmp_path, **TINY, reward_trust=trust, search_children=3, num_simulations=3, lstm_steps=1)
        made, asked = configured_controller(config, controller, space, 0), []
        for _ in range(4):
            asked.append(proposal := made.ask())
            width = sum(layer["filters"] for layer in space.decode(proposal.tokens).layers)
            made.tell(Outcome(proposal, 1 / width, metrics={"parameters": float(width)}))
        told.append(list(made.quality([proposal.tokens for proposal in asked])))
    assert proposal.purpose == "final" and told[0] == told[1] != told[2]


def test_several_objectives_are_searched_by_a_class_without_trust_in_rewards(tmp_path):
    config = configured(tmp_path, **TINY, objectives=["accuracy", "parameters"], reward_trust=0.7)
    wanted = named(config.search.objectives)
    assert configured_controller(config, "guided", search_space(config), 0, objectives=wanted).ask().tokens


class Widths:
    """Rewards wide chains without training them."""

    def __init__(self, space):
        self.space = space

    def evaluate(self, proposal):
        chain = self.space.decode(proposal.tokens)
        return Outcome(proposal, sum(layer["filters"] for layer in chain.layers) / 128, metrics={"parameters": 1.0})

    def state(self):
        return {}

    def restore(self, state):
        pass


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_every_controller_searches_chains(tmp_path, controller, monkeypatch):
    config = configured(
        tmp_path,
        **TINY,
        trials=4,
        iterations=2,
        search_children=2,
        num_simulations=3,
        lstm_steps=1,
        warmup_iterations=1,
        refresh_after=1,
    )
    monkeypatch.setattr(
        "alphaxenas.pipelines.search.make_evaluator", lambda config, data, seed: Widths(search_space(config))
    )
    results = search(config, controller, 0, data=load_data("digits"))
    assert results["best"] and records_are_trained(tmp_path, controller, search_space(config))


class RandomFeatures:
    """Rewards a declared perceptron by its accuracy: hidden layers as drawn, the last one by least squares."""

    def __init__(self, space):
        self.space, self.data = space, arrays()

    def hidden(self, architecture, x):
        rng = np.random.default_rng(0)
        for layer in architecture.layers:
            x = x @ rng.normal(size=(x.shape[1], layer["units"]))
            x = np.maximum(x - layer["rate"], 0) if layer["activation"] == "relu" else np.tanh(x)
        return np.column_stack([x, np.ones(len(x))])

    def evaluate(self, proposal):
        architecture, data = self.space.decode(proposal.tokens), self.data
        inputs, validation = (self.hidden(architecture, x) for x in (data.inputs, data.validation_inputs))
        weights, *_ = np.linalg.lstsq(inputs, np.eye(3)[data.labels], rcond=None)
        return Outcome(proposal, float(np.mean((validation @ weights).argmax(1) == data.validation_labels)))

    def state(self):
        return {}

    def restore(self, state):
        pass


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_every_controller_searches_a_space_that_a_user_declared(tmp_path, controller):
    space = (
        StateSpace(layers=2)
        .add("units", [2, 4, 8])
        .add("activation", ["relu", "tanh"])
        .add("rate", [0.0, 0.5], when={"activation": "relu"})
        .constrain("units", lambda before, layer: layer["units"] <= before["units"], over="pair")
    )
    settings = {
        "alphaxenas": {"num_simulations": 3, "initial_children": 2, "lstm_units": 4, "lstm_steps": 1},
        "nao": {"pool": 4, "new": 2, "epochs": 1},
    }.get(controller, {})
    made = make_controller(controller, space, 0, Budget(1, 0.5), Budget(2), promote_every=3, **settings)
    evaluator = RandomFeatures(space)
    with RunFolder.open("declared", controller, {}, tmp_path / "exp", tmp_path / "events") as folder:
        results = Coach(space, made, evaluator, folder, trials=8).run()
        records = folder.journal.read()
    assert (results["trained"], results["failed"]) == (8, 0)
    assert [record["purpose"] for record in records] == [*["search"] * 3, "final"] * 2
    searched = [space.parse(record["architecture"]) for record in records if record["purpose"] == "search"]
    assert len({space.key(one) for one in searched}) == 6
    assert all(one.layers[1]["units"] <= one.layers[0]["units"] for one in searched)


def test_a_search_really_trains_its_chains_from_scratch(tmp_path):
    config = configured(
        tmp_path,
        **TINY,
        trials=2,
        iterations=1,
        search_children=1,
        num_simulations=2,
        lstm_steps=1,
        warmup_iterations=1,
    )
    results = search(config, "alphaxenas", 0)
    assert 0 < results["best"][0]["reward"] < 1 and records_are_trained(tmp_path, "alphaxenas", search_space(config))


def records_are_trained(folder, controller, space):
    """From scratch nothing is scored again without training, and no proposal may ask for it."""
    stored = [
        json.loads(line)
        for line in (folder / "exp" / "quick" / f"{controller}-seed0" / "trials.jsonl").read_text().splitlines()
    ]
    return stored and all(
        record["status"] == "ok" and record["epochs"] > 0 and space.parse(record["architecture"]) for record in stored
    )

"""Chains by configuration: the space, the networks, and a search in it by every controller."""

from __future__ import annotations

import json

import pytest

from alphaxenas.chain_stage import child_network, search_space, shares_weights
from alphaxenas.children.outline import outline_of
from alphaxenas.config import CONTROLLERS, ParameterError, from_values
from alphaxenas.data import load_data
from alphaxenas.spaces import CellSpace
from alphaxenas.spaces.ready_chains import MNIST_BY_HAND
from alphaxenas.stages import chosen_architectures, final_network, make_evaluator, search

TINY = {"space": "chain", "chain_layers": 2, "optimizer": "adam", "learning_rate": 0.003, "augment": False, "search_fraction": 0.2, "final_fraction": 0.2}


def configured(tmp_path, **values):
    return from_values({"exp_dir": str(tmp_path / "exp"), "tensorboard_dir": str(tmp_path / "events"), **values})


def test_the_parameter_space_says_what_is_searched(tmp_path):
    assert search_space(configured(tmp_path)) == CellSpace()
    assert search_space(configured(tmp_path, space="chain")).size() == 1296
    assert search_space(configured(tmp_path, space="chain", chain_skips=True)).size() == 1296 * 2**6
    assert search_space(configured(tmp_path, space="mnist_chain", chain_layers=2)).size() == 256**2
    with pytest.raises(ParameterError, match="Did you mean 'chain'"):
        configured(tmp_path, space="chains")


def test_cells_share_weights_and_chains_do_not(tmp_path):
    data = load_data("digits")
    assert make_evaluator(configured(tmp_path), data, 0).state() and not make_evaluator(configured(tmp_path, **TINY), data, 0).state()
    assert shares_weights(configured(tmp_path)) and not shares_weights(configured(tmp_path, **TINY))


@pytest.mark.parametrize("form", ["line", "image"])
def test_the_hand_made_network_is_one_of_the_space_and_trained_alike(tmp_path, form):
    config = configured(tmp_path, space="mnist_chain", chain_layers=2, chain_form=form, architecture=MNIST_BY_HAND)
    (chain,) = chosen_architectures(config)
    data = load_data("digits")
    assert final_network(config, chain, data) == child_network(config, 10)(chain)
    assert outline_of(final_network(config, chain, data), data.image_shape).parameters > 0


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_every_controller_searches_chains(tmp_path, controller):
    config = configured(tmp_path, **TINY, trials=3, iterations=2, search_children=2, expansions=3, lstm_steps=1, warmup_iterations=1, refresh_after=1)
    results = search(config, controller, 0)
    stored = [json.loads(line) for line in (tmp_path / "exp" / "quick" / f"{controller}-seed0" / "trials.jsonl").read_text().splitlines()]
    assert results["best"] and all(record["status"] == "ok" for record in stored)
    # From scratch nothing is scored again without training, and no proposal may ask for it.
    assert all(record["epochs"] > 0 for record in stored)
    assert search_space(config).parse(stored[0]["architecture"])

"""The ENAS search: phases, records, continuing, derivation; what went wrong in the published code does not return."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from alphaxenas.config import ParameterError, from_values
from alphaxenas.pipelines import search as stages
from alphaxenas.pipelines.enas import conclusions, derive, enas_space, enas_supernetwork, search, train_derived
from alphaxenas.pipelines.factory import final_network, load_images, search_space
from alphaxenas.pipelines.final import chosen_architectures
from alphaxenas.report.runs import load_suite
from alphaxenas.runs.interruption import Interruption
from alphaxenas.runs.journal import same_record
from alphaxenas.spaces.from_parameters import shares_weights
from alphaxenas.supernet.enas import Phases
from alphaxenas.supernet.shared_weights import standard_error

TINY = {
    "blocks": 1,
    "layers": 3,
    "enas_rounds": 2,
    "enas_fraction": 0.1,
    "enas_policy_steps": 2,
    "enas_samples": 2,
    "enas_reward_images": 100,
    "enas_derive": 3,
    "filters": 2,
    "cells": 3,
    "stem_stride": 2,
    "batch_size": 64,
    "train_filters": 4,
    "train_cells": 3,
    "train_epochs": 1,
    "fraction": 0.3,
    "train_stem_stride": 2,
}


def configured(folder, **values):
    return from_values(
        {
            "exp_dir": str(folder / "exp"),
            "tensorboard_dir": str(folder / "events"),
            "data_dir": str(folder / "data"),
            **TINY,
            **values,
        }
    )


def journal(folder, stage):
    return [json.loads(line) for line in (folder / "exp" / "quick" / stage / "trials.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A finished search in each space."""
    folder = tmp_path_factory.mktemp("enas")
    config = configured(folder)
    return folder, config, {name: search(config, name) for name in ("micro", "macro")}


@pytest.mark.parametrize("name", ["micro", "macro"])
def test_a_search_leaves_rounds_then_ranked_architectures(searched, name):
    folder, config, results = searched
    records, found = journal(folder, f"enas-{name}-s0"), results[name]
    rounds, derived = records[:2], records[2:]
    assert [record["round"] for record in rounds] == [0, 1] and {record["purpose"] for record in derived} == {"derived"}
    assert {
        "loss",
        "reward",
        "reward_error",
        "baseline",
        "entropy",
        "log_probability",
        "advantage",
        "unique",
        "learning_rate",
    } <= set(rounds[0])
    assert ("skips" in rounds[0]) == (name == "macro")
    assert [record["reward"] for record in found["best"]] == sorted(
        (record["reward"] for record in derived), reverse=True
    )
    space = enas_space(config, name)
    assert all(space.key(space.parse(record["architecture"])) == record["key"] for record in derived)
    assert derive(config, name)[0] == space.parse(found["best"][0]["architecture"])
    assert search(config, name) == found


def test_rewards_come_from_enough_images_and_say_how_sure_they_are(searched):
    # ENAS-6: rewards came from 128 or 160 images, with a standard error of 3 to 4 points that nobody saw.
    folder, config, results = searched
    validation = len(load_images(config).validation)
    for record in results["micro"]["best"]:
        assert record["reward_error"] == pytest.approx(
            math.sqrt(record["reward"] * (1 - record["reward"]) / validation)
        )
    assert 0 < journal(folder, "enas-micro-s0")[0]["reward_error"] < 0.05 + 1e-9
    with pytest.raises(ParameterError, match="enas_reward_images"):
        configured(folder, enas_reward_images=50)
    assert standard_error(0.5, [(None, np.zeros(100))]) == pytest.approx(0.05)


@pytest.mark.parametrize("name", ["micro", "macro"])
def test_the_final_network_is_the_searched_one_where_the_sizes_agree(searched, name):
    # ENAS-3
    _, config, _ = searched
    same = {
        "train_filters": config.child.filters,
        "train_cells": config.child.cells,
        "train_stem_stride": config.child.stem_stride,
    }
    alike = from_values({**config.parameters(), **same})
    one = derive(config, name)[0]
    assert final_network(alike, one, load_images(alike)) == enas_supernetwork(config, name, 10).network(one)


def test_an_interrupted_search_continues_bit_for_bit(searched, tmp_path, monkeypatch):
    folder, _, results = searched
    config = configured(tmp_path)
    leaves = iter([True, False, True, False])

    def leave(self, saved):
        if next(leaves, False):
            raise KeyboardInterrupt(saved)

    monkeypatch.setattr(Interruption, "leave_if_requested", leave)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            search(config, "macro")
    found = search(config, "macro")
    assert found["best"][0]["key"] == results["macro"]["best"][0]["key"]
    ours, theirs = journal(tmp_path, "enas-macro-s0"), journal(folder, "enas-macro-s0")
    assert len(ours) == len(theirs) and all(map(same_record, ours, theirs))


def test_uniform_sampling_trains_without_a_policy(tmp_path):
    config = configured(tmp_path, enas_sampling="uniform", enas_policy_steps=0, enas_rounds=1, layers=2, enas_derive=2)
    assert search(config, "macro", seed=3)["derived"] == 2
    assert "reward" not in journal(tmp_path, "enas-macro-s3")[0]


def test_the_best_are_trained_in_full(searched):
    _, config, results = searched
    found = train_derived(config, "macro")
    assert found["models"][0]["architecture"] == results["macro"]["best"][0]["architecture"]
    assert 0 < found["test_accuracy"] < 1


@pytest.mark.parametrize("space", ["micro", "macro"])
def test_any_controller_plays_in_the_spaces_of_enas_and_the_best_is_trained(tmp_path, space):
    values = {
        "space": space,
        "blocks": 1,
        "layers": 3,
        "trials": 2,
        "search_children": 1,
        "search_fraction": 0.1,
        "final_fraction": 0.1,
        "train_reductions": 2,
    }
    config = configured(tmp_path, controllers=["alphaxenas"], num_simulations=2, **values)
    found = stages.search(config, "alphaxenas", 0)
    assert found["trained"] == 2 and isinstance(search_space(config), enas_space(config, space).__class__)
    assert shares_weights(config.parameters())
    data = load_images(config)
    (best,) = chosen_architectures(config)
    assert final_network(config, best, data).architecture == best
    suite = load_suite("quick", tmp_path / "exp")
    assert suite.searches[0].space == search_space(config)


def test_impossible_phases_and_spaces_are_refused(tmp_path):
    for name, value in (("sampling", "best"), ("rounds", 0), ("samples", 1), ("derived", 0)):
        with pytest.raises(ValueError, match=f"`{name}`"):
            Phases(**{"rounds": 1, name: value})
    with pytest.raises(ValueError, match="`space_name`"):
        enas_space(configured(tmp_path), "nano")


def test_what_notebook_10_concludes_holds_every_search_and_what_was_trained_in_full():
    found = {name: {"headline": f"{name} found", "best": [{"architecture": name}]} for name in ("micro", "macro")}
    results = conclusions(found, {"macro": {"headline": "trained", "test_accuracy": 0.5}})
    assert results == {
        "headline": "micro: micro found; macro: macro found",
        "micro": {"headline": "micro found", "best": "micro"},
        "macro": {"headline": "macro found", "best": "macro", "final": "trained", "test_accuracy": 0.5},
    }

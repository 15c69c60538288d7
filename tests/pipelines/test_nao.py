"""The stages of notebook 08, as far as they need no training; the notebook's own test runs them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from alphaxenas.config import ParameterError, from_values
from alphaxenas.data import load_data
from alphaxenas.networks.micro import AUXILIARY_FILTERS
from alphaxenas.pipelines import final
from alphaxenas.pipelines import nao as nao_stage
from alphaxenas.pipelines.full_training import TrainingSettings


def records(where, keys):
    return {
        "best": [
            {"key": key, "architecture": f"{where} {key}", "reward": 1 - place / 10} for place, key in enumerate(keys)
        ]
    }


def test_the_best_of_both_searches_come_in_turns_and_each_once():
    config = from_values({"top_k": 5})
    found = nao_stage.best_found(config, records("scratch", "abcd"), records("shared", "bxyz"))
    assert [(record["where"], record["key"]) for record in found] == [
        ("scratch", "a"),
        ("shared", "b"),
        ("shared", "x"),
        ("scratch", "c"),
        ("shared", "y"),
    ]
    few = nao_stage.best_found(config, records("scratch", "a"), records("shared", "b"))
    assert [record["key"] for record in few] == ["a", "b"]


def test_the_presets_are_chosen_by_a_parameter_and_fitted_into_the_pool():
    settings = nao_stage.nao_settings(from_values({"nao_preset": "code", "nao_pool": 40, "nao_new": 10}))
    assert (settings.pool, settings.tops, settings.new, settings.random, settings.network.embedding) == (
        40,
        40,
        10,
        30,
        48,
    )
    assert nao_stage.nao_settings(from_values({"nao_pool": 0, "nao_new": 0})).pool == 32


def test_an_unknown_cell_of_the_zoo_is_refused_with_what_is_known():
    with pytest.raises(ParameterError, match="nao_zoo.*darts_v2"):
        from_values({"nao_zoo": ["darts_v3"]})


def test_results_hold_no_nan():
    told = {
        "headline": "h",
        "trained": 1,
        "rounds": [],
        "ranking_is_resolved": True,
        "test_accuracy": 0.5,
        "models": [],
    }
    for pairs, stored in ((float("nan"), None), (0.5, 0.5)):
        quality = SimpleNamespace(held_out=3, pairwise_accuracy=pairs, hamming=1.0)
        results = nao_stage.conclusions(told, told, [], quality, [], told, None)
        assert results["walk"]["pairwise_accuracy"] == stored and json.dumps(results, allow_nan=False)


@pytest.mark.parametrize("trials", [1, 2, 3])
def test_a_search_of_a_few_trials_has_no_trajectories_and_says_no_number(trials):
    config = from_values({"blocks": 1})
    cells = list(nao_stage.micro_space(config).sample(np.random.default_rng(seed)) for seed in range(trials))
    told = [
        {"key": str(place), "tokens": nao_stage.micro_space(config).encode(cell), "reward": 0.5 + 0.1 * place}
        for place, cell in enumerate([*cells, *cells[:1]])
    ]
    told[-1]["key"] = "0"
    quality, trajectories = nao_stage.latent_trajectories(config, told)
    assert trajectories == [] and quality.held_out == 0 and np.isnan(quality.hamming)


def configured(folder, **values):
    return from_values({"exp_dir": str(folder / "exp"), "tensorboard_dir": str(folder / "events"), **values})


def test_the_pool_with_shared_weights_trains_the_network_that_learns(tmp_path, monkeypatch):
    """Without `joined` the classifier's inputs differ between architectures, and shared weights hardly learn."""
    config, data, built = configured(tmp_path, blocks=1, filters=2), load_data("digits"), []

    def watched(network, *_):
        built.append(network.network(network.space.sample(np.random.default_rng(0))))
        raise InterruptedError

    monkeypatch.setattr("alphaxenas.supernet.supernet.Supernet", watched)
    with pytest.raises(InterruptedError):
        nao_stage.search_with_shared_weights(config, data)
    assert built[0].joined and built[0].filters == 2


@pytest.mark.parametrize("stage", ["search_from_scratch", "search_with_shared_weights"])
def test_too_few_cells_are_refused_before_any_work(tmp_path, stage):
    config = configured(tmp_path, cells=2, reductions=1)
    with pytest.raises(ValueError, match="`cells`. Expected at least 3.*Received: 2"):
        getattr(nao_stage, stage)(config, load_data("digits"))
    assert not (tmp_path / "exp").exists()


def test_every_parameter_of_a_training_in_full_counts_for_the_best_and_for_the_zoo(tmp_path, monkeypatch):
    given = {
        "warmup_epochs": 2.0,
        "train_precision": "bfloat16",
        "train_cutout": 2,
        "train_drop_path": 0.2,
        "train_dropout": 0.1,
        "train_auxiliary": True,
        "train_restart_epochs": 2.0,
        "train_average": 0.9,
        "train_patience": 3,
        "train_devices": 2,
        "export_formats": ["savedmodel"],
    }
    config, seen = configured(tmp_path, nao_best_epochs=4, nao_zoo=["darts_v2"], **given), []
    monkeypatch.setattr(final, "train_in_full", lambda networks, data, *rest: seen.append((networks, *rest)))
    nao_stage.train_zoo(config, load_data("digits"))
    [([network], recipe, settings, folder, _)] = seen
    assert (recipe.warmup, recipe.precision, recipe.restart, recipe.average) == (0.5, "bfloat16", 0.5, 0.9)
    assert settings == TrainingSettings(4, 64, True, 2, patience=3, devices=2, formats=("savedmodel",))
    built = network.network
    assert (built.drop_path, built.dropout, built.auxiliary_filters) == (0.2, 0.1, AUXILIARY_FILTERS)
    stored = json.loads((folder.path / "run.json").read_text())["parameters"]
    assert set(given) - {"export_formats"} <= set(stored) and not set(nao_stage.OTHER_NETWORKS) & set(stored)

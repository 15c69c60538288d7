"""The stages of notebook 08, as far as they need no training; the notebook's own test runs them."""

from __future__ import annotations

import pytest

from alphaxenas.config import ParameterError, from_values
from alphaxenas.pipelines import nao as nao_stage


def records(where, keys):
    return {
        "best": [
            {"key": key, "architecture": f"{where} {key}", "reward": 1 - place / 10} for place, key in enumerate(keys)
        ]
    }


def test_the_best_of_both_searches_come_in_turns_and_each_once():
    config = from_values({"nao_best": 5})
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
    assert nao_stage.number(float("nan")) is None and nao_stage.number(0.5) == 0.5

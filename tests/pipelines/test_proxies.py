"""Searches with zero-cost proxies: who uses them, what they cost, and what is refused before any work."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from alphaxenas.config import ParameterError, from_values
from alphaxenas.evaluators.proxies import one_of_each, with_proxies
from alphaxenas.networks.outline import outline_of
from alphaxenas.pipelines.factory import child_network, search_space
from alphaxenas.pipelines.search import search
from alphaxenas.proxies.catalogue import Proxy
from alphaxenas.runs.journal import same_record
from alphaxenas.spaces import ConvNet, ConvNetSpace


def configured(tmp_path, **values):
    small = {"filters": 4, "cells": 1, "reductions": 0, "blocks": 1, "fraction": 0.2, "search_children": 3}
    small["uniform_share"] = 0  # else half of the children are drawn uniformly, for the shared weights
    dry = {"search_epochs": 0, "final_epochs": 0, "trials": 0, "iterations": 2, "proxy_sample": 12}
    folders = {"exp_dir": str(tmp_path / "exp"), "tensorboard_dir": str(tmp_path / "events")}
    return from_values({**small, **dry, **folders, **values})


def records(config, stage):
    path = config.run.exp_dir + f"/{config.run.run}/{stage}/trials.jsonl"
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_random_search_with_proxies_tries_the_best_of_a_sample_and_pays_for_the_scores(tmp_path):
    config = configured(tmp_path, proxies=["parameters", "naswot"], controllers=["ranked"])
    results = search(config, "ranked", 0)
    assert results["proxies"]["scored"] == 12 and results["proxies"]["not_finite"] == {"parameters": 0, "naswot": 0}
    spent = results["proxies"]["seconds"]["naswot"]
    found = records(config, "ranked-seed0")
    assert 0 < spent <= found[0]["proxy_seconds"] <= found[0]["seconds"]
    assert all(record["proxy_seconds"] == 0 for record in found[1:])
    scores = [record["metrics"]["naswot"] for record in found if record["purpose"] == "search"]
    assert len(set(scores)) > 1
    assert "s of it proxies" in (tmp_path / "exp" / config.run.run / "log.txt").read_text()
    assert search(config, "ranked", 0) == results  # finished: read again


def test_the_static_order_needs_no_proxies_of_the_run(tmp_path):
    config = configured(tmp_path, controllers=["static"], operations=["conv3x3", "sep3x3", "identity"])
    search(config, "static", 0)
    space, network = search_space(config), child_network(config, 10)
    cells = [record["tokens"] for record in records(config, "static-seed0") if record["purpose"] == "search"]
    outlines = [outline_of(network(space.decode(tuple(tokens))), (8, 8, 1)) for tokens in cells]
    pairs = [(outline.depth, outline.parameters) for outline in outlines]
    assert pairs == sorted(pairs, reverse=True) and len(set(pairs)) > 1


def test_a_search_with_proxies_continues_bit_for_bit_and_keeps_its_scores(tmp_path):
    common = {"proxies": ["depth", "snip"], "controllers": ["ranked"], "proxy_sample": 4}
    search(configured(tmp_path / "whole", **common), "ranked", 0)
    search(configured(tmp_path / "parts", **common, iterations=1), "ranked", 0)
    results = search(configured(tmp_path / "parts", **common), "ranked", 0)
    assert results["proxies"]["scored"] == 8  # two samples: the second follows after three finals
    one, other = (records(configured(tmp_path / part), "ranked-seed0") for part in ("whole", "parts"))
    assert len(one) == len(other) and all(same_record(*pair) for pair in zip(one, other))


def test_without_proxies_records_are_as_before(tmp_path):
    config = configured(tmp_path, controllers=["random"])
    assert "proxies" not in search(config, "random", 0)
    assert "proxy_seconds" not in records(config, "random-seed0")[0]


def test_what_cannot_be_scored_is_refused_before_any_work(tmp_path):
    with pytest.raises(ParameterError, match="`proxies`.*'synflov'.*Did you mean 'synflow'"):
        configured(tmp_path, proxies=["synflov"])
    with pytest.raises(ParameterError, match="`proxies`. Expected at least one where ranked searches"):
        configured(tmp_path, controllers=["random", "ranked"])
    config = configured(tmp_path, space="chain", proxies=["depth", "zen"], search_epochs=1, final_epochs=2)
    with pytest.raises(
        ValueError, match="zen is not defined for the network of the Chain .*: layer 'layer0' .* Remove zen"
    ):
        search(config, "random", 0)
    assert not (tmp_path / "exp" / config.run.run / "random-seed0" / "trials.jsonl").exists()


@pytest.mark.parametrize("seed", range(8))
def test_a_proxy_that_is_not_defined_for_some_networks_is_refused_whatever_is_drawn(seed):
    images = SimpleNamespace(images=np.zeros((4, 16, 16, 3), np.uint8), labels=np.zeros(4, np.int32))
    data = SimpleNamespace(train=images, mean=np.zeros(3), std=np.ones(3), image_shape=(16, 16, 3))

    def network(net):
        def built(layers, x):
            y = layers.conv(x, "conv", 4, 3)
            y = layers.relu(y) if net.activation == "relu" else layers.activation(y, net.activation)
            return [layers.dense(layers.global_average(y), "classifier", 2)]

        return built

    with pytest.raises(ValueError, match=r"naswot is not defined for the network of the ConvNet .*(gelu|silu); "):
        with_proxies(["naswot"], ConvNetSpace(), network, cast(Any, data), seed)


def test_every_word_of_a_space_is_looked_at_within_its_limits():
    class Narrow(ConvNetSpace):
        def allows(self, net):
            return net.activation == "relu"

    first = ConvNet.parse("32 conv pool; 32 conv pool; 32 conv pool; relu; max")
    for space, missing in ((ConvNetSpace(), set()), (Narrow(), {"gelu", "silu"})):
        found = list(one_of_each(space, first))
        words = {space.vocabulary[token] for each in found for token in space.encode(each)}
        assert found[0] == first and set(space.vocabulary) - words == missing and len(found) < len(space.vocabulary)


def test_what_has_no_finite_score_is_recorded_for_its_architecture(tmp_path, monkeypatch):
    def half(self, network):
        return float("nan") if "conv1x1" in str(network.network.cell) else float(network.outline.depth)

    monkeypatch.setattr(Proxy, "__call__", half)
    search(configured(tmp_path, proxies=["naswot"], controllers=["ranked"], iterations=4), "ranked", 0)
    found = [record for record in records(configured(tmp_path), "ranked-seed0") if record["purpose"] == "search"]
    lacking = [record for record in found if "conv1x1" in record["architecture"]]
    assert lacking and all(record["not_finite"] == ["naswot"] for record in lacking)
    assert all("not_finite" not in record and record["metrics"]["naswot"] for record in found if record not in lacking)

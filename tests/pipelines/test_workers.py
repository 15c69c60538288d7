"""A search on workers finds what the search in one process finds; what is wrong is said before it starts."""

import pytest

from alphaxenas.config import ParameterError, from_values
from alphaxenas.pipelines.raters.rating import awaited_at_once
from alphaxenas.pipelines.search import search
from alphaxenas.runs import Journal
from alphaxenas.runs.journal import TIMING
from alphaxenas.workers import cluster

TINY = {"filters": 4, "cells": 2, "reductions": 1, "batch_size": 64, "fraction": 0.1, "threads": 1}
TINY |= {"controllers": ["guided"], "trials": 3, "search_epochs": 1, "final_epochs": 1, "search_children": 2}
TINY |= {"cluster_address": "processes", "in_flight": 2, "proxies": ["synflow"]}


def configured(tmp_path, **values):
    folders = {"exp_dir": str(tmp_path / "exp"), "tensorboard_dir": str(tmp_path / "events")}
    return from_values({**TINY, **folders, **values})


def journal(config):
    records = Journal(f"{config.run.exp_dir}/{config.run.run}/guided-seed0/trials.jsonl").read()
    return [{name: value for name, value in record.items() if name not in TIMING} for record in records]


@pytest.mark.slow
def test_two_processes_find_what_one_finds_with_shared_weights_and_proxies(tmp_path):
    one, two = configured(tmp_path / "one", workers=0), configured(tmp_path / "two", workers=2)
    for config in (one, two):
        search(config, "guided", 0)
    assert journal(one) == journal(two) and len(journal(one)) >= 3
    assert any(record["purpose"] == "final" for record in journal(one))


def test_more_workers_than_cores_are_refused_before_any_trial(tmp_path):
    with pytest.raises(ValueError, match="`workers`. Expected at most .*Received: 999"):
        search(configured(tmp_path, workers=999), "guided", 0)


def test_asking_for_workers_without_ray_says_what_to_install(monkeypatch):
    monkeypatch.setattr(cluster, "is_installed", lambda: False)
    with pytest.raises(ParameterError, match="`workers`.*pip install -r requirements-cluster.txt.*'processes'"):
        from_values({"workers": 8})
    assert awaited_at_once(from_values({"workers": 8, "cluster_address": "processes"})) == 8
    assert awaited_at_once(from_values({"workers": 1})) == awaited_at_once(from_values({})) == 1
    with pytest.raises(ParameterError, match="`worker_gpus`.*only Ray divides GPUs"):
        from_values({"workers": 2, "cluster_address": "processes", "worker_gpus": 1.0})

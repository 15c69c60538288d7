"""Stages of notebook 07: searches over chains, the comparison with the network made by hand, the table."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from alphaxenas.config import ParameterError, from_values
from alphaxenas.data.pipeline import Batches
from alphaxenas.pipelines import enas as enas_stage
from alphaxenas.pipelines import nao as nao_stage
from alphaxenas.pipelines import policy_gradient as policy_stage
from alphaxenas.pipelines.factory import load_images
from alphaxenas.pipelines.stages import open_stage
from alphaxenas.report.runs import stored_searches
from alphaxenas.report.sample_efficiency.journals import load_study
from alphaxenas.report.statistics import compare
from alphaxenas.runs import RunMismatch
from alphaxenas.supernet.enas import EnasSearch
from alphaxenas.supernet.shared_pool import SharedPool
from tests.tabular.test_study import write_table


@pytest.fixture
def config(tmp_path):
    write_table(tmp_path / "mine.csv")
    return from_values(
        {
            "run": "s",
            "exp_dir": str(tmp_path / "exp"),
            "tensorboard_dir": str(tmp_path / "events"),
            "fraction": 0.15,
            "threads": 1,
            "trials": 3,
            "search_epochs": 1,
            "chain_seeds": 2,
            "chain_final_epochs": 1,
            "policy_batch": 2,
            "policy_units": 4,
            "num_simulations": 2,
            "lstm_units": 4,
            "lstm_steps": 1,
            "tables": [f"{tmp_path / 'mine.csv'} code=arch signal=valid"],
            "study_controllers": "random,reinforce",
            "study_seeds": 2,
            "cap": 60,
            "processes": 1,
            "controllers": ["controller_pool", "alphaxenas"],
            "batch_size": 64,
        }
    )


def test_chains_are_searched_from_scratch_by_any_controller_and_read_back(config):
    data = load_images(config)
    for controller in config.search.controllers:
        results = policy_stage.search_chains(config, "chains", controller, 0, data)
        assert results["trained"] == 3 and results["reason"] == "trials"
    groups = stored_searches(config, "chains")
    assert list(groups) == ["pool of controllers", "AlphaXENAS"]
    for (run,) in groups.values():
        rewards = {}
        for record in run.records:
            # From scratch: the same architecture has the same number, and only the first one is paid for.
            assert rewards.setdefault(record["key"], record["reward"]) == record["reward"]
        assert {record["epochs"] for record in run.records} == {1}
    assert groups["pool of controllers"][0].records[-1]["diagnostics"]["policy/entropy"] > 0
    folder = config.run.exp_dir + "/s/policy-chains-controller_pool-0"
    stored = json.loads(open(f"{folder}/run.json").read())["parameters"]
    assert stored["settings"]["policies"] == 4 and stored["search_epochs"] == 1 and stored["dataset"] == "digits"


def test_the_search_for_mnist_has_zoph_and_les_cell(config, monkeypatch):
    made = {}

    def watched(name, *arguments, **settings):
        made.update(settings, name=name)
        raise InterruptedError

    monkeypatch.setattr(policy_stage, "make_controller", watched)
    with pytest.raises(InterruptedError):
        policy_stage.search_mnist(config, load_images(config))
    assert made["name"] == "reinforce" and made["cell"] == "nascell" and made["units"] == 4


def test_both_networks_are_trained_alike_and_tested_once_each(config, monkeypatch):
    space, data = policy_stage.chain_space("mnist"), load_images(config)
    found = space.parse("kernel=3, filters=8, pool=2, dropout=0.1; kernel=3, filters=8, pool=1, dropout=0.0")
    trainings = []
    original = policy_stage.train_in_full
    monkeypatch.setattr(
        policy_stage,
        "train_in_full",
        lambda entries, *rest, **more: (
            trainings.append((rest[1], rest[2], rest[4], more)),
            original(entries, *rest, **more),
        )[1],
    )
    answers = policy_stage.compare_with_hand_made(config, found, data)
    assert list(answers) == ["found", "made by hand"] and all(set(by_seed) == {0, 1} for by_seed in answers.values())
    assert trainings[0] == trainings[1] and trainings[2] == trainings[3] and trainings[0] != trainings[2]
    hand = answers["made by hand"][0]
    assert hand["models"][0]["architecture"] == policy_stage.MNIST_BY_HAND and hand["models"][0][
        "parameters"
    ] == 32 * 26 + 64 * 801 + 10 * (2 * 2 * 64 + 1)
    assert all(0 <= each["test_accuracy"] <= 1 for by_seed in answers.values() for each in by_seed.values())
    # Finished trainings are shown, not repeated.
    assert policy_stage.compare_with_hand_made(config, found, data) == json.loads(
        json.dumps(answers), object_hook=_with_numbers
    )


@pytest.mark.parametrize(
    "name, value",
    [
        ("train_label_smoothing", 0.0),
        ("train_weight_decay", 0.1),
        ("train_gradient_clip", 0.0),
        ("train_cutout", 2),
        ("train_dropout", 0.5),
        ("train_drop_path", 0.5),
        ("train_auxiliary", True),
    ],
)
def test_what_the_comparison_would_ignore_is_refused_before_any_work(config, name, value):
    changed = from_values({**config.parameters(), name: value})
    with pytest.raises(ValueError, match=f"`{name}`. Expected .*mnist.* Received: {value}"):
        policy_stage.search_mnist(changed, None)
    with pytest.raises(ValueError, match=f"`{name}`"):
        policy_stage.compare_with_hand_made(changed, None, None)
    assert not os.path.exists(config.run.exp_dir)


CHANGES = {"fixed_images": True, "child_teraflops": 9.0, "reward": "best", "batch_size": 32}
CHANGES_IN_FULL = {"train_teraflops": 9.0, "test_views": True, "train_patience": 3}
CHANGES_OF_BOTH = {"rate_schedule": "triangle", "lookahead": True, "offset_rate": 2.0, "whitening_share": 0.5}


@pytest.mark.parametrize("name, value", [*CHANGES.items(), *CHANGES_OF_BOTH.items()])
def test_a_search_of_chains_is_not_continued_with_another_value(config, monkeypatch, name, value):
    def begun(config, stage, parameters, space, data, *rest):
        with open_stage(config, stage, parameters, data) as folder:
            folder.journal.append({"trial": 0})

    monkeypatch.setattr(policy_stage, "run_search", begun)
    values = config.parameters() | {"share_weights": False}
    data = load_images(config)
    policy_stage.search_chains(from_values(values), "chains", "random", 0, data)
    with pytest.raises(RunMismatch, match=f"`{name}` is stored as "):
        policy_stage.search_chains(from_values(values | {name: value}), "chains", "random", 0, data)
    policy_stage.search_chains(from_values(values | {"augment": False, "trials": 5}), "chains", "random", 0, data)


@pytest.mark.parametrize("name, value", [*CHANGES_IN_FULL.items(), *CHANGES_OF_BOTH.items()])
def test_a_comparison_is_not_continued_with_another_value(config, monkeypatch, name, value):
    def begun(networks, data, recipe, settings, folder, seed):
        folder.journal.append({"epoch": 1})

    monkeypatch.setattr(policy_stage, "train_in_full", begun)
    values, data = config.parameters() | {"share_weights": False}, load_images(config)
    hand = policy_stage.chain_space("mnist").parse(policy_stage.MNIST_BY_HAND)
    policy_stage.compare_with_hand_made(from_values(values), hand, data)
    with pytest.raises(RunMismatch, match=f"`{name}` is stored as "):
        policy_stage.compare_with_hand_made(from_values(values | {name: value}), hand, data)
    policy_stage.compare_with_hand_made(from_values(values | {"train_minutes": 99.0}), hand, data)


@pytest.mark.parametrize("augment, cutout, pad, alternating", [(True, 3, 2, True), (False, 0, None, False)])
def test_shared_weights_see_images_that_are_augmented_as_asked(config, monkeypatch, augment, cutout, pad, alternating):
    seen, original = [], Batches.of
    monkeypatch.setattr(Batches, "of", lambda *given: seen.append(given[1:]) or original(*given))
    monkeypatch.setattr(EnasSearch, "run", lambda search: {})
    monkeypatch.setattr(SharedPool, "run", lambda pool: pool._weights and {})
    values = {"augment": augment, "cutout": cutout, "blocks": 1, "filters": 2, "enas_reward_images": 100}
    values |= {"crop_pad": pad or 0, "alternating_flip": alternating}
    changed = from_values({**config.parameters(), **values})
    enas_stage.search(changed, "micro", data=load_images(config))
    nao_stage.search_with_shared_weights(changed, load_images(config))
    assert seen.count(("train", config.child.batch_size, augment, cutout, pad, alternating)) == 2


def test_shared_weights_record_nothing_that_they_do_not_know(config, monkeypatch):
    for kind in (EnasSearch, SharedPool):
        monkeypatch.setattr(kind, "run", lambda search: {})
    enas_stage.search(config, "micro", data=load_images(config))
    nao_stage.search_with_shared_weights(config, load_images(config))
    for stage in ("enas-micro-s0", "nao-shared"):
        stored = json.loads(Path(config.run.exp_dir, "s", stage, "run.json").read_text())["parameters"]
        assert {"dataset", "crop_pad", "filters", "learning_rate", "rate_schedule", "seed"} <= stored.keys()
        assert not {"reward", "fixed_images", "child_teraflops", "width_share", "whitening_share"} & stored.keys()


def test_controllers_are_compared_on_a_table(config):
    folder, failures = policy_stage.search_table(config)
    study = load_study(folder.path)
    assert failures == {} and study.controllers == ["random", "reinforce"] and folder.stage == "policy-table"
    assert any(
        "policy/unique_share" in numbers
        for search in study.of(study.tables[0], "reinforce").values()
        for _, numbers in search.diagnostics
    )


@pytest.mark.parametrize(
    "name, value, part",
    [
        ("tables", ["nowhere.csv signal=x"], "nowhere.csv"),
        ("study_controllers", "random,rnd", "'rnd'"),
        ("policy_parts", ["mnits"], "mnist"),
        ("policy_parts", ["table", "micro"], "mnist, table, chains"),
        ("chain_form", "cube", "image"),
        ("policy_cell", "gru", "nascell"),
        ("trials", 0, "trials"),
    ],
)
def test_a_wrong_parameter_is_named(name, value, part):
    with pytest.raises(ParameterError) as caught:
        from_values({name: value})
    assert name in str(caught.value) and part in str(caught.value)


def test_what_notebook_07_concludes_names_its_parts_and_leaves_out_the_others():
    answers = {
        name: {seed: {"test_accuracy": accuracy + seed / 100, "models": [{"parameters": 7}]} for seed in (0, 1)}
        for name, accuracy in zip(policy_stage.NETWORKS, (0.9, 0.8))
    }
    tests, sizes = policy_stage.tests_and_sizes(answers)
    assert tests["found"] == {0: 0.9, 1: 0.91} and sizes == {"found": 7, "made by hand": 7}
    searched = {"headline": "3 trained", "best": [{"architecture": policy_stage.MNIST_BY_HAND}]}
    hand = policy_stage.chain_space("mnist").parse(policy_stage.MNIST_BY_HAND)
    assert policy_stage.compared_networks(searched) == [hand, hand]
    assert policy_stage.compared_networks(None) == []
    difference = compare(*tests.values())
    table = {"headline": "fast", "queries": [1], "failures": {}}
    found = policy_stage.conclusions(searched, answers, difference, table, {"random, seed 0": searched})
    assert found["headline"] == f"mnist: found {difference} against made by hand; chains: 1 searches; table: fast"
    assert found["mnist"]["test_accuracy"] == tests and found["mnist"]["verdict"] == difference.verdict
    assert found["chains"]["random, seed 0"] == {"headline": "3 trained", "best": policy_stage.MNIST_BY_HAND}
    assert found["table"] == {"queries": [1], "failures": {}}
    assert policy_stage.conclusions(None, {}, None, table, {}) == {"headline": "table: fast", "table": found["table"]}


def _with_numbers(content):
    return {int(key) if key.isdecimal() else key: value for key, value in content.items()}

"""From a configuration to run folders: what is built, at which price, and what is said when something is missing."""

import json
import subprocess
import sys
import time

import pytest

from alphaxenas.command import evaluate
from alphaxenas.config import PROJECT_ROOT, ParameterError, from_values
from alphaxenas.controllers import CONTROLLERS
from alphaxenas.controllers.alphaxenas.controller import AlphaXENAS
from alphaxenas.controllers.baselines.random_search import RandomSearch
from alphaxenas.controllers.promotion import SuccessiveHalving
from alphaxenas.networks.devices import prepare_tensorflow
from alphaxenas.networks.outline import outline_of
from alphaxenas.pipelines import final
from alphaxenas.pipelines import search as search_module
from alphaxenas.pipelines.factory import (
    configured_controller,
    final_network,
    load_images,
    recipe_from_config,
    search_space,
)
from alphaxenas.pipelines.final import chosen_architectures, evaluate_again, train_baseline, train_best
from alphaxenas.pipelines.search import PRICED, search
from alphaxenas.runs import RunMismatch
from alphaxenas.spaces.cell import Cell
from alphaxenas.spaces.drawing.picture import picture
from alphaxenas.spaces.zoo import zoo_cell

TEXT = "prev:conv5x5 + prev2:conv3x3; b0:conv7x7 | b0:identity"


def configured(tmp_path, **values):
    return from_values({"exp_dir": str(tmp_path / "exp"), "tensorboard_dir": str(tmp_path / "events"), **values})


def test_a_price_lowers_the_filters_of_a_costly_architecture_only(tmp_path):
    config = configured(tmp_path, train_multiply_adds=2.0)
    data = load_images(config)
    costly, cheap = Cell.parse(TEXT), Cell.parse("prev:conv1x1 + prev2:identity")
    network = final_network(config, costly, data)
    assert network.filters < config.training.train_filters
    assert outline_of(network, data.image_shape).multiply_adds <= 2e6
    assert final_network(config, cheap, data).filters == config.training.train_filters


def test_an_impossible_price_names_the_parameter(tmp_path):
    config = configured(tmp_path, train_multiply_adds=0.001)
    with pytest.raises(ValueError, match="train_multiply_adds"):
        final_network(config, Cell.parse(TEXT), load_images(config))


def test_a_given_architecture_needs_no_search(tmp_path):
    assert [str(cell) for cell in chosen_architectures(configured(tmp_path, architecture=TEXT))] == [TEXT]
    json_text = Cell.parse(TEXT).to_json()
    assert [str(cell) for cell in chosen_architectures(configured(tmp_path, architecture=json_text))] == [TEXT]


def test_a_zoo_cell_and_the_integers_of_enas_are_built_as_pairs_of_cells(tmp_path):
    for text, concat_all in (
        ("darts_v2", True),
        ("zoo:enas", False),
        (zoo_cell("enas").architecture.to_integers(), False),
    ):
        config = configured(
            tmp_path,
            architecture=text,
            train_filters=4,
            train_cells=8,
            train_auxiliary=True,
            train_drop_path=0.2,
            train_dropout=0.1,
        )
        [chosen], data = chosen_architectures(config), load_images(config)
        network = final_network(config, chosen, data)
        assert (network.concat_all, network.filters, network.cells, network.drop_path, network.dropout) == (
            concat_all,
            4,
            8,
            0.2,
            0.1,
        )
        assert len(outline_of(network, data.image_shape, training=True).weights) > len(
            outline_of(network, data.image_shape).weights
        )
        assert picture(search_space(config), chosen).startswith(b"\x89PNG")


def test_a_pair_of_cells_with_another_number_of_reductions_is_refused(tmp_path):
    config = configured(tmp_path, architecture="darts_v2", train_reductions=1)
    with pytest.raises(ValueError, match="`train_reductions`. Expected 2"):
        final_network(config, chosen_architectures(config)[0], load_images(config))


def test_a_zoo_cell_is_trained_exported_drawn_and_evaluated_again(tmp_path, capsys):
    small = {
        "fraction": 0.1,
        "train_filters": 4,
        "train_cells": 3,
        "train_epochs": 1,
        "warmup_epochs": 0,
        "train_batch_size": 32,
    }
    results = train_best(configured(tmp_path, architecture="darts_v2", **small))
    folder = tmp_path / "exp" / "quick" / "final"
    assert results["models"][0]["architecture"] == "zoo:darts_v2"
    assert set(json.loads((folder / "architecture.json").read_text())) == {"text", "normal", "reduction"}
    assert (folder / "figures" / "architecture.png").stat().st_size > 5000
    again = evaluate_again(configured(tmp_path, **small), folder / "models" / "rank1.keras")
    assert again["test_accuracy"] == results["test_accuracy"]
    model = str(folder / "models" / "rank1.keras")
    assert evaluate.main([model, "-p", "fraction", "0.1", "-p", "data_dir", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["test_accuracy"] == results["test_accuracy"]


def test_a_given_architecture_with_an_unknown_operation_names_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="conv3x3"):
        chosen_architectures(configured(tmp_path, architecture="prev:conv3x4 + prev:identity"))


def test_final_training_without_search_says_what_to_run(tmp_path):
    with pytest.raises(ValueError, match="notebook 02"):
        chosen_architectures(configured(tmp_path))


def test_an_architecture_found_by_several_seeds_counts_with_its_best_reward(tmp_path):
    """As `report.runs.best_records` ranks the same searches."""
    both, other = "prev:conv1x1 + prev2:identity", "prev:conv3x3 + prev2:identity"
    for seed, found in enumerate(([(both, 0.95), (other, 0.90)], [(both, 0.80)])):
        finals = [{"key": text, "architecture": text, "reward": reward, "purpose": "final"} for text, reward in found]
        folder = tmp_path / "exp" / "default" / f"random-seed{seed}"
        folder.mkdir(parents=True)
        (folder / "results.json").write_text(json.dumps({"best": finals}))
    values = {"run": "default", "blocks": 1, "controllers": ["random"], "seeds": [0, 1]}
    for top_k, expected in ((1, [both]), (2, [both, other])):
        chosen = chosen_architectures(configured(tmp_path, top_k=top_k, **values))
        assert [str(one) for one in chosen] == expected


def test_both_controllers_get_the_same_budgets(tmp_path):
    config = configured(tmp_path, search_epochs=2, search_fraction=0.5, final_epochs=5)
    space = search_space(config)
    ours, random = (
        configured_controller(config, "alphaxenas", space, 0),
        configured_controller(config, "random", space, 0),
    )
    assert (
        isinstance(ours.strategy, AlphaXENAS)
        and isinstance(random, SuccessiveHalving)
        and isinstance(random.strategy, RandomSearch)
    )
    assert ours.ask().budget == random.ask().budget


def test_a_dry_run_trains_nothing_and_still_plays_whole_games(tmp_path):
    config = configured(
        tmp_path,
        search_epochs=0,
        final_epochs=0,
        trials=0,
        iterations=2,
        search_children=2,
        filters=4,
        cells=1,
        reductions=0,
        blocks=1,
        lstm_steps=2,
        fraction=0.2,
    )
    results = search(config, "alphaxenas", 0)
    assert (results["iterations"], results["trained"], results["failed"]) == (2, 0, 0)
    stored = json.loads((tmp_path / "exp" / config.run.run / "alphaxenas-seed0" / "run.json").read_text())
    assert stored["parameters"]["in_flight"] == 1, "so that one with workers does not continue it"


@pytest.mark.slow
def test_a_dry_run_of_the_default_networks_takes_less_than_a_minute(tmp_path):
    config = configured(tmp_path, search_epochs=0, final_epochs=0, trials=0, iterations=2)
    start = time.monotonic()
    results = search(config, "alphaxenas", 0)
    assert time.monotonic() - start < 60
    assert (results["iterations"], results["evaluations"], results["trained"], results["failed"]) == (2, 14, 0, 0)


@pytest.mark.parametrize("controller", [name for name in CONTROLLERS if name not in ("alphaxenas", "random")])
def test_every_controller_searches_images(tmp_path, controller):
    config = configured(
        tmp_path,
        search_epochs=0,
        final_epochs=0,
        trials=0,
        iterations=2,
        search_children=3,
        filters=4,
        cells=1,
        reductions=0,
        blocks=1,
        operations=["conv1x1", "identity"],
        fraction=0.2,
    )
    results = search(config, controller, 0)
    assert (results["iterations"], results["evaluations"], results["failed"]) == (2, 8, 0)


def test_controllers_take_their_parameters(tmp_path):
    config = configured(tmp_path, evolution_population=7, evolution_sample=3, uct_exploration=0.4, alphax_rollouts=2)
    space = search_space(config)
    evolution, uct, alphax = (
        configured_controller(config, name, space, 0).strategy for name in ("evolution", "uct", "alphax")
    )
    assert (evolution._size, evolution._sample) == (7, 3)
    assert (uct.nodes.select.exploration, alphax._rollouts) == (0.4, 2)


def test_a_dry_run_needs_a_limit_that_counts_something(tmp_path):
    with pytest.raises(ParameterError, match="iterations"):
        configured(tmp_path, search_epochs=0, final_epochs=0)


def test_finals_from_scratch_need_a_budget_of_their_own_beside_shared_weights(tmp_path):
    same = {"search_epochs": 2, "search_fraction": 0.5, "final_epochs": 2, "final_fraction": 0.5}
    with pytest.raises(ParameterError, match="`final_weights`. Expected 'shared'"):
        configured(tmp_path, **same)
    for allowed in ({"final_weights": "shared"}, {"space": "chain"}, {"final_epochs": 3}):
        configured(tmp_path, **same | allowed)


def test_a_uniform_share_needs_children_per_promotion(tmp_path):
    with pytest.raises(ParameterError, match="uniform_share"):
        configured(tmp_path, search_children=0, uniform_share=0.5)


def test_cutout_without_augmentation_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="augment"):
        configured(tmp_path, augment=False, cutout=4)


def test_tensorflow_is_prepared_twice_without_complaint():
    assert prepare_tensorflow(0)[0].startswith("CPU")
    assert prepare_tensorflow(0) == prepare_tensorflow(0)


OPERATIONS_REPEATED = """
import json, sys
from alphaxenas.config import from_values
config = from_values(json.loads(sys.argv[1]))
from alphaxenas.networks.devices import prepare_tensorflow
prepare_tensorflow(1, True, config.run.op_determinism)
from tensorflow.python.framework.config import is_op_determinism_enabled
from alphaxenas.pipelines.final import train_best
from alphaxenas.pipelines.search import search
found = search(config, "random", 0)["best"], train_best(config)["models"][0]["history"]
kept = [{name: value for name, value in one.items() if name in ("reward", "loss")} for part in found for one in part]
print(json.dumps([is_op_determinism_enabled(), kept]))
"""


def test_a_cpu_repeats_itself_to_the_last_bit_with_and_without_op_determinism(tmp_path):
    tiny = {"fraction": 0.1, "filters": 4, "cells": 1, "reductions": 0, "trials": 2, "search_children": 1, "threads": 1}
    tiny |= {"final_epochs": 1, "search_epochs": 1, "architecture": TEXT, "train_epochs": 1, "train_filters": 4}
    tiny |= {"final_weights": "shared", "blocks": 2, "train_cells": 1, "train_reductions": 0, "train_dropout": 0.2}
    numbers = []
    for asked in (False, True):
        own = {"exp_dir": str(tmp_path / f"{asked}"), "tensorboard_dir": str(tmp_path / "events" / f"{asked}")}
        command = [sys.executable, "-c", OPERATIONS_REPEATED, json.dumps({**tiny, **own, "op_determinism": asked})]
        said = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout
        enabled, found = json.loads(said.splitlines()[-1])
        assert enabled == asked and any("reward" in one for one in found) and any("loss" in one for one in found)
        numbers.append(found)
    assert numbers[0] == numbers[1]


def test_the_recipe_of_the_final_training_has_every_parameter(tmp_path):
    config = configured(
        tmp_path,
        train_learning_rate=0.05,
        train_lowest_learning_rate=0.0001,
        train_restart_epochs=10,
        train_restart_growth=2,
        train_average=0.999,
        train_gradient_clip=5.0,
        train_label_smoothing=0.1,
        train_weight_decay=2e-4,
        warmup_epochs=0,
        momentum=0.8,
        train_precision="bfloat16",
    )
    recipe = recipe_from_config(config, 630)
    assert (recipe.restart, recipe.restart_growth, recipe.average, recipe.momentum) == (10 / 630, 2.0, 0.999, 0.8)
    assert (recipe.gradient_clip, recipe.label_smoothing, recipe.weight_decay, recipe.precision) == (
        5.0,
        0.1,
        2e-4,
        "bfloat16",
    )
    assert recipe.rate_at(10 / 630) == 0.05 and recipe.rate_at(9.999 / 630) == pytest.approx(0.0001, rel=1e-2)
    plain = recipe_from_config(configured(tmp_path), 20)
    assert (plain.restart, plain.average, plain.final_learning_rate, plain.warmup) == (0.0, 0.0, 0.0, 0.05)


@pytest.mark.parametrize(
    "name, value",
    [
        ("train_lowest_learning_rate", 0.06),
        ("train_devices", 65),
        ("train_restart_growth", 0.5),
        ("export_formats", []),
    ],
)
def test_impossible_training_parameters_are_refused(tmp_path, name, value):
    with pytest.raises(ParameterError, match=name):
        configured(tmp_path, **{name: value})


@pytest.mark.parametrize("stage", [train_baseline, train_best])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("share_weights", True),
        ("momentum", 0.5),
        ("optimizer", "adam"),
        ("rate_schedule", "triangle"),
        ("lookahead", True),
        ("offset_rate", 2.0),
        ("whitening_share", 0.5),
    ],
)
def test_a_training_in_full_is_not_continued_with_another_recipe(tmp_path, monkeypatch, stage, name, value):
    def begun(config, networks, data, folder, *epochs):
        folder.journal.append({"epoch": 1})
        return {"chosen": 0}

    for part in ("train_networks", "train_ranked"):
        monkeypatch.setattr(final, part, begun)
    values = {"architecture": TEXT, "fraction": 0.2, "share_weights": False}
    stage(configured(tmp_path, **values))
    stage(configured(tmp_path, **values, train_minutes=99.0))
    with pytest.raises(RunMismatch, match=f"`{name}` is stored as"):
        stage(configured(tmp_path, **values | {name: value}))


def test_a_search_records_what_says_how_long_a_network_would_train_where_that_limits_it(tmp_path, monkeypatch):
    recorded = []
    monkeypatch.setattr(
        search_module, "run_search", lambda config, stage, parameters, *rest: recorded.append(parameters)
    )
    for teraflops in (0.0, 1e-9):
        search(configured(tmp_path, fraction=0.2, train_teraflops=teraflops), "random", 0)
    assert recorded[0]["train_teraflops"] == 0.0 and not set(PRICED) & recorded[0].keys()
    assert recorded[1]["train_teraflops"] == 1e-9 and set(PRICED) < recorded[1].keys()


def test_more_devices_than_there_are_stop_before_training(tmp_path):
    config = configured(tmp_path, architecture="prev:conv1x1 + prev2:identity", fraction=0.2, train_devices=64)
    with pytest.raises(ValueError, match="`devices`.*Received: 64"):
        train_best(config)


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path):
    small = {
        "fraction": 0.2,
        "train_filters": 2,
        "train_cells": 1,
        "train_reductions": 0,
        "train_epochs": 2,
        "warmup_epochs": 0,
    }
    given = "prev:conv1x1 + prev2:identity"
    train_best(configured(tmp_path, architecture=given, **small))
    path = str(sorted((tmp_path / "exp" / "quick" / "final" / "checkpoints").glob("step-*.npz"))[0])
    assert evaluate_again(configured(tmp_path, **small), path)["headline"].endswith(f"of {given}")
    with pytest.raises(ValueError, match="another architecture. Expected .*conv3x3.*Received: 'prev:conv1x1"):
        evaluate_again(configured(tmp_path, architecture="prev:conv3x3 + prev2:identity", **small), path)
    with pytest.raises(ValueError, match="does not fit the network of these parameters"):
        evaluate_again(configured(tmp_path, **{**small, "train_filters": 4}), path)


def test_a_rollout_is_promoted_by_alphaxenas_alone(tmp_path):
    original = {"promotion": "rollout", "planning": "children", "search_children": 0, "uniform_share": 0.0}
    configured(tmp_path, controllers=["alphaxenas"], **original)
    for refused in ({**original, "controllers": ["alphaxenas", "random"]}, {"promotion": "rollout"}):
        with pytest.raises(ParameterError, match="`promotion`. Expected 'best_unpromoted'"):
            configured(tmp_path, **{"controllers": ["alphaxenas"], **refused})

"""The spaces of the published benchmarks are searched and trained like every other one, with and without shared
weights.
"""

from __future__ import annotations

import pytest

from alphaxenas.config import ParameterError, from_values
from alphaxenas.networks.outline import outline_of
from alphaxenas.pipelines.factory import child_network, search_space
from alphaxenas.pipelines.final import evaluate_again, train_best
from alphaxenas.pipelines.search import search
from alphaxenas.report import checklist, diagnostic_figures, figures, load_suite, pictures, tables
from alphaxenas.report.runs import best_records
from alphaxenas.report.truth import ratings
from alphaxenas.runs.checkpoint import read_checkpoint
from alphaxenas.spaces.from_parameters import shares_weights

TINY = {
    "filters": 5,
    "cells": 3,
    "fraction": 0.1,
    "trials": 3,
    "iterations": 1,
    "search_children": 2,
    "num_simulations": 2,
    "lstm_steps": 1,
    "train_filters": 5,
    "train_cells": 3,
    "train_epochs": 2,
    "warmup_epochs": 0,
}


def configured(tmp_path, **values):
    places = {"exp_dir": str(tmp_path / "exp"), "tensorboard_dir": str(tmp_path / "events")}
    return from_values({**TINY, **places, **values})


@pytest.mark.parametrize("space", ["nasbench101", "nasbench201", "chain"])
def test_alphaxenas_searches_and_what_notebooks_show_of_any_space_is_drawn(tmp_path, space):
    results = search(configured(tmp_path, space=space), "alphaxenas", 0)
    assert (results["trained"], results["failed"]) == (3, 0)
    suite = load_suite("quick", tmp_path / "exp")
    groups = suite.groups()
    assert len(tables.best_architectures(groups, 3)) and pictures.best_cells(best_records(suite.leading, 1))
    assert diagnostic_figures.operation_shares(groups) and figures.trial_dots(groups)
    assert ("chains of" if space == "chain" else f"the space {space}, ") in str(checklist.checklist(suite, [], []))


def test_a_given_cell_is_trained_and_its_checkpoint_evaluated_again(tmp_path):
    config = configured(tmp_path, space="nasbench201", architecture="310102")
    assert train_best(config)["models"][0]["architecture"] == str(search_space(config).parse("310102"))
    folder = tmp_path / "exp" / "quick" / "final"
    # The checkpoint of the first epoch; that of the second says that all is over.
    first = sorted((folder / "checkpoints").glob("step-*.npz"))[0]
    assert 0 < evaluate_again(config, first)["test_accuracy"] < 1


def test_children_share_the_weights_of_equal_operations_on_equal_edges(tmp_path):
    config = configured(tmp_path, space="nasbench201")
    build, space = child_network(config, 10), search_space(config)
    names = [set(outline_of(build(space.parse(code)), (8, 8, 1)).weights) for code in ("300100", "310120", "200100")]
    assert names[0] < names[1] and "cell0/edge0-1/nor_conv_3x3/kernel" in names[0]
    assert not any(name.startswith("cell") for name in names[0] & names[2])
    assert shares_weights(config.parameters())


def test_children_of_any_space_can_be_trained_from_scratch(tmp_path):
    config = configured(tmp_path, space="nasbench201", share_weights=False, controllers=["alphaxenas"])
    results, stored = search(config, "alphaxenas", 0), tmp_path / "exp" / "quick" / "alphaxenas-seed0"
    assert results["trained"] == 3 and not shares_weights(config.parameters())
    for checkpoint in stored.glob("checkpoints/*.npz"):
        assert not read_checkpoint(checkpoint)["evaluator"]
    kinds = ratings(load_suite("quick", tmp_path / "exp").searches[0])
    assert kinds and not any("shared" in kind for kind in kinds)
    with pytest.raises(ParameterError, match="`search_epochs`. Expected at least 1 where children are trained from"):
        configured(tmp_path, space="nasbench201", share_weights=False, search_epochs=0)


def test_too_few_cells_for_three_stages_are_refused_before_any_work(tmp_path):
    for name in ("cells", "train_cells"):
        with pytest.raises(ParameterError, match=f"`{name}`. Expected at least 3, because .*Received: 2"):
            configured(tmp_path, space="nasbench201", reductions=1, train_reductions=1, **{name: 2})

"""What a user wants and knows, from parameters to journals: limits, objectives, starting points, favoured choices."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from alphaxenas.config import ParameterError, from_values
from alphaxenas.contracts import Budget, Outcome, Proposal
from alphaxenas.controllers.pareto.objectives import named
from alphaxenas.evaluators import costs as prices
from alphaxenas.pipelines.factory import ImageShape, child_network, search_space
from alphaxenas.pipelines.final import chosen_architectures, train_best
from alphaxenas.pipelines.raters.wishes import network_costs, objectives, priced, user_space
from alphaxenas.pipelines.search import search
from alphaxenas.runs import Journal, RunMismatch
from alphaxenas.runs.files import write_json
from alphaxenas.spaces.user_space import Limits, UserSpace
from tests.controllers.tabular import Digits

DIGITS = ImageShape((8, 8, 1), 10)
SMALL = {
    "dataset": "digits",
    "blocks": 2,
    "filters": 2,
    "cells": 2,
    "reductions": 1,
    "operations": ["conv3x3", "conv1x1", "identity"],
}


def configured(tmp_path, **values):
    return from_values(
        {
            **SMALL,
            "exp_dir": str(tmp_path / "exp"),
            "tensorboard_dir": str(tmp_path / "events"),
            "run": "wishes",
            **values,
        }
    )


class TestUserSpace:
    def test_what_breaks_a_limit_is_not_drawn_however_rare_the_rest_is(self):
        space = Digits(length=8)
        limited = UserSpace(space, Limits({"sum": 2.5}, lambda digits: {"sum": 0.5 + sum(digits)}))
        drawn = {limited.sample(np.random.default_rng(seed)) for seed in range(20)}
        assert all(sum(digits) <= 2 for digits in drawn) and len(drawn) > 3

    def test_what_nothing_holds_is_said_with_the_least_that_was_found(self):
        limited = UserSpace(Digits(), Limits({"sum": 0.5}, lambda digits: {"sum": 1.0 + sum(digits)}))
        with pytest.raises(ValueError, match=r"`max_sum`. Expected at least 1, the sum of the smallest architecture"):
            limited.check_limits()

    def test_starts_have_to_belong_and_to_hold_the_limits(self):
        limits = Limits({"sum": 5.0}, lambda digits: {"sum": float(sum(digits))})
        with pytest.raises(ValueError, match="start_from.*mine, whose sum 15 is more than `max_sum` 5"):
            UserSpace(Digits(), limits, starts={"mine": (3, 3, 3, 3, 3)})
        assert list(UserSpace(Digits(), limits, starts={"mine": (1, 1, 1, 0, 0)}).starts) == [(1, 1, 1, 0, 0)]

    def test_weights_are_of_words_of_the_space(self):
        with pytest.raises(ValueError, match="favoured"):
            UserSpace(Digits(), weights={"9": 2.0})
        with pytest.raises(ValueError, match="weights above 0"):
            UserSpace(Digits(), weights={"3": 0.0})
        assert UserSpace(Digits(), weights={"3": 2.0}).token_weights.tolist() == [1, 1, 1, 2]
        assert UserSpace(Digits(), weights={"3": 2.0}) != UserSpace(Digits(), weights={"3": 3.0})


class TestParameters:
    @pytest.mark.parametrize(
        "values, said",
        [
            ({"objectives": ["accuracy", "latenzy"]}, "latency"),
            ({"objectives": ["latency"]}, "two or more"),
            ({"favoured": ["conv3x3"]}, "WORD=WEIGHT"),
            ({"favoured": ["conv3x3=-1"]}, "weight above 0"),
            ({"favoured": ["konv3x3=2"]}, "Did you mean"),
            ({"start_from": ["darts_v9"]}, "`start_from`.*Did you mean"),
            ({"start_from": ["darts_v2"]}, "`start_from`.*this is a MicroArchitecture"),
            ({"max_parameters": -1}, "max_parameters"),
            ({"architecture": "pareto:0", "objectives": ["accuracy", "parameters"]}, "pareto:1"),
            ({"architecture": "pareto:2"}, "two or more where architecture is pareto:2"),
        ],
    )
    def test_what_is_impossible_is_refused_before_any_work(self, tmp_path, values, said):
        with pytest.raises(ParameterError, match=said):
            configured(tmp_path, **values)

    def test_a_limit_that_no_child_holds_is_refused_before_any_work(self, tmp_path):
        with pytest.raises(
            ValueError, match="`max_parameters`. Expected at least [0-9]+, the parameters of the smallest"
        ):
            user_space(configured(tmp_path, max_parameters=3), DIGITS)

    def test_without_wishes_the_space_is_the_plain_one(self, tmp_path):
        config = configured(tmp_path)
        assert user_space(config, DIGITS) == search_space(config)
        rater = object()
        assert priced(config, DIGITS, rater) is rater


class TestLatency:
    def test_is_measured_once_and_kept_for_whoever_continues(self, tmp_path, monkeypatch):
        config = configured(tmp_path, objectives=["accuracy", "latency"])
        measured = []
        monkeypatch.setattr(prices, "latency", lambda *args: measured.append(1) or [float(len(measured)), 9.0])
        space, costs = search_space(config), network_costs(config, DIGITS)
        one, other = (space.sample(np.random.default_rng(seed)) for seed in (0, 3))
        found = [dict(costs.measured(each)) for each in (one, other, one)]
        assert found[0] == found[2] == {"latency_ms": 1.0, "latency_batch_ms": 9.0} and len(measured) == 2
        with (tmp_path / "exp" / "wishes" / "latency.jsonl").open("a") as stream:
            stream.write('{"network": "torn')
        assert dict(network_costs(config, DIGITS).measured(other)) == found[1] and len(measured) == 2
        another = space.sample(np.random.default_rng(4))
        added = dict(network_costs(config, DIGITS).measured(another))
        assert dict(network_costs(config, DIGITS).measured(another)) == added and len(measured) == 3

    def test_a_slow_child_is_refused_without_training(self, tmp_path, monkeypatch):
        config = configured(tmp_path, max_latency_ms=1.5)
        monkeypatch.setattr(prices, "latency", lambda network, *_: [1.0 if counted["now"] else 2.0, 9.0])
        counted, trained = {"now": True}, []

        def evaluate(proposal):
            trained.append(proposal)
            return Outcome(proposal, 0.5)

        rater = priced(config, DIGITS, SimpleNamespace(evaluate=evaluate, state=dict))
        assert rater.state() == {}
        counted["now"] = False
        tokens = [
            search_space(config).encode(search_space(config).sample(np.random.default_rng(seed))) for seed in (90, 91)
        ]
        outcome = rater.evaluate(Proposal(0, tokens[0], Budget(1)))
        assert outcome.status == "refused" and not trained
        assert "latency_ms 2 is more than `max_latency_ms` 1.5" in outcome.reason
        assert outcome.metrics["latency_batch_ms"] == 9.0

    def test_a_limit_below_the_fastest_is_refused_before_any_work(self, tmp_path, monkeypatch):
        monkeypatch.setattr(prices, "latency", lambda *_: [2.0, 9.0])
        with pytest.raises(ValueError, match="`max_latency_ms`. Expected at least 2"):
            priced(configured(tmp_path, max_latency_ms=1.5), DIGITS, SimpleNamespace())

    def test_of_a_real_network_is_the_median_so_that_an_interruption_does_not_count(self, tmp_path):
        config, taken = configured(tmp_path), [5.0, *[0.001] * 400]
        network = child_network(config, 10)(search_space(config).sample(np.random.default_rng(0)))
        times = iter(np.cumsum([[0.0, seconds] for seconds in taken]).tolist())
        assert prices.latency(network, (8, 8, 1), (1, 4), clock=lambda: next(times)) == pytest.approx([1.0, 1.0])


def test_latency_is_not_known_before_it_is_measured_and_accuracy_alone_needs_no_costs(tmp_path):
    config = configured(tmp_path, objectives=["accuracy", "latency", "multiply_adds"])
    architecture = search_space(config).sample(np.random.default_rng(0))
    told = objectives(config, DIGITS)
    assert np.isnan(told.known(architecture)).tolist() == [True, True, False] and told.takes_time
    told = objectives(configured(tmp_path, objectives=["accuracy", "latency"]), DIGITS)
    assert told.costs is None and not told.takes_time
    assert objectives(configured(tmp_path), DIGITS) is None


def test_a_search_for_two_objectives_keeps_them_all_and_its_front_can_be_trained(tmp_path):
    start = "prev:conv1x1 + prev2:conv1x1; b0:conv1x1 + prev:identity"
    values = {"objectives": ["accuracy", "parameters"], "start_from": [start], "max_parameters": 1500, "trials": 6}
    values |= {"controllers": ["evolution"], "search_fraction": 0.05, "final_epochs": 1, "search_children": 2}
    config = configured(tmp_path, favoured=["conv1x1=3"], **values)
    results = search(config, "evolution", 0)
    folder = tmp_path / "exp" / "wishes" / "evolution-seed0"
    records = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    assert records[0]["start_from"] == start and not any("start_from" in record for record in records[1:])
    known = objectives(config, DIGITS).known
    for record in records:
        told = known(search_space(config).decode(tuple(record["tokens"])))
        assert np.isnan(told[0]) and told[1] == -record["objectives"]["parameters"]
        assert record["objectives"]["parameters"] == record["metrics"]["parameters"] <= 1500
        assert record["objectives"]["accuracy"] == record["reward"]
    front = results["front"]
    expected = named(("accuracy", "parameters")).front_of([r for r in records if r["purpose"] == "final"])
    told = ("trial", "key", "architecture", "objectives", "reward", "knee")
    assert [[one[name] for name in told] for one in front] == [[one[name] for name in told] for one in expected]
    assert sum(record["knee"] for record in front) == 1 and results["hypervolume"] >= 0
    for place in (f"pareto:{len(front)}", "pareto:knee"):
        (chosen,) = chosen_architectures(configured(tmp_path, architecture=place, **values))
        assert str(chosen) in [record["architecture"] for record in front]
    with pytest.raises(ValueError, match=f"which has {len(front)} architectures"):
        chosen_architectures(configured(tmp_path, architecture=f"pareto:{len(front) + 1}", **values))


def test_a_search_that_chooses_another_network_than_was_trained_says_how_to_go_on(tmp_path):
    """As after more trials: `overwrite` alone would delete the search too."""
    config = configured(tmp_path, architecture="prev:conv1x1 + prev2:conv1x1; b0:conv1x1 + prev:identity")
    folder = tmp_path / "exp" / "wishes" / "final"
    folder.mkdir(parents=True)
    write_json(folder / "run.json", {"parameters": {"trained": ["the former one"]}})
    Journal(folder / "trials.jsonl").append({"epoch": 1})
    ways = "is of the former one, and now prev:conv1x1 .*--only 04,05 --overwrite.*-p architecture 'the former one'"
    with pytest.raises(RunMismatch, match=ways):
        train_best(config)

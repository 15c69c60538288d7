"""Published accuracies: found by architecture, compared with what searches measured, seen by no search."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from alphaxenas.config import ParameterError, from_values
from alphaxenas.contracts import Outcome
from alphaxenas.data.download import DataError
from alphaxenas.pipelines.factory import search_space
from alphaxenas.pipelines.search import search
from alphaxenas.report import truth
from alphaxenas.spaces import NASBench201
from alphaxenas.spaces.nasbench.nasbench101 import NASBench101
from alphaxenas.tabular.truth import Truth, read_truth
from tests.report.conftest import SPACE


def published(groups, value, left_out=0):
    """A table in which every architecture has the value of its record at the search budget."""
    records = [record for runs in groups.values() for run in runs for record in run.records]
    values = {record["key"]: value(record) for record in records if record["purpose"] == "search"}
    return Truth("t.csv", "accuracy", dict(list(values.items())[left_out:]))


class TestReading:
    def test_the_column_of_architectures_is_found_whatever_its_place(self, tmp_path):
        path, space = tmp_path / "t.csv", NASBench201()
        path.write_text("index,size,op_code,test\n0,1.5,333333,93.5\n1,2.5,000000,10\n")
        found = read_truth(path, "test", space)
        assert found.values == {space.key(space.parse("333333")): 93.5, space.key(space.parse("000000")): 10.0}
        assert (found.best, found.rank(93.5), found.rank(10.0), found.rank(50.0)) == (93.5, 1, 2, 2)

    def test_hashes_and_texts_of_cells_too(self, tmp_path):
        path, space = tmp_path / "t.csv", NASBench101()
        cell = space.parse("conv3x3-bn-relu(0) output(1)")
        path.write_text(f"module_hash,test\n{space.key(cell)},0.9\n")
        assert read_truth(path, "test", space).values == {space.key(cell): 0.9}
        path.write_text("cell,test\nprev:conv3x3 + prev2:identity; b0:conv3x3 + prev:identity,0.8\n")
        assert list(read_truth(path, "test", SPACE).values.values()) == [0.8]

    def test_what_is_wrong_is_named_as_the_parameters_are(self, tmp_path):
        path = tmp_path / "t.csv"
        path.write_text("op_code,test_mean\n333333,93.5\n")
        with pytest.raises(ValueError, match="`truth_column`.*Did you mean 'test_mean'"):
            read_truth(path, "test_men", NASBench201())
        with pytest.raises(DataError, match="`truth_table`. Expected a column with architectures of .*op_code, test"):
            read_truth(path, "test_mean", SPACE)
        with pytest.raises(DataError, match="`truth_table`.*does not exist"):
            read_truth(tmp_path / "none.csv", "test_mean", SPACE)
        path.write_text("op_code,test_mean\n333333,good\n")
        with pytest.raises(DataError, match="row 1, column 'test_mean'.*finite number"):
            read_truth(path, "test_mean", NASBench201())

    def test_table_and_column_come_together(self):
        for given in ({"truth_table": "t.csv"}, {"truth_column": "test"}):
            with pytest.raises(ParameterError, match="`truth_column`"):
                from_values(given)


class TestComparing:
    def test_every_kind_of_rating_is_ranked_against_the_truth(self, suites):
        groups = suites[3].groups()
        right = truth.rank_correlations(groups, published(groups, lambda record: record["reward"]))
        wrong = truth.rank_correlations(groups, published(groups, lambda record: -record["reward"]))
        kinds = {kind for _, kind in right.index}
        assert {"search budget, shared weights", "parameters", "multiply-adds"} <= kinds
        # The same cell has the same rating in every search of a suite, up to the seed's own thousandth.
        for label in groups:
            row = right.loc[label, "search budget, shared weights"]
            assert row["Kendall's tau"] > 0.95 and row["seeds"] == 3
            assert wrong.loc[label, "search budget, shared weights"]["Kendall's tau"] == -row["Kendall's tau"]

    def test_static_orders_and_the_belief_are_ratings_like_others(self, suites):
        run = suites[1].groups()["AlphaXENAS"][0]
        keys = {record["key"]: record for record in run.records if record["status"] == "ok"}
        features = [SPACE.features(SPACE.decode(tuple(record["tokens"]))) for record in keys.values()]
        depth = [row[SPACE.feature_names().index("longest path by convolution")] for row in features]
        sizes = [record["metrics"]["parameters"] for record in keys.values()]
        assert len(set(zip(depth, sizes))) > len(set(depth)) > 1
        found = truth.ratings(run)
        assert list(found["depth, then parameters"]) == list(keys)
        order = sorted(range(len(keys)), key=lambda place: (depth[place], sizes[place]))
        told = list(found["depth, then parameters"].values())
        assert [told[place] for place in order] == sorted(told) and len(set(told)) == len(set(zip(depth, sizes)))
        assert found["parameters"] == {key: record["metrics"]["parameters"] for key, record in keys.items()}
        assert truth.BELIEF not in found
        best = [{"key": key, "purpose": "final"} for key in reversed(keys)] + [{"key": "x", "purpose": "search"}]
        told = truth.ratings(replace(run, results={"chosen_by": "belief", "best": best}))[truth.BELIEF]
        assert list(told) == list(reversed(keys)) and list(told.values()) == sorted(told.values(), reverse=True)
        # The choice comes first where the table says so, and the rank correlation tells it.
        table = Truth("t.csv", "accuracy", {key: float(place) for place, key in enumerate(keys)})
        ranked = truth.rank_correlations({"s": [replace(run, results={"chosen_by": "belief", "best": best})]}, table)
        assert ranked.loc["s", truth.BELIEF]["Kendall's tau"] == pytest.approx(1.0)

    def test_scores_that_are_not_finite_are_left_out(self, suites):
        run = suites[1].groups()["random search"][0]
        first, *others = [{**record, "metrics": {**record["metrics"], "zen": 1.0}} for record in run.records]
        first["metrics"]["zen"] = None
        others = [record for record in others if record["key"] != first["key"]]
        rated = truth.ratings(replace(run, records=(first, *others)))["Zen-score"]
        assert rated and first["key"] not in rated
        results = {"proxies": {"scored": 9, "seconds": {"zen": 1.0}, "not_finite": {"zen": 1}}}
        assert len(truth.proxies({"r": [replace(run, records=(first, *others), results=results)]})) == 1

    def test_the_choice_of_every_search_is_judged_and_what_the_table_lacks_is_counted(self, suites):
        groups = suites[3].groups()
        whole = published(groups, lambda record: 100 * record["reward"])
        table = truth.chosen(groups, whole)
        assert set(table.index) == set(groups) and (table["published"] + table["regret"]).tolist() == [whole.best] * 2
        half = published(groups, lambda record: 100 * record["reward"], left_out=len(whole.values) // 2)
        missing = len(whole.values) - len(half.values)
        assert f"met the table lacks {missing}; they are left out" in " ".join(truth.remarks(groups, half))
        assert (truth.chosen(groups, half)["seeds"].sum() if len(half.values) else 0) <= table["seeds"].sum()

    def test_without_a_table_nothing_is_compared_and_that_is_said(self, suites):
        groups = suites[1].groups()
        assert truth.load_truth(from_values({}), suites[1]) is None and truth.results(groups, None) == {}
        assert "No table of published accuracies" in truth.remarks(groups, None)[0]


def test_no_search_reads_the_table(tmp_path, monkeypatch):
    class Sizes:
        def evaluate(self, proposal):
            return Outcome(proposal, sum(proposal.tokens) / 100)

        def state(self):
            return {}

        def restore(self, state):
            pass

    monkeypatch.setattr("alphaxenas.pipelines.search.make_evaluator", lambda config, data, seed: Sizes())
    tokens = []
    for name, given in (("a", {}), ("b", {"truth_table": str(tmp_path / "none.csv"), "truth_column": "test"})):
        config = from_values(
            {
                "exp_dir": str(tmp_path / name),
                "tensorboard_dir": str(tmp_path / "events"),
                "space": "nasbench201",
                "trials": 12,
                **given,
            }
        )
        search(config, "random", 0)
        folder = tmp_path / name / "quick" / "random-seed0"
        tokens.append([json.loads(line)["tokens"] for line in (folder / "trials.jsonl").read_text().splitlines()])
        assert "truth" not in (folder / "run.json").read_text()
    assert tokens[0] == tokens[1] and search_space(config) == NASBench201()


def test_proxies_are_ranked_against_rewards_and_their_cost_is_told(suites):
    groups = suites[3].groups()
    assert truth.proxies(groups).empty
    label, summary = next(iter(groups)), {"scored": 40, "seconds": {"parameters": 1.5, "zen": 2.0}}
    summary["not_finite"] = {"parameters": 0, "zen": 7}
    runs = [
        replace(
            run,
            results={**(run.results or {}), "proxies": summary},
            records=[
                {**record, "metrics": {**record["metrics"], "parameters": -record["reward"]}} for record in run.records
            ],
        )
        for run in groups[label]
    ]
    found = truth.proxies({**groups, label: runs})
    assert list(found.index) == [(label, "parameters"), (label, "Zen-score")]
    row, silent = found.loc[label, "parameters"], found.loc[label, "Zen-score"]
    assert (row["Kendall's tau"], row["seeds"], row["scored"], row["seconds"]) == (-1.0, 3, 40, 1.5)
    assert silent["Kendall's tau"] != silent["Kendall's tau"] and silent["not finite"] == 7

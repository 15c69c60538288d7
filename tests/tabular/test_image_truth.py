"""The replay bench: which cells are drawn, journals that go on, and searches that spend what was measured."""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
import json
import time
from dataclasses import replace as with_values

import numpy as np
import pytest

import benchmarks.image_truth.__main__ as image_truth
from alphaxenas.contracts import Budget, Outcome, Proposal
from alphaxenas.runs import Journal
from alphaxenas.seeds import stream
from alphaxenas.spaces.nasbench.nasbench201 import NASBench201
from benchmarks import record
from benchmarks.image_truth import children, real
from benchmarks.image_truth import replay as image_replay
from benchmarks.image_truth.pool import ranking, read_pool, split
from benchmarks.image_truth.replay import MARKS, made, replay, search
from benchmarks.record import journal_of

SPACE = NASBench201()
LOW_HIGH = ("low", "high")


@pytest.fixture
def files(tmp_path):
    """Twelve cells whose rewards at the high budget rise with the published accuracy, and at the low one fall."""
    codes = image_truth.drawn_cells(12)
    with gzip.open(tmp_path / "pool.csv.gz", "wt") as file:
        writer = csv.writer(file)
        writer.writerow(["code", "low", "low_seconds", "high", "high_seconds", "naswot", "naswot_seconds"])
        for place, code in enumerate(codes):
            writer.writerow([code, 0.9 - place / 100, 1, 0.5 + place / 100, 10, place, 0.25])
    lines = [f"{code},{90 + place / 10}" for place, code in enumerate(codes)]
    (tmp_path / "published.csv").write_text("\n".join(["op_code,test", *lines]))
    return str(tmp_path / "pool.csv.gz"), str(tmp_path / "published.csv"), "test"


def test_cells_are_different_join_input_and_output_and_fewer_are_the_first():
    codes = image_truth.drawn_cells(200)
    assert len(set(codes)) == 200 and image_truth.drawn_cells(7) == codes[:7]
    lengths = SPACE.feature_names().index("paths")
    assert all(SPACE.features(SPACE.parse(code))[lengths] > 0 for code in codes)


def test_a_journal_goes_on_and_parts_share_the_work(tmp_path):
    options = argparse.Namespace(out=str(tmp_path), part="1/2", cells=6, seconds=0, until=0)
    met = []

    def worker():
        return lambda code: met.append(code) or {"reward": 0.5}

    for part, cells in (("1/2", 4), ("1/2", 6), ("2/2", 6), ("2/2", 6)):
        options.part, options.cells = part, cells
        image_truth._each_cell(options, "trained", {"format": 1}, worker)
    assert sorted(met) == sorted(image_truth.drawn_cells(6)) and len(set(met)) == 6
    assert set(image_truth.stored(tmp_path, "trained")) == set(met)
    with pytest.raises(SystemExit, match="other settings"):
        journal_of(tmp_path / "trained-1-of-2.jsonl", {"format": 2})


def test_a_pool_of_which_only_the_table_is_left_can_grow(files, tmp_path):
    pool, published, column = files
    folder, again = tmp_path / "journals", tmp_path / "again.csv.gz"
    assert image_truth.main(["journals", "--out", str(folder), "--to", pool]) == 0
    words = ["table", "--out", str(folder), "--published", published, "--column", column, "--to", str(again)]
    assert image_truth.main(words) == 0
    first, second = (read_pool(path, published, column) for path in (pool, str(again)))
    assert first.rows == second.rows and first.columns.keys() == second.columns.keys()
    assert all(np.array_equal(first.columns[name], second.columns[name]) for name in first.columns)
    met, options = [], argparse.Namespace(out=str(folder), part="1/1", cells=14, seconds=0, until=0)
    image_truth._each_cell(options, "trained", image_truth.SETTINGS, lambda: lambda code: met.append(code) or {})
    assert met == image_truth.drawn_cells(14)[12:]


def test_time_spent_is_measured_time_and_what_is_not_over_does_not_count(files):
    pool = read_pool(*files)
    # Three seconds for twelve scores; four cells at the low budget, then the best of them at the high one: 4 + 10
    # seconds, and so on.
    found = replay(pool, "static:naswot", 0, (3.5, 4.5, 16.5, 17.5, 31.5, 1e6), 4, lambda: 0.0, LOW_HIGH)
    mean = float(pool.published.mean())
    # By falling score: cells 11, 10, 9, 8, of which the low budget likes 8 best; then 7 to 4 and 3 to 0.
    assert found["published"] == pytest.approx([mean, 91.1, 90.8, 90.8, 90.8, 90.8])
    assert (found["low"], found["high"], found["own"], found["proxies"]) == (12, 3, 0.0, 3.0)


def test_with_one_budget_a_promotion_costs_nothing_and_all_cells_can_be_chosen(files):
    pool = read_pool(*files)
    # Three seconds of scores, ten seconds a cell, four cells a promotion: five are over after 58 seconds, and the sixth
    # has begun.
    assert replay(pool, "static:naswot", 0, (58.0,), 4, lambda: 0.0)["high"] == 6
    found = replay(pool, "static:naswot", 0, (8.0, 18.0, 1e6), 4, lambda: 0.0)
    # By falling score, as the reward falls: the first cell is chosen before any promotion.
    assert found["published"] == pytest.approx([float(pool.published.mean()), 91.1, 91.1]) and found["high"] == 12


def test_every_seed_searches_in_its_own_part_and_its_belief_is_judged_by_the_rest(files, monkeypatch):
    monkeypatch.setattr(image_replay, "FEWEST", 4)
    pool = read_pool(*files)
    part, held = split(pool, 1 / 3, 0)
    assert len(held) == 4 and len(part.published) == 8 and held != split(pool, 1 / 3, 1)[1]
    assert sorted([*part.published, *pool.published[held]]) == pytest.approx(sorted(pool.published))
    asked = []

    class Knows:
        def __init__(self, controller):
            self.ask, self.tell = controller.ask, controller.tell

        def quality(self, sequences):
            asked.append(sequences)
            return np.array([pool.published[pool.rows[tokens]] for tokens in sequences])

    build = image_replay.made
    monkeypatch.setattr(image_replay, "made", lambda *arguments: (Knows(build(*arguments)[0]), None))
    found = replay(pool, "random", 0, (1e6,), 4, lambda: 0.0, held_out=1 / 3)
    assert found["tau"] == [1.0] and found["high"] == 8 and found["published"] == [found["best"]]
    assert [pool.rows[tokens] for tokens in asked[-1][8:]] == held and found["best"] == max(part.published)


def test_a_belief_is_asked_about_cells_that_it_cannot_search(files):
    found = replay(read_pool(*files), "guided+naswot", 0, (1e6,), 4, lambda: 0.0, held_out=0.5)
    assert found["high"] == 6 and found["proxies"] <= 12 * 0.25


def test_the_controllers_own_seconds_and_those_of_its_proxies_are_spent(files):
    pool = read_pool(*files)
    ticks = iter(range(10**6))
    slow = replay(pool, "random", 0, (40.0,), 4, lambda: float(next(ticks)), LOW_HIGH)
    quick = replay(pool, "random", 0, (40.0,), 4, lambda: 0.0, LOW_HIGH)
    assert slow["own"] > 0 and slow["low"] < quick["low"]
    scored = replay(pool, "guided+naswot", 0, (1e6,), 4, lambda: 0.0, LOW_HIGH)
    assert 0 < scored["proxies"] <= 12 * 0.25


def test_a_cell_asked_for_again_costs_nothing_and_an_idle_search_ends(files, monkeypatch):
    class Stubborn:
        def ask(self):
            return Proposal(0, SPACE.encode(SPACE.parse(image_truth.drawn_cells(1)[0])), Budget(1))

        def tell(self, outcome):
            assert outcome.reward == 0.9

    monkeypatch.setattr(image_replay, "made", lambda *arguments: (Stubborn(), None))
    found = replay(read_pool(*files), "any", 0, (0.5, 1.5), 4, lambda: 0.0, LOW_HIGH)
    assert (found["low"], found["high"], found["published"][1]) == (1, 0, 90.0)


def test_a_control_without_a_search_chooses_by_the_same_belief(files):
    controller, _ = made(read_pool(*files), "alphaxenas:uniform_share=1", 0, 4)
    for number in range(8):
        proposal = controller.ask()
        controller.tell(Outcome(proposal, 0.5 + 0.01 * number))
    assert controller.tree_snapshot() is None and controller.quality([proposal.tokens]) is not None


def test_cells_without_a_published_accuracy_are_left_out_and_counted(files, tmp_path, capsys):
    pool, published, column = files
    with open(published) as file:
        lines = file.read().splitlines()
    short = tmp_path / "short.csv"
    short.write_text("\n".join([lines[0], *lines[3:]]) + "\n")
    assert len(read_pool(pool, str(short), column).published) == len(lines) - 3
    assert f"no accuracy of 2 of {len(lines) - 1} cells" in capsys.readouterr().err


def test_every_proxy_of_the_pool_is_an_order(files):
    pool = read_pool(*files)
    for method, first in (("static:naswot", 11), ("static:rank sum", 11)):
        controller, _ = made(pool, method, 0, 4)
        assert pool.rows[controller.ask().tokens] == first


def test_columns_and_free_orders_are_ranked_against_the_published_accuracy(files):
    found = ranking(read_pool(*files))
    assert found["high"] == {"tau": 1.0, "seconds": 10.0, "cells": 12} and found["low"]["tau"] == -1.0
    assert -1 < found["static:parameters"]["tau"] < 1 and found["naswot"]["seconds"] == 0.25


def test_results_are_regrets_with_intervals_and_verdicts_against_random_search(files):
    options = argparse.Namespace(
        **dict(zip(("pool", "published", "column"), files)),
        **{
            "methods": ["random", "static:naswot"],
            "seeds": 2,
            "promote_every": 4,
            "processes": 1,
            "budgets": LOW_HIGH,
            "held_out": 0,
        },
    )
    figures, values = search(options)
    row = figures["methods"]["static:naswot"]
    assert len(row["regret"]) == len(MARKS) and row["regret"][-1] == [0.3, 0.3, 0.3]
    assert row["better_than_random"] == ["not shown"] * len(MARKS)
    assert figures["best"] == pytest.approx(91.1) and np.isfinite(row["own"])
    assert set(values) == {"random", "static:naswot"} and set(values["random"]) == {"0", "1"}


class SlowTable:
    """Rewards cells by a number drawn for each, in a twentieth of a second."""

    def evaluate(self, proposal):
        time.sleep(0.05)
        return Outcome(proposal, float(stream(0, *proposal.tokens).random()), metrics={"parameters": 1.0})

    def state(self):
        return {}

    def restore(self, state):
        pass


def test_real_searches_go_on_in_fresh_processes_and_are_judged_by_what_they_have_not_trained(tmp_path, monkeypatch):
    cells = [SPACE.decode(tokens) for tokens in itertools.product(range(5), repeat=6)]
    truth = {SPACE.key(cell): 90.0 + place / 4000 for place, cell in enumerate(cells)}
    started, options = [], argparse.Namespace(
        out=str(tmp_path / "real"), data_dir="", part="1/1", seeds=1, methods=["random", "alphaxenas:prior=uniform"],
        published="", column="test", seconds=4.0, record=False, confirm=0,
    )  # fmt: skip
    monkeypatch.setattr(children, "one_thread", lambda: None)
    monkeypatch.setattr(children, "pool_data", lambda data_dir: None)
    monkeypatch.setattr(children, "evaluator_of", lambda data, seed, settings: SlowTable())
    monkeypatch.setattr(real, "read_truth", lambda *arguments: argparse.Namespace(values=truth))
    monkeypatch.setattr(real, "TRIALS_PER_PROCESS", 5)
    monkeypatch.setattr(real.os, "execv", lambda program, words: started.append(words) or real.search(options))
    assert real.search(options) == 0 and started
    for stage in ("random-seed0", "alphaxenas-prior-uniform-seed0"):
        records = Journal(tmp_path / "real" / stage / "trials.jsonl").read()
        trained = {record["key"] for record in records}
        judged = json.loads((tmp_path / "real" / stage / "judged.json").read_text())
        assert judged["trained"] > 5 and judged["published"] <= judged["best_trained"] + 1e-9
        assert judged["published"] == pytest.approx(truth[SPACE.key(SPACE.parse(judged["architecture"]))], abs=1e-3)
        assert SPACE.key(SPACE.parse(judged["architecture"])) in trained
        assert (judged["tau"] is None) == (stage == "random-seed0")


def test_recorded_real_searches_are_confirmed_by_their_first_children_and_go_on_by_the_same_code(
    tmp_path, monkeypatch, capsys
):
    """What was measured with other code counts where today's gives the same rewards, and stops the search otherwise."""
    rewards, truth = {}, {SPACE.key(SPACE.decode(tokens)): 90.0 for tokens in itertools.product(range(5), repeat=6)}

    class Table(SlowTable):
        def evaluate(self, proposal):
            return with_values(super().evaluate(proposal), reward=rewards.get(proposal.number, 0.5))

    for name, value in (("one_thread", lambda: None), ("pool_data", lambda data_dir: None)):
        monkeypatch.setattr(children, name, value)
    monkeypatch.setattr(children, "evaluator_of", lambda data, seed, settings: Table())
    monkeypatch.setattr(real, "read_truth", lambda *arguments: argparse.Namespace(values=truth))
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["image_truth", "real"])
    words = ["real", "--out", str(tmp_path / "real"), "--published", "", "--methods", "random", "--seconds", "3"]
    assert image_truth.main([*words, "--seeds", "1", "--record"]) == 0
    stored = tmp_path / "image_truth_real.json"
    first = json.loads(stored.read_text())
    first["code"]["alphaxenas/coach.py"] = "another"
    stored.write_text(json.dumps(first))
    with pytest.raises(SystemExit, match="of other code .*coach.py.*--confirm"):
        image_truth.main([*words, "--seeds", "2", "--record"])
    rewards[3] = 0.6
    assert image_truth.main([*words, "--confirm", "4"]) == 0
    assert "random is to be measured again" in capsys.readouterr().out
    rewards.clear()
    assert image_truth.main([*words, "--confirm", "4"]) == 0 and "1 of 1" in capsys.readouterr().out
    assert image_truth.main([*words, "--seeds", "2", "--record"]) == 0
    assert json.loads(stored.read_text())["figures"]["methods"]["random"].keys() == {"0", "1"}
    assert {path.name for path in (tmp_path / "real").iterdir()} == {
        "events",
        "random-seed0",
        "random-seed1",
        "log.txt",
    }


def test_recorded_replays_are_confirmed_by_fewer_seeds(files, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    words = ["replay", *(word for pair in zip(("--pool", "--published", "--column"), files) for word in pair)]
    monkeypatch.setattr("sys.argv", ["image_truth", *words])
    words += ["--methods", "static:parameters", "static:naswot"]
    assert image_truth.main([*words, "--seeds", "3", "--record"]) == 0
    stored = tmp_path / "image_truth_replay.json"
    first = json.loads(stored.read_text())
    first["values"]["static:naswot"]["1"][-1] += 1.0
    stored.write_text(json.dumps(first))
    assert image_truth.main([*words, "--confirm", "2"]) == 0
    second = json.loads(stored.read_text())
    assert second["values"] == first["values"] and second["confirmed"][0]["methods"] == ["static:parameters"]
    said = capsys.readouterr().out
    assert "static:naswot is to be measured again" in said and "1 of 2 methods are confirmed" in said

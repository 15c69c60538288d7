"""The benchmarks of recurrent cells: what they record, their goals, and what they leave out."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from alphaxenas.config import PROJECT_ROOT
from benchmarks.claims.recurrent import models, searches, summary
from benchmarks.claims.speeds import speeds
from benchmarks.language_step import keras_step, verdict
from benchmarks.record import cores_of, merged
from benchmarks.recurrent_ptb import by_model, searches_of
from benchmarks.recurrent_search import by_controller, outcome_of


def training(name, seed, test, **further):
    record = {"name": name, "seed": seed, "architecture": name, "parameters": 2_600_000, "units": 200, "windows": 900}
    record |= {"validation_perplexity": test + 2, "test_perplexity": test, "epochs": 1.5, "seconds": 601.5}
    return {**record, **further}


def result(minutes, trainings, failed=()):
    methods, values = by_model({"models": trainings, "failed": failed})
    figures = {"minutes": minutes, "cores": 1, "text": "ptb", "precision": "bfloat16", "methods": methods}
    origin = {"command": "", "date": "", "revision": "", "machine": {}, "versions": {}, "seconds": 1, "code": {}}
    return {"name": f"recurrent_ptb_{minutes}", "figures": figures, "values": values, **origin}


def test_windows_and_seconds_of_every_model_and_seed_are_kept_in_the_order_of_seeds():
    methods, values = by_model({"models": [training("a", 1, 90.0), training("a", 0, 91.0)], "failed": []})
    assert methods["a"]["parameters"] == 2_600_000 and values["a"]["seeds"] == [0, 1]
    assert values["a"]["test"] == [91.0, 90.0] and values["a"]["windows"] == [900, 900]
    assert values["a"]["seconds"] == [601.5, 601.5]


def test_models_measured_on_another_day_stay_recorded():
    old = result(15, [training("LSTM, 2 layers", 0, 95.0)])
    both = merged(result(15, [training("nao_rnn", 0, 94.0)]), old)
    assert list(both["values"]) == ["LSTM, 2 layers", "nao_rnn"]
    assert "### 15 minutes of one core a training" in (text := models({"recurrent_ptb_15": both}))
    assert "| LSTM, 2 layers |" in text and "| nao_rnn |" in text


@pytest.mark.parametrize(
    ("minutes", "name", "test", "verdict"),
    [
        (10, "LSTM 2x200", 112.0, "<= 112: reached"),
        (10, "LSTM 2x200", 112.1, "<= 112: missed"),
        (60, "LSTM 2x200", 89.0, "<= 90: reached"),
        (15, "found by nao-seed0", 107.9, "< 108: reached"),
        (15, "found by nao-seed0", 108.0, "< 108: missed"),
    ],
)
def test_every_goal_has_a_verdict(minutes, name, test, verdict):
    other = training("LSTM, 2 layers", 0, 80.0)
    recorded = result(minutes, [training(name, 0, test), other])
    assert verdict in summary(minutes, recorded["values"])[name]
    assert ":" not in summary(minutes, recorded["values"])["LSTM, 2 layers"]
    assert f"| {verdict} |" in models({"any": recorded})


def test_only_the_best_found_cell_has_a_goal():
    cells = [training("found by a-seed0", 0, 100.0), training("found by b-seed0", 0, 120.0)]
    lines = summary(15, result(15, cells)["values"])
    assert "reached" in lines["found by a-seed0"] and "108" not in lines["found by b-seed0"]


def test_a_model_whose_trainings_all_failed_is_named_and_not_ranked():
    failed = [{"name": "wild", "seed": 0, "reason": "nan"}]
    text = models({"any": result(15, [training("nao_rnn", 0, 94.0)], failed)})
    assert "loss was not finite: wild, seed 0" in text and "| wild" not in text


def test_a_core_that_may_not_be_used_is_refused():
    with pytest.raises(SystemExit, match=r"--core 999: this process may use the cores \["):
        cores_of(999)
    program = "import os; from benchmarks.record import cores_of; print(cores_of(min(os.sched_getaffinity(0))))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    assert done.stdout == "1\n"


def test_a_run_without_searches_is_refused_by_its_folder(tmp_path):
    with pytest.raises(SystemExit, match=f"{tmp_path / 'wrong'} holds no finished search"):
        searches_of(tmp_path / "wrong")
    stage = tmp_path / "recurrent-nao-seed1"
    stage.mkdir()
    (stage / "results.json").write_text(json.dumps({"best": []}))
    assert searches_of(tmp_path) == {"nao-seed1": {"best": []}}


def child(reward, purpose="final", status="ok"):
    return {"reward": reward, "purpose": purpose, "status": status, "metrics": {"words": 1000.0}}


def test_the_chosen_child_and_the_best_promoted_one_are_told_apart_with_words_and_seconds():
    records = [child(0.9, "search"), child(0.5), child(0.4), child(0.0, status="failed")]
    results = {"best": [{"reward": 0.4, "architecture": "tanh(0)"}], "evaluations": 4, "seconds": 1800.0}
    found = outcome_of(results, records, 10_000)
    assert (found["chosen"], found["best"]) == (pytest.approx(251.189), pytest.approx(100.0))
    assert found["words"] == 4000 and found["seconds"] == 1800.0


def test_a_search_in_which_every_child_failed_is_left_out_and_named(capsys):
    nothing = outcome_of({"best": [], "evaluations": 1}, [child(0.0, status="failed")], 10_000)
    one = {"children": 3, "words": 2e6, "seconds": 60.0, "architecture": "tanh(0)", "best": 100.0}
    found = {("random", 0): nothing, ("nao", 0): {**one, "chosen": 100.0}}
    found |= {("random", seed): {**one, "chosen": 110.0 + seed} for seed in range(1, 8)}
    found |= {("nao", seed): {**one, "chosen": 100.0 + seed} for seed in range(1, 8)}
    methods, values = by_controller(found)
    assert methods["random"]["left_out"] == [0] and "random seed 0: left out" in capsys.readouterr().err
    text = searches({"any": {"figures": {"minutes": 30, "cores": 2, "methods": methods}, "values": values}})
    assert text.startswith("30 minutes of 2 cores a search.")
    assert "Left out" in text and "seed 0" in text and "| -10.0 [-10.0, -10.0] |" in text, "paired by seed"


def test_a_step_is_judged_in_every_precision_and_by_the_time_of_its_graph():
    ratios = {"float32": {"a": 1.2, "b": 1.5}, "bfloat16": {"a": 1.6, "b": 1.1}}
    found = verdict(ratios, {"a": 1.0, "b": 5.0})
    assert found["verdicts"] == {"float32": "reached", "bfloat16": "missed", "graph": "missed"}
    text = speeds({"language_step": {"figures": {**found, "softmax_share": 0.5}}})
    assert "float32 1.50 times (<= 1.5: reached); bfloat16 1.60 times (<= 1.5: missed)" in text
    assert "5.0 s (< 5 s: missed)" in text


def test_keras_has_the_same_loss_with_our_softmax_as_with_that_of_tensorflow(monkeypatch):
    monkeypatch.setattr("benchmarks.language_step.WORDS", 50)
    words = np.random.default_rng(0).integers(0, 50, (2, 35, 32)).astype(np.int32)
    losses = [float(keras_step(*words, precision)()) for precision in ("", "float32", "bfloat16")]
    assert losses == pytest.approx([np.log(50)] * 3, rel=0.02)

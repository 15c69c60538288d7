"""Results of benchmarks: their code is declared, stale ones are found, and the generated pages say what they say."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.spaces.convnet import KNOWN_CONVNETS, ConvNet
from alphaxenas.tabular.choices import TableChoice
from benchmarks import readme, record, results, scale
from benchmarks.claims import CLAIMS
from benchmarks.claims.cifar10 import cifar10_cpu
from benchmarks.claims.recurrent import models as recurrent_models
from benchmarks.claims.tables import rivals
from benchmarks.image_folder import make_pictures
from benchmarks.layout import mean_queries, with_interval
from benchmarks.tables import STUDIES, search, static_order
from tests.docs.test_docs import anchors

RECORDED = record.load()


@pytest.mark.parametrize("benchmark", record.CODE)
def test_declared_code_exists(benchmark):
    place = PROJECT_ROOT / "benchmarks" / benchmark
    assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()
    assert all((PROJECT_ROOT / path.removeprefix("-")).exists() for path in record.CODE[benchmark])


def test_every_benchmark_declares_its_code():
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "benchmarks").glob("*.py")}
    packages = {path.parent.name for path in (PROJECT_ROOT / "benchmarks").glob("*/__main__.py")}
    assert {name for name, text in texts.items() if "finish(" in text} - {"record"} | packages == set(record.CODE)


@pytest.mark.parametrize("benchmark", ["pareto", "proxies", "rivals", "scale"])
def test_a_benchmark_of_searches_computes_on_one_thread(benchmark):
    """OpenBLAS reads the variable when NumPy is imported, and never again."""
    code = (
        "import os, runpy, sys\n"
        "told = []\n"
        "def note(event, words):\n"
        "    if event == 'import' and words[0] == 'numpy' and not told:\n"
        "        told.append(os.environ.get('OPENBLAS_NUM_THREADS'))\n"
        "sys.addaudithook(note)\n"
        "sys.argv = ['x', '--help']\n"
        "try:\n"
        f"    runpy.run_module('benchmarks.{benchmark}', run_name='__main__', alter_sys=True)\n"
        "finally:\n"
        "    print(told, file=sys.stderr)\n"
    )
    unlimited = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, env=unlimited, capture_output=True, text=True, check=True
    )
    assert ended.stderr.splitlines()[-1] == "['1']"


def test_pictures_of_another_number_are_made_anew(tmp_path):
    few, more = make_pictures(tmp_path, 20), make_pictures(tmp_path, 30)
    assert few < more == make_pictures(tmp_path, 30)
    assert make_pictures(tmp_path, 20) == few and len(list(tmp_path.rglob("*.png"))) == 20


def test_the_hash_of_a_file_is_that_of_git(tmp_path):
    file = tmp_path / "code.py"
    file.write_bytes(b"x = 1\n")
    wanted = subprocess.run(["git", "hash-object", file], capture_output=True, text=True, check=True).stdout
    assert wanted.startswith(record.blob_hash(file.read_bytes()))
    assert record.blob_hash(b"x = 1\r\n") == record.blob_hash(b"x = 1\n")


def test_a_result_is_stale_when_its_code_was_changed_added_or_removed():
    code = record.code_state("tree_speed")
    fresh = {"benchmark": "tree_speed", "code": code}
    assert record.changed_since(fresh) == []
    (first, *rest) = code
    assert record.changed_since({**fresh, "code": {**code, first: "0" * 12}}) == [first]
    assert record.changed_since({**fresh, "code": {path: code[path] for path in rest}}) == [first]
    assert record.changed_since({**fresh, "code": {**code, "gone.py": "0" * 12}}) == ["gone.py"]


def test_code_of_language_models_makes_no_result_on_images_stale():
    code, language = record.code_state("cifar10_cpu"), "alphaxenas/networks/language/model.py"
    assert not any("language" in path or "text" in path for path in code)
    assert any(path.startswith("alphaxenas/networks/training/") for path in code)
    before = {"benchmark": "cifar10_cpu", "code": {**code, language: "0" * 12, "alphaxenas/data/gone.py": "0" * 12}}
    assert record.changed_since(before) == ["alphaxenas/data/gone.py"]
    assert language in record.code_state("recurrent_ptb")


def test_a_recorded_command_names_no_folder_of_the_machine(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["x", "--tables", "/home/somebody/tables", "--record"])
    result = record.finish("tree_speed", True, 0.0, {"rate": 1})
    assert result["command"] == "python -m benchmarks.tree_speed --tables tables --record"
    assert record.load(tmp_path) == {"tree_speed": result}
    assert capsys.readouterr().out == '{"rate": 1}\n'


def test_methods_that_are_not_measured_again_are_kept_with_their_origin(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RESULTS", tmp_path)

    def measured(seconds, cap, **values):
        figures = {"cap": cap, "methods": {method: {"mean": sum(found)} for method, found in values.items()}}
        return record.finish("tree_speed", True, 0.0, figures, values, "study", ["x", str(seconds)], keep=True)

    measured(1, 9, random=[5, 6], evolution=[3], guided=[2])
    measured(2, 9, guided=[1], local=[4])
    measured(3, 9, local=[3])
    result = record.load(tmp_path)["study"]
    assert result["values"] == {"random": [5, 6], "evolution": [3], "guided": [1], "local": [3]}
    assert {method: row["mean"] for method, row in result["figures"]["methods"].items()} == {
        "random": 11,
        "evolution": 3,
        "guided": 1,
        "local": 3,
    }
    parts = [(part["command"].split()[-1], part["methods"]) for part in record.origins(result)]
    assert parts == [("3", ["local"]), ("2", ["guided"]), ("1", ["random", "evolution"])]
    assert record.changed_since(result) == []
    result["earlier"][1]["code"]["gone.py"] = "0" * 12
    assert record.changed_since(result) == ["gone.py"]
    with pytest.raises(ValueError, match="measured otherwise"):
        measured(4, 8, local=[3])


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_results_are_whole_and_used(name):
    result = RECORDED[name]
    assert result["name"] == name and result["benchmark"] in record.CODE and result["code"] and result["figures"]
    assert {"command", "date", "revision", "machine", "versions", "seconds", "values"} <= set(result)
    assert any(name in claim.results for claim in CLAIMS)
    assert not any(word.startswith("/") for word in result["command"].split())


def test_seeds_that_were_run_again_make_a_result_as_of_today():
    old = {"benchmark": "tree_speed", "code": {}, "values": {"random": {"queries": [5, 6]}, "local": {"queries": [3]}}}
    result, differing = record.confirm(old, {"random": {"queries": [5]}}, "today", "abc")
    assert not differing and record.changed_since(result)
    result, differing = record.confirm(result, {"local": {"queries": [3]}}, "today", "abc")
    assert not differing and record.changed_since(result) == []
    result, differing = record.confirm(result, {"random": {"queries": [4]}}, "tomorrow", "def")
    assert differing == {"random": "queries: [5], now [4]"} and record.changed_since(result)


def test_generated_pages_are_up_to_date(capsys):
    code = results.main(["--check"])
    assert code == 0, capsys.readouterr().out


def test_a_page_without_results_says_so_and_a_stale_one_is_marked():
    assert all(f"\n- {claim.question}\n" in results.page({}) for claim in CLAIMS)
    figures = {"simulations_per_second": 1000}
    machine = {"processor": "a processor", "cores": 2, "memory_gib": 1.0}
    result = {
        **{"name": "tree_speed", "benchmark": "tree_speed", "command": "x", "date": "today", "revision": "abc"},
        **{"machine": machine, "versions": {"python": "3"}, "code": {}, "figures": figures},
    }
    page = results.page({"tree_speed": result})
    assert "| simulations per second, tree alone | 1,000 |" in page
    assert "**Stale**, code has changed since: tree_speed." in page and "| `x` | today | abc |" in page
    assert "(#tree_speed)" in page and "### tree_speed\n" in page
    assert "**Stale**" not in results.page({"tree_speed": {**result, "code": record.code_state("tree_speed")}})


def test_every_measured_section_is_in_the_contents_and_every_other_in_the_list_at_the_end():
    page = results.page(RECORDED)
    contents, rest = page.split("## Contents\n")[1].split("\n\n##", 1)
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings[1] == "Contents"
    linked = re.findall(r"^- \[(.+)\]\(#(.+)\)$", contents, re.MULTILINE)
    assert [heading for heading, _ in linked] == headings[2:]
    assert {place for _, place in linked} <= anchors(page)
    listed = rest.split(results.UNMEASURED)[1].split("Benchmarks that")[0]
    missing = re.findall(r"^- (.+)$", listed, re.MULTILINE)
    assert {claim.question for claim in CLAIMS} == {headings[0], *headings[2:-2], *missing}


def test_no_table_stands_twice_on_the_page():
    tables = re.findall(r"(?:^\|.*\n)+", results.page(RECORDED), re.MULTILINE)
    assert len(tables) == len(set(tables))


def test_the_page_of_scale_bears_the_mark_of_its_result():
    text = f"before\n\n{scale.BEGIN}\n\nold\n\n{scale.END}\nafter\n"
    result = RECORDED["scale"]
    fresh = results.scale_page(text, {"scale": {**result, "code": record.code_state("scale")}})
    assert fresh.startswith("before\n") and fresh.endswith("\nafter\n") and "old" not in fresh
    assert "Goal: with 8 proposals in flight at most 1.3 times" in fresh and "Stale" not in fresh
    assert "**Stale**, code has changed since: scale." in results.scale_page(text, {"scale": {**result, "code": {}}})
    assert results.scale_page(text, {}) == text


def test_a_restricted_mean_has_the_share_found_beside_it():
    result = {"figures": {"cap": 90}, "values": {"one": {"queries": [10, 20, 40], "found": [True, True, False]}}}
    assert mean_queries(result, "one") == f"{with_interval([10, 20, 90])} (67% found)"
    result["values"]["one"]["found"] = [True] * 3
    assert mean_queries(result, "one") == with_interval([10, 20, 40])


def test_rivals_stand_beside_ours_at_the_same_cap():
    found = {"queries": [10, 300], "found": [True, False]}
    ours = {"queries": [20, 400], "found": [True, True]}
    text = rivals(
        {
            "rivals_nasbench201_cifar10": {"figures": {"cap": 300}, "values": {"Optuna TPE": found}},
            "nasbench201_cifar10": {"figures": {"cap": 15_625}, "values": {"guided": ours}},
        }
    )
    assert f"| Optuna TPE | {with_interval([10, 300])} | 50% | 2 |" in text
    assert f"| GuidedSearch | {with_interval([20, 300])} | 50% | 2 |" in text


def test_rivals_see_one_category_per_place():
    from alphaxenas.spaces.nasbench.nasbench101 import NASBench101
    from alphaxenas.spaces.nasbench.nasbench201 import NASBench201
    from benchmarks.rivals.adapters import places

    assert places(NASBench201()) == [tuple(range(5))] * 6
    with pytest.raises(ValueError, match="`space`"):
        places(NASBench101())


@pytest.fixture
def cells(tmp_path):
    """A table of 30 cells of NAS-Bench-201 whose signal is their number of 3x3 convolutions."""
    codes = [f"{first}{second}3330"[:6] for first in range(5) for second in range(5)] + ["333333", "000000"]
    lines = [f"{code},{code.count('3') / 10}" for code in codes]
    (tmp_path / "cells.csv").write_text("\n".join(["code,signal", *lines]) + "\n")
    return TableChoice(str(tmp_path / "cells.csv"), code="code", signal="signal", space="nasbench201")


def test_a_static_order_has_the_largest_first_and_every_row_once(cells):
    from alphaxenas.tabular.study import load_table

    table = load_table(cells)
    order = static_order(table, ("depth", "parameters"), 0)
    assert sorted(order) == list(range(len(table)))
    assert table.signal[order[0]] == max(table.signal)
    assert not np.array_equal(order, static_order(table, ("depth", "parameters"), 1))


def test_a_search_of_a_study_counts_its_queries():
    found = search("chains", "", "random", 0)
    assert found["queries"] <= STUDIES["chains"].cap and found["best_20"] <= found["best_100"]


def test_a_benchmark_that_is_ended_by_a_signal_fails_and_says_so():
    code = "import time; from benchmarks.record import parser; parser('x'); print('ready', flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM and "nothing was recorded" in said


def test_what_is_not_shown_stands_at_the_top_of_the_readme():
    def result(first, second):
        sides = {"guided": first, "alphaxenas": first}
        sides |= dict.fromkeys(("guided:plan=rollouts", "random", "static:parameters"), second)
        values = {method: {"queries": side, "found": [True] * len(side)} for method, side in sides.items()}
        return {"benchmark": "tables", "values": values, "code": record.code_state("tables")}

    fewer, more = [float(seed) for seed in range(10)], [100.0 + seed for seed in range(10)]
    table = readme.on_tables({"nasbench201_cifar10": result(fewer, more), "nasbench201_cifar100": result(fewer, fewer)})
    verdicts = [line.endswith("not shown |") for line in table.splitlines() if line.startswith("| Does")]
    assert verdicts == sorted(verdicts, reverse=True) and len(set(verdicts)) == 2


def test_the_readme_gives_means_of_all_seeds_and_the_share_found():
    ours = {"queries": [10.0] * 4 + [30.0] * 4, "found": [True] * 8}
    theirs = {"queries": [90.0] * 4, "found": [True, True, True, False]}
    result = {"figures": {"cap": 90}, "values": {"alphaxenas": ours, "random": theirs}}
    table = readme.on_tables({"nasbench201_cifar10": {**result, "benchmark": "tables", "code": {}}})
    means = [with_interval(one["queries"]) for one in (ours, theirs)]
    assert f"| AlphaXENAS {means[0]} | random search {means[1]} (75% found) |" in table
    assert "see mean test accuracy" in table and table.endswith("code has changed since: NAS-Bench-201, CIFAR-10.")


def test_the_readme_says_where_nothing_was_measured_and_what_is_shown_where_it_was():
    assert sum(line.endswith(f": {readme.UNMEASURED}.") for line in readme.on_images({})) == 3
    rising = np.linspace(0.9, 0.91, 8)
    pair = {"seeds": list(range(8)), "ours": (rising + 0.02).tolist(), "theirs": rising.tolist()}
    values = {"random": {"best final at equal seconds": pair}}
    line = readme.on_images(
        {"search_vs_random_quick": {"benchmark": "search_vs_random", "code": {}, "values": values}}
    )[1]
    assert "**AlphaXENAS** is shown better (+2.00 points, 8 seeds)" in line and line.endswith("changed since.")
    runs = {
        method: {str(seed): {"published": 93.0 + seed + more} for seed in range(3)}
        for method, more in (("alphaxenas", 1), ("random", 0))
    }
    real = {"benchmark": "image_truth", "code": {}, "figures": {"methods": runs}}
    assert "not shown (+1.00 points, 3 seeds)" in readme.on_images({"image_truth_real": real})[3]


def test_the_readme_says_after_which_seconds_a_search_of_the_pool_is_better():
    rising = np.linspace(0, 0.1, 10)
    sides = {"alphaxenas": (1.0, 1.0, 1.0), "random": (2.0, 0.5, 1.0), "alphaxenas:uniform_share=1": (1.0, 2.0, 2.0)}
    values = {one: {str(s): [mean + rising[s] for mean in means] for s in range(10)} for one, means in sides.items()}
    result = {
        "benchmark": "image_truth",
        "code": {},
        "values": values,
        "figures": {"cells": 600, "marks": [60, 600, 3600]},
    }
    (lead, line) = readme.on_the_pool({"image_truth_replay": result})
    assert "600 cells" in lead and readme.on_the_pool({}) == []
    assert "better than random search, shown after 60 s, not shown after 3,600 s, shown **worse** after 600 s;" in line
    assert "better than without a search, shown after 600 and 3,600 s, not shown after 60 s." in line


def test_the_readme_says_what_a_profile_reaches_and_how_often_its_search_found_a_net():
    nets = ["airbench93", "64 conv pool conv; 224 conv pool conv; 128 conv pool conv; gelu; max"]
    runs = {
        f"seed {seed}": {
            "minutes": 30.0 + seed,
            "test_accuracy": 0.93 + seed / 100,
            "architecture": str(ConvNet.parse(net)),
        }
        for seed, net in enumerate(nets)
    }
    found = {"figures": {"methods": runs}, "benchmark": "cifar10_cpu", "code": record.code_state("cifar10_cpu")}
    text = readme.in_minutes({"cifar10_cpu_hour_searched": found, "chains": {}})
    assert "| `./run_all.sh cifar10-cpu-hour` | 31 | 93.50% (93.00% to 94.00%) | - | 1 of 2 |" in text
    assert "Stale" not in text and readme.in_minutes({"chains": {}}) == ""
    stale = readme.in_minutes({"cifar10_cpu_hour_searched": {**found, "code": {}}})
    assert stale.endswith("**Stale**, code has changed since: `cifar10-cpu-hour`.")


@pytest.mark.parametrize("seeds", [3, 6])
def test_recurrent_cells_are_better_than_an_lstm_only_where_the_law_says_so(seeds):
    far, near = np.linspace(90, 92, seeds).tolist(), np.linspace(110, 114, seeds).tolist()
    rest = {"seeds": list(range(seeds)), "epochs": [4.0] * seeds, "seconds": [900.0] * seeds}
    values = {
        model: {**rest, "validation": test, "test": test}
        for model, test in {"LSTM, 2 layers": near, "nao_rnn": far}.items()
    }
    methods = dict.fromkeys(values, {"parameters": 2_400_000, "failed": []})
    figures = {"minutes": 15, "cores": 2, "methods": methods}
    text = recurrent_models({"recurrent_ptb_15": {"figures": figures, "values": values}})
    assert f"| nao_rnn | 2.40 | {seeds} | 4.0 | 15.0 | 91.0 [90.0, 92.0] |" in text
    assert ("**nao_rnn** is better" if seeds == 6 else "| not shown |") in text


def test_a_search_that_chose_the_hand_made_net_differs_from_it_by_nothing():
    run = {"test_accuracy": 0.94, "validation_accuracy": 0.94, "parameters": 1, "multiply_adds": 1}
    run |= {name: 1.0 for name in ("minutes", "search_minutes", "training_minutes")}
    other, net = "64 conv; 64 conv; 64 conv; gelu; max", str(KNOWN_CONVNETS["airbench94"])
    searched = {
        f"seed {seed}": {**run, "architecture": other if seed else net, "test_accuracy": 0.93 if seed else 0.9}
        for seed in range(3)
    }
    trained = {f"seed {seed}": {**run, "architecture": net} for seed in (1, 2)}
    both = {"cifar10_cpu_hour_searched": searched, "cifar10_cpu_hour_airbench94": trained}
    text = cifar10_cpu({key: {"figures": {"methods": runs}} for key, runs in both.items()})
    assert "-0.0067" in text and "over 3 seeds; in 1 of them the search chose that net" in text


def test_random_search_is_compared_seed_by_seed():
    run = {"validation_accuracy": 0.94, "parameters": 1, "multiply_adds": 1}
    run |= {name: 1.0 for name in ("minutes", "search_minutes", "training_minutes")}
    other, net = "64 conv; 64 conv; 64 conv; gelu; max", str(KNOWN_CONVNETS["airbench94"])
    ours = {f"seed {seed}": {**run, "architecture": net, "test_accuracy": 0.93} for seed in range(3)}
    random = {key: {**one, "architecture": other, "test_accuracy": 0.9} for key, one in ours.items()}
    random["seed 2"] = ours["seed 2"]
    both = {"cifar10_cpu_searched": ours, "cifar10_cpu_random": random}
    text = cifar10_cpu({key: {"figures": {"methods": runs}} for key, runs in both.items()})
    assert "+0.0200" in text and "over 3 seeds; in 1 of them the search chose the same net as it" in text
    assert "Random search, half an hour: 1 of 3 searches chose a hand-made net" in text
    random["seed 2"] = {**ours["seed 2"], "test_accuracy": 0.96}  # the same net, trained again: its own value counts
    assert "+0.0100" in cifar10_cpu({key: {"figures": {"methods": runs}} for key, runs in both.items()})

"""Studies: every search once, whatever ends them; the same journals for any number of processes; what is stored is not
replaced.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.runs import RunFolder, RunMismatch
from alphaxenas.tabular import study
from alphaxenas.tabular.choices import ControllerChoice, TableChoice, parse_controllers, parse_table, parse_target
from alphaxenas.tabular.study import check_study, goal_rows, load_table, make, run_search, run_study
from tests.data.real import real_table

CODES = ["".join(code) for code in itertools.product("abcd", repeat=4)]


def write_table(path, codes=CODES, seed=0):
    """A table whose signal grows with the letters, with noise, a report and a cost."""
    rng = np.random.default_rng(seed)
    lines = ["arch,valid,test,seconds"]
    for code in codes:
        signal = 0.5 + 0.03 * sum(map("abcd".index, code)) + rng.normal(0, 0.01)
        lines.append(f"{code},{signal:.6f},{signal - 0.02 + rng.normal(0, 0.01):.6f},{rng.uniform(10, 20):.3f}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def table(tmp_path):
    return TableChoice(str(write_table(tmp_path / "mine.csv")), "arch", "valid", "test", "seconds")


@pytest.fixture
def opened(tmp_path):
    """Opens the study's folder, for one call of `run_study`."""

    def run(tables, controllers="random,local", seeds=3, cap=100, target="optimum", processes=2, **more):
        with RunFolder.open(
            "s", study.STAGE, {"cap": cap, "target": target}, tmp_path / "exp", tmp_path / "events", **more
        ) as folder:
            return run_study(folder, tables, parse_controllers(controllers), range(seeds), cap, target, processes)

    return run


def journals(tmp_path):
    place = tmp_path / "exp" / "s" / "study" / "journals"
    return {str(path.relative_to(place)): path for path in sorted(place.rglob("*.jsonl"))}


def without_times(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[-1].pop("cpu_seconds", None)
    return lines


class Listed:
    """A controller that proposes what it is given; remembers what it is told."""

    def __init__(self, games):
        self.games, self.told = iter(games), []

    def ask(self):
        from alphaxenas.contracts import Budget, Proposal

        tokens = next(self.games, None)
        return None if tokens is None else Proposal(len(self.told), tokens, Budget(1))

    def tell(self, outcome):
        self.told.append((outcome.status, outcome.reward))

    def diagnostics(self):
        return {"listed/told": float(len(self.told)), "listed/nothing": float("nan")}


def games_of(table, rows):
    keys = {row: key for key, row in table.rows.items()}
    return [table.space.encode(table.space.parse(keys[row])) for row in rows]


def test_a_search_ends_with_the_query_that_meets_the_optimum(table):
    loaded = load_table(table)
    best = int(loaded.signal.argmax())
    rows = [0, 5, best, 7]
    controller = Listed(games_of(loaded, rows))
    trace = run_search(loaded, controller, 100, {best})
    assert (trace.rows, trace.ended, trace.not_in_table) == (rows[:3], "found", 0)
    assert controller.told == [("ok", loaded.rewards[row]) for row in rows[:3]]


def test_equal_optima_all_count_as_the_optimum(tmp_path):
    (tmp_path / "ties.csv").write_text("arch,valid\naa,0.5\nab,0.9\nba,0.9\nbb,0.1\n")
    loaded = load_table(TableChoice(str(tmp_path / "ties.csv"), "arch", "valid"))
    for row in (1, 2):
        assert run_search(loaded, Listed(games_of(loaded, [0, row, 3])), 100, goal_rows(loaded, "optimum")).rows == [
            0,
            row,
        ]
    assert goal_rows(loaded, "first-optimum") == {1}


def test_a_known_architecture_is_no_query_and_the_cap_counts_queries(table):
    loaded = load_table(table)
    trace = run_search(loaded, Listed(games_of(loaded, [3, 3, 4, 3, 5, 6])), 3)
    assert (trace.rows, trace.ended) == ([3, 4, 5], "cap")


def test_a_controller_with_nothing_left_has_exhausted_the_space(table):
    loaded = load_table(table)
    assert run_search(loaded, Listed(games_of(loaded, [3])), 3).ended == "exhausted"
    assert run_search(loaded, Listed(games_of(loaded, [3] * 5000)), 3).ended == "exhausted"


def test_what_a_table_lacks_is_told_as_missing_and_is_no_query(table, monkeypatch):
    loaded = load_table(table)
    games = games_of(loaded, [1, 2, 3])
    monkeypatch.setattr(
        type(loaded),
        "lookup",
        lambda self, tokens: None if tokens == games[1] else self.rows[self.space.key(self.space.decode(tokens))],
    )
    controller = Listed(games)
    trace = run_search(loaded, controller, 10)
    assert trace.not_in_table == 1 and trace.rows == [1, 3] and controller.told[1] == ("missing", 0.0)


def test_diagnostics_are_recorded_now_and_then_without_what_is_no_number(table):
    loaded = load_table(table)
    trace = run_search(loaded, Listed(games_of(loaded, range(30))), 30)
    assert [after for after, _ in trace.diagnostics] == [5, 10, 15, 20, 25, 30]
    assert trace.diagnostics[1][1] == {"listed/told": 10.0}


def test_a_journal_holds_parameters_queries_and_the_end(opened, table, tmp_path):
    assert opened([table], seeds=1) == {}
    loaded = load_table(table)
    assert list(journals(tmp_path)) == ["mine-valid/local/seed0.jsonl", "mine-valid/random/seed0.jsonl"]
    header, *lines, ended = without_times(journals(tmp_path)["mine-valid/local/seed0.jsonl"])
    assert (
        header["table"]["file"] == "mine.csv"
        and header["table"]["signal"] == "valid"
        and len(header["table"]["sha256"]) == 64
    )
    assert str(tmp_path) not in json.dumps(header)
    assert (header["controller"], header["seed"], header["cap"], header["optimum"], header["rows"]) == (
        "local",
        0,
        100,
        loaded.optimum,
        256,
    )
    queries = [line for line in lines if isinstance(line, list)]
    assert ended == {"ended": "found", "queries": len(queries), "missing": 0}
    for row, shown, report, cost in queries:
        assert (shown, report, cost) == (loaded.signal[row], loaded.report[row], loaded.cost[row])
    assert queries[-1][1] == loaded.optimum and len({row for row, *_ in queries}) == len(queries)
    places = [place for place, line in enumerate(lines) if isinstance(line, dict)]
    assert places and all(
        lines[place]["after"] == sum(isinstance(line, list) for line in lines[:place]) for place in places
    )


def test_one_and_two_processes_write_the_same(opened, table, tmp_path):
    opened([table], "random,evolution", processes=1)
    first = {name: without_times(path) for name, path in journals(tmp_path).items()}
    opened([table], "random,evolution", processes=2, overwrite=True)
    assert {name: without_times(path) for name, path in journals(tmp_path).items()} == first and len(first) == 6


def test_finished_searches_are_kept_and_only_new_ones_played(opened, table, tmp_path):
    opened([table], "random", seeds=2)
    before = {name: (path.stat().st_mtime_ns, path.read_bytes()) for name, path in journals(tmp_path).items()}
    journals(tmp_path)["mine-valid/random/seed1.jsonl"].unlink()
    opened([table], "random,local", seeds=3)
    after = journals(tmp_path)
    assert len(after) == 6
    kept = after["mine-valid/random/seed0.jsonl"]
    assert (kept.stat().st_mtime_ns, kept.read_bytes()) == before["mine-valid/random/seed0.jsonl"]
    again = [json.loads(line) for line in before["mine-valid/random/seed1.jsonl"][1].splitlines()]
    again[-1].pop("cpu_seconds")
    assert without_times(after["mine-valid/random/seed1.jsonl"]) == again


def test_a_changed_cap_is_refused_by_name(opened, table):
    opened([table], seeds=1)
    with pytest.raises(RunMismatch, match="`cap` is stored as 100, now 50"):
        opened([table], seeds=1, cap=50)


def test_results_of_other_defaults_or_other_code_are_refused(opened, table, tmp_path, monkeypatch):
    opened([table], "evolution", seeds=1)
    header = without_times(journals(tmp_path)["mine-valid/evolution/seed0.jsonl"])[0]
    assert header["settings"]["population"] > 1 and "revision" in header
    monkeypatch.setattr(study, "resolved_settings", lambda name, settings: {**header["settings"], "population": 3})
    with pytest.raises(RunMismatch, match=r"`settings\.population` is stored as \d+, now 3"):
        opened([table], "evolution", seeds=2)
    monkeypatch.undo()
    monkeypatch.setattr(study, "code_hash", lambda: "other")
    with pytest.raises(RunMismatch, match="made by other code.*`code` is stored as .*, now 'other'"):
        opened([table], "evolution", seeds=2)
    monkeypatch.undo()
    assert opened([table], "evolution", seeds=2) == {}


def test_a_changed_table_is_refused_and_replaced_when_asked(opened, table, tmp_path):
    opened([table], seeds=1)
    write_table(tmp_path / "mine.csv", seed=1)
    with pytest.raises(RunMismatch, match=r"`table\.sha256`"):
        opened([table], seeds=1)
    assert opened([table], seeds=1, overwrite=True) == {}


def test_a_changed_column_is_refused_by_name(opened, table, tmp_path):
    opened([table], seeds=1)
    with pytest.raises(RunMismatch, match=r"`table\.report` is stored as 'test', now ''"):
        opened([TableChoice(table.path, "arch", "valid", "", "seconds")], seeds=1)


def test_a_top_share_is_met_by_any_of_its_rows(opened, table, tmp_path):
    opened([table], "random", seeds=5, target="0.05")
    signal = np.sort(load_table(table).signal)[::-1]
    for path in journals(tmp_path).values():
        header, *lines, ended = without_times(path)
        queries = [line for line in lines if isinstance(line, list)]
        assert header["threshold"] == signal[int(0.05 * 256) - 1]
        assert (
            ended["ended"] == "found"
            and queries[-1][1] >= header["threshold"]
            and all(line[1] < header["threshold"] for line in queries[:-1])
        )


def test_a_bad_table_or_controller_is_named_before_any_search(opened, table, tmp_path):
    (tmp_path / "bad.csv").write_text("arch,valid\naa,0.5\nab,high\n")
    with pytest.raises(ValueError, match=r"bad\.csv.*row 2.*valid"):
        opened([table, TableChoice(str(tmp_path / "bad.csv"), "arch", "valid")])
    with pytest.raises(ValueError, match="`exploration`"):
        opened([table], "random,uct:exploration=-1")
    assert journals(tmp_path) == {}


def test_a_failing_search_is_recorded_and_the_others_go_on(opened, table, tmp_path, monkeypatch):
    broken = f"{tmp_path}/sitecustomize.py"
    with open(broken, "w") as file:
        file.write(
            "import os\nfrom alphaxenas.controllers.baselines import local_search as module\n"
            "def suggest(self):\n    raise ZeroDivisionError('on purpose')\n"
            "def die(self):\n    os.kill(os.getpid(), 9)\n"
            "module.LocalSearch.suggest = suggest\n"
            "from alphaxenas.controllers.baselines import evolution\nevolution.RegularizedEvolution.suggest = die\n"
        )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{PROJECT_ROOT}")
    failures = opened([table], "local,evolution,random", seeds=2)
    assert set(failures) == {f"mine-valid/{name}/seed{seed}" for name in ("local", "evolution") for seed in (0, 1)}
    assert (
        "ZeroDivisionError: on purpose" in failures["mine-valid/local/seed0"]
        and "sitecustomize.py" in failures["mine-valid/local/seed0"]
    )
    assert "SIGKILL" in failures["mine-valid/evolution/seed1"]
    stored = {name: without_times(path)[-1] for name, path in journals(tmp_path).items()}
    assert stored["mine-valid/local/seed1.jsonl"] == {"ended": "failed", "reason": failures["mine-valid/local/seed1"]}
    assert all(stored[f"mine-valid/random/seed{seed}.jsonl"]["ended"] in ("found", "cap") for seed in (0, 1))
    os.unlink(broken)
    assert opened([table], "local,evolution,random", seeds=2) == {}
    assert all(without_times(path)[-1]["ended"] != "failed" for path in journals(tmp_path).values())


SCRIPT = """
import sys
from alphaxenas.runs import RunFolder
from alphaxenas.tabular.study import STAGE, run_study
from alphaxenas.tabular.choices import parse_controllers, parse_table
if __name__ == "__main__":
    place, controllers = sys.argv[2], parse_controllers("random,evolution")
    with RunFolder.open("s", STAGE, {"cap": 100, "target": "optimum"}, place + "/exp", place + "/events") as folder:
        run_study(folder, [parse_table(sys.argv[1])], controllers, range(150), 100, "optimum", 2)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_an_interrupted_study_loses_nothing_and_leaves_no_process(number, table, opened, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    text = f"{table.path} code=arch signal=valid report=test cost=seconds"
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), text, str(tmp_path)],
        cwd=PROJECT_ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT_ROOT), *sys.path])},
    )
    deadline = time.monotonic() + 60
    while len(journals(tmp_path)) < 5:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    stored = {name: without_times(path) for name, path in journals(tmp_path).items()}
    assert 5 <= len(stored) < 300 and all(lines[-1]["ended"] in ("found", "cap") for lines in stored.values())
    if number != signal.SIGKILL:
        assert "searches are recorded. The same command continues" in said
        assert process.returncode == {signal.SIGTERM: 143, signal.SIGINT: -signal.SIGINT}[number]
    while subprocess.run(["pgrep", "-s", str(process.pid)], capture_output=True, check=False).stdout:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    opened([table], "random,evolution", seeds=2)
    assert all(without_times(journals(tmp_path)[name]) == lines for name, lines in stored.items())


def test_controllers_are_read_with_their_settings():
    found = parse_controllers(
        "random, guided:plan=rollouts,uncertainty=0,local:restart=true,uct:exploration=0.5,evolution"
    )
    assert [choice.label for choice in found] == [
        "random",
        "guided:plan=rollouts,uncertainty=0",
        "local:restart=true",
        "uct:exploration=0.5",
        "evolution",
    ]
    assert found[1].settings == (("plan", "rollouts"), ("uncertainty", 0)) and found[2].settings == (("restart", True),)
    assert len({choice.folder for choice in found}) == 5 and ":" not in "".join(choice.folder for choice in found)
    assert parse_controllers("") == ()
    assert parse_controllers("random") == (ControllerChoice("random"),)


@pytest.mark.parametrize(
    "text, part",
    [
        ("rnd", "'rnd'"),
        ("random,random", "twice"),
        ("a=1,random", "'a=1'"),
        ("uct:exploration", "'exploration'"),
        ("uct:exploration=", "'exploration='"),
        ("uct:exploration=1,exploration=2", "each once"),
        ("uct:", "''"),
    ],
)
def test_an_unreadable_list_of_controllers_is_named(text, part):
    with pytest.raises(ValueError, match="`controllers`") as caught:
        parse_controllers(text)
    assert part in str(caught.value)


def test_tables_are_read_with_their_columns(tmp_path):
    found = parse_table(
        "'my table.csv.gz' code=arch signal=valid where=repeat=0 where=epochs=4 epochs=12 same_signal_and_report=true",
        tmp_path,
    )
    assert (
        found.path == str(tmp_path / "my table.csv.gz")
        and found.where == (("repeat", "0"), ("epochs", "4"))
        and found.epochs == 12
    )
    assert found.same_signal_and_report is True and found.name == "my-table-0-4-12epochs-valid"
    assert "path" not in found.description() and found.description()["file"] == "my table.csv.gz"


@pytest.mark.parametrize(
    "text, part",
    [
        ("a.csv code=x", "`signal`"),
        ("a.csv signal=x colour=y", "'colour=y'"),
        ("a.csv signal=x signal=y", "'signal=y'"),
        ("a.csv 'signal=x", "No closing quotation"),
        ("a.csv signal=x epochs=many", "`epochs`"),
        ("a.csv signal=x name=../b", "`name`"),
        ("a.csv signal=x where=b", "COLUMN=VALUE"),
    ],
)
def test_an_unreadable_table_is_named(text, part):
    with pytest.raises(ValueError) as caught:
        parse_table(text)
    assert part in str(caught.value)


def test_targets_are_the_optimum_a_share_or_a_value():
    optima = [("optimum", 0.0), ("first-optimum", 0.0)]
    assert [parse_target(text) for text in ("optimum", "first-optimum", "0.001", ".5")] == [
        *optima,
        ("share", 0.001),
        ("share", 0.5),
    ]
    assert [parse_target(text) for text in ("94.0", ">=0.94", ">=1")] == [
        ("value", 94.0),
        ("value", 0.94),
        ("value", 1.0),
    ]
    for text in ("best", "1", "0", "-0.1", "true", ">=", ">=true", ">=nan", "inf"):
        with pytest.raises(ValueError, match="`target`"):
            parse_target(text)


def test_a_value_is_met_by_all_rows_that_reach_it_and_one_that_no_row_has_is_refused(table):
    loaded = load_table(table)
    value = float(np.sort(loaded.signal)[-7])
    assert (
        goal_rows(loaded, f">={value!r}") == set(np.flatnonzero(loaded.signal >= value))
        and len(goal_rows(loaded, f">={value!r}")) >= 7
    )
    trace = run_search(loaded, make(ControllerChoice("random"), loaded, 0), 256, goal_rows(loaded, f">={value!r}"))
    assert trace.ended == "found" and loaded.signal[trace.rows[-1]] >= value > loaded.signal[trace.rows[:-1]].max()
    with pytest.raises(ValueError, match="`target`. Expected at most the best signal"):
        check_study([table], [ControllerChoice("random")], [0], 10, "1.5")


def test_same_seed_same_search(table):
    loaded = load_table(table)
    for choice in parse_controllers("random,evolution,local,uct"):
        first, second, other = (run_search(loaded, make(choice, loaded, seed), 40).rows for seed in (1, 1, 2))
        assert first == second != other


REAL = {  # the 20th and two more of the sample are equally good
    "nasbench201_cifar.csv.gz": (
        "code=op_code signal=cifar10_test_200ep_mean report=cifar10_valid_200ep_seed",
        "optimum",
        15_625,
        2,
    ),
    "nasbench101_20k.npz": ("signal=val_acc_108 cost=train_time_108_s", "0.001", 20_001, 22),
    "ecnas_4v_5v.csv.gz": (
        "code=module_hash signal=val_acc report=test_acc cost=train_time_s where=table=5V9E repeats=mean",
        "optimum",
        2_532,
        1,
    ),
}


@pytest.mark.parametrize("name", REAL)
def test_real_tables_are_searched_and_their_goals_counted(name):
    words, target, rows, goals = REAL[name]
    table = load_table(parse_table(f"{real_table(name)} {words}"))
    ends = goal_rows(table, target)
    assert (len(table), len(ends)) == (rows, goals) and len(goal_rows(table, "first-optimum")) == 1
    found = [run_search(table, make(choice, table, 0), rows, ends) for choice in parse_controllers("random,local")]
    for trace in found:
        assert (
            trace.ended == "found"
            and trace.not_in_table == 0
            and trace.rows[-1] in ends
            and len(set(trace.rows)) == len(trace.rows)
        )


def test_any_controller_may_use_free_proxies_on_a_table_whose_cells_have_networks(tmp_path):
    (tmp_path / "cells.csv").write_text("code,signal\n333333,0.9\n000300,0.5\n111111,0.4\n")
    table = load_table(TableChoice(str(tmp_path / "cells.csv"), code="code", signal="signal", space="nasbench201"))
    (choice,) = parse_controllers("guided:proxies=depth+multiply_adds")
    space = make(choice, table, 0).strategy._space
    assert space.proxies.names == ("depth", "multiply_adds") and space.feature_groups()["proxies"]
    assert make(choice, table, 1).strategy._space is space  # one cache for all seeds
    for text, message in (
        ("ranked:proxies=naswot", "`proxies`. Expected names among parameters, multiply_adds, depth: .*'naswot'"),
        ("ranked:proxies=detph", "Did you mean 'depth'"),
    ):
        with pytest.raises(ValueError, match=message):
            make(parse_controllers(text)[0], table, 0)


def test_a_table_without_networks_has_no_proxies(table):
    with pytest.raises(ValueError, match="`proxies`. Expected none for this table. There is no network for a"):
        make(parse_controllers("ranked:proxies=depth")[0], load_table(table), 0)

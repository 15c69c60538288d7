"""Tables with several signals, signals of which less is better, and limits."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from alphaxenas.command.table import main
from alphaxenas.tabular.choices import parse_controllers, parse_table
from alphaxenas.tabular.study import goal_rows, load_table, make, run_search
from alphaxenas.tabular.table_search import volume_share


@pytest.fixture
def table_file(tmp_path):
    """256 codes of four digits: accuracy rises with the digits, latency too, and most with the first."""
    lines = ["code,accuracy,latency"]
    for code in itertools.product(range(4), repeat=4):
        accuracy = 50 + 10 * np.log1p(sum(code)) + 0.1 * code[3]
        lines.append(f"{'-'.join(map(str, code))},{accuracy:.6f},{1 + 4 * code[0] + sum(code[1:])}")
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def opened(path, words):
    return load_table(parse_table(f"{path} code=code {words}"))


def test_of_a_minimised_signal_the_smallest_is_the_optimum(table_file):
    table = opened(table_file, "signal=min:latency")
    assert table.optimum == -1.0
    (row,) = goal_rows(table, "optimum")
    trace = run_search(table, make(parse_controllers("evolution")[0], table, 0), 256, {row})
    assert trace.ended == "found"


def test_limits_leave_nothing_else_to_be_searched(table_file):
    table = opened(table_file, "signal=accuracy at_most=latency=5")
    latency = table.measures["latency"]
    assert table.allowed.sum() == (latency <= 5).sum() > 0
    assert table.optimum == table.signal[latency <= 5].max() < table.signal.max()
    for name in ("random", "evolution", "local", "uct", "alphax", "guided", "guided:plan=tree", "static", "reinforce"):
        trace = run_search(table, make(parse_controllers(name)[0], table, 0), 30)
        assert (latency[trace.rows] <= 5).all(), name
        assert len(trace.rows) == 30 or trace.ended == "exhausted", name


def test_a_limit_that_no_row_holds_is_refused_with_the_least(table_file):
    with pytest.raises(ValueError, match="`at_most` latency. Expected at least 1, the least of the table"):
        opened(table_file, "signal=accuracy at_most=latency=0.5")


@pytest.mark.parametrize("name", ["random", "evolution:population=10", "guided", "uct", "guided:plan=enumerate"])
def test_searches_for_two_signals_find_a_front(table_file, name):
    table = opened(table_file, "signal=accuracy,min:latency")
    if "plan" in name:
        with pytest.raises(ValueError, match="Invalid setting"):
            make(parse_controllers(name)[0], table, 0)
        return
    trace = run_search(table, make(parse_controllers(name)[0], table, 0), 60, goal_rows(table, "optimum"))
    assert trace.ended == "cap" and len(set(trace.rows)) == 60
    assert volume_share(table, trace.rows) > {"guided": 0.995, "evolution:population=10": 0.95}.get(name, 0.85)
    assert volume_share(table, range(len(table))) == 1.0


def test_what_is_known_of_an_architecture_before_a_query_is_what_the_table_says(table_file):
    table = opened(table_file, "signal=accuracy,known:latency")
    for key, row in table.rows.items():
        told = table.objectives.known(table.space.parse(key))
        assert np.isnan(told[0]) and told[1] == table.vectors[row, 1] == -table.measures["latency"][row]
    plain = opened(table_file, "signal=accuracy,min:latency")
    assert np.isnan(plain.objectives.known(plain.space.parse(key))).all()
    assert (plain.vectors == table.vectors).all()
    trace = run_search(table, make(parse_controllers("guided")[0], table, 0), 40)
    assert volume_share(table, trace.rows) > 0.99


@pytest.mark.parametrize(
    "words, said",
    [
        ("signal=accuracy,accuracy", "different columns"),
        ("signal=accuracy,min:latenzy", "Did you mean 'latency'"),
        ("signal=accuracy at_most=latency", "COLUMN=NUMBER"),
        ("signal=accuracy at_most=latency=-1", "COLUMN=NUMBER"),
        ("signal=accuracy at_most=latenzy=3", "Did you mean 'latency'"),
        ("signal=,", "different columns"),
        ("signal=known:latency,accuracy", "first a column that only queries tell"),
        ("signal=accuracy,known:latenzy", "Did you mean 'latency'"),
    ],
)
def test_bad_words_are_refused_before_any_search(table_file, words, said):
    with pytest.raises(ValueError, match=said):
        opened(table_file, words)


def test_the_command_reports_the_hypervolume(table_file, tmp_path, capsys):
    folders = ["--exp-dir", str(tmp_path / "exp"), "--tensorboard-dir", str(tmp_path / "events")]
    words = ["--table", str(table_file), "--code", "code", "--signal", "accuracy,min:latency", "--seeds", "2"]
    assert main([*words, "--cap", "20", "--controllers", "random,guided", "--processes", "1", *folders]) == 0
    printed = capsys.readouterr()
    shares = json.loads(printed.out.splitlines()[-1])["hypervolume"]
    assert shares["guided"][0] > shares["random"][0] > 0
    assert "share of the hypervolume" in printed.err

"""`alphaxenas table` on tables of the test's own making: what it prints, stores and refuses."""

import json
import os
import subprocess
import sys

import pytest

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.runs import RunFolder
from tests.tabular.test_study import write_table


def command(folder, *words, table="mine.csv", columns=("--code", "arch", "--signal", "valid"), cwd=None):
    """The command in a process of its own; `(exit code, stdout, stderr)`."""
    places = ["--exp-dir", str(folder / "exp"), "--tensorboard-dir", str(folder / "events")]
    process = subprocess.run(
        [
            sys.executable,
            "-m",
            "alphaxenas.command.main",
            "table",
            "--table",
            table,
            *columns,
            "--processes",
            "2",
            *places,
            *words,
        ],
        cwd=cwd or folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT_ROOT), *sys.path])},
    )
    return process.returncode, process.stdout, process.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("command")
    write_table(place / "mine.csv")
    return place


def test_an_unknown_table_is_searched_with_default_settings(folder):
    code, out, said = command(
        folder,
        "--report",
        "test",
        "--cost",
        "seconds",
        "--controllers",
        "random,evolution,local,uct",
        "--seeds",
        "3",
        "--cap",
        "300",
    )
    assert code == 0, said
    results = json.loads(out.splitlines()[-1])
    assert [each["controller"] for each in results["controllers"]] == ["random", "evolution", "local", "uct"]
    for each in results["controllers"]:
        assert (
            each["seeds"] == 3
            and each["found"] == 1.0
            and 1 <= each["mean"] <= 256
            and each["interval"][0] <= each["mean"] <= each["interval"][1]
        )
        assert each["seconds"] > 0 and each["median"] > 0
    assert "random search" in said and "95 % interval" in said
    stored = json.loads((folder / "exp" / "sample-mine-valid" / "study" / "results.json").read_text())
    assert stored == results and results["headline"].startswith("mine-valid: ") and str(folder) not in out


def test_the_same_command_shows_what_is_stored_and_other_parameters_are_refused(folder):
    words = ("--controllers", "random", "--seeds", "2", "--cap", "300", "--run", "again")
    first, second = command(folder, *words), command(folder, *words)
    assert first[0] == second[0] == 0 and first[1] == second[1]
    code, out, said = command(folder, "--controllers", "random", "--seeds", "2", "--cap", "200", "--run", "again")
    assert code == 2 and "`cap` is stored as 300, now 200" in said and out == ""
    assert (
        command(folder, "--controllers", "random", "--seeds", "1", "--cap", "200", "--run", "again", "--overwrite")[0]
        == 0
    )


def test_a_top_share_and_rows_by_value(folder):
    lines = (folder / "mine.csv").read_text().splitlines()
    both = [f"{lines[0]},repeat", *(f"{line},{repeat}" for repeat in (0, 1) for line in lines[1:])]
    (folder / "repeats.csv").write_text("\n".join(both) + "\n")
    words = ("--controllers", "random,local", "--seeds", "2", "--target", "0.05", "--cap", "300")
    code, out, said = command(folder, *words, "--where", "repeat=1", table="repeats.csv")
    assert code == 0, said
    assert all(each["mean"] < 150 for each in json.loads(out.splitlines()[-1])["controllers"])
    code, _, said = command(folder, *words, table="repeats.csv")
    assert code == 2 and "repeats.csv, row 257, column 'arch'" in said


BAD = {
    "duplicate": ("aa,0.5,0.5\nab,0.6,0.6\naa,0.7,0.7\n", (), ["row 3", "'arch'", "aa"]),
    "ragged": ("aa,0.5,0.5\nabc,0.6,0.6\n", (), ["row 2", "'arch'", "abc"]),
    "text": ("aa,0.5,0.5\nab,high,0.6\n", (), ["row 2", "'valid'", "high"]),
    "empty": ("aa,0.5,0.5\nab,,0.6\n", (), ["row 2", "'valid'"]),
    "nan": ("aa,0.5,0.5\nab,nan,0.6\n", (), ["row 2", "'valid'", "nan"]),
    "no report": ("aa,0.5,0.5\nab,0.5,\n", ("--report", "test"), ["row 2", "'test'"]),
    "column": ("aa,0.5,0.5\n", ("--report", "tset"), ["tset", "test"]),
    "same": ("aa,0.5,0.5\nab,0.6,0.6\n", ("--report", "valid"), ["`report`", "`signal`", "`same_signal_and_report`"]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_is_named_with_file_row_and_column_before_any_search(name, tmp_path):
    lines, words, parts = BAD[name]
    (tmp_path / "bad.csv").write_text("arch,valid,test\n" + lines)
    code, out, said = command(tmp_path, "--controllers", "random", "--seeds", "1", *words, table="bad.csv")
    assert code == 2 and out == "" and "Traceback" not in said
    for part in [*parts, *(["bad.csv"] if name != "same" else [])]:
        assert part in said, said
    assert not (tmp_path / "exp").exists()


@pytest.mark.parametrize(
    "words, part",
    [
        (("--controllers", "rnd"), "`controllers`"),
        (("--target", "2"), "`target`"),
        (("--cap", "0"), "`cap`"),
        (("--seeds", "0"), "`seeds`"),
        (("--processes", "-1"), "`processes`"),
        (("--where", "valid"), "`where`"),
        (("--space", "nasbench301"), "`space`"),
        (("--controllers", "uct:exploration=-1"), "`exploration`"),
        (("--controllers", "uct:colour=red"), "colour"),
    ],
)
def test_a_bad_argument_is_named(folder, words, part):
    code, out, said = command(folder, "--run", "bad", *words)
    assert code == 2 and out == "" and part in said and "Traceback" not in said
    assert not (folder / "exp" / "bad").exists()


def test_a_stored_study_survives_a_command_that_is_refused(folder):
    words = ("--controllers", "random", "--seeds", "1", "--cap", "5", "--run", "kept")
    assert command(folder, *words)[0] == 0
    kept = folder / "exp" / "kept" / "study"
    before = (kept / "results.json").read_bytes()
    code, _, said = command(folder, *words, "--processes", "-1", "--overwrite")
    assert code == 2 and "`processes`. Expected a whole number >= 1. Received: -1" in said
    assert (kept / "results.json").read_bytes() == before
    with RunFolder.open("kept", "study", {"cap": 5, "target": "optimum"}, folder / "exp", folder / "events"):
        code, _, said = command(folder, *words)
    assert code == 2 and "is in use by process" in said and "Traceback" not in said
    (kept / "run.json").write_text("{")
    code, _, said = command(folder, *words)
    assert code == 2 and "run.json is damaged" in said and "Traceback" not in said


def test_a_table_that_is_not_there_is_named(tmp_path):
    code, _, said = command(tmp_path, table="nowhere.csv")
    assert code == 2 and "nowhere.csv" in said


def test_regret_after_so_many_queries_falls_and_is_refused_for_less_than_one(folder):
    words = ("--controllers", "random,local", "--seeds", "3", "--cap", "300", "--run", "regret")
    code, out, said = command(folder, *words, "--regret", "1,20,300")
    assert code == 0, said
    regret = json.loads(out.splitlines()[-1])["regret"]
    for label in ("random", "local"):
        (first, *_), (later, low, high), (last, *_) = (regret[queries][label] for queries in ("1", "20", "300"))
        assert first > later >= last == 0 and low <= later <= high
    code, _, said = command(folder, *words, "--regret", "0")
    assert code == 2 and "`--regret`" in said

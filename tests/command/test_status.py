"""`alphaxenas status`: what it says of a run at work, of a finished one and of one that ended badly."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta

import pytest

from alphaxenas.command import main as command
from alphaxenas.config import PROJECT_ROOT
from alphaxenas.runs import Journal, RunFolder
from alphaxenas.runs.status import run_status, status_text
from tests.faults.harness import play, records
from tests.faults.toy import __file__ as TOY


def record(number, finished, purpose="search", epochs=1, **more):
    metrics = more.pop("metrics", {})
    return {
        "trial": number, "purpose": purpose, "epochs": epochs, "metrics": metrics, "best": 0.5 + number / 1000,
        "seconds": 30.0, "finished_at": finished.isoformat(timespec="seconds"), "elapsed": 15.0 * (number + 1), **more,
    }  # fmt: skip


def open_run(folder, **parameters):
    return RunFolder.open("long", "random-seed0", parameters, folder, folder / "events", limits=tuple(parameters))


def test_a_run_at_work_shows_trials_best_rate_expected_end_and_memory(tmp_path):
    begin = datetime(2026, 1, 1).astimezone()
    with open_run(tmp_path, trials=100) as folder:
        for number in range(40):
            cached = {"cached": 1.0} if number % 4 == 3 else {}
            folder.journal.append(record(number, begin + timedelta(seconds=30 * number), metrics=cached))
        (status,) = run_status(tmp_path / "long")
        text = status_text(tmp_path / "long")
    assert status.state == "working" and (status.trials, status.trained) == (40, 30)
    assert status.seconds_per_trial == 30 and status.seconds_left == pytest.approx(70 * 30 * 40 / 30)
    assert status.memory_mib > 10 and status.process.startswith(f"process {os.getpid()} on ") and status.advice == ""
    assert "0.5390" in text and " 120 " in text and "MiB" in text


@pytest.mark.parametrize(
    "limits, left",
    [
        ({"iterations": 10}, 5 * 2 * 30),
        ({"max_minutes": 10}, 600 - 10 * 15),  # two workers: ten trials of 30 seconds in 150
        ({"trials": 12, "iterations": 10}, 60),
        ({}, None),
    ],
)
def test_the_first_limit_ends_a_run(tmp_path, limits, left):
    begin = datetime(2026, 1, 1).astimezone()
    with open_run(tmp_path, **limits) as folder:
        for number in range(10):
            purpose = "final" if number % 2 else "search"
            folder.journal.append(record(number, begin + timedelta(seconds=30 * number), purpose))
        assert run_status(tmp_path / "long")[0].seconds_left == left


@pytest.mark.parametrize("untrained", [{"status": "refused"}, {"purpose": "refresh"}, {"epochs": 0}])
def test_what_the_coach_does_not_count_as_trained_does_not_bring_the_end_nearer(tmp_path, untrained):
    begin = datetime(2026, 1, 1).astimezone()
    with open_run(tmp_path, trials=100) as folder:
        for number in range(10):
            more = untrained if number % 2 else {"status": "ok"}
            folder.journal.append(record(number, begin + timedelta(seconds=30 * number), **more))
        (status,) = run_status(tmp_path / "long")
    assert status.trained == 5 and status.seconds_left == pytest.approx(95 * 30 * 2)


def test_a_clock_that_jumped_back_leaves_the_rate_to_the_trials_own_seconds(tmp_path):
    begin = datetime(2026, 1, 1).astimezone()
    with open_run(tmp_path, trials=100) as folder:
        for number in range(10):
            folder.journal.append(record(number, begin - timedelta(days=number)))
        assert run_status(tmp_path / "long")[0].seconds_per_trial == 30


def start(folder, trials=400, seconds=0.2):
    return subprocess.Popen([sys.executable, TOY, str(folder), str(trials), str(seconds)], stderr=subprocess.DEVNULL)


def wait_for(folder, count):
    deadline = time.monotonic() + 60
    while len(records(folder)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_run_is_told_from_one_at_work_one_stopped_and_one_finished(tmp_path, capsys):
    process, folder = start(tmp_path), tmp_path / "toy"
    wait_for(tmp_path, 2)
    (status,) = run_status(folder)
    assert status.state == "working" and status.process.startswith(f"process {process.pid} ") and status.memory_mib > 5
    assert command.main(["status", str(folder)]) == 0
    process.kill()
    process.wait()
    assert command.main(["status", str(folder)]) == 1
    said = capsys.readouterr().out
    assert "search ended badly (killed without a word" in said
    assert re.search(r"Run the same command again: it continues after \d+ records", said)
    process = start(tmp_path)
    wait_for(tmp_path, len(records(tmp_path)) + 1)
    process.send_signal(signal.SIGTERM)
    process.wait()
    (status,) = run_status(folder)
    assert status.state == "stopped" and "SIGTERM received" in status.advice


def test_a_finished_run_shows_what_it_concluded(tmp_path, capsys):
    play(tmp_path, trials=4)
    assert command.main(["status", str(tmp_path / "toy")]) == 0
    said = capsys.readouterr().out
    assert "finished" in said and "search: best validation accuracy" in said


@pytest.mark.parametrize(
    "error, first", [("OSError: No space left on device", "make room"), ("MemoryError: x", "choose smaller batches")]
)
def test_what_to_do_follows_from_the_last_error(tmp_path, error, first):
    with open_run(tmp_path) as folder:
        folder.log(f"trial 3 ended in {error}; the same command continues there")
    (status,) = run_status(tmp_path / "long")
    assert status.state == "ended badly" and f"First {first}" in status.advice
    with open_run(tmp_path) as folder:
        folder.log("continued after 3 trials")
    assert "killed without a word" in run_status(tmp_path / "long")[0].advice, "the old error was not the end"


def test_no_run_is_refused_naming_those_that_there_are(tmp_path, capsys):
    play(tmp_path, trials=1)
    assert command.main(["status", str(tmp_path / "tyo")]) == 2
    assert "Received" in (error := capsys.readouterr().err) and "Stored are: toy" in error
    with pytest.raises(SystemExit):
        command.main(["status", str(tmp_path / "toy"), "--watch", "0"])


def test_fifty_thousand_trials_are_counted_within_a_second_and_without_tensorflow(tmp_path):
    with open_run(tmp_path, trials=100_000):
        line = json.dumps(record(7, datetime.now().astimezone(), architecture="x" * 500)).encode() + b"\n"
        (tmp_path / "long" / "random-seed0" / "trials.jsonl").write_bytes(line * 50_000)
        code = (
            "import sys; from alphaxenas.command.main import main; code = main(sys.argv[1:]); import time\n"
            "heavy = {'tensorflow', 'matplotlib', 'sklearn'} & sys.modules.keys()\n"
            "print(time.process_time(), sorted(heavy)); sys.exit(code)"
        )
        words = [sys.executable, "-c", code, "status", str(tmp_path / "long")]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
        done = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
    seconds, heavy = done.stdout.splitlines()[-1].split(" ", 1)
    assert "50,000" in done.stdout and heavy == "[]" and float(seconds) < 1.0


def test_journal_lines_that_are_being_written_are_not_counted(tmp_path):
    with open_run(tmp_path, trials=10) as folder:
        folder.journal.append(record(0, datetime.now().astimezone()))
        with open(folder.journal.path, "ab") as file:
            file.write(b'{"trial": 1, "purp')
        assert run_status(tmp_path / "long")[0].trials == 1
    assert len(Journal(tmp_path / "long" / "random-seed0" / "trials.jsonl").read()) == 1

"""kill -9 at every single disk operation, then the same call: the journal equals that of an uninterrupted run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.faults import toy
from tests.faults.harness import apart, assert_same_run, killed_everywhere, killed_repeatedly, play, records

TRIALS = 4
TOY = Path(toy.__file__)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    play(folder, trials=TRIALS)
    return folder


@pytest.fixture(scope="module")
def long_reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    play(folder, trials=12)
    return folder


def curves(folder):
    accumulator = EventAccumulator(str(folder / "events" / "toy" / "search"), size_guidance={"scalars": 0}).Reload()
    return {
        tag: [(event.step, event.value) for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
        if tag != "seconds/child"
    }


@pytest.mark.parametrize("checkpoint_every", [1, 3])
def test_killed_at_any_disk_operation_the_continued_run_equals_the_uninterrupted_one(
    tmp_path, reference, checkpoint_every
):
    assert apart(killed_everywhere, tmp_path, reference, TRIALS, checkpoint_every) > 40, (
        "a run has more disk operations than that"
    )


def test_killed_again_and_again_it_still_ends_with_the_same_journal_curves_and_state(tmp_path, long_reference):
    assert apart(killed_repeatedly, tmp_path, 12) > 5
    assert_same_run(tmp_path, long_reference)
    assert curves(tmp_path) == curves(long_reference)
    states = [
        np.load(sorted((folder / "toy" / "search" / "checkpoints").glob("*.npz"))[-1])
        for folder in (tmp_path, long_reference)
    ]
    assert set(states[0].files) == set(states[1].files)
    assert all((states[0][name] == states[1][name]).all() for name in states[0].files if name != "json")


def start(folder, *words):
    return subprocess.Popen(
        [sys.executable, str(TOY), str(folder), *map(str, words)], stderr=subprocess.PIPE, text=True
    )


def wait_for_trials(folder, count, process):
    deadline = time.monotonic() + 120  # a busy machine is no fault of the code
    while len(records(folder)) < count:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)


def test_a_real_process_killed_at_odd_times_continues(tmp_path, long_reference):
    for count in (1, 6, 11):
        process = start(tmp_path, 12, 0.05)
        wait_for_trials(tmp_path, count, process)
        process.kill()
        process.communicate()
    process = start(tmp_path, 12)
    process.communicate()
    assert process.returncode == 0
    assert_same_run(tmp_path, long_reference)


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_the_child_finish_saves_says_how_to_go_on_and_exits(tmp_path, long_reference, number, code):
    process = start(tmp_path, 12, 0.3)
    wait_for_trials(tmp_path, 5, process)
    time.sleep(0.1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (code if number == signal.SIGTERM else -signal.SIGINT)
    assert "The same command continues the run" in errors
    assert f"{len(records(tmp_path))} trials are recorded" in errors
    assert len(records(tmp_path)) == 6, "the child in training was finished and recorded"
    assert "received" in (tmp_path / "toy" / "log.txt").read_text()
    play(tmp_path, trials=12)
    assert_same_run(tmp_path, long_reference)


def test_after_the_grace_period_a_long_child_is_given_up(tmp_path, reference):
    code = f"""
import sys, time; sys.path.insert(0, {str(TOY.parent)!r}); import toy
class Clock:
    def sleep(self, seconds): open({str(tmp_path / "training")!r}, "w").close(); time.sleep(seconds)
toy.time = Clock()
toy.play({str(tmp_path)!r}, {TRIALS}, 60.0, grace_seconds=0.3)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120  # a busy machine is no fault of the code
    while not (tmp_path / "training").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)  # far less than the 60 s of the child
    assert process.returncode == 143
    assert "given up" in errors
    play(tmp_path, trials=TRIALS)
    assert_same_run(tmp_path, reference)


def test_two_processes_never_share_a_run(tmp_path):
    first = start(tmp_path, 400, 0.3)  # long enough to be still at it when the second has started on a busy machine
    wait_for_trials(tmp_path, 1, first)
    second = start(tmp_path, 400)
    _, errors = second.communicate(timeout=120)
    assert second.returncode == 1 and f"in use by process {first.pid}" in errors
    first.kill()
    first.communicate()
    assert os.path.exists(tmp_path / "toy" / "search" / "run.json")

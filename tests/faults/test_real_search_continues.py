"""A real search (AlphaXENAS, shared weights, digits), killed with kill -9 and started again, writes the journal of one
never killed.
"""

import json
import os
import signal
import subprocess
import sys
import time

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.runs.journal import same_record

SCRIPT = """
import sys
from alphaxenas.config import from_values
from alphaxenas.pipelines.search import search
config = from_values({
    "run": "killed", "exp_dir": sys.argv[1] + "/exp", "tensorboard_dir": sys.argv[1] + "/events",
    "fraction": 0.3, "blocks": 2,
    "filters": 4, "cells": 2, "reductions": 1, "trials": 7, "search_children": 2,
    "final_epochs": 2, "num_simulations": 6,
    "refresh_after": 2, "warmup_iterations": 1, "lstm_steps": 5, "lstm_units": 16,
})
search(config, "alphaxenas", 0)
"""


def start(folder):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], env=environment, stderr=subprocess.DEVNULL)


def journal(folder):
    path = folder / "exp/killed/alphaxenas-seed0/trials.jsonl"
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []


def test_killed_search_continues_bit_for_bit(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole).wait(timeout=300) == 0
    for after in (2, 5):
        process = start(killed)
        deadline = time.monotonic() + 120
        while len(journal(killed)) < after and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 5 <= len(journal(killed)) < len(journal(whole))
    assert start(killed).wait(timeout=300) == 0
    assert len(journal(killed)) == len(journal(whole))
    for one, two in zip(journal(whole), journal(killed)):
        assert same_record(one, two), (one, two)

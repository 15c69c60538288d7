"""The final training on two machines, here two processes of this one: the curve of one machine, also when continued."""

import json
import socket
import subprocess
import sys

import pytest

from alphaxenas.config import PROJECT_ROOT, ParameterError, from_values

SCRIPT = """
import json, sys
from alphaxenas.networks.devices import prepare_tensorflow
from alphaxenas.config import from_values
from alphaxenas.pipelines.final import train_best
values, stop = json.loads(sys.argv[1]), int(sys.argv[2])
prepare_tensorflow(1)
if stop:
    # As a kill after so many epochs, on all machines.
    import os
    from alphaxenas.runs.resume import ResumableLoop
    plain = ResumableLoop.leave_if_requested
    def leave(self):
        if len(self.records) == stop:
            os._exit(9)
        plain(self)
    ResumableLoop.leave_if_requested = leave
train_best(from_values(values))
"""


def values(folder, **more):
    fixed = {"architecture": "prev:conv3x3 + prev2:identity", "train_filters": 4, "train_cells": 2, "fraction": 0.1}
    fixed |= {"train_reductions": 1, "train_epochs": 3, "train_batch_size": 32, "threads": 1}
    return {**fixed, "exp_dir": str(folder), "tensorboard_dir": str(folder / "events"), **more}


def trained(folder, machines=1, stop=0):
    """Trains on so many machines; the exit codes."""
    more = [{}]
    if machines > 1:
        ports = []
        for _ in range(machines):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                ports.append(free.getsockname()[1])
        names = [f"127.0.0.1:{port}" for port in ports]
        more = [{"train_machines": names, "train_machine": number} for number in range(machines)]
    commands = [[sys.executable, "-c", SCRIPT, json.dumps(values(folder, **each)), str(stop)] for each in more]
    running = [subprocess.Popen(command, cwd=PROJECT_ROOT, stderr=subprocess.PIPE, text=True) for command in commands]
    errors = [process.communicate(timeout=900)[1] for process in running]
    return [process.returncode for process in running], errors


def curve(folder):
    lines = (folder / "quick" / "final" / "trials.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


@pytest.mark.slow
def test_two_machines_have_the_curve_of_one_and_go_on_where_they_ended(tmp_path):
    codes, errors = trained(tmp_path / "one")
    assert codes == [0], errors[0][-2000:]
    codes, errors = trained(tmp_path / "two", 2, stop=1)
    assert 9 in codes, errors
    codes, errors = trained(tmp_path / "two", 2)
    assert codes == [0, 0], "".join(error[-2000:] for error in errors)
    assert len(curve(tmp_path / "one")) == 3
    assert curve(tmp_path / "two") == pytest.approx(curve(tmp_path / "one"), abs=2e-4)
    results = json.loads((tmp_path / "two" / "quick" / "final" / "results.json").read_text())
    assert results["models"][0]["epochs"] == 3


def test_machines_are_named_by_host_and_port():
    with pytest.raises(ParameterError, match="`train_machine`. Expected less than the number of train_machines .0."):
        from_values({"train_machine": 1})
    with pytest.raises(ParameterError, match="train_machines"):
        from_values({"train_machines": ["10.0.0.1"]})

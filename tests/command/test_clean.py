"""`alphaxenas clean`: lists what aborted runs left, deletes it when asked to, and never what a run continues from."""

import fcntl
import os
import signal
import subprocess
import sys

import pytest

from alphaxenas.command import main as command
from alphaxenas.command.clean import delete
from alphaxenas.runs import RunFolder
from alphaxenas.runs.folder import take_lock
from tests.faults.harness import apart, assert_same_run, play, play_until_killed


@pytest.fixture
def aborted(tmp_path):
    assert apart(play_until_killed, tmp_path, 50, trials=6)
    stage = tmp_path / "toy" / "search"
    (tmp_path / "toy" / "notebooks").mkdir()
    (tmp_path / "toy" / "notebooks" / "02_search.running.ipynb").write_text('{"cells": [')
    (stage / "checkpoints" / ".step-000000009-0123456789abcdef.npz.tmp").write_bytes(b"half")
    (stage / "checkpoints" / "step-000000009-0123456789abcdef.npz").write_bytes(b"damaged")
    return tmp_path


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_leftovers_are_listed_and_nothing_is_touched_without_yes(aborted, capsys):
    before = files(aborted)
    assert command.main(["clean", str(aborted / "toy")]) == 0
    said = capsys.readouterr().out
    for part in (".npz.tmp  (a write", "a damaged checkpoint", "never finished", ".lock  (the lock", "--yes deletes"):
        assert part in said
    assert files(aborted) == before


def test_what_is_deleted_is_exactly_what_was_listed_and_the_run_continues_as_if_never_interrupted(
    aborted, tmp_path_factory
):
    before = files(aborted)
    assert command.main(["clean", str(aborted / "toy"), "--yes"]) == 0
    gone = {name.removeprefix("toy/") for name in before - files(aborted)}
    assert gone >= {
        "notebooks/02_search.running.ipynb",
        "search/.lock",
        "search/checkpoints/.step-000000009-0123456789abcdef.npz.tmp",
        "search/checkpoints/step-000000009-0123456789abcdef.npz",
    }
    assert all(".tmp" in name or "running" in name or ".lock" in name or "000000009" in name for name in gone)
    whole = tmp_path_factory.mktemp("whole")
    play(whole, trials=6)
    play(aborted, trials=6)
    assert_same_run(aborted, whole)


def test_a_run_at_work_is_left_alone(tmp_path, capsys):
    with RunFolder.open("suite", "search", {}, tmp_path, tmp_path / "events") as folder:
        (folder.path / "checkpoints" / ".half.tmp").write_bytes(b"half")
        assert command.main(["clean", str(tmp_path / "suite"), "--yes"]) == 0
        (folder.path / "models" / "cell").mkdir(parents=True)
        (folder.path / "models" / "cell" / ".net.onnx.partial").write_bytes(b"half")
        assert command.main(["clean", str(tmp_path / "suite"), "--yes"]) == 0
        assert (folder.path / "checkpoints" / ".half.tmp").exists() and "nothing to clean" in capsys.readouterr().out
        assert delete([folder.path / "models" / "cell" / ".net.onnx.partial"])[0].endswith("begun to work there")
    assert command.main(["clean", str(tmp_path / "suite"), "--yes"]) == 0
    assert not {name for name in files(tmp_path) if "half" in name or "partial" in name}


def test_half_downloads_go_unless_one_is_going_on(tmp_path):
    (tmp_path / "cifar.tar.gz.part").write_bytes(b"half")
    (tmp_path / ".cifar.part" / "images").mkdir(parents=True)
    (tmp_path / ".cifar.part" / "images" / ".one.tmp").write_bytes(b"half")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    command.main(["clean", str(tmp_path), "--yes"])
    assert len(files(tmp_path)) == 2
    assert all("begun to work" in failed for failed in delete([*tmp_path.iterdir()]))
    os.close(descriptor)
    assert command.main(["clean", str(tmp_path), "--yes"]) == 0
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path, capsys):
    assert command.main(["clean", str(tmp_path / "no")]) == 2 and str(tmp_path / "no") in capsys.readouterr().err


def test_a_lock_file_that_was_deleted_while_one_waited_for_it_is_not_taken_for_a_lock(tmp_path):
    """The waiting process must lock the file that is there now, or two would work on one run."""
    code = (
        "import fcntl, os, sys, time\nlock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\nprint('locked', flush=True)\ntime.sleep(0.5)\n"
        "os.unlink(sys.argv[1])\ntime.sleep(0.1)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / ".lock")], stdout=subprocess.PIPE)
    assert holder.stdout.readline()
    lock = take_lock(tmp_path)
    assert os.path.samestat(os.fstat(lock), os.stat(tmp_path / ".lock"))
    os.close(lock)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()

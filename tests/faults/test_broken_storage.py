"""Full disks, torn lines and flipped bits: a clear message, nothing lost, the same journal in the end."""

import errno
import logging
import os
import subprocess
from contextlib import ExitStack

import pytest

from alphaxenas.runs import RunMismatch, StorageError
from tests.faults import toy
from tests.faults.harness import apart, assert_same_run, intercepted, play, play_until_killed, records

TRIALS = 6


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    play(folder, trials=TRIALS)
    return folder


@pytest.fixture
def interrupted(tmp_path):
    assert apart(play_until_killed, tmp_path, 50, trials=TRIALS)
    assert 2 <= len(records(tmp_path)) < TRIALS
    return tmp_path


def checkpoints(folder):
    return sorted((folder / "toy" / "search" / "checkpoints").glob("step-*.npz"))


def test_a_torn_journal_line_is_measured_again(interrupted, reference):
    journal = interrupted / "toy" / "search" / "trials.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    play(interrupted, trials=TRIALS)
    assert_same_run(interrupted, reference)


def truncated(data):
    return data[: len(data) // 3]


def flipped(data):
    return data[:200] + bytes([data[200] ^ 1]) + data[201:]


@pytest.mark.parametrize("damage", [truncated, flipped])
@pytest.mark.parametrize("how_many", [1, 2])
def test_damaged_checkpoints_are_named_and_the_run_is_the_same(interrupted, reference, damage, how_many, caplog):
    for path in checkpoints(interrupted)[-how_many:]:
        path.write_bytes(damage(path.read_bytes()))
        named = path
    with caplog.at_level(logging.WARNING):
        play(interrupted, trials=TRIALS)
    assert str(named) in caplog.text
    assert_same_run(interrupted, reference)


def test_every_disk_operation_may_find_the_disk_full(tmp_path, reference):
    number, full = 1, True

    def refuse(real, arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    while full:
        folder, full = tmp_path / str(number), False
        with ExitStack() as stack:
            for patch in intercepted(number, refuse):
                stack.enter_context(patch)
            try:
                play(folder, trials=TRIALS)
            except OSError as error:
                full = True
                assert error.errno == errno.ENOSPC and "o space left" in str(error)
        play(folder, trials=TRIALS)
        assert_same_run(folder, reference)
        number += 1
    assert number > 60


def test_a_really_full_disk(tmp_path, reference):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=28k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small file system")
    try:
        with pytest.raises(StorageError, match="No space left on the device.*run the same command again"):
            play(small, trials=TRIALS)
        assert len(records(small)) < TRIALS
        subprocess.run(["mount", "-o", "remount,size=1m", str(small)], check=True)
        play(small, trials=TRIALS)
        assert_same_run(small, reference)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_changed_parameter_is_refused_and_the_run_can_still_be_continued(interrupted, reference):
    with pytest.raises(RunMismatch, match="`seed` is stored as 0, now 1"):
        play(interrupted, trials=TRIALS, seed=1)
    play(interrupted, trials=TRIALS)
    assert_same_run(interrupted, reference)


class Unrepeatable(toy.DriftingEvaluator):
    """As a GPU may be: the same training ends elsewhere."""

    def evaluate(self, proposal):
        self.weights += 1e-9
        return super().evaluate(proposal)


def test_records_that_cannot_be_repeated_are_replaced_with_a_warning(tmp_path, monkeypatch, caplog):
    assert apart(play_until_killed, tmp_path, 50, trials=TRIALS, checkpoint_every=100)
    before = records(tmp_path)
    monkeypatch.setattr(toy, "DriftingEvaluator", Unrepeatable)
    with caplog.at_level(logging.WARNING):
        play(tmp_path, trials=TRIALS, checkpoint_every=100)
    after = records(tmp_path)
    assert "trial 0 came out differently" in caplog.text
    assert [record["trial"] for record in after] == list(range(len(after)))
    assert after[0]["tokens"] == before[0]["tokens"] and after[0]["reward"] != before[0]["reward"]

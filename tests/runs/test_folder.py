"""Run folders: one run, one writer, one set of parameters."""

import errno
import fcntl
import json
import os
import stat
import subprocess
import sys
import threading

import pytest

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.runs import RunFolder, RunInUse, RunMismatch, StorageError
from alphaxenas.runs import folder as folder_module
from alphaxenas.runs.resume import ResumableLoop


def opened(tmp_path, parameters=None, **more):
    return RunFolder.open(
        "quick", "random-seed0", parameters or {"seed": 0, "trials": 4}, tmp_path / "exp", tmp_path / "events", **more
    )


def of_revision(monkeypatch, revision):
    for module in ("description", "machine"):
        monkeypatch.setattr(f"alphaxenas.runs.{module}.git_revision", lambda: revision)


def test_run_json_says_what_is_needed_to_repeat_the_run(tmp_path):
    with opened(tmp_path) as run:
        record = json.loads((run.path / "run.json").read_text())
    assert record["parameters"] == {"seed": 0, "trials": 4} and record["seed"] == 0
    assert {"python", "numpy", "alphaxenas"} <= set(record["versions"]) and record["machine"]["cores"] >= 1
    assert {"revision", "created", "format"} <= set(record)


def test_opened_again_it_is_continued_and_run_json_stays(tmp_path):
    with opened(tmp_path) as run:
        run.journal.append({"trial": 0})
        before = (run.path / "run.json").read_bytes()
    with opened(tmp_path, {"seed": 0, "trials": 4}) as run:
        assert run.journal.read() == [{"trial": 0}]
        assert (run.path / "run.json").read_bytes() == before
        assert run.figures.is_dir()


def test_other_parameters_are_refused_naming_each_with_both_values_and_the_way_out(tmp_path):
    with opened(tmp_path, {"seed": 0, "trials": 4, "prior": "lstm"}) as run:
        run.journal.append({"trial": 0})
    with pytest.raises(RunMismatch) as caught:
        opened(tmp_path, {"seed": 1, "trials": 4, "prior": "uniform"})
    message = str(caught.value)
    assert "`seed` is stored as 0, now 1" in message and "`prior` is stored as 'lstm', now 'uniform'" in message
    assert "`trials`" not in message and "overwrite" in message
    opened(tmp_path, {"seed": 0, "trials": 4, "prior": "lstm"}).close()


def test_a_stage_that_was_refused_before_any_work_takes_the_corrected_parameters(tmp_path):
    with opened(tmp_path, {"workers": 64}) as run:
        loop = ResumableLoop(run, dict, lambda state: None)
        with pytest.raises(ValueError, match="too many"):
            loop.run(lambda: (_ for _ in ()).throw(ValueError("too many")))
        assert run.checkpoints.load() is not None
    with opened(tmp_path, {"workers": 2}) as run:
        assert json.loads((run.path / "run.json").read_text())["parameters"] == {"workers": 2}
        assert run.checkpoints.load() is None, "a state of other parameters is none of these"


@pytest.mark.parametrize(
    "work",
    [
        lambda run: run.journal.append({"trial": 0}),
        lambda run: run.write_results({"headline": "done"}),
        lambda run: run.checkpoints.save(1, {}),
        lambda run: run.checkpoints.save(0, {"elapsed": 60.0}),  # of a first record that takes long
        lambda run: (run.figures / "architecture.png").write_bytes(b"png"),
    ],
    ids=["journal", "results", "checkpoint", "first record in the making", "figure"],
)
def test_a_stage_that_holds_work_keeps_its_parameters(tmp_path, work):
    with opened(tmp_path, {"seed": 0}) as run:
        work(run)
    with pytest.raises(RunMismatch):
        opened(tmp_path, {"seed": 1})
    opened(tmp_path, {"seed": 0}).close()


def test_lists_and_tuples_are_the_same_parameter(tmp_path):
    opened(tmp_path, {"operations": ("a", "b")}).close()
    with opened(tmp_path, {"operations": ["a", "b"]}) as run:
        assert run.parameters == {"operations": ["a", "b"]}


def test_a_parameter_of_a_newer_version_does_not_lock_out_older_runs(tmp_path):
    opened(tmp_path, {"seed": 0}).close()
    with opened(tmp_path, {"seed": 0, "invented_later": 1}) as run:
        assert json.loads((run.path / "run.json").read_text())["parameters"] == {"seed": 0}


def test_a_run_continued_by_other_code_warns_and_records_it(tmp_path, monkeypatch, caplog):
    of_revision(monkeypatch, "aaa")
    opened(tmp_path, {"seed": 0}).close()
    opened(tmp_path, {"seed": 0}).close()
    assert not caplog.records
    of_revision(monkeypatch, "bbb")
    for _ in range(2):
        opened(tmp_path, {"seed": 0, "invented_later": 1}).close()
    (warning,) = caplog.records
    assert warning.levelname == "WARNING"
    assert (
        "begun by revision aaa and is continued by revision bbb" in warning.message and "invented_later" in caplog.text
    )
    with opened(tmp_path, {"seed": 0, "invented_later": 1}) as run:
        (note,) = json.loads((run.path / "run.json").read_text())["continued"]
        assert note["revision"] == "bbb" and note["new_parameters"] == {"invented_later": 1}
        run.write_results({"headline": "done"})
    of_revision(monkeypatch, "ccc")
    opened(tmp_path, {"seed": 0}).close()
    assert len(caplog.records) == 1, "a finished run is not continued"


def test_overwrite_starts_anew_with_records_and_event_file(tmp_path):
    with opened(tmp_path) as run:
        run.journal.append({"trial": 0})
        run.checkpoints.save(1, {})
        run.write_results({"headline": "old"})
        run.events.scalars(0, {"loss": 1})
    with opened(tmp_path, {"seed": 7}, overwrite=True) as run:
        assert run.journal.read() == [] and run.checkpoints.load() is None and run.read_results() is None
        assert not run.tensorboard_path.exists()
        assert json.loads((run.path / "run.json").read_text())["parameters"] == {"seed": 7}


def test_results_are_stored_and_missing_ones_are_none(tmp_path):
    with opened(tmp_path) as run:
        assert run.read_results() is None
        run.write_results({"headline": "0.9", "best": [1, 2]})
        assert run.read_results() == {"headline": "0.9", "best": [1, 2]}


def test_damaged_results_are_an_error_that_names_the_file(tmp_path):
    with opened(tmp_path) as run:
        (run.path / "results.json").write_text('{"headline": ')
        with pytest.raises(StorageError, match="results.json is damaged"):
            run.read_results()


def test_a_full_disk_leaves_the_old_results(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "full")

    with opened(tmp_path) as run:
        run.write_results({"headline": "old"})
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left.*results.json"):
            run.write_results({"headline": "new"})
        monkeypatch.undo()
        assert run.read_results() == {"headline": "old"}
        assert not list(run.path.glob(".*tmp"))


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EIO], ids=errno.errorcode.get)
def test_a_file_system_that_cannot_sync_folders_is_no_hindrance_but_a_broken_disk_is(tmp_path, monkeypatch, number):
    plain = os.fsync

    def of_files_alone(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        plain(descriptor)

    with opened(tmp_path) as run:
        monkeypatch.setattr(os, "fsync", of_files_alone)
        if number == errno.EIO:
            with pytest.raises(StorageError, match=r"results\.json could not be written"):
                run.write_results({"headline": "new"})
        else:
            run.write_results({"headline": "new"})
            assert run.read_results() == {"headline": "new"}


def test_the_log_has_one_line_per_message_for_the_whole_suite(tmp_path):
    with opened(tmp_path) as run:
        run.log("first\nmessage")
    with RunFolder.open("quick", "densenet", {}, tmp_path / "exp", tmp_path / "events") as run:
        run.log("second")
    lines = (tmp_path / "exp" / "quick" / "log.txt").read_text().splitlines()
    assert [line[20:] for line in lines] == ["[random-seed0] first message", "[densenet] second"]


def test_one_event_file_however_often_it_is_opened(tmp_path):
    for step in range(3):
        with opened(tmp_path) as run:
            run.event_start = step
            run.events.scalars(step, {"loss": step})
    assert len(list(run.tensorboard_path.iterdir())) == 1


@pytest.mark.parametrize("run, stage", [("../up", "a"), ("a", "b/c"), ("", "a"), ("a", ".hidden"), ("a", "")])
def test_names_that_leave_the_folder_are_refused(tmp_path, run, stage):
    with pytest.raises(ValueError, match="Invalid value for `(run|stage)`"):
        RunFolder.open(run, stage, {}, tmp_path, tmp_path)


def test_two_writers_are_refused_also_within_one_process(tmp_path):
    with opened(tmp_path), pytest.raises(RunInUse, match=f"in use by process {os.getpid()}"):
        opened(tmp_path)
    opened(tmp_path).close()


def test_a_look_at_the_lock_does_not_keep_a_process_from_its_own_run(tmp_path):
    opened(tmp_path).close()
    with open(tmp_path / "exp" / "quick" / "random-seed0" / ".lock") as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_SH)
        threading.Timer(0.1, fcntl.flock, (looked_at, fcntl.LOCK_UN)).start()
        with opened(tmp_path) as folder:
            assert folder.path.name == "random-seed0"


def test_two_processes_are_refused_and_a_dead_one_leaves_no_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_module, "LOCK_PATIENCE", 0.3)
    code = (
        "import sys, time; from alphaxenas.runs import RunFolder\n"
        f"run = RunFolder.open('quick', 'random-seed0', {{'seed': 0, 'trials': 4}}, "
        f"{str(tmp_path / 'exp')!r}, {str(tmp_path)!r})\n"
        "print('open', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(RunInUse, match=f"process {other.pid}"):
            opened(tmp_path)
    finally:
        other.kill()
        other.wait()
    opened(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "exp").write_text("a file in the way")
    with pytest.raises(StorageError, match="exp"):
        opened(tmp_path)

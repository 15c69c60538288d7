"""Everything that can be checked before any work is checked before any work, across all notebooks of a run."""

import errno
import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.config import PROJECT_ROOT, ParameterError, from_values
from alphaxenas.data.download import locked
from alphaxenas.networks.devices import count_devices
from alphaxenas.pipelines import early_checks, enas, nao, policy_gradient, recurrent, run_notebooks
from alphaxenas.pipelines.early_checks import check_before_work, config_of
from alphaxenas.pipelines.factory import load_images, search_space
from alphaxenas.pipelines.raters.rating import awaited_at_once
from alphaxenas.runs import RunFolder, RunMismatch
from alphaxenas.runs.status import is_held

ALL = tuple(f"{number:02}" for number in range(11))


@pytest.fixture
def place(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    np.savez(tmp_path / "own.npz", x=rng.integers(0, 256, (90, 12, 12), np.uint8), y=labels)
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "five.csv").write_text("arch,acc\nabc,0.5\nabd,0.6\n")
    return tmp_path


@pytest.fixture
def others(place):
    for run in ("other", "more"):
        RunFolder.open(run, "random-seed0", {}, place / "exp", place / "events").close()


def parameters(place, **more):
    own: dict = {"dataset": "arrays", "arrays_path": "PLACE/own.npz", "run": "mine"}
    own |= {"exp_dir": "PLACE/exp", "tensorboard_dir": "PLACE/events"} | more
    return {
        name: value.replace("PLACE", str(place)) if isinstance(value, str) else value for name, value in own.items()
    }


def test_what_is_possible_passes_and_leaves_nothing(place):
    before = sorted(path.name for path in place.iterdir())
    check_before_work(
        parameters(place, tables=["PLACE/five.csv code=arch signal=acc".replace("PLACE", str(place))]), ALL
    )
    assert sorted(path.name for path in place.iterdir()) == before


@pytest.mark.parametrize(
    ("notebooks", "more", "message"),
    [
        (("02", "04"), {"architecture": "darts_v3"}, "`architecture`.*Did you mean 'darts_v2'"),
        (("02", "04"), {"architecture": "darts_v2", "train_reductions": 1}, "`train_reductions`. Expected 2"),
        (("02", "04"), {"architecture": "darts_v2", "train_multiply_adds": 0.001}, "`train_multiply_adds`"),
        (("02", "04"), {"train_cutout": 16}, "`train_cutout`. Expected at most 12 for images of 12 x 12"),
        (("01", "02"), {"cutout": 13}, "`cutout`. Expected at most 12"),
        (("02",), {"crop_pad": 12}, "`crop_pad`. Expected at most 11"),
        (("02", "03"), {"dataset": "mnist", "arrays_path": "", "train_cutout": 29}, "`train_cutout`. Expected at most"),
        (("01", "04"), {}, "`architecture`. Expected one, because there is no finished search"),
        (("01", "02"), {"arrays_path": "PLACE/none.npz"}, r"`arrays_path`.*none\.npz"),
        (("01", "02"), {"validation_size": 80, "test_size": 20}, "none would be left for training"),
        (("01", "02"), {"tensorboard_dir": "PLACE/file"}, r"`tensorboard_dir`.*file is a file.*-p tensorboard_dir"),
        (("01",), {"exp_dir": "PLACE/file"}, "`exp_dir`.*is a file"),
        (("01",), {"exp_dir": "PLACE/file/deeper"}, "`exp_dir`.*is a file"),
        (("01",), {"exp_dir": "PLACE/" + 300 * "x"}, "`exp_dir`.*cannot hold it: File name too long.*-p exp_dir"),
        (("01",), {"exp_dir": "~nobody-lives-here/exp"}, "`exp_dir`. Expected a path.*~nobody-lives-here"),
        (("01",), {"exp_dir": "PLACE/circle/exp"}, "`exp_dir`"),
        (("01",), {"exp_dir": " "}, "`exp_dir`. Expected a path.*' '"),
        (("01",), {"tensorboard_dir": ""}, "`tensorboard_dir`. Expected a path.*''"),
        (("02", "06"), {"tables": ["none.csv code=a signal=b"]}, r"`tables`.*none\.csv"),
        (("08",), {"cells": 2, "reductions": 1}, "`cells`. Expected at least 3 where NAO or ENAS search.*Received: 2"),
        (("02", "10"), {"cells": 2, "reductions": 1, "enas_spaces": ["micro"]}, "`cells`. Expected at least 3"),
        (("02", "07"), {"cells": 0}, "`cells`"),
        (("02", "09"), {"text": "text", "text_path": "PLACE/none.txt"}, r"There is no file .*none\.txt"),
        (("02", "09"), {"text": "text", "text_path": "PLACE/five.csv"}, r"vocabulary of .*five\.csv.* covers no word"),
        (("02", "09"), {"text": "ptb", "data_dir": "PLACE/file"}, "`data_dir`.*file is a file"),
        (("02", "07"), {"max_parameters": 9999}, "`max_parameters`. Expected 0 in notebook 07, because only"),
        (("02", "08"), {"objectives": ["accuracy", "latency"]}, "`objectives`.* in notebook 08, because only"),
        (("02", "09"), {"max_latency_ms": 5.0}, "`max_latency_ms`. Expected 0.0 in notebook 09"),
        (("02", "10"), {"max_multiply_adds": 2.5}, "`max_multiply_adds`. Expected 0.0 in notebook 10"),
        (("02", "09"), {"proxies": ["depth"]}, r"`proxies`. Expected \(\) in notebook 09, because only"),
        (("08",), {"import_trials": "PLACE/five.csv"}, "`import_trials`. Expected '' in notebook 08, because only"),
        (("06", "02"), {"dataset": "mnist", "arrays_path": "", "data_dir": "PLACE/file/x"}, "`data_dir`.*is a file"),
        (("02", "04"), {"hand_made": "darts_v3"}, "`hand_made`.*Did you mean 'darts_v2'"),
        (("02", "04"), {"hand_made": "conv77", "space": "macro"}, "In `hand_made`: .*Received: 'conv77'"),
        (("02", "04"), {"hand_made": "darts_v2", "train_multiply_adds": 0.001}, "`train_multiply_adds`"),
        (("02", "04"), {"space": "micro", "train_multiply_adds": 5.0, "train_reductions": 1}, "`train_reductions`"),
        (("02", "04"), {"space": "macro", "train_multiply_adds": 5.0, "train_auxiliary": True}, "`train_auxiliary`"),
        (("10",), {"enas_retrain": True, "train_reductions": 1}, "`train_reductions`. Expected 2"),
        (("10",), {"enas_retrain": True, "enas_spaces": ["macro"], "train_auxiliary": True}, "`train_auxiliary`"),
        (("10",), {"enas_retrain": True, "hand_made": "darts_v2", "train_multiply_adds": 1e-3}, "`train_multi"),
        (("02", "08"), {"optimizer": "adam"}, "`optimizer`. Expected 'momentum' where NAO or ENAS.*Received: 'adam'"),
        (("08",), {"lookahead": True, "share_weights": False}, "`lookahead`. Expected False where NAO or ENAS"),
        (("10",), {"offset_rate": 2.0, "share_weights": False, "enas_spaces": ["macro"]}, "`offset_rate`. Expected 1"),
        (("01", "05"), {"compare_with": "other, mone"}, "`compare_with`.*Received: 'mone'. Did you mean 'more'"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("others")
def test_what_a_later_notebook_would_refuse_is_refused_first(place, notebooks, more, message):
    with pytest.raises(ValueError, match=message):
        check_before_work(parameters(place, **more), notebooks)


def test_searches_that_heed_no_limit_refuse_it_when_their_notebook_runs_alone(place):
    """Before anything of the data is read: None stands for it."""
    searches = {
        "07": lambda config: policy_gradient.search_chains(config, "chains", "random", 0, None),
        "08": lambda config: nao.search_with_shared_weights(config, None),
        "09": lambda config: recurrent.search(config, "random", 0, None),
        "10": lambda config: enas.search(config, "micro"),
    }
    for number, search in searches.items():
        with pytest.raises(ParameterError, match=f"`max_latency_ms`. Expected 0.0 in notebook {number}"):
            search(config_of(number, parameters(place, max_latency_ms=5.0)))
    with pytest.raises(ValueError, match="`cells`. Expected at least 3 where NAO or ENAS"):
        enas.search(config_of("10", parameters(place, cells=2, reductions=1)), "micro")
    with pytest.raises(ParameterError, match="`max_parameters`. Expected 0 in notebook 08"):
        nao.search_from_scratch(config_of("08", parameters(place, max_parameters=5)), None)


@pytest.mark.parametrize(
    ("number", "more"),
    [
        ("03", {}),
        ("04", {"architecture": "darts_v2"}),
        ("07", {"policy_parts": ["mnist"]}),
        ("08", {}),
        ("10", {"enas_retrain": True}),
    ],
)
def test_devices_are_counted_before_any_work_where_they_share_a_training(place, monkeypatch, number, more):
    monkeypatch.setattr(early_checks, "count_devices", lambda: 2)
    values = parameters(place, **more)
    check_before_work({**values, "train_devices": 2}, (number,))
    with pytest.raises(ValueError, match="`train_devices`. Expected at most 2, the devices of this.*Received: 3"):
        check_before_work({**values, "train_devices": 3}, (number,))
    check_before_work({**values, "train_devices": 3}, ("01", "02"))
    check_before_work({**values, "train_devices": 3, "train_machines": ["one:1", "two:1"]}, (number,))


def test_this_machine_has_the_devices_that_tensorflow_finds():
    assert count_devices() == (len(tf.config.list_physical_devices("GPU")) or 1)


@pytest.mark.usefixtures("others")
def test_stored_runs_and_the_one_that_is_made_can_be_shown_together(place):
    check_before_work(parameters(place, compare_with="other, more,mine"), ("01", "05"))


def test_layers_are_searched_whatever_the_number_of_cells(place):
    check_before_work(parameters(place, cells=2, reductions=1, enas_spaces=["macro"]), ("10",))


@pytest.mark.parametrize("number", ["00", "05", "06", "09"])
@pytest.mark.parametrize(
    "images",
    [{"crop_pad": 9}, {"train_cutout": 20}, {"space": "convnet"}, {"dataset": "mnist", "data_dir": "PLACE/file"}],
)
def test_a_notebook_without_images_is_not_refused_for_what_images_need(place, number, images):
    values = parameters(place, **{"dataset": "digits", "arrays_path": "", **images})
    check_before_work(values, (number,))
    with pytest.raises(ValueError, match="crop_pad|train_cutout|dataset|data_dir"):
        check_before_work(values, (number, "02"))


@pytest.mark.parametrize("number", ["03", "07", "08", "09", "10"])
def test_a_format_without_its_package_is_refused_where_a_notebook_exports(place, number, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    values = parameters(place, dataset="digits", arrays_path="", export_formats=["onnx"], policy_parts=["chains"])
    check_before_work(values, ("02", "05", "07"))
    with pytest.raises(ValueError, match="`export_formats`"):
        check_before_work(values | {"policy_parts": ["mnist"]}, ("02", number))


def test_a_table_without_the_column_is_refused(place):
    with pytest.raises(ValueError, match="Expected columns among arch, acc. Received: 'accuracy'"):
        check_before_work(parameters(place, tables=[f"{place}/five.csv code=arch signal=accuracy"]), ("02", "06"))


@pytest.mark.parametrize("signal", ["acc,known:latency", "min:latency", "acc,min:latency"])
def test_every_column_of_a_signal_is_looked_for(place, signal):
    (place / "two.csv").write_text("arch,acc,latency\nabc,0.5,3\nabd,0.6,4\n")
    tables = [f"{place}/two.csv code=arch signal={signal}"]
    check_before_work(parameters(place, tables=tables), ("06",))
    tables = [f"{place}/five.csv code=arch signal={signal}"]
    with pytest.raises(ValueError, match="Expected columns among arch, acc. Received: 'latency'"):
        check_before_work(parameters(place, tables=tables), ("06",))


def test_a_full_disk_is_refused_before_any_work_naming_what_to_change(place, monkeypatch):
    usage = shutil.disk_usage(place)._replace(free=5 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(ValueError, match="`exp_dir`.*a disk with 5 MiB left, where 64 are needed.*-p exp_dir FOLDER"):
        check_before_work(parameters(place), ("01",))


def test_trials_to_import_are_read_before_any_work(place):
    space = search_space(config_of("02", parameters(place)))
    known = {"architecture": str(space.sample(np.random.default_rng(0))), "reward": 0.5, "budget": 1}
    (place / "foreign.jsonl").write_text(json.dumps(known) + "\n" + json.dumps({**known, "architecture": "conv77"}))
    values = parameters(place, import_trials=str(place / "foreign.jsonl"), search_epochs=1)
    with pytest.raises(
        ValueError, match="`import_trials`. Expected an architecture.*line 2 of .*foreign.jsonl.*conv77"
    ):
        check_before_work(values, ("01", "02"))
    (place / "foreign.jsonl").write_text(
        json.dumps({**known, "fraction": config_of("02", values).search.search_fraction})
    )
    check_before_work(values, ("01", "02"))


def test_a_folder_without_permission_is_refused(place, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(place))
    with pytest.raises(ValueError, match="`exp_dir`.*is not writable"):
        check_before_work(parameters(place), ("01",))


def begin(place, stage, stored, **more):
    """Stores a stage with its first record."""
    with RunFolder.open("mine", stage, stored, place / "exp", place / "events", **more) as folder:
        folder.journal.append({"trial": 0})


def test_a_run_on_workers_is_continued_by_the_same_command_and_by_as_many_in_flight(place):
    values = parameters(place, workers=2, cluster_address="processes")
    at_once = awaited_at_once(config_of("02", values))
    begin(place, "random-seed0", {"in_flight": at_once, "worker_order": "deterministic"})
    check_before_work(values, ("02",))
    check_before_work({**values, "workers": 0, "in_flight": 2}, ("02",))
    with pytest.raises(RunMismatch, match="`in_flight` is stored as 2, now 1"):
        check_before_work({**values, "workers": 0}, ("02",))


def test_a_stage_that_was_refused_before_any_work_does_not_refuse_the_correction(place):
    RunFolder.open("mine", "random-seed0", {"filters": 9}, place / "exp", place / "events").close()
    check_before_work(parameters(place), ("02",))
    begin(place, "random-seed0", {"filters": 9})
    with pytest.raises(RunMismatch, match="`filters` is stored as 9, now 8"):
        check_before_work(parameters(place), ("02",))


@pytest.mark.parametrize(
    ("number", "stage", "groups"),
    [("03", "densenet", ("data", "baseline", "training")), ("02", "random-seed0", ("data",))],
)
def test_a_stored_run_of_other_parameters_or_images_is_refused_before_any_notebook(place, number, stage, groups):
    values = parameters(place)
    config = config_of(number, values)
    stored = config.parameters(*groups) | {"trials": 2}
    data = load_images(config)
    begin(place, stage, stored, data=data.identity)
    check_before_work(values | {"trials": 9}, ("01", number))
    with pytest.raises(RunMismatch, match=f"mine/{stage} .*`fraction` is stored as 1.0, now 0.5"):
        check_before_work(values | {"fraction": 0.5}, ("01", number))
    stored_file = np.load(place / "own.npz")
    np.savez(place / "own.npz", x=stored_file["x"], y=(stored_file["y"] + 1) % 3)
    with pytest.raises(RunMismatch, match=rf"mine/{stage} was made of other images or labels than .*own\.npz"):
        check_before_work(values, ("01", number))
    check_before_work(values | {"overwrite": True}, ("01", number))


def test_every_notebook_is_checked_with_its_own_defaults():
    assert config_of("07", {}).search.trials == 20 and config_of("02", {}).search.trials == 56
    assert config_of("07", {"trials": 3}).search.trials == 3 and from_values({}).search.trials == 56


def run(place, capsys, *words):
    """The command as a user has it; what it says before any work."""
    (place / "mine.yaml").write_text(json.dumps(parameters(place)))
    assert run_notebooks.main([str(place / "mine.yaml"), "--only", "01", *words]) == 2
    said = capsys.readouterr()
    assert said.out == "", "nothing has begun"
    return said.err


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EIO, errno.ESTALE], ids=errno.errorcode.get)
def test_a_file_system_without_locks_is_named_with_the_parameter(place, capsys, monkeypatch, number):
    reason = os.strerror(number)

    def flock(file, how):
        raise OSError(number, reason)

    monkeypatch.setattr(fcntl, "flock", flock)
    said = run(place, capsys)
    assert said.startswith(f"run_all: {reason}: {place}/exp/mine/notebooks/.lock") and "`exp_dir`" in said
    with pytest.raises(OSError, match=f"{reason}: {place}/exp/mine/data .*`exp_dir`"):
        RunFolder.open("mine", "data", {}, place / "exp", place / "events")
    with pytest.raises(OSError, match=f"{reason}: the data .* `data_dir` .*{place}"), locked(place):
        pass
    assert not is_held(os.open(place, os.O_RDONLY)), "the commands status and clean go on"


def test_refusals_are_one_sentence_and_no_traceback(place, capsys):
    said = run(place, capsys, "-p", "architecture", "nasnet", "-p", "train_cutout", "4")
    assert said.startswith("run_all: Invalid value for `architecture`") and "Traceback" not in said


def test_checking_loads_no_tensorflow(place):
    code = (
        "import sys; from alphaxenas.pipelines.run_notebooks import _parser; "
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=False).returncode == 0

"""A run belongs to its data, and ends when its limits say so: what may change on a stored run and what may not."""

import json

import pytest

from alphaxenas.runs import RunFolder, RunMismatch

DATA = {"source": "my/images.npz", "fingerprint": "aa11", "labels_in_file": []}
OTHER = DATA | {"fingerprint": "bb22"}


def opened(tmp_path, trials=4, data=None, **more):
    parameters = {"seed": 0, "trials": trials, "filters": 8} | more.pop("changed", {})
    more |= {"limits": ("trials",), "data": data}
    return RunFolder.open("mine", "search", parameters, tmp_path, tmp_path / "events", **more)


def stored(folder):
    return json.loads((folder.path / "run.json").read_text())


@pytest.mark.parametrize("finished", [False, True])
def test_other_data_are_refused_naming_the_file_whether_the_run_is_finished_or_not(tmp_path, finished):
    with opened(tmp_path, data=DATA) as folder:
        folder.journal.append({"trial": 0})
        if finished:
            folder.write_results({"headline": "done"})
    with pytest.raises(RunMismatch, match=r"stage mine/search was made of other images.*my/images\.npz.*aa11.*bb22"):
        opened(tmp_path, data=OTHER)
    opened(tmp_path, data=DATA | {"source": "moved/images.npz"}).close()
    with opened(tmp_path, data=OTHER, overwrite=True) as folder:
        assert stored(folder)["data"] == OTHER and folder.read_results() is None


def test_a_run_that_never_noted_its_data_goes_on(tmp_path):
    opened(tmp_path).close()
    with opened(tmp_path, data=DATA) as folder:
        assert "data" not in stored(folder), "nobody knows what it was made of"


def test_limits_may_change_and_nothing_else(tmp_path):
    opened(tmp_path).close()
    with opened(tmp_path, trials=9) as folder:
        folder.write_results({"headline": "4 trials"})
        assert stored(folder)["parameters"]["trials"] == 4, "until work goes on"
        folder.go_on()
        assert stored(folder)["parameters"]["trials"] == 9 and stored(folder)["limits_before"] == [{"trials": 4}]
        assert folder.read_results() is None
        folder.journal.append({"trial": 0})
    with pytest.raises(RunMismatch, match="`filters` is stored as 8, now 16"):
        opened(tmp_path, trials=9, changed={"filters": 16})

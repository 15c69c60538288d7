"""Notebook 05 shows no results of other images without a word; users' words in tables are text."""

import json
import shutil

import numpy as np
import pandas
import pytest
from PIL import Image

from alphaxenas.data import describe, load_data
from alphaxenas.report import equal_cost
from alphaxenas.report.equal_cost import refuse_other_data
from alphaxenas.report.runs import StoredRun, Suite, load_suite
from alphaxenas.report.style import as_shown
from alphaxenas.runs import Journal, RunMismatch
from alphaxenas.runs.files import write_json


def save(path, shift=0, **more):
    rng = np.random.default_rng(0)
    np.savez(path, x=rng.integers(0, 256, (60, 4, 4), np.uint8), y=(np.arange(60) + shift) % 3 + 1, **more)
    return load_data("arrays", arrays_path=path)


def suite(*identities):
    stored = [
        StoredRun("mine", f"random-seed{seed}", {"parameters": {"dataset": "arrays"}, "data": identity}, (), None)
        for seed, identity in enumerate(identities)
    ]
    return Suite("mine", tuple(stored), None, None)


def test_a_file_that_has_changed_since_is_named_and_one_that_is_gone_is_no_hindrance(tmp_path):
    made_of = save(tmp_path / "own.npz").identity
    refuse_other_data(suite(made_of, made_of))
    save(tmp_path / "own.npz", shift=1)
    with pytest.raises(RunMismatch, match=r"mine/random-seed0 was made of other images or labels than .*own\.npz"):
        refuse_other_data(suite(made_of))
    (tmp_path / "own.npz").unlink()
    refuse_other_data(suite(made_of))


def test_a_folder_in_which_a_picture_has_changed_is_named(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for number in range(10):
            Image.new("L", (4, 4), 10 * number).save(tmp_path / "mine" / name / f"{number}.png")
    made_of = load_data("image_folder", tmp_path / "data", images_path=tmp_path / "mine", image_size=3).identity
    refuse_other_data(suite(json.loads(json.dumps(made_of))))
    Image.new("L", (4, 4), 200).save(tmp_path / "mine" / "cat" / "0.png")
    with pytest.raises(RunMismatch, match=r"random-seed0 was made of other images or labels than .*mine"):
        refuse_other_data(suite(made_of))
    shutil.rmtree(tmp_path / "mine")
    refuse_other_data(suite(made_of))


def test_runs_of_different_images_are_not_shown_beside_each_other(tmp_path):
    first = save(tmp_path / "own.npz").identity
    (tmp_path / "own.npz").unlink()
    with pytest.raises(RunMismatch, match="random-seed1"):
        refuse_other_data(suite(first, first | {"fingerprint": "other"}))


def test_runs_of_old_times_and_of_published_data_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(equal_cost, "read_examples", lambda **_: pytest.fail("published images are not read again"))
    published = {"source": "digits", "fingerprint": "aa"}
    for seed, made_of in enumerate((None, published, published | {"read_with": {}})):
        folder = tmp_path / "mine" / f"random-seed{seed}"
        folder.mkdir(parents=True)
        write_json(folder / "run.json", {"parameters": {"dataset": "digits"}, **({"data": made_of} if made_of else {})})
        Journal(folder / "trials.jsonl").append({"purpose": "final", "status": "ok", "reward": seed / 4})
    stored = load_suite("mine", tmp_path)
    refuse_other_data(stored)
    (shown,) = stored.groups().values()
    assert [(run.stage, [record["reward"] for record in run.finals]) for run in shown] == [
        ("random-seed0", [0.0]),
        ("random-seed1", [0.25]),
        ("random-seed2", [0.5]),
    ]
    with pytest.raises(RunMismatch, match="random-seed1 was made of other images or labels than digits"):
        refuse_other_data(suite(published, published | {"fingerprint": "bb"}))


def test_the_mapping_of_labels_is_shown_and_names_are_text(tmp_path):
    data = save(tmp_path / "own.npz", class_names=["<b>cat</b>", "$x$", "c"])
    table = describe(data)
    assert table["label in the file"].tolist() == ["1", "2", "3", ""]
    html = as_shown(table).format(thousands=",", escape="html").to_html()
    assert "&lt;b&gt;cat" in html and "<b>cat" not in html and "mathjax_ignore" in html
    names = pandas.DataFrame({"<i>": ["<u>"]})
    assert not {"<i>", "<u>"} & set(as_shown(names).format(escape="html").to_html().replace("><", "> <").split())

"""LiteRT files compute what the Keras model computes, in a process that knows nothing of this project."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from alphaxenas.networks.export import litert
from alphaxenas.networks.export.keras_export import export_keras, save_keras, test_accuracy
from alphaxenas.networks.export.litert import PRECISIONS, report_of, save_litert
from alphaxenas.runs.files import read_json
from tests.networks.test_export_onnx import SHAPE, data_of
from tests.networks.tiny import EVERYTHING, batch_of, child_of, network_of

accuracy_of = test_accuracy
del test_accuracy  # it is no test


def stored_model(place, tokens=EVERYTHING):
    network = network_of(tokens, cells=1, reductions=0, stem_stride=2)
    child = child_of(network, shape=SHAPE)
    for step in range(2):
        child.train_step(*batch_of(8, SHAPE, step), 0.1)
    model = export_keras(child, network, data_of())
    save_keras(model, place / "rank1.keras")
    return model


def test_three_precisions_are_written_loaded_and_measured(tmp_path, tmp_path_factory, monkeypatch):
    home = tmp_path_factory.mktemp("home")
    wrong = {"backend": "torch", "floatx": "float64", "image_data_format": "channels_first", "epsilon": 0.1}
    (home / "keras.json").write_text(json.dumps(wrong))
    monkeypatch.setenv("KERAS_HOME", str(home))
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    model, data = stored_model(tmp_path), data_of()
    rng = np.random.default_rng(1)
    many = replace(data.test, images=np.tile(data.test.images, (11, 1, 1, 1)), labels=rng.integers(0, 3, 132))
    data = replace(data, test=many)
    found = save_litert(tmp_path / "rank1.keras", data, True)
    assert list(found) == list(PRECISIONS) and found == read_json(report_of(tmp_path / "rank1.keras"))
    for precision in PRECISIONS:
        file = tmp_path / f"rank1.{precision}.tflite"
        assert found[precision]["bytes"] == file.stat().st_size > 1_000
        assert found[precision]["milliseconds"] > 0 and found[precision]["runtime"]
    assert found["float32"]["test_accuracy"] == accuracy_of(model, data)
    assert abs(found["int8"]["test_accuracy"] - found["float32"]["test_accuracy"]) < 0.3
    assert len(list(tmp_path.iterdir())) == 5, "nothing unfinished is left"


def worker(place, monkeypatch, text):
    (place / "worker.py").write_text(
        f"import json, os, sys\ndef say(**values): print(json.dumps(values), flush=True)\n{text}"
    )
    monkeypatch.setattr(litert, "_WORKER", place / "worker.py")
    return save_litert(place / "rank1.keras", data_of(), True)


def test_what_cannot_be_converted_is_told_and_the_others_go_on(tmp_path, monkeypatch):
    found = worker(
        tmp_path,
        monkeypatch,
        "say(converted=1); data = sys.stdin.buffer.read(12 * 9 * 7 * 3)\n"
        "say(bytes=7, milliseconds=0.5, runtime='x', classes=('00000000' + '01000000' + '02000000') * 4)\n"
        "import hashlib; say(error='no ' + hashlib.sha256(data).hexdigest())\n"
        "os.abort()",
    )
    import hashlib

    assert found["float32"] == {"bytes": 7, "milliseconds": 0.5, "runtime": "x", "test_accuracy": 1.0}
    assert found["float16"]["error"] == f"no {hashlib.sha256(data_of().test.images.tobytes()).hexdigest()}"
    assert found["int8"]["error"].startswith("the converter ended with -6")


def test_a_converter_that_dies_at_once_fails_nothing(tmp_path, monkeypatch):
    found = worker(tmp_path, monkeypatch, "sys.exit('out of luck')")
    assert [one["error"] for one in found.values()] == ["the converter ended with 1: out of luck"] * 3


@pytest.mark.slow
@pytest.mark.parametrize("space", ["cell", "chain", "convnet", "nasbench101", "nasbench201", "micro", "macro"])
def test_networks_of_every_space_are_converted(tmp_path, space):
    from alphaxenas.config import from_values
    from alphaxenas.data.images import split_examples
    from alphaxenas.data.pipeline import Batches
    from alphaxenas.data.published import read_digits
    from alphaxenas.networks.bank import WeightBank
    from alphaxenas.networks.training.fit import fit
    from alphaxenas.networks.training.loop import CompiledChild
    from alphaxenas.pipelines.factory import final_network, recipe_from_config, search_space

    digits = read_digits()
    large = np.repeat(np.repeat(digits.images, 2, 1), 2, 2)
    data = split_examples(replace(digits, images=large), "digits", 0, 0, 1.0, 0)
    config = from_values(
        {"space": space, "train_cells": 6 if space == "nasbench101" else 4, "train_filters": 4, "train_reductions": 2}
    )
    architecture = search_space(config).sample(np.random.default_rng(1))
    network = final_network(config, architecture, data)
    child = CompiledChild(network, WeightBank(0), data.image_shape, recipe_from_config(config, 1))
    fit(child, Batches.of(data, "train", 32), Batches.of(data, "validation", 250), 1, 0)
    model = export_keras(child, network, data)
    save_keras(model, tmp_path / "rank1.keras")
    found = save_litert(tmp_path / "rank1.keras", data, True)
    assert found["float32"]["test_accuracy"] == pytest.approx(accuracy_of(model, data), abs=0.003)
    assert found["float16"]["test_accuracy"] == pytest.approx(found["float32"]["test_accuracy"], abs=0.03)
    assert found["int8"]["test_accuracy"] > found["float32"]["test_accuracy"] - 0.15

"""Notebook 09's stages: the trainings in full continue bit for bit, are of equal size, and are exported."""

from __future__ import annotations

import importlib.util
import itertools
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.config import from_values
from alphaxenas.data.download import DataError
from alphaxenas.data.text import TextData, load_text, streams
from alphaxenas.networks.export.keras_export import save_savedmodel
from alphaxenas.networks.language.cores import CellCore, LSTMCore, SharedCellCore
from alphaxenas.networks.language.export import export_step_model, save_step_onnx
from alphaxenas.networks.language.model import LanguageModel
from alphaxenas.networks.language.recipe import LanguageRecipe
from alphaxenas.networks.training.loop import DivergedError
from alphaxenas.pipelines import language_training
from alphaxenas.pipelines.language_training import LanguageModelToTrain, evaluate_language_model, train_language_models
from alphaxenas.pipelines.recurrent import journals, models_to_train, search
from alphaxenas.pipelines.stages import load_configured_text
from alphaxenas.runs import RunFolder
from alphaxenas.spaces.recurrent import RecurrentCell
from alphaxenas.spaces.recurrent_zoo import RECURRENT_ZOO, recurrent_zoo_cell

RECIPE = LanguageRecipe(batch_size=16, window=20, learning_rate=5.0)
MODEL = LanguageModelToTrain("a cell", CellCore(RecurrentCell.parse("tanh(0); relu(1)"), 8), "tanh(0); relu(1)")


@pytest.fixture(scope="module")
def data():
    text = load_text("grammar")
    return TextData("grammar", text.vocabulary, text.train[:3200], text.validation[:300], text.test[:300], text.entropy)


def train(folder, data):
    with RunFolder.open("suite", "final", {"seed": 0}, folder / "exp", folder / "events") as run:
        return train_language_models([MODEL], data, RECIPE, run, epochs=1.0)


def without_times(results):
    text = json.dumps(results)
    return [{k: v for k, v in model.items() if k != "seconds"} for model in json.loads(text)["models"]]


def test_a_training_that_is_interrupted_continues_to_the_same_model(tmp_path, data, monkeypatch):
    whole = train(tmp_path / "whole", data)
    assert whole["models"][0]["windows"] == 10 and len(whole["models"][0]["history"]) == 10
    validate, calls = LanguageModel.loss, []

    def interrupted(self, *arguments, **further):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return validate(self, *arguments, **further)

    monkeypatch.setattr(LanguageModel, "loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", data)
    continued = train(tmp_path / "cut", data)
    assert len(calls) == 4 + 10 - 3 + 1
    assert without_times(continued) == without_times(whole)
    first, second = (np.load(tmp_path / name / "exp/suite/final/models/a-cell-seed0.npz") for name in ("whole", "cut"))
    assert all(np.array_equal(first[name], second[name]) for name in first.files)


def test_minutes_become_as_many_windows_as_fit_at_the_measured_speed(tmp_path, data, monkeypatch):
    # A window takes 10 ms; those at the start, and one of three later, take a second.
    number, now = itertools.count(), [0.0]

    def monotonic():
        before = next(number)
        now[0] += 1.0 if before < 2 * language_training.WARM_UP or before % 3 == 0 else 0.01
        return now[0]

    monkeypatch.setattr(language_training, "time", SimpleNamespace(monotonic=monotonic))
    with RunFolder.open("suite", "final", {"seed": 0}, tmp_path / "exp", tmp_path / "events") as run:
        results = train_language_models([MODEL], data, RECIPE, run, minutes=0.005)
    assert results["models"][0]["windows"] == 30


def test_models_have_as_many_parameters_as_a_searched_cell():
    text = load_text("grammar")
    config = from_values({"units": 32, "blocks": 8, "language_models": ["found", "lstm", "random", *RECURRENT_ZOO]})
    best = {"alphaxenas-seed0": {"best": [{"architecture": str(RECURRENT_ZOO["darts_rnn_v1"].cell)}]}}
    models = models_to_train(config, text, best)
    assert len({model.name for model in models}) == len(models) == 1 + 1 + 2 + 4
    sizes = [LanguageModel(model.core, len(text.vocabulary), RECIPE, 0).parameters for model in models]
    assert max(sizes) / min(sizes) < 1.1
    assert models[0].core.units == 32


@pytest.mark.parametrize(
    "core",
    [CellCore(RecurrentCell.parse("s0=sigmoid; relu(0); identity(1); tanh(0) -> unused"), 6), LSTMCore(2, 6)],
    ids=["cell", "lstm"],
)
def test_a_step_of_the_exported_model_is_a_step_of_the_trained_one(tmp_path, data, core):
    model = LanguageModel(core, len(data.vocabulary), RECIPE, 0)
    state = model.state()
    state["weights"] = {name: 10 * array for name, array in state["weights"].items()}
    model.restore(state)
    export_step_model(model).save(tmp_path / "step.keras")
    loaded = keras.saving.load_model(tmp_path / "step.keras", compile=False)
    save_step_onnx(model, tmp_path / "step.onnx")
    session, names = onnx_session(tmp_path / "step.onnx")
    save_savedmodel(export_step_model(model), tmp_path / "step.savedmodel")
    served = tf.saved_model.load(tmp_path / "step.savedmodel")
    words, _, _ = streams(data.validation[:20], 2)
    ours = model.start(2)
    theirs = third = fourth = [np.zeros((2, 6), np.float32) for _ in ours]
    for word in words:
        logits, ours = model.next_word(word[None], ours)
        exported, *theirs = map(np.asarray, loaded([word, *theirs]))
        np.testing.assert_allclose(exported, logits, atol=1e-5)
        portable, *third = session(dict(zip(names, (word, *third))))
        np.testing.assert_allclose(portable, logits, atol=1e-5)
        plain, *fourth = map(np.asarray, served.serve([word, *fourth]))
        np.testing.assert_allclose(plain, logits, atol=1e-5)


def onnx_session(path):
    """Runs an ONNX file with onnxruntime, or with the reference of onnx itself; and the names of its inputs."""
    onnx = pytest.importorskip("onnx")
    names = [one.name for one in onnx.load(path).graph.input]
    if importlib.util.find_spec("onnxruntime"):
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    else:
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(path)
    return lambda inputs: session.run(None, inputs), names


def test_published_cells_are_found_by_name():
    assert all(str(RecurrentCell.parse(str(entry.cell))) == str(entry.cell) for entry in RECURRENT_ZOO.values())
    with pytest.raises(ValueError, match="darts_rnn_v1"):
        recurrent_zoo_cell("darts_rnn_v3")


def test_a_stored_model_is_evaluated_again_and_only_on_its_own_vocabulary(tmp_path, data):
    results = train(tmp_path, data)["models"][0]
    stored = tmp_path / "exp/suite/final" / f"{results['file']}.npz"
    again = evaluate_language_model(stored, data)
    assert again["test_perplexity"] == pytest.approx(results["test_perplexity"], rel=1e-6)
    other = TextData("other", data.vocabulary[::-1], data.train, data.validation, data.test)
    with pytest.raises(ValueError, match="another vocabulary"):
        evaluate_language_model(stored, other)
    stored.write_bytes(stored.read_bytes()[:100])
    with pytest.raises(ValueError, match="cannot be read"):
        evaluate_language_model(stored, data)


def test_formats_are_stored_beside_a_model_and_its_file_says_what_a_step_takes(tmp_path, data):
    train(tmp_path, data)
    models = tmp_path / "exp/suite/final/models"
    assert not (models / "a-cell-seed0.onnx").exists()
    pytest.importorskip("onnx")
    with RunFolder.open("suite", "final", {"seed": 0}, tmp_path / "exp", tmp_path / "events") as run:
        train_language_models([MODEL], data, RECIPE, run, epochs=1.0, formats=("onnx", "litert"))
    card = json.loads((models / "a-cell-seed0.json").read_text())
    assert card["files"].pop("litert").startswith("not written")
    assert card["files"] == {"keras": "a-cell-seed0.keras", "onnx": "a-cell-seed0.onnx"}
    assert all((models / file).is_file() for file in card["files"].values()) and "int32" in card["step"]["word"]


def test_shared_weights_of_many_cells_are_no_model_to_export(data):
    shared = LanguageModel(SharedCellCore(2, 6), len(data.vocabulary), RECIPE, 0)
    with pytest.raises(ValueError, match="one cell or of LSTMs"):
        export_step_model(shared)


def test_a_text_shorter_than_one_batch_of_one_window_is_refused_by_its_name(tmp_path):
    file = tmp_path / "short.txt"
    file.write_text("a few words only\n" * 30)
    values = {"text": "text", "text_path": str(file), "batch_size": 8, "window": 20}
    with pytest.raises(DataError, match=r"short\.txt is shorter.*8 x 20 = 160 words. Received: 130"):
        load_configured_text(from_values(values))
    with pytest.raises(DataError, match="grammar"):
        load_configured_text(from_values({"fraction": 0.001}))
    assert len(load_configured_text(from_values({**values, "window": 10})).train) == 130


@pytest.mark.parametrize("shared", [False, True], ids=["from scratch", "shared weights"])
def test_nao_searches_cells_that_share_weights_or_do_not(tmp_path, data, shared):
    """Issue: NAO with and without shared weights, by parameter; with, every child moves the weights of all."""
    places = {"exp_dir": str(tmp_path / "exp"), "tensorboard_dir": str(tmp_path / "events")}
    config = from_values({
        **places, "blocks": 2, "units": 8, "batch_size": 16, "window": 20, "trials": 7, "search_children": 2,
        "shared_cells": shared, "shared_warmup": 0.2, "nao_pool": 4, "nao_new": 2, "search_fraction": 0.2,
        "final_epochs": 1, "final_fraction": 0.3,
    })  # fmt: skip
    found = search(config, "nao", 0, data)
    assert found["trained"] == 7 and 0 < found["best"][0]["reward"] < 1
    stored = json.loads((tmp_path / "exp/quick/recurrent-nao-seed0/run.json").read_text())["parameters"]
    assert stored["shared_cells"] is shared
    # The highest reward is the lowest perplexity, which people read; both are in the journal.
    (records,) = journals(config, {"nao-seed0": found}).values()
    dear = [record for record in records if record["purpose"] == "final"]
    assert f"best validation perplexity {min(one['metrics']['perplexity'] for one in dear):.2f} " in found["headline"]


def test_a_training_that_explodes_is_recorded_and_the_others_go_on(tmp_path, data, monkeypatch):
    train_window = LanguageModel.train_window

    def exploding(self, *arguments):
        if self.core.units == 6:
            raise DivergedError("The loss became nan at step 1, learning rate 5.")
        return train_window(self, *arguments)

    monkeypatch.setattr(LanguageModel, "train_window", exploding)
    wild = LanguageModelToTrain("a wild one", CellCore(MODEL.core.cell, 6), "tanh(0); relu(1)")
    with RunFolder.open("suite", "final", {"seed": 0}, tmp_path / "exp", tmp_path / "events") as run:
        results = train_language_models([wild, MODEL], data, RECIPE, run, epochs=0.3)
    assert [model["name"] for model in results["models"]] == ["a cell"]
    (failed,) = results["failed"]
    assert failed["name"] == "a wild one" and "step 1" in failed["reason"] and "1 of 2" in results["headline"]
    with RunFolder.open("suite", "none", {"seed": 0}, tmp_path / "exp", tmp_path / "events") as run:
        with pytest.raises(DivergedError, match="No training came to its end. The loss became nan"):
            train_language_models([wild], data, RECIPE, run, epochs=0.3)

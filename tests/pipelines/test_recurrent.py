"""Notebook 09's stages: the trainings in full continue bit for bit, are of equal size, and are exported."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from alphaxenas.config import from_values
from alphaxenas.data.text import TextData, load_text, streams
from alphaxenas.networks.language.cores import CellCore
from alphaxenas.networks.language.export import export_step_model
from alphaxenas.networks.language.model import LanguageModel
from alphaxenas.networks.language.recipe import LanguageRecipe
from alphaxenas.pipelines import language_training
from alphaxenas.pipelines.language_training import LanguageModelToTrain, evaluate_language_model, train_language_models
from alphaxenas.pipelines.recurrent import models_to_train
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
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: 0.5 * next(ticks))
    monkeypatch.setattr(language_training, "time", clock)  # the timed windows take half a second together
    with RunFolder.open("suite", "final", {"seed": 0}, tmp_path / "exp", tmp_path / "events") as run:
        results = train_language_models([MODEL], data, RECIPE, run, minutes=0.005)
    assert results["models"][0]["windows"] == round(0.3 / (0.5 / language_training.TIMED_WINDOWS))


def test_models_have_as_many_parameters_as_a_searched_cell():
    text = load_text("grammar")
    config = from_values({"units": 32, "blocks": 8, "language_models": ["found", "lstm", "random", *RECURRENT_ZOO]})
    best = {"alphaxenas-seed0": {"best": [{"architecture": str(RECURRENT_ZOO["darts_rnn_v1"].cell)}]}}
    models = models_to_train(config, text, best)
    assert len({model.name for model in models}) == len(models) == 1 + 1 + 2 + 4
    sizes = [LanguageModel(model.core, len(text.vocabulary), RECIPE, 0).parameters for model in models]
    assert max(sizes) / min(sizes) < 1.1
    assert models[0].core.units == 32


def test_a_step_of_the_exported_model_is_a_step_of_the_trained_one(tmp_path, data):
    cell = RecurrentCell.parse("s0=sigmoid; relu(0); identity(1); tanh(0) -> unused")
    model = LanguageModel(CellCore(cell, 6), len(data.vocabulary), RECIPE, 0)
    state = model.state()
    state["weights"] = {name: 10 * array for name, array in state["weights"].items()}
    model.restore(state)
    export_step_model(model, cell).save(tmp_path / "step.keras")
    loaded = keras.saving.load_model(tmp_path / "step.keras", compile=False)
    words, _, _ = streams(data.validation[:20], 2)
    ours, theirs = model.start(2), np.zeros((2, 6), np.float32)
    for word in words:
        logits, ours = model.next_word(word[None], ours)
        exported, theirs = loaded([word, theirs])
        theirs = np.asarray(theirs)
        np.testing.assert_allclose(exported, logits, atol=1e-5)


def test_published_cells_are_found_by_name():
    assert all(str(RecurrentCell.parse(str(entry.cell))) == str(entry.cell) for entry in RECURRENT_ZOO.values())
    for entry in RECURRENT_ZOO.values():
        if entry.parameters:
            assert round((entry.cell.parameters(entry.units) + 10_000 * entry.units) / 1e6) == entry.parameters
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

"""Notebook 09's stages: the trainings in full continue bit for bit, are of equal size, and are exported."""

from __future__ import annotations

import importlib.util
import itertools
import json
import signal
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.config import ParameterError, from_values
from alphaxenas.contracts import Budget, Proposal
from alphaxenas.data.download import DataError
from alphaxenas.data.text import TextData, load_text, streams
from alphaxenas.networks.export.keras_export import save_savedmodel
from alphaxenas.networks.language.cores import CellCore, LSTMCore, SharedCellCore
from alphaxenas.networks.language.export import export_step_model, save_step_onnx
from alphaxenas.networks.language.model import LanguageModel
from alphaxenas.networks.language.recipe import LanguageRecipe, awd_lstm_recipe
from alphaxenas.networks.training.loop import DivergedError
from alphaxenas.pipelines import language_training
from alphaxenas.pipelines.language_training import (
    LanguageModelToTrain,
    evaluate_language_model,
    train_language_models,
    validated_after,
)
from alphaxenas.pipelines.recurrent import (
    evaluator,
    found_cells,
    journals,
    models_to_train,
    recurrent_space,
    search,
    train_in_full,
)
from alphaxenas.pipelines.stages import load_configured_text
from alphaxenas.runs import ResumableLoop, RunFolder
from alphaxenas.runs.checkpoint import Checkpoints
from alphaxenas.runs.description import RunMismatch
from alphaxenas.runs.interruption import Interruption
from alphaxenas.spaces.recurrent import RecurrentCell, RecurrentSpace
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
    assert results["models"][0]["windows"] == 30 == results["timed"]["a cell"]["windows"]
    assert results["timed"]["a cell"]["window_seconds"] == pytest.approx(0.01)


OTHER = LanguageModelToTrain("another cell", CellCore(RecurrentCell.parse("relu(0); relu(1)"), 8), "relu(0); relu(1)")


def train_some(folder, data, models, seeds, **further):
    with RunFolder.open("suite", "final", {"seed": 0}, folder / "exp", folder / "events") as run:
        return train_language_models(models, data, RECIPE, run, seeds, **further)


def test_every_seed_of_a_model_gets_the_same_windows_and_seeds_come_one_after_the_other(tmp_path, data, monkeypatch):
    seconds, now = {8: 0.01, 9: 0.02}, [0.0]
    train_window = LanguageModel.train_window

    def timed(self, *arguments):
        now[0] += seconds[self.core.units]
        seconds[8] += 1e-6  # the machine becomes slower and slower
        return train_window(self, *arguments)

    monkeypatch.setattr(LanguageModel, "train_window", timed)
    monkeypatch.setattr(language_training, "time", SimpleNamespace(monotonic=lambda: now[0]))
    slow = LanguageModelToTrain("slow", CellCore(MODEL.core.cell, 9), MODEL.description)
    results = train_some(tmp_path, data, [MODEL, slow], (0, 1), minutes=0.01)
    assert [(one["name"], one["seed"]) for one in results["models"]] == [
        ("a cell", 0), ("slow", 0), ("a cell", 1), ("slow", 1)
    ]  # fmt: skip
    windows = [one["windows"] for one in results["models"]]
    assert windows[:2] == windows[2:] and windows[1] == 30 and 55 < windows[0] < 60
    assert results["models"][1]["seconds"] == pytest.approx(30 * 0.02, abs=0.1)


def test_models_and_seeds_are_added_to_a_run_and_its_trainings_stay(tmp_path, data, monkeypatch):
    first = train_some(tmp_path, data, [MODEL], (0,), epochs=0.3)
    train_window, trained = LanguageModel.train_window, []

    def noting(self, *arguments):
        trained.append(self.core.cell)
        return train_window(self, *arguments)

    monkeypatch.setattr(LanguageModel, "train_window", noting)
    both = train_some(tmp_path, data, [MODEL, OTHER], (0,), epochs=0.3)
    assert set(trained) == {OTHER.core.cell} and both["models"][0] == first["models"][0]
    grown = train_some(tmp_path, data, [OTHER], (0, 1), epochs=0.3)
    assert [(one["name"], one["seed"]) for one in grown["models"]] == [
        ("a cell", 0), ("another cell", 0), ("another cell", 1)
    ]  # fmt: skip
    trained.clear()
    assert train_some(tmp_path, data, [MODEL], (0,), epochs=0.3) == grown and not trained
    fresh = train_some(tmp_path / "fresh", data, [OTHER], (1,), epochs=0.3)
    assert without_times(fresh) == without_times(grown)[2:]


def test_another_model_of_the_same_name_is_refused(tmp_path, data):
    train_some(tmp_path, data, [MODEL], (0,), epochs=0.3)
    with pytest.raises(RunMismatch, match=r"called a cell: tanh\(0\); relu\(1\), 8 units; now relu"):
        train_some(tmp_path, data, [replace(OTHER, name="a cell")], (0, 1), epochs=0.3)


def test_a_checkpoint_of_an_earlier_version_is_refused_with_a_way_out(tmp_path, data):
    with RunFolder.open("suite", "final", {"seed": 0}, tmp_path / "exp", tmp_path / "events") as run:
        run.checkpoints.save(0, {"done": [], "failed": [], "current": None})
    with pytest.raises(RunMismatch, match="earlier version.*--overwrite"):
        train_some(tmp_path, data, [MODEL], (0,), epochs=0.3)


@pytest.mark.parametrize("at", [1, 2, 4, 7], ids=lambda at: f"after window {at}")
@pytest.mark.parametrize("how", ["left", "killed"])
def test_a_training_stopped_between_validations_continues_bit_for_bit(tmp_path, data, monkeypatch, at, how):
    """Left: a signal was received, and the window in progress finished. Killed: what was saved by time is all."""
    long = TextData("grammar", data.vocabulary, np.tile(data.train, 4), data.validation, data.test)
    whole = train_some(tmp_path / "whole", long, [MODEL], (0,), epochs=1.0)
    assert whole["models"][0]["windows"] == 40 and len(whole["models"][0]["history"]) == 10
    train_window, calls, signals = LanguageModel.train_window, [], ["SIGINT"]

    def counting(self, *arguments):
        if len(calls) == at and how == "killed":
            calls.append(1)
            raise SystemError("killed")
        calls.append(1)
        return train_window(self, *arguments)

    def leave(self, saved):
        if len(calls) == at and how == "left" and signals:
            signals.clear()
            raise KeyboardInterrupt(saved)

    monkeypatch.setattr(language_training, "SAVED_EVERY", 60.0 if how == "left" else 0.0)
    monkeypatch.setattr(LanguageModel, "train_window", counting)
    monkeypatch.setattr(Interruption, "leave_if_requested", leave)
    with pytest.raises((KeyboardInterrupt, SystemError)):
        train_some(tmp_path / "cut", long, [MODEL], (0,), epochs=1.0)
    continued = train_some(tmp_path / "cut", long, [MODEL], (0,), epochs=1.0)
    assert len(calls) == 40 + (how == "killed"), "no window is trained twice"
    assert without_times(continued) == without_times(whole)
    first, second = (np.load(tmp_path / name / "exp/suite/final/models/a-cell-seed0.npz") for name in ("whole", "cut"))
    assert all(np.array_equal(first[name], second[name]) for name in first.files)


def test_a_checkpoint_written_on_leaving_has_the_counters_of_its_weights(tmp_path, data, monkeypatch):
    """A signal arrives after window 6, when the validation after window 4 is not saved yet; a kill follows at once."""
    long = TextData("grammar", data.vocabulary, np.tile(data.train, 4), data.validation, data.test)
    whole = train_some(tmp_path / "whole", long, [MODEL], (0,), epochs=1.0)
    train_window, save, calls = LanguageModel.train_window, Checkpoints.save, []

    def counting(self, *arguments):
        calls.append(1)
        if len(calls) == 6:
            signal.raise_signal(signal.SIGTERM)
        return train_window(self, *arguments)

    def saved_last(self, step, state):
        save(self, step, state)
        if len(calls) == 6:
            raise SystemError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(ResumableLoop, "save_if_due", lambda self: None)
        patched.setattr(LanguageModel, "train_window", counting)
        patched.setattr(Checkpoints, "save", saved_last)
        with pytest.raises(SystemError):
            train_some(tmp_path / "cut", long, [MODEL], (0,), epochs=1.0)
    assert without_times(train_some(tmp_path / "cut", long, [MODEL], (0,), epochs=1.0)) == without_times(whole)


def test_the_speed_is_measured_once_even_if_the_run_ends_before_the_first_validation(tmp_path, data, monkeypatch):
    train_window, calls = LanguageModel.train_window, []

    def dying(self, *arguments):
        calls.append(1)
        if len(calls) == language_training.WARM_UP + language_training.TIMED_WINDOWS + 1:
            raise SystemError("killed")
        return train_window(self, *arguments)

    monkeypatch.setattr(LanguageModel, "train_window", dying)
    with pytest.raises(SystemError):
        train_some(tmp_path, data, [MODEL], (0,), minutes=0.0005)
    before = len(calls)
    results = train_some(tmp_path, data, [MODEL], (0,), minutes=0.0005)
    assert len(calls) - before == results["models"][0]["windows"] < language_training.TIMED_WINDOWS


def test_long_trainings_are_validated_after_every_pass_and_short_ones_ten_times():
    """As published: NT-ASGD looks at every epoch, so that 4,000 epochs need not be 2,400 old before it acts."""
    assert validated_after(4000 * 332, 332) == list(range(332, 4000 * 332 + 1, 332))
    assert validated_after(100, 50) == list(range(10, 101, 10))
    assert validated_after(3, 50) == [1, 2, 3]


def test_models_have_as_many_parameters_as_a_searched_cell():
    text = load_text("grammar")
    chosen = ["found", "lstm", "awd_lstm", "random", *RECURRENT_ZOO, "tanh(0); relu(1)"]
    config = from_values({"units": 32, "blocks": 8, "language_models": chosen})
    best = {"alphaxenas-seed0": {"best": [{"architecture": str(RECURRENT_ZOO["darts_rnn_v1"].cell), "reward": 0.4}]}}
    models = models_to_train(config, text, best)
    assert len({model.name for model in models}) == len(models) == 1 + 2 + 2 + 4 + 1
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


def test_nao10_a_stored_model_is_evaluated_again_and_only_on_its_own_vocabulary(tmp_path, data):
    """NAO-10: the published test script of WikiText-2 reads the Penn Treebank."""
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


def test_baselines_have_the_sizes_and_recipes_of_their_authors():
    """PyTorch's example: two layers of 200 with dropout 0.2, between them too; Merity et al. 2018: three, dropped."""
    values = {"units": 32, "learning_rate": 20.0, "weight_dropout": 0.3, "language_models": ["lstm_2x200", "awd_lstm"]}
    plain, awd = models_to_train(from_values(values), load_text("grammar"), {})
    assert (plain.name, plain.core) == ("LSTM 2x200", LSTMCore(2, 200))
    rates = (plain.recipe.input_dropout, plain.recipe.state_dropout, plain.recipe.output_dropout)
    assert rates == (0.2, 0.2, 0.2) and plain.recipe.weight_dropout == 0.0 and plain.recipe.learning_rate == 20.0
    assert awd.core.layers == 3 and awd.recipe.average and awd.recipe.weight_dropout == 0.5
    assert (awd.recipe.activation, awd.recipe.temporal, awd.recipe.input_dropout) == (2.0, 1.0, 0.4)
    assert awd_lstm_recipe(RECIPE, "wikitext2").input_dropout == 0.65


def test_a_model_is_trained_with_its_own_recipe(tmp_path, data):
    calm = LanguageModelToTrain("calm", MODEL.core, MODEL.description, replace(RECIPE, learning_rate=1e-6))
    with RunFolder.open("suite", "final", {"seed": 0}, tmp_path / "exp", tmp_path / "events") as run:
        own, usual = train_language_models([calm, MODEL], data, RECIPE, run, epochs=1.0)["models"]
    assert own["history"][0]["learning_rate"] == 1e-6 and usual["history"][0]["learning_rate"] > 1
    assert own["validation_perplexity"] > usual["validation_perplexity"]


@pytest.mark.parametrize(
    "text",
    [
        "tanh(0); relu(1)",
        "0 0 1 1",
        "Genotype(recurrent=[('tanh', 0), ('relu', 1)], concat=range(1, 3))",
        RecurrentCell.parse("tanh(0); relu(1)").to_json(),
    ],
    ids=["line", "NAO", "DARTS", "file"],
)
def test_a_cell_of_the_users_own_is_trained_in_any_text_form(text, data):
    (model,) = models_to_train(from_values({"language_models": [text]}), data, {})
    assert model.core.cell == MODEL.core.cell and model.description == "tanh(0); relu(1)"
    assert model.name.startswith("own ")


def test_a_model_that_is_none_is_refused_with_the_nearest_name_or_the_fault_of_the_cell():
    with pytest.raises(ParameterError, match="`language_models`.*Did you mean 'lstm_2x200'"):
        from_values({"language_models": ["lstm2x200"]})
    with pytest.raises(ParameterError, match="node 2.*Did you mean 'relu'"):
        from_values({"language_models": ["tanh(0); relo(1)"]})


def test_the_best_search_of_each_controller_is_trained_and_one_without_a_child_left_out():
    def search(reward):
        return {"best": [{"architecture": str(RECURRENT_ZOO["darts_rnn_v1"].cell), "reward": reward}]}

    searches = {"a-seed0": search(0.3), "a-seed1": search(0.5), "b-seed0": {"best": []}, "c_d-seed12": search(0.1)}
    config = from_values({"blocks": 8, "language_models": ["found"]})
    models = models_to_train(config, load_text("grammar"), searches)
    assert [model.name for model in models] == ["found by a-seed1", "found by c_d-seed12"]


@pytest.mark.parametrize("epochs", [0.4, 1.0, 2.5])
def test_nao10_the_learning_rate_falls_to_the_end_of_each_final_training(tmp_path, data, monkeypatch, epochs):
    """NAO-10: the published rate falls over 100 epochs, of which 25 are trained, so it never becomes small."""
    train_window, rates = LanguageModel.train_window, []

    def noting(self, inputs, targets, weights, state, rate, *rest):
        rates.append(rate)
        return train_window(self, inputs, targets, weights, state, rate, *rest)

    monkeypatch.setattr(LanguageModel, "train_window", noting)
    train_some(tmp_path, data, [MODEL], (0,), epochs=epochs)
    assert rates == pytest.approx(np.linspace(5.0, 0.0, round(10 * epochs) + 1)[:-1].tolist())


def test_nao11_final_training_reads_the_test_text_once_after_the_last_validation(tmp_path, data, monkeypatch):
    """NAO-11: the published training scores the test text after every epoch, and has no validation text."""
    loss, read = LanguageModel.loss, []

    def noting(self, words, *rest):
        read.append("test" if words is data.test else "validation" if words is data.validation else "other")
        return loss(self, words, *rest)

    monkeypatch.setattr(LanguageModel, "loss", noting)
    train_some(tmp_path, data, [MODEL, OTHER], (0,), epochs=1.0)
    assert read == 2 * (10 * ["validation"] + ["test"])


def test_searches_may_be_smaller_than_what_is_trained_in_full(data):
    values = {"blocks": 2, "units": 12, "language_models": ["random"], "batch_size": 16}
    for smaller, units in ((6, 6), (0, 12)):
        config = from_values({**values, "search_units": smaller})
        proposal = Proposal(0, recurrent_space(config).encode(MODEL.core.cell), Budget(1, 0.1))
        outcome = evaluator(config, data, 0).evaluate(proposal)
        core = CellCore(MODEL.core.cell, units)
        expected = LanguageModel(core, len(data.vocabulary), RECIPE, 0).parameters
        assert outcome.metrics["parameters"] == expected
        assert models_to_train(config, data, {})[0].core.units == 12


def test_nothing_to_train_is_an_error_that_says_why(tmp_path, data, caplog):
    places = {"exp_dir": str(tmp_path / "exp"), "tensorboard_dir": str(tmp_path / "events")}
    with pytest.raises(ValueError, match="`language_models`.*no search has a child"):
        train_in_full(from_values({**places, "language_models": ["found"]}), data, {"nao-seed0": {"best": []}})


def test_the_search_without_a_cell_is_named(caplog):
    assert found_cells(RecurrentSpace(2), {"nao-seed0": {"best": []}}) == {}
    assert "nao-seed0 found no cell" in caplog.text

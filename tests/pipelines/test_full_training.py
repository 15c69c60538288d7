"""Training in full: what is trained, chosen, exported, tested, and continued."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from alphaxenas.data import ImageData, Part, load_data
from alphaxenas.networks.cell import CellNetwork
from alphaxenas.networks.densenet import DenseNet
from alphaxenas.networks.export.keras_export import evaluate_stored_model
from alphaxenas.networks.training.loop import Recipe
from alphaxenas.pipelines import full_training
from alphaxenas.pipelines.final import evaluate_checkpoint
from alphaxenas.pipelines.full_training import NetworkToTrain, TrainingSettings, train_in_full
from alphaxenas.runs.description import holds_work
from alphaxenas.runs.folder import RunFolder
from alphaxenas.runs.journal import same_record
from alphaxenas.spaces.cell import Cell

CELL = Cell.parse("prev:conv3x3 + prev2:avgpool3x3; b0:sep3x3 | prev:maxpool3x3")
RECIPE = Recipe(learning_rate=0.05, warmup=0.2, label_smoothing=0.1, precision="bfloat16")


@pytest.fixture(scope="module")
def data():
    return load_data("digits", fraction=0.4)


def entries(*names, filters=4):
    return [
        NetworkToTrain(name, CellNetwork(CELL, 10, filters, 2, 1), str(CELL), json.loads(CELL.to_json()))
        for name in names
    ]


def train(tmp_path, data, what, stage="final", epochs=3, **more):
    with RunFolder.open("suite", stage, {"seed": 0}, tmp_path / "exp", tmp_path / "events") as folder:
        return train_in_full(what, data, RECIPE, TrainingSettings(epochs, 32, **more), folder, 0), folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data):
    return train(tmp_path_factory.mktemp("trained"), data, entries("rank1", "rank2"))


def test_validation_chooses_and_only_the_chosen_one_is_tested(trained, data):
    results, _ = trained
    accuracies = [model["validation_accuracy"] for model in results["models"]]
    assert results["chosen"] == int(np.argmax(accuracies))
    assert results["test_images"] == len(data.test)
    assert not any("test_accuracy" in model for model in results["models"])


def test_best_epoch_is_the_one_of_highest_validation_accuracy(trained):
    for model in trained[0]["models"]:
        best = max(record["validation_accuracy"] for record in model["history"])
        assert model["validation_accuracy"] == best
        assert model["history"][model["best_epoch"] - 1]["validation_accuracy"] == best


def test_a_finished_training_returns_its_results_without_training(trained, data, monkeypatch):
    results, folder = trained
    monkeypatch.setattr(full_training, "CompiledChild", None)
    with RunFolder.open(
        "suite", "final", {"seed": 0}, folder.path.parents[1], folder.tensorboard_path.parents[1]
    ) as again:
        assert train_in_full(entries("rank1", "rank2"), data, RECIPE, TrainingSettings(3, 32), again, 0) == results


def test_the_minutes_of_every_network_are_known_before_the_first_is_trained(tmp_path, data, monkeypatch):
    seconds = iter((0.0, 1e6))
    monkeypatch.setattr(full_training, "seconds_of_step", lambda *given: next(seconds))
    with pytest.raises(ValueError, match="`train_minutes`. Expected at least .* steps of rank2.*Received: 5"):
        train(tmp_path, data, entries("rank1", "rank2"), minutes=5.0)
    assert not (tmp_path / "exp/suite/final/trials.jsonl").exists()
    assert not holds_work(tmp_path / "exp/suite/final"), "a smaller number of epochs is what the message asks for"


def test_exported_model_runs_where_this_package_cannot_be_imported(trained, data, tmp_path):
    results, folder = trained
    file = folder.path / results["models"][results["chosen"]]["file"]
    np.savez(tmp_path / "images.npz", images=data.test.images[:50].astype(np.float32))
    script = (
        "import sys; sys.modules['alphaxenas'] = None\n"
        "import keras, numpy as np\n"
        f"model = keras.saving.load_model({str(file)!r}, safe_mode=True)\n"
        f"np.save({str(tmp_path / 'out.npy')!r}, "
        f"model.predict(np.load({str(tmp_path / 'images.npz')!r})['images'], verbose=0))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, capture_output=True)
    here = keras.saving.load_model(file).predict_on_batch(data.test.images[:50].astype(np.float32))
    there = np.load(tmp_path / "out.npy")
    np.testing.assert_allclose(there, here, atol=1e-5)
    np.testing.assert_allclose(there.sum(1), 1.0, atol=1e-5)


def test_stored_model_evaluated_again_gives_the_same_test_accuracy(trained, data):
    results, folder = trained
    assert (
        evaluate_stored_model(folder.path / results["models"][results["chosen"]]["file"], data)
        == results["test_accuracy"]
    )


def test_stored_model_that_does_not_fit_is_refused(trained, tmp_path, data):
    with pytest.raises(ValueError, match="does not exist"):
        evaluate_stored_model(tmp_path / "nowhere.keras", data)
    (tmp_path / "broken.keras").write_bytes(b"no model")
    with pytest.raises(ValueError, match="no readable"):
        evaluate_stored_model(tmp_path / "broken.keras", data)
    keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]).save(
        tmp_path / "other.keras"
    )
    with pytest.raises(ValueError, match="does not fit"):
        evaluate_stored_model(tmp_path / "other.keras", data)


def test_every_network_has_a_model_card_beside_its_file(trained):
    results, folder = trained
    for number, model in enumerate(results["models"]):
        card = json.loads((folder.path / "models" / f"{model['name']}.card.json").read_text())
        assert card["architecture"] == {"text": model["architecture"], "json": model["architecture_json"]}
        assert card["numbers"]["validation_accuracy"] == model["validation_accuracy"]
        assert card["numbers"]["test_accuracy"] == (results["test_accuracy"] if number == results["chosen"] else None)
        assert (folder.path / "models" / f"{model['name']}.card.md").is_file()


def test_a_finished_training_is_handed_over_in_another_format_without_training(trained, data, monkeypatch):
    results, folder = trained
    monkeypatch.setattr(full_training, "CompiledChild", None)
    with RunFolder.open(
        "suite", "final", {"seed": 0}, folder.path.parents[1], folder.tensorboard_path.parents[1]
    ) as again:
        assert (
            train_in_full(
                entries("rank1", "rank2"), data, RECIPE, TrainingSettings(3, 32, formats=("savedmodel",)), again, 0
            )
            == results
        )
    assert (folder.path / "models" / "rank1.savedmodel" / "saved_model.pb").is_file()


def test_a_checkpoint_is_evaluated_in_one_call(tmp_path, data, monkeypatch):
    accuracies = iter([0.9, 0.1])
    # The first epoch is the best, and of it there is a checkpoint when all is over: the last but one.
    monkeypatch.setattr(full_training.CompiledChild, "accuracy", lambda self, batches: next(accuracies))
    with RunFolder.open("suite", "final", {"seed": 0}, tmp_path / "exp", tmp_path / "events") as folder:
        results = train_in_full(
            entries("rank1"), data, Recipe(learning_rate=0.05, average=0.9), TrainingSettings(2, 32), folder, 0
        )
    monkeypatch.undo()
    during, over = sorted((folder.path / "checkpoints").glob("step-*.npz"))

    def build(text, filters=4):
        return CellNetwork(Cell.parse(text), 10, filters, 2, 1)

    accuracy, text = evaluate_checkpoint(during, build, data)
    assert text == str(CELL) and accuracy == pytest.approx(results["test_accuracy"], abs=1e-6)
    with pytest.raises(ValueError, match="does not fit the network.*another architecture"):
        evaluate_checkpoint(during, lambda text: build(text, 8), data)
    with pytest.raises(ValueError, match="training that is over.*models/rank1.keras"):
        evaluate_checkpoint(over, build, data)


class _Killed(BaseException):
    pass


def test_training_with_an_average_and_restarts_continues_bit_for_bit(data, tmp_path, monkeypatch):
    recipe = Recipe(learning_rate=0.05, average=0.95, restart=1 / 3, restart_growth=1.0)

    def run(place):
        with RunFolder.open("suite", "final", {"seed": 0}, place / "exp", place / "events") as folder:
            return train_in_full(entries("rank1"), data, recipe, TrainingSettings(3, 32), folder, 0), folder

    whole, _ = run(tmp_path / "whole")
    original = RunFolder.log

    def log_then_die(self, message):
        original(self, message)
        if " epoch 2 of" in message:
            raise _Killed

    monkeypatch.setattr(RunFolder, "log", log_then_die)
    with pytest.raises(_Killed):
        run(tmp_path / "killed")
    monkeypatch.setattr(RunFolder, "log", original)
    continued, _ = run(tmp_path / "killed")
    assert continued["models"][0]["history"] == whole["models"][0]["history"]
    assert continued["test_accuracy"] == whole["test_accuracy"]
    rates = [record["learning_rate"] for record in whole["models"][0]["history"]]
    assert rates == pytest.approx([rates[0]] * 3)


@pytest.mark.parametrize("after", [1, 3, 4])
def test_training_killed_after_an_epoch_continues_bit_for_bit(trained, data, tmp_path, monkeypatch, after):
    whole, folder = trained
    original, calls = RunFolder.log, []

    def log_then_die(self, message):
        original(self, message)
        calls.append(" epoch " in message)
        if sum(calls) == after:
            raise _Killed

    monkeypatch.setattr(RunFolder, "log", log_then_die)
    with pytest.raises(_Killed):
        train(tmp_path, data, entries("rank1", "rank2"))
    monkeypatch.setattr(RunFolder, "log", original)
    results, continued = train(tmp_path, data, entries("rank1", "rank2"))
    lines = [
        [json.loads(line) for line in (path.path / "trials.jsonl").read_text().splitlines()]
        for path in (folder, continued)
    ]
    assert len(lines[0]) == len(lines[1]) == 6
    assert all(same_record(one, two) for one, two in zip(*lines))
    assert results["test_accuracy"] == whole["test_accuracy"]


def test_patience_ends_a_training_early(tmp_path, data):
    frozen = Recipe(learning_rate=1e-12)
    with RunFolder.open("suite", "final", {"seed": 0}, tmp_path / "exp", tmp_path / "events") as folder:
        results = train_in_full(entries("rank1"), data, frozen, TrainingSettings(12, 32, patience=2), folder, 0)
    # The moving statistics settle in the first epochs; nothing else moves.
    assert results["models"][0]["epochs"] < 12


@pytest.mark.parametrize(("precision", "compiled"), [("float32", ["float32"]), ("bfloat16", ["bfloat16", "float32"])])
def test_exported_model_is_checked_against_the_trained_child_in_float32(
    tmp_path, data, monkeypatch, precision, compiled
):
    made = []

    class Counted(full_training.CompiledChild):
        def __init__(self, network, bank, image_shape, recipe, devices=1):
            made.append(recipe.precision)
            super().__init__(network, bank, image_shape, recipe, devices)

    monkeypatch.setattr(full_training, "CompiledChild", Counted)
    with RunFolder.open("suite", "final", {"seed": 0}, tmp_path / "exp", tmp_path / "events") as folder:
        train_in_full(entries("rank1"), data, Recipe(precision=precision), TrainingSettings(1, 32), folder, 0)
    assert made == compiled


def test_a_hundred_classes_are_trained_and_exported(tmp_path):
    rng = np.random.default_rng(0)
    parts = [
        Part(rng.integers(0, 256, (count, 8, 8, 3), np.uint8), (np.arange(count) % 100).astype(np.int32))
        for count in (200, 100, 100)
    ]
    names = tuple(f"class {number}" for number in range(100))
    data = ImageData("cifar100", *parts, np.full(3, 0.5, np.float32), np.full(3, 0.25, np.float32), names, True)
    results, folder = train(
        tmp_path, data, [NetworkToTrain("rank1", CellNetwork(CELL, 100, 4, 2, 1), str(CELL))], epochs=1
    )
    assert 0 <= results["test_accuracy"] <= 0.1
    assert keras.saving.load_model(folder.path / results["models"][0]["file"]).output_shape == (None, 100)
    assert len(json.loads((folder.path / "models" / "rank1.card.json").read_text())["data"]["classes"]) == 100


def test_densenet_trains_and_exports_in_the_same_harness(tmp_path, data):
    results, folder = train(
        tmp_path, data, [NetworkToTrain("densenet", DenseNet(10, 10, 4), "DenseNet-BC")], "densenet", epochs=1
    )
    assert (folder.path / results["models"][0]["file"]).is_file()
    assert results["models"][0]["architecture_json"] is None

"""Model cards: the same facts as the run's records, as JSON and as Markdown."""

import json

import numpy as np
import pytest

from alphaxenas.data import load_data
from alphaxenas.pipelines.model_card import markdown, model_card, write_model_card
from alphaxenas.runs.folder import RunFolder

MODEL = {
    "name": "rank1",
    "architecture": "prev:conv3x3 + prev2:identity",
    "architecture_json": {"blocks": []},
    "parameters": 12345,
    "multiply_adds": 6_700_000,
    "epochs": 2,
    "best_epoch": 2,
    "validation_accuracy": 0.91,
    "seconds": 90.0,
    "file": "models/rank1.keras",
    "history": [{"images": 100}, {"images": 100}],
}
RESULTS = {"models": [MODEL, {**MODEL, "name": "rank2"}], "chosen": 0, "test_accuracy": 0.9, "test_images": 400}


@pytest.fixture
def folder(tmp_path):
    parameters = {
        "seed": 7,
        "dataset": "digits",
        "augment": True,
        "train_epochs": 2,
        "train_learning_rate": 0.1,
        "warmup_epochs": 1.0,
    }
    with RunFolder.open("suite", "final", parameters, tmp_path / "exp", tmp_path / "events") as opened:
        (opened.path / "models").mkdir()
        (opened.path / "models" / "rank1.keras").write_bytes(b"weights")
        yield opened


def test_it_says_how_good_large_and_fast_the_files_for_devices_are(folder):
    found = {
        "float32": {"bytes": 54_321, "milliseconds": 0.4567, "runtime": "tensorflow", "test_accuracy": 0.9},
        "float16": {"bytes": 27_000, "milliseconds": 0.5, "runtime": "tensorflow"},
        "int8": {"error": "ConverterError: no such operation"},
    }
    (folder.path / "models" / "rank1.litert.json").write_text(json.dumps(found))
    (folder.path / "models" / "rank1.float32.tflite").write_bytes(b"weights")
    card = model_card(MODEL, RESULTS, load_data("digits"), folder)
    assert card["litert"] == found and "rank1.float32.tflite" in card["files"]
    text = markdown(card)
    assert "- rank1.float32.tflite: 54,321 bytes, test accuracy 0.9000, 0.457 ms an image" in text
    assert "- rank1.float16.tflite: 27,000 bytes, not tested, 0.5 ms" in text
    assert "- rank1.int8.tflite: cannot be converted, ConverterError: no such operation" in text


@pytest.fixture
def card(folder):
    return model_card(MODEL, RESULTS, load_data("digits"), folder)


def test_it_says_what_was_trained_on_what_with_which_numbers_cost_seed_and_versions(card):
    assert card["architecture"]["text"] == MODEL["architecture"] and card["network"] == {
        "parameters": 12345,
        "multiply_adds": 6_700_000,
    }
    assert (
        card["data"]["name"] == "digits"
        and sum(card["data"]["images"].values()) == 1797
        and len(card["data"]["classes"]) == 10
    )
    low, high = card["numbers"]["test_interval_95"]
    assert low < 0.9 < high and high - low == pytest.approx(2 * 1.96 * np.sqrt(0.9 * 0.1 / 400), rel=0.05)
    assert card["cost"] == {"seconds": 90.0, "epochs": 2, "images": 200}
    assert card["seed"] == 7 and {"tensorflow", "keras", "python", "alphaxenas"} <= set(card["versions"])
    assert card["training"] == {"train_epochs": 2, "train_learning_rate": 0.1, "warmup_epochs": 1.0}
    assert len(card["files"]["rank1.keras"]) == 64


def test_a_network_that_was_not_chosen_has_no_test_accuracy_and_says_why(folder):
    card = model_card(RESULTS["models"][1], RESULTS, load_data("digits"), folder)
    assert card["numbers"]["test_accuracy"] is None and card["numbers"]["test_interval_95"] is None
    assert "not tested: validation chose another" in markdown(card)


def test_both_files_are_written_and_agree(card, tmp_path):
    write_model_card(card, tmp_path)
    assert json.loads((tmp_path / "rank1.card.json").read_text()) == card
    text = (tmp_path / "rank1.card.md").read_text()
    for fact in (
        "**0.9000**",
        MODEL["architecture"],
        "12,345 parameters",
        "6.7 million",
        "Seed: 7",
        "train_learning_rate: 0.1",
        card["files"]["rank1.keras"],
    ):
        assert fact in text

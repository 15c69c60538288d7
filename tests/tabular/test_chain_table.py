"""The table of titu1994's networks: its codes, its form, and how it is continued."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alphaxenas.runs import Journal
from alphaxenas.spaces.chains.presets import convolution_chains
from alphaxenas.tabular.benchmark_tables import read_table
from benchmarks import chain_table

SETTINGS = {
    "dataset": "cifar10",
    "epochs": 1,
    "fraction": 0.1,
    "side": 16,
    "batch_size": 32,
    "learning_rate": 0.003,
    "seed": 0,
}


@pytest.fixture
def counted(monkeypatch):
    """Training replaced by counting."""
    trained = []

    def score(space, evaluator, tokens, options):
        trained.append(tokens)
        return {
            "code": chain_table.code_of(space.decode(tokens)),
            "validation_accuracy": len(trained) / 2000,
            "parameters": 7,
            "seconds": 1.0,
        }

    monkeypatch.setattr(chain_table, "_evaluator", lambda space, options: None)
    monkeypatch.setattr(chain_table, "_trained", score)
    return trained


def test_a_stopped_ranking_goes_on_and_its_table_can_be_searched(tmp_path, counted, capsys):
    assert chain_table.main(["--out", str(tmp_path), "--most", "5"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (first["networks"], first["complete"]) == (5, False) and not (tmp_path / chain_table.FILE).exists()
    assert chain_table.main(["--out", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["complete"]
    assert len(counted) == len(set(counted)) == 1296
    table = read_table(tmp_path / chain_table.FILE, "code", "validation_accuracy", cost="seconds")
    assert table.space.size() == convolution_chains().size() and table.space.max_length == 8


def test_other_settings_do_not_mix_with_stored_results(tmp_path, counted):
    Journal(tmp_path / "trials.jsonl").append(SETTINGS | {"epochs": 3})
    with pytest.raises(SystemExit, match="other settings"):
        chain_table.main(["--out", str(tmp_path)])
    assert not counted


def test_images_are_halved_by_averaging():
    from alphaxenas.data import load_data

    data = load_data("digits")
    half = chain_table.halved(data)
    assert half.image_shape == (4, 4, 1) and half.test is None
    expected = data.train.images[3, 2:4, 4:6, 0].astype(float).mean()
    assert half.train.images[3, 1, 2, 0] == np.floor(expected + 0.5)

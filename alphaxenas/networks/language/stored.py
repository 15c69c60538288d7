"""A trained language model as two files: its weights (`.npz`), and what is needed to use them (`.json`)."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.networks.language.cores import CellCore, Core, LSTMCore
from alphaxenas.networks.language.model import LanguageModel
from alphaxenas.networks.language.recipe import LanguageRecipe
from alphaxenas.runs.files import write_atomically
from alphaxenas.spaces.recurrent import RecurrentCell


def store_language_model(model: LanguageModel, card: Mapping[str, Any], path: Path) -> None:
    """Writes a model; averaged weights where they are averaged.

    Args:
        model: A model of one cell, or of LSTMs.
        card: What is known of it, JSON values: `name`, `architecture`, `vocabulary` and whatever else.
        path: The `.npz` file; its folder is made.
    """
    path.parent.mkdir(exist_ok=True)
    np.savez(path, allow_pickle=False, **model.arrays())
    write_card(path, card)


def write_card(path: Path, card: Mapping[str, Any]) -> None:
    """Writes what is known of a model.

    Args:
        path: Its `.npz` file; the `.json` file lies beside it.
        card: As for `store_language_model`.
    """
    write_atomically(path.with_suffix(".json"), json.dumps(card, ensure_ascii=False).encode())


def load_language_model(path: Path) -> tuple[dict[str, Any], LanguageModel]:
    """A model that `store_language_model` stored, with what is written about it.

    Args:
        path: Its `.npz` file; the `.json` file of the same name lies beside it.

    Returns:
        The content of the `.json` file, and the model.

    Raises:
        ValueError: The files are damaged.
    """
    try:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
        words, units = arrays["embedding"].shape
        core: Core = (
            CellCore(RecurrentCell.parse(card["architecture"]), units)
            if "nodes" in arrays
            else LSTMCore(sum(name.startswith("input") for name in arrays), units)
        )
        model = LanguageModel(core, words, LanguageRecipe(), 0)
        model.restore({"weights": arrays, "averages": {}, "averaged": 0})
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"The language model {path} cannot be read: {error}") from error
    return card, model

"""Training language models in full: all alike, for equal time, and continued where they stopped.

Every model is trained with every seed. The validation text is scored ten times on the way; the last score counts, and
the test text is scored once, at the end. Where minutes are given, the first windows are timed, and the training gets as
many windows as fit: from then on their number is fixed, so a continued training is the uninterrupted one.
"""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from alphaxenas.data.text import TextData, streams
from alphaxenas.networks.export import require_formats
from alphaxenas.networks.language.cores import CellCore, Core, LSTMCore
from alphaxenas.networks.language.export import STEP, hand_over
from alphaxenas.networks.language.fit import TextReader, train_windows
from alphaxenas.networks.language.generate import generate
from alphaxenas.networks.language.model import LanguageModel, perplexity
from alphaxenas.networks.language.recipe import LanguageRecipe
from alphaxenas.networks.training.loop import DivergedError
from alphaxenas.runs.files import write_atomically
from alphaxenas.runs.folder import RunFolder
from alphaxenas.runs.resume import ResumableLoop
from alphaxenas.spaces.recurrent import RecurrentCell

VALIDATIONS = 10
WARM_UP, TIMED_WINDOWS = 10, 50
"""Windows that are not timed, and those after them that are."""
WRITTEN_WORDS = 60


@dataclass(frozen=True)
class LanguageModelToTrain:
    """One model to train.

    Attributes:
        name: Names its curves and files.
        core: Its recurrent part.
        description: The cell as one line of text, or the name.
    """

    name: str
    core: Core
    description: str


def train_language_models(
    models: Sequence[LanguageModelToTrain],
    data: TextData,
    recipe: LanguageRecipe,
    folder: RunFolder,
    seeds: Sequence[int] = (0,),
    epochs: float = 1.0,
    minutes: float = 0.0,
    formats: Sequence[str] = (),
) -> dict[str, Any]:
    """Trains every model with every seed, or what is left of that.

    Args:
        models: What to train, in order.
        data: All three parts.
        recipe: How the weights are updated.
        folder: An open run folder; a finished one is not trained again.
        seeds: Of initial weights and dropout.
        epochs: Passes over the text, where `minutes` is 0.
        minutes: Time of each training without validation; see the module text.
        formats: How the models are stored besides, see `alphaxenas.networks.language.export`; others also of trainings
            that are finished.

    Returns:
        The content of results.json: `headline`, `models` (one record for every training: name, seed, architecture,
        parameters, units, windows, validation and test perplexity, history, seconds, file, text written), `failed`
        (name, seed and reason of each whose loss was not finite; the others go on) and `seconds`.

    Raises:
        ValueError: The package for a format is missing.
        DivergedError: No training came to its end, because losses were not finite.
        Stopped, KeyboardInterrupt: After a signal, with the state of the last validation saved.
    """
    require_formats(formats)
    results = _Trainer(models, data, recipe, folder, seeds, epochs, minutes).run()
    for model in results["models"]:
        path = folder.path / f"{model['file']}.npz"
        if path.is_file():
            card, loaded = load_language_model(path)
            _write_card(path, {**card, "files": hand_over(loaded, path.with_suffix(""), formats)})
    return results


class _Trainer:
    """The trainings in turn, their records and checkpoints; arguments as of `train_language_models`."""

    def __init__(
        self,
        models: Sequence[LanguageModelToTrain],
        data: TextData,
        recipe: LanguageRecipe,
        folder: RunFolder,
        seeds: Sequence[int],
        epochs: float,
        minutes: float,
    ) -> None:
        self._turns = [(model, seed) for model in models for seed in seeds]
        self._data, self._recipe, self._folder = data, recipe, folder
        self._epochs, self._minutes = epochs, minutes
        self._reader = TextReader(streams(data.train, recipe.batch_size), recipe.window)
        self._done: list[dict[str, Any]] = []
        self._failed: list[dict[str, Any]] = []
        self._current: dict[str, Any] | None = None
        self._loop = ResumableLoop(folder, self._state, self._restore, "validation")

    def run(self) -> dict[str, Any]:
        return self._loop.run(self._train_all)

    def _state(self) -> dict[str, Any]:
        return {"done": self._done, "failed": self._failed, "current": self._current}

    def _restore(self, state: dict[str, Any]) -> None:
        self._done, self._failed, self._current = state["done"], state.get("failed", []), state["current"]
        self._folder.event_start = len(self._loop.records) + 1

    def _train_all(self) -> dict[str, Any]:
        for model, seed in self._turns[len(self._done) + len(self._failed) :]:
            try:
                self._done.append(self._train(model, seed))
            except DivergedError as error:
                self._failed.append({"name": model.name, "seed": seed, "reason": str(error)})
                self._folder.log(f"{model.name}, seed {seed}, failed: {error}")
            self._current = None
            self._loop.checkpoint()
        if not self._done:
            raise DivergedError(f"No training came to its end. {self._failed[0]['reason']}")
        best = min(self._done, key=lambda record: record["validation_perplexity"])
        return {
            "headline": f"best validation perplexity {best['validation_perplexity']:.2f} (test "
            f"{best['test_perplexity']:.2f}): {best['name']}"
            + (f"; {len(self._failed)} of {len(self._turns)} trainings failed" if self._failed else ""),
            "models": self._done,
            "failed": self._failed,
            "entropy": self._data.entropy,
            "seconds": sum(record["seconds"] for record in self._done),
        }

    def _train(self, wanted: LanguageModelToTrain, seed: int) -> dict[str, Any]:
        """One training, from the start or from a checkpoint, to its end; its record for results.json."""
        model = LanguageModel(wanted.core, len(self._data.vocabulary), self._recipe, seed)
        hidden: Any = None
        if self._current is None:
            self._current = {"windows": self._windows(wanted.core, seed), "history": [], "seconds": 0.0}
        else:
            model.restore(self._current["model"])
            hidden = tuple(map(tf.constant, self._current["hidden"])) or None
        current, history = self._current, self._current["history"]
        total = current["windows"]
        ends = np.unique(np.linspace(0, total, VALIDATIONS + 1).round().astype(int)).tolist()

        def rate(number: int) -> float:
            return self._recipe.rate_at(number / total)

        for begin, end in zip(ends[len(history) :], ends[len(history) + 1 :]):
            since = time.monotonic()
            loss, hidden = train_windows(model, self._reader, begin, end, rate, hidden)
            current["seconds"] += time.monotonic() - since
            validated = model.loss(self._data.validation)
            losses = [record["validation_loss"] for record in history]
            if self._recipe.average and len(losses) >= self._recipe.patience:
                if validated > min(losses[: len(losses) - self._recipe.patience + 1]):
                    model.start_averaging()
            record = {"windows": end, "loss": loss, "validation_loss": validated, "learning_rate": rate(end - 1)}
            history.append(record)
            current |= {"model": model.state(), "hidden": [part.numpy() for part in hidden]}
            self._record(f"{wanted.name}, seed {seed}", record, current["seconds"])
        tested = model.loss(self._data.test)
        file = f"models/{_file_name(wanted.name)}-seed{seed}"
        self._export(model, wanted, self._folder.path / file)
        return {
            "name": wanted.name,
            "seed": seed,
            "architecture": wanted.description,
            "parameters": model.parameters,
            "units": wanted.core.units,
            "windows": total,
            "epochs": total / self._reader.windows,
            "validation_perplexity": perplexity(history[-1]["validation_loss"]),
            "test_perplexity": perplexity(tested),
            "history": history,
            "seconds": round(current["seconds"], 1),
            "file": file,
            "written": generate(model, self._data.vocabulary, WRITTEN_WORDS, seed=seed),
        }

    def _windows(self, core: Core, seed: int) -> int:
        """Windows of a training: of so many passes over the text, or as many as fit into the minutes."""
        if not self._minutes:
            return max(1, round(self._epochs * self._reader.windows))
        model = LanguageModel(core, len(self._data.vocabulary), self._recipe, seed)
        hidden, taken = None, []
        for number in range(WARM_UP + TIMED_WINDOWS):
            since = time.monotonic()
            _, hidden = train_windows(model, self._reader, number, number + 1, lambda _: 0.0, hidden)
            taken.append(time.monotonic() - since)
        # The median: what else the machine does for a moment must not shorten a training of hours.
        return max(1, round(60.0 * self._minutes / float(np.median(taken[WARM_UP:]))))

    def _record(self, name: str, record: dict[str, Any], seconds: float) -> None:
        """Journal line, curves, checkpoint and log line of a validation."""
        finished_at = datetime.now().astimezone().isoformat(timespec="seconds")
        self._loop.append({"name": name, **record, "seconds": round(seconds, 3), "finished_at": finished_at})
        curves = {
            "loss": record["loss"],
            "validation_perplexity": perplexity(record["validation_loss"]),
            "learning_rate": record["learning_rate"],
        }
        self._folder.events.scalars(
            len(self._loop.records), {f"{name}/{kind}": value for kind, value in curves.items()}
        )
        self._loop.checkpoint()
        self._folder.log(
            f"{name}: {record['windows']} windows, training perplexity {perplexity(record['loss']):.2f}, validation "
            f"{perplexity(record['validation_loss']):.2f}, {seconds:.0f} s"
        )
        self._loop.leave_if_requested()

    def _export(self, model: LanguageModel, wanted: LanguageModelToTrain, path: Path) -> None:
        """Writes the weights with what is needed to use them."""
        path.parent.mkdir(exist_ok=True)
        np.savez(path.with_suffix(".npz"), allow_pickle=False, **model.arrays())
        card = {"name": wanted.name, "architecture": wanted.description, "step": STEP}
        _write_card(path, {**card, "vocabulary": list(self._data.vocabulary)})


def load_language_model(path: Path) -> tuple[dict[str, Any], LanguageModel]:
    """A model that `train_language_models` stored, with what is written about it.

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


def evaluate_language_model(path: Path, data: TextData) -> dict[str, Any]:
    """Test perplexity of a model that `train_language_models` stored; nothing is trained or stored.

    Args:
        path: As for `load_language_model`.
        data: Its test part is used.

    Returns:
        `headline`, `test_perplexity` and `test_words`.

    Raises:
        ValueError: The files are damaged, or the model is of another vocabulary.
    """
    card, model = load_language_model(path)
    if tuple(card["vocabulary"]) != data.vocabulary:
        raise ValueError(
            f"The language model {path} knows another vocabulary. Expected the {len(data.vocabulary):,} words of "
            f"`text` {data.name!r}. Received: {len(card['vocabulary']):,} words"
        )
    reached = perplexity(model.loss(data.test))
    headline = f"test perplexity {reached:.2f} of {card['name']}: {card['architecture']}"
    return {"headline": headline, "test_perplexity": reached, "test_words": len(data.test)}


def _write_card(path: Path, card: dict[str, Any]) -> None:
    """What is known of a model, beside its `.npz` file."""
    write_atomically(path.with_suffix(".json"), json.dumps(card, ensure_ascii=False).encode())


def _file_name(name: str) -> str:
    return "".join(sign if sign.isalnum() else "-" for sign in name).strip("-").replace("--", "-")

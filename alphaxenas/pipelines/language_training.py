"""Training language models in full: all alike, for equal time, and continued where they stopped.

Every model is trained with every seed, seed after seed, so that what the machine does for some hours hits all models.
The validation text is scored ten times on the way, or after every pass of a longer training; the last score counts, and
the test text is scored once, at the end. Where minutes are given, windows of all models are timed in turns first, and
every training of a model gets the number of windows that fit: a continued training is the uninterrupted one.

Models and seeds may be added to a run: it trains those that it has not trained yet, and keeps the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from alphaxenas.data.text import TextData, streams
from alphaxenas.networks.export import require_formats
from alphaxenas.networks.language.cores import Core
from alphaxenas.networks.language.export import STEP, hand_over
from alphaxenas.networks.language.fit import TextReader, train_windows
from alphaxenas.networks.language.generate import generate
from alphaxenas.networks.language.model import LanguageModel, perplexity
from alphaxenas.networks.language.recipe import LanguageRecipe
from alphaxenas.networks.language.stored import load_language_model, store_language_model, write_card
from alphaxenas.networks.training.loop import DivergedError
from alphaxenas.runs.description import RunMismatch
from alphaxenas.runs.folder import RunFolder
from alphaxenas.runs.interruption import Stopped
from alphaxenas.runs.resume import ResumableLoop

VALIDATIONS = 10
"""At least, of a training."""
WARM_UP, TIMED_WINDOWS = 10, 200
"""Windows of a model that are not timed, and those after them that are."""
SAVED_EVERY = 60.0
"""Seconds of a training after which it is saved between two validations."""
WRITTEN_WORDS = 60


@dataclass(frozen=True)
class LanguageModelToTrain:
    """One model to train.

    Attributes:
        name: Names its curves and files.
        core: Its recurrent part.
        description: The cell as one line of text, or what else it is.
        recipe: How it is trained, where that is not the recipe of all.
    """

    name: str
    core: Core
    description: str
    recipe: LanguageRecipe | None = None


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
        folder: An open run folder; what it has trained is not trained again.
        seeds: Of initial weights and dropout.
        epochs: Passes over the text, where `minutes` is 0.
        minutes: Time of each training without validation; see the module text.
        formats: How the models are stored besides, see `alphaxenas.networks.language.export`; others also of trainings
            that are finished.

    Returns:
        The content of results.json: `headline`, `models` (one record for every training of the run: name, seed,
        architecture, parameters, units, windows, validation and test perplexity, history, seconds, file, text written),
        `failed` (name, seed and reason of each whose loss was not finite; the others go on), `timed` (by name the
        seconds of a window and how many are trained on, where minutes are given) and `seconds`.

    Raises:
        ValueError: The package for a format is missing.
        RunMismatch: The run holds another model of the same name.
        DivergedError: No training came to its end, because losses were not finite.
        Stopped, KeyboardInterrupt: After a signal, with the state after the last window saved.
    """
    require_formats(formats)
    results = _Trainer(models, data, recipe, folder, seeds, epochs, minutes).run()
    for model in results["models"]:
        path = folder.path / f"{model['file']}.npz"
        if path.is_file():
            card, loaded = load_language_model(path)
            write_card(path, {**card, "files": hand_over(loaded, path.with_suffix(""), formats)})
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
        self._models, self._turns = models, [(model, seed) for seed in seeds for model in models]
        self._data, self._recipe, self._folder = data, recipe, folder
        self._epochs, self._minutes = epochs, minutes
        self._reader = TextReader(streams(data.train, recipe.batch_size), recipe.window)
        self._done: list[dict[str, Any]] = []
        self._failed: list[dict[str, Any]] = []
        self._timed: dict[str, dict[str, Any]] = {}
        self._unfinished: dict[str, dict[str, Any]] = {}
        self._saved_at = time.monotonic()
        self._loop = ResumableLoop(folder, self._state, self._restore, "validation")

    def run(self) -> dict[str, Any]:
        return self._loop.run(self._train_all, self._has_all)

    def _state(self) -> dict[str, Any]:
        kept = {"done": self._done, "failed": self._failed, "timed": self._timed}
        return {**kept, "unfinished": self._unfinished}

    def _restore(self, state: dict[str, Any]) -> None:
        if "unfinished" not in state:
            raise RunMismatch(
                f"The run {self._folder.name} was begun by an earlier version, which kept one training at a time. Use "
                "another `run` name, or overwrite=True (run_all.sh --overwrite) to replace it."
            )
        self._done, self._failed, self._timed = state["done"], state["failed"], state["timed"]
        self._unfinished = state["unfinished"]
        self._refuse_others([*self._done, *self._unfinished.values()])
        self._folder.event_start = len(self._loop.records) + 1

    def _has_all(self, results: Mapping[str, Any]) -> bool:
        """Whether stored results hold every training that is asked for."""
        self._refuse_others(results["models"])
        ended = {(record["name"], record["seed"]) for record in [*results["models"], *results["failed"]]}
        return {(model.name, seed) for model, seed in self._turns} <= ended

    def _refuse_others(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Refuses a model whose name another one has in the records."""
        asked = {model.name: (model.description, model.core.units) for model in self._models}
        for record in records:
            stored = (record["architecture"], record["units"])
            if asked.get(record["name"], stored) != stored:
                now = "{}, {} units".format(*asked[record["name"]])
                raise RunMismatch(
                    f"The run {self._folder.name} exists with another model called {record['name']}: {stored[0]}, "
                    f"{stored[1]} units; now {now}. Use another `run` name to keep both, or overwrite=True "
                    "(run_all.sh --overwrite) to replace it."
                )

    def _train_all(self) -> dict[str, Any]:
        ended = {(record["name"], record["seed"]) for record in [*self._done, *self._failed]}
        turns = [(model, seed) for model, seed in self._turns if (model.name, seed) not in ended]
        if self._minutes:
            self._time([model for model in self._models if any(model is one for one, _ in turns)])
        for model, seed in turns:
            try:
                self._done.append(self._train(model, seed))
            except DivergedError as error:
                self._failed.append({"name": model.name, "seed": seed, "reason": str(error)})
                self._folder.log(f"{model.name}, seed {seed}, failed: {error}")
            self._unfinished.pop(f"{model.name}, seed {seed}", None)
            self._loop.checkpoint()
        if not self._done:
            raise DivergedError(f"No training came to its end. {self._failed[0]['reason']}")
        best = min(self._done, key=lambda record: record["validation_perplexity"])
        trainings = len(self._done) + len(self._failed)
        return {
            "headline": f"best validation perplexity {best['validation_perplexity']:.2f} (test "
            f"{best['test_perplexity']:.2f}): {best['name']}"
            + (f"; {len(self._failed)} of {trainings} trainings failed" if self._failed else ""),
            "models": self._done,
            "failed": self._failed,
            "timed": self._timed,
            "entropy": self._data.entropy,
            "seconds": sum(record["seconds"] for record in self._done),
        }

    def _time(self, models: Sequence[LanguageModelToTrain]) -> None:
        """Times windows of models that were not timed yet, in turns, so that other work delays all of them alike."""
        models = [model for model in models if model.name not in self._timed]
        made = [LanguageModel(one.core, len(self._data.vocabulary), one.recipe or self._recipe, 0) for one in models]
        states: list[Any] = [None] * len(models)
        taken: list[list[float]] = [[] for _ in models]
        for number in range(WARM_UP + TIMED_WINDOWS):
            for place, model in enumerate(made):
                since, state = time.monotonic(), states[place]
                _, states[place] = train_windows(model, self._reader, number, number + 1, lambda _: 0.0, state)
                taken[place].append(time.monotonic() - since)
            self._loop.leave_if_requested()
        for wanted, seconds in zip(models, taken):
            # The median: what else the machine does for a moment must not shorten a training of hours.
            window = float(np.median(seconds[WARM_UP:]))
            windows = max(1, round(60.0 * self._minutes / window))
            self._timed[wanted.name] = {"window_seconds": window, "windows": windows}
            self._folder.log(f"{wanted.name}: {1000 * window:.1f} ms a window, {windows} windows")
        if models:
            self._loop.checkpoint()

    def _train(self, wanted: LanguageModelToTrain, seed: int) -> dict[str, Any]:
        """One training, from the start or from a checkpoint, to its end; its record for results.json."""
        recipe, title = wanted.recipe or self._recipe, f"{wanted.name}, seed {seed}"
        model = LanguageModel(wanted.core, len(self._data.vocabulary), recipe, seed)
        about = {"name": wanted.name, "seed": seed, "architecture": wanted.description, "units": wanted.core.units}
        current: Any = self._unfinished.get(title)
        hidden: Any = None
        if current is None:
            total = max(1, round(self._epochs * self._reader.windows))
            total = self._timed[wanted.name]["windows"] if self._minutes else total
            current = {**about, "windows": total, "at": 0, "loss": 0.0, "words": 0.0, "history": [], "seconds": 0.0}
        else:
            model.restore(current["model"])
            hidden = tuple(map(tf.constant, current["hidden"]))
            current = {**current, "history": list(current["history"])}
        history, total = current["history"], current["windows"]

        def rate(number: int) -> float:
            return recipe.rate_at(number / total)

        def hold() -> None:
            # A copy: a checkpoint may be written at any time, and its counters are those of its weights.
            weights = {"model": model.state(), "hidden": [part.numpy() for part in hidden]}
            self._unfinished[title] = {**current, "history": list(history), **weights}

        for end in validated_after(total, self._reader.windows)[len(history) :]:
            while current["at"] < end:
                since, number = time.monotonic(), current["at"]
                loss, hidden = train_windows(model, self._reader, number, number + 1, rate, hidden)
                words = float(self._reader.at(number)[2].sum())
                current.update(at=number + 1, loss=current["loss"] + loss * words, words=current["words"] + words)
                current["seconds"] += time.monotonic() - since
                self._save_or_leave(hold)
            record = {"windows": end, "loss": current["loss"] / max(current["words"], 1.0)}
            record |= {"validation_loss": model.loss(self._data.validation), "learning_rate": rate(end - 1)}
            history.append(record)
            if recipe.starts_averaging([one["validation_loss"] for one in history]):
                model.start_averaging()
            current.update(loss=0.0, words=0.0)
            hold()
            self._record(title, record, current["seconds"])
        tested = model.loss(self._data.test)
        file = f"models/{_file_name(wanted.name)}-seed{seed}"
        card = {"name": wanted.name, "architecture": wanted.description, "step": STEP}
        card |= {"vocabulary": list(self._data.vocabulary)}
        store_language_model(model, card, self._folder.path / f"{file}.npz")
        return {
            **about,
            "parameters": model.parameters,
            "windows": total,
            "epochs": total / self._reader.windows,
            "validation_perplexity": perplexity(history[-1]["validation_loss"]),
            "test_perplexity": perplexity(tested),
            "history": history,
            "seconds": round(current["seconds"], 1),
            "file": file,
            "written": generate(model, self._data.vocabulary, WRITTEN_WORDS, seed=seed),
        }

    def _save_or_leave(self, hold: Callable[[], None]) -> None:
        """Between two windows: a checkpoint every `SAVED_EVERY` seconds, and one before the run is left."""
        if time.monotonic() - self._saved_at >= SAVED_EVERY:
            hold()
            self._loop.save_if_due()
            self._saved_at = time.monotonic()
        try:
            self._loop.leave_if_requested()
        except (Stopped, KeyboardInterrupt):
            hold()
            self._loop.checkpoint()
            raise

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
        self._loop.save_if_due()
        self._folder.log(
            f"{name}: {record['windows']} windows, training perplexity {perplexity(record['loss']):.2f}, validation "
            f"{perplexity(record['validation_loss']):.2f}, {seconds:.0f} s"
        )
        self._loop.leave_if_requested()


def validated_after(total: int, epoch: int) -> list[int]:
    """After which windows of a training the validation text is scored: ten times, or after every epoch of a long one.

    Args:
        total: Windows of the training.
        epoch: Windows of a pass over the text.

    Returns:
        Rising numbers, the last of which is `total`.
    """
    ends = np.linspace(0, total, max(VALIDATIONS, round(total / epoch)) + 1).round().astype(int)
    return np.unique(ends)[1:].tolist()


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


def _file_name(name: str) -> str:
    return "".join(sign if sign.isalnum() else "-" for sign in name).strip("-").replace("--", "-")

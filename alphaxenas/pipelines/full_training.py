"""Training networks in full: the best architectures of a search, one given as text, or the DenseNet baseline.

Each network is trained for a number of epochs with a checkpoint after every one; validation accuracy chooses the epoch
and, among several networks, the network. That one is exported as a plain Keras model and scored on the test images,
once. Whatever interrupts the training, the same call continues it. Every network gets a model card.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.data.images import ImageData
from alphaxenas.data.pipeline import Batches
from alphaxenas.networks.bank import WeightBank
from alphaxenas.networks.export import require_formats
from alphaxenas.networks.export.keras_export import export_keras, hand_over, save_keras, test_accuracy
from alphaxenas.networks.export.litert import report_of, save_litert
from alphaxenas.networks.export.plain_keras import keras
from alphaxenas.networks.training.fit import affordable, fit, seconds_of_step
from alphaxenas.networks.training.loop import EVALUATION_BATCH, CompiledChild, Network
from alphaxenas.networks.training.recipe import Recipe
from alphaxenas.networks.training.replicas import Replicas
from alphaxenas.pipelines.model_card import model_card, write_model_card
from alphaxenas.runs.checkpoint import pack, unpack
from alphaxenas.runs.folder import RunFolder
from alphaxenas.runs.resume import ResumableLoop
from alphaxenas.suggestions import invalid

AGREEMENT = 1e-3
"""Largest difference of probabilities allowed between a child in float32 and its exported model."""


@dataclass(frozen=True)
class NetworkToTrain:
    """One network to train.

    Attributes:
        name: Names its model file and its curves.
        network: Builds the forward pass.
        architecture: One line of text.
        architecture_json: The architecture as a JSON value; None for hand-made networks.
        compared: Whether it is trained to compare with: it is tested, but never chosen.
    """

    name: str
    network: Network
    architecture: str
    architecture_json: Any = None
    compared: bool = False


def architecture_to_train(name: str, network: Network, architecture: Any) -> NetworkToTrain:
    """A network that was built around an architecture.

    Args:
        name: Names its model file and its curves.
        network: Builds the forward pass.
        architecture: Its text and JSON form are recorded.

    Returns:
        The network with its names.
    """
    return NetworkToTrain(name, network, str(architecture), json.loads(architecture.to_json()))


@dataclass(frozen=True)
class TrainingSettings:
    """How long and on what every network is trained.

    Attributes:
        epochs: Epochs of every network.
        batch_size: Images a training step.
        augment: Crops and mirrors training images.
        cutout: Side of the square cut out of training images, pixels; 0 for none.
        pad: Pixels a crop may reach beyond the image; None as for `Batches`.
        alternating: Whether images are mirrored in every second epoch instead of by chance.
        patience: Stop a network after so many epochs without a better validation accuracy; 0 = never.
        devices: How many devices share a training step; see `networks.training.replicas`.
        machines: `host:port` of the machines that share it; empty for this one alone.
        machine: Which of them this is.
        teraflops: Work of every training in 10^12 operations, see `fit.affordable`: networks train as long as it lasts,
            at most `epochs`; 0 for `epochs` each.
        minutes: A network whose training would take longer, measured on its first steps, is refused; 0 for no limit.
        test_views: Whether the network is also tested with six views of every image.
        formats: How the networks are stored, `"keras"` in any case; others also of a training that is finished.
    """

    epochs: int
    batch_size: int
    augment: bool = True
    cutout: int = 0
    patience: int = 0
    devices: int = 1
    machines: tuple[str, ...] = ()
    machine: int = 0
    formats: tuple[str, ...] = ("keras",)
    pad: int | None = None
    alternating: bool = False
    teraflops: float = 0.0
    minutes: float = 0.0
    test_views: bool = False


def train_in_full(
    networks: Sequence[NetworkToTrain],
    data: ImageData,
    recipe: Recipe,
    settings: TrainingSettings,
    folder: RunFolder,
    seed: int,
) -> dict[str, Any]:
    """Trains every network and tests the one that validation chooses.

    Args:
        networks: What to train, in order.
        data: All three parts.
        recipe: How the weights are updated.
        settings: How long and on what.
        folder: An open run folder; a finished one is not trained again.
        seed: The run's seed.

    Returns:
        The content of results.json: `headline`, `models` (one record each: accuracy, costs, history, file), `chosen`,
        `test_accuracy`, with `test_views` `test_accuracy_of_views`, `test_images`, `seconds`.

    Raises:
        DivergedError: A loss is not finite; the last checkpoint is kept.
        Stopped, KeyboardInterrupt: After a signal, with the last epoch saved.
        ValueError: A device or the package for a format is missing.
    """
    require_formats(settings.formats)
    trainer = _Trainer(networks, data, recipe, settings, folder, seed)
    results = trainer.loop.run(trainer.train)
    _hand_over(results, data, folder, settings.formats)
    return results


def _hand_over(results: dict[str, Any], data: ImageData, folder: RunFolder, formats: Sequence[str]) -> None:
    """The further formats and the card of every trained network, each unless it is there."""
    for number, model in enumerate(results["models"]):
        file = folder.path / model["file"]
        # Of a stored reference run there are the records, not the weights.
        if not file.is_file():
            continue
        made, report = bool(hand_over(file, formats)), report_of(file)
        if "litert" in formats and (not report.is_file() or report.stat().st_mtime < file.stat().st_mtime):
            save_litert(file, data, number == results["chosen"] or "test_accuracy" in model)
            made = True
        if made or not file.with_suffix(".card.json").is_file():
            write_model_card(model_card(model, results, data, folder), file.parent)


@dataclass(eq=False)
class _Trainer:
    """The networks in turn, their records and checkpoints; arguments as of `train_in_full`."""

    networks: Sequence[NetworkToTrain]
    data: ImageData
    recipe: Recipe
    settings: TrainingSettings
    folder: RunFolder
    seed: int

    def __post_init__(self) -> None:
        self._models: list[dict[str, Any]] = []
        self._current: Any = None
        self._devices: int | Replicas = self.settings.devices
        self.loop = ResumableLoop(self.folder, self._state, self._restore, "epoch")

    def train(self) -> dict[str, Any]:
        """Trains the networks that are left; the content of results.json."""
        settings, folder = self.settings, self.folder
        if settings.machines:
            self._devices = Replicas(settings.devices, settings.machines, settings.machine)
            # All go on from where the first machine stands, which alone keeps records between two sessions.
            state = unpack(self._devices.from_first(pack(self._state())))
            self._models, self._current = state["models"], state["current"]
        models = self._models
        images = (settings.augment, settings.cutout, settings.pad, settings.alternating)
        training = Batches.of(self.data, "train", settings.batch_size, *images)
        validation = Batches.of(self.data, "validation", EVALUATION_BATCH)
        if settings.minutes and not self.loop.records:
            for network in self.networks:
                self._check_minutes(network, training)
        for network in self.networks[len(models) :]:
            models.append(self._train_network(network, training, validation))
            self._current = None
            self.loop.checkpoint()
        compared = [network.compared for network in self.networks]
        chosen = int(np.argmax([0.0 if out else model["validation_accuracy"] for model, out in zip(models, compared)]))
        tested = self._tested(models[chosen])
        accuracy, seconds = tested["test_accuracy"], sum(model["seconds"] for model in models)
        for model, out in zip(models, compared):
            if out:
                model |= self._tested(model)
        folder.events.scalars(len(self.loop.records), {"accuracy/test": accuracy})
        validated, seen = models[chosen]["validation_accuracy"], ""
        if settings.test_views:
            seen = f", {tested['test_accuracy_of_views']:.4f} with six views"
        return {
            "headline": f"test accuracy {accuracy:.4f}{seen} (validation {validated:.4f}), {seconds / 60:.1f} min",
            "models": models,
            "chosen": chosen,
            **tested,
            "test_images": len(self.data.test),
            "seconds": seconds,
        }

    def _tested(self, model: dict[str, Any]) -> dict[str, float]:
        """Test accuracies of a stored network."""
        stored = keras.saving.load_model(self.folder.path / model["file"], compile=False)
        tested = {"test_accuracy": test_accuracy(stored, self.data)}
        if self.settings.test_views:
            tested["test_accuracy_of_views"] = test_accuracy(stored, self.data, with_views=True)
        return tested

    def _state(self) -> dict[str, Any]:
        return {"models": self._models, "current": self._current}

    def _restore(self, state: dict[str, Any]) -> None:
        self._models, self._current = state["models"], state["current"]
        # Events are numbered from 1, as epochs are.
        self.folder.event_start = len(self.loop.records) + 1

    def _child(self, network: NetworkToTrain) -> CompiledChild:
        bank = WeightBank(self.seed)
        return CompiledChild(network.network, bank, self.data.image_shape, self.recipe, self._devices)

    def _length(self, child: CompiledChild, training: Batches) -> tuple[int, float]:
        """Epochs of a training, and the share of the images that each of them sees."""
        epochs, work = self.settings.epochs, self.settings.teraflops
        return affordable(work, child.multiply_adds, training, epochs) if work else (epochs, 1.0)

    def _check_minutes(self, network: NetworkToTrain, training: Batches) -> None:
        """ValueError where a training takes longer than it may, before any network is trained."""
        child, allowed = self._child(network), self.settings.minutes
        epochs, fraction = self._length(child, training)
        steps = epochs * training.steps(fraction)
        needed = seconds_of_step(child, training, self.seed) * steps / 60
        if needed > allowed:
            measured = f"{needed:.1f} for {steps:,} steps of {network.name}, as measured on this machine just now"
            expected = f"at least {measured}, or smaller `train_epochs` or `train_teraflops`"
            raise invalid("train_minutes", expected, f"{allowed:g}")

    def _train_network(self, network: NetworkToTrain, training: Batches, validation: Batches) -> dict[str, Any]:
        """Trains from the start or from a checkpoint to the end; the network's record for results.json."""
        folder, settings, child = self.folder, self.settings, self._child(network)
        history: list[dict[str, float]] = []
        best: Any = None  # of the best epoch: its accuracy, its number and the state of the child
        seconds, since = 0.0, time.monotonic()
        if self._current is not None:
            child.restore(self._current["child"])
            best, history, seconds = self._current["best"], self._current["history"], self._current["seconds"]
        epochs, fraction = self._length(child, training)
        folder.log(
            f"{network.name}: {child.parameters:,} parameters, {child.multiply_adds / 1e6:.1f} M multiply-adds, "
            f"epoch {len(history)} of {epochs} is done | {network.architecture}"
        )

        def after_epoch(history: list[dict[str, float]]) -> None:
            nonlocal best
            record, state = history[-1], child.state()
            if best is None or record["validation_accuracy"] >= best["accuracy"]:
                best = {"accuracy": record["validation_accuracy"], "epoch": record["epoch"], "child": state}
            self._current = {
                "child": state,
                "best": best,
                "history": history,
                "seconds": seconds + time.monotonic() - since,
                "architecture": network.architecture,
            }
            self._record_epoch(network.name, record, epochs)

        how: dict[str, Any] = {"fraction": fraction, "validate_every": 1, "patience": settings.patience}
        how |= {"history": history, "after_epoch": after_epoch}
        history = fit(child, training, validation, epochs, self.seed, **how)
        child.restore(best["child"])
        file = f"models/{network.name}.keras"
        self._export(child, network.network, folder.path / file)
        return {
            "name": network.name,
            "architecture": network.architecture,
            "architecture_json": network.architecture_json,
            "parameters": child.parameters,
            "multiply_adds": child.multiply_adds,
            "epochs": len(history),
            "batch_size": settings.batch_size,
            "best_epoch": best["epoch"],
            "validation_accuracy": best["accuracy"],
            "history": history,
            "seconds": round(seconds + time.monotonic() - since, 1),
            "file": file,
        }

    def _record_epoch(self, name: str, record: dict[str, float], epochs: int) -> None:
        """Journal line, curves, checkpoint and log line of the epoch in `_current`."""
        current, loop = self._current, self.loop
        finished_at = datetime.now().astimezone().isoformat(timespec="seconds")
        line = {"rank": len(self._models), "name": name, **record}
        loop.append({**line, "seconds": round(current["seconds"], 3), "finished_at": finished_at})
        curves = ("loss", "train_accuracy", "validation_accuracy", "learning_rate")
        self.folder.events.scalars(len(loop.records), {f"{name}/{kind}": record[kind] for kind in curves})
        loop.checkpoint()
        self.folder.log(
            f"{name} epoch {record['epoch']} of {epochs}: loss {record['loss']:.4f}, "
            f"training {record['train_accuracy']:.4f}, validation {record['validation_accuracy']:.4f} "
            f"(best {current['best']['accuracy']:.4f}), {current['seconds'] / len(current['history']):.1f} s an epoch"
        )
        loop.leave_if_requested()

    def _export(self, child: CompiledChild, network: Network, path: Path) -> None:
        """Writes the Keras model, after checking on validation images that it is the same function."""
        model = export_keras(child, network, self.data)
        pixels = self.data.validation.images[:EVALUATION_BATCH]
        images = Batches.of(self.data, "validation", len(pixels)).in_order()
        logits, _ = next(self._exact(child, network).predict(images))
        ours = np.exp(logits - logits.max(1, keepdims=True))
        ours /= ours.sum(1, keepdims=True)
        difference = float(np.abs(ours - model.predict_on_batch(pixels.astype(np.float32))).max())
        if difference > AGREEMENT:
            raise RuntimeError(
                f"The exported model differs from the trained one by {difference:.2g} in a probability; "
                f"at most {AGREEMENT} is allowed."
            )
        save_keras(model, path)

    def _exact(self, child: CompiledChild, network: Network) -> CompiledChild:
        """The child itself, or what it predicts with in float32 arithmetic where it was trained in another."""
        if self.recipe.precision == "float32":
            return child
        bank = WeightBank(self.seed)
        child.store(bank)
        return CompiledChild(network, bank, self.data.image_shape, Recipe(precision="float32"))

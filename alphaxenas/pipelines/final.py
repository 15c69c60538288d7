"""Stages that train networks in full: the best of a search or a given architecture (`final`), and the baseline."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from alphaxenas.coach import place_of_choice
from alphaxenas.config import Config
from alphaxenas.config.rules import given_architecture, place_in_front
from alphaxenas.controllers.pareto.objectives import named
from alphaxenas.data import ImageData
from alphaxenas.data.pipeline import Batches
from alphaxenas.networks.bank import WeightBank
from alphaxenas.networks.export.keras_export import evaluate_stored_model
from alphaxenas.networks.training.loop import EVALUATION_BATCH, CompiledChild, Network
from alphaxenas.networks.training.recipe import Recipe
from alphaxenas.pipelines.factory import (
    OF_CHILDREN,
    baseline_network,
    final_network,
    load_images,
    recipe_from_config,
    search_space,
)
from alphaxenas.pipelines.full_training import NetworkToTrain, TrainingSettings, architecture_to_train, train_in_full
from alphaxenas.pipelines.search import search_seeds
from alphaxenas.pipelines.stages import open_stage
from alphaxenas.runs import RunMismatch, read_json
from alphaxenas.runs.checkpoint import read_checkpoint
from alphaxenas.runs.description import holds_work
from alphaxenas.runs.files import write_atomically, write_json
from alphaxenas.runs.folder import RunFolder
from alphaxenas.spaces.drawing.picture import picture
from alphaxenas.suggestions import invalid


def train_baseline(config: Config, data: ImageData | None = None) -> dict[str, Any]:
    """Stage `densenet`: DenseNet-BC with the recipe and the data of the final training.

    Args:
        config: The configuration.
        data: The configured images, if they are loaded already.

    Returns:
        Results as of `train_in_full`.
    """
    data = data or load_images(config)
    parameters = config.parameters("data", "baseline", "training") | config.only("space", *OF_CHILDREN)
    with open_stage(config, "densenet", parameters, data) as folder:
        network = baseline_network(config, data.num_classes)
        text = f"DenseNet-BC, depth {network.depth}, growth {network.growth}, compression {network.compression:g}"
        return train_networks(
            config, [NetworkToTrain("densenet", network, text)], data, folder, config.baseline.densenet_epochs
        )


def train_best(config: Config, data: ImageData | None = None) -> dict[str, Any]:
    """Stage `final`: the best architectures of the search, or the one given, in full.

    Args:
        config: The configuration.
        data: The configured images, if they are loaded already.

    Returns:
        Results as of `train_in_full`.
    """
    architectures = chosen_architectures(config)
    trained = [str(architecture) for architecture in architectures]
    parameters = config.parameters("data", "space", "training") | config.only(*OF_CHILDREN)
    data = data or load_images(config)
    # Other machines than the first follow it; what they record is of one session.
    number = config.training.train_machine
    stage, anew = (f"final-machine{number}", True) if number else ("final", None)
    if not config.run.overwrite and not number:
        _refuse_another_choice(Path(config.run.exp_dir, config.run.run, stage), trained)
    with open_stage(config, stage, {**parameters, "trained": trained}, data, anew) as folder:
        results = train_ranked(config, architectures, data, folder)
        chosen = architectures[results["chosen"]]
        write_atomically(folder.figures / "architecture.png", picture(search_space(config), chosen))
        write_json(folder.path / "architecture.json", {"text": str(chosen), **json.loads(chosen.to_json())})
        return results


def _refuse_another_choice(folder: Path, trained: list[str]) -> None:
    """RunMismatch where the search chooses others than were trained, as when it was given more trials since."""
    before = (read_json(folder / "run.json") or {"parameters": {}})["parameters"].get("trained", trained)
    if before != trained and holds_work(folder):
        raise RunMismatch(
            f"The final training in {folder} is of {'; '.join(before)}, and now {'; '.join(trained)} would be trained. "
            "To train that and replace what is stored of notebook 04, and of no other: run_all.sh with --only 04,05 "
            f"--overwrite. To keep the former one: -p architecture {before[0]!r}, or another `run` name."
        )


def train_ranked(config: Config, architectures: Sequence[Any], data: ImageData, folder: RunFolder) -> dict[str, Any]:
    """Trains architectures, best first, for `train_epochs`.

    Args:
        config: The configuration.
        architectures: Of registered classes.
        data: The configured images.
        folder: An open run folder.

    Returns:
        Results as of `train_in_full`; the networks are called `rank1`, `rank2` ..., and `hand_made`.
    """
    networks = [
        architecture_to_train(f"rank{rank}", final_network(config, one, data), one)
        for rank, one in enumerate(architectures, 1)
    ]
    if config.training.hand_made:
        known = given_architecture(config, config.training.hand_made)
        entry = architecture_to_train("hand_made", final_network(config, known, data), known)
        networks.append(replace(entry, compared=True))
    return train_networks(config, networks, data, folder, config.training.train_epochs)


def train_networks(
    config: Config, networks: Sequence[NetworkToTrain], data: ImageData, folder: RunFolder, epochs: int
) -> dict[str, Any]:
    """Trains networks in full with the configured recipe.

    Args:
        config: The configuration.
        networks: What to train.
        data: The configured images.
        folder: An open run folder.
        epochs: Epochs of every network.

    Returns:
        Results as of `train_in_full`.
    """
    return train_in_full(
        networks, data, recipe_from_config(config, epochs), training_settings(config, epochs), folder, config.run.seed
    )


def training_settings(config: Config, epochs: int) -> TrainingSettings:
    """How long and on what networks are trained in full.

    Args:
        config: The configuration.
        epochs: Epochs of every network.

    Returns:
        The settings.
    """
    chosen = config.training.values_for(TrainingSettings, "train_") | {"epochs": epochs}
    return TrainingSettings(
        **chosen,
        augment=config.data.augment,
        pad=config.data.crop_pad or None,
        alternating=config.data.alternating_flip,
        formats=config.training.export_formats,
        test_views=config.training.test_views,
    )


def chosen_architectures(config: Config) -> list[Any]:
    """What the final training trains: `architecture` if given, else the `top_k` that the first controller's searches
    choose first, see `contracts.Controller`.

    A given architecture may have any number of blocks and any operations that children know; see `parse_architecture`
    for its forms. A given chain belongs to the space.

    Raises:
        ValueError: There is no finished search to choose from, or the text is no architecture.
    """
    space, controller = search_space(config), config.search.controllers[0]
    if (given := given_architecture(config)) is not None:
        return [given]
    suite = Path(config.run.exp_dir) / config.run.run
    if (place := place_in_front(config)) is not None:
        return [space.parse(_of_the_front(config, suite, place)["architecture"])]
    found: list[tuple[int, float, dict[str, Any]]] = []
    for seed in search_seeds(config):
        results = read_json(suite / f"{controller}-seed{seed}" / "results.json") or {"best": ()}
        finals = (record for record in results["best"] if record["purpose"] == "final")
        found += [(place_of_choice(results, one["key"]), -one["reward"], one) for one in finals]
    # The choice of every search before any second one; where rewards decide, all by reward.
    records: dict[str, dict[str, Any]] = {}
    for *_, record in sorted(found, key=lambda item: item[:2]):
        records.setdefault(record["key"], record)
    ranked = list(records.values())[: config.training.top_k]
    if not ranked:
        raise ValueError(
            f"There is no finished {controller} search in {suite} to take an architecture from. "
            "Run notebook 02 with the same `run` first, or give one with the parameter `architecture`."
        )
    return [space.parse(record["architecture"]) for record in ranked]


def _of_the_front(config: Config, suite: Path, place: int) -> dict[str, Any]:
    """A record of the front over all seeds of the first controller, from 0; -1 for its knee."""
    controller, records = config.search.controllers[0], []
    for seed in search_seeds(config):
        records += (read_json(suite / f"{controller}-seed{seed}" / "results.json") or {}).get("front", ())
    wanted = named(config.search.objectives)
    front = wanted.front_of(records) if wanted is not None else []
    if not front or place >= len(front):
        found = f"{len(front)} architectures for the objectives {', '.join(config.search.objectives)}"
        expected = f"a place in the front of {controller} in {suite}, which has {found}"
        raise invalid("architecture", expected, repr(config.training.architecture))
    return next(record for record in front if record["knee"]) if place < 0 else front[place]


def evaluate_checkpoint(
    path: str | Path, build: Callable[[str], Network], data: ImageData, precision: str = "float32"
) -> tuple[float, str]:
    """Test accuracy of the network in a checkpoint of `full_training.train_in_full`, at its best epoch so far.

    Nothing is trained or stored.

    Args:
        path: A file in a run's folder `checkpoints`.
        build: Network of an architecture's text; it refuses an architecture that is not the expected one.
        data: Its test part is used.
        precision: Of the arithmetic.

    Returns:
        Accuracy in [0, 1], and the architecture.

    Raises:
        ValueError: The file is no such checkpoint, is damaged, or its weights are not those of the network that was
            built.
    """
    content = read_checkpoint(path)
    current = content.get("current")
    if not isinstance(current, dict) or "best" not in current or "architecture" not in current:
        finished = ", ".join(model["file"] for model in content.get("models", ())) or "none"
        raise ValueError(
            f"The checkpoint {path} holds no network in training. Expected one written after an epoch of a final "
            f"training. Received: one of something else, or of a training that is over (models stored then: {finished})"
        )
    state = current["best"]["child"]
    recipe = Recipe(precision=precision, lookahead="average" in state)
    child = CompiledChild(build(current["architecture"]), WeightBank(0), data.image_shape, recipe)
    try:
        child.restore(state)
    except ValueError as error:
        raise ValueError(
            f"The checkpoint {path} does not fit the network of these parameters (filters, cells, classes ...). {error}"
        ) from error
    return child.accuracy(Batches.of(data, "test", EVALUATION_BATCH).in_order()), current["architecture"]


def evaluate_again(config: Config, path: Path | str, data: ImageData | None = None) -> dict[str, Any]:
    """Test accuracy of a stored model; nothing is trained or stored.

    Args:
        config: Says which images. A checkpoint's network is built from these parameters and the architecture that it
            names.
        path: A `.keras` file, or a checkpoint (`.npz`).
        data: The configured images, if they are loaded already.

    Returns:
        `headline`, `test_accuracy` and `test_images`; of a `.keras` file with `test_views` also
        `test_accuracy_of_views`.

    Raises:
        ValueError: The file is neither, is damaged, does not fit the data, or is of another architecture than
            `architecture`, if given.
    """
    data = data or load_images(config)
    if Path(path).suffix != ".npz":
        accuracy = evaluate_stored_model(str(path), data)
        found = {"headline": f"test accuracy {accuracy:.4f}", "test_accuracy": accuracy, "test_images": len(data.test)}
        if config.training.test_views:
            found["test_accuracy_of_views"] = evaluate_stored_model(str(path), data, with_views=True)
            found["headline"] = f"{found['headline']}, {found['test_accuracy_of_views']:.4f} with six views"
        return found

    def network(text: str) -> Network:
        expected = config.training.architecture
        if expected and str(given_architecture(config, expected)) != text:
            raise ValueError(
                f"The checkpoint {path} is of another architecture. Expected `architecture`, {expected!r}. "
                f"Received: {text!r}"
            )
        return final_network(config, given_architecture(config, text), data)

    accuracy, text = evaluate_checkpoint(path, network, data, config.training.train_precision)
    return {
        "headline": f"test accuracy {accuracy:.4f} of {text}",
        "test_accuracy": accuracy,
        "test_images": len(data.test),
    }

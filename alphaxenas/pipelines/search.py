"""The stages of the suite: from a checked configuration to a run folder with results.

Each function opens its run `<suite>/<stage>`, does or continues the work, and returns the content of its results.json;
a stage that is finished returns at once. Notebooks call these; whoever wants other combinations uses the rooms
directly.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alphaxenas.coach import Coach
from alphaxenas.config import Config
from alphaxenas.contracts import Budget, Controller, SearchSpace
from alphaxenas.controllers import catalogue
from alphaxenas.data import ImageData, load_data
from alphaxenas.evaluators.trained import TrainedEvaluator
from alphaxenas.networks.cell import CellNetwork
from alphaxenas.networks.chain import ChainNetwork
from alphaxenas.networks.densenet import DenseNet
from alphaxenas.networks.export.keras_export import evaluate_stored_model
from alphaxenas.networks.macro import WIDENING, MacroNetwork
from alphaxenas.networks.micro import MicroNetwork
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.training.loop import Network, Recipe
from alphaxenas.pipelines.factory import (
    chain_network,
    child_network,
    child_recipe,
    is_declared,
    search_space,
    shares_weights,
)
from alphaxenas.pipelines.full_training import Entry, evaluate_checkpoint, train_in_full
from alphaxenas.runs.files import write_atomically
from alphaxenas.runs.folder import RunFolder
from alphaxenas.spaces.cell import Cell, CellSpace
from alphaxenas.spaces.drawing.picture import picture
from alphaxenas.spaces.macro import MacroArchitecture
from alphaxenas.spaces.micro import MICRO_OPERATIONS, MicroSpace
from alphaxenas.spaces.parse_any import ParsedArchitecture, parse_architecture
from alphaxenas.spaces.zoo import ZooCell

ORIGINAL_SEARCH_CHILDREN = 12
"""Children that the original trained per game; the others' round where AlphaXENAS's is not fixed."""

AUXILIARY_FILTERS = 128
"""Of the second classifier of pairs of cells, as published."""


def load_images(config: Config) -> ImageData:
    """The configured data set, split by the run's seed."""
    data = config.data
    return load_data(
        data.dataset,
        data.data_dir,
        data.arrays_path,
        data.validation_size,
        data.test_size,
        data.fraction,
        config.run.seed,
    )


def cell_space(config: Config) -> CellSpace:
    """The configured space of cells, whatever `space` says."""
    return CellSpace(config.space.blocks, config.space.operations, config.space.combinations)


def space_of(config: Config, architecture: Any) -> SearchSpace:
    """What draws an architecture: the configured space, or for a pair of cells one that holds it."""
    if hasattr(architecture, "normal"):
        return MicroSpace(len(architecture.normal.blocks), MICRO_OPERATIONS)
    return search_space(config)


def make_controller(config: Config, name: str, space: SearchSpace, seed: int) -> Controller:
    """The controller `name`, with both budgets, the same for every controller."""
    search = config.search
    budgets = Budget(search.search_epochs, search.search_fraction), Budget(search.final_epochs, search.final_fraction)
    children = search.search_children
    if name != "alphaxenas":
        children = children or ORIGINAL_SEARCH_CHILDREN
    settings = config.settings_of(name)
    if name == "alphaxenas" and not shares_weights(config):
        # Both are about weights that move under known children: from scratch, an accuracy stays true.
        settings |= {"refresh_after": 0, "uniform_share": float(search.uniform_share == 1.0)}
    return catalogue.make_controller(name, space, seed, *budgets, children, search.promotion, **settings)


def make_evaluator(config: Config, data: ImageData, seed: int, share_weights: bool | None = None) -> TrainedEvaluator:
    """What rates the children of a search; without shared weights, each from scratch.

    By default children of cells share weights, and chains do not.
    """
    share_weights = shares_weights(config) if share_weights is None else share_weights
    return TrainedEvaluator(
        search_space(config),
        child_network(config, data.num_classes),
        data,
        child_recipe(config),
        config.child.batch_size,
        seed,
        share_weights,
        augment=config.data.augment,
        cutout=config.data.cutout,
        reward=config.child.reward,
        final_weights=config.search.final_weights,
    )


def search(config: Config, controller: str, seed: int, data: ImageData | None = None) -> dict[str, Any]:
    """Stage `<controller>-seed<seed>`: a search over children that share weights (chains: each from scratch); results
    as of `Coach.play`.

    Args:
        config: The configuration; its own seed splits the data, so that all searches see the same images.
        controller: One of `alphaxenas.controllers.CONTROLLERS`.
        seed: Of controller, initial weights and training.
        data: The configured images, if they are loaded already.
    """
    space = search_space(config)
    parameters = {
        **config.parameters("data", "space", "child", "search"),
        "controller": controller,
        "search_seed": seed,
    }
    with open_stage(config, f"{controller}-seed{seed}", parameters) as folder:
        if folder.read_results() is None:
            evaluator = make_evaluator(config, data or load_images(config), seed)
        else:
            evaluator = None
        limits = config.search
        coach = Coach(
            space,
            make_controller(config, controller, space, seed),
            evaluator,
            folder,
            limits.iterations,
            limits.trials,
            limits.max_minutes,
            limits.checkpoint_every,
        )
        return coach.play()


def search_seeds(config: Config) -> tuple[int, ...]:
    """Seeds of the searches: `seeds`, or the run's one."""
    return config.search.seeds or (config.run.seed,)


def train_baseline(config: Config, data: ImageData | None = None) -> dict[str, Any]:
    """Stage `densenet`: DenseNet-BC with the recipe and the data of the final training; results as of `train_in_full`."""
    base = config.baseline
    with open_stage(config, "densenet", config.parameters("data", "baseline", "training")) as folder:
        data = data or load_images(config)
        network = DenseNet(
            data.num_classes,
            base.densenet_depth,
            base.densenet_growth,
            base.densenet_compression,
            base.densenet_dropout,
        )
        text = f"DenseNet-BC, depth {network.depth}, growth {network.growth}, compression {network.compression:g}"
        return train_entries(config, [Entry("densenet", network, text)], data, folder, base.densenet_epochs)


def train_best(config: Config, data: ImageData | None = None) -> dict[str, Any]:
    """Stage `final`: the best architectures of the search, or the one given, in full; results as of `train_in_full`."""
    cells = chosen_architectures(config)
    parameters = {**config.parameters("data", "space", "training"), "trained": [str(cell) for cell in cells]}
    with open_stage(config, "final", parameters) as folder:
        data = data or load_images(config)
        entries = [
            Entry(f"rank{rank}", final_network(config, cell, data), str(cell), json.loads(cell.to_json()))
            for rank, cell in enumerate(cells, 1)
        ]
        results = train_entries(config, entries, data, folder, config.training.train_epochs)
        chosen = cells[results["chosen"]]
        write_atomically(folder.figures / "architecture.png", picture(space_of(config, chosen), chosen))
        write_atomically(folder.path / "architecture.json", f"{chosen.to_json()}\n".encode())
        return results


def final_network(
    config: Config, architecture: Any, data: ImageData
) -> CellNetwork | MicroNetwork | MacroNetwork | ChainNetwork:
    """The network that the final training builds around a cell or a pair of cells; around a chain the same as the
    search.

    Around a cell it has `train_filters` filters, or, where that would cost more than `train_multiply_adds` million
    multiply-adds an image, the largest multiple of 16 (below 16: of 4) that does not: architectures are then compared
    at one price.

    Raises:
        ValueError: No number of filters is cheap enough, or a parameter does not suit a pair of cells.
    """
    training = config.training
    if is_declared(config):
        return chain_network(config, architecture, data.num_classes)
    # Convolutions compute 16 channels at a time: measured on two cores, 24 filters take as long as 32.
    narrower = sorted(
        {*range(16, training.train_filters, 16), *range(4, min(16, training.train_filters), 4)}, reverse=True
    )
    for filters in (training.train_filters, *narrower):
        network = _network(config, architecture, data, filters)
        cost = outline_of(network, data.image_shape).multiply_adds
        if not training.train_multiply_adds or cost <= 1e6 * training.train_multiply_adds:
            return network
    raise ValueError(
        f"Invalid value for `train_multiply_adds`. Expected at least {cost / 1e6:.1f}, what this architecture costs with "
        f"{filters} filters. Received: {training.train_multiply_adds:g}"
    )


def _network(config: Config, architecture: ParsedArchitecture, data: ImageData, filters: int) -> Network:
    training = config.training
    if isinstance(architecture, Cell):
        return CellNetwork(
            architecture,
            data.num_classes,
            filters,
            training.train_cells,
            training.train_reductions,
            training.train_stem_stride,
            training.train_drop_path,
            training.train_dropout,
            training.train_auxiliary,
        )
    if isinstance(architecture, MacroArchitecture):
        return MacroNetwork(
            architecture,
            data.num_classes,
            filters,
            WIDENING,
            training.train_stem_stride,
            training.train_drop_path,
            training.train_dropout,
        )
    if training.train_reductions != 2:
        raise ValueError(
            f"Invalid value for `train_reductions`. Expected 2, as every network of a normal and a reduction cell has. Received: {training.train_reductions}"
        )
    in_zoo = isinstance(architecture, ZooCell)
    return MicroNetwork(
        architecture.architecture if in_zoo else architecture,
        data.num_classes,
        filters,
        training.train_cells,
        training.train_stem_stride,
        training.train_drop_path,
        training.train_dropout,
        AUXILIARY_FILTERS if training.train_auxiliary else 0,
        all_ends=in_zoo and architecture.all_ends,
        joined=not in_zoo,
    )


def chosen_architectures(config: Config) -> list[Any]:
    """What the final training trains: `architecture` if given, else the `top_k` best of the first controller's
    searches.

    A given architecture may have any number of blocks and any operations that children know; see `parse_architecture`
    for its forms. A given chain belongs to the space.

    Raises:
        ValueError: There is no finished search to choose from, or the text is no architecture.
    """
    space, controller = search_space(config), config.search.controllers[0]
    if config.training.architecture:
        return [
            parse_architecture(config.training.architecture)
            if config.space.space in ("cell", "micro")
            else space.parse(config.training.architecture)
        ]
    suite = Path(config.run.exp_dir) / config.run.run
    records: dict[str, dict[str, Any]] = {}
    for seed in search_seeds(config):
        file = suite / f"{controller}-seed{seed}" / "results.json"
        for record in json.loads(file.read_text())["best"] if file.is_file() else ():
            if record["purpose"] == "final" and record["reward"] > records.get(record["key"], {"reward": 0})["reward"]:
                records[record["key"]] = record
    ranked = sorted(records.values(), key=lambda record: -record["reward"])[: config.training.top_k]
    if not ranked:
        raise ValueError(
            f"There is no finished {controller} search in {suite} to take an architecture from. "
            "Run notebook 02 with the same `run` first, or give one with the parameter `architecture`."
        )
    return [space.parse(record["architecture"]) for record in ranked]


def evaluate_again(config: Config, data: ImageData | None = None) -> dict[str, Any]:
    """Test accuracy of the model named by `evaluate_model`, a `.keras` file or a checkpoint; nothing is trained or
    stored.

    A checkpoint's network is built from these parameters and the architecture that it names.

    Raises:
        ValueError: The file is neither, is damaged, does not fit the data, or is of another architecture than
            `architecture`, if given.
    """
    data, path = data or load_images(config), config.training.evaluate_model
    if Path(path).suffix != ".npz":
        accuracy = evaluate_stored_model(path, data)
        return {"headline": f"test accuracy {accuracy:.4f}", "test_accuracy": accuracy, "test_images": len(data.test)}

    def network(text: str) -> Network:
        expected = config.training.architecture
        if expected and str(parse_architecture(expected)) != text:
            raise ValueError(
                f"The checkpoint {path} is of another architecture. Expected `architecture`, {expected!r}. Received: {text!r}"
            )
        return final_network(config, parse_architecture(text), data)

    accuracy, text = evaluate_checkpoint(path, network, data, config.training.train_precision)
    return {
        "headline": f"test accuracy {accuracy:.4f} of {text}",
        "test_accuracy": accuracy,
        "test_images": len(data.test),
    }


def open_stage(config: Config, stage: str, parameters: dict[str, Any]) -> RunFolder:
    """The run folder of a stage of the configured suite."""
    run = config.run
    return RunFolder.open(run.run, stage, parameters, run.exp_dir, run.tensorboard_dir, run.overwrite)


def final_recipe(config: Config, epochs: int) -> Recipe:
    """How networks are trained in full for so many epochs."""
    training = config.training
    return Recipe(
        training.train_learning_rate,
        config.child.momentum,
        training.train_weight_decay,
        training.train_gradient_clip,
        training.train_label_smoothing,
        warmup=min(training.warmup_epochs / epochs, 0.5),
        final_learning_rate=training.train_lowest_learning_rate / training.train_learning_rate,
        precision=training.train_precision,
        restart=training.train_restart_epochs / epochs,
        restart_growth=training.train_restart_growth,
        average=training.train_average,
        optimizer=config.child.optimizer if is_declared(config) else "momentum",
    )


def train_entries(
    config: Config, entries: list[Entry], data: ImageData, folder: RunFolder, epochs: int
) -> dict[str, Any]:
    """Trains networks in full with the configured recipe; arguments and results as of `train_in_full`."""
    training = config.training
    return train_in_full(
        entries,
        data,
        final_recipe(config, epochs),
        folder,
        epochs,
        training.train_batch_size,
        config.run.seed,
        config.data.augment,
        training.train_cutout,
        training.train_patience,
        training.train_devices,
        training.export_formats,
    )

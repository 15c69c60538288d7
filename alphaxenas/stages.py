"""The stages of the suite: from a checked configuration to a run folder with results.

Each function opens its run `<suite>/<stage>`, does or continues the work, and returns the content of its results.json; a
stage that is finished returns at once. Notebooks call these; whoever wants other combinations uses the rooms directly.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alphaxenas.children.cell_network import CellNetwork
from alphaxenas.children.densenet import DenseNet
from alphaxenas.children.export import evaluate_stored_model
from alphaxenas.children.outline import outline_of
from alphaxenas.children.training import Recipe
from alphaxenas.coach import Coach, picture
from alphaxenas.config import Config
from alphaxenas.contracts import Budget, Controller
from alphaxenas.controllers import catalogue
from alphaxenas.data import ImageData, load_data
from alphaxenas.evaluators.trained import TrainedEvaluator
from alphaxenas.full_training import Entry, train_in_full
from alphaxenas.runs.files import write_atomically
from alphaxenas.runs.folder import RunFolder
from alphaxenas.spaces.cell import Cell, CellSpace

ORIGINAL_SEARCH_CHILDREN = 12
"""Children that the original trained per game; the others' round where AlphaXENAS's is not fixed."""

_OWN = (
    "expansions", "exploration", "finals", "temperature", "prior", "warmup_iterations", "tree_renewal", "dirichlet_alpha",
    "dirichlet_weight", "refresh_after", "uniform_share", "lstm_units", "lstm_learning_rate", "lstm_batch_size", "lstm_steps", "replay_capacity",
)
_POLICY = ("cell", "units", "batch", "learning_rate", "entropy", "epsilon")
CONTROLLER_PARAMETERS = {
    "alphaxenas": {name: name for name in _OWN},
    "uct": {"exploration": "uct_exploration"},
    "alphax": {"rollouts": "alphax_rollouts"},
    "evolution": {"population": "evolution_population", "sample": "evolution_sample"},
    "nao": {"preset": "nao_preset", "pool": "nao_pool", "new": "nao_new"},
    "reinforce": {name: f"policy_{name}" for name in _POLICY},
    "controller_pool": {name: f"policy_{name}" for name in _POLICY} | {"policies": "pool_policies"},
}
"""Settings of controllers and the parameters that they come from; others keep their defaults."""


def load_images(config: Config) -> ImageData:
    """The configured data set, split by the run's seed."""
    data = config.data
    return load_data(
        data.dataset, data.data_dir, data.arrays_path, data.validation_size, data.test_size, data.fraction, config.run.seed
    )


def cell_space(config: Config) -> CellSpace:
    """The configured search space."""
    return CellSpace(config.space.blocks, config.space.operations, config.space.combinations)


def child_network(config: Config, num_classes: int) -> Callable[[Cell], CellNetwork]:
    """What the search builds around a cell."""
    child = config.child
    return lambda cell: CellNetwork(cell, num_classes, child.filters, child.cells, child.reductions, child.stem_stride)


def make_controller(config: Config, name: str, space: CellSpace, seed: int) -> Controller:
    """The controller `name`, with both budgets, the same for every controller."""
    search = config.search
    budgets = Budget(search.search_epochs, search.search_fraction), Budget(search.final_epochs, search.final_fraction)
    children = search.search_children
    if name != "alphaxenas":
        children = children or ORIGINAL_SEARCH_CHILDREN
    settings = {setting: getattr(search, parameter) for setting, parameter in CONTROLLER_PARAMETERS.get(name, {}).items()}
    return catalogue.make_controller(name, space, seed, *budgets, children, **settings)


def make_evaluator(config: Config, data: ImageData, seed: int, share_weights: bool = True) -> TrainedEvaluator:
    """What rates the children of a search; without shared weights, each from scratch."""
    child = config.child
    recipe = Recipe(
        child.learning_rate, child.momentum, child.weight_decay, child.gradient_clip, child.label_smoothing, precision=config.run.precision
    )
    return TrainedEvaluator(
        cell_space(config), child_network(config, data.num_classes), data, recipe, child.batch_size, seed, share_weights,
        augment=config.data.augment, cutout=config.data.cutout,
    )  # fmt: skip


def search(config: Config, controller: str, seed: int, data: ImageData | None = None) -> dict[str, Any]:
    """Stage `<controller>-seed<seed>`: a search over children that share weights; results as of `Coach.play`.

    Args:
        config: The configuration; its own seed splits the data, so that all searches see the same images.
        controller: One of `alphaxenas.config.CONTROLLERS`.
        seed: Of controller, initial weights and training.
        data: The configured images, if they are loaded already.
    """
    space = cell_space(config)
    parameters = {**config.parameters("data", "space", "child", "search"), "controller": controller, "search_seed": seed}
    with open_stage(config, f"{controller}-seed{seed}", parameters) as folder:
        if folder.read_results() is None:
            evaluator = make_evaluator(config, data or load_images(config), seed)
        else:
            evaluator = None
        limits = config.search
        coach = Coach(
            space, make_controller(config, controller, space, seed), evaluator, folder, limits.iterations, limits.trials,
            limits.max_minutes, limits.checkpoint_every,
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
        network = DenseNet(data.num_classes, base.densenet_depth, base.densenet_growth, base.densenet_compression, base.densenet_dropout)
        text = f"DenseNet-BC, depth {network.depth}, growth {network.growth}, compression {network.compression:g}"
        return _train(config, [Entry("densenet", network, text)], data, folder, base.densenet_epochs)


def train_best(config: Config, data: ImageData | None = None) -> dict[str, Any]:
    """Stage `final`: the best architectures of the search, or the one given, in full; results as of `train_in_full`."""
    space, cells = cell_space(config), chosen_architectures(config)
    parameters = {**config.parameters("data", "space", "training"), "trained": [str(cell) for cell in cells]}
    with open_stage(config, "final", parameters) as folder:
        data = data or load_images(config)
        entries = [
            Entry(f"rank{rank}", final_network(config, cell, data), str(cell), json.loads(cell.to_json()))
            for rank, cell in enumerate(cells, 1)
        ]
        results = _train(config, entries, data, folder, config.training.train_epochs)
        chosen = cells[results["chosen"]]
        write_atomically(folder.figures / "architecture.png", picture(space, chosen))
        write_atomically(folder.path / "architecture.json", f"{chosen.to_json()}\n".encode())
        return results


def final_network(config: Config, cell: Cell, data: ImageData) -> CellNetwork:
    """The network that the final training builds around a cell.

    It has `train_filters` filters, or, where that would cost more than `train_multiply_adds` million multiply-adds an
    image, the largest multiple of 16 (below 16: of 4) that does not: architectures are then compared at one price.
    """
    training = config.training
    # Convolutions compute 16 channels at a time: measured on two cores, 24 filters take as long as 32.
    narrower = sorted({*range(16, training.train_filters, 16), *range(4, min(16, training.train_filters), 4)}, reverse=True)
    for filters in (training.train_filters, *narrower):
        network = CellNetwork(
            cell, data.num_classes, filters, training.train_cells, training.train_reductions, training.train_stem_stride,
            training.train_drop_path, training.train_dropout, training.train_auxiliary,
        )
        cost = outline_of(network, data.image_shape).multiply_adds
        if not training.train_multiply_adds or cost <= 1e6 * training.train_multiply_adds:
            return network
    raise ValueError(
        f"Invalid value for `train_multiply_adds`. Expected at least {cost / 1e6:.1f}, what this architecture costs with "
        f"{filters} filters. Received: {training.train_multiply_adds:g}"
    )


def chosen_architectures(config: Config) -> list[Cell]:
    """What the final training trains: `architecture` if given, else the `top_k` best of the first controller's searches.

    A given architecture may have any number of blocks and any operations that children know.

    Raises:
        ValueError: There is no finished search to choose from, or the text is no architecture.
    """
    space, controller = cell_space(config), config.search.controllers[0]
    if config.training.architecture:
        return [Cell.parse(config.training.architecture)]
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
    """Test accuracy of the stored `.keras` model named by `evaluate_model`; nothing is trained or stored."""
    data = data or load_images(config)
    accuracy = evaluate_stored_model(config.training.evaluate_model, data)
    return {"headline": f"test accuracy {accuracy:.4f}", "test_accuracy": accuracy, "test_images": len(data.test)}


def open_stage(config: Config, stage: str, parameters: dict[str, Any]) -> RunFolder:
    """The run folder of a stage of the configured suite."""
    run = config.run
    return RunFolder.open(run.run, stage, parameters, run.exp_dir, run.tensorboard_dir, run.overwrite)


def _train(config: Config, entries: list[Entry], data: ImageData, folder: RunFolder, epochs: int) -> dict[str, Any]:
    training = config.training
    recipe = Recipe(
        training.train_learning_rate, config.child.momentum, training.train_weight_decay, training.train_gradient_clip,
        training.train_label_smoothing, warmup=min(training.warmup_epochs / epochs, 0.5), precision=training.train_precision,
    )
    return train_in_full(
        entries, data, recipe, folder, epochs, training.train_batch_size, config.run.seed, config.data.augment,
        training.train_cutout, training.train_patience,
    )

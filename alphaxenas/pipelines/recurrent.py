"""The stages of notebook 09: recurrent cells for language models.

- `recurrent-<controller>-seed<s>`: a search; any controller, children from scratch or with shared weights.
- `recurrent-enas-seed<s>`, `recurrent-nao_shared-seed<s>`: ENAS's phases, NAO's pool, over one set of shared weights.
- `recurrent-final`: the best cell of each search, LSTMs, drawn and published cells, all trained with the same recipe at
  equal parameters and for equal time; see `alphaxenas.pipelines.language_training`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from alphaxenas.config import Config
from alphaxenas.config.language import FOUND, LSTM, RANDOM, SHARED_SEARCHES
from alphaxenas.contracts import Evaluator
from alphaxenas.data.text import TextData
from alphaxenas.evaluators.language import LanguageEvaluator
from alphaxenas.networks.language.cores import CellCore, Core, LSTMCore
from alphaxenas.networks.language.model import weight_shapes
from alphaxenas.networks.language.recipe import LanguageRecipe
from alphaxenas.pipelines import enas, nao
from alphaxenas.pipelines import search as stages
from alphaxenas.pipelines.factory import configured_controller
from alphaxenas.pipelines.language_training import LanguageModelToTrain, train_language_models
from alphaxenas.pipelines.raters.rating import Rating
from alphaxenas.pipelines.stages import open_stage, refuse_wishes
from alphaxenas.runs.journal import Journal
from alphaxenas.seeds import stream
from alphaxenas.spaces.recurrent import RecurrentCell, RecurrentSpace
from alphaxenas.spaces.recurrent_zoo import recurrent_zoo_cell
from alphaxenas.supernet.shared_weights import TextWeights

STAGE = "recurrent"
"""Stage of what notebook 09 concludes; its other stages begin with this word."""


def recurrent_space(config: Config) -> RecurrentSpace:
    """Cells of `blocks` nodes."""
    return RecurrentSpace(config.space.blocks, config.language.choose_first, config.language.cell_output)


def language_recipe(config: Config) -> LanguageRecipe:
    """How the configured models are trained, in the search and in full."""
    language = config.language
    return LanguageRecipe(
        **language.values_for(LanguageRecipe),
        batch_size=config.child.batch_size,
        learning_rate=config.child.learning_rate,
        schedule=language.language_schedule,
        average=language.averaged_sgd,
        activation=language.activation_penalty,
        temporal=language.temporal_penalty,
        precision=config.run.precision,
    )


def search(config: Config, controller: str, seed: int, data: TextData) -> dict[str, Any]:
    """Stage `recurrent-<controller>-seed<seed>`.

    Args:
        config: The configuration.
        controller: Name of the controller, or one of `SHARED_SEARCHES`.
        seed: Of the search.
        data: The configured text.

    Returns:
        Results as of `Coach.run`, `EnasSearch.run` or `SharedPool.run`.
    """
    refuse_wishes(config, "09")
    space, language, stage = recurrent_space(config), config.language, f"{STAGE}-{controller}-seed{seed}"
    if controller in SHARED_SEARCHES:

        def weights() -> TextWeights:
            return TextWeights(space, data, language_recipe(config), language.units, seed)

        own = {**_text_parameters(config), "search_seed": seed}
        if controller == "enas":
            own |= config.parameters("enas")
            return enas.run_phases(config, stage, own, space, data, weights, seed, enas.PUBLISHED["recurrent"])
        return nao.run_pool(config, stage, own, space, data, weights, seed)
    parameters = {
        **_text_parameters(config),
        **config.parameters("search"),
        "shared_cells": language.shared_cells,
        "shared_warmup": language.shared_warmup,
        "controller": controller,
        "search_seed": seed,
    }
    return stages.run_search(
        config,
        stage,
        parameters,
        space,
        data,
        lambda: configured_controller(config, controller, space, seed, language.shared_cells),
        Rating(f"{__name__}:evaluator", {"seed": seed}),
    )


def evaluator(config: Config, data: TextData, seed: int) -> Evaluator:
    """What rates the cells of `search`.

    Args:
        config: The configuration.
        data: The configured text.
        seed: Of initial weights and training.
    """
    language = config.language
    shared = (language.shared_cells, language.shared_warmup)
    return LanguageEvaluator(recurrent_space(config), data, language_recipe(config), language.units, seed, *shared)


def train_in_full(config: Config, data: TextData, searches: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Stage `recurrent-final`: every chosen model at equal parameters, for equal time, with every seed.

    Args:
        config: The configuration.
        data: The configured text.
        searches: Results of the searches by name.

    Returns:
        Results as of `train_language_models`.
    """
    models = models_to_train(config, data, searches)
    language = config.language
    parameters = {
        **_text_parameters(config),
        "models": {model.name: model.description for model in models},
        "language_epochs": language.language_epochs,
        "language_minutes": language.language_minutes,
        "language_seeds": language.language_seeds,
        "averaged_sgd": language.averaged_sgd,
        "weight_dropout": language.weight_dropout,
    }
    with open_stage(config, f"{STAGE}-final", parameters, data) as folder:
        return train_language_models(
            models,
            data,
            language_recipe(config),
            folder,
            seeds=tuple(range(language.language_seeds)),
            epochs=language.language_epochs,
            minutes=language.language_minutes,
            formats=config.training.export_formats,
        )


def models_to_train(
    config: Config, data: TextData, searches: Mapping[str, Mapping[str, Any]]
) -> list[LanguageModelToTrain]:
    """The chosen models, each with as many units as give it the parameters of a searched cell of `units` units.

    Args:
        config: The configuration.
        data: The configured text.
        searches: Results of the searches by name.

    Returns:
        Models with different names.
    """
    space, language, words = recurrent_space(config), config.language, len(data.vocabulary)
    size = _parameters(CellCore(space.sample(stream(0, "any")), language.units), words)
    cells: dict[str, RecurrentCell] = {}
    for choice in language.language_models:
        if choice == FOUND:
            cells |= {f"found by {name}": cell for name, cell in zip(searches, found_cells(space, searches))}
        elif choice == RANDOM:
            rng = stream(config.run.seed, "recurrent", "drawn cells")
            cells |= {f"drawn {number}": space.sample(rng) for number in range(1, language.random_cells + 1)}
        elif choice != LSTM:
            cells[choice] = recurrent_zoo_cell(choice).cell
    cores: dict[str, Core] = {
        name: CellCore(cell, _units(lambda units, cell=cell: CellCore(cell, units), words, size))
        for name, cell in cells.items()
    }
    if LSTM in language.language_models:
        layers = language.lstm_layers
        cores[f"LSTM, {layers} layers"] = LSTMCore(layers, _units(lambda units: LSTMCore(layers, units), words, size))
    return [LanguageModelToTrain(name, core, str(cells.get(name, name))) for name, core in cores.items()]


def found_cells(space: RecurrentSpace, searches: Mapping[str, Mapping[str, Any]]) -> list[RecurrentCell]:
    """The best cell of each search.

    Args:
        space: What was searched.
        searches: Results of the searches by name.

    Returns:
        Cells, in the order of the searches.
    """
    return [space.parse(results["best"][0]["architecture"]) for results in searches.values()]


def journals(config: Config, searches: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The records of the searches.

    Args:
        config: The configuration.
        searches: Anything by the names of the searches.

    Returns:
        Records by name, in order.
    """
    found = {}
    for name in searches:
        path = Path(config.run.exp_dir) / config.run.run / f"{STAGE}-{name}" / "trials.jsonl"
        found[name] = Journal(path).read()
    return found


def _parameters(core: Core, words: int) -> int:
    return sum(map(prod, weight_shapes(core, words).values()))


def _units(make: Any, words: int, parameters: int) -> int:
    """The number of units whose model comes nearest to a number of parameters."""
    units = 1
    while _parameters(make(units + 1), words) <= parameters:
        units += 1
    lower, upper = (abs(_parameters(make(n), words) - parameters) for n in (units, units + 1))
    return units if lower <= upper else units + 1


def _text_parameters(config: Config) -> dict[str, Any]:
    """What decides what a model learns, for run.json."""
    words = "seed threads precision fraction text text_path vocabulary_size blocks cell_output choose_first units"
    words += " batch_size window learning_rate clip decay language_schedule embedding_dropout input_dropout"
    words += " state_dropout output_dropout activation_penalty temporal_penalty"
    return config.only(*words.split())

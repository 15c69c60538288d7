"""The stages of notebook 09: recurrent cells for language models.

- `recurrent-<controller>-seed<s>`: a search; any controller, children from scratch or with shared weights.
- `recurrent-enas-seed<s>`, `recurrent-nao_shared-seed<s>`: ENAS's phases, NAO's pool, over one set of shared weights.
- `recurrent-final`: the best cell of each controller, LSTMs, drawn, published and own cells, all trained at equal
  parameters, for equal time and with the same recipe, but LSTMs that bring their authors'; see
  `alphaxenas.pipelines.language_training`.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from alphaxenas.config import Config
from alphaxenas.config.language import AWD_LSTM, FOUND, LSTMS, PLAIN_LSTM, RANDOM, SHARED_SEARCHES
from alphaxenas.contracts import Evaluator
from alphaxenas.data.text import TextData
from alphaxenas.evaluators.language import LanguageEvaluator
from alphaxenas.networks.language.cores import CellCore, Core, LSTMCore
from alphaxenas.networks.language.model import weight_shapes
from alphaxenas.networks.language.recipe import LanguageRecipe, awd_lstm_recipe, plain_lstm_recipe
from alphaxenas.pipelines import enas, nao
from alphaxenas.pipelines import search as stages
from alphaxenas.pipelines.factory import configured_controller
from alphaxenas.pipelines.language_training import LanguageModelToTrain, train_language_models
from alphaxenas.pipelines.raters.rating import Rating
from alphaxenas.pipelines.stages import open_stage, refuse_wishes
from alphaxenas.runs.journal import Journal
from alphaxenas.seeds import stream
from alphaxenas.spaces.recurrent import RecurrentCell, RecurrentSpace
from alphaxenas.spaces.recurrent_zoo import RECURRENT_ZOO
from alphaxenas.suggestions import invalid
from alphaxenas.supernet.shared_weights import TextWeights

_log = logging.getLogger(__name__)
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
    units = {"search_units": language.search_units}
    if controller in SHARED_SEARCHES:

        def weights() -> TextWeights:
            return TextWeights(space, data, language_recipe(config), _search_units(config), seed)

        own = {**_text_parameters(config), **units, "search_seed": seed}
        if controller == "enas":
            own |= config.parameters("enas")
            return enas.run_phases(config, stage, own, space, data, weights, seed, enas.PUBLISHED["recurrent"])
        return nao.run_pool(config, stage, own, space, data, weights, seed)
    parameters = {
        **_text_parameters(config),
        **units,
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
    units = _search_units(config)
    return LanguageEvaluator(recurrent_space(config), data, language_recipe(config), units, seed, *shared)


def train_in_full(config: Config, data: TextData, searches: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Stage `recurrent-final`: every chosen model at equal parameters, for equal time, with every seed.

    Args:
        config: The configuration.
        data: The configured text.
        searches: Results of the searches by name.

    Returns:
        Results as of `train_language_models`.

    Raises:
        ValueError: There is nothing to train.
    """
    models = models_to_train(config, data, searches)
    language = config.language
    if not models:
        expected = "others beside 'found', because no search has a child that could be trained"
        raise invalid("language_models", expected, list(language.language_models))
    parameters = {
        **_text_parameters(config),
        "language_epochs": language.language_epochs,
        "language_minutes": language.language_minutes,
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

    `lstm_2x200` alone has the units of its name. It and `awd_lstm` are trained with their authors' recipes, see
    `networks.language.recipe`; AWD-LSTM's three layers are equally wide here, where its authors' are 1,150 units wide
    between embeddings of 400 numbers.

    Args:
        config: The configuration.
        data: The configured text.
        searches: Results of the searches by name.

    Returns:
        Models with different names.
    """
    space, language, words = recurrent_space(config), config.language, len(data.vocabulary)
    size = _parameters(CellCore(space.sample(stream(0, "any")), language.units), words)

    def equal(make: Callable[[int], Core]) -> Core:
        return make(_units(make, words, size))

    def lstm(choice: str) -> LanguageModelToTrain:
        recipe = language_recipe(config)
        if choice == PLAIN_LSTM:
            return LanguageModelToTrain("LSTM 2x200", LSTMCore(2, 200), "LSTM 2x200", plain_lstm_recipe(recipe))
        layers = 3 if choice == AWD_LSTM else language.lstm_layers
        core, name = equal(partial(LSTMCore, layers)), f"LSTM, {layers} layers"
        if choice == AWD_LSTM:
            return LanguageModelToTrain("AWD-LSTM", core, name, awd_lstm_recipe(recipe, data.name))
        return LanguageModelToTrain(name, core, name)

    models: list[LanguageModelToTrain] = []
    for choice in language.language_models:
        if choice in LSTMS:
            models.append(lstm(choice))
            continue
        for name, cell in _cells(choice, config, searches).items():
            core = equal(partial(CellCore, cell))
            models.append(LanguageModelToTrain(name, core, str(cell)))
    return models


def _cells(choice: str, config: Config, searches: Mapping[str, Mapping[str, Any]]) -> dict[str, RecurrentCell]:
    """The cells that an item of `language_models` stands for, by what they are called: one of the user's own by the
    first digits of its hash, so that it is the same one wherever it stands in the list.
    """
    space = recurrent_space(config)
    if choice == FOUND:
        return found_cells(space, best_of_each(searches))
    if choice == RANDOM:
        rng = stream(config.run.seed, "recurrent", "drawn cells")
        return {f"drawn {number}": space.sample(rng) for number in range(1, config.language.random_cells + 1)}
    if choice in RECURRENT_ZOO:
        return {choice: RECURRENT_ZOO[choice].cell}
    cell = RecurrentCell.parse(choice)
    return {f"own {hashlib.sha256(str(cell).encode()).hexdigest()[:6]}": cell}


def best_of_each(searches: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Of every controller the search whose chosen child has the highest reward.

    Args:
        searches: Results of the searches by name, such as `alphaxenas-seed0`; the first of equal ones counts.
    """
    best: dict[str, tuple[float, str]] = {}
    for name, results in searches.items():
        controller = name.rpartition("-seed")[0]
        reward = results["best"][0]["reward"] if results["best"] else -1.0
        if controller not in best or reward > best[controller][0]:
            best[controller] = (reward, name)
    return {name: searches[name] for _, name in best.values()}


def found_cells(space: RecurrentSpace, searches: Mapping[str, Mapping[str, Any]]) -> dict[str, RecurrentCell]:
    """The best cell of each search, with a warning without that of one in which every child failed.

    Args:
        space: What was searched.
        searches: Results of the searches by name.

    Returns:
        Cells by `found by NAME`, in the order of the searches.
    """
    found = {name: results["best"] for name, results in searches.items() if results["best"]}
    for name in (name for name in searches if name not in found):
        _log.warning("The search %s found no cell, because every child failed: it is left out.", name)
    return {f"found by {name}": space.parse(best[0]["architecture"]) for name, best in found.items()}


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


def _search_units(config: Config) -> int:
    return config.language.search_units or config.language.units


def _parameters(core: Core, words: int) -> int:
    return sum(map(prod, weight_shapes(core, words).values()))


def _units(make: Callable[[int], Core], words: int, parameters: int) -> int:
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

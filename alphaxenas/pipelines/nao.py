"""The stages of notebook 08: NAO in the micro space, without and with shared weights, and the best of both trained in
full.

- `nao-scratch`: the controller `nao`; every child is trained from scratch with the search budget.
- `nao-shared`: a pool whose members train one set of weights in turns (`supernet/shared_pool.py`).
- `nao-best`: the best of both, each trained in full; validation chooses the one that is tested.
- `nao-zoo`: known cells, trained likewise.

What the trajectories through the continuous space show is computed from the records of `nao-scratch` alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.config import Config
from alphaxenas.contracts import Budget, Evaluator, SearchSpace, Tokens
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.controllers.nao.controller import settings_of
from alphaxenas.controllers.nao.model import NAOModel
from alphaxenas.controllers.nao.quality import Quality, fit_and_measure, scale_targets
from alphaxenas.controllers.nao.settings import FEWEST, NAOSettings
from alphaxenas.controllers.nao.trajectory import LatentTrajectory, latent_trajectory
from alphaxenas.data import ImageData
from alphaxenas.networks.registry import build_network
from alphaxenas.pipelines.early_checks import check_children
from alphaxenas.pipelines.factory import (
    child_network,
    child_options,
    image_weights,
    make_evaluator,
    of_shared_weights,
    regularised,
)
from alphaxenas.pipelines.final import train_networks
from alphaxenas.pipelines.full_training import architecture_to_train
from alphaxenas.pipelines.raters.rating import Rating
from alphaxenas.pipelines.search import child_epochs, run_search
from alphaxenas.pipelines.stages import LIMITS, open_stage, refuse_wishes
from alphaxenas.runs import Journal
from alphaxenas.seeds import derived_seed, stream
from alphaxenas.spaces.micro import MicroSpace
from alphaxenas.spaces.zoo import zoo_cell
from alphaxenas.supernet.shared_pool import Plan, SharedPool
from alphaxenas.supernet.shared_weights import ImageWeights, SharedWeights

if TYPE_CHECKING:
    from alphaxenas.data.text import TextData

STAGE = "nao"
"""Stage of what notebook 08 concludes; its other stages begin with this word."""
STEP_SIZES = tuple(np.round(np.geomspace(0.05, 6.0, 40), 4).tolist())
"""Step sizes at which a latent trajectory is looked at."""
OTHER_NETWORKS = (
    "architecture",
    "cutout",
    "hand_made",
    "top_k",
    "train_cells",
    "train_epochs",
    "train_filters",
    "train_multiply_adds",
    "train_reductions",
    "train_stem_stride",
)
"""Parameters that choose other networks and trainings; those of `nao-best` have the size of the search's children."""
SCORING_BATCH = 50
"""Validation images by which the subset grows on which shared weights are scored."""


def micro_space(config: Config) -> MicroSpace:
    """Normal and reduction cell of `blocks` nodes with ENAS's five operations."""
    return MicroSpace(config.space.blocks)


def nao_settings(config: Config) -> NAOSettings:
    """The preset with the configured sizes of the pool."""
    return settings_of(config.search.nao_preset, config.search.nao_pool, new=config.search.nao_new)


def search_from_scratch(config: Config, data: ImageData) -> dict[str, Any]:
    """Stage `nao-scratch`: NAO over children that are each trained from scratch; results as of `Coach.run`.

    After every round's number of children the best of them counts as the final of a round: it was trained at that
    budget already, so it costs nothing more.

    Args:
        config: The configuration.
        data: The configured images.

    Returns:
        Results as of `Coach.run`.
    """
    check_children(config)
    refuse_wishes(config, "08")
    space, seed, settings = micro_space(config), config.run.seed, nao_settings(config)
    budget = Budget(child_epochs(config))
    own = ("blocks", "nao_preset", "nao_pool", "nao_new", "search_epochs", *LIMITS)
    controller = make_controller(
        "nao",
        space,
        seed,
        search_budget=budget,
        final_budget=budget,
        promote_every=settings.new + settings.random,
        **config.settings_of("nao"),
    )
    return run_search(
        config,
        f"{STAGE}-scratch",
        config.parameters("data", "child") | config.only(*own),
        space,
        data,
        lambda: controller,
        Rating(f"{__name__}:evaluator", {"seed": seed}),
    )


def evaluator(config: Config, data: ImageData, seed: int) -> Evaluator:
    """What rates the children of `search_from_scratch`.

    Args:
        config: The configuration.
        data: The configured images.
        seed: Of initial weights and training.
    """
    return make_evaluator(config, data, seed, micro_space(config), share_weights=False)


def search_with_shared_weights(config: Config, data: ImageData) -> dict[str, Any]:
    """Stage `nao-shared`: a pool of the same size with shared weights.

    Args:
        config: The configuration.
        data: The configured images.

    Returns:
        Results as of `SharedPool.run`.
    """
    from alphaxenas.supernet.supernetworks import MicroSupernetwork

    check_children(config)
    refuse_wishes(config, "08")
    space, seed = micro_space(config), config.run.seed

    def weights() -> ImageWeights:
        network = MicroSupernetwork(space, child_network(config, data.num_classes))
        return image_weights(config, network, data, seed, SCORING_BATCH)

    return run_pool(config, f"{STAGE}-shared", of_shared_weights(config), space, data, weights, seed)


def run_pool(
    config: Config,
    stage: str,
    parameters: Mapping[str, Any],
    space: SearchSpace,
    data: ImageData | TextData,
    weights: Callable[[], SharedWeights],
    seed: int,
) -> dict[str, Any]:
    """Runs or continues NAO's pool with shared weights in a stage of its own.

    Args:
        config: The configuration; its parameters `nao_...` say how large and how long.
        stage: Name of the stage.
        parameters: For run.json, with those of NAO.
        space: What is searched; `blocks` counts.
        data: What the weights are trained on.
        weights: Makes them; called when there is something to train.
        seed: Of everything.

    Returns:
        Results as of `SharedPool.run`.
    """
    plan = Plan(**config.nao.values_for(Plan, "nao_"), learning_rate=config.child.learning_rate)
    own = config.only(
        "blocks", "nao_preset", "nao_pool", "nao_new", "nao_rounds", "nao_epochs", "nao_policy", "nao_subset"
    )
    with open_stage(config, stage, {**parameters, **own}, data) as folder:
        return SharedPool(space, weights, folder, nao_settings(config), plan, seed).run()


def train_best(config: Config, data: ImageData, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Stage `nao-best`: architectures of the searches in full, all alike.

    Args:
        config: The configuration.
        data: The configured images.
        found: Records with `architecture` and `where`, see `best_found`.

    Returns:
        Results as of `train_in_full`.
    """
    space = micro_space(config)
    named = {
        f"{record['where']}{number}": space.parse(record["architecture"]) for number, record in enumerate(found, 1)
    }
    return _train_alike(config, data, "best", named)


def train_zoo(config: Config, data: ImageData) -> dict[str, Any] | None:
    """Stage `nao-zoo`: known cells with the filters, cells, epochs and recipe of `train_best`.

    Args:
        config: The configuration.
        data: The configured images.

    Returns:
        Results as of `train_in_full`; None where `nao_zoo` is empty.
    """
    cells = {cell.name: cell for cell in map(zoo_cell, config.nao.nao_zoo)}
    return _train_alike(config, data, "zoo", cells) if cells else None


def _train_alike(config: Config, data: ImageData, stage: str, architectures: Mapping[str, Any]) -> dict[str, Any]:
    check_children(config)
    parameters = config.parameters("data", "training") | config.only(
        "filters", "cells", "stem_stride", "momentum", "rate_schedule", "nao_best_epochs"
    )
    parameters = {name: value for name, value in parameters.items() if name not in OTHER_NETWORKS}
    parameters["trained"] = [str(architecture) for architecture in architectures.values()]
    options = child_options(config, data.num_classes)
    with open_stage(config, f"{STAGE}-{stage}", parameters, data) as folder:
        networks = [
            architecture_to_train(name, build_network(one, regularised(config, one, options)), one)
            for name, one in architectures.items()
        ]
        return train_networks(config, networks, data, folder, config.nao.nao_best_epochs)


def best_found(config: Config, scratch: Mapping[str, Any], shared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The `top_k` architectures of both searches, taken in turns, each key once, with `where` they come from.

    Rewards of the two are not comparable, because one trains every child from scratch and the other does not.

    Args:
        config: The configuration.
        scratch: Results of `search_from_scratch`.
        shared: Results of `search_with_shared_weights`.

    Returns:
        Records with `where`, `architecture`, `reward` and `key`.
    """
    lists = {
        where: sorted(results["best"], key=lambda record: -record["reward"])
        for where, results in (("scratch", scratch), ("shared", shared))
    }
    found: dict[str, dict[str, Any]] = {}
    in_turns = (each for pair in itertools.zip_longest(*lists.values()) for each in zip(lists, pair))
    for where, record in in_turns:
        if record is not None and len(found) < config.training.top_k:
            kept = {name: record[name] for name in ("architecture", "reward", "key")}
            found.setdefault(record["key"], {"where": where, **kept})
    return list(found.values())


def stored_records(config: Config, stage: str) -> list[dict[str, Any]]:
    """The journal of a stage.

    Args:
        config: The configuration.
        stage: `"nao-scratch"` or `"nao-shared"`.

    Returns:
        Its records, in order.
    """
    return Journal(Path(config.run.exp_dir) / config.run.run / stage / "trials.jsonl").read()


def latent_trajectories(
    config: Config, records: Sequence[Mapping[str, Any]], count: int = 3
) -> tuple[Quality, list[LatentTrajectory]]:
    """A network trained on measured architectures, and what it decodes along the gradient from some of them.

    Args:
        config: The configuration.
        records: Lines of a journal, with `key`, `tokens`, `reward`.
        count: Trajectories: from the worst, the middle ones, the best.

    Returns:
        Quality on held-out architectures, and the trajectories; NaN and none where the search was too short to hold
        any out.
    """
    space, settings, seed = micro_space(config), nao_settings(config), config.run.seed
    measured: dict[str, tuple[Tokens, float]] = {}
    for record in records:
        if record.get("status", "ok") == "ok":
            measured.setdefault(record["key"], (tuple(record["tokens"]), record["reward"]))
    keys = sorted(measured, key=lambda key: measured[key][1])
    if len(keys) < FEWEST:
        return Quality(0, *[float("nan")] * 4), []
    tokens, rewards = zip(*(measured[key] for key in keys))
    model = NAOModel(space, settings.network, derived_seed(seed, "nao", "walks") % 2**31, settings.variants)
    targets, rng = scale_targets(rewards, settings.targets), stream(seed, "nao", "walks")
    quality = fit_and_measure(model, keys, tokens, targets, settings, rng)
    places = np.unique(np.linspace(0, len(keys) - 1, count).round().astype(int))
    return quality, [latent_trajectory(model, tokens[place], settings, STEP_SIZES) for place in places]


def conclusions(
    scratch: Mapping[str, Any],
    shared: Mapping[str, Any],
    rounds: Sequence[Mapping[str, float]],
    quality: Quality,
    found: Sequence[Mapping[str, Any]],
    best: Mapping[str, Any],
    zoo: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The content of results.json of notebook 08.

    Args:
        scratch: Results of `search_from_scratch`.
        shared: Results of `search_with_shared_weights`.
        rounds: Numbers of the rounds of `scratch`.
        quality: Of `latent_trajectories`.
        found: Of `best_found`.
        best: Results of `train_best`.
        zoo: Results of `train_zoo`.
    """
    kept = ("name", "validation_accuracy")
    return {
        "headline": f"NAO: {best['headline']}; shared weights: {shared['headline']}",
        "scratch": {"headline": scratch["headline"], "trained": scratch["trained"], "rounds": list(rounds)},
        "shared": {name: shared[name] for name in ("headline", "rounds", "ranking_is_resolved")},
        "walk": {
            "held_out": quality.held_out,
            **{
                name: value if np.isfinite(value := float(getattr(quality, name))) else None
                for name in ("pairwise_accuracy", "hamming")
            },
        },
        "best": [
            {**record, "validation_accuracy": model["validation_accuracy"]}
            for record, model in zip(found, best["models"])
        ],
        "test_accuracy": best["test_accuracy"],
        "zoo": [{name: model[name] for name in kept} for model in zoo["models"]] if zoo else [],
    }

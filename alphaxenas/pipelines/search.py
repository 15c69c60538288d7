"""The search stage: one controller, one seed, the children that it asks for trained on images.

Notebooks and commands call pipelines; other combinations take their parts from `alphaxenas.pipelines.factory`. Every
stage opens its folder `<run>/<stage>`, does or continues the work, and returns the content of its results.json; a
stage that is finished returns at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from alphaxenas.coach import Coach, reaches
from alphaxenas.config import Config
from alphaxenas.contracts import Budget, Controller, Evaluator, Outcome, SearchSpace
from alphaxenas.data import ImageData
from alphaxenas.data.text import TextData
from alphaxenas.evaluators.proxies import with_proxies
from alphaxenas.pipelines.factory import child_network, configured_controller, load_images, make_evaluator
from alphaxenas.pipelines.raters.rating import Rating, awaited_at_once, rated
from alphaxenas.pipelines.raters.wishes import objectives, priced, user_space
from alphaxenas.pipelines.stages import LIMITS, open_stage
from alphaxenas.proxies import ProxyScores
from alphaxenas.suggestions import invalid
from alphaxenas.tabular.foreign_trials import content_of, read_foreign_trials

STATIC_ORDER = ("depth", "parameters")
"""Proxies of the controller `static`, whatever the parameter `proxies` names."""

PRICED = (
    "train_epochs",
    "train_filters",
    "train_cells",
    "train_reductions",
    "train_stem_stride",
    "train_multiply_adds",
)
"""What says how many epochs `train_teraflops` pay for, and so what is searched at all."""


def search(config: Config, controller: str, seed: int, data: ImageData | None = None) -> dict[str, Any]:
    """Stage `<controller>-seed<seed>`: a search over the configured space.

    Children share weights, but in plain convolution nets and chains, and where `share_weights` is false: there each is
    trained from scratch.

    Args:
        config: The configuration; its own seed splits the data, so that all searches see the same images.
        controller: One of `alphaxenas.controllers.CONTROLLERS`.
        seed: Of controller, initial weights and training.
        data: The configured images, if they are loaded already.

    Returns:
        Results as of `Coach.run`.
    """
    parameters = config.parameters("data", "space", "child", "search")
    parameters |= {"controller": controller, "search_seed": seed}
    parameters |= config.only("train_teraflops", *(PRICED if config.training.train_teraflops else ()))
    data = data or load_images(config)
    wished = user_space(config, data)
    imported = foreign_trials(config, wished, controller)
    if imported:
        parameters["imported"] = content_of(config.search.import_trials)
    names = STATIC_ORDER if controller == "static" else config.search.proxies
    seen = with_proxies(names, wished, child_network(config, data.num_classes), data, seed) if names else wished
    return run_search(
        config,
        f"{controller}-seed{seed}",
        parameters,
        wished,
        data,
        lambda: configured_controller(config, controller, seen, seed, objectives=objectives(config, data)),
        Rating(f"{__name__}:evaluator", {"seed": seed}, tuple(names)),
        getattr(seen, "proxies", None),
        imported,
    )


def evaluator(config: Config, data: ImageData, seed: int) -> Evaluator:
    """What rates the children of `search`.

    Args:
        config: The configuration.
        data: The configured images.
        seed: Of initial weights and training.
    """
    return priced(config, data, make_evaluator(config, data, seed))


def foreign_trials(config: Config, space: SearchSpace, controller: str) -> list[Outcome]:
    """The trials of another search that the parameter `import_trials` names; none without it.

    Args:
        config: The configuration.
        space: What is searched.
        controller: Who is to learn from them.

    Raises:
        ValueError: The file is not usable for this search, see `read_foreign_trials`; or the controller cannot learn.
    """
    chosen = config.search
    if not chosen.import_trials:
        return []
    if controller == "alphaxenas" and chosen.planning == "children":
        raise ValueError("Invalid value for `import_trials`. Expected none where planning=children, as in the original")
    budget = Budget(chosen.search_epochs, chosen.search_fraction)
    return read_foreign_trials(chosen.import_trials, space, budget)


def run_search(
    config: Config,
    stage: str,
    parameters: dict[str, Any],
    space: SearchSpace,
    data: ImageData | TextData | None,
    controller: Callable[[], Controller],
    rating: Rating,
    proxies: ProxyScores | None = None,
    imported: Sequence[Outcome] = (),
) -> dict[str, Any]:
    """Runs or continues a search in a stage of its own, until one of the configured limits.

    Args:
        config: The configuration.
        stage: Name of the stage.
        parameters: For run.json.
        space: What is searched.
        data: The configured images or text; None where the search is about something else.
        controller: Makes who searches; not called where the search has ended and limits ask for no more.
        rating: What rates the children; several at once where the configuration asks for workers.
        proxies: Scores that the controller uses.
        imported: Trials of another search, as of `Coach`.

    Returns:
        Results as of `Coach.run`.
    """
    parameters = {**parameters, "in_flight": (at_once := awaited_at_once(config))}
    if at_once > 1:
        parameters["worker_order"] = config.workers.worker_order
    ends = {name: getattr(config.search, name) for name in LIMITS}
    with open_stage(config, stage, parameters, data) as folder:
        results = folder.read_results()
        if results is not None and reaches(results, **ends):
            nobody: Any = None
            return Coach(space, nobody, nobody, folder, **ends).run()
        how: dict[str, Any] = {
            "checkpoint_every": config.search.checkpoint_every,
            "proxies": proxies,
            "imported": imported,
        }
        how |= {"in_flight": at_once, "order": config.workers.worker_order}
        with rated(config, rating, data, proxies) as raters:
            return Coach(space, controller(), raters, folder, **ends, **how).run()


def child_epochs(config: Config) -> int:
    """Epochs of a child where each is trained from scratch.

    Raises:
        ValueError: They are 0: the weights would be the initial ones.
    """
    if not config.search.search_epochs:
        raise invalid("search_epochs", ">= 1 where children start from scratch", "0")
    return config.search.search_epochs


def search_seeds(config: Config) -> tuple[int, ...]:
    """Seeds of the searches: `seeds`, or the run's one."""
    return config.search.seeds or (config.run.seed,)

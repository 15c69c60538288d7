"""The search stage: one controller, one seed, the children that it asks for trained on images.

Notebooks and commands call pipelines; other combinations take their parts from `alphaxenas.pipelines.factory`. Every
stage opens its run `<suite>/<stage>`, does or continues the work, and returns the content of its results.json; a
stage that is finished returns at once.
"""

from __future__ import annotations

from typing import Any

from alphaxenas.coach import Coach, reaches
from alphaxenas.config import Config
from alphaxenas.data import ImageData
from alphaxenas.pipelines.factory import load_images, make_controller, make_evaluator, search_space
from alphaxenas.runs.folder import RunFolder

LIMITS = ("iterations", "trials", "max_minutes")
"""Parameters that end a search."""


def search(config: Config, controller: str, seed: int, data: ImageData | None = None) -> dict[str, Any]:
    """Stage `<controller>-seed<seed>`: a search over children that share weights (chains: each from scratch).

    Args:
        config: The configuration; its own seed splits the data, so that all searches see the same images.
        controller: One of `alphaxenas.controllers.CONTROLLERS`.
        seed: Of controller, initial weights and training.
        data: The configured images, if they are loaded already.

    Returns:
        Results as of `Coach.run`.
    """
    space = search_space(config)
    parameters = {
        **config.parameters("data", "space", "child", "search"),
        "controller": controller,
        "search_seed": seed,
    }
    data = data or load_images(config)
    with open_stage(config, f"{controller}-seed{seed}", parameters, data) as folder:
        # A finished search is read, not played.
        evaluator: Any = None if is_finished(config, folder) else make_evaluator(config, data, seed)
        return Coach(space, make_controller(config, controller, space, seed), evaluator, folder, **limits(config)).run()


def limits(config: Config) -> dict[str, Any]:
    """When a search ends and how often it saves, as arguments of `Coach`."""
    return {name: getattr(config.search, name) for name in (*LIMITS, "checkpoint_every")}


def is_finished(config: Config, folder: RunFolder) -> bool:
    """Whether a search has ended and today's limits ask for no more.

    Args:
        config: The configuration.
        folder: Of the search.
    """
    ends = {name: getattr(config.search, name) for name in LIMITS}
    return (results := folder.read_results()) is not None and reaches(results, **ends)


def child_epochs(config: Config) -> int:
    """Epochs of a child where each is trained from scratch.

    Raises:
        ValueError: They are 0: the weights would be the initial ones.
    """
    if not config.search.search_epochs:
        raise ValueError(
            "Invalid value for `search_epochs`. Expected >= 1 where children start from scratch. Received: 0"
        )
    return config.search.search_epochs


def search_seeds(config: Config) -> tuple[int, ...]:
    """Seeds of the searches: `seeds`, or the run's one."""
    return config.search.seeds or (config.run.seed,)


def open_stage(config: Config, stage: str, parameters: dict[str, Any], data: ImageData | None = None) -> RunFolder:
    """The run folder of a stage of the configured suite.

    Args:
        config: The configuration.
        stage: Name of the folder inside the suite's.
        parameters: What may change the stage's results, for run.json.
        data: The images that it is about.

    Returns:
        The folder, to be used as a context manager.

    Raises:
        RunMismatch: The stage was begun with other parameters or other images.
    """
    run, identity = config.run, getattr(data, "identity", None)  # data made in memory have none
    return RunFolder.open(run.run, stage, parameters, run.exp_dir, run.tensorboard_dir, run.overwrite, LIMITS, identity)

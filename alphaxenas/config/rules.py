"""What parameters must fulfil together; what each must fulfil alone stands in its declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alphaxenas.config.other_searches import PROCESSES
from alphaxenas.config.parameter import ParameterError
from alphaxenas.controllers.alphaxenas.settings import Settings
from alphaxenas.controllers.nao.settings import FEWEST, PRESETS
from alphaxenas.controllers.pareto.objectives import named
from alphaxenas.data.images import check_sources
from alphaxenas.networks.nasbench.stages import STAGES
from alphaxenas.spaces.from_parameters import SCRATCH_SPACES, STAGED_SPACES, shares_weights, space_from_parameters
from alphaxenas.spaces.parse_any import parse_architecture
from alphaxenas.spaces.user_space import UserSpace
from alphaxenas.workers import cluster

if TYPE_CHECKING:
    from alphaxenas.config.declarations import Config

FRONT = "pareto:"
"""Before a place in the front of a search, in the parameter `architecture`."""


def check_together(config: Config) -> None:
    """Refuses values that are possible alone but not together.

    Raises:
        ParameterError: Names the parameter to change, what is expected and what was received.
    """
    data, child, search, training = config.data, config.child, config.search, config.training
    other_limit, depth = search.iterations or search.max_minutes, config.baseline.densenet_depth
    scratch = not shares_weights(config.parameters())
    budgets = {(search.search_epochs, search.search_fraction), (search.final_epochs, search.final_fraction)}
    from_scratch = search.final_weights == "scratch" and not scratch
    nao_pool = search.nao_pool or PRESETS[search.nao_preset].pool
    refused: list[tuple[str, object, str]] = [
        ("nao_pool", nao_pool < FEWEST, f"0 or at least {FEWEST}, below which no predictor can be fitted"),
        ("nao_new", search.nao_new > nao_pool, f"at most nao_pool ({nao_pool})"),
        ("augment", not data.augment and (data.cutout or training.train_cutout), "true where images are cut out"),
        *(
            (
                name,
                config.space.space in STAGED_SPACES and cells < STAGES,
                f"at least {STAGES}, because networks of {config.space.space} have {STAGES} stages",
            )
            for name, cells in (("cells", child.cells), ("train_cells", training.train_cells))
        ),
        ("reductions", child.reductions >= child.cells, f"fewer than cells ({child.cells})"),
        ("trials", not (search.trials or other_limit), "iterations, trials or max_minutes: it would never end"),
        (
            "iterations",
            not (search.search_epochs or search.final_epochs or other_limit),
            "a limit other than trials where nothing is trained (search_epochs and final_epochs 0)",
        ),
        ("search_epochs", scratch and not search.search_epochs, "at least 1 where children are trained from scratch"),
        (
            "final_weights",
            from_scratch and len(budgets) == 1,
            "'shared' where search and final have one budget, because rewards of one budget are compared",
        ),
        (
            "promotion",
            search.promotion != "best_unpromoted" and set(search.controllers) != {"alphaxenas"},
            "'best_unpromoted' where other controllers than alphaxenas search, which have no other rule",
        ),
        (
            "uniform_share",
            search.uniform_share == 1 and not scratch and {"static", "ranked"} & set(search.controllers),
            "less than 1 where static or ranked search, whose children would all be drawn",
        ),
        (
            "optimizer",
            not scratch and child.optimizer not in ("momentum", "adam"),
            f"'momentum' or 'adam' where children share weights; others go with {', '.join(SCRATCH_SPACES)}, or "
            "share_weights=False",
        ),
        *(
            (name, not scratch and getattr(child, name) != usual, f"{usual!r} where children share weights")
            for name, usual in (("rate_schedule", "cosine"), ("lookahead", False), ("offset_rate", 1.0))
        ),
        ("rate_drops", child.rate_drops and child.rate_schedule != "cosine", "empty with another rate_schedule"),
        (
            "train_rate_drops",
            training.train_rate_drops and (training.train_restart_epochs or child.rate_schedule != "cosine"),
            "empty with restarts (train_restart_epochs) or another rate_schedule",
        ),
        ("train_average", child.lookahead and training.train_average, "0 with lookahead, which averages itself"),
        ("augment", not data.augment and data.crop_pad, "true where images are cropped (crop_pad)"),
        ("augment", not data.augment and data.alternating_flip, "true where images are mirrored (alternating_flip)"),
        (
            "truth_column",
            bool(config.report.truth_table) != bool(config.report.truth_column),
            "the name of a column with truth_table, and nothing without",
        ),
        (
            "objectives",
            place_in_front(config) is not None and len(search.objectives) < 2,
            f"two or more where architecture is {training.architecture}",
        ),
        (
            "objectives",
            search.objectives != ("accuracy",) and search.planning == "children" and "alphaxenas" in search.controllers,
            "('accuracy',) where planning is 'children', as in the original search",
        ),
        ("proxies", "ranked" in search.controllers and not search.proxies, "at least one where ranked searches"),
        (
            "workers",
            config.workers.workers > 1 and config.workers.cluster_address != PROCESSES and not cluster.is_installed(),
            f"0 or 1 without Ray. It is installed by `{cluster.INSTALL}`; cluster_address='{PROCESSES}' does without",
        ),
        (
            "worker_gpus",
            config.workers.cluster_address == PROCESSES and config.workers.worker_gpus,
            f"0 with cluster_address='{PROCESSES}': only Ray divides GPUs",
        ),
        (
            "train_machine",
            training.train_machine and training.train_machine >= len(training.train_machines),
            f"less than the number of train_machines ({len(training.train_machines)})",
        ),
        ("densenet_depth", (depth - 4) % 6, "4 + a multiple of 6, such as 22, 40, 100"),
    ]
    for name, most in (
        ("warmup_epochs", "train_epochs"),
        ("train_lowest_learning_rate", "train_learning_rate"),
        ("train_devices", "train_batch_size"),
    ):
        highest = getattr(training, most)
        refused.append((name, getattr(training, name) > highest, f"at most {most} ({highest:g})"))
    fewer = f"fewer than train_cells ({training.train_cells})"
    refused.append(("train_reductions", training.train_reductions >= training.train_cells, fewer))
    for name, wrong, expected in refused:
        if wrong:
            received = config.parameters()[name]
            raise ParameterError(f"Invalid value for `{name}`. Expected {expected}. Received: {received!r}")
    paths = (data.arrays_path, data.labels_path, data.images_path)
    try:
        check_sources(data.dataset, *paths, data.image_size, data.label_column)
        Settings(search_children=search.search_children, promotion=search.promotion, **config.settings_of("alphaxenas"))
    except ValueError as error:
        raise ParameterError(str(error)) from None
    try:
        named(search.objectives)
        if favoured(config) or search.start_from:
            UserSpace(space_from_parameters(config.parameters("space")), None, favoured(config), starting(config))
    except ValueError as error:
        raise ParameterError(str(error)) from None
    given_architecture(config)
    if config.training.hand_made:
        architecture_of(config, "hand_made", config.training.hand_made)


def favoured(config: Config) -> dict[str, float]:
    """The weights of the parameter `favoured` by word of the vocabulary.

    Raises:
        ParameterError: A text is not of the form WORD=WEIGHT with a weight above 0.
    """
    found: dict[str, float] = {}
    for text in config.search.favoured:
        word, _, weight = text.rpartition("=")
        try:
            found[word.strip()] = float(weight)
            if not (word.strip() and 0 < found[word.strip()] < float("inf")):
                raise ValueError
        except ValueError:
            raise ParameterError(
                f"Invalid value for `favoured`. Expected WORD=WEIGHT with a weight above 0. Received: {text!r}"
            ) from None
    return found


def starting(config: Config) -> dict[str, Any]:
    """The architectures of the parameter `start_from` by what it calls them; ParameterError where one is none."""
    found = {text: architecture_of(config, "start_from", text) for text in config.search.start_from}
    return {text: getattr(architecture, "architecture", architecture) for text, architecture in found.items()}


def architecture_of(config: Config, name: str, text: str) -> Any:
    """An architecture that another parameter than `architecture` names.

    Args:
        config: Says which space.
        name: The parameter, for the message.
        text: The architecture, as of `given_architecture`.

    Raises:
        ParameterError: The text is none.
    """
    try:
        return given_architecture(config, text)
    except ValueError as error:
        said = str(error).replace("`architecture`", f"`{name}`", 1)
        raise ParameterError(said if f"`{name}`" in said else f"In `{name}`: {said}") from None


def place_in_front(config: Config) -> int | None:
    """Which architecture of a search's front `architecture` asks for, from 0, -1 for its knee; None for no such thing.

    Raises:
        ParameterError: It is neither `pareto:` and a place from 1 nor `pareto:knee`.
    """
    text = config.training.architecture.strip()
    if not text.startswith(FRONT):
        return None
    place = text.removeprefix(FRONT)
    if place == "knee":
        return -1
    if not place.isdecimal() or int(place) < 1:
        raise ParameterError(
            f"Invalid value for `architecture`. Expected {FRONT}1, the best of the front in the first objective, "
            f"{FRONT}2, ... or {FRONT}knee. Received: {text!r}"
        )
    return int(place) - 1


def given_architecture(config: Config, text: str = "") -> Any:
    """An architecture in any form that cells and pairs of cells have, in other spaces in one of theirs.

    Args:
        config: Says which space.
        text: The architecture; by default the parameter `architecture`.

    Returns:
        The architecture; None where the parameter is empty too, or asks for one of a search's front.

    Raises:
        ParameterError: The text is none.
    """
    if not text and place_in_front(config) is not None:
        return None
    text, space = text or config.training.architecture, config.space.space
    try:
        if space in ("cell", "micro") and text:
            return parse_architecture(text)
        return space_from_parameters(config.parameters("space")).parse(text) if text else None
    except ValueError as error:
        raise ParameterError(str(error)) from None

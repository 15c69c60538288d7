"""What parameters must fulfil together; what each must fulfil alone stands in its declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alphaxenas.config.parameter import ParameterError
from alphaxenas.networks.nasbench.stages import STAGES
from alphaxenas.spaces.from_parameters import SCRATCH_SPACES, STAGED_SPACES, space_from_parameters
from alphaxenas.spaces.parse_any import parse_architecture

if TYPE_CHECKING:
    from alphaxenas.config.load import Config


def check_together(config: Config) -> None:
    """Refuses values that are possible alone but not together.

    Raises:
        ParameterError: Names the parameter to change, what is expected and what was received.
    """
    data, child, search, training = config.data, config.child, config.search, config.training
    depth, limits = config.baseline.densenet_depth, search.iterations or search.trials or search.max_minutes
    rules = [
        (
            data.dataset != "arrays" or data.arrays_path,
            "arrays_path",
            "the path of an .npz file with dataset='arrays'",
            "''",
        ),
        (
            data.augment or not (data.cutout or training.train_cutout),
            "augment",
            "true where images are cut out (cutout, train_cutout)",
            data.augment,
        ),
        (
            data.dataset == "arrays" or not data.arrays_path,
            "dataset",
            "'arrays' when arrays_path is given",
            repr(data.dataset),
        ),
        (
            config.space.space not in STAGED_SPACES or min(child.cells, training.train_cells) >= STAGES,
            "cells",
            f"at least {STAGES}, and train_cells too, because networks of {config.space.space} have {STAGES} stages",
            min(child.cells, training.train_cells),
        ),
        (child.reductions < child.cells, "reductions", f"fewer than cells ({child.cells})", child.reductions),
        (
            training.train_reductions < training.train_cells,
            "train_reductions",
            f"fewer than train_cells ({training.train_cells})",
            training.train_reductions,
        ),
        (
            limits,
            "trials",
            "at least one limit among iterations, trials, max_minutes",
            "all 0: the search would never end",
        ),
        (
            search.search_epochs or search.final_epochs or search.iterations or search.max_minutes,
            "iterations",
            "a limit other than trials where nothing is trained (search_epochs and final_epochs 0)",
            search.iterations,
        ),
        (
            search.final_weights == "shared"
            or config.space.space in SCRATCH_SPACES
            or (search.search_epochs, search.search_fraction) != (search.final_epochs, search.final_fraction),
            "final_weights",
            "'shared' where search and final have one budget, because rewards of one budget are compared",
            repr(search.final_weights),
        ),
        (
            search.search_children or not search.uniform_share,
            "uniform_share",
            "0 where search_children is 0",
            search.uniform_share,
        ),
        (
            search.promotion == "best_unpromoted" or set(search.controllers) == {"alphaxenas"},
            "promotion",
            "'best_unpromoted' where other controllers than alphaxenas search, which have no other rule",
            repr(search.promotion),
        ),
        (
            config.space.space in SCRATCH_SPACES or child.optimizer in ("momentum", "adam"),
            "optimizer",
            f"'momentum' or 'adam' where children share weights; others go with {', '.join(SCRATCH_SPACES)}",
            repr(child.optimizer),
        ),
        (
            config.space.space in SCRATCH_SPACES
            or (child.rate_schedule, child.lookahead, child.offset_rate) == ("cosine", False, 1.0),
            "rate_schedule",
            f"'cosine', lookahead off and offset_rate 1 where children share weights; others go with "
            f"{', '.join(SCRATCH_SPACES)}",
            f"{child.rate_schedule!r}, {child.lookahead} and {child.offset_rate:g}",
        ),
        (
            not (child.lookahead and training.train_average),
            "train_average",
            "0 with lookahead, which averages the weights itself",
            training.train_average,
        ),
        (
            data.augment or not (data.crop_pad or data.alternating_flip),
            "augment",
            "true where images are cropped or mirrored (crop_pad, alternating_flip)",
            data.augment,
        ),
        (
            bool(config.report.truth_table) == bool(config.report.truth_column),
            "truth_column",
            "the name of a column with truth_table, and nothing without",
            repr(config.report.truth_column),
        ),
        ((depth - 4) % 6 == 0, "densenet_depth", "4 + a multiple of 6, such as 22, 40, 100", depth),
        (
            training.warmup_epochs <= training.train_epochs,
            "warmup_epochs",
            f"at most train_epochs ({training.train_epochs})",
            training.warmup_epochs,
        ),
        (
            training.train_lowest_learning_rate <= training.train_learning_rate,
            "train_lowest_learning_rate",
            f"at most train_learning_rate ({training.train_learning_rate:g})",
            training.train_lowest_learning_rate,
        ),
        (
            training.train_devices <= training.train_batch_size,
            "train_devices",
            f"at most train_batch_size ({training.train_batch_size})",
            training.train_devices,
        ),
    ]
    for holds, name, expected, received in rules:
        if not holds:
            raise ParameterError(f"Invalid value for `{name}`. Expected {expected}. Received: {received}")
    given_architecture(config)


def given_architecture(config: Config, text: str = "") -> Any:
    """An architecture in any form that cells and pairs of cells have, in other spaces in one of theirs.

    Args:
        config: Says which space.
        text: The architecture; by default the parameter `architecture`.

    Returns:
        The architecture; None where the parameter is empty too.

    Raises:
        ParameterError: The text is none.
    """
    text, space = text or config.training.architecture, config.space.space
    try:
        if space in ("cell", "micro") and text:
            return parse_architecture(text)
        return space_from_parameters(config.parameters("space")).parse(text) if text else None
    except ValueError as error:
        raise ParameterError(str(error)) from None

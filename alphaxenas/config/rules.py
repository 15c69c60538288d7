"""What parameters must fulfil together; what each must fulfil alone stands in its declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alphaxenas.config.parameter import ParameterError
from alphaxenas.spaces.from_parameters import CHAIN_SPACES

if TYPE_CHECKING:
    from alphaxenas.config.declarations import Config


def check_together(config: Config) -> None:
    """Refuses values that are possible alone but not together.

    Raises:
        ParameterError: Names the parameter to change, what is expected and what was received.
    """
    data, child, search, training = config.data, config.child, config.search, config.training
    other_limit, depth = search.iterations or search.max_minutes, config.baseline.densenet_depth
    budgets = {(search.search_epochs, search.search_fraction), (search.final_epochs, search.final_fraction)}
    from_scratch = search.final_weights == "scratch" and config.space.space not in CHAIN_SPACES
    refused: list[tuple[str, object, str]] = [
        ("arrays_path", data.dataset == "arrays" and not data.arrays_path, "an .npz file with dataset='arrays'"),
        ("dataset", data.dataset != "arrays" and data.arrays_path, "'arrays' when arrays_path is given"),
        ("augment", not data.augment and (data.cutout or training.train_cutout), "true where images are cut out"),
        ("reductions", child.reductions >= child.cells, f"fewer than cells ({child.cells})"),
        ("trials", not (search.trials or other_limit), "iterations, trials or max_minutes: it would never end"),
        (
            "iterations",
            not (search.search_epochs or search.final_epochs or other_limit),
            "a limit other than trials where nothing is trained (search_epochs and final_epochs 0)",
        ),
        (
            "final_weights",
            from_scratch and len(budgets) == 1,
            "'shared' where search and final have one budget, because rewards of one budget are compared",
        ),
        ("uniform_share", search.uniform_share and not search.search_children, "0 where search_children is 0"),
        (
            "promotion",
            search.promotion != "best_unpromoted" and set(search.controllers) != {"alphaxenas"},
            "'best_unpromoted' where other controllers than alphaxenas search, which have no other rule",
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

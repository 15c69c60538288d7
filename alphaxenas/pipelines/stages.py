"""The run folder of a stage of the configured suite. Loads no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alphaxenas.config import Config
from alphaxenas.runs.folder import RunFolder

if TYPE_CHECKING:
    from alphaxenas.data import ImageData
    from alphaxenas.data.text import TextData


LIMITS = ("iterations", "trials", "max_minutes")
"""Parameters that end a search."""


def open_stage(
    config: Config,
    stage: str,
    parameters: Mapping[str, Any],
    data: ImageData | TextData | None = None,
    overwrite: bool | None = None,
) -> RunFolder:
    """Opens the run `<run>/<stage>`, making it when it is new.

    Args:
        config: The configuration.
        stage: Name of the folder inside the suite's.
        parameters: What may change the stage's results, for run.json; empty for what a notebook only concludes.
        data: The images or the text that it is about.
        overwrite: Whether the folder is emptied first; None: as the parameter `overwrite` says.

    Returns:
        The folder, to be used as a context manager.

    Raises:
        RunMismatch: The stage was begun with other parameters or other data.
    """
    run, identity = config.run, getattr(data, "identity", None)
    emptied = run.overwrite if overwrite is None else overwrite
    return RunFolder.open(run.run, stage, parameters, run.exp_dir, run.tensorboard_dir, emptied, LIMITS, identity)

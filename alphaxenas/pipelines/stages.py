"""The folder of a stage of the configured run; its images' description and its text. Loads no TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alphaxenas.config import Config, ParameterError
from alphaxenas.data.download import DataError
from alphaxenas.data.text import TextData, load_text
from alphaxenas.runs.folder import RunFolder

if TYPE_CHECKING:
    from alphaxenas.data import ImageData


STAGES = {
    "00": (r"method", ""),
    "01": (r"data", ""),
    "02": (r"[^-]+-seed\d+", ""),
    "03": (r"densenet", ""),
    "04": (r"final", ""),
    "05": (r"results", ""),
    "06": (r"study", ""),
    "07": (r"policy", r"policy-.+"),
    "08": (r"nao", r"nao-.+"),
    "09": (r"recurrent", r"recurrent-.+"),
    "10": (r"enas", r"enas-.+"),
}
"""Number of a notebook to the names of the stages that it concludes with, and of its others, as patterns."""
LIMITS = ("iterations", "trials", "max_minutes")
"""Parameters that end a search."""


def stages_of(number: str, run: Path, concluding: bool = False) -> list[Path]:
    """The folders of a run that a notebook has made.

    Args:
        number: Of the notebook.
        run: The folder of the run.
        concluding: Only those whose headlines say what the notebook found.
    """
    patterns = STAGES.get(number, ())[: 1 if concluding else 2]
    folders = sorted(path for path in run.glob("*") if path.is_dir())
    return [path for path in folders if any(re.fullmatch(pattern, path.name) for pattern in patterns if pattern)]


WISHES = (
    "objectives",
    "max_parameters",
    "max_multiply_adds",
    "max_latency_ms",
    "start_from",
    "favoured",
    "proxies",
    "import_trials",
)
"""Parameters of the search of notebook 02 that the searches of the notebooks 07 to 10 do not heed."""


def open_stage(
    config: Config,
    stage: str,
    parameters: Mapping[str, Any],
    data: ImageData | TextData | None = None,
    overwrite: bool | None = None,
) -> RunFolder:
    """Opens a stage of the run, making it when it is new.

    Args:
        config: The configuration.
        stage: Name of the folder inside the run's.
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


def refuse_wishes(config: Config, notebook: str) -> None:
    """Refuses limits, several objectives, proxies and a user's prior knowledge in a search that heeds none of them.

    Args:
        config: The configuration.
        notebook: Its number.

    Raises:
        ParameterError: Names the first such parameter.
    """
    usual = type(config.search)()
    for name in WISHES:
        value, expected = getattr(config.search, name), getattr(usual, name)
        if value != expected:
            heeded = f"{expected!r} in notebook {notebook}, because only the search of notebook 02 heeds it"
            raise ParameterError(f"Invalid value for `{name}`. Expected {heeded}. Received: {value!r}")


def conclusions_on_images(config: Config, data: ImageData) -> dict[str, Any]:
    """The content of results.json of notebook 01.

    Args:
        config: The configuration.
        data: The configured images.
    """
    sizes = {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)}
    counts = ", ".join(f"{count:,} {part}" for part, count in zip(("training", "validation", "test"), sizes.values()))
    return {
        "headline": f"{data.name}: {counts} images",
        "dataset": data.name,
        "image_shape": list(data.image_shape),
        "class_names": list(data.class_names),
        "sizes": sizes,
        "labels_in_file": list(data.labels_in_file),
        "fraction": config.data.fraction,
        "mean": data.mean.tolist(),
        "std": data.std.tolist(),
    }


def load_configured_text(config: Config) -> TextData:
    """The configured text; of its training part only the share `fraction`, from the start.

    Raises:
        DataError: The text cannot be used (see `load_text`), or this share is shorter than one batch of one window.
    """
    language = config.language
    data = load_text(language.text, config.data.data_dir, language.text_path, language.vocabulary_size, config.run.seed)
    train = data.train[: round(config.data.fraction * len(data.train))]
    least = config.child.batch_size * language.window
    if len(train) < least:
        raise DataError(
            f"The training part of {data.source or data.name} is shorter than one batch of one window. Expected at "
            f"least batch_size x window = {config.child.batch_size} x {language.window} = {least:,} words. Received: "
            f"{len(train):,}"
        )
    return replace(data, train=train)

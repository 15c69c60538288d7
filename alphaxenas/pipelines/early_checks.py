"""What can be known before any work is checked before any work, across all notebooks of a run.

Each notebook checks its own parameters when it starts; here all of them do, with folders, images, networks, tables and
what is stored of the run. Loads no TensorFlow.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.config import PROJECT_ROOT, Config, ParameterError, from_values
from alphaxenas.config.declarations import FIELDS, schema
from alphaxenas.config.rules import given_architecture
from alphaxenas.contracts import SearchSpace
from alphaxenas.data import ImageData
from alphaxenas.data.published import KNOWN_SHAPES, PUBLISHED
from alphaxenas.data.text import TextData
from alphaxenas.networks.devices import count_devices
from alphaxenas.networks.export import require_formats
from alphaxenas.networks.micro import FEWEST_CELLS
from alphaxenas.networks.outline import outline_of
from alphaxenas.pipelines.factory import (
    ImageShape,
    baseline_network,
    check_sizes,
    child_network,
    final_network,
    load_images,
    search_space,
)
from alphaxenas.pipelines.raters.rating import awaited_at_once
from alphaxenas.pipelines.search import foreign_trials
from alphaxenas.pipelines.stages import LIMITS, load_configured_text, refuse_wishes, stages_of
from alphaxenas.runs.description import compare_stored, compared_runs, holds_work
from alphaxenas.runs.files import read_json
from alphaxenas.spaces.from_parameters import space_from_parameters
from alphaxenas.suggestions import invalid
from alphaxenas.tabular.choices import CHAINS_TABLE, DIGITS_TABLE, parse_signals, parse_table
from alphaxenas.tabular.csv_tables import csv_header

LEAST_FREE = 64 << 20
"""Bytes that must be free where a run writes: a few checkpoints, notebooks and curves."""
WITHOUT_IMAGES = ("00", "05", "06", "09")
"""Numbers of the notebooks that load no images."""
OWN_WORDS = ("tables",)
"""Parameters that run.json keeps in another form than they are given in."""
ONE_IN_SHARED_WEIGHTS = ("optimizer", "lookahead", "offset_rate")
"""Parameters of recipes of which the shared weights of NAO and ENAS know the default alone."""
REFUSED_IN_COMPARISON = (
    "train_label_smoothing",
    "train_weight_decay",
    "train_gradient_clip",
    "train_cutout",
    "train_dropout",
    "train_drop_path",
    "train_auxiliary",
)
"""Parameters of a training in full that both seeds fix, or that chains have no place for."""


def check_before_work(parameters: Mapping[str, Any], notebooks: Sequence[str]) -> None:
    """Refuses what one of the notebooks would refuse later.

    Args:
        parameters: As papermill will inject them.
        notebooks: Numbers of the notebooks that will run, such as `"04"`.

    Raises:
        ValueError: A parameter, an image file, an architecture or a table is impossible, or a run is stored with
            others.
        OSError: A folder cannot be written.
    """
    images: dict[str, ImageData] = {}
    for number in notebooks:
        config = config_of(number, parameters)
        for name in ("exp_dir", "tensorboard_dir"):
            check_writable(name, Path(getattr(config.run, name), config.run.run))
        of_images = number not in WITHOUT_IMAGES
        of_known_text = number == "09" and config.language.text in ("ptb", "wikitext2")
        if of_known_text or (of_images and config.data.dataset in PUBLISHED):
            folder = Path(config.data.data_dir)
            if not folder.is_dir():  # one that cannot be written to may hold all that is needed
                check_writable("data_dir", folder)
        data: ImageData | TextData | None = None
        if of_images:
            if known := KNOWN_SHAPES.get(config.data.dataset):
                shape = ImageShape(*known)
            else:
                wanted = repr(config.parameters("data"))
                data = own = images[wanted] = images.get(wanted) or load_images(config)
                shape = ImageShape(own.image_shape, own.num_classes)
            check_sizes(config, shape)
            _check_networks(config, number, shape, "02" in notebooks)
        if number == "00":
            search_space(config)
        if number == "02":
            for controller in config.search.controllers:
                foreign_trials(config, search_space(config), controller)
        if number == "05":
            _check_compared(config)
        if number == "06":
            _check_tables(config)
        if number == "09" and config.language.text == "text":
            data = load_configured_text(config)
        if number in ("08", "09", "10") or (number == "07" and set(config.chains.policy_parts) - {"table"}):
            refuse_wishes(config, number)
        if number in ("08", "10"):
            check_children(config, number == "08" or "micro" in config.enas.enas_spaces)
        compares = number == "07" and "mnist" in config.chains.policy_parts
        if compares:
            check_comparison(config)
            _check_devices(config)
        if compares or number in ("03", "04", "08", "09", "10"):
            require_formats(config.training.export_formats)
        if not config.run.overwrite:
            _check_stored(config, number, data)


def config_of(number: str, parameters: Mapping[str, Any]) -> Config:
    """The configuration that a notebook will have.

    Args:
        number: Of the notebook.
        parameters: What papermill injects; for the others the notebook has defaults of its own.
    """
    own = {name: schema(name)["defaults"][number] for name in FIELDS if number in schema(name)["defaults"]}
    return from_values({**own, **parameters})


def check_writable(name: str, folder: Path) -> None:
    """Refuses a folder that cannot be made or written to, or whose disk is full.

    Args:
        name: The parameter that says where it lies.
        folder: It need not exist.

    Raises:
        ParameterError: Names folder, reason and parameter.
    """
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists() or place.is_symlink())
        reason = "is a file" if not there.is_dir() else "" if os.access(there, os.W_OK | os.X_OK) else "is not writable"
    except OSError as error:
        there, reason = Path(folder.anchor), f"cannot hold it: {error.strerror}"
    if not reason and (free := shutil.disk_usage(there).free) < LEAST_FREE:
        reason = f"lies on a disk with {free >> 20} MiB left, where {LEAST_FREE >> 20} are needed"
    if reason:
        raise ParameterError(
            f"Invalid value for `{name}`. Expected a folder that can be written to. Received: {folder}, and {there} "
            f"{reason}. Choose another with -p {name} FOLDER."
        )


def check_comparison(config: Config) -> None:
    """Refuses parameters of a training in full that the comparison with the network made by hand would ignore.

    Raises:
        ValueError: One of `REFUSED_IN_COMPARISON` has another value than its default.
    """
    for name in REFUSED_IN_COMPARISON:
        value, default = getattr(config.training, name), FIELDS[name].default
        if value != default:
            raise invalid(
                name,
                f"{default!r} where policy_parts has mnist, because both networks are trained as in the original",
                repr(value),
            )


def check_children(config: Config, of_cells: bool = True) -> None:
    """Refuses what no network of a pair of cells can have, and what shared weights are not trained with, before
    anything is trained.

    Args:
        config: The configuration.
        of_cells: Whether pairs of cells are searched; otherwise whole networks.

    Raises:
        ValueError: Names the parameter.
    """
    if of_cells and config.child.cells < FEWEST_CELLS:
        raise invalid("cells", f"at least {FEWEST_CELLS} where NAO or ENAS search pairs of cells", config.child.cells)
    for name in ONE_IN_SHARED_WEIGHTS:
        value, default = getattr(config.child, name), FIELDS[name].default
        if value != default:
            raise invalid(name, f"{default!r} where NAO or ENAS train shared weights", repr(value))


def _check_networks(config: Config, number: str, shape: ImageShape, search_comes_first: bool) -> None:
    """Builds the networks of a notebook over shapes."""
    trained: list[Any] = []  # architectures, or spaces that any one is taken from
    if number == "02":
        outline_of(child_network(config, shape.num_classes)(_any(search_space(config))), shape.image_shape)
    if number == "03":
        outline_of(baseline_network(config, shape.num_classes), shape.image_shape)
    if number == "04":
        given = given_architecture(config)
        trained = [given or search_space(config)]
        searches = Path(config.run.exp_dir, config.run.run).glob(f"{config.search.controllers[0]}-seed*/results.json")
        if not given and not search_comes_first and not any(searches):
            raise ParameterError(
                "Invalid value for `architecture`. Expected one, because there is no finished search of "
                f"{config.search.controllers[0]} in the run {config.run.run}, and notebook 02 is not to run. "
                "Received: ''"
            )
    if number == "10" and config.enas.enas_retrain:
        sizes = config.parameters("space")
        trained = [space_from_parameters({**sizes, "space": name}) for name in config.enas.enas_spaces]
    for each in trained:
        _check_trained(config, each, shape)
    if trained and config.training.hand_made:
        _check_trained(config, given_architecture(config, config.training.hand_made), shape)
    if number in ("03", "08") or trained:
        _check_devices(config)


def _check_trained(config: Config, what: Any, shape: ImageShape) -> None:
    """Builds a network in full around an architecture, or around any one of a space, whatever that one would cost."""
    if not hasattr(what, "sample"):
        outline_of(final_network(config, what, shape), shape.image_shape)
        return
    training = config.training.model_copy(update={"train_multiply_adds": 0.0})
    at_any_price = config.model_copy(update={"training": training})
    outline_of(final_network(at_any_price, _any(what), shape), shape.image_shape)


def _any(space: SearchSpace) -> Any:
    return space.sample(np.random.default_rng(0))


def _check_devices(config: Config) -> None:
    """Asks a process of its own how many devices there are, because this one loads no TensorFlow."""
    wanted, machines = config.training.train_devices, config.training.train_machines
    if wanted > 1 and not machines and wanted > (there := count_devices()):
        raise invalid("train_devices", f"at most {there}, the devices of this machine", wanted)


def _check_compared(config: Config) -> None:
    """Looks for the runs that notebook 05 is to show beside this one."""
    place = Path(config.run.exp_dir)
    own = place / config.run.run  # it may be made before
    compared_runs(config.report.compare_with, place, lambda run: run == own or _is_shown(run))


def _is_shown(run: Path) -> bool:
    """Whether a run holds a search or a training of notebooks 02 to 04, which is what a report is about."""
    return any((stage / "run.json").is_file() for number in ("02", "03", "04") for stage in stages_of(number, run))


def _check_tables(config: Config) -> None:
    for text in config.study.tables:
        if text in (DIGITS_TABLE, CHAINS_TABLE):
            continue
        table = parse_table(text, PROJECT_ROOT)
        if not Path(table.path).is_file():
            raise ParameterError(f"Invalid value for `tables`. Expected a file that exists. Received: {table.path}")
        if table.path.endswith((".csv", ".csv.gz")):
            known = csv_header(Path(table.path))
            signals = [signal.column for signal in parse_signals(table.signal)]
            for column in filter(None, (table.code, *signals, table.report, table.cost)):
                if column not in known:
                    raise ParameterError(
                        f"Invalid value for `tables`. Expected columns among {', '.join(known)}. Received: {column!r} "
                        f"in {text!r}"
                    )


def _check_stored(config: Config, number: str, data: ImageData | TextData | None) -> None:
    """Compares what is stored of the notebook's stages with today's parameters and images."""
    now = {name: value for name, value in config.parameters().items() if name not in (*LIMITS, *OWN_WORDS)}
    now["in_flight"] = awaited_at_once(config)
    for folder in filter(holds_work, stages_of(number, Path(config.run.exp_dir, config.run.run))):
        description: dict[str, Any] = read_json(folder / "run.json") or {"parameters": {}}
        given = {name: value for name, value in now.items() if schema(name)["affects_results"]}
        compare_stored(f"{config.run.run}/{folder.name}", description, given, data.identity if data else None)

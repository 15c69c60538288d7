"""The parameters of a run, checked: of a notebook, a profile or a command line.

`alphaxenas.config.declarations` declares them. The namespace is flat, and every notebook accepts every parameter, so
one profile serves the whole suite. Papermill only warns about a name it does not know; here that is an error before any
work.

    config = configure(globals())       # in a notebook, after its parameters cell
    config.search.trials, config.child.filters, config.parameters()
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alphaxenas.config.declarations import (
    CHAIN_SPACES,
    CHAINS_TABLE,
    FIELDS,
    GROUPS,
    PROJECT_ROOT,
    BaselineConfig,
    ChainsConfig,
    ChildConfig,
    DataConfig,
    EnasConfig,
    NAOConfig,
    ReportConfig,
    RunConfig,
    SearchConfig,
    SpaceConfig,
    StudyConfig,
    TrainingConfig,
)
from alphaxenas.config.fields import ParameterError, check, parse
from alphaxenas.networks.devices import computes_bfloat16
from alphaxenas.suggestions import did_you_mean
from alphaxenas.tabular.choices import DIGITS_TABLE, parse_controllers, parse_table

PROFILES = PROJECT_ROOT / "notebooks" / "profiles"


@dataclass(frozen=True)
class Config:
    """All parameters of the suite, checked; one attribute per group."""

    run: RunConfig = RunConfig()
    data: DataConfig = DataConfig()
    space: SpaceConfig = SpaceConfig()
    child: ChildConfig = ChildConfig()
    search: SearchConfig = SearchConfig()
    enas: EnasConfig = EnasConfig()
    baseline: BaselineConfig = BaselineConfig()
    training: TrainingConfig = TrainingConfig()
    nao: NAOConfig = NAOConfig()
    report: ReportConfig = ReportConfig()
    study: StudyConfig = StudyConfig()
    chains: ChainsConfig = ChainsConfig()

    def parameters(self, *groups: str) -> dict[str, Any]:
        """The parameters as JSON values, for run.json.

        Args:
            *groups: Names of groups such as `"data"`, `"search"`. Then only those parameters are given that can
                change the results of a stage built from these groups: theirs and, of `run`, seed, threads and
                precision; never where files lie. None: every parameter.

        Returns:
            Name to JSON value; paths inside the project are relative to its root.
        """
        chosen = ("run", *(group for group in groups if group != "run")) if groups else tuple(GROUPS)
        values = {}
        for group in chosen:
            for field in dataclasses.fields(GROUPS[group]):
                if not groups or not (field.metadata["neutral"] or field.name == "run"):
                    value = getattr(getattr(self, group), field.name)
                    if field.metadata["kind"] == "path" and value and Path(value).is_relative_to(PROJECT_ROOT):
                        value = str(Path(value).relative_to(PROJECT_ROOT))
                    values[field.name] = list(value) if isinstance(value, tuple) else value
        return values


def configure(namespace: Mapping[str, Any]) -> Config:
    """The checked configuration of a notebook: `config = configure(globals())`, right after the parameters cells.

    Args:
        namespace: The notebook's globals. Names with an underscore, modules, functions, classes and IPython's own
            names are passed over; every other name has to be a parameter of the suite.

    Returns:
        The configuration; relative paths are resolved against the project's root, wherever the notebook was started.

    Raises:
        ParameterError: A name is unknown, or a value has the wrong type or is impossible.
    """
    values = {name: value for name, value in namespace.items() if name in FIELDS}
    cells = namespace.get("In")
    if "_configured_after" in namespace and isinstance(cells, list):
        # The cell is run a second time: variables of later cells are around, so only cells that hold nothing but
        # constants count as parameters cells.
        unknown = _constants_assigned(cells[namespace["_configured_after"] :]) - set(FIELDS)
    else:
        plain = (bool, int, float, str, list, tuple, dict, type(None))
        ipython = {"In", "Out", "exit", "quit", "get_ipython", "open"}
        unknown = {
            name
            for name, value in namespace.items()
            if isinstance(value, plain) and not name.startswith("_") and name not in ipython
        } - set(FIELDS)
    for name in sorted(unknown):
        raise _unknown(name)
    config = from_values(values)
    if isinstance(cells, list) and isinstance(namespace, dict):
        namespace["_configured_after"] = len(cells)
    return config


def from_values(values: Mapping[str, Any]) -> Config:
    """The checked configuration with these values and defaults for the others.

    Raises:
        ParameterError: A name is unknown, or a value has the wrong type or is impossible, alone or with others.
    """
    for name in values:
        if name not in FIELDS:
            raise _unknown(str(name))
    groups = {}
    for group, kind in GROUPS.items():
        given = {
            field.name: check(field, values[field.name]) for field in dataclasses.fields(kind) if field.name in values
        }
        for field in dataclasses.fields(kind):
            value = given.get(field.name, field.default)
            if field.metadata["kind"] == "path" and value:
                given[field.name] = str((PROJECT_ROOT / Path(value).expanduser()).resolve())
            if value == "auto" and field.name in ("precision", "train_precision"):
                # Resolved here, so that records name what was computed with, and no other machine continues them
                # differently.
                given[field.name] = "bfloat16" if computes_bfloat16() else "float32"
        groups[group] = kind(**given)
    config = Config(**groups)
    _check_together(config)
    return config


def parse_value(name: str, written: str) -> Any:
    """The value of parameter `name` written as text, as in `-p NAME VALUE`.

    Raises:
        ParameterError: The name is unknown, or the text is no value of its type or impossible.
    """
    if name not in FIELDS:
        raise _unknown(name)
    return check(FIELDS[name], parse(FIELDS[name], written))


def load_profile(name_or_path: str) -> dict[str, Any]:
    """The parameters of a profile, checked.

    Args:
        name_or_path: Name of a file in notebooks/profiles (without `.yaml`), or path of a YAML file.

    Returns:
        Parameter name to value, as written in the file: what papermill is to inject.

    Raises:
        ParameterError: No such profile, no flat mapping, a name given twice, or an unknown or impossible parameter.
    """
    import yaml

    path = Path(name_or_path) if name_or_path.endswith((".yaml", ".yml")) else PROFILES / f"{name_or_path}.yaml"
    if not path.is_file():
        known = sorted(file.stem for file in PROFILES.glob("*.yaml"))
        expected = f"{', '.join(known)} or the path of a YAML file"
        raise ParameterError(
            f"Unknown profile {name_or_path!r}. Expected one of {expected}{did_you_mean(name_or_path, known)}"
        )
    written = path.read_text(encoding="utf-8")
    try:
        node = yaml.compose(written, Loader=yaml.SafeLoader)
        values = yaml.safe_load(written) or {}
    except yaml.YAMLError as error:
        raise ParameterError(f"Profile {path} is no valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ParameterError(
            f"Invalid profile {path}. Expected lines `parameter: value`. Received: a {type(values).__name__}"
        )
    keys = [key.value for key, _ in node.value] if node is not None else []
    for key in keys:
        if keys.count(key) > 1:
            raise ParameterError(f"Profile {path} gives the parameter `{key}` twice.")
    try:
        from_values(values)
    except ParameterError as error:
        raise ParameterError(f"In profile {path}: {error}") from error
    return values


def _unknown(name: str) -> ParameterError:
    return ParameterError(
        f"Unknown parameter `{name}`{did_you_mean(name, FIELDS, quote='`') or '.'} All parameters: ./run_all.sh --help"
    )


def _constants_assigned(cells: list[str]) -> set[str]:
    """Names assigned by those cells that hold nothing but assignments of constants."""
    names: set[str] = set()
    for cell in cells:
        try:
            body = ast.parse(cell).body
        except SyntaxError:
            continue
        found = set()
        for statement in body:
            targets = getattr(statement, "targets", [getattr(statement, "target", None)])
            value = getattr(statement, "value", None)
            constant = value is not None and not any(isinstance(node, (ast.Name, ast.Call)) for node in ast.walk(value))
            if not constant or not all(isinstance(target, ast.Name) for target in targets):
                break
            found |= {target.id for target in targets if not target.id.startswith("_")}
        else:
            names |= found
    return names


def _check_together(config: Config) -> None:
    """Refuses values that are possible alone but not together."""
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
            or config.space.space in CHAIN_SPACES
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
    for group, name in (
        (config.study, "study_controllers"),
        (config.study, "ablation"),
        (config.chains, "chain_table_controllers"),
    ):
        parse_controllers(getattr(group, name), name)
    for name, tables, words in (
        ("tables", config.study.tables, [DIGITS_TABLE]),
        ("chain_table", [config.chains.chain_table], [CHAINS_TABLE, DIGITS_TABLE]),
    ):
        for table in tables:
            if table not in words and not Path(path := parse_table(table, PROJECT_ROOT).path).is_file():
                raise ParameterError(
                    f"Invalid value for `{name}`. Expected {', '.join(words)}, or an existing file. Received: {path}"
                )

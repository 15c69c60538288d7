"""The parameters of a run, checked: of a notebook, a profile or a command line.

`alphaxenas.config.declarations` declares them. The namespace is flat, and every notebook accepts every parameter, so
one profile serves all notebooks. Papermill only warns about a name it does not know; here that is an error before any
work.

    config = configure(globals())       # in a notebook, after its parameters cell
    config.search.trials, config.child.filters, config.parameters()
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from alphaxenas.config.declarations import (
    FIELDS,
    GROUPS,
    Config,
    in_its_type,
    read_text,
    refusal,
    schema,
    unknown_parameter,
)
from alphaxenas.config.parameter import PROJECT_ROOT, ParameterError
from alphaxenas.config.rules import check_together
from alphaxenas.suggestions import did_you_mean

PROFILES = PROJECT_ROOT / "notebooks" / "profiles"
_YAMLS_OWN_NUMBER = re.compile(r"[-+]?(0[\d_]+|[\d_]+(:[\d_.]+)+)")
"""Octal and sexagesimal numbers, which nobody means."""


def configure(namespace: Mapping[str, Any]) -> Config:
    """The checked configuration of a notebook: `config = configure(globals())`, right after the parameters cells.

    Args:
        namespace: The notebook's globals. Names with an underscore, modules, functions, classes and IPython's own
            names are passed over; every other name has to be a parameter.

    Returns:
        The configuration; relative paths are resolved against the project's root, wherever the notebook was started.

    Raises:
        ParameterError: A name is unknown, or a value has the wrong type or is impossible; or the notebook runs in one
            checkout with the code of another.
    """
    cells = namespace.get("In")
    # What IPython and a user's start-up files define stands in no cell.
    named = _assigned(cells) if isinstance(cells, list) else set(namespace)
    started_with = _defined_at_the_start(namespace) - named
    values = {name: value for name, value in namespace.items() if name in FIELDS and name not in started_with}
    if isinstance(cells, list):
        _refuse_code_of_another_checkout()
    if "_configured" in namespace and isinstance(cells, list):
        # The cell is run a second time: variables of later cells are around, some with a parameter's name. What was
        # taken the first time counts, and cells that are written like a parameters cell.
        since, before = namespace["_configured"]
        given = _assigned_alone(cells[since:])
        values = before | {name: value for name, value in values.items() if name in given}
        unknown = _assigned_alone(cells[since:], constants=True) - set(FIELDS)
    else:
        plain = (bool, int, float, str, list, tuple, dict, type(None))
        unknown = {
            name
            for name, value in namespace.items()
            if isinstance(value, plain) and not name.startswith("_") and name in named
        } - set(FIELDS)
    for name in sorted(unknown):
        raise unknown_parameter(name)
    config = from_values(values)
    if isinstance(cells, list) and isinstance(namespace, dict):
        namespace["_configured"] = len(cells), values
    return config


def from_values(values: Mapping[str, Any]) -> Config:
    """The checked configuration with these values and defaults for the others.

    Raises:
        ParameterError: A name is unknown, or a value has the wrong type or is impossible, alone or with others.
    """
    for name in values:
        if name not in FIELDS:
            raise unknown_parameter(str(name))
    values = {name: in_its_type(name, value) for name, value in values.items()}
    try:
        groups: dict[str, Any] = {
            group: kind(**{name: values[name] for name in kind.model_fields if name in values})
            for group, kind in GROUPS.items()
        }
    except ValidationError as error:
        _refuse(error, values)
    config = Config(**groups)
    check_together(config)
    return config


def parse_value(name: str, written: str) -> Any:
    """The value of parameter `name` written as text, as in `-p NAME VALUE`.

    Args:
        name: The parameter.
        written: Its value; lists as of `declarations.read_text`.

    Returns:
        The value in the parameter's type, lists as tuples, relative paths as they are.

    Raises:
        ParameterError: The name is unknown, or the text is no value of its type or impossible.
    """
    value = read_text(name, written)
    try:
        for kind in GROUPS.values():
            if name in kind.model_fields:
                kind(**{name: value})
    except ValidationError as error:
        _refuse(error, {name: value})
    return value


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
        near = did_you_mean(path.stem, known) if path.name in (name_or_path, f"{name_or_path}.yaml") else ""
        expected = f"{', '.join(known)} or the path of a YAML file"
        raise ParameterError(
            f"Unknown profile {name_or_path!r}: there is no {path.absolute()}. Expected one of {expected}{near}"
        )
    try:
        written = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ParameterError(
            f"Profile {path}, line {line}, is not UTF-8 text. Save it in the encoding UTF-8: "
            f"iconv -f UTF-16 -t UTF-8 {path}, or whatever it is in now."
        ) from error
    except OSError as error:
        raise ParameterError(f"Profile {path} cannot be read: {error.strerror}") from error
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
    for key, value in node.value if node is not None else ():
        # `run: 2026-11-29` and `run: 007` are meant as they are written, not as YAML's date and number; and so are
        # `trials: 010` and `trials: 1:30`, which YAML takes for eight and for ninety.
        if key.value in FIELDS and isinstance(value, yaml.ScalarNode):
            if schema(key.value)["type"] == "string" or _YAMLS_OWN_NUMBER.fullmatch(value.value):
                values[key.value] = value.value
        elif key.value in FIELDS and isinstance(value, yaml.SequenceNode):
            values[key.value] = [
                item.value if _YAMLS_OWN_NUMBER.fullmatch(str(item.value)) else known
                for item, known in zip(value.value, values[key.value])
            ]
    try:
        from_values(values)
    except ParameterError as error:
        raise ParameterError(f"In profile {path}: {error}") from error
    return {name: in_its_type(name, value) for name, value in values.items()}


def _refuse(error: ValidationError, values: Mapping[str, Any]) -> NoReturn:
    """Raises what pydantic found first in this project's words."""
    first = error.errors()[0]
    name, own = str(first["loc"][0]), first.get("ctx", {}).get("error")
    # A validator of the declarations says itself what it expects; an assertion leaves that to the schema.
    raise (ParameterError(str(own)) if isinstance(own, ValueError) else refusal(name, values[name])) from None


def _refuse_code_of_another_checkout() -> None:
    """A notebook of one checkout whose `.venv` was installed from another one would run that one's code in silence."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "alphaxenas" / "config" / "load.py").is_file():
            if folder != PROJECT_ROOT:
                raise ParameterError(
                    f"This notebook runs in the checkout {folder}, but with the code and records of {PROJECT_ROOT}, "
                    f"which this Python ({sys.executable}) was installed from. Start Jupyter with "
                    f"PYTHONPATH={folder}, or with the checkout's own .venv, which ./run_all.sh makes where none is "
                    "(delete a link or a copy first)."
                )
            return


def _defined_at_the_start(namespace: Mapping[str, Any]) -> set[str]:
    """Names that a notebook had before its first cell: IPython hides them from its own lists of variables."""
    shell = namespace.get("get_ipython")
    return set(getattr(shell(), "user_ns_hidden", ())) if callable(shell) else set()


def _assigned(cells: list[str]) -> set[str]:
    """Names that cells assign on their top level."""
    names: set[str] = set()
    for cell in cells:
        try:
            body = ast.parse(cell).body
        except SyntaxError:  # IPython's own commands
            continue
        for statement in body:
            targets = getattr(statement, "targets", [getattr(statement, "target", None)])
            names |= {
                node.id for target in targets if target for node in ast.walk(target) if isinstance(node, ast.Name)
            }
    return names


def _assigned_alone(cells: list[str], constants: bool = False) -> set[str]:
    """Names assigned by those cells that hold nothing but assignments to names, or nothing but those of constants."""
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
            if value is None or not all(isinstance(target, ast.Name) for target in targets):
                break
            if constants and any(isinstance(node, (ast.Name, ast.Call)) for node in ast.walk(value)):
                break
            found |= {target.id for target in targets if not target.id.startswith("_")}
        else:
            names |= found
    return names

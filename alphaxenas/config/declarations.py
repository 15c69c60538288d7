"""All parameters: their groups, and what else follows from a declaration but the checking of values.

The groups stand in the modules `networks`, `searches`, `other_searches` and `language` of `alphaxenas.config`.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from alphaxenas.config import language as recurrent
from alphaxenas.config import networks, other_searches, searches
from alphaxenas.config.parameter import PROJECT_ROOT, Group, ParameterError, Role
from alphaxenas.suggestions import did_you_mean


class Config(BaseModel):
    """All parameters of all notebooks, checked; one attribute per group."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: networks.RunConfig = networks.RunConfig()
    data: networks.DataConfig = networks.DataConfig()
    space: networks.SpaceConfig = networks.SpaceConfig()
    child: networks.ChildConfig = networks.ChildConfig()
    search: searches.SearchConfig = searches.SearchConfig()
    workers: other_searches.WorkersConfig = other_searches.WorkersConfig()
    enas: other_searches.EnasConfig = other_searches.EnasConfig()
    baseline: networks.BaselineConfig = networks.BaselineConfig()
    training: networks.TrainingConfig = networks.TrainingConfig()
    nao: other_searches.NAOConfig = other_searches.NAOConfig()
    report: other_searches.ReportConfig = other_searches.ReportConfig()
    study: other_searches.StudyConfig = other_searches.StudyConfig()
    chains: other_searches.ChainsConfig = other_searches.ChainsConfig()
    language: recurrent.LanguageConfig = recurrent.LanguageConfig()

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
            for name, value in getattr(self, group):
                if not groups or (schema(name)["affects_results"] and name != "run"):
                    if schema(name).get("format") == "path" and value and Path(value).is_relative_to(PROJECT_ROOT):
                        value = str(Path(value).relative_to(PROJECT_ROOT))
                    values[name] = list(value) if isinstance(value, tuple) else value
        return values

    def only(self, *names: str) -> dict[str, Any]:
        """These parameters as JSON values, for run.json."""
        everything = self.parameters()
        return {name: everything[name] for name in names}

    def settings_of(self, controller: str) -> dict[str, Any]:
        """The settings of a controller that come from parameters, by the names that it has for them."""
        return {setting: getattr(self.search, name) for setting, name in controller_settings(controller).items()}


GROUPS: dict[str, Any] = {name: field.annotation for name, field in Config.model_fields.items()}
"""Every group of parameters by its name."""
FIELDS: dict[str, FieldInfo] = {name: field for group in GROUPS.values() for name, field in group.model_fields.items()}


@cache
def schema(name: str) -> dict[str, Any]:
    """The JSON schema of a parameter, with what its declaration says besides (see `parameter`).

    Raises:
        ParameterError: There is no such parameter.
    """
    for group in GROUPS.values():
        if name in group.model_fields:
            return _properties(group)[name]
    raise unknown_parameter(name)


@cache
def _properties(group: type[Group]) -> dict[str, dict[str, Any]]:
    return group.model_json_schema()["properties"]


def unknown_parameter(name: str) -> ParameterError:
    """The error for a name that no parameter has, with the nearest one."""
    near = did_you_mean(name, FIELDS, quote="`") or "."
    return ParameterError(f"Unknown parameter `{name}`{near} All parameters: ./run_all.sh --help")


def allowed(name: str) -> str:
    """What a parameter accepts, in words."""
    rule = schema(name)
    options = rule.get("enum") or rule.get("items", {}).get("enum")
    if rule["type"] == "array":
        if options:
            return "a list of one or more different names among " + ", ".join(options)
        if rule["items"]["type"] == "string":
            return "a list of one or more different texts, none of them empty"
        return "a list of different " + _numbers(rule["items"], "whole numbers", "numbers")
    if options:
        return "one of " + ", ".join(map(repr, options))
    if rule["type"] == "boolean":
        return "True or False"
    if rule["type"] == "string":
        pattern = rule.get("pattern", "").removeprefix("^").removesuffix("$")
        return "a path (text)" if rule.get("format") == "path" else f"text of the form {pattern}" if pattern else "text"
    return _numbers(rule, "a whole number", "a number")


def _numbers(rule: dict[str, Any], whole: str, any_number: str) -> str:
    """What numbers a rule allows, in words."""
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    bounds = " and ".join(f"{sign} {rule[bound]:g}" for bound, sign in signs.items() if bound in rule)
    return f"{whole if rule['type'] == 'integer' else any_number} {bounds}".strip()


def read_text(name: str, written: str) -> Any:
    """The value that a person wrote on a command line for this parameter; it is not checked.

    Args:
        name: The parameter.
        written: Its value; lists with commas, as in `conv3x3,sep5x5`, with or without brackets, or as in JSON. Commas
            within brackets or quotes belong to an item. A table with its columns (`tables`) is one item, commas and
            all; several are written as in JSON.

    Returns:
        The value in the parameter's type, or the text itself where it cannot be read as that.
    """
    rule = schema(name)
    if rule["type"] == "array":
        whole = rule["items"].get("format") == "table" and "=" in written and not written.strip().startswith("[")
        items = [written.strip()] if whole else _items(written.strip())
        return in_its_type(name, tuple(items))
    if rule["type"] == "boolean":
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        return words.get(written.lower(), written)
    return in_its_type(name, written)


def _items(written: str) -> list[str]:
    """The texts of a list: as in JSON, or with commas outside of brackets and quotes between them."""
    try:
        return list(map(str, json.loads(written))) if written.startswith("[") else _between_commas(written)
    except json.JSONDecodeError:
        return _between_commas(written[1:-1] if written.endswith("]") else written)


def _between_commas(written: str) -> list[str]:
    items, depth, place = [""], 0, 0
    while place < len(written):
        sign = written[place]
        # A quote that is never closed is an apostrophe.
        end = written.find(sign, place + 1) + 1 if sign in "'\"" else 0
        part = written[place:end] if end else sign
        depth = max(0, depth + (sign in "([{") - (sign in ")]}"))
        if part == "," and not depth:
            items.append("")
        else:
            items[-1] += part
        place += len(part)
    return [_unquoted(item.strip()) for item in items if item.strip()]


def _unquoted(item: str) -> str:
    within = item[1:-1]
    return within if item[0] in "'\"" and item == f"{item[0]}{within}{item[0]}" and item[0] not in within else item


def refusal(name: str, value: Any) -> ParameterError:
    """The error for a value that a parameter cannot have, with the nearest option.

    Args:
        name: The parameter.
        value: What was given.

    Returns:
        The error, to be raised.
    """
    return ParameterError(
        f"Invalid value for `{name}`. Expected {allowed(name)}. Received: {value!r}{_near(name, value)}"
    )


def with_role(role: Role) -> tuple[str, ...]:
    """Names of the parameters with this role in a comparison of searches, in order of declaration."""
    return tuple(
        name
        for group in GROUPS.values()
        for name in group.model_fields
        if schema(name)["affects_results"] and (schema(name)["role"] or group.role) == role
    )


def controller_settings(controller: str) -> dict[str, str]:
    """Which settings of a controller come from parameters; the others keep their defaults.

    Returns:
        Setting to parameter.
    """
    handed = [name for name in FIELDS if controller in schema(name)["controllers"]]
    return {name.removeprefix(schema(name)["prefix"]): name for name in handed}


def _near(name: str, value: Any) -> str:
    """Names the nearest option."""
    rule = schema(name)
    options = [str(option) for option in rule.get("enum") or rule.get("items", {}).get("enum", ())]
    for item in value if isinstance(value, (list, tuple)) else [value]:
        hint = "" if str(item) in options else did_you_mean(item, options)
        if hint:
            return hint
    return ""


def in_its_type(name: str, value: Any) -> Any:
    """Numbers in any common spelling, such as 1e3, 1_000 or 1000.0, in the type of the parameter; others as they are.

    Args:
        name: The parameter.
        value: As given: by YAML, which takes 1e3 for a text, by a notebook's cell, or on a command line.
    """
    rule = schema(name)
    kinds = {"integer": int, "number": float}
    if rule["type"] == "array" and isinstance(value, (list, tuple)):
        kind = kinds.get(rule["items"]["type"])
        return type(value)(_number(kind, item) for item in value) if kind else value
    return _number(kinds[rule["type"]], value) if rule["type"] in kinds else value


def _number(kind: type, written: Any) -> Any:
    """A text or a float as a number of this kind where it is one, unchanged otherwise."""
    if not isinstance(written, (str, float)) or isinstance(written, kind):
        return written
    try:
        if kind is int and isinstance(written, str) and re.fullmatch(r"\s*[+-]?[\d_]+\s*", written):
            return int(written)
        number = float(written)
        return kind(number) if kind is float or (number.is_integer() and abs(number) < 2**53) else written
    except ValueError:
        return written

"""What a parameter may be: declarations for the fields of a config, and the checks that follow from them."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any

from alphaxenas.suggestions import did_you_mean


class ParameterError(ValueError):
    """A parameter is unknown, ill-typed or impossible; the message names it, what is allowed and the nearest name."""


def whole(default: int, help: str, low: int = 0, high: int | None = None, neutral: bool = False) -> Any:
    """Declares a whole number in [low, high]."""
    return _declare("whole", default, help, neutral=neutral, low=low, high=high)


def number(
    default: float,
    help: str,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """Declares a finite number; `low` and `high` are allowed themselves, `above` and `below` are not."""
    return _declare("number", default, help, low=low, high=high, above=above, below=below)


def flag(default: bool, help: str, neutral: bool = False) -> Any:
    """Declares True or False. `neutral=True`: says where files lie or what is started, changes no result of a run."""
    return _declare("flag", default, help, neutral=neutral)


def text(default: str, help: str, pattern: str = "(?s).*") -> Any:
    """Declares a text that matches the regular expression `pattern` as a whole."""
    return _declare("text", default, help, pattern=pattern)


def file_path(default: str, help: str, neutral: bool = False) -> Any:
    """Declares a path; relative ones are meant from the project's root. `neutral` as for `flag`."""
    return _declare("path", default, help, neutral=neutral)


def choice(default: Any, help: str, options: Sequence[Any]) -> Any:
    """Declares one of `options`, all of one type."""
    return _declare("choice", default, help, options=tuple(options))


def name_list(default: Sequence[str], help: str, options: Sequence[str], neutral: bool = False) -> Any:
    """Declares a list of at least one of `options`, each at most once."""
    return _declare("names", tuple(default), help, neutral=neutral, options=tuple(options))


def whole_list(default: Sequence[int], help: str, neutral: bool = False) -> Any:
    """Declares a list of different whole numbers >= 0, possibly empty."""
    return _declare("wholes", tuple(default), help, neutral=neutral)


def text_list(default: Sequence[str], help: str, neutral: bool = False) -> Any:
    """Declares a list of at least one text, all different and none of them empty."""
    return _declare("texts", tuple(default), help, neutral=neutral)


def allowed(field: dataclasses.Field) -> str:
    """What a field accepts, in words."""
    rule = field.metadata
    kind = rule["kind"]
    if kind in ("whole", "number"):
        low, high, above, below = (rule.get(bound) for bound in ("low", "high", "above", "below"))
        bounds = [
            f"{sign} {bound}"
            for sign, bound in ((">=", low), (">", above), ("<=", high), ("<", below))
            if bound is not None
        ]
        return " ".join(["a whole number" if kind == "whole" else "a number", " and ".join(bounds)]).strip()
    if kind == "choice":
        return "one of " + ", ".join(map(repr, rule["options"]))
    if kind == "names":
        return "a list of one or more different names among " + ", ".join(rule["options"])
    if kind == "wholes":
        return "a list of different whole numbers >= 0"
    if kind == "texts":
        return "a list of one or more different texts, none of them empty"
    if kind == "flag":
        return "True or False"
    return (
        "a path (text)"
        if kind == "path"
        else f"text of the form {rule['pattern']}"
        if rule["pattern"] != "(?s).*"
        else "text"
    )


def check(field: dataclasses.Field, value: Any) -> Any:
    """The value in the field's own type (a whole number becomes a float, a list a tuple).

    Raises:
        ParameterError: The value has another type or is not allowed; a text that reads like a number (YAML takes
            `1e-3` for text: write `1.0e-3`) is refused too.
    """
    kind, rule = field.metadata["kind"], field.metadata
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if kind in ("whole", "number"):
        if is_whole or (kind == "number" and isinstance(value, float) and math.isfinite(value)):
            low, high, above, below = (rule.get(bound) for bound in ("low", "high", "above", "below"))
            if not (
                (low is not None and value < low)
                or (high is not None and value > high)
                or (above is not None and value <= above)
                or (below is not None and value >= below)
            ):
                return float(value) if kind == "number" else value
    elif kind == "flag":
        if isinstance(value, bool):
            return value
    elif kind == "choice":
        if type(value) is type(rule["options"][0]) and value in rule["options"]:
            return value
    elif kind in ("text", "path"):
        if isinstance(value, str) and "\0" not in value and (kind == "path" or re.fullmatch(rule["pattern"], value)):
            return value
    elif isinstance(value, (list, tuple)):
        if kind == "wholes":
            fits = all(isinstance(item, int) and not isinstance(item, bool) and item >= 0 for item in value)
        elif kind == "texts":
            fits = value and all(isinstance(item, str) and item.strip() and "\0" not in item for item in value)
        else:
            fits = value and all(isinstance(item, str) and item in rule["options"] for item in value)
        if fits and len(set(value)) == len(value):
            return tuple(value)
    raise ParameterError(
        f"Invalid value for `{field.name}`. Expected {allowed(field)}. Received: {value!r}{_hint(field, value)}"
    )


def parse(field: dataclasses.Field, written: str) -> Any:
    """The value a person wrote on a command line for this field; `check` decides whether it is allowed.

    Lists are written with commas, as in `conv3x3,sep5x5`, with or without brackets.
    """
    kind = field.metadata["kind"]
    if kind in ("names", "wholes", "texts"):
        items = [item.strip().strip("'\"") for item in written.strip().strip("[]").split(",") if item.strip()]
        return [_read(int, item) for item in items] if kind == "wholes" else items
    if kind == "flag":
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(
            written.lower(), written
        )
    if kind == "number":
        return _read(float, written)
    if kind == "whole" or (kind == "choice" and isinstance(field.default, int)):
        return _read(int, written)
    return written


def _declare(kind: str, default: Any, help: str, neutral: bool = False, **rules: Any) -> Any:
    return dataclasses.field(default=default, metadata={"kind": kind, "help": help, "neutral": neutral, **rules})


def _read(kind: type, written: str) -> Any:
    try:
        return kind(written)
    except ValueError:
        return written


def _hint(field: dataclasses.Field, value: Any) -> str:
    """Names the nearest option, or what went wrong on the way from YAML."""
    options = [str(option) for option in field.metadata.get("options", ())]
    for item in value if isinstance(value, (list, tuple)) else [value]:
        hint = "" if str(item) in options else did_you_mean(item, options)
        if hint:
            return hint
    if (
        isinstance(value, str)
        and field.metadata["kind"] in ("whole", "number")
        and not isinstance(_read(float, value), str)
    ):
        return " (text). In YAML write 1.0e-3 for 1e-3, and no quotes."
    return ""

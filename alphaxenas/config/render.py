"""What is written from the declarations of parameters: cells of notebooks, help texts, docs/parameters.md."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from alphaxenas.config.declarations import FIELDS, GROUPS, allowed, schema

HEADINGS = {"others": "# More parameters", "first": "# Change these first"}


def parameters_cell(notebook: str, part: str) -> str:
    """The source of a parameters cell, one parameter a line.

    Args:
        notebook: Its number, such as `"02"`.
        part: `"first"` for the parameters that are changed first, `"others"` for all others that it shows.

    Returns:
        A heading and lines `name: type = default  # description`; empty where there are no such parameters.
    """
    mark = f"{notebook}*" if part == "first" else notebook
    lines = [_cell_line(name, notebook) for name in FIELDS if mark in schema(name)["notebooks"]]
    return "\n".join([HEADINGS[part], *lines]) if lines else ""


def notebook_default(name: str, notebook: str) -> Any:
    """The default of a parameter in a notebook.

    Args:
        name: The parameter.
        notebook: The notebook's number, such as `"02"`.

    Returns:
        The default, lists as lists.
    """
    default = schema(name)["defaults"].get(notebook, FIELDS[name].default)
    return list(default) if isinstance(default, tuple) else default


def help_text() -> str:
    """All parameters by groups, as `--help` shows them."""
    lines = []
    for group, kind in GROUPS.items():
        lines.append(f"  {group}: {_one_line(kind)}")
        for name in kind.model_fields:
            text = f"{FIELDS[name].description}; {allowed(name)} [{_short(name)}]"
            lines.append(textwrap.fill(text, 118, initial_indent=f"    {name:22} ", subsequent_indent=" " * 27))
    return "\n".join(lines)


def description(name: str) -> str:
    """Everything about one parameter, for a person at a terminal.

    Raises:
        ParameterError: There is no such parameter.
    """
    about = schema(name)
    shown = [number.rstrip("*") for number in about["notebooks"]]
    lines = [f"{name}: {about['description']}", f"  allowed: {allowed(name)}", f"  default: {_short(name)}"]
    lines += [f"  default in notebook {number}: {value}" for number, value in about["defaults"].items()]
    lines += [f"  shown in notebooks: {', '.join(shown)}"] if shown else []
    lines += [f"  handed to the controllers: {', '.join(about['controllers'])}"] if about["controllers"] else []
    lines += [] if about["affects_results"] else ["  changes no result: may differ when a run is continued"]
    return "\n".join(lines)


def documentation() -> str:
    """The text of docs/parameters.md."""
    lines = [
        "# Parameters",
        "",
        "One namespace for all notebooks: a parameter is set in a notebook's parameters cell, in a YAML profile or by",
        "`./run_all.sh -p NAME VALUE`. Generated from the declarations in `alphaxenas/config` by",
        "`alphaxenas params --write-docs`. The last column says which notebooks show a parameter; all accept it. Where",
        "a parameter is a setting of some controllers alone, they follow its meaning, as in (to `evolution`).",
        "",
        "On the command line lists are written with commas, `-p operations conv3x3,sep5x5`. Commas within brackets or",
        "quotes belong to an item, and a list may be written as in JSON. A table with its columns is one item, commas",
        "and all: `-p tables 'FILE code=COLUMN signal=COLUMN,min:COLUMN'`; several are written as in JSON.",
    ]
    for group, kind in GROUPS.items():
        lines += [
            "",
            f"## {group}",
            "",
            str(kind.__doc__),
            "",
            "| parameter | default | allowed | meaning | notebooks |",
        ]
        lines += ["| --- | --- | --- | --- | --- |", *(_row(name) for name in kind.model_fields)]
    return "\n".join(lines) + "\n"


def _cell_line(name: str, notebook: str) -> str:
    default = notebook_default(name, notebook)
    rule = schema(name)
    options = rule.get("enum") or rule.get("items", {}).get("enum") or []
    comment = rule["description"] + (f" ({', '.join(map(str, options))})" if options else "")
    value = repr(default) if isinstance(default, (bool, int, float)) else json.dumps(default)
    return f"{name}: {type(default).__name__} = {value}  # {comment}"


def _short(name: str) -> str:
    default = FIELDS[name].default
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _row(name: str) -> str:
    rule = schema(name)
    shown = ", ".join(number.rstrip("*") for number in rule["notebooks"])
    others = "".join(f"; in notebook {number} `{_plain(value)}`" for number, value in rule["defaults"].items())
    default = f"`{_short(name)}`" if _short(name) else "empty"
    meaning = _escaped(rule["description"])
    if rule["controllers"]:
        meaning += f" (to {', '.join(f'`{controller}`' for controller in rule['controllers'])})"
    return "| " + " | ".join((f"`{name}`", default + others, _escaped(allowed(name)), meaning, shown)) + " |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _one_line(kind: type) -> str:
    return " ".join(str(kind.__doc__).split())


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)

"""`alphaxenas params`: what parameters mean, and the cells and the page that are written from their declarations."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat

from alphaxenas.config import FIELDS, PROJECT_ROOT, ParameterError
from alphaxenas.config.declarations import schema
from alphaxenas.config.render import description, documentation, parameters_cell

NOTEBOOKS = PROJECT_ROOT / "notebooks"
PAGE = PROJECT_ROOT / "docs" / "parameters.md"
GENERATED = r"navigation|parameters|other-parameters(-\d+)?"
"""Names of the cells that are written here."""
MOST_LINES = 30
"""Of parameters in a folded cell; others follow in a second one."""
PAGES = ("[all notebooks](../docs/notebooks.md)", "[all parameters](../docs/parameters.md)")
HOW_TO_CHANGE = """To change a parameter, edit its value in the cell *Change these first*, or in a folded cell above it,
*More parameters*, and choose *Run > Restart Kernel and Run All Cells*. Any other name of docs/parameters.md may be
added as a line. Records belong to the parameters that made them, so a new name for `run` goes with it: under the old
name stored results are shown, and other parameters refused."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints or writes; returns the exit code, 2 for an unknown parameter."""
    parser = argparse.ArgumentParser(prog="alphaxenas params", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="parameters to explain; without any, all names")
    parser.add_argument("--schema", action="store_true", help="print JSON schemas instead")
    parser.add_argument("--write-notebooks", action="store_true", help="write the generated cells of all notebooks")
    parser.add_argument("--write-docs", action="store_true", help="write docs/parameters.md")
    options = parser.parse_args(arguments)
    if options.write_notebooks:
        paths = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
        for path in paths:
            write_cells(path, paths)
    if options.write_docs:
        PAGE.write_text(documentation(), encoding="utf-8")
    if options.write_notebooks or options.write_docs:
        return 0
    try:
        if options.schema:
            print(json.dumps({name: schema(name) for name in options.names or FIELDS}, indent=2))
        else:
            print("\n".join(map(description, options.names)) if options.names else "\n".join(FIELDS))
    except ParameterError as error:
        print(f"alphaxenas params: {error}", file=sys.stderr)
        return 2
    return 0


def navigation(path: Path, paths: Sequence[Path]) -> str:
    """The text below a notebook's title: where to go from here, and how to change a parameter.

    Args:
        path: The notebook.
        paths: All of them, in order.
    """
    place, names = paths.index(path), [other.stem.replace("_", " ") for other in paths]
    links = [f"← [{names[place - 1]}]({paths[place - 1].name})"] if place else []
    links += [f"[{names[place + 1]}]({paths[place + 1].name}) →"] if place + 1 < len(paths) else []
    return " · ".join([*links, *PAGES]) + "\n\n" + HOW_TO_CHANGE


def write_cells(path: Path, paths: Sequence[Path]) -> None:
    """Writes the cells of one notebook that are generated, below its title; papermill injects after the last of them.

    Args:
        path: The notebook.
        paths: All of them, in order.
    """
    notebook = nbformat.read(path, as_version=4)
    title, *rest = [cell for cell in notebook.cells if not re.fullmatch(GENERATED, cell.id)]
    first, others = (parameters_cell(path.name[:2], part) for part in ("first", "others"))
    cells = [nbformat.v4.new_code_cell(first, id="parameters", metadata={"tags": ["parameters"]})]
    folded = {"jupyter": {"source_hidden": True}, "tags": ["other-parameters"]}
    heading, *lines = others.splitlines() or [""]
    for begin in reversed(range(0, len(lines), MOST_LINES)):
        name, label = (
            ("other-parameters", heading) if begin == 0 else (f"other-parameters-{begin}", f"{heading}, continued")
        )
        source = "\n".join([label, *lines[begin : begin + MOST_LINES]])
        cells.insert(0, nbformat.v4.new_code_cell(source, id=name, metadata=folded))
    around = nbformat.v4.new_markdown_cell(navigation(path, paths), id="navigation")
    notebook.cells = [title, around, *cells, *rest]
    nbformat.write(notebook, path)

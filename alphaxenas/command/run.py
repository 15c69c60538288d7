"""`alphaxenas run`, what `./run_all.sh` calls: the notebooks, and one page of them all at the end."""

from __future__ import annotations

from collections.abc import Sequence

from alphaxenas.pipelines import run_notebooks
from alphaxenas.report.notebook.page import write_page


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the notebooks; returns the exit code, see `run_notebooks.main`."""
    return run_notebooks.main(arguments, write_page=write_page)

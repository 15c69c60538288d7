"""Who looks on while a run is made, such as a live figure; and the progress bar, which a person sees in JupyterLab."""

from __future__ import annotations

import logging
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alphaxenas.runs.resume import ResumableLoop

Watcher = Callable[["ResumableLoop"], None]
_log = logging.getLogger(__name__)
_watchers: list[Watcher] = []


def person_looks_on() -> bool:
    """Whether a person has this notebook open: JupyterLab, Notebook and VS Code leave a sign, papermill does not."""
    if "JPY_SESSION_NAME" in os.environ:
        return True
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and "__vsc_ipynb_file__" in shell.user_ns


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Within it, the watcher is told of every record of every run of this process, after it was stored.

    Args:
        watcher: Takes the loop of the run. What it raises ends its watching, never the run.
    """
    _watchers.append(watcher)
    try:
        yield
    finally:
        if watcher in _watchers:
            _watchers.remove(watcher)


def tell(loop: ResumableLoop) -> None:
    """Tells all watchers that the loop has a new record."""
    for watcher in tuple(_watchers):
        try:
            watcher(loop)
        except Exception as error:  # whoever looks on must not end what it looks at
            _watchers.remove(watcher)
            _log.warning("a figure is no longer redrawn: %s: %s", type(error).__name__, error)


def progress_bar(total: int, done: int, unit: str, seconds: float = 5.0) -> Any:
    """A bar as JupyterLab shows it where a person looks on; elsewhere lines on stderr, few of them.

    Args:
        total: Units in all; 0 = unknown.
        done: How many there are before.
        unit: Of what.
        seconds: Between two lines on stderr.
    """
    common: dict[str, Any] = {"total": total or None, "initial": done, "unit": unit}
    if person_looks_on():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # without ipywidgets the bar is one of text, which needs no warning
            from tqdm.auto import tqdm
        return tqdm(**common, dynamic_ncols=True)
    from tqdm import tqdm

    return tqdm(**common, file=sys.stderr, mininterval=seconds, maxinterval=math.inf, miniters=1, ascii=True, ncols=100)

"""What a person reads while the notebooks run and at their end: cells, lines of the log, how one failed, a summary."""

from __future__ import annotations

import json
import re
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alphaxenas.pipelines.stages import stages_of
from alphaxenas.runs.files import last_lines, write_atomically

HEARTBEAT_SECONDS = 20.0


def say(text: str) -> None:
    """Prints at once, also into a pipe."""
    print(text, flush=True)


@dataclass
class Execution:
    """How one notebook fared."""

    name: str
    status: str = "not reached"
    minutes: float = 0.0


class Progress:
    """Which cell runs, and now and then what the log says meanwhile.

    Args:
        name: Of the notebook, with its place among all.
        path: The notebook.
        log: The run's log, if there will be one.
    """

    def __init__(self, name: str, path: Path, log: Path) -> None:
        cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
        # Papermill adds a cell with the given parameters behind the one tagged `parameters`.
        self.total = len(cells) + any("parameters" in cell["metadata"].get("tags", []) for cell in cells)
        self.name, self.log, self.number, self.heading = name, log, 0, ""
        self._line, self._started, self._last = "", time.monotonic(), time.monotonic()

    def cell_starts(self, cell: Any, cell_index: int) -> None:
        """Called by nbclient before each cell, texts included.

        Args:
            cell: The cell.
            cell_index: Its place.
        """
        if cell.cell_type == "code":
            self.number += 1
            say(f"{self.name}  cell {self.number} of {self.total}  {self.heading}")
            self._last = time.monotonic()
        elif headings := re.findall(r"^#+ +(.+)$", cell.source, re.MULTILINE):
            self.heading = headings[-1][:70]

    def heartbeat(self) -> None:
        """Every 20 s in a long cell: the time so far and the newest line of the log, if it has a new one."""
        if time.monotonic() < self._last + HEARTBEAT_SECONDS:
            return
        self._last = time.monotonic()
        line = last_lines(self.log, 1)
        if line and line[0] != self._line:
            self._line = line[0]
            minutes = (self._last - self._started) / 60
            say(f"{self.name}  cell {self.number} of {self.total}  {minutes:.1f} min  {self._line[:150]}")


def save_whole(running: Path) -> None:
    """Papermill saves a notebook in place, again and again; of this one, from now on, each save is whole or none."""
    from papermill.iorw import LocalHandler, papermill_io

    class Whole(LocalHandler):
        """The old file, or the new one."""

        def write(self, buf: str, path: str) -> None:
            write_atomically(Path(path), buf.encode())

    papermill_io.register(str(running), Whole())


def explanation(error: BaseException, name: str, progress: Progress, failed: Path) -> str:
    """Which cell failed and how.

    Args:
        error: What papermill raised.
        name: Of the notebook.
        progress: How far it came.
        failed: Where the notebook is kept as far as it came.

    Returns:
        Some lines, the end of the error's trace among them.
    """
    text = "\n".join(getattr(error, "traceback", None) or [f"{type(error).__name__}: {error}"])
    lines = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).rstrip().splitlines()[-15:]
    source = getattr(error, "source", "").strip().splitlines()
    cell = f"cell {progress.number} of {progress.total}" + (f" ({source[0]})" if source else "")
    if type(error).__name__ == "DeadKernelError":
        lines.append(
            "The kernel ended without an error message. If the machine ran out of memory, `dmesg` says so: "
            "choose smaller batches."
        )
    return (
        f"FAILED: {name}, {cell} under {progress.heading!r}. Its end:\n"
        + textwrap.indent("\n".join(lines), "    ")
        + (f"\n  Notebook up to there: {failed}" if failed.exists() else "")
    )


def say_summary(executions: Sequence[Execution], folder: Path) -> None:
    """Prints a line for every notebook: status, minutes, headlines.

    Args:
        executions: In order.
        folder: The run's.
    """
    width = max(len(execution.name) for execution in executions)
    rows = [f"\n{'notebook':{width}}  {'status':11}  minutes  result"]
    for execution in executions:
        headlines = _headlines(execution.name, folder) if execution.status == "done" else [""]
        for row, headline in enumerate(headlines or ["-"]):
            first = f"{execution.name:{width}}  {execution.status:11}  {execution.minutes:7.1f}"
            rows.append(f"{first if row == 0 else ' ' * len(first)}  {headline}".rstrip())
    say("\n".join(rows))


def say_where_the_page_is(
    write_page: Callable[[Path, Sequence[str]], Path | None], folder: Path, executions: Sequence[Execution]
) -> None:
    """Makes the page of the executed notebooks and says where it lies, or why there is none.

    Args:
        write_page: Makes it from the run's folder and remarks.
        folder: The run's.
        executions: How each notebook fared.
    """
    remarks = [f"{each.name}: {each.status}." for each in executions if each.status != "done"]
    try:
        page = write_page(folder, remarks)
    except Exception as error:  # what was computed is stored; the page is made again by the next start
        say(f"\nThere is no page of the executed notebooks: {type(error).__name__}: {error}")
    else:
        say(f"\nAll on one page: {page}" if page else "\nNo notebook was executed: there is no page to show.")


def _headlines(name: str, folder: Path) -> list[str]:
    """`stage: headline` of the results.json that this notebook concludes with, one for each search of notebook 02."""
    found = []
    for stage in stages_of(name[:2], folder, concluding=True):
        if (stage / "results.json").exists():
            results = json.loads((stage / "results.json").read_text(encoding="utf-8"))
            found.append(f"{stage.name}: {results.get('headline', '-')}")
    return found

"""What a person reads while the notebooks run: cells, now and then a line of the log, and how one failed."""

from __future__ import annotations

import json
import re
import textwrap
import time
from pathlib import Path
from typing import Any

HEARTBEAT_SECONDS = 20.0


def say(text: str) -> None:
    """Prints at once, also into a pipe."""
    print(text, flush=True)


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
        line = self.log.read_text(encoding="utf-8").splitlines()[-1:] if self.log.exists() else []
        if line and line[0] != self._line:
            self._line = line[0]
            minutes = (self._last - self._started) / 60
            say(f"{self.name}  cell {self.number} of {self.total}  {minutes:.1f} min  {self._line[:150]}")


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

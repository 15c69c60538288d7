"""Faults of a search in a notebook: a real runner, a real papermill, a real kernel; and of a download."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import psutil

from alphaxenas.data.download import RemoteFile, download
from alphaxenas.pipelines import run_notebooks
from tests.faults import searches

NAME = "evolution"
_PARAMETERS = "trials: int = 4\nrun: str = 'quick'\nexp_dir: str = 'exp'\ntensorboard_dir: str = 'tensorboard_log'"
_SEARCH = (
    "import time\nfrom tests.faults import searches\n"
    f"results = searches.play({NAME!r}, exp_dir, lambda begun: time.sleep(0.05))\nprint(results['headline'])"
)
EXIT_CODES = {
    "notebook: SIGTERM to the runner": 128 + signal.SIGTERM,
    "notebook: SIGKILL of the runner": -signal.SIGKILL,
    "notebook: kernel killed for memory": 1,
    "notebook: SIGKILL in a save": -signal.SIGKILL,
    "notebook: full disk at a save": 1,
}
"""How the runner ends, by the kind of fault; 0 where the fault comes too late."""
KINDS = tuple(EXIT_CODES)


class Suite:
    """A suite of one notebook with a search, in a folder of its own.

    Args:
        place: The folder.
    """

    def __init__(self, place: Path) -> None:
        self.place, self.exp_dir = place, place / "exp"
        (place / "notebooks").mkdir(parents=True)
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [
            nbformat.v4.new_code_cell(_PARAMETERS, metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell("print('begins')"),
            nbformat.v4.new_code_cell(_SEARCH),
        ]
        nbformat.write(notebook, place / "notebooks" / "02_search.ipynb")
        folders = {"exp_dir": str(self.exp_dir), "tensorboard_dir": str(place / "events")}
        (place / "mine.yaml").write_text(json.dumps({"run": "tiny", **folders}))

    def start(self, strike: Callable[[], None] | None = None) -> int:
        """Starts the runner as a process; its number."""
        sys.stdout.flush()
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            output = os.open(self.place / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(output, 1)
            os.dup2(output, 2)
            if strike is not None:
                strike()
            code = run_notebooks.main([str(self.place / "mine.yaml")], self.place / "notebooks")
        finally:
            sys.stdout.flush()
            os._exit(code)

    def output(self) -> str:
        """What the runner said last."""
        return (self.place / "output.txt").read_text()[-1500:]

    def unreadable(self) -> list[str]:
        """Notebooks that are no whole JSON."""
        bad = []
        for path in self.exp_dir.rglob("*.ipynb"):
            try:
                nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
            except ValueError:
                bad.append(path.name)
        return bad

    def hit(self, kind: str, rng: random.Random) -> int:
        """One life with a fault; its exit code."""
        if kind == KINDS[3]:
            return ended(self.start(_at_a_save(rng, killed=True)))
        if kind == KINDS[4]:
            return ended(self.start(_at_a_save(rng, killed=False)))
        runner, already = self.start(), len(searches.begun(self.exp_dir))
        goal, deadline = already + rng.randint(1, 6), time.monotonic() + 60
        while len(searches.begun(self.exp_dir)) < goal and time.monotonic() < deadline:
            if os.waitpid(runner, os.WNOHANG)[0]:
                return 0
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.08))
        if kind == KINDS[2]:
            for kernel in psutil.Process(runner).children():
                kernel.kill()
        else:
            os.kill(runner, signal.SIGTERM if kind == KINDS[0] else signal.SIGKILL)
        return ended(runner)


def ended(child: int) -> int:
    """Exit code of a child, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _at_a_save(rng: random.Random, killed: bool) -> Callable[[], None]:
    """In the middle of one of the first saves of the notebook, death or a full disk."""
    number = rng.randint(1, 6)

    def strike() -> None:
        real, count = os.write, 0

        def write(descriptor: int, data: bytes) -> int:
            nonlocal count
            count += ".ipynb" in os.readlink(f"/proc/self/fd/{descriptor}")
            if count != number:
                return real(descriptor, data)
            count += 1
            real(descriptor, bytes(data)[: len(data) // 2])
            if killed:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        os.write = write

    return strike


CONTENT = bytes(range(256)) * 4096
FILE = RemoteFile("file.bin", "https://example.org/file.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def hit_download(folder: Path, rng: random.Random) -> str:
    """Kills a process in the middle of a download, then downloads again; what is wrong, empty if nothing is."""
    chunks, killed = [CONTENT[start : start + 65536] for start in range(0, len(CONTENT), 65536)], rng.random() < 0.7
    number, child = rng.randrange(len(chunks)), os.fork()

    def fetch(url, stream, unused):
        for place, chunk in enumerate(chunks):
            if place == number and killed:
                stream.write(chunk[:1000])
                stream.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            if place == number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            stream.write(chunk)

    if child == 0:
        try:
            os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
            download(FILE, folder, fetch)
        finally:
            os._exit(1)
    code = ended(child)
    if code != (-signal.SIGKILL if killed else 1) or (folder / FILE.name).exists():
        return f"exit code {code}, or half a file under its final name"
    whole = download(FILE, folder, lambda url, stream, unused: [stream.write(chunk) for chunk in chunks])
    left = [path.name for path in folder.iterdir() if path != whole]
    return "" if whole.read_bytes() == CONTENT and not left else f"left behind: {left}"

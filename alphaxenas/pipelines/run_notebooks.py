"""Runs the notebooks headless: what `run_all.sh` starts after it has set up `.venv`.

Papermill executes, but neither forwards SIGTERM to its kernel nor writes atomically nor knows a wrong parameter. Here
parameters are checked first, an executed notebook appears under its name only when it is complete, a signal reaches the
kernel (which finishes its record), and no kernel outlives this process. Continuing is the notebooks' own business: each
returns what its run folder holds and goes on from there.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from alphaxenas.config import PROFILES, PROJECT_ROOT, Config, ParameterError, from_values, load_profile, parse_value
from alphaxenas.config.declarations import schema
from alphaxenas.config.render import help_text
from alphaxenas.pipelines.early_checks import check_before_work
from alphaxenas.pipelines.notebook_progress import (
    Execution,
    Progress,
    explanation,
    save_whole,
    say,
    say_summary,
    say_where_the_page_is,
)
from alphaxenas.runs.files import EXP_DIR_HINT, storage_error, write_atomically
from alphaxenas.runs.folder import RunInUse, take_lock
from alphaxenas.spaces.from_parameters import space_from_parameters
from alphaxenas.spaces.parse_any import with_absolute_file
from alphaxenas.tabular.truth import read_truth

NOTEBOOKS = PROJECT_ROOT / "notebooks"
SUITE = "[0-9][0-9]_*.ipynb"
MOVED = {
    "02": ("00", "Notebook 02 searches. What it explained before is notebook 00 now: --only 00,02"),
    "07": ("10", "Notebook 07 has the policies. ENAS, once its last parts, is notebook 10 now: --only 07,10"),
}
"""A number to the notebook that was once a part of it, and what is said to who asks for the number alone."""
QUIET = "--IPKernelApp.exec_lines=__import__('logging').getLogger('asyncio').setLevel('CRITICAL')"
"""Now and then a kernel that is done reports the tasks of its own that it ends with."""
PATIENCE_SECONDS = 40.0
"""After a signal the kernel has this long to finish its record (it takes at most 20 s) and to save; then it is killed.
"""


class _Kernel:
    """The running kernel, as far as signals are concerned."""

    pid: int | None = None
    received = 0
    kill_at = math.inf

    @classmethod
    def forward(cls, number: int, frame: object) -> None:
        """Passes a signal on to the kernel, as SIGTERM; the second one kills."""
        if cls.received:
            cls.kill()
            return
        cls.received, cls.kill_at = number, time.monotonic() + PATIENCE_SECONDS
        cls.send(signal.SIGTERM)
        say("Stopping: the kernel finishes its record first. A second signal stops at once.")

    @classmethod
    def kill(cls) -> None:
        """Ends the kernel and what it has started; its records bear that."""
        cls.kill_at = math.inf
        if cls.pid is not None:
            say("Stopping at once.")
            cls.send(signal.SIGKILL, os.killpg)

    @classmethod
    def send(cls, number: int, to: Callable[[int, int], None] = os.kill) -> None:
        """Sends a signal to the kernel, if there is one."""
        if cls.pid is not None:
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                to(cls.pid, number)


def main(
    arguments: Sequence[str] | None = None,
    notebooks: Path = NOTEBOOKS,
    write_page: Callable[[Path, Sequence[str]], Path | None] | None = None,
) -> int:
    """Runs the notebooks.

    Args:
        arguments: As on the command line.
        notebooks: Folder of the notebooks.
        write_page: Makes a page of the executed notebooks from the run's folder and remarks, however the run ended.

    Returns:
        The exit code: 0 all went well, 1 a notebook failed, 2 bad arguments, 128 + n stopped by signal n.
    """
    options = _parser().parse_args(arguments)
    try:
        parameters = _parameters(options)
        chosen = _chosen(sorted(notebooks.glob(SUITE)), parameters.get("only", ""))
        config = from_values(parameters)
        check_before_work(parameters, [path.name[:2] for path in chosen])
        folder = Path(config.run.exp_dir) / config.run.run
        output = folder / "notebooks"
        lock = _lock(output, config.run.run)
    except (ValueError, OSError) as error:
        # Our own errors are sentences; those of the operating system name the file only as a whole.
        said = error if getattr(error, "filename", None) else getattr(error, "strerror", None) or error
        print(f"run_all: {said}", file=sys.stderr)
        return 2
    events = Path(config.run.tensorboard_dir) / config.run.run
    say(
        f"Run {config.run.run}: {len(chosen)} notebooks\n  records and results  {folder}\n"
        f"  executed notebooks   {output}\n"
        f"  event files          {events}   (tensorboard --logdir {config.run.tensorboard_dir})\n"
        f"  log                  tail -f {folder / 'log.txt'}"
    )
    numbers = [path.name[:2] for path in chosen]
    for asked, (other, hint) in MOVED.items():
        if options.only and asked in numbers and other not in numbers:
            say(f"  {hint}")
    handlers = {number: signal.signal(number, _Kernel.forward) for number in (signal.SIGTERM, signal.SIGINT)}
    _Kernel.pid, _Kernel.received, _Kernel.kill_at = None, 0, math.inf
    executions = [Execution(path.stem) for path in chosen]
    try:
        for number, (path, execution) in enumerate(zip(chosen, executions), 1):
            _execute(path, output, parameters, execution, f"[{number}/{len(chosen)}]", folder / "log.txt")
            if execution.status != "done" or _Kernel.received:
                break
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(lock)
    say_summary(executions, folder)
    if write_page is not None:
        say_where_the_page_is(write_page, folder, executions)
    if _Kernel.received:
        way_on = "Leave out --overwrite to continue." if parameters.get("overwrite") else "The same command continues."
        say(f"Stopped. {way_on}")
        return 128 + _Kernel.received
    return 0 if all(execution.status == "done" for execution in executions) else 1


def _lock(output: Path, run: str) -> int:
    """An exclusive lock on the run, which ends with this process.

    Raises:
        ParameterError: Another process has it, or the file system has no locks.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        return take_lock(output, patience=0.0)
    except RunInUse:
        message = f"the run {run} is going on in another process. Wait for it, or choose another name with --run."
        raise ParameterError(message) from None
    except OSError as error:
        raise storage_error(error, output / ".lock", EXP_DIR_HINT) from error


def _execute(path: Path, output: Path, parameters: dict[str, Any], execution: Execution, place: str, log: Path) -> None:
    """Executes one notebook in a thread, so that this one is free for signals and for telling how far it is."""
    running, failed, done = (output / f"{path.stem}{kind}.ipynb" for kind in (".running", ".failed", ""))
    progress = Progress(f"{place} {path.stem}", path, log)
    problem: list[BaseException] = []

    def work() -> None:
        try:
            _papermill(path, running, parameters, progress)
        except BaseException as error:  # every end of the thread is reported below
            problem.append(error)

    started = time.monotonic()
    say(f"{place} {path.stem}")
    thread = threading.Thread(target=work, name=path.stem)
    thread.start()
    while thread.is_alive():
        thread.join(0.2)
        progress.heartbeat()
        if time.monotonic() > _Kernel.kill_at:
            _Kernel.kill()
    _Kernel.pid = None
    execution.minutes = (time.monotonic() - started) / 60
    if not problem:
        try:
            _relink(running, path)
            os.replace(running, done)
        except OSError as error:
            problem.append(error)
    if not problem:
        failed.unlink(missing_ok=True)
        execution.status = "done"
        say(f"{place} {path.stem} done in {execution.minutes:.1f} min")
        return
    execution.status = "stopped" if _Kernel.received else "FAILED"
    if not _Kernel.received:
        if running.exists():
            os.replace(running, failed)
        say(explanation(problem[0], path.stem, progress, failed))


def _relink(executed: Path, original: Path) -> None:
    """Lets links out of the folder of the notebooks lead there from where the executed notebook lies."""
    above = quote(os.path.relpath(original.parent.parent, executed.parent))
    text = executed.read_text(encoding="utf-8")
    write_atomically(executed, text.replace("](../", f"]({above}/").encode())


def _papermill(path: Path, running: Path, parameters: dict[str, Any], progress: Progress) -> None:
    """One execution by papermill, in this Python and with the project's root as working folder."""
    import logging

    import papermill
    import zmq
    from jupyter_client import AsyncKernelManager

    class Manager(AsyncKernelManager):
        """Makes the kernel's process known to the signal handler, encrypts what it sends, and ends it quietly."""

        async def start_kernel(self, **more: Any) -> None:  # type: ignore[override]
            if zmq.has("curve"):
                self.transport_encryption = "auto"  # what cells print is nobody else's business on a shared machine
            more["extra_arguments"] = [*more.get("extra_arguments", ()), QUIET]
            await super().start_kernel(**more)
            _Kernel.pid = getattr(self.provisioner, "pid", None)
            if _Kernel.received:
                _Kernel.send(signal.SIGTERM)

        async def _async_interrupt_kernel(self) -> None:
            # A shutdown begins with an interrupt, which a kernel that is done reports as an error.
            if not self.shutting_down:
                await super()._async_interrupt_kernel()

        interrupt_kernel = _async_interrupt_kernel  # type: ignore[assignment]

    save_whole(running)
    # Parameters that this notebook does not show in its cell are meant for others, not unknown: they were checked
    # above.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    # The kernel called python3 is the one of this environment, even if the user has another of that name.
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.pop("JPY_SESSION_NAME", None)  # nobody looks on, even where JupyterLab started this process
    search = [str(PROJECT_ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(search))
    papermill.execute_notebook(
        _literal(path),
        _literal(running),
        parameters,
        kernel_name="python3",
        language="python",
        kernel_manager_class=Manager,
        cwd=str(PROJECT_ROOT),
        progress_bar=False,
        autosave_cell_every=30,
        start_timeout=300,
        on_cell_start=progress.cell_starts,
    )


def _literal(path: Path) -> str:
    """A path for papermill, which takes braces for a template."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _parameters(options: argparse.Namespace) -> dict[str, Any]:
    """Profile, `-p`, `--run` and `--overwrite`, checked together."""
    parameters = load_profile(options.profile)
    parameters.setdefault("run", re.sub(r"[^A-Za-z0-9_-]", "-", Path(options.profile).stem))
    for name, value in options.parameter:
        parameters[name] = parse_value(name, value)
        if value and schema(name).get("format") == "path" and os.path.exists(value):
            parameters[name] = os.path.abspath(value)  # there where the command was typed, not in the project's root
        elif name in ("architecture", "hand_made"):
            parameters[name] = with_absolute_file(value)
        elif name == "start_from":
            parameters[name] = tuple(map(with_absolute_file, parameters[name]))
    given = {"run": options.run, "only": options.only, "overwrite": options.overwrite or None}
    parameters |= {name: value for name, value in given.items() if value is not None}
    _check_truth(from_values(parameters))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in parameters.items()}


def _check_truth(config: Config) -> None:
    """ParameterError where notebook 05 could not read the table of published accuracies when all is over."""
    if config.report.truth_table:
        space = space_from_parameters(config.parameters("space"))
        try:
            read_truth(config.report.truth_table, config.report.truth_column, space)
        except ValueError as error:
            raise ParameterError(str(error)) from error


def _chosen(paths: list[Path], only: str) -> list[Path]:
    wanted = [word.strip() for word in only.split(",") if word.strip()] or [""]
    for word in wanted:
        if not any(path.stem.startswith(word) for path in paths):
            known = ", ".join(path.stem for path in paths) or "none"
            raise ParameterError(f"Unknown notebook {word!r} in `only`. Expected beginnings of: {known}")
    return [path for path in paths if path.stem.startswith(tuple(wanted))]


def _suite() -> str:
    names = sorted(path.stem[:2] for path in NOTEBOOKS.glob(SUITE))
    return f"Runs the notebooks {names[0]} to {names[-1]} headless." if names else "Runs the notebooks headless."


def _parser() -> argparse.ArgumentParser:
    profiles = ", ".join(sorted(path.stem for path in PROFILES.glob("*.yaml")))
    parser = argparse.ArgumentParser(
        prog="./run_all.sh",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"{_suite()} The same command again continues where it was ended, by whatever;\n"
        "what is finished is not computed again.",
        epilog="Parameters [default], one namespace for all notebooks:\n" + help_text(),
    )
    parser.add_argument(
        "profile",
        nargs="?",
        default="quick",
        metavar="PROFILE",
        help=f"one of {profiles}, or a YAML file of parameters; default quick",
    )
    parser.add_argument("--run", metavar="NAME", help="name of the run; default: the profile's")
    parser.add_argument(
        "--only", metavar="02,04", help="only the notebooks whose names begin so; default: the profile's"
    )
    parser.add_argument(
        "-p",
        dest="parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="set a parameter; lists with commas, as in -p operations conv3x3,sep5x5; repeatable",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="delete what is stored of this run and start anew; leave it out to continue",
    )
    return parser

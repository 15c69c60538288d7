"""Days unattended, simulated: memory, files and checkpoints of a search of many trials. Prints JSON last.

    python -m benchmarks.long_run [--trials 10000 50000] [--controller evolution] [--record]

A real coach and a real run folder with a computed table of rewards, so that a trial takes milliseconds; each counts as
the share of four days that it would have had. Targets: memory flat (at most 100 MiB more at the end than after the
first 2,000 trials), at most 2 KB of journal and a bounded event file a trial, checkpoints below 2 % of the four days,
TensorBoard's reader done within 5 s with at most three runs, notebook 05's reader and figures within 5 s, `alphaxenas
status` within 1 s, the executed notebook below 1 MB and valid JSON whenever it is looked at. Then what the next
proposal and the state of every controller cost once it knows 1,000 and 10,000 trials.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import psutil

from alphaxenas.coach import Coach
from alphaxenas.contracts import Budget, Outcome, Proposal
from alphaxenas.controllers.catalogue import CONTROLLERS, make_controller
from alphaxenas.runs import RunFolder
from alphaxenas.runs.checkpoint import pack
from alphaxenas.runs.resume import ResumableLoop
from alphaxenas.spaces import CellSpace
from benchmarks.record import ROOT, finish, parser
from benchmarks.search_synthetic import objective

FOUR_DAYS = 4 * 86400.0
EARLY = 2000
"""Trials after which memory is taken to have settled."""
LEARNED = (1_000, 10_000)
MIB = 2**20


class Simulated:
    """A table of all cells: the reward is computed, and the seconds are those of a child of a search of four days."""

    def __init__(self, trials: int) -> None:
        self._value, self._seconds = objective(0), FOUR_DAYS / trials

    def evaluate(self, proposal: Proposal) -> Outcome:
        """The reward of a cell at a budget."""
        noise = np.random.default_rng([*proposal.tokens, proposal.budget.epochs]).normal(0, 0.01)
        reward = min(max(self._value(proposal.tokens) + noise, 0.0), 1.0)
        return Outcome(proposal, float(reward), metrics={"loss": float(1 - reward)}, seconds=self._seconds)

    def state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def restore(self, state: Any) -> None:
        """Nothing."""


def simulate(place: str, trials: int, controller: str = "evolution") -> dict[str, Any]:
    """A search from its start to its end, in this process.

    Args:
        place: Folder of runs and event files.
        trials: How many.
        controller: Who searches.

    Returns:
        What it cost, JSON values.
    """
    space, process, begin = CellSpace(), psutil.Process(), time.perf_counter()
    memory, saving, saves, save = [], 0.0, 0, ResumableLoop.checkpoint

    def timed(loop: ResumableLoop) -> None:
        nonlocal saving, saves
        started = time.perf_counter()
        save(loop)
        saving, saves = saving + time.perf_counter() - started, saves + 1

    class Measured(Simulated):
        def evaluate(self, proposal: Proposal) -> Outcome:
            """Looks at the memory now and then."""
            if proposal.number % (EARLY // 2) == 0:
                memory.append(process.memory_info().rss / MIB)
            return super().evaluate(proposal)

    ResumableLoop.checkpoint = timed  # type: ignore[method-assign]
    with RunFolder.open(
        "long", f"{controller}-seed0", {"seed": 0, "trials": trials}, place, f"{place}/events"
    ) as folder:
        who = make_controller(controller, space, 0, Budget(1), Budget(3), 6)
        results = Coach(space, who, Measured(trials), folder, trials=trials).run()
        events = sum(path.stat().st_size for path in folder.tensorboard_path.iterdir())
        journal, log = folder.journal.path.stat().st_size, (folder.path.parent / "log.txt").stat().st_size
        records = len(folder.journal)
    ResumableLoop.checkpoint = save  # type: ignore[method-assign]
    return {
        "trials": results["trained"],
        "lines": records,
        "minutes": round((time.perf_counter() - begin) / 60, 2),
        "mib_after_2000": round(memory[EARLY // (EARLY // 2)], 1),
        "mib_at_the_end": round(memory[-1], 1),
        "growth_mib": round(memory[-1] - memory[EARLY // (EARLY // 2)], 1),
        "journal_mb": round(journal / 1e6, 1),
        "journal_bytes_per_line": round(journal / records),
        "log_mb": round(log / 1e6, 1),
        "events_mb": round(events / 1e6, 2),
        "checkpoints": saves,
        "checkpoint_seconds": round(saving, 1),
        "checkpoint_share_of_four_days": round(saving / FOUR_DAYS, 6),
    }


def in_a_notebook(place: Path, trials: int, controller: str) -> dict[str, Any]:
    """The same under papermill, with its output looked at while it grows.

    Args:
        place: An empty folder.
        trials: How many.
        controller: Who searches.
    """
    (place / "notebooks").mkdir(parents=True)
    notebook = nbformat.v4.new_notebook()
    parameters = "run: str = 'quick'\nexp_dir: str = 'exp'\ntensorboard_dir: str = 'tensorboard_log'"
    work = (
        "from benchmarks.long_run import simulate\nimport json\n"
        f"json.dump(simulate({str(place)!r}, {trials}, {controller!r}), open({str(place / 'figures.json')!r}, 'w'))"
    )
    notebook.cells = [
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(work),
    ]
    nbformat.write(notebook, place / "notebooks" / "02_search.ipynb")
    (place / "mine.yaml").write_text(
        json.dumps({"run": "long", "exp_dir": str(place), "tensorboard_dir": f"{place}/tb"})
    )
    code = (
        "import sys; from pathlib import Path; from alphaxenas.pipelines.run_notebooks import main; "
        f"sys.exit(main([{str(place / 'mine.yaml')!r}], Path({str(place / 'notebooks')!r})))"
    )
    runner = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL, env=_environment())
    folder, looks, broken = place / "long" / "notebooks", 0, 0
    while runner.poll() is None:
        for path in folder.glob("*.ipynb"):
            looks += 1
            try:
                nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
            except FileNotFoundError:
                continue  # it was renamed
            except ValueError:
                broken += 1
        time.sleep(0.2)
    if runner.returncode:
        raise RuntimeError(f"The notebook failed with exit code {runner.returncode}.")
    size = (folder / "02_search.ipynb").stat().st_size
    figures = json.loads((place / "figures.json").read_text())
    return {**figures, "notebook_mb": round(size / 1e6, 3), "looks": looks, "looks_that_found_no_notebook": broken}


def readers(place: Path) -> dict[str, Any]:
    """Seconds of the processor that those need who look at the run, each in a fresh process."""
    code = {
        "tensorboard": (
            "from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer\n"
            "from time import process_time\nbegin = process_time()\n"
            "reader = EventMultiplexer().AddRunsFromDirectory(sys.argv[1] + '/events'); reader.Reload()\n"
            "print(json.dumps([process_time() - begin, len(reader.Runs())]))"
        ),
        "notebook_05": (
            "from alphaxenas.report.runs import load_suite\n"
            "from alphaxenas.report.figures import search_curves, trial_dots\nfrom time import process_time\n"
            "from alphaxenas.spaces.drawing.picture import as_png\nbegin = process_time()\n"
            "suite = load_suite('long', sys.argv[1]); read = process_time() - begin\n"
            "pictures = [as_png(draw(suite.groups())) for draw in (search_curves, trial_dots)]\n"
            "print(json.dumps([read, process_time() - begin, len(suite.searches[0].records)]))"
        ),
        "status": (
            "from time import process_time\nbegin = process_time()\n"
            "from alphaxenas.runs.status import status_text\nstatus_text(sys.argv[1] + '/long')\n"
            "print(json.dumps([process_time() - begin]))"
        ),
    }
    found = {}
    for name, text in code.items():
        words = [sys.executable, "-c", "import json, sys\n" + text, str(place)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, env=_environment())
        found[name] = json.loads(done.stdout.splitlines()[-1])
    return {
        "tensorboard_seconds": round(found["tensorboard"][0], 2),
        "tensorboard_runs": found["tensorboard"][1],
        "notebook_05_reads_in_seconds": round(found["notebook_05"][0], 2),
        "notebook_05_reads_and_draws_in_seconds": round(found["notebook_05"][1], 2),
        "status_seconds": round(found["status"][0], 2),
    }


def cost_of(name: str) -> dict[str, list[float]]:
    """What a controller costs once it knows `LEARNED` trials: seconds of a proposal, MB and seconds of its state."""
    space, value, rng = CellSpace(), objective(0), np.random.default_rng(0)
    controller = make_controller(name, space, 0, Budget(1))
    known, asked, sizes, packed = 0, [], [], []
    for goal in LEARNED:
        while known < goal:
            tokens = space.encode(space.sample(rng))
            controller.learn(Outcome(Proposal(known, tokens, Budget(1), "imported"), value(tokens)))  # type: ignore[attr-defined]
            known += 1
        begin = time.process_time()
        for _ in range(2):
            proposal = controller.ask()
            if proposal is not None:
                controller.tell(Outcome(proposal, value(proposal.tokens)))
        asked.append(round((time.process_time() - begin) / 2, 3))
        begin = time.process_time()
        sizes.append(round(len(pack(controller.state())) / 1e6, 2))
        packed.append(round(time.process_time() - begin, 3))
    return {"proposal_seconds": asked, "state_mb": sizes, "state_seconds": packed}


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}


def main() -> None:
    """Reads the options, simulates, prints the result."""
    words = parser(__doc__)
    words.add_argument("--trials", type=int, nargs="*", default=[10_000, 50_000])
    words.add_argument("--controller", default="evolution", choices=CONTROLLERS)
    words.add_argument("--costs", nargs="*", default=[name for name in CONTROLLERS if name != "static"])
    options, started = words.parse_args(), time.perf_counter()
    figures: dict[str, Any] = {"controller": options.controller, "runs": [], "learned": LEARNED}
    for trials in options.trials:
        if trials <= 2 * EARLY:
            words.error(f"Invalid value for `--trials`. Expected more than {2 * EARLY}. Received: {trials}")
        with tempfile.TemporaryDirectory() as place:
            run = in_a_notebook(Path(place) / "exp", trials, options.controller)
            figures["runs"].append(run | readers(Path(place) / "exp"))
            print(json.dumps(figures["runs"][-1]), file=sys.stderr, flush=True)
    figures["costs"] = {}
    for name in options.costs:
        figures["costs"][name] = cost_of(name)
        print(name, figures["costs"][name], file=sys.stderr, flush=True)
    finish("long_run", options.record, started, figures)


if __name__ == "__main__":
    main()

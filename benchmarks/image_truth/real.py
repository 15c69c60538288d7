"""Real searches of the whole space by the trainings of `benchmarks.image_truth`, judged by published accuracy.

Every search has so many seconds of one core (3,600: 30 minutes of two), in which it computes its proxies if it has any,
trains its children, and thinks. Children are trained as the pool's cells are at the high budget, in deeper networks
(`DEEP`); promoted ones are trained again, four times as long (`LONG`). A search is a run of its own under OUT: the same
command goes on with what was interrupted, and `--part 1/2` and `--part 2/2` search side by side. Its choice is the one
of a run. What is recorded is not searched again, so that a few searches a day make a table; all of it has to be of the
same code, or of code that was seen to make no difference: `--confirm 10` trains the first 10 children of the first seed
of every method again, and compares their rewards. The belief is judged by its order of cells that no search trained. No
search sees a published accuracy.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.contracts import Budget
from alphaxenas.runs import read_json
from alphaxenas.runs.files import write_json
from alphaxenas.seeds import stream
from alphaxenas.tabular.truth import read_truth
from benchmarks.image_truth import children
from benchmarks.image_truth.children import BUDGETS, DEEP, LONG, SPACE, network_of
from benchmarks.image_truth.pool import controller_of
from benchmarks.record import changed_since, finish, load, note_confirmed

if TYPE_CHECKING:
    from alphaxenas.coach import Coach
    from alphaxenas.contracts import Controller
    from alphaxenas.runs import Journal
    from alphaxenas.runs.folder import RunFolder

METHODS = ("alphaxenas", "random")
UNSEEN = 200
"""Cells by which a belief is judged."""
TRIALS_PER_PROCESS = 100
"""After so many further trials a process replaces itself: TensorFlow keeps some MiB for every network."""
REWARDS = 20
"""First rewards of a search that are recorded."""
RESULT = "image_truth_real"
PROMOTE_EVERY = 4
TRAININGS = {**DEEP, "long": list(LONG), "promote_every": PROMOTE_EVERY}


def search(options: argparse.Namespace) -> int:
    """Searches what is left of a part, and tells what all searches chose; returns the exit code.

    Raises:
        SystemExit: What is recorded, and has the same settings, is of other code.
    """
    if options.confirm:
        return _confirmed(options)
    started, folder = time.perf_counter(), Path(options.out)
    truth = read_truth(options.published, options.column, SPACE).values
    if missing := 5**6 - len(truth):
        print(f"{options.published} lacks {missing} cells: such a choice cannot be judged", file=sys.stderr)
    figures = {"seconds": options.seconds, "column": options.column, "settings": TRAININGS}
    figures["best"] = float(max(truth.values()))
    found: dict[str, dict[str, Any]] = {}
    recorded = load().get(RESULT)
    if recorded and all(recorded["figures"].get(key) == value for key, value in figures.items()):
        if changed := changed_since(recorded):
            sys.exit(f"{RESULT} is of other code ({', '.join(changed)}): use --confirm 10, or remove its file")
        found = recorded["figures"]["methods"]
    part, parts = map(int, options.part.split("/"))
    searches = [(method, seed) for seed in range(options.seeds) for method in options.methods]
    for method, seed in searches[part - 1 :: parts]:
        if str(seed) in found.get(method, {}):
            continue
        if not (folder / _stage(method, seed) / "judged.json").is_file():
            _go_on(options, method, seed)
    for method, seed in searches:
        judged = read_json(folder / _stage(method, seed) / "judged.json")
        if judged is not None:
            found.setdefault(method, {})[str(seed)] = judged
    figures["methods"] = found
    values = {method: {"published": [one["published"] for one in runs.values()]} for method, runs in found.items()}
    finish("image_truth", options.record, started, figures, values, RESULT)
    return 0


def _confirmed(options: argparse.Namespace) -> int:
    """Trains the first children of the first recorded seed of every method again, and notes whether that changes a
    reward; returns the exit code.
    """
    recorded = load()[RESULT]["figures"]["methods"]
    first = {method: next(iter(runs)) for method, runs in recorded.items()}
    before, now = {}, {}
    Path(options.out).mkdir(parents=True, exist_ok=True)
    for method, seed in first.items():
        before[method] = {f"rewards of seed {seed}": recorded[method][seed]["rewards"]}
        with tempfile.TemporaryDirectory(dir=options.out) as folder:
            opened, coach, _ = _opened(
                options, Path(folder) / "again", method, int(seed), min(options.confirm, REWARDS)
            )
            with opened:
                coach.run()
                now[method] = {f"rewards of seed {seed}": _rewards(opened.journal, options.confirm)}
    note_confirmed(RESULT, now, before)
    return 0


def _stage(method: str, seed: int) -> str:
    return f"{method.translate(str.maketrans('+,:=', '----'))}-seed{seed}"


def _go_on(options: argparse.Namespace, method: str, seed: int) -> None:
    """Trains children until the seconds are over, then writes the judgement; may replace the process."""
    from alphaxenas.coach import reaches

    limit = {"max_minutes": options.seconds / 60}
    folder, coach, controller = _opened(options, Path(options.out), method, seed, TRIALS_PER_PROCESS, **limit)
    with folder:
        results = coach.run()
        if reaches(results, **limit):
            truth = read_truth(options.published, options.column, SPACE).values
            write_json(folder.path / "judged.json", _judged(results, controller, folder.journal, truth))
            return
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks.image_truth", *sys.argv[1:]])


def _opened(
    options: argparse.Namespace, out: Path, method: str, seed: int, trials: int, **limit: float
) -> tuple[RunFolder, Coach, Controller]:
    """A search that goes on for so many trials: its folder, to be closed, its coach and its controller."""
    from alphaxenas.coach import Coach
    from alphaxenas.evaluators.proxies import with_proxies
    from alphaxenas.runs.folder import RunFolder

    children.one_thread()
    data = children.pool_data(options.data_dir)
    words, _, names = method.partition("+")
    space: Any = SPACE
    if names:
        space = with_proxies(names.split(","), SPACE, lambda cell: network_of(cell, data.num_classes, DEEP), data, seed)
    controller = controller_of(words, space, seed, (Budget(*BUDGETS["high"]), Budget(*LONG)), PROMOTE_EVERY)
    parameters = {"seed": seed, "method": method, **TRAININGS}
    folder = RunFolder.open(out.name, _stage(method, seed), parameters, out.parent, out / "events", limits=("trials",))
    before = (folder.read_results() or {"trained": 0})["trained"]
    coach = Coach(
        SPACE,
        controller,
        children.evaluator_of(data, seed, DEEP),
        folder,
        trials=before + trials,
        checkpoint_every=10,
        proxies=getattr(space, "proxies", None),
        **limit,
    )
    return folder, coach, controller


def _rewards(journal: Journal, number: int = REWARDS) -> list[float]:
    """The first rewards of a search, as exact as they are."""
    return [record["reward"] for record in journal.read()[:number]]


def _judged(results: dict[str, Any], controller: Any, journal: Journal, truth: Any) -> dict[str, Any]:
    """The choice of a search with its published accuracy, and Kendall's tau of its belief over `UNSEEN` cells."""
    from scipy.stats import kendalltau

    best, trained = results["best"][0], {record["key"] for record in journal}
    if best["key"] not in truth:
        sys.exit(f"The table of published accuracies lacks the choice of the search, {best['architecture']}.")
    rng, unseen = stream(0, "image_truth", "unseen"), dict[str, Any]()
    while len(unseen) < UNSEEN:
        cell = SPACE.sample(rng)
        if SPACE.key(cell) in truth and SPACE.key(cell) not in trained:
            unseen[SPACE.key(cell)] = SPACE.encode(cell)
    quality = controller.quality(list(unseen.values())) if hasattr(controller, "quality") else None
    tau = None if quality is None else float(kendalltau(quality, [truth[key] for key in unseen]).statistic)
    return {
        "architecture": best["architecture"],
        "published": round(float(truth[best["key"]]), 4),
        "best_trained": round(float(np.max([truth[key] for key in trained if key in truth])), 4),
        "trained": results["trained"],
        "tau": None if tau is None or not np.isfinite(tau) else round(tau, 4),
        "rewards": _rewards(journal),
    }

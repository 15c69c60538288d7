"""Small, real searches that the faults hit: real controllers, one of them with shared weights, on computed rewards.

None imports TensorFlow, so a process for one of them can be forked within milliseconds and killed for real.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.coach import Coach
from alphaxenas.contracts import Budget, Outcome, Proposal
from alphaxenas.controllers import make_controller
from alphaxenas.runs import Journal, RunFolder
from alphaxenas.spaces import NASBench201
from tests.faults import toy

STAGE = "search"
TRIALS = 14
SECONDS = 0.002
"""Of one training, so that a signal may arrive within one."""


class Watched:
    """An evaluator that notes on disk, behind the back of injected faults, which trainings have begun and when.

    Args:
        evaluator: What is watched.
        notes: A file; it gets a line `NUMBER OF THE PROPOSAL, SECONDS` for every training.
        before: Called before every training with how many this process has begun.
    """

    def __init__(self, evaluator: Any, notes: Path, before: Callable[[int], None]) -> None:
        self.evaluator, self.notes, self.before, self.begun = evaluator, notes, before, 0
        self.state, self.restore = evaluator.state, evaluator.restore

    def evaluate(self, proposal: Proposal) -> Outcome:
        with open(self.notes, "a") as file:
            file.write(f"{proposal.number} {time.monotonic()}\n")
        self.begun += 1
        self.before(self.begun)
        time.sleep(SECONDS)
        return self.evaluator.evaluate(proposal)


class Computed:
    """A table of all architectures: the reward follows from the tokens, and nothing is shared."""

    def evaluate(self, proposal: Proposal) -> Outcome:
        noise = np.random.default_rng([*proposal.tokens, proposal.budget.epochs]).random()
        ordered = sum((token * 7 + place * 3) % 5 for place, token in enumerate(proposal.tokens))
        reward = 0.5 + ordered / 100 + 0.01 * noise + 0.02 * proposal.budget.epochs
        return Outcome(proposal, float(reward), metrics={"loss": float(1 - reward)}, seconds=SECONDS)

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Any) -> None:
        pass


def _toy(seed: int) -> tuple[Any, Any, Any]:
    return toy.WordSpace(), toy.SeededPlayer(seed), toy.DriftingEvaluator()


def _with(controller: str) -> Callable[[int], tuple[Any, Any, Any]]:
    def parts(seed: int) -> tuple[Any, Any, Any]:
        space = NASBench201()
        return space, make_controller(controller, space, seed, Budget(1), Budget(3), 3), Computed()

    return parts


SEARCHES: dict[str, tuple[Callable[[int], tuple[Any, Any, Any]], int]] = {
    "shared weights": (_toy, 1),
    "evolution": (_with("evolution"), 1),
    "uct": (_with("uct"), 5),
    "reinforce": (_with("reinforce"), 3),
}
"""Space, controller and evaluator of a seed, and after how many trials a checkpoint is written."""


def play(name: str, exp_dir: Path | str, before: Callable[[int], None] = lambda begun: None) -> dict[str, Any]:
    """Starts or continues one of `SEARCHES`."""
    make, every = SEARCHES[name]
    space, controller, evaluator = make(0)
    exp_dir = Path(exp_dir)
    with RunFolder.open("faults", STAGE, {"search": name, "seed": 0}, exp_dir, exp_dir / "events") as folder:
        watched = Watched(evaluator, notes_of(exp_dir), before)
        return Coach(space, controller, watched, folder, trials=TRIALS, checkpoint_every=every).run()


def folder_of(exp_dir: Path | str) -> Path:
    """Where the records of a search lie."""
    return Path(exp_dir) / "faults" / STAGE


def notes_of(exp_dir: Path | str) -> Path:
    """Where a search notes which trainings have begun: beside its folder, which may be on a full disk."""
    return Path(f"{exp_dir}.begun")


def records(exp_dir: Path | str) -> list[dict[str, Any]]:
    """The journal."""
    return Journal(folder_of(exp_dir) / "trials.jsonl").read()


def begun(exp_dir: Path | str) -> list[tuple[int, float]]:
    """Number of the proposal and time of every training that has begun."""
    notes = notes_of(exp_dir)
    lines = notes.read_text().splitlines() if notes.exists() else []
    return [(int(number), float(moment)) for number, moment in map(str.split, lines)]

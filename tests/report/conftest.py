"""Small suites on disk: searches by the real coach over children that are formulas, trainings written as they are
stored.
"""

import itertools
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from alphaxenas.coach import Coach
from alphaxenas.config import from_values
from alphaxenas.contracts import Budget, Outcome
from alphaxenas.controllers.baselines.random_search import RandomSearch
from alphaxenas.controllers.promotion import SuccessiveHalving
from alphaxenas.report import load_suite
from alphaxenas.runs import ResumableLoop, RunFolder
from alphaxenas.spaces import CellSpace

SPACE = CellSpace(blocks=2)
IMAGES = 200
PINNED = {
    "blocks": 2,
    "search_epochs": 1,
    "search_fraction": 0.5,
    "final_epochs": 3,
    "filters": 6,
    "learning_rate": 0.05,
    "prior": "lstm",
}
"""Parameters that tests rely on, whatever the defaults become."""


class Formula:
    """Rates an architecture by its convolutions, a little better for more epochs; `bonus` lifts a whole search."""

    def __init__(self, bonus: float, seed: int, failing: int) -> None:
        self._bonus, self._seed, self._failing = bonus, seed, failing
        self.spent = 0.0

    def evaluate(self, proposal):
        outcome = self._outcome(proposal)
        self.spent += outcome.seconds
        return outcome

    def _outcome(self, proposal):
        if proposal.number == self._failing:
            return Outcome(
                proposal, 0.0, "failed", {"parameters": 10.0, "multiply_adds": 100.0}, 0.5, "DivergedError: loss nan"
            )
        names = [SPACE.vocabulary[token] for token in proposal.tokens]
        convolutions = sum(name.startswith(("conv", "sep")) for name in names)
        reward = 0.5 + 0.05 * convolutions + 0.02 * proposal.budget.epochs + self._bonus + 0.001 * self._seed
        images = float(round(IMAGES * proposal.budget.fraction))
        size = {"parameters": 1000.0 * (1 + convolutions), "multiply_adds": 1e5 * (1 + convolutions)}
        metrics = {"loss": 1.0, "images_per_epoch": images, **size}
        return Outcome(proposal, min(reward, 1.0), "ok", metrics, 2.0)

    def state(self):
        return {}

    def restore(self, state):
        pass


class Diagnosed(SuccessiveHalving):
    """Random search that reports what AlphaXENAS reports."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self._told = 0

    def tell(self, outcome):
        super().tell(outcome)
        self._told += 1

    def diagnostics(self):
        numbers = {"tree/nodes": 10.0 * self._told, "tree/visits": 5.0, "tree/depth": float(self._told % 7)}
        numbers["search/iterations"] = self._told // 4
        return (
            numbers
            if self._told < 4
            else numbers
            | {"lstm/policy_loss": 2 / self._told, "lstm/value_loss": 1 / self._told, "lstm/rank_correlation": 0.5}
        )


class Shelf:
    """Makes runs in a folder."""

    def __init__(self, exp_dir) -> None:
        self.exp_dir = exp_dir

    def search(self, suite, controller, seed, trials=12, bonus=0.0, failing=-1, more=None):
        config = from_values({**PINNED, "trials": trials, **(more or {})})
        parameters = {
            **config.parameters("data", "space", "child", "search"),
            "controller": controller,
            "search_seed": seed,
        }
        budgets = Budget(1, 0.5), Budget(3)
        player = (Diagnosed if controller == "alphaxenas" else SuccessiveHalving)(
            RandomSearch(SPACE, seed), SPACE, *budgets, 3
        )
        formula = Formula(bonus, seed, failing)
        clock = mock.patch.object(ResumableLoop, "elapsed", lambda loop: formula.spent)  # only evaluations take time
        with (
            clock,
            RunFolder.open(
                suite, f"{controller}-seed{seed}", parameters, self.exp_dir, self.exp_dir.parent / "events"
            ) as folder,
        ):
            Coach(SPACE, player, formula, folder, trials=trials, checkpoint_every=100).run()

    def training(self, suite, stage, accuracy=0.9, epochs=4, finished=True):
        config = from_values({"train_epochs": epochs, "densenet_epochs": 2 * epochs, "warmup_epochs": 1.0})
        groups = ("data", "baseline", "training") if stage == "densenet" else ("data", "space", "training")
        models = []
        with RunFolder.open(
            suite, stage, config.parameters(*groups), self.exp_dir, self.exp_dir.parent / "events"
        ) as folder:
            for rank, name in enumerate(["densenet"] if stage == "densenet" else ["rank1", "rank2"]):
                history = [
                    {
                        "epoch": epoch,
                        "loss": 2 / epoch,
                        "train_accuracy": 1 - 1 / (epoch + 1),
                        "images": IMAGES,
                        "learning_rate": 0.1,
                        "validation_accuracy": accuracy - 0.2 / epoch - 0.01 * rank,
                    }
                    for epoch in range(1, epochs + 1)
                ]
                for record in history:
                    folder.journal.append(
                        {"rank": rank, "name": name, **record, "seconds": 1.5 * record["epoch"], "finished_at": ""}
                    )
                models.append(
                    {
                        "name": name,
                        "architecture": "",
                        "architecture_json": None,
                        "parameters": 5000,
                        "multiply_adds": 2_000_000,
                        "epochs": epochs,
                        "best_epoch": epochs,
                        "validation_accuracy": history[-1]["validation_accuracy"],
                        "history": history,
                        "seconds": 1.5 * epochs,
                        "file": f"models/{name}.keras",
                    }
                )
            if finished:
                seconds = sum(model["seconds"] for model in models)
                tested = {"chosen": 0, "test_accuracy": accuracy - 0.1, "test_images": 500}
                folder.write_results({"headline": "", "models": models, **tested, "seconds": seconds})

    def suite(self, name, seeds, bonus=0.05, trainings=True):
        for controller, seed in itertools.product(("alphaxenas", "random"), range(seeds)):
            self.search(name, controller, seed, bonus=bonus * (controller == "alphaxenas"), failing=5)
        if trainings:
            self.training(name, "final", accuracy=0.95)
            self.training(name, "densenet")
        return load_suite(name, self.exp_dir)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "exp")


@pytest.fixture(scope="session")
def suites(tmp_path_factory):
    """Number of seeds to a whole suite, made once for tests that only read; smaller ones are its first seeds."""
    whole = Shelf(tmp_path_factory.mktemp("stored") / "exp").suite("suite", 6)
    return {
        seeds: replace(whole, searches=tuple(run for run in whole.searches if run.seed < seeds)) for seeds in (1, 3, 6)
    }


@pytest.fixture
def rng():
    return np.random.default_rng(0)

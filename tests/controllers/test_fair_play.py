"""What controllers may not know: rewards that nobody paid for, the column that is only reported, outcomes before they
predict them.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from alphaxenas.contracts import Budget, Outcome
from alphaxenas.controllers.catalogue import CONTROLLERS, make_controller
from alphaxenas.controllers.surrogate.alternatives import SURROGATES
from alphaxenas.controllers.surrogate.guided import GuidedSearch
from alphaxenas.tabular.benchmark_tables import read_table
from tests.controllers.tabular import SPACE, reward

QUICK = {
    "alphaxenas": {
        "num_simulations": 4,
        "lstm_units": 4,
        "lstm_steps": 2,
        "search_children": 3,
        "warmup_iterations": 1,
    },
    "alphax": {"refit_every": 8, "meta_layers": (8,), "meta_epochs": 2},
    "guided": {"simulations": 12, "initial": 4},
    "evolution": {"population": 5, "sample": 3},
    "reinforce": {"batch": 5, "units": 8},
    "controller_pool": {"batch": 5, "units": 8},
    "nao": {"pool": 8, "new": 4, "tops": 4, "random": 1, "epochs": 20},
}
STEPS = 24


def written(path, signals, reports):
    """A table of 81 codes with these columns."""
    codes = ("".join(code) for code in itertools.product("abc", repeat=4))
    path.write_text(
        "arch,valid,test\n"
        + "".join(f"{code},{signal:.6f},{report:.6f}\n" for code, signal, report in zip(codes, signals, reports))
    )
    return read_table(path, "arch", "valid", report="test")


def played(name, table):
    """Rows that a controller asks a table for, and the report of each, which it is told among the metrics."""
    controller = make_controller(name, table.space, 0, Budget(1), **QUICK.get(name, {}))
    rows, reports = [], []
    for _ in range(STEPS):
        proposal = controller.ask()
        rows.append(table.lookup(proposal.tokens))
        reports.append(float(table.report[rows[-1]]))
        controller.tell(Outcome(proposal, float(table.rewards[rows[-1]]), metrics={"report": reports[-1]}))
    return rows, reports


@pytest.mark.parametrize("name", CONTROLLERS)
def test_neither_unpaid_rewards_nor_the_report_change_what_a_controller_asks_for(name, tmp_path):
    rng = np.random.default_rng(0)
    signals, reports = rng.uniform(0.3, 0.9, (2, 81))
    rows, told = played(name, written(tmp_path / "one.csv", signals, reports))
    others = rng.uniform(0.3, 0.9, 81)
    others[rows] = signals[rows]  # what was paid for stays as it was
    assert (others != signals).sum() > 40
    same, other_reports = played(name, written(tmp_path / "other.csv", others, 1 - reports))
    assert same == rows and other_reports == pytest.approx([1 - report for report in told])
    paid = rows[0]
    others[paid] = 0.99 if signals[paid] < 0.6 else 0.01
    if name not in ("random", "ranked", "static", "local"):  # what they ask for next may well be the same
        assert played(name, written(tmp_path / "third.csv", others, reports))[0] != rows


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_guided_search_never_judges_a_prediction_by_what_it_was_fitted_to(surrogate):
    strategy, fitted = GuidedSearch(SPACE, 0, surrogate=surrogate, simulations=8, initial=5), set()
    fit = strategy._surrogate.fit

    def watched(sequences, features, values):
        fitted.update(tuple(tokens) for tokens in sequences)
        return fit(sequences, features, values)

    strategy._surrogate.fit = watched
    for number in range(14):
        before = len(strategy._quality)
        tokens = strategy.suggest()
        assert tokens not in fitted and number == len(fitted) or number < 5
        strategy.observe(tokens, reward(tokens))
        if len(strategy._quality) > before:
            assert strategy._quality[-1][1] == reward(tokens)
    assert len(strategy._quality) == 14 - 5 and len(fitted) == 13
    assert {"guided/rank_correlation", "guided/coverage"} <= strategy.diagnostics().keys()


def test_two_controllers_share_nothing():
    """AX-9: dictionaries of a class, shared by its instances."""
    for name in CONTROLLERS:
        alone = make_controller(name, SPACE, 0, Budget(1), **QUICK.get(name, {}))
        expected = [_step(alone) for _ in range(10)]
        one, other = (make_controller(name, SPACE, seed, Budget(1), **QUICK.get(name, {})) for seed in (0, 1))
        assert [(_step(one), _step(other))[0] for _ in range(10)] == expected, name


def _step(controller):
    proposal = controller.ask()
    controller.tell(Outcome(proposal, reward(proposal.tokens)))
    return proposal.tokens

"""Looking architectures up: rewards, budgets, and what the table lacks."""

from __future__ import annotations

import numpy as np
import pytest

from alphaxenas.contracts import Budget, Proposal
from alphaxenas.evaluators.table import TableEvaluator
from alphaxenas.spaces import NASBench101, NASBench201
from alphaxenas.tabular.benchmark_tables import BenchmarkTable, Scores, read_table

SPACE = NASBench201()
TOKENS = ((3, 1, 0, 1, 3, 2), (0,) * 6)


def evaluator(scores, epochs):
    rows = {SPACE.key(SPACE.decode(tokens)): row for row, tokens in enumerate(TOKENS)}
    return TableEvaluator(BenchmarkTable("some cells", SPACE, rows, scores, epochs, "valid"))


def ask(tokens, epochs=1, number=0):
    return Proposal(number, tokens, Budget(epochs))


def test_percent_become_fractions_in_reward_and_report_and_cost_stays_seconds():
    found = evaluator({0: Scores(np.array([93.0, 10.0]), np.array([92.0, 9.0]), np.array([120.0, 60.0]))}, 0)
    outcome = found.evaluate(ask(TOKENS[0]))
    assert outcome.reward == pytest.approx(0.93)
    assert outcome.metrics == {"report": pytest.approx(0.92), "cost": 120.0}


def test_what_the_table_does_not_have_is_no_metric():
    assert evaluator({0: Scores(np.array([0.93, 0.1]))}, 0).evaluate(ask(TOKENS[0])).metrics == {}


def test_an_architecture_that_the_table_lacks_is_missing_and_counted():
    found = evaluator({0: Scores(np.array([0.93, 0.1]))}, 0)
    outcome = found.evaluate(ask((4,) * 6))
    assert (outcome.status, outcome.reward, outcome.metrics) == ("missing", 0.0, {})
    assert outcome.reason == "the table some cells lacks this architecture"
    found.evaluate(ask(TOKENS[1]))
    assert (found.missing, found.evaluated) == (1, 1)
    again = evaluator({0: Scores(np.array([0.93, 0.1]))}, 0)
    again.restore(found.state())
    assert (again.missing, again.evaluated) == (1, 1)


def test_the_budget_chooses_the_epochs_where_the_table_has_several():
    scores = {4: Scores(np.array([0.5, 0.1])), 108: Scores(np.array([0.9, 0.2]), None, np.array([7.0, 8.0]))}
    found = evaluator(scores, 108)
    assert found.evaluate(ask(TOKENS[0], 4)).reward == 0.5
    outcome = found.evaluate(ask(TOKENS[0], 108))
    assert outcome.reward == 0.9 and outcome.metrics == {"cost": 7.0}
    with pytest.raises(ValueError, match="`epochs`. Expected a budget of some cells: 4, 108. Received: 12"):
        found.evaluate(ask(TOKENS[0], 12))


def test_a_table_of_one_budget_answers_every_budget():
    found = evaluator({36: Scores(np.array([0.5, 0.1]))}, 36)
    assert {found.evaluate(ask(TOKENS[0], epochs)).reward for epochs in (0, 1, 36, 200)} == {0.5}


def test_a_game_of_another_space_is_refused():
    with pytest.raises(ValueError, match="`tokens`"):
        evaluator({0: Scores(np.array([0.5, 0.1]))}, 0).evaluate(ask((0, 1)))


def test_isomorphic_games_get_the_same_answer(tmp_path):
    space = NASBench101(5)
    cells = list(space.architectures())
    keys = list(dict.fromkeys(map(space.key, cells)))
    path = tmp_path / "cells.csv"
    path.write_text("\n".join(["hash,valid", *(f"{key},{place / len(keys)}" for place, key in enumerate(keys))]))
    found = TableEvaluator(read_table(path, "hash", "valid"))
    rewards = {}
    for cell in cells:
        outcome = found.evaluate(ask(space.encode(cell)))
        assert rewards.setdefault(space.key(cell), outcome.reward) == outcome.reward
    assert found.missing == 0 and found.evaluated == len(cells) > len(set(rewards.values())) == len(keys)

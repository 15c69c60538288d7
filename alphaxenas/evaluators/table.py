"""The evaluator that trains nothing: it looks architectures up in a table."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import Outcome, Proposal
from alphaxenas.tabular.benchmark_tables import BenchmarkTable, Scores


class TableEvaluator:
    """Answers with what a table knows; see `contracts.Evaluator`.

    Attributes:
        evaluated: Architectures that the table had, counted as often as they were asked for.
        missing: Architectures that it lacked.
    """

    def __init__(self, table: BenchmarkTable) -> None:
        self.evaluated = 0
        self.missing = 0
        self._table = table
        self._answers = {epochs: self._prepared(scores) for epochs, scores in table.scores.items()}
        self._only = self._answers[table.epochs] if len(self._answers) == 1 else None

    def evaluate(self, proposal: Proposal) -> Outcome:
        """Looks one architecture up.

        A table with several budgets answers for the epochs of the proposal's budget; a table with one answers every
        budget with that. No table knows of fractions of the data.

        Returns:
            The outcome. Reward: the search signal, percent as fractions. `metrics`: `report`, in the same units as the
            reward, and `cost`, seconds of training, where the table has them. An architecture that the table lacks has
            the status `"missing"`, reward 0 and no metrics.

        Raises:
            ValueError: The game is none of the table's space, or the table has several budgets and not this one.
        """
        begin = time.perf_counter()
        row = self._table.lookup(proposal.tokens)
        answers = self._only or self._answers.get(proposal.budget.epochs)
        if answers is None:
            raise self._table.unknown_budget(proposal.budget.epochs)
        if row is None:
            self.missing += 1
            reason = f"the table {self._table.name} lacks this architecture"
            return Outcome(proposal, 0.0, "missing", {}, time.perf_counter() - begin, reason)
        self.evaluated += 1
        rewards, columns = answers
        metrics = {name: column[row] for name, column in columns}
        return Outcome(proposal, rewards[row], "ok", metrics, time.perf_counter() - begin)

    def state(self) -> dict[str, Any]:
        """What was counted."""
        return {"evaluated": self.evaluated, "missing": self.missing}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self.evaluated, self.missing = int(state["evaluated"]), int(state["missing"])

    def _prepared(self, scores: Scores) -> tuple[list[float], list[tuple[str, list[float]]]]:
        """Rewards and further columns as lists, which are faster to read one by one than arrays."""

        def fractions(column: np.ndarray) -> list[float]:
            return (column / 100 if self._table.percent else column).tolist()

        columns = []
        if scores.report is not None:
            columns.append(("report", fractions(scores.report)))
        if scores.cost is not None:
            columns.append(("cost", scores.cost.tolist()))
        return fractions(scores.signal), columns

"""What a search looks for: accuracy, and what a network costs. Every objective is declared once, here.

objectives = named(("accuracy", "latency"))
objectives.values(outcome)      # larger is better in every entry: the latency with a minus
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alphaxenas.contracts import Outcome, Tokens
from alphaxenas.controllers.pareto.front import GrowingFront, front, hypervolume, knee
from alphaxenas.spaces.user_space import Costs
from alphaxenas.suggestions import check_name, invalid


@dataclass(frozen=True)
class Objective:
    """One thing that is wanted.

    Attributes:
        name: How parameters, journals and figures call it.
        metric: Where an outcome has it among its metrics; empty for the reward.
        maximise: Whether more is better.
        unit: For figures; empty for a plain number.
    """

    name: str
    metric: str
    maximise: bool
    unit: str = ""

    @property
    def label(self) -> str:
        """For the axis of a figure."""
        return f"{self.name.replace('_', '-')} ({self.unit})" if self.unit else self.name.replace("_", "-")


OBJECTIVES = {
    one.name: one
    for one in (
        Objective("accuracy", "", True),
        Objective("latency", "latency_ms", False, "ms"),
        Objective("parameters", "parameters", False),
        Objective("multiply_adds", "multiply_adds", False),
    )
}
"""What the parameter `objectives` may name."""


@dataclass(frozen=True)
class Objectives:
    """Several objectives of one search, in the order in which they were named.

    Attributes:
        parts: Two or more, the first of them what a scalar reward is.
        costs: What an architecture is known to cost before it is evaluated, by metric; strategies take such objectives
            as they are instead of modelling them. None where nothing is known.
        takes_time: Whether `costs` computes something, so that nobody asks for those of a whole space.
    """

    parts: tuple[Objective, ...]
    costs: Costs | None = field(default=None, compare=False)
    takes_time: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.parts) < 2 or len({one.name for one in self.parts}) < len(self.parts):
            raise invalid("objectives", "two or more different ones", [one.name for one in self.parts])

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(one.name for one in self.parts)

    def of(self, outcome: Outcome) -> dict[str, float]:
        """The objectives of an outcome by name, as they are measured.

        Raises:
            ValueError: Nothing measured one of them; names it.
        """
        for one in self.parts:
            if one.metric and one.metric not in outcome.metrics:
                known = ", ".join(outcome.metrics) or "nothing"
                raise invalid("objectives", f"an evaluator that measures `{one.metric}`", f"one that measures {known}")
        return {one.name: float(outcome.metrics[one.metric] if one.metric else outcome.reward) for one in self.parts}

    def values(self, outcome: Outcome) -> np.ndarray:
        """The objectives of an outcome, larger is better, float64 `[m]`."""
        return self.larger_is_better(self.of(outcome))

    def larger_is_better(self, measured: Mapping[str, float]) -> np.ndarray:
        """What `of` returns, or the `objectives` of a journal's record, with a minus where less is better, `[m]`."""
        return np.array([measured[one.name] if one.maximise else -measured[one.name] for one in self.parts])

    def known(self, architecture: Any) -> np.ndarray:
        """What is known of an architecture before it is evaluated, larger is better, `[m]`; NaN where nothing is."""
        costs = {} if self.costs is None else self.costs(architecture)
        return self.larger_is_better({one.name: costs.get(one.metric, np.nan) for one in self.parts})

    def rated(self, records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Those of a journal that a front is made of: at the final budget once there are such ones."""
        found = [record for record in records if "objectives" in record and record["purpose"] != "refresh"]
        return [record for record in found if record["purpose"] == "final"] or found

    def front_of(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The records that no other one beats, best first in the first objective; `knee` marks one of them.

        Args:
            records: Of a journal, with their `objectives`. Of equal keys the first counts.
        """
        first: dict[str, Mapping[str, Any]] = {}
        for record in records:
            first.setdefault(record["key"], record)
        found = list(first.values())
        if not found:
            return []
        values = np.stack([self.larger_is_better(record["objectives"]) for record in found])
        places = sorted(front(values).tolist(), key=lambda place: tuple(-values[place]))
        marked = knee(values[places])
        return [{**found[place], "knee": number == marked} for number, place in enumerate(places)]

    def volume_of(self, records: Sequence[Mapping[str, Any]], among: Sequence[Mapping[str, Any]]) -> float:
        """The hypervolume of records, measured from the worst that some other records have of every objective.

        Args:
            records: Of a journal, with their `objectives`.
            among: The records that give the reference point.
        """
        if not records or not among:
            return 0.0
        values, all_values = (
            np.stack([self.larger_is_better(record["objectives"]) for record in part]) for part in (records, among)
        )
        return hypervolume(values, all_values.min(0))


def named(names: Sequence[str]) -> Objectives | None:
    """The objectives of these names; None where there are none, or accuracy alone, which every search looks for.

    Raises:
        ValueError: An unknown name, or one twice.
    """
    for name in names:
        check_name("objectives", name, OBJECTIVES)
    return None if tuple(names) in ((), ("accuracy",)) else Objectives(tuple(OBJECTIVES[name] for name in names))


def wished(objectives: Objectives | None, starts: Mapping[Tokens, str], outcome: Outcome) -> dict[str, Any]:
    """What the record of a trial holds besides, of what a user wants and knows.

    Args:
        objectives: Of the search; None for one.
        starts: Names of the starting architectures by their tokens.
        outcome: Of the trial.

    Returns:
        `start_from` of a starting architecture's trial, `objectives` of one that succeeded.
    """
    found: dict[str, Any] = {}
    if outcome.proposal.number < len(starts) and outcome.proposal.tokens in starts:
        found["start_from"] = starts[outcome.proposal.tokens]
    if objectives is not None and outcome.status == "ok":
        found["objectives"] = objectives.of(outcome)
    return found


class FrontSoFar:
    """The front of a journal that grows; every record is looked at once, however long the search.

    Args:
        objectives: Of the search; None for one, which has no front.
    """

    def __init__(self, objectives: Objectives | None) -> None:
        self._objectives, self._seen, self._final = objectives, 0, False
        self._front = GrowingFront()

    @property
    def records(self) -> list[Mapping[str, Any]]:
        """Those that no other one beats so far, in the order of the journal."""
        return self._front.members

    def add(self, record: Mapping[str, Any]) -> bool:
        """Looks at the next record; returns whether the front has changed."""
        if self._objectives is None or not self._objectives.rated([record]):
            return False
        if (final := record["purpose"] == "final") and not self._final:
            self._front = GrowingFront()  # from here on children at the final budget alone are rated
        if self._final and not final:
            return False
        self._final = final
        return self._front.add(record, self._objectives.larger_is_better(record["objectives"]))

    def curves(self, records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Size and hypervolume of the front so far, for event files; nothing with one objective.

        Args:
            records: The journal; those at its end that were not there the last time are looked at.
        """
        if self._objectives is None:
            return {}
        while self._seen < len(records):
            self.add(records[self._seen])
            self._seen += 1
        return {"pareto/front": float(len(self.records)), "pareto/hypervolume": self._front.volume()}


def summary(objectives: Objectives | None, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """For the results of a search: `objectives`, `front` (best first in the first of them) and `hypervolume`.

    Args:
        objectives: Of the search; None for one, of which there is nothing to say.
        records: Its journal.
    """
    if objectives is None:
        return {}
    rated = objectives.rated(records)
    front = objectives.front_of(rated)
    volume = objectives.volume_of(front, rated)
    return {"objectives": list(objectives.names), "front": front, "hypervolume": volume}

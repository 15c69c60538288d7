"""Tables of trained architectures: a search on them costs nothing, and the best that it can find is known.

Three kinds of file are read: CSV (a column with the architecture's code, columns of numbers), `nasbench101_20k.npz` (a
sample of NAS-Bench-101) and the official NAS-Bench-101 records. Everything that is wrong with a file is said here,
before any search, with file, row and column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.pareto.objectives import Objective, Objectives
from alphaxenas.data.download import DataError
from alphaxenas.spaces import NASBench101
from alphaxenas.spaces.checks import check_name
from alphaxenas.spaces.user_space import Costs, Limits, UserSpace
from alphaxenas.suggestions import invalid
from alphaxenas.tabular.choices import parse_signals
from alphaxenas.tabular.csv_tables import SPACES, csv_header, read_csv

ANY_EPOCHS = 0
"""The budget of a table that tells none."""
ENDINGS = (".csv", ".csv.gz", ".npz", ".tfrecord")


@dataclass(frozen=True, eq=False)
class Scores:
    """What a table knows of its rows at one budget; each column is float64 `[rows]` in the file's own units.

    Attributes:
        signal: What a search may see: validation accuracy.
        report: What a search is judged by: test accuracy; None where no such column was named.
        cost: Seconds of training; None where no such column was named.
    """

    signal: np.ndarray
    report: np.ndarray | None = None
    cost: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class BenchmarkTable:
    """A table, ready to be searched.

    Attributes:
        name: Of the file, without endings.
        space: In which its architectures live. A space may be larger than the table.
        rows: Row by key of the space.
        scores: By epochs; a table that tells no epochs has one entry, `ANY_EPOCHS`.
        epochs: The budget that `signal`, `report` and `cost` are of.
        signal_name: The named column.
        report_name: The named column, or None.
        cost_name: The named column, or None.
        objectives: What is searched for where several signals were named, by their columns; None with one.
        measures: Further signals and limited columns by name, in the file's units, float64 `[rows]` each.
        allowed: Whether a row holds the limits, bool `[rows]`; None without limits. The space allows no other.
    """

    name: str
    space: SearchSpace
    rows: Mapping[str, int]
    scores: Mapping[int, Scores]
    epochs: int
    signal_name: str
    report_name: str | None = None
    cost_name: str | None = None
    objectives: Objectives | None = None
    measures: Mapping[str, np.ndarray] = field(default_factory=dict)
    allowed: np.ndarray | None = None
    _found: dict[Tokens, int | None] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def signal(self) -> np.ndarray:
        """The (first) search signal in the file's units, with a minus where less is better, float64 `[rows]`."""
        return self.scores[self.epochs].signal

    @property
    def report(self) -> np.ndarray | None:
        """The report column in the file's units, float64 `[rows]`, or None."""
        return self.scores[self.epochs].report

    @property
    def cost(self) -> np.ndarray | None:
        """Seconds of training, float64 `[rows]`, or None."""
        return self.scores[self.epochs].cost

    @cached_property
    def percent(self) -> bool:
        """Whether the signal is given in percent: it exceeds 1 somewhere and stays within 0..100 everywhere."""
        low = min(float(scores.signal.min()) for scores in self.scores.values())
        high = max(float(scores.signal.max()) for scores in self.scores.values())
        return low >= 0 and 1 < high <= 100

    @cached_property
    def rewards(self) -> np.ndarray:
        """The signal as rewards: percent become fractions, anything else stays as it is (more is better), `[rows]`."""
        return self.signal / 100 if self.percent else self.signal

    @cached_property
    def optimum(self) -> float:
        """The largest signal, in the file's units, of the rows that hold the limits."""
        return float(self.signal.max() if self.allowed is None else self.signal[self.allowed].max())

    @cached_property
    def vectors(self) -> np.ndarray:
        """All signals as rewards, larger is better, float64 `[rows, signals]`."""
        if self.objectives is None:
            return self.rewards[:, None]
        others = [self.measures[one.name] * (1 if one.maximise else -1) for one in self.objectives.parts[1:]]
        return np.stack([self.rewards, *others], axis=1)

    def lookup(self, tokens: Tokens) -> int | None:
        """Row of a complete token sequence, or None where the table lacks it; ValueError if the sequence is invalid."""
        try:
            return self._found[tokens]
        except KeyError:
            row = self._found[tokens] = self.rows.get(self.space.key(self.space.decode(tokens)))
            return row


def read_table(
    path: Path | str,
    code: str,
    signal: str,
    report: str | None = None,
    cost: str | None = None,
    space: SearchSpace | str = "auto",
    epochs: int | None = None,
    same_signal_and_report: bool = False,
    where: Mapping[str, Any] | None = None,
    repeats: str | None = None,
    at_most: Mapping[str, float] | None = None,
) -> BenchmarkTable:
    """Reads a table.

    Args:
        path: `.csv` or `.csv.gz` with a header; `nasbench101_20k.npz` (columns `val_acc_4`, `_12`, `_36`, `_108`,
            `train_time_108_s`); or `nasbench_only108.tfrecord`, `nasbench_full.tfrecord` (columns in
            `nasbench_records.COLUMNS`; several trainings of a cell are averaged).
        code: Column that says which architecture a row is; `module_hash` in the last two.
        signal: Column that a search may see, or several; see `choices.parse_signals`.
        report: Column that a search is judged by.
        cost: Column of seconds of training.
        space: A space, or one of `SPACES`. `auto`: NASBench201 where the codes are its strings (or its six digits,
            confirmed by a column `arch_str`), NASBench101 where they are its hashes, up to the number of vertices that
            the rows need; otherwise `Table`.
        epochs: Budget, where the table has several: rows of a CSV with that number in the column `epochs`, the largest
            in records.
        same_signal_and_report: Allows the two to be one column; what is found is then judged by what chose it.
        where: Keep only the rows of a CSV whose columns have these values; `{"repeat": 0}` takes one training of each
            cell from records.
        repeats: `"mean"` averages the rows of a CSV with the same code, which is an error otherwise.
        at_most: Limits by column of a CSV: only architectures that hold them are searched.

    Returns:
        The table, with the key of every row in its space.

    Raises:
        ValueError: An argument is impossible, such as an unknown column; names it, what is allowed and the nearest
            name.
        DataError: Something is wrong with the file; names file, row and column.
    """
    path, where = Path(path), {name: str(value) for name, value in (where or {}).items()}
    if report is not None and report == signal and not same_signal_and_report:
        raise invalid(
            "report",
            "another column than `signal`: a search that is judged by what it saw looks better than it is",
            f"{report!r} for both. To judge by the signal all the same, set `same_signal_and_report`.",
        )
    if repeats not in (None, "mean"):
        raise invalid("repeats", "None or 'mean'", repr(repeats))
    if isinstance(space, str):
        check_name("space", space, SPACES)
    if not path.name.endswith(ENDINGS):
        raise invalid("path", f"a file that ends in {', '.join(ENDINGS)}", path)
    if not path.is_file():
        raise DataError(f"Invalid value for `path`. Expected a table. Received: {path}, which does not exist")
    first, *others = parse_signals(signal)
    limits = dict(at_most or {})
    further = tuple(dict.fromkeys([*(one.column for one in others), *limits]))
    named = _Named(code, first.column, report, cost)
    measures: dict[str, np.ndarray] = {}
    if path.name.endswith((".csv", ".csv.gz")):
        found, keys, scores, chosen, measures = _from_csv(path, named, space, epochs, where, repeats, further)
    else:
        if further:
            raise invalid(
                "signal" if others else "at_most", "one signal and no limits for this file", further, path.name
            )
        if repeats is not None or space not in ("auto", "nasbench101"):
            name, value = ("repeats", repeats) if repeats is not None else ("space", space)
            raise invalid(name, "it for CSV tables alone", f"{value!r} for {path}")
        reader = _from_pool if path.name.endswith(".npz") else _from_records
        found, keys, scores, chosen = reader(path, named, epochs, where)
    name = re.sub(r"(\.csv|\.gz|\.npz|\.tfrecord)+$", "", path.name)
    if not first.more:
        scores = {budget: replace(each, signal=-each.signal) for budget, each in scores.items()}
    rows, objectives, allowed = {key: row for row, key in enumerate(keys)}, None, None
    if others:
        parts = (Objective(one.column, one.column, one.more) for one in others)
        told = [one.column for one in others if one.known]
        costs = _costs(found, rows, {name: measures[name] for name in told}) if told else None
        objectives = Objectives((Objective(first.column, "", True), *parts), costs)
    if limits:
        found, allowed = _limited(found, rows, measures, limits)
    columns = (signal, report, cost, objectives, measures, allowed)
    return BenchmarkTable(name, found, rows, scores, chosen, *columns)


def _limited(
    space: SearchSpace, rows: Mapping[str, int], measures: Mapping[str, np.ndarray], limits: Mapping[str, float]
) -> tuple[SearchSpace, np.ndarray]:
    """The space without the architectures that the table knows to break a limit, and the rows that break none."""
    allowed = np.all([measures[name] <= most for name, most in limits.items()], axis=0)
    if not allowed.any():
        name = max(limits, key=lambda name: float(measures[name].min()) / limits[name])
        raise invalid(
            "at_most", f"at least {float(measures[name].min()):g}, the least of the table", limits[name], name
        )

    names = {name: f"at_most {name}" for name in limits}
    costs = _costs(space, rows, {name: measures[name] for name in limits})
    # A hundred thousand look-ups take a second, so the space may be looked at as a whole.
    return UserSpace(space, Limits(limits, costs, names)), allowed


def _costs(space: SearchSpace, rows: Mapping[str, int], measures: Mapping[str, np.ndarray]) -> Costs:
    """Looks columns of a table up; of an architecture that the table lacks nothing is known."""

    def costs(architecture: Any) -> Mapping[str, float]:
        row = rows.get(space.key(architecture))
        return {} if row is None else {name: float(column[row]) for name, column in measures.items()}

    return costs


_Read = tuple[SearchSpace, Sequence[str], dict[int, Scores], int]
"""Space, keys in the order of the rows, scores by epochs, chosen epochs."""


class _Named(NamedTuple):
    """Columns by the parameter of `read_table` that names them."""

    code: str
    signal: str
    report: str | None
    cost: str | None


def _from_csv(
    path: Path,
    named: _Named,
    space: SearchSpace | str,
    epochs: int | None,
    where: dict[str, str],
    repeats: str | None,
    further: tuple[str, ...],
) -> tuple[SearchSpace, Sequence[str], dict[int, Scores], int, dict[str, np.ndarray]]:
    header = csv_header(path)
    _check(path, named, dict.fromkeys(named._fields, header))
    for name in further:
        check_name("signal or at_most", name, header, str(path))
    for name in where:
        check_name("where", name, header, str(path))
    if epochs is not None:
        check_name("epochs", "epochs", header, f"{path}, which tells no epochs by a column of that name")
        where = {**where, "epochs": str(epochs)}
    columns = (*named[1:], *further)
    found, keys, (signal, report, cost, *others) = read_csv(path, named.code, columns, space, where, repeats == "mean")
    chosen = ANY_EPOCHS if epochs is None else epochs
    assert signal is not None  # the signal is always named
    measures = {name: column for name, column in zip(further, others) if column is not None}
    return found, keys, {chosen: Scores(signal, report, cost)}, chosen, measures


def _from_pool(path: Path, named: _Named, epochs: int | None, where: dict[str, str]) -> _Read:
    from alphaxenas.tabular.nasbench_pool import read_pool

    pool = read_pool(path)
    every = tuple(pool.columns)
    _check(path, named, {"code": ("module_hash",), "signal": tuple(pool.epochs), "report": every, "cost": every})
    chosen = pool.epochs[named.signal]
    if epochs not in (None, chosen) or where:
        name, value = ("where", where) if where else ("epochs", epochs)
        raise invalid(name, f"none, for {named.signal!r} says the budget", value)
    # Report and cost are of the chosen budget; at the others the file has a signal alone.
    scores = {budget: Scores(pool.columns[name]) for name, budget in pool.epochs.items()}
    scores[chosen] = Scores(
        pool.columns[named.signal],
        *(None if name is None else pool.columns[name] for name in (named.report, named.cost)),
    )
    return pool.space, pool.keys, scores, chosen


def _from_records(path: Path, named: _Named, epochs: int | None, where: dict[str, str]) -> _Read:
    from alphaxenas.tabular.nasbench_records import COLUMNS, read_trainings

    _check(path, named, {"code": ("module_hash",), "signal": COLUMNS, "report": COLUMNS, "cost": COLUMNS})
    for name in where:
        check_name("where", name, ("repeat",), str(path))
    trainings = read_trainings(path)
    budgets, repeats = (sorted(set(numbers.tolist())) for numbers in (trainings.epochs, trainings.repeats))
    chosen = budgets[-1] if epochs is None else epochs
    check_name("epochs", str(chosen), map(str, budgets), str(path))
    repeat = int(check_name("where", where["repeat"], map(str, repeats), str(path))) if where else None
    scores = {
        budget: Scores(
            trainings.mean(named.signal, budget, repeat),
            *(None if name is None else trainings.mean(name, budget, repeat) for name in (named.report, named.cost)),
        )
        for budget in budgets
    }
    return NASBench101(max(3, trainings.vertices)), trainings.hashes, scores, chosen


def _check(path: Path, named: _Named, allowed: Mapping[str, Sequence[str]]) -> None:
    """ValueError unless every named column is there; names the nearest that is."""
    for parameter, name in named._asdict().items():
        if name is not None:
            check_name(parameter, name, allowed[parameter], str(path))

"""Published accuracies of the architectures of a space, which no search may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alphaxenas.contracts import SearchSpace
from alphaxenas.data.download import DataError
from alphaxenas.tabular.benchmark_tables import read_table
from alphaxenas.tabular.csv_tables import read_lines


@dataclass(frozen=True)
class Truth:
    """A column of a table of published accuracies.

    Attributes:
        table: Name of its file.
        column: Name of the column.
        values: Value by key of the searched space; larger is better.
    """

    table: str
    column: str
    values: Mapping[str, float]

    @property
    def best(self) -> float:
        """The largest value."""
        return max(self.values.values())

    def rank(self, value: float) -> int:
        """Place of a value among all of the table, from 1."""
        return 1 + sum(other > value for other in self.values.values())


def read_truth(path: Path | str, column: str, space: SearchSpace) -> Truth:
    """Reads the published accuracies of a space; which column names its architectures is found out.

    Args:
        path: A table as for `read_table`.
        column: The column of accuracies.
        space: What is searched: its keys find architectures in the table.

    Returns:
        The published values.

    Raises:
        ValueError: There is no such column; names the nearest.
        DataError: The file is missing or damaged, or none of its columns names architectures of the space.
    """
    path = Path(path)
    try:
        if path.name.endswith((".csv", ".csv.gz")) and path.is_file():
            table = read_table(path, _code_column(path, space), column, space=space)
        else:
            table = read_table(path, "module_hash", column)
    except ValueError as error:
        # As the parameters are called here.
        message = str(error).replace("`signal`", "`truth_column`").replace("`path`", "`truth_table`")
        raise type(error)(message) from None
    return Truth(path.name, column, {key: float(table.signal[row]) for key, row in table.rows.items()})


def _code_column(path: Path, space: SearchSpace) -> str:
    """The first column whose first value is a text, a code or a hash of an architecture of the space."""
    header, (first,), _ = read_lines(path, most=1)
    key = space.key(space.sample(np.random.default_rng(0)))
    for name, text in zip(header, first):
        if len(text) == len(key) == 32 and not f"{text}{key}".strip("0123456789abcdef"):
            return name
        try:
            space.parse(text)
        except ValueError:
            continue
        return name
    raise DataError(
        f"Invalid value for `truth_table`. Expected a column with architectures of {space!r}. "
        f"Received: {path} with the columns {', '.join(header)}"
    )

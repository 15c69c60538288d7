"""Reader of `nasbench101_20k.npz`: a random sample of NAS-Bench-101, validation accuracies at four budgets."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alphaxenas.data.download import DataError
from alphaxenas.spaces import NASBench101, NASBench101Cell, Subset
from alphaxenas.spaces.nasbench.cell101 import OPERATIONS_101

_ARRAYS = ("module_hash", "adjacency", "ops", "num_vertices", "epochs", "val_acc", "train_time_108_s")
_CODES = {code: name for code, name in enumerate(OPERATIONS_101)} | {-1: "input", -2: "output"}


@dataclass(frozen=True, eq=False)
class Pool:
    """The sample.

    Attributes:
        space: NAS-Bench-101 with the sampled cells alone.
        keys: In the order of the rows.
        columns: `val_acc_4`, ..., `train_time_108_s`: float64 `[rows]`.
        epochs: Budget by column of accuracies.
    """

    space: Subset
    keys: list[str]
    columns: dict[str, np.ndarray]
    epochs: dict[str, int]


def read_pool(path: Path) -> Pool:
    """Reads the sample; every cell's hash is computed and compared with the stored one.

    Args:
        path: The file `nasbench101_20k.npz`.

    Returns:
        The whole sample.

    Raises:
        DataError: The file is not of this kind, or damaged; names file, row and column.
    """
    arrays = _checked_arrays(path)
    budgets = arrays["epochs"].tolist()
    epochs = {f"val_acc_{budget}": budget for budget in budgets}
    columns = {name: arrays["val_acc"][:, place].astype(np.float64) for place, name in enumerate(epochs)}
    columns["train_time_108_s"] = arrays["train_time_108_s"].astype(np.float64)
    for name, column in columns.items():
        for wrong in np.flatnonzero(~np.isfinite(column)):
            raise DataError(
                f"{path}, row {wrong + 1}, column {name!r}: Expected a finite number. Received: {column[wrong]}"
            )
    space, cells = NASBench101(), []
    rows: dict[str, int] = {}
    for row, stored in enumerate(arrays["module_hash"], start=1):
        key = bytes(stored).hex()
        place = f"{path}, row {row}, column 'module_hash'"
        if rows.setdefault(key, row) != row:
            raise DataError(
                f"{place}: Expected every architecture once. Received: {key}, which is in row {rows[key]} too"
            )
        count = int(arrays["num_vertices"][row - 1])
        try:
            operations = [_CODES[code] for code in arrays["ops"][row - 1, :count].tolist()]
            cell = NASBench101Cell.from_matrix(arrays["adjacency"][row - 1, :count, :count], operations)
        except (KeyError, ValueError) as error:
            raise DataError(
                f"{path}, row {row}, column 'ops' or 'adjacency': no cell of NAS-Bench-101 ({error})"
            ) from None
        computed = None if cell is None else space.key(cell)
        if computed != key:
            raise DataError(f"{place}: Expected the hash of the cell, {computed}. Received: {key}")
        cells.append(cell)
    return Pool(Subset(space, tuple(cells)), list(rows), columns, epochs)


def _checked_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays, all there and of fitting shapes."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in _ARRAYS if name in stored.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, AttributeError) as error:
        raise DataError(
            f"{path} cannot be read as an .npz of plain arrays (Python objects are never loaded): {error}"
        ) from None
    for name in _ARRAYS:
        if name not in arrays:
            raise DataError(f"{path}: Expected the arrays {', '.join(_ARRAYS)}. Received: no {name}")
    number, vertices, budgets = len(arrays["module_hash"]), 7, arrays["epochs"].size
    shapes = (
        (number, 16),
        (number, vertices, vertices),
        (number, vertices),
        (number,),
        (budgets,),
        (number, budgets),
        (number,),
    )
    for name, shape in zip(_ARRAYS, shapes):
        if arrays[name].shape != shape or not number:
            raise DataError(
                f"{path}, column {name!r}: Expected the shape {list(shape)}. Received: {list(arrays[name].shape)}"
            )
    return arrays

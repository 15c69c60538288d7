"""Reader of the official NAS-Bench-101 files, `nasbench_only108.tfrecord` and `nasbench_full.tfrecord`.

A file holds one record per training. A record is JSON: [hash of the cell, epochs, adjacency as `0` and `1` row by row,
operations with commas between them, metrics], where metrics are the base64 text of a protocol buffer

    message ModelMetrics   { repeated EvaluationData evaluation_data = 1; int64 trainable_parameters = 2; double
    total_time = 3; } message EvaluationData { double current_epoch = 1; double training_time = 2; double train_accuracy
    = 3;
                             double validation_accuracy = 4; double test_accuracy = 5; string checkpoint_path = 6; }

of evaluations at the start, half way and at the end. TensorFlow reads the records; the message is read here, so neither
the nasbench package nor TensorFlow 1 is needed.

Sources: Ying et al. 2019, section 2.4; protocol buffers documentation, "Encoding".
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alphaxenas.data.download import DataError
from alphaxenas.spaces.nasbench.cell101 import NASBench101Cell
from alphaxenas.spaces.nasbench.nasbench101 import module_hash

COLUMNS = ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy", "trainable_parameters")
VERIFIED = 200
"""So many cells' hashes are computed anew, to tell a damaged or foreign file from a good one."""
_EVALUATION_FIELDS = {2: "training_time", 3: "train_accuracy", 4: "validation_accuracy", 5: "test_accuracy"}
_BATCH = 256


@dataclass(frozen=True)
class Training:
    """One record.

    Attributes:
        hash: Of the cell, as stored.
        epochs: Budget of this training.
        vertices: Of the cell.
        adjacency: `vertices * vertices` characters.
        operations: Of all vertices, input and output included.
        values: The final evaluation, by the names in `COLUMNS`.
    """

    hash: str
    epochs: int
    vertices: int
    adjacency: str
    operations: tuple[str, ...]
    values: Mapping[str, float]

    def cell(self) -> NASBench101Cell | None:
        """The cell, pruned; None when its input and output are not connected."""
        matrix = np.array(list(self.adjacency), np.uint8).reshape(self.vertices, self.vertices)
        return NASBench101Cell.from_matrix(matrix, self.operations)


@dataclass(frozen=True, eq=False)
class Trainings:
    """All records of a file, by cell.

    Attributes:
        hashes: One per cell, in the order in which they first occur.
        vertices: Of the largest cell.
        cells: Index into `hashes`, `[trainings]`.
        epochs: Budget, `[trainings]`.
        repeats: 0 for the first training of a cell at that budget, 1 for the second, ..., `[trainings]`.
        values: `[trainings]` by the names in `COLUMNS`.
    """

    hashes: list[str]
    vertices: int
    cells: np.ndarray
    epochs: np.ndarray
    repeats: np.ndarray
    values: Mapping[str, np.ndarray]

    def mean(self, column: str, epochs: int, repeat: int | None = None) -> np.ndarray:
        """A column at one budget: one repeat, or the mean over all, `[cells]`."""
        chosen = self.epochs == epochs if repeat is None else (self.epochs == epochs) & (self.repeats == repeat)
        cells = self.cells[chosen]
        return np.bincount(cells, self.values[column][chosen], len(self.hashes)) / np.bincount(
            cells, minlength=len(self.hashes)
        )


def read_trainings(path: Path) -> Trainings:
    """Reads a whole file.

    Raises:
        DataError: The file is missing, cut short, damaged or not of this kind; names file and record.
    """
    number_of: dict[str, int] = {}
    seen: dict[tuple[int, int], int] = {}
    columns = {name: array("d") for name in COLUMNS}
    cells, epochs, repeats, vertices = array("i"), array("i"), array("i"), 0
    for number, content in enumerate(_records(path), start=1):
        try:
            training = read_training(content)
            if training.hash not in number_of and len(number_of) < VERIFIED:
                _verify(training)
        except ValueError as error:
            raise DataError(f"{path}, record {number}: {error}") from None
        cell = number_of.setdefault(training.hash, len(number_of))
        repeat = seen.get((cell, training.epochs), 0)
        seen[cell, training.epochs] = repeat + 1
        vertices = max(vertices, training.vertices)
        cells.append(cell)
        epochs.append(training.epochs)
        repeats.append(repeat)
        for name, values in columns.items():
            values.append(training.values[name])
    if not cells:
        raise DataError(f"{path} is empty. Expected the records of NAS-Bench-101.")
    hashes = list(number_of)
    most = max(seen.values())
    for budget in sorted(set(epochs)):
        for cell, name in enumerate(hashes):
            if seen.get((cell, budget), 0) != most:
                raise DataError(
                    f"{path} is cut short or damaged. Expected {most} trainings of every cell at {budget} epochs. "
                    f"Received: {seen.get((cell, budget), 0)} of {name}, in {len(cells):,} records"
                )
    arrays = (np.array(cells), np.array(epochs), np.array(repeats))
    return Trainings(hashes, vertices, *arrays, {name: np.array(values) for name, values in columns.items()})


def read_training(content: bytes) -> Training:
    """One record; ValueError says what is wrong with it."""
    try:
        entry = json.loads(content)
    except ValueError:
        raise ValueError(f"Expected JSON. Received: {content[:40]!r}") from None
    kinds = (str, int, str, str, str)
    if not isinstance(entry, list) or len(entry) != len(kinds) or not all(map(isinstance, entry, kinds)):
        raise ValueError(f"Expected [hash, epochs, adjacency, operations, metrics]. Received: {content[:80]!r}")
    name, epochs, adjacency, names, metrics = entry
    operations = tuple(names.split(","))
    vertices = len(operations)
    if len(adjacency) != vertices * vertices or not set(adjacency) <= {"0", "1"}:
        raise ValueError(
            f"Expected an adjacency of {vertices} x {vertices} characters 0 and 1. Received: {adjacency[:60]!r}"
        )
    try:
        message = base64.b64decode(metrics, validate=False)
    except binascii.Error as error:
        raise ValueError(f"Expected metrics in base64. Received: {metrics[:40]!r} ({error})") from None
    return Training(name, epochs, vertices, adjacency, operations, _read_metrics(message))


def _read_metrics(message: bytes) -> dict[str, float]:
    """The last evaluation of a `ModelMetrics` message, and the parameters."""
    # Fields that are not written have the value 0.
    values = dict.fromkeys(COLUMNS, 0.0)
    last = None
    for field, value in _fields(message):
        if field == 1 and isinstance(value, bytes):
            last = value
        elif field == 2 and isinstance(value, int):
            values["trainable_parameters"] = float(value)
    if last is None:
        raise ValueError("Expected at least one evaluation in the metrics. Received: none")
    for field, value in _fields(last):
        if field in _EVALUATION_FIELDS:
            if not isinstance(value, float):
                raise ValueError(f"Expected a number for {_EVALUATION_FIELDS[field]}. Received: {value!r}")
            values[_EVALUATION_FIELDS[field]] = value
    for column, value in values.items():
        if not np.isfinite(value):
            raise ValueError(f"Expected a finite {column}. Received: {value}")
    return values


def _fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """(number, value) of every field of a message: varints as int, 64-bit as float, length-delimited and 32-bit as
    bytes.
    """
    place, end = 0, len(message)
    while place < end:
        tag, place = _varint(message, place)
        field, wire = tag >> 3, tag & 7
        value: int | float | bytes
        if wire == 0:
            value, place = _varint(message, place)
        elif wire in (1, 2, 5):
            length, place = _varint(message, place) if wire == 2 else ({1: 8, 5: 4}[wire], place)
            if place + length > end:
                raise ValueError("the metrics end in the middle of a field")
            value = struct.unpack_from("<d", message, place)[0] if wire == 1 else message[place : place + length]
            place += length
        else:
            raise ValueError(f"the metrics hold a field of the unknown wire type {wire}")
        yield field, value


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """A whole number of seven bits a byte, lowest first, and the place behind it."""
    value = shift = 0
    while place < len(message) and shift < 70:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise ValueError("the metrics end in the middle of a number")


def _verify(training: Training) -> None:
    """ValueError unless the stored hash is that of the stored cell."""
    cell = training.cell()
    computed = module_hash(cell) if cell is not None else "no connected cell"
    if computed != training.hash:
        raise ValueError(f"Expected the hash of the cell, {computed}. Received: {training.hash}")


def _records(path: Path) -> Iterator[bytes]:
    """The records of a file; DataError where one is cut short or damaged."""
    import tensorflow as tf

    if not path.is_file():
        raise DataError(f"Invalid value for `path`. Expected a TFRecord file. Received: {path}, which does not exist")
    dataset = tf.data.TFRecordDataset(str(path), buffer_size=8 << 20)
    done = 0
    try:
        for batch in dataset.batch(_BATCH).as_numpy_iterator():
            yield from batch
            done += len(batch)
        return
    except tf.errors.DataLossError:
        pass
    # The batch with the damaged record is lost as a whole: its good records are read again, one by one.
    try:
        for record in dataset.skip(done).as_numpy_iterator():
            yield record
            done += 1
    except tf.errors.DataLossError as error:
        reason = error.message.split(" [")[0].split("\n")[0]
        raise DataError(
            f"{path}, record {done + 1}: the file is cut short, damaged or no TFRecord file ({reason})"
        ) from None

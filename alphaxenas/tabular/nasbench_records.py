"""Reader of the official NAS-Bench-101 files, `nasbench_only108.tfrecord` and `nasbench_full.tfrecord`.

A file holds one record per training. A record is JSON: [hash of the cell, epochs, adjacency as `0` and `1` row by row,
operations separated by commas, metrics], where metrics are the base64 text of a protocol buffer `ModelMetrics` with
evaluations at the start, half way and at the end. TensorFlow reads the records and protobuf the messages, so neither
the nasbench package nor TensorFlow 1 is needed.

Sources: Ying et al. 2019, section 2.4; github.com/google-research/nasbench, `model_metrics.proto`.
"""

from __future__ import annotations

import base64
import binascii
import json
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.data.download import DataError
from alphaxenas.spaces.nasbench.cell101 import NASBench101Cell
from alphaxenas.spaces.nasbench.nasbench101 import module_hash

COLUMNS = ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy", "trainable_parameters")
VERIFIED = 200
"""Number of cells whose hashes are computed and compared, to tell a damaged or foreign file from a good one."""
_MESSAGES = {
    "EvaluationData": {
        "current_epoch": "DOUBLE",
        "training_time": "DOUBLE",
        "train_accuracy": "DOUBLE",
        "validation_accuracy": "DOUBLE",
        "test_accuracy": "DOUBLE",
        "checkpoint_path": "STRING",
    },
    "ModelMetrics": {"evaluation_data": "MESSAGE", "trainable_parameters": "INT64", "total_time": "DOUBLE"},
}
"""Fields and their types, numbered from 1; all are optional, `evaluation_data` is repeated `EvaluationData`."""
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
        """A column at one budget.

        Args:
            column: One of `COLUMNS`.
            epochs: The budget.
            repeat: One repeat, from 0; the mean over all where None.

        Returns:
            float64 `[cells]`.
        """
        chosen = self.epochs == epochs if repeat is None else (self.epochs == epochs) & (self.repeats == repeat)
        cells = self.cells[chosen]
        return np.bincount(cells, self.values[column][chosen], len(self.hashes)) / np.bincount(
            cells, minlength=len(self.hashes)
        )


def read_trainings(path: Path) -> Trainings:
    """Reads a whole file.

    Args:
        path: The TFRecord file.

    Returns:
        All its records.

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


@cache
def metrics_message() -> Any:
    """The class of `ModelMetrics` messages."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file, kinds = descriptor_pb2.FileDescriptorProto(name="model_metrics.proto"), descriptor_pb2.FieldDescriptorProto
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), start=1):
            nested = kind == "MESSAGE"
            message.field.add(
                name=field,
                number=number,
                type=kinds.Type.Value(f"TYPE_{kind}"),
                label=kinds.LABEL_REPEATED if nested else kinds.LABEL_OPTIONAL,
                type_name="EvaluationData" if nested else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ModelMetrics"))


def _read_metrics(content: bytes) -> dict[str, float]:
    """The last evaluation of a `ModelMetrics` message, and the parameters."""
    from google.protobuf.message import DecodeError
    from google.protobuf.unknown_fields import UnknownFieldSet

    try:
        message = metrics_message().FromString(content)
    except DecodeError as error:
        raise ValueError(f"Expected a ModelMetrics message. Received: {content[:40]!r} ({error})") from None
    if not message.evaluation_data:
        raise ValueError("Expected at least one evaluation in the metrics. Received: none")
    last = message.evaluation_data[-1]
    # A known field of another type is kept as unknown: its value would read as 0.
    for part in (message, last):
        for unknown in UnknownFieldSet(part):
            if field := part.DESCRIPTOR.fields_by_number.get(unknown.field_number):
                raise ValueError(f"Expected a number for {field.name}. Received: {unknown.data!r}")
    values = {name: float(getattr(message if name == "trainable_parameters" else last, name)) for name in COLUMNS}
    for column, value in values.items():
        if not np.isfinite(value):
            raise ValueError(f"Expected a finite {column}. Received: {value}")
    return values


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

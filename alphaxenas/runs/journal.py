"""The journal: one JSON line per evaluated child, appended and fsynced, and not rewritten in normal operation."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alphaxenas.runs.files import StorageError, storage_error, write_all, write_atomically

TIMING = ("seconds", "proxy_seconds", "finished_at")
"""Fields of a record that may differ between a run and its repetition."""


def same_record(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two records are equal except for the fields in `TIMING`.

    Args:
        first: A record of JSON values.
        second: Another one.

    Returns:
        True when all other fields are equal.
    """
    texts = [
        json.dumps({name: value for name, value in record.items() if name not in TIMING}, sort_keys=True)
        for record in (first, second)
    ]
    return texts[0] == texts[1]


class Journal:
    """An append-only file of JSON lines.

    A line counts once its line break is on disk. What a kill left of an unfinished last line is dropped when reading
    and cut off before the next append.

    Args:
        path: The file; it need not exist yet, its folder must.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._descriptor: int | None = None
        self._size = 0

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds a record; when this returns, it survives a kill and a power cut.

        Raises:
            StorageError: It could not be written; the journal is as before.
            ValueError: A number in it is not finite, which JSON cannot say.
        """
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        try:
            descriptor = self._open() if self._descriptor is None else self._descriptor
            try:
                write_all(descriptor, line)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, self._size)
                raise
        except OSError as error:
            raise storage_error(error, self.path, "The lines written before are complete.") from error
        self._size += len(line)

    def read(self) -> list[dict[str, Any]]:
        """All complete records, oldest first.

        Raises:
            StorageError: A line that is not the last one is damaged, or the file cannot be read.
        """
        return [record for record, _ in self._complete()]

    def keep(self, count: int) -> None:
        """Drops all records but the first `count`. Raises `StorageError`."""
        lines = self._complete()
        if count < len(lines):
            end = lines[count - 1][1] if count else 0
            self.close()
            write_atomically(self.path, self.path.read_bytes()[:end])

    def close(self) -> None:
        """Closes the file; a later append opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        complete = self._complete()
        self._size = complete[-1][1] if complete else 0
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        os.ftruncate(self._descriptor, self._size)
        return self._descriptor

    def _complete(self) -> list[tuple[dict[str, Any], int]]:
        """The complete records, each with the offset at which its line ends."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(error.errno, f"Cannot read the journal {self.path}: {error.strerror}") from error
        records, start = list[tuple[dict[str, Any], int]](), 0
        while (end := data.find(b"\n", start) + 1) > 0:
            try:
                record = json.loads(data[start:end])
                if not isinstance(record, dict):
                    raise ValueError("no record")
            except ValueError as error:
                if end < len(data):
                    message = (
                        f"Line {len(records) + 1} of {self.path} is damaged ({error}). "
                        "Restore the file from a copy, or cut it there to repeat the later trials"
                    )
                    raise StorageError(errno.EIO, message) from error
                break
            records.append((record, end))
            start = end
        return records


def first_and_last(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first and the last record of a file of JSON lines that was written whole, without reading what lies between.

    Raises:
        FileNotFoundError: There is no such file.
        StorageError: One of the two lines is damaged, or there is only one.
    """
    with open(path, "rb") as file:
        first = file.readline()
        start, end = file.tell(), file.seek(0, os.SEEK_END)
        length, tail = 4096, b""
        while tail.count(b"\n") < 2 and len(tail) < end - start:
            file.seek(max(start, end - length))
            tail, length = file.read(), 4 * length
    try:
        records = json.loads(first), json.loads(tail.splitlines()[-1])
        if not all(isinstance(record, dict) for record in records):
            raise ValueError("no record")
    except (ValueError, IndexError) as error:
        raise StorageError(
            errno.EIO, f"The journal {path} is damaged ({error}). Delete this file and run the same command again"
        ) from error
    return records

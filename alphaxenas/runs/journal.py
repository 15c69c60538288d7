"""The journal: one JSON line per evaluated child, appended and fsynced, and not rewritten in normal operation.

Every line ends in a checksum of what stands before it, `"check": "1a2b3c4d"`, so a flipped bit is noticed. Lines of
runs from before there were checksums have none and are taken as they are.
"""

from __future__ import annotations

import errno
import json
import os
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, overload

from alphaxenas.runs.files import StorageError, storage_error, write_all, write_atomically

TIMING = ("seconds", "proxy_seconds", "finished_at", "elapsed", "check")
"""Fields of a line that may differ between a run and its repetition."""
COPIED_LINES = 20
"""So many of the last lines are in every checkpoint too, which mends the end of a damaged journal."""
_MARK = b', "check": "'
_MARKED = len(_MARK) + len(b'1a2b3c4d"}\n')


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
        self._ends: array[int] | None = None
        self._damage: StorageError | None = None

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds a record; when this returns, it survives a kill and a power cut.

        Raises:
            StorageError: It could not be written; the journal is as before.
            ValueError: A number in it is not finite, which JSON cannot say.
        """
        line = _written(record)
        try:
            descriptor, size = self._open(), self._offset(len(self))
            try:
                write_all(descriptor, line)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        except OSError as error:
            raise storage_error(error, self.path, "The lines written before are complete.") from error
        self._known().append(size + len(line))

    def read(self) -> list[dict[str, Any]]:
        """All complete records, oldest first.

        Raises:
            StorageError: A line that is not the last one is damaged, or the file cannot be read.
        """
        self._forget()
        records, self._ends = [], array("q")
        for line, record in self._complete():
            self._ends.append(self._offset(len(self._ends)) + len(line))
            records.append(record)
        if self._damage is not None:
            raise self._damage
        return records

    def survey(self) -> int:
        """Reads the file afresh; the number of complete lines before the first damaged one. Raises `StorageError`."""
        self._forget()
        return len(self)

    def mend(self, covered: int, copies: Sequence[str]) -> list[int]:
        """Puts the copies from a checkpoint in the place of damaged, changed or lost lines at the end.

        A damaged line behind those that the checkpoint covers is dropped with all that follow.

        Args:
            covered: Number of lines that the checkpoint covers.
            copies: The last of these lines, as `lines` gave them.

        Returns:
            Numbers of the lines, from 1, that were mended or dropped as damaged.

        Raises:
            StorageError: A damaged line lies before the copies, or the file cannot be read or written.
        """
        whole, first = len(self), covered - len(copies)
        if self._damage is not None and whole < first:
            raise self._damage
        lines = [copy.encode() + b"\n" for copy in copies]
        stored = [self._line(number) for number in range(first, min(covered, whole))]
        wrong = [first + number for number, line in enumerate(lines) if stored[number : number + 1] != [line]]
        if wrong:
            before = self._bytes(0, self._offset(first))
            later = self._bytes(self._offset(min(covered, whole)), self._offset(whole))
            self.close()
            write_atomically(self.path, b"".join([before, *lines, later]))
        dropped = [] if self._damage is None or whole < covered else [whole]
        self._forget()
        if dropped:
            self.keep(whole)
        return [number + 1 for number in wrong + dropped]

    def lines(self, count: int) -> list[str]:
        """The last `COPIED_LINES` of the first `count` lines as texts, for `mend`. Raises `StorageError`."""
        return [self._line(number)[:-1].decode() for number in range(max(0, count - COPIED_LINES), count)]

    def keep(self, count: int) -> None:
        """Drops all records but the first `count`. Raises `StorageError`."""
        if count < len(self) or self._damage is not None:
            data = self._bytes(0, self._offset(count))
            self.close()
            write_atomically(self.path, data)
            self._forget()

    def close(self) -> None:
        """Closes the file; a later append opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __len__(self) -> int:
        """Number of complete lines."""
        return len(self._known())

    def __getitem__(self, number: int) -> dict[str, Any]:
        return _read(self._line(number))[0]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (record for _, record in self._complete())

    def _known(self) -> array[int]:
        """Where every complete line ends; 8 bytes a line are all that is kept of it."""
        if self._ends is None:
            ends = array("q")
            for line, _ in self._complete():
                ends.append((ends[-1] if ends else 0) + len(line))
            self._ends = ends
        return self._ends

    def _forget(self) -> None:
        self._ends, self._damage = None, None

    def _offset(self, number: int) -> int:
        """Where a line begins."""
        return self._known()[number - 1] if number else 0

    def _line(self, number: int) -> bytes:
        line = self._bytes(self._offset(number), self._offset(number + 1))
        try:
            _read(line)
        except ValueError as error:  # it was whole when it was written or surveyed
            raise self._damaged(number + 1, error) from error
        return line

    def _bytes(self, start: int, end: int) -> bytes:
        if start == end:
            return b""
        with open(self.path, "rb", buffering=0) as file:
            return os.pread(file.fileno(), end - start, start)

    def _open(self) -> int:
        if self._descriptor is None:
            size = self._offset(len(self))
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            os.ftruncate(self._descriptor, size)
        return self._descriptor

    def _complete(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """The complete lines and their records, up to the first damaged one; sets `_damage` if it is not the last."""
        number, checked = 0, False
        try:
            with open(self.path, "rb") as file:
                for line in file:
                    number += 1
                    try:
                        record, marked = _read(line, checked)
                    except ValueError as error:
                        if line.endswith(b"\n") and file.read(1):
                            self._damage = self._damaged(number, error)
                        return
                    checked = checked or marked
                    yield line, record
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(error.errno, f"Cannot read the journal {self.path}: {error.strerror}") from error

    def _damaged(self, number: int, error: ValueError) -> StorageError:
        message = (
            f"Line {number} of {self.path} is damaged ({error}). The same command mends the last {COPIED_LINES} lines "
            "from its checkpoint; otherwise restore the file from a copy, or cut it there to repeat the later trials"
        )
        return StorageError(errno.EIO, message)


class Records(Sequence[dict[str, Any]]):
    """The first `length` records of a journal, read when they are asked for: a long run holds none in memory.

    Args:
        journal: Nobody else appends to it.
        length: How many there are, at most the journal's lines.
    """

    def __init__(self, journal: Journal, length: int = 0) -> None:
        self._journal, self.length = journal, length

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, place: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, place: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        numbers = range(self.length)[place]
        return self._journal[numbers] if isinstance(numbers, int) else [self._journal[number] for number in numbers]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return islice(self._journal, self.length)


def _written(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, allow_nan=False).encode()
    return text[:-1] + _MARK + b'%08x"}\n' % zlib.crc32(text)


def _read(line: bytes, checked: bool = False) -> tuple[dict[str, Any], bool]:
    """The record of a line, and whether it has a checksum. ValueError: it is damaged, or lacks what others have."""
    if not line.endswith(b"\n"):
        raise ValueError("its end is missing")
    text, marked = line[:-_MARKED] + b"}", line[-_MARKED:-11] == _MARK
    if marked:
        if line[-3:] != b'"}\n' or b"%08x" % zlib.crc32(text) != line[-11:-3]:
            raise ValueError("its checksum differs")
    elif checked:
        raise ValueError("its checksum is missing")
    record = json.loads(text if marked else line)
    if not isinstance(record, dict):
        raise ValueError("no record")
    return record, marked


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

"""CSV tables of trained architectures: rows, numbers, and the space that the codes of a column live in."""

from __future__ import annotations

import csv
import gzip
import itertools
import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace
from alphaxenas.data.download import DataError
from alphaxenas.spaces import NASBench101, NASBench201, Table
from alphaxenas.spaces.listed.table import split_codes

SPACES = ("auto", "table", "nasbench101", "nasbench201")
"""What a space may be named: `auto` decides by the codes, `table` takes them as they are."""
SEPARATORS = ",;\t|"
"""What may stand between the values of a row; the header tells which."""
CELLS_OF_SIX, CELLS_OF_SEVEN = 64_542, 423_624
"""Different cells of NAS-Bench-101 with at most six and at most seven vertices."""
ENOUGH = 1000
"""From so many hashes on it is worth drawing from a space to see whether it holds any of them."""


def read_csv(
    path: Path,
    code: str,
    columns: Sequence[str | None],
    space: SearchSpace | str,
    where: Mapping[str, str],
    average: bool,
) -> tuple[SearchSpace, list[str], list[np.ndarray | None]]:
    """Reads a table.

    Args:
        path: `.csv` or `.csv.gz`.
        code: Column that says which architecture a row is.
        columns: Columns of numbers; None stays None.
        space: A space, or one of `SPACES`.
        where: Columns and the values that rows must have in them.
        average: Whether rows with the same code are averaged; they are an error otherwise.

    Returns:
        The space, the key of every row of the result, and its columns, float64 `[rows]`.

    Raises:
        DataError: Something is wrong with the file; names file, row and column. Rows count from 1 after the header.
    """
    header, lines, separator = read_lines(path)
    place = {name: header.index(name) for name in header}
    kept = [
        row
        for row, line in enumerate(lines)
        if all(line[place[name]].strip() == value for name, value in where.items())
    ]
    if not kept:
        known = "; ".join(f"{name}: {', '.join(sorted({line[place[name]] for line in lines})[:10])}" for name in where)
        raise DataError(f"{path}: Expected rows with {dict(where)}. Received: none. These columns hold {known}")
    texts = [lines[row][place[code]].strip() for row in kept]
    for row, text in zip(kept, texts):
        if not text:
            raise DataError(f"{path}, row {row + 1}, column {code!r}: Expected a code. Received: nothing")
    strings = [lines[row][place["arch_str"]].strip() for row in kept] if "arch_str" in place else None
    space, keys = _Codes(path, code, texts, kept).live_in(space, strings)
    values = [
        None if name is None else _numbers(path, name, [(row, lines[row][place[name]]) for row in kept], separator)
        for name in columns
    ]
    first: dict[str, int] = {}
    for row, key in zip(kept, keys):
        if first.setdefault(key, row) != row and not average:
            raise DataError(
                f"{path}, row {row + 1}, column {code!r}: Expected every architecture once. Received: {key}, "
                "which is in row "
                f"{first[key] + 1} too. Choose rows with `where`, or average them with `repeats='mean'`."
            )
    if len(first) < len(keys):
        number = {key: place for place, key in enumerate(first)}
        members = np.array([number[key] for key in keys])
        counts = np.bincount(members)
        values = [None if column is None else np.bincount(members, column) / counts for column in values]
    return space, list(first), values


def csv_header(path: Path) -> list[str]:
    """The columns of a CSV file; DataError as for `read_csv`."""
    return read_lines(path, most=1)[0]


def read_lines(path: Path, most: int | None = None) -> tuple[list[str], list[list[str]], str]:
    """Header and rows of a CSV file, all rows as long as the header.

    Args:
        path: `.csv` or `.csv.gz`.
        most: Rows to read at most; None for all.

    Returns:
        The names of the columns, the rows as texts, and what separates values: one of `SEPARATORS`.

    Raises:
        DataError: As for `read_csv`.
    """
    opener = gzip.open if path.name.endswith(".gz") else open
    lines, separator = [], ","
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
            first = next((line for line in stream if line.strip()), "")
            if told := re.fullmatch(r'"?sep=(.)"?\s*', first):  # a first line that spreadsheets write
                separator, first = told[1], stream.readline()
            else:
                separator = max(SEPARATORS, key=first.count)
            reader = csv.reader(itertools.chain([first], stream), strict=True, delimiter=separator)
            header = [name.strip() for name in next(reader, [])]
            for line in reader:
                if line:
                    lines.append(line)
                if len(lines) == most:
                    break
    except UnicodeDecodeError:
        number = _first_line_in_another_encoding(path, opener)
        raise DataError(
            f"{path}, line {number}: cannot be read as a CSV table, because it is not UTF-8 text. Save it in the "
            f"encoding UTF-8: iconv -f LATIN1 -t UTF-8 {path}, or whatever it is in now."
        ) from None
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise DataError(f"{path}, row {len(lines) + 1}: cannot be read as a CSV table ({error})") from None
    if not lines:
        raise DataError(f"{path}: Expected a header and rows. Received: {len(header)} columns and no rows")
    if len(header) == 1:
        raise DataError(
            f"{path}: Expected two or more columns, with commas, semicolons, tabs or bars between them. Received: one, "
            f"{header[0]!r}"
        )
    for place, name in enumerate(header):
        if name in header[:place]:
            raise DataError(f"{path}: Expected every column once. Received: {name!r} more than once")
    for row, line in enumerate(lines, start=1):
        if len(line) != len(header):
            raise DataError(
                f"{path}, row {row}: Expected {len(header)} values, as in the header. Received: {len(line)}, separated "
                f"by {separator!r}"
            )
    return header, lines, separator


def _first_line_in_another_encoding(path: Path, opener: Callable[..., Any]) -> int:
    with opener(path, "rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode("utf-8-sig")
            except UnicodeDecodeError:
                return number
    return 1


def _numbers(path: Path, column: str, cells: Sequence[tuple[int, str]], separator: str) -> np.ndarray:
    """A column as finite numbers; where commas separate nothing, they may be decimal ones."""
    values = np.empty(len(cells))
    for place, (row, text) in enumerate(cells):
        if separator != "," and re.fullmatch(r"\s*[+-]?\d*,\d+\s*", text):
            text = text.replace(",", ".")
        try:
            values[place] = float(text)
        except ValueError:
            values[place] = math.nan
        if not math.isfinite(values[place]):
            received = repr(text) if text.strip() else "nothing"
            raise DataError(f"{path}, row {row + 1}, column {column!r}: Expected a finite number. Received: {received}")
    return values


class _Codes:
    """A column of codes; `rows` are their places in the file, for messages."""

    def __init__(self, path: Path, column: str, codes: Sequence[str], rows: Sequence[int]) -> None:
        self._path, self._column, self._codes, self._rows = path, column, codes, rows

    def live_in(self, space: SearchSpace | str, strings: Sequence[str] | None) -> tuple[SearchSpace, list[str]]:
        """Their space and their keys in it; `strings` are those of a column `arch_str`."""
        if space == "auto":
            space = self._recognised(strings)
        if space == "table":
            try:
                values, separator = split_codes(self._codes)
            except ValueError as error:
                reason, place = error.args
                raise self._error(place, f"ragged code. {reason}") from None
            return Table(tuple(dict.fromkeys(values)), separator=separator), [separator.join(code) for code in values]
        if space == "nasbench101" or (isinstance(space, NASBench101) and _is_hash(self._codes[0])):
            for place, code in enumerate(self._codes):
                if not _is_hash(code):
                    raise self._error(place, f"Expected a hash of 32 hexadecimal digits. Received: {code!r}")
            keys = [code.lower() for code in self._codes]
            return self._smallest(keys) if isinstance(space, str) else space, keys
        if isinstance(space, str):
            space = NASBench201()
        keys = []
        for place, code in enumerate(self._codes):
            try:
                keys.append(space.key(space.parse(code)))
            except ValueError as error:
                raise self._error(place, str(error)) from None
        return space, keys

    def _recognised(self, strings: Sequence[str] | None) -> str:
        """Which of `SPACES` they are of."""
        if _is_string_201(self._codes[0]):
            return "nasbench201"
        if all(map(_is_hash, self._codes)):
            return "nasbench101"
        if (
            strings is not None
            and all(re.fullmatch("[0-4]{6}", code) for code in self._codes)
            and all(map(_is_string_201, strings))
        ):
            space = NASBench201()
            if all(str(space.parse(code)) == string for code, string in zip(self._codes, strings)):
                return "nasbench201"
        return "table"

    def _smallest(self, keys: Sequence[str]) -> NASBench101:
        """The space of hashes: as many vertices as it takes to find them all.

        Counting out the largest takes minutes, so hashes that no smaller one holds are taken for its own.
        """
        for vertices in (3, 4, 5, 6):
            if (vertices < 6 or len(keys) == CELLS_OF_SIX) and _keys(vertices).issuperset(keys):
                return NASBench101(vertices)
        space, rng, known = NASBench101(), np.random.default_rng(0), set(keys)
        if len(known) >= ENOUGH and known.isdisjoint(_keys(5)):
            draws = range(20 * CELLS_OF_SEVEN // len(known))
            if not any(space.key(space.sample(rng)) in known for _ in draws):
                raise self._error(
                    0, f"Expected hashes of cells with at most 7 vertices and 9 edges. Received: {keys[0]} and others"
                )
        return space

    def _error(self, place: int, reason: str) -> DataError:
        return DataError(f"{self._path}, row {self._rows[place] + 1}, column {self._column!r}: {reason}")


@cache
def _keys(vertices: int) -> frozenset[str]:
    """Of all cells of NAS-Bench-101 with at most so many vertices."""
    space = NASBench101(vertices)
    return frozenset(map(space.key, space.architectures()))


def _is_string_201(code: str) -> bool:
    return re.fullmatch(r"\|\w+~0\|\+\|\w+~0\|\w+~1\|\+\|\w+~0\|\w+~1\|\w+~2\|", code) is not None


def _is_hash(code: str) -> bool:
    return re.fullmatch("[0-9a-fA-F]{32}", code) is not None

"""Image sets in Parquet files as Hugging Face publishes them: a column of structs `{bytes, path}` and one of labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.data.download import DataError
from alphaxenas.data.labels import number_classes
from alphaxenas.data.own.pictures import PARTS, PictureSet, Source, part_of
from alphaxenas.suggestions import did_you_mean, invalid

_ROWS = 256


def list_parquet(path: Path, label_column: str = "") -> PictureSet:
    """Finds the pictures of Parquet files without decoding one.

    Args:
        path: A file, or a folder with files named `train...`, `test...` and `validation...`.
        label_column: The column of labels; empty for the only one there can be.

    Returns:
        The pictures.

    Raises:
        ValueError: The package pyarrow is missing.
        DataError: There are no such files or columns, or a file is damaged.
    """
    parts = _files(path)
    files = [file for part in PARTS for file in parts.get(part, [])]
    schema = _schema(files[0])
    image, column = _image_column(schema, files[0]), _label_column(schema, label_column, files[0])
    values, counts, state = [], {}, []
    for part in (part for part in PARTS if part in parts):
        columns = [_column(file, column) for file in parts[part]]
        counts[part] = sum(map(len, columns))
        values += columns
    for file in files:
        state.append([file.name, file.stat().st_size, file.stat().st_mtime_ns])
    names = _names(schema, column)
    labels = number_classes(np.concatenate(values), sum(counts.values()), names, path)

    def sources() -> Iterator[Source]:
        for file in files:
            for row, content in enumerate(_contents(file, image)):
                yield f"{file.name}, row {row}", content

    return PictureSet(path, sources, counts, labels, [state, column])


def _files(path: Path) -> dict[str, list[Path]]:
    """The files of each part; those of one without a part's name are its training files."""
    if path.is_file():
        return {"train": [path]}
    parts: dict[str, list[Path]] = {}
    for file in sorted(path.rglob("*.parquet")) if path.is_dir() else []:
        if not file.name.startswith("."):
            words = re.split(r"[^A-Za-z]+", file.name.removesuffix(".parquet"))
            parts.setdefault(part_of(words[0]) or part_of(file.parent.name) or "train", []).append(file)
    if "train" not in parts:
        raise DataError(
            str(
                invalid(
                    "images_path", "a .parquet file, or a folder with train-*.parquet and perhaps test-*.parquet", path
                )
            )
        )
    return parts


def _arrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise invalid(
            "dataset", "the package pyarrow to be installed for 'parquet': pip install pyarrow", "no such package"
        ) from error
    return pyarrow


def _opened(file: Path) -> Any:
    arrow = _arrow()
    try:
        return arrow.parquet.ParquetFile(file)
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{file} cannot be read as a Parquet file: {error}") from error


def _schema(file: Path) -> Any:
    return _opened(file).schema_arrow


def _image_column(schema: Any, file: Path) -> str:
    types = _arrow().types
    found = []
    for field in schema:
        kind = field.type
        inner = (
            {kind.field(place).name: kind.field(place).type for place in range(kind.num_fields)}
            if types.is_struct(kind)
            else {}
        )
        content = inner.get("bytes", kind)
        if types.is_binary(content) or types.is_large_binary(content):
            found.append(field.name)
    if len(found) != 1:
        raise DataError(
            f"{file}: expected one column of images, structs of `bytes` and `path` as Hugging Face publishes them. "
            f"Received: {', '.join(found) or 'none'} among {', '.join(schema.names)}"
        )
    return found[0]


def _label_column(schema: Any, wanted: str, file: Path) -> str:
    types, features = _arrow().types, _features(schema)
    possible = [
        field.name
        for field in schema
        if types.is_integer(field.type)
        or types.is_boolean(field.type)
        or types.is_string(field.type)
        or types.is_large_string(field.type)
    ]
    if wanted:
        if wanted not in possible:
            raise DataError(
                f"Invalid value for `label_column`. Expected a column of whole numbers or texts in {file}: "
                f"{', '.join(possible)}. Received: {wanted!r}{did_you_mean(wanted, possible)}"
            )
        return wanted
    classes = [name for name in possible if features.get(name, {}).get("_type") == "ClassLabel"]
    chosen = (
        classes or [name for name in possible if name.lower() in ("label", "labels", "class", "target")] or possible
    )
    if len(chosen) != 1:
        raise DataError(
            f"Invalid value for `label_column`. Expected the column of labels in {file}, one of "
            f"{', '.join(chosen) or 'none, because it has no whole numbers or texts'}. Received: ''"
        )
    return chosen[0]


def _features(schema: Any) -> dict[str, Any]:
    """What Hugging Face writes of the columns; empty where the file is of someone else."""
    try:
        found = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return found if isinstance(found, dict) else {}
    except (ValueError, KeyError, TypeError):
        return {}


def _names(schema: Any, column: str) -> np.ndarray | None:
    names = _features(schema).get(column, {}).get("names")
    return np.array(names, str) if isinstance(names, list) and names else None


def _column(file: Path, column: str) -> np.ndarray:
    arrow, opened = _arrow(), _opened(file)
    try:
        found = opened.read([column])[column]
    except (arrow.ArrowException, OSError, KeyError) as error:
        raise DataError(f"{file}: the column {column!r} cannot be read: {error}") from error
    if found.null_count:
        raise DataError(f"{file}: {found.null_count:,} of {len(found):,} rows have no label in the column {column!r}.")
    values = np.array(found.to_pylist())
    return values


def _contents(file: Path, image: str) -> Iterator[bytes]:
    arrow, opened = _arrow(), _opened(file)
    try:
        for batch in opened.iter_batches(_ROWS, columns=[image]):
            for value in batch.column(0).to_pylist():
                yield (value.get("bytes") if isinstance(value, dict) else value) or b""
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{file} is damaged: {error}") from error

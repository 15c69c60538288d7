"""Checkpoints: a nested dict of arrays and JSON values in one checksummed file; nothing in it is ever executed.

A file is called `step-<step>-<first 16 digits of its SHA-256>.npz`, so name and checksum appear in one rename and
there is no moment at which one is there without the other.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.runs.files import write_atomically

_NAME = re.compile(r"step-(\d{9})-([0-9a-f]{16})\.npz")
_ARRAY = "__array__"
KEPT = 2
"""Checkpoints of a run: one may turn out to be damaged."""
_log = logging.getLogger(__name__)


def pack(state: Mapping[str, Any]) -> bytes:
    """The bytes of an `.npz` archive with the arrays of `state` and, as entry `json`, everything else.

    Args:
        state: Nested dicts (string keys) and lists of NumPy arrays (numbers or bool) and JSON values. Tuples come
            back as lists, NumPy scalars as plain numbers.

    Raises:
        TypeError: Something else is in it; the message says where.
    """
    arrays: dict[str, np.ndarray] = {}

    def plain(value: Any, where: str) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, np.ndarray):
            if value.dtype.kind not in "biufc":
                raise TypeError(
                    f"Invalid value for `{where}`. Expected an array of numbers or bool. Received: dtype {value.dtype}"
                )
            arrays[f"array{len(arrays)}"] = value
            return {_ARRAY: f"array{len(arrays) - 1}"}
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str) or key == _ARRAY:
                    raise TypeError(
                        f"Invalid key in `{where}`. Expected a text other than {_ARRAY!r}. Received: {key!r}"
                    )
            return {key: plain(item, f"{where}.{key}") for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise TypeError(
            f"Invalid value for `{where}`. Expected an array or a JSON value. Received: {type(value).__name__}"
        )

    written = json.dumps(plain(state, "state")).encode()
    buffer = io.BytesIO()
    np.savez(buffer, **{"json": np.frombuffer(written, np.uint8), **arrays})  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, Any]:
    """What `pack` was given. Raises ValueError, KeyError or zipfile.BadZipFile when `data` is something else."""

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            return archive[value[_ARRAY]] if _ARRAY in value else {key: whole(item) for key, item in value.items()}
        return [whole(item) for item in value] if isinstance(value, list) else value

    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return whole(json.loads(archive["json"].tobytes()))


def read_checkpoint(path: Path | str) -> dict[str, Any]:
    """The state in one checkpoint file, wherever it lies.

    Raises:
        ValueError: There is no such file, it has no checkpoint's name, or it is damaged; the message names it.
    """
    path = Path(path)
    if not _NAME.fullmatch(path.name):
        raise ValueError(f"Expected a checkpoint, a file called step-NNNNNNNNN-CHECKSUM.npz. Received: {path}")
    try:
        return _verified(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"The checkpoint {path} is damaged or unreadable: {error}") from error


def _verified(path: Path) -> dict[str, Any]:
    """The state in a file that is named like a checkpoint, if its content has the checksum in its name."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest()[:16] != path.stem.rpartition("-")[2]:
        raise ValueError("its checksum differs")
    return unpack(data)


class Checkpoints:
    """The last few states of a run.

    Args:
        folder: Where they lie; created when missing.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, step: int, state: Mapping[str, Any]) -> Path:
        """Stores the state reached after `step` and drops the oldest ones.

        Args:
            step: Journal lines that the state covers, 0 to 999,999,999.
            state: As for `pack`.

        Returns:
            The file.

        Raises:
            StorageError: It could not be written (no space left, for example); the earlier ones are untouched.
            TypeError: `state` holds something that is neither a numeric array nor a JSON value.
        """
        data = pack(state)
        path = self.folder / f"step-{step:09d}-{hashlib.sha256(data).hexdigest()[:16]}.npz"
        write_atomically(path, data)
        # Later steps can only be damaged ones that were skipped: the run has come this way again.
        older = [other for other in self._stored() if other != path and self._step(other) < step]
        for other in self._stored():
            if other != path and other not in older[: KEPT - 1]:
                other.unlink()
        for leftover in self.folder.glob(".*.tmp"):
            leftover.unlink()
        return path

    def load(self, up_to: int | None = None) -> tuple[int, dict[str, Any]] | None:
        """The newest valid state with its step; None when there is none.

        A damaged or unreadable file is passed over with a warning that names it.

        Args:
            up_to: Pass over later steps than this one, because the journal does not reach them. Lines of which a state
                holds copies, in its list `lines`, need not be there.
        """
        for path in self._stored():
            step = self._step(path)
            try:
                state = _verified(path)
            except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                _log.warning("The checkpoint %s is damaged or unreadable (%s): the one before it is used.", path, error)
                continue
            if up_to is None or step - len(state.get("lines", ())) <= up_to:
                return step, state
            _log.warning(
                "The checkpoint %s is ahead of the journal, which has %d lines: the one before it is used.", path, up_to
            )
        return None

    def _stored(self) -> list[Path]:
        """Complete checkpoint files, newest step first."""
        return sorted((path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)), reverse=True)

    @staticmethod
    def _step(path: Path) -> int:
        return int(path.name.split("-")[1])

"""Writing so that a kill, a full disk or a power cut leaves either the old file or the new one, never half of one."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

EXP_DIR_HINT = "Nothing was changed; the parameter `exp_dir` chooses another folder."


class StorageError(OSError):
    """A record could not be written or read; the message says which, why, and what is still there."""


def storage_error(error: OSError, path: Path, kept: str) -> StorageError:
    """A `StorageError` that explains `error`.

    Args:
        error: What the operating system said.
        path: The file concerned.
        kept: What is still valid, as a sentence.

    Returns:
        The error to raise.
    """
    reason = (
        "No space left on the device" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror or str(error)
    )
    return StorageError(
        error.errno, f"{reason}: {path} could not be written. {kept} Mend the cause and run the same command again"
    )


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces the file `path` by `data`: temporary name, fsync, rename, fsync of the folder.

    Args:
        path: The file; its folder exists.
        data: The whole content.

    Raises:
        StorageError: It could not be written; the file that was there before is untouched.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise storage_error(error, path, "What was stored before is untouched.") from error


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of `data`, although `os.write` may stop early.

    Args:
        descriptor: Of a file open for writing.
        data: What to write at its position.

    Raises:
        OSError: It could not be written, or only a part of it.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems do not know it of a folder
            raise
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Stores a JSON value atomically, indented so that it can be read.

    Args:
        path: The file; its folder exists.
        value: Nested dicts, lists, texts, numbers, bools and None.

    Raises:
        StorageError: It could not be written; the file that was there before is untouched.
    """
    write_atomically(path, (json.dumps(value, indent=2) + "\n").encode())


def read_json(path: Path) -> Any | None:
    """The JSON value stored in `path`; None when there is no such file.

    Raises:
        StorageError: The file is there but cannot be read or holds no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(error.errno, f"Cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        message = (
            f"{path} is damaged ({error}). Delete this file, or the folder it lies in, and run the same command again"
        )
        raise StorageError(errno.EIO, message) from error


def last_lines(path: Path, count: int, most_bytes: int = 1 << 16) -> list[str]:
    """The last complete lines of a text, without reading the rest of it; none where there is no such file.

    Args:
        path: The file.
        count: How many at most.
        most_bytes: Only so many from its end are looked at.
    """
    try:
        with open(path, "rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - most_bytes)
            file.seek(start)
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [line.decode(errors="replace") for line in lines[start > 0 :][-count:]]

"""Downloads of published files: over https only, and only the bytes that were published.

A file is written to `<name>.part` in the folder of the target. Its size and SHA-256 are checked before it is renamed,
so a file under its final name is always complete.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin

from alphaxenas.suggestions import invalid

ATTEMPTS = 5
PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = 60
CHUNK_BYTES = 1 << 20

Fetch = Callable[[str, Any, None], Any]
"""As `pooch.HTTPDownloader`: writes what an address holds to a stream; the last argument is unused."""

log = logging.getLogger(__name__)


class DataError(ValueError):
    """Data that cannot be used: missing, corrupt, of the wrong shape, or too little of it."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as its publisher offers it.

    Attributes:
        name: File name on disk.
        url: Address, https.
        size: Bytes.
        sha256: Checksum in hexadecimal digits.
    """

    name: str
    url: str
    size: int
    sha256: str


def download(file: RemoteFile, folder: Path, fetch: Fetch | None = None) -> Path:
    """Brings a published file into a folder, unless it is there already; a damaged one is replaced.

    Args:
        file: What to fetch and what it must be.
        folder: Where it goes; created if missing.
        fetch: Replaces the https connection, for tests.

    Returns:
        Path of the file, its size and checksum verified.

    Raises:
        ValueError: The address is not https.
        DataError: The server cannot be reached, refuses, or sends other bytes than were published.
        OSError: The disk is full or the folder cannot be written.
    """
    target, partial = folder / file.name, folder / f"{file.name}.part"
    # Without a lock first: a folder that is read only, or on a file system without locks, serves whole files too.
    if _damage(target, file) is None:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        damage = _damage(target, file)
        if damage is None:
            return target
        if damage:
            log.warning("%sIt is downloaded again.", damage)
        if fetch is None:
            if not file.url.startswith("https://"):
                raise invalid("url", "an https address", file.url)
            fetch = https_only()
        require_space(folder, file.size)
        try:
            _receive(file, partial, fetch)
            partial.rename(target)
        except DataError as error:
            raise DataError(
                f"{damage}Could not download {file.url}: {error} "
                f"On a machine without internet, put the file at {target} yourself."
            ) from error
        finally:
            partial.unlink(missing_ok=True)
    return target


def verify(path: Path, file: RemoteFile) -> None:
    """Checks that a file holds exactly the published bytes.

    Args:
        path: The file on disk.
        file: What it must be.

    Raises:
        DataError: It has another size or checksum.
    """
    import pooch

    size = path.stat().st_size
    if size != file.size:
        raise DataError(f"{path} is damaged or incomplete. Expected {file.size:,} bytes. Received: {size:,}.")
    received = pooch.file_hash(str(path), alg="sha256")
    if received != file.sha256:
        raise DataError(f"{path} is damaged. Expected SHA-256 {file.sha256}. Received: {received}.")


def require_space(folder: Path, size: int) -> None:
    """Checks that there is room for data.

    Args:
        folder: Where the data go; it exists.
        size: Bytes.

    Raises:
        OSError: Fewer bytes are free (ENOSPC).
    """
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OSError(
            errno.ENOSPC, f"No space left for the data: {size:,} bytes are needed and {free:,} are free", str(folder)
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lets one process at a time fetch or unpack into `folder`; the others wait and then find the work done."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            hint = f"{error.strerror}: the data cannot be kept in this folder; the parameter `data_dir` chooses another"
            raise OSError(error.errno, hint, str(folder)) from error
        yield
    finally:
        os.close(descriptor)


def unpacked(folder: Path, size: int, unpack: Callable[[Path], None]) -> None:
    """Makes a folder unless it is there: under a temporary name beside it and renamed, so that it is whole or absent.

    Args:
        folder: The folder; its parent exists.
        size: Bytes that it takes.
        unpack: Fills the folder that it is given.

    Raises:
        OSError: There is no room.
    """
    unfinished = folder.with_name(f".{folder.name}.part")
    with locked(folder.parent):
        if folder.is_dir():
            return
        require_space(folder.parent, size)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        try:
            unpack(unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _damage(target: Path, file: RemoteFile) -> str | None:
    """What is wrong with the file on disk, empty if it is missing; None if it is whole."""
    try:
        if not target.exists():
            return ""
        verify(target, file)
        return None
    except DataError as error:
        return f"{error} "


def https_only() -> Fetch:
    """A downloader that follows no redirect away from https."""
    import pooch
    import requests

    def refuse(response: Any, **_: Any) -> None:
        place = urljoin(response.url, response.headers.get("Location", ""))
        if response.is_redirect and not place.startswith("https://"):
            raise requests.exceptions.InvalidSchema(f"redirect to {place}, which is not https")

    return pooch.HTTPDownloader(
        progressbar=True,
        chunk_size=CHUNK_BYTES,
        timeout=TIMEOUT_SECONDS,
        headers={"User-Agent": "alphaxenas", "Accept-Encoding": "identity"},
        hooks={"response": refuse},
    )


class _Limited:
    """A file that takes no more bytes than were published."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._free, self._size = stream, size, size
        self.flush = stream.flush

    def write(self, chunk: bytes) -> int:
        self._free -= len(chunk)
        if self._free < 0:
            raise DataError(f"Expected {self._size:,} bytes. Received more.")
        return self._stream.write(chunk)


def _receive(file: RemoteFile, partial: Path, fetch: Fetch) -> None:
    """Fills `partial` with the published bytes; DataError after the last attempt."""
    import requests

    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS * 2 ** (attempt - 1))
        try:
            with partial.open("wb") as stream:
                fetch(file.url, _Limited(stream, file.size), None)
                stream.flush()
                os.fsync(stream.fileno())
            verify(partial, file)
            return
        except (requests.RequestException, DataError) as error:
            reason = DataError(f"{error}.".replace("..", "."))
            log.warning("Download of %s: %s", file.url, reason)
            response = getattr(error, "response", None)
            if response is not None and response.status_code < 500 and response.status_code not in (408, 429):
                break
    raise reason

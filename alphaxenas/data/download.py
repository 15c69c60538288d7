"""Fetching a publisher's file: only over https, only the bytes that were published, never a half-written file in place.

Bytes go to `<name>.part` beside the target. What is there after an interruption is continued with a Range request, or
started afresh where the server does not answer one. Size and SHA-256 are checked before the rename that makes the file
visible, so a file under its final name is always whole.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import http.client
import logging
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

ATTEMPTS = 5
PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = 60
CHUNK_BYTES = 1 << 20

OpenUrl = Callable[[urllib.request.Request], Any]

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


def download(file: RemoteFile, folder: Path, open_url: OpenUrl | None = None) -> Path:
    """Brings a file into a folder, whole or not at all.

    Args:
        file: What to fetch and what it must be.
        folder: Where it goes; created if missing.
        open_url: Replaces the https connection, for tests. Takes a request, returns a response with `status`,
            `headers` and `read(n)` that is a context manager.

    Returns:
        Path of the file, its size and checksum verified.

    Raises:
        ValueError: The address is not https.
        DataError: The server cannot be reached, refuses, or sends other bytes than were published.
        OSError: The disk is full or the folder cannot be written.
    """
    if open_url is None:
        if not file.url.startswith("https://"):
            raise ValueError(f"Invalid value for `url`. Expected an https address. Received: {file.url}")
        open_url = _open_https
    folder.mkdir(parents=True, exist_ok=True)
    target, partial = folder / file.name, folder / f"{file.name}.part"
    with locked(folder):
        if target.exists():
            return target
        present = partial.stat().st_size if partial.exists() else 0
        require_space(folder, file.size - min(present, file.size))
        _receive(file, partial, open_url)
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.rename(target)
    return target


def verify(path: Path, file: RemoteFile) -> None:
    """Raises DataError unless `path` holds exactly the published bytes."""
    size = path.stat().st_size
    if size != file.size:
        raise DataError(
            f"{path} is damaged or incomplete. Expected {file.size:,} bytes. Received: {size:,}. "
            "Delete it to have it downloaded again."
        )
    received = sha256(path)
    if received != file.sha256:
        raise DataError(
            f"{path} is damaged. Expected SHA-256 {file.sha256}. Received: {received}. "
            "Delete it to have it downloaded again."
        )


def sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def require_space(folder: Path, size: int) -> None:
    """Raises OSError (ENOSPC) if fewer than `size` bytes are free where `folder` lies."""
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
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _receive(file: RemoteFile, partial: Path, open_url: OpenUrl) -> None:
    """Fills `partial` with the published bytes, continuing after interruptions."""
    reason, pause = "", 0.0
    for _ in range(ATTEMPTS):
        time.sleep(pause)
        reason = ""
        pause = max(PAUSE_SECONDS, 2 * pause)
        try:
            _request(file, partial, open_url)
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                raise _unreachable(file, partial, f"HTTP {error.code} {error.reason}") from error
            reason = f"HTTP {error.code} {error.reason}"
        except _ConnectionLost as error:
            reason = str(error)
        size = partial.stat().st_size if partial.exists() else 0
        if size == file.size:
            received = sha256(partial)
            if received == file.sha256:
                return
            # Most likely the leftover of an earlier download was foreign, so the next attempt starts from nothing.
            reason = f"expected SHA-256 {file.sha256}, received {received}"
            partial.unlink()
        elif size > file.size:
            reason = f"expected {file.size:,} bytes, received more"
            partial.unlink()
        elif not reason:
            reason = f"the connection ended after {size:,} of {file.size:,} bytes"
        log.warning("Download of %s: %s", file.url, reason)
    raise _unreachable(file, partial, reason)


class _ConnectionLost(Exception):
    """The network failed, as opposed to the disk."""


def _request(file: RemoteFile, partial: Path, open_url: OpenUrl) -> None:
    """One request; appends to `partial` if the server continues where it ends, else starts it afresh."""
    start = partial.stat().st_size if partial.exists() else 0
    if start >= file.size:
        return
    request = urllib.request.Request(file.url, headers={"User-Agent": "alphaxenas", "Accept-Encoding": "identity"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = open_url(request)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            partial.unlink(missing_ok=True)
            raise _ConnectionLost("the server cannot continue this download") from error
        raise
    except (OSError, http.client.HTTPException) as error:
        raise _ConnectionLost(str(getattr(error, "reason", error))) from error
    with response:
        continues = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        bar = tqdm(total=file.size, initial=start if continues else 0, desc=file.name, unit="B", unit_scale=True)
        try:
            with bar, partial.open("ab" if continues else "wb") as stream:
                # One byte more than published is enough to know that the file is a different one.
                while stream.tell() <= file.size and (chunk := _read(response)):
                    stream.write(chunk)
                    bar.update(len(chunk))
        except OSError as error:
            # A full disk is worse than a lost download: give the space back.
            partial.unlink(missing_ok=True)
            raise OSError(error.errno, f"Could not write the download ({error.strerror})", str(partial)) from error


def _read(response: Any) -> bytes:
    try:
        return response.read(CHUNK_BYTES)
    except http.client.IncompleteRead as error:
        return error.partial
    except (OSError, http.client.HTTPException) as error:
        raise _ConnectionLost(str(error)) from error


def _unreachable(file: RemoteFile, partial: Path, reason: str) -> DataError:
    kept = ""
    if partial.exists() and partial.stat().st_size:
        kept = f" {partial.stat().st_size:,} of {file.size:,} bytes are kept; the next start continues there."
    return DataError(
        f"Could not download {file.url}: {reason}.{kept} "
        f"On a machine without internet, put the file at {partial.with_name(file.name)} yourself."
    )


def _open_https(request: urllib.request.Request) -> Any:
    """Opens https addresses only; a redirect to anything else fails because no handler knows it."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener.open(request, timeout=TIMEOUT_SECONDS)

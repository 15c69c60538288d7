"""What the fault tests share: playing the toy search in a forked process that dies at a chosen call of the system."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from unittest import mock

import alphaxenas.coach
from alphaxenas.runs import Journal, same_record
from tests.faults import toy

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (8).to_bytes(4, "big") * 2
CALLS = ("write", "fsync", "replace", "ftruncate", "unlink")


def play(exp_dir: Path, **more) -> dict:
    """The toy search to its end, with a stand-in for the pictures, which take most of its time."""
    with mock.patch.object(alphaxenas.coach, "_picture", lambda space, architecture: PNG):
        return toy.play(exp_dir, **more)


def records(exp_dir: Path) -> list[dict]:
    """The journal of the toy search."""
    return Journal(exp_dir / "toy" / "search" / "trials.jsonl").read()


def assert_same_run(exp_dir: Path, reference: Path) -> None:
    """The journals agree in everything but times, and so do results and the last checkpoint's arrays."""
    ours, theirs = records(exp_dir), records(reference)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs):
        assert same_record(one, other), f"{one}\n{other}"


def intercepted(number: int, action) -> list:
    """Patches that carry out `action(real, arguments)` instead of the `number`-th call that changes the disk."""
    count = 0

    def wrapped(real):
        def call(*arguments, **named):
            nonlocal count
            count += 1
            return action(real, arguments) if count == number else real(*arguments, **named)
        return call

    return [mock.patch.object(os, name, wrapped(getattr(os, name))) for name in CALLS]


def die(real, arguments):
    """Kill -9; in a write, after half of the bytes."""
    if real.__name__ == "write":
        real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
    os.kill(os.getpid(), signal.SIGKILL)


def play_until_killed(exp_dir: Path, number: int, **more) -> bool:
    """Plays in a forked process that is killed at its `number`-th disk call.

    Returns:
        Whether it was killed; False: it came to its end before.
    """
    child = os.fork()
    if child == 0:
        try:
            for patch in intercepted(number, die):
                patch.start()
            play(exp_dir, **more)
            os._exit(0)
        finally:
            os._exit(9)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)

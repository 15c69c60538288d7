"""What the fault tests share: playing the toy search in a forked process that dies at a chosen call of the system.

Forking wants a process without threads, so the tests call these functions through `apart`, in a fresh one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import alphaxenas.coach
from alphaxenas.config import PROJECT_ROOT
from alphaxenas.runs import Journal, same_record
from tests.faults import toy

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (8).to_bytes(4, "big") * 2
CALLS = ("write", "fsync", "replace", "ftruncate", "unlink")


def apart(function, *arguments, **named):
    """The result of a function of this module, called in a process of its own."""
    code = (
        "import json, sys; from tests.faults import harness; from tqdm import tqdm; tqdm.monitor_interval = 0\n"
        "name, arguments, named = json.loads(sys.argv[1])\n"
        "print(json.dumps(getattr(harness, name)(*arguments, **named)))"
    )
    words = json.dumps(
        [function.__name__, [str(item) if isinstance(item, Path) else item for item in arguments], named]
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-c", code, words],
        cwd=PROJECT_ROOT,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def play(exp_dir: Path | str, **more) -> dict:
    """The toy search to its end, with a stand-in for the pictures, which take most of its time."""
    with mock.patch.object(alphaxenas.coach, "picture", lambda space, architecture: PNG):
        return toy.play(Path(exp_dir), **more)


def records(exp_dir: Path | str) -> list[dict]:
    """The journal of the toy search."""
    return Journal(Path(exp_dir) / "toy" / "search" / "trials.jsonl").read()


def assert_same_run(exp_dir: Path | str, reference: Path | str) -> None:
    """The journals agree in everything but times."""
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


def play_until_killed(exp_dir: str, number: int, **more) -> bool:
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


def killed_everywhere(place: str, reference: str, trials: int, checkpoint_every: int) -> int:
    """Kills a run at its first disk operation, another at its second ..., continues each; how many were killed."""
    number, killed = 0, True
    while killed:
        number += 1
        folder = os.path.join(place, str(number))
        killed = play_until_killed(folder, number, trials=trials, checkpoint_every=checkpoint_every)
        results = play(folder, trials=trials, checkpoint_every=checkpoint_every)
        assert results["trained"] == trials
        assert_same_run(folder, reference)
    return number - 1


def killed_repeatedly(folder: str, trials: int) -> int:
    """Kills one run again and again after some progress; how often it took."""
    deaths = 0
    while play_until_killed(folder, 31 + deaths % 7, trials=trials):
        deaths += 1
        assert deaths < 100, "it makes no progress"
    return deaths


def faults(place: str, count: int, seed: int) -> dict:
    """So many faults of all kinds, see `tests.faults.campaign`."""
    from tests.faults.campaign import campaign

    return campaign(place, count, seed).as_json()

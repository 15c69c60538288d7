"""SIGTERM and Ctrl-C as requests: finish what is being recorded, save, then stop; the same command continues."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_log = logging.getLogger(__name__)


class Stopped(SystemExit):
    """Ends the process with exit code 143 (128 + SIGTERM) after everything was saved; the text says how to go on."""

    def __init__(self, message: str) -> None:
        super().__init__(143)
        self.message = message

    def __str__(self) -> str:
        return self.message


class Interruption:
    """Turns the first SIGTERM or SIGINT into a flag while its `with` block runs.

        with Interruption() as interruption:
            for epoch in ...:
                train and save
                interruption.leave_if_requested(f"epoch {epoch} is saved")

    A second signal stops at once, and so does a SIGTERM whose work is not done when the grace period ends: what was
    not recorded by then is done again when the run is continued. Outside the main thread signals are left alone.

    Args:
        grace_seconds: How long after SIGTERM the work in progress may go on. Schedulers usually kill after 30 s.
        way_on: How the work is continued, for messages.
    """

    def __init__(self, grace_seconds: float = 20.0, way_on: str = "the same command continues") -> None:
        self.grace_seconds, self._way_on = grace_seconds, way_on
        self.requested = ""
        self._before: dict[int, Any] = {}

    def leave_if_requested(self, saved: str) -> None:
        """Leaves the block if a signal has arrived.

        Args:
            saved: What has been saved, as the beginning of a sentence: `"Trial 12 is recorded"`.

        Raises:
            Stopped: After SIGTERM.
            KeyboardInterrupt: After SIGINT.
        """
        if self.requested:
            self._leave(self.requested, f"{saved}. {self._way_on.capitalize()} the run.")

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = {
                number: signal.signal(number, self._arrived)
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
            }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if number == signal.SIGALRM:
            name = self.requested
        if self.requested or (number == signal.SIGTERM and self.grace_seconds <= 0):
            self._leave(name, f"The work in progress is given up; {self._way_on} after the last record.")
        self.requested = name
        _log.warning(
            "%s received: finishing the record in progress, then stopping. A second signal stops at once.", name
        )
        if number == signal.SIGTERM:
            signal.setitimer(signal.ITIMER_REAL, self.grace_seconds)

    @staticmethod
    def _leave(name: str, message: str) -> None:
        text = f"Stopped by {name}. {message}"
        if name == "SIGINT":
            raise KeyboardInterrupt(text)
        _log.warning(text)
        raise Stopped(text)

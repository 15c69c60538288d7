"""The loop that every long run shares: whatever ended the run, the same call continues it.

read results -> load checkpoint -> append records, compare repeated ones -> checkpoint -> write results

A record goes to the journal first (flushed and fsynced), a checkpoint follows. A continued run restores the newest
valid checkpoint, which also holds copies of the last lines and so mends a damaged end of the journal. Journal lines
beyond it are measured again and compared with what is stored instead of being written twice, so the journal of a
continued run equals that of an uninterrupted one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

from alphaxenas.runs.files import StorageError
from alphaxenas.runs.folder import RunFolder
from alphaxenas.runs.interruption import Interruption
from alphaxenas.runs.journal import TIMING, Records, same_record
from alphaxenas.runs.watch import tell

_log = logging.getLogger(__name__)
CHECKPOINT_SHARE = 0.02
"""A checkpoint that takes long is followed by work of so many times its duration, see `ResumableLoop.save_if_due`."""
SHORT_SECONDS = 0.05
"""A checkpoint that takes less time of the processor is never put off, however busy the machine is."""


class ResumableLoop:
    """Records, checkpoints and results of one run.

    Args:
        folder: An open run folder.
        state: Returns the whole state of the work for a checkpoint; `elapsed` is added to it.
        restore: Takes over what `state` returned. `records` holds the records covered by the checkpoint by then.
        unit: What one journal line is about, for messages: `trial`, `round`, `epoch`.
        grace_seconds: How long the work in progress may take after SIGTERM before it is given up.

    Attributes:
        folder: As given.
        records: The journal's records that are part of the run so far, oldest first; read from the file when asked for.
        about: What makes the records, for whoever looks on: a search's `space` and `controller`.
    """

    def __init__(
        self,
        folder: RunFolder,
        state: Callable[[], Mapping[str, Any]],
        restore: Callable[[dict[str, Any]], None],
        unit: str = "trial",
        grace_seconds: float = 20.0,
    ) -> None:
        self.folder, self.records = folder, Records(folder.journal)
        self.about: dict[str, Any] = {}
        self._state, self._restore, self._unit = state, restore, unit
        self._interruption = Interruption(grace_seconds, folder.way_on)
        self._saved = 0
        self._repeated: dict[Hashable, list[int]] | None = None
        self._save_from = 0.0
        self._elapsed_before, self._started = 0.0, time.monotonic()

    def run(
        self, work: Callable[[], dict[str, Any]], is_enough: Callable[[Mapping[str, Any]], bool] = lambda results: True
    ) -> dict[str, Any]:
        """Does the work, or the rest of it; a finished run returns its results at once.

        Args:
            work: Goes on from the restored state, calls `append`, `checkpoint` and `leave_if_requested`, and returns
                the content of results.json with `headline`, and `reason` where there are several reasons to end.
            is_enough: Whether stored results reach today's limits; if not, the run goes on where it ended.

        Returns:
            The content of results.json.

        Raises:
            Stopped: SIGTERM arrived; what was finished is saved, the exit code is 143.
            KeyboardInterrupt: The same for Ctrl-C, or the stop button of JupyterLab.
            StorageError: The records could not be written or read; what was written before is intact.
        """
        results = self.folder.read_results()
        if results is not None and is_enough(results):
            try:
                self._mended()
            except StorageError as error:  # the results stand; only what reads the journal misses something
                _log.warning("%s is finished, but %s", self.folder.name, error)
            self.folder.log(f"finished earlier: {results['headline']}")
            return results
        with self._interruption:
            self._continue()
            self.folder.go_on()
            try:
                results = work()
            except StorageError:
                raise
            except Exception as error:
                place, kind = f"{self._unit} {len(self.records)}", type(error).__name__
                self.folder.log(f"{place} ended in {kind}: {error}; {self.folder.way_on} there")
                raise
            if self._saved < len(self.records):
                self.checkpoint()
            self.folder.journal.keep(len(self.records))  # a run that was cut short ends before what it had to repeat
            self.folder.write_results(results)
        reason = f" ({results['reason']})" if "reason" in results else ""
        self.folder.log(f"finished{reason}: {results['headline']}, {self.elapsed():.0f} s")
        return results

    def append(self, record: dict[str, Any]) -> None:
        """Adds a record to the journal, or compares it with the line stored there before an interruption.

        A record that comes out differently, as it may on a GPU, replaces the stored one and all that follow. Every
        line says in `elapsed` how many seconds of work the run had taken by then.
        """
        stored = self.next_stored()
        if stored is not None and same_record(stored, record):
            # Outcomes that are in the journal are repeated in no time; they took some.
            self._elapsed_before += max(0.0, stored.get("elapsed", 0.0) - self.elapsed())
        else:
            if stored is not None:
                self._drop_stored(stored, record)
            self.folder.journal.append({**record, "elapsed": round(self.elapsed(), 3)})
        self.records.length += 1
        tell(self)

    def next_stored(self) -> dict[str, Any] | None:
        """The record that the next `append` will be compared with; None where the journal ends here."""
        journal, number = self.folder.journal, len(self.records)
        return journal[number] if number < len(journal) else None

    def to_repeat(
        self, subject_of: Callable[[dict[str, Any]], Hashable], subject: Hashable
    ) -> Iterator[dict[str, Any]]:
        """The records of one subject that the next calls of `append` will be compared with, oldest first.

        Args:
            subject_of: What a record is about; always the same function, because it is asked of every record once.
            subject: What is looked for.
        """
        journal, done = self.folder.journal, len(self.records)
        if self._repeated is None:
            self._repeated = {}
            for number in range(done, len(journal)):
                self._repeated.setdefault(subject_of(journal[number]), []).append(number)
        return (journal[number] for number in self._repeated.get(subject, ()) if done <= number < len(journal))

    def checkpoint(self) -> None:
        """Saves the state reached after the records so far."""
        started, processor = time.monotonic(), time.process_time()
        lines = self.folder.journal.lines(len(self.records))
        state = {**self._state(), "elapsed": self.elapsed(), "lines": lines}
        self.folder.checkpoints.save(len(self.records), state)
        self._saved = len(self.records)
        ended, short = time.monotonic(), time.process_time() - processor < SHORT_SECONDS
        self._save_from = ended + (0.0 if short else (ended - started) / CHECKPOINT_SHARE)

    def save_if_due(self) -> None:
        """A checkpoint, unless the last one took so long that it would cost more than `CHECKPOINT_SHARE` of the run.

        What lies beyond the last checkpoint when a run is killed is repeated, so at most about 50 times as long as one
        checkpoint takes.
        """
        if time.monotonic() >= self._save_from:
            self.checkpoint()

    def leave_if_requested(self) -> None:
        """Saves and leaves after a signal. Raises `Stopped` or `KeyboardInterrupt`."""
        saved = f"{len(self.records)} {self._unit}s are recorded and the state is saved"
        if self._interruption.requested:
            if self._saved < len(self.records):
                self.checkpoint()
            self.folder.log(f"{self._interruption.requested} received: {saved}; {self.folder.way_on}")
        self._interruption.leave_if_requested(f"{self.folder.name}: {saved}")

    def elapsed(self) -> float:
        """Seconds of work, earlier sessions included."""
        return self._elapsed_before + time.monotonic() - self._started

    def _continue(self) -> None:
        """Restores the newest checkpoint; sets the journal's later lines aside for comparison."""
        covered, state = self._mended()
        journal = self.folder.journal
        if state is None:
            journal.read()  # a damaged line is an error here: nothing can mend it
        self.records.length = self._saved = self.folder.event_start = covered
        self._repeated, repeated = None, len(journal) - covered
        self._elapsed_before, self._started = 0.0, time.monotonic()
        if state is None:
            # So that work interrupted before its first checkpoint can be started again in the same process.
            self.checkpoint()
            every = f"no usable checkpoint: all {repeated} {self._unit}s are repeated"
            self.folder.log(every if repeated else "the run starts")
        else:
            self._elapsed_before = state.pop("elapsed", 0.0)
            try:
                self._restore(state)
            except KeyError as error:
                raise StorageError(
                    f"The checkpoint of {self.folder.name} was written by other code: it has no {error}. Continue it "
                    "with that code, or overwrite=True (run_all.sh --overwrite) to start it anew."
                ) from error
            self.folder.log(f"continued after {covered} {self._unit}s; {repeated} recorded later are repeated")

    def _mended(self) -> tuple[int, dict[str, Any] | None]:
        """The newest usable checkpoint, by the number of lines it covers, after the journal was mended from it."""
        journal = self.folder.journal
        covered, state = self.folder.checkpoints.load(up_to=journal.survey()) or (0, None)
        mended = journal.mend(covered, state.pop("lines", [])) if state is not None else []
        if mended:
            message = f"journal lines {', '.join(map(str, mended))} were damaged or lost: mended, or measured again"
            _log.warning("%s: %s", self.folder.name, message)
            self.folder.log(message)
        return covered, state

    def _drop_stored(self, stored: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        """Empties the journal from this record on, with a warning that names what differs."""
        self.folder.journal.keep(len(self.records))
        differing = [
            f"{name} {stored.get(name)!r} before, {record.get(name)!r} now"
            for name in sorted({*stored, *record} - {*TIMING})
            if stored.get(name) != record.get(name)
        ]
        message = (
            f"{self._unit} {len(self.records)} came out differently when repeated ({'; '.join(differing)[:300]}), "
            "as it "
            "may on a GPU: the new records replace the old ones from here on"
        )
        _log.warning("%s: %s", self.folder.name, message)
        self.folder.log(message)

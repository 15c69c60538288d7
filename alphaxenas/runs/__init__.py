"""What survives the process: run folder, trial journal, checkpoints, event files. Knows nothing of search."""

from alphaxenas.runs.checkpoint import Checkpoints
from alphaxenas.runs.description import RunMismatch
from alphaxenas.runs.events import Events
from alphaxenas.runs.files import StorageError, read_json, write_atomically, write_json
from alphaxenas.runs.folder import RunFolder, RunInUse
from alphaxenas.runs.interruption import Interruption, Stopped
from alphaxenas.runs.journal import Journal, first_and_last, same_record
from alphaxenas.runs.machine import git_revision, provenance
from alphaxenas.runs.resume import ResumableLoop

__all__ = [
    "Checkpoints",
    "Events",
    "Interruption",
    "Journal",
    "ResumableLoop",
    "RunFolder",
    "RunInUse",
    "RunMismatch",
    "Stopped",
    "StorageError",
    "first_and_last",
    "git_revision",
    "provenance",
    "read_json",
    "same_record",
    "write_atomically",
    "write_json",
]

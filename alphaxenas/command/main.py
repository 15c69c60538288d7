"""The command `alphaxenas` and its verbs.

alphaxenas run quick                               the notebooks, what ./run_all.sh calls
alphaxenas params trials                           what a parameter means and may be
alphaxenas evaluate exp/quick/final/models/rank1.keras
alphaxenas status exp/quick [--watch]               how a run is doing, from outside
alphaxenas clean exp/quick [--yes]                  what an aborted run left behind
alphaxenas table --table FILE --signal COLUMN      a study on a table of trained architectures
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

VERBS = {
    "run": "alphaxenas.command.run",
    "params": "alphaxenas.command.params",
    "evaluate": "alphaxenas.command.evaluate",
    "status": "alphaxenas.command.status",
    "clean": "alphaxenas.command.clean",
    "table": "alphaxenas.command.table",
}
"""Verb to the module whose `main` runs it."""
USAGE = f"""usage: alphaxenas VERB ...

{(__doc__ or "").strip()}

alphaxenas VERB --help says more.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the verb that the first argument names.

    Args:
        arguments: As on the command line, without the program's name.

    Returns:
        The exit code: 0 all went well, 2 bad arguments; others as the verb documents.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    verb = words[0] if words else ""
    if verb in ("-h", "--help"):
        print(USAGE)
        return 0
    if verb not in VERBS:
        print(f"{USAGE}\nalphaxenas: Expected one of {', '.join(VERBS)}. Received: {verb!r}", file=sys.stderr)
        return 2
    # Imported here, so that each verb loads what it needs alone.
    return importlib.import_module(VERBS[verb]).main(words[1:])


if __name__ == "__main__":
    sys.exit(main())

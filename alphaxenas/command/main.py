"""The command `alphaxenas` and its verbs.

alphaxenas run quick                               the notebooks, what ./run_all.sh calls
alphaxenas params trials                           what a parameter means and may be
alphaxenas evaluate exp/quick/final/models/rank1.keras
alphaxenas table --table FILE --signal COLUMN      a study on a table of trained architectures
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

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
    if verb not in ("run", "params", "evaluate", "table"):
        print(f"{USAGE}\nalphaxenas: Expected one of run, params, evaluate, table. Received: {verb!r}", file=sys.stderr)
        return 2
    return _verb(verb)(words[1:])


def _verb(verb: str) -> Callable[[Sequence[str]], int]:
    """Imported here, so that each verb loads what it needs alone."""
    if verb == "run":
        from alphaxenas.pipelines import run_notebooks

        return run_notebooks.main
    if verb == "params":
        from alphaxenas.command import params

        return params.main
    if verb == "evaluate":
        from alphaxenas.command import evaluate

        return evaluate.main
    from alphaxenas.command import table

    return table.main


if __name__ == "__main__":
    sys.exit(main())

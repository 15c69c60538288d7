"""`alphaxenas evaluate`: the test accuracy of a stored model, a .keras file or a checkpoint; nothing is trained."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from alphaxenas.config import from_values, load_profile, parse_value


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the headline on stderr and the results as JSON on stdout; returns the exit code, 2 for bad arguments."""
    parser = argparse.ArgumentParser(prog="alphaxenas evaluate", description=__doc__)
    parser.add_argument("model", metavar="MODEL", help="a .keras file, or a checkpoint (.npz) of a final training")
    parser.add_argument("profile", nargs="?", default="quick", metavar="PROFILE", help="says which images [quick]")
    parser.add_argument("-p", dest="parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    options = parser.parse_args(arguments)
    try:
        given = {name: parse_value(name, value) for name, value in options.parameter}
        config = from_values({**load_profile(options.profile), **given})
        from alphaxenas.pipelines.final import evaluate_again

        results = evaluate_again(config, options.model)
    except ValueError as error:
        print(f"alphaxenas evaluate: {error}", file=sys.stderr)
        return 2
    print(f"{results['headline']} on {results['test_images']:,} images", file=sys.stderr)
    print(json.dumps(results))
    return 0

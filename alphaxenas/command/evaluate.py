"""`alphaxenas evaluate`: how good a stored model is on the test data; nothing is trained.

A model is a .keras file, a checkpoint of a final training, or a language model of notebook 09 (.npz with its .json).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alphaxenas.config import Config, from_values, load_profile, parse_value


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the headline on stderr and the results as JSON on stdout; returns the exit code, 2 for bad arguments."""
    parser = argparse.ArgumentParser(prog="alphaxenas evaluate", description=__doc__)
    parser.add_argument("model", metavar="MODEL", help="a .keras file, a checkpoint (.npz), or a language model (.npz)")
    parser.add_argument(
        "profile", nargs="?", default="quick", metavar="PROFILE", help="says which images or text [quick]"
    )
    parser.add_argument("-p", dest="parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    options = parser.parse_args(arguments)
    try:
        given = {name: parse_value(name, value) for name, value in options.parameter}
        config = from_values({**load_profile(options.profile), **given})
        results = _language_model(config, Path(options.model)) or _image_model(config, options.model)
    except ValueError as error:
        print(f"alphaxenas evaluate: {error}", file=sys.stderr)
        return 2
    count = f"{results['test_images']:,} images" if "test_images" in results else f"{results['test_words']:,} words"
    print(f"{results['headline']} on {count}", file=sys.stderr)
    print(json.dumps(results))
    return 0


def _image_model(config: Config, model: str) -> dict[str, Any]:
    from alphaxenas.pipelines.final import evaluate_again

    return evaluate_again(config, model)


def _language_model(config: Config, model: Path) -> dict[str, Any] | None:
    """None where the file is not that of a language model, which has its vocabulary beside it."""
    if model.suffix != ".npz" or not model.with_suffix(".json").is_file():
        return None
    from alphaxenas.pipelines.language_training import evaluate_language_model
    from alphaxenas.pipelines.stages import load_configured_text

    return evaluate_language_model(model, load_configured_text(config))

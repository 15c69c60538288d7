"""AlphaXENAS against random search: same space, evaluator, budgets and number of trials, several seeds, paired.

    python benchmarks/search_vs_random.py [--profile quick] [--run vs-random-quick] [--seeds 5] [-p NAME VALUE]...

Runs go to exp/<run>/ and are continued or reused; notebook 05 shows them with `-p run <run>`. Prints JSON last: every
measure with the values of both, the mean difference, its 95 % bootstrap interval over seeds, and Wilcoxon's p.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--profile", default="quick")
    arguments.add_argument("--run", help="name of the suite (default: vs-random-<profile>)")
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="parameters")
    options = arguments.parse_args()

    from alphaxenas.config import from_values, load_profile, parse_value
    from alphaxenas.devices import prepare_tensorflow

    run = options.run or f"vs-random-{Path(options.profile).stem}"
    given = {name: parse_value(name, value) for name, value in options.parameters}
    config = from_values({**load_profile(options.profile), **given, "run": run, "controllers": ["alphaxenas", "random"]})
    prepare_tensorflow(config.run.threads, config.run.memory_growth)

    from alphaxenas.report.runs import load_suite
    from alphaxenas.report.statistics import compare
    from alphaxenas.stages import load_images, search

    data = load_images(config)
    for seed in range(options.seeds):
        for controller in config.search.controllers:
            results = search(config, controller, seed, data)
            print(f"{controller} seed {seed}: {results['headline']}, {results['seconds']:.0f} s", file=sys.stderr, flush=True)
    groups = load_suite(run, config.run.exp_dir).groups()
    ours, theirs = groups
    print(json.dumps({
        "run": run, "seeds": options.seeds, "compared": f"{ours} - {theirs}",
        "measures": [
            {
                "measure": found.measure, "ours": found.first, "random": found.second, "difference": found.interval.mean,
                "interval": [found.interval.low, found.interval.high], "p": found.p_value, "verdict": found.verdict,
            }
            for found in compare(groups, ours, theirs)
        ],
    }))


if __name__ == "__main__":
    main()

"""AlphaXENAS against random search: same space, evaluator, budgets and number of trials, several seeds, paired.

    python -m benchmarks.search_vs_random [--profile quick] [--run vs-random-quick] [--seeds 5] [--scratch-epochs 0] [-p
    NAME VALUE]... [--record]

Runs go to exp/<run>/ and are continued or reused; notebook 05 shows them with `-p run <run>`. Prints JSON last: every
measure with the values of both, the mean difference, its 95 % bootstrap interval over seeds, and Wilcoxon's p.

Finals are trained from scratch unless `-p final_weights shared`: then a search also trains what it likes more often
than random search does, and its ratings say as much about that as about the cells. `--scratch-epochs N` tells the two
apart, or checks finals of a short budget by a longer one: the choice of every search is trained again, from initial
values, for N epochs on all training images, at the size of the search, and rated on the validation images.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.record import finish, parser


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--profile", default="quick")
    arguments.add_argument("--run", help="name of the suite (default: vs-random-<profile>)")
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--scratch-epochs", type=int, default=0)
    arguments.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="parameters")
    options, started = arguments.parse_args(), time.perf_counter()

    from alphaxenas.config import from_values, load_profile, parse_value
    from alphaxenas.networks.devices import prepare_tensorflow

    run = options.run or f"vs-random-{Path(options.profile).stem}"
    given = {name: parse_value(name, value) for name, value in options.parameters}
    config = from_values(
        {**load_profile(options.profile), **given, "run": run, "controllers": ["alphaxenas", "random"]}
    )
    prepare_tensorflow(config.run.threads, config.run.memory_growth)

    from alphaxenas.pipelines.factory import load_images
    from alphaxenas.pipelines.search import search
    from alphaxenas.report.equal_cost import measures
    from alphaxenas.report.runs import load_suite
    from alphaxenas.report.statistics import compare_many

    data = load_images(config)
    for seed in range(options.seeds):
        for controller in config.search.controllers:
            results = search(config, controller, seed, data)
            print(
                f"{controller} seed {seed}: {results['headline']}, {results['seconds']:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    groups = load_suite(run, config.run.exp_dir).groups()
    ours, theirs = groups
    pairs = measures(groups, ours, theirs)
    if options.scratch_epochs:
        rated = [
            {stored.seed: from_scratch(config, stored, data, options.scratch_epochs) for stored in group}
            for group in groups.values()
        ]
        pairs[f"choice, trained from scratch for {options.scratch_epochs} epochs"] = rated[0], rated[1]
    comparisons = compare_many(pairs)
    figures = {
        "run": run,
        "seeds": options.seeds,
        "compared": f"{ours} - {theirs}",
        "measures": [
            {
                "measure": measure,
                "difference": found.mean,
                "interval": [found.low, found.high],
                "p": found.p,
                "verdict": f"{found.verdict}: {found.reason}",
            }
            for measure, found in comparisons.items()
        ],
    }
    values = {measure: {ours: found.ours, theirs: found.theirs} for measure, found in comparisons.items()}
    name = f"search_vs_random_{Path(options.profile).stem}"
    finish("search_vs_random", options.record, started, figures, values, name)


def from_scratch(config, stored, data, epochs: int) -> float:
    """Validation accuracy of the choice of a stored search, trained without the weights of that search."""
    from alphaxenas.contracts import Budget, Proposal
    from alphaxenas.pipelines.factory import make_evaluator, search_space
    from alphaxenas.report.runs import best_records

    space = search_space(config)
    [(_, best)] = best_records([stored], 1)
    proposal = Proposal(0, space.encode(space.parse(best["architecture"])), Budget(epochs), "final")
    reward = make_evaluator(config, data, stored.seed, share_weights=False).evaluate(proposal).reward
    print(
        f"{stored.stage}: {reward:.4f} from scratch, {best['reward']:.4f} with shared weights",
        file=sys.stderr,
        flush=True,
    )
    return reward


if __name__ == "__main__":
    main()

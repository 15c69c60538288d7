"""AlphaXENAS against its controls on images: same space, evaluator, budgets and trials, several seeds, paired.

    python -m benchmarks.search_vs_random [--profile quick] [--run vs-random-quick] [--controllers alphaxenas random]
    [--seeds 8] [--scratch-epochs 0] [-p NAME VALUE]... [--record]

The first of the controllers is compared with each of the others. By default these are random search, random search with
the same proxies (where the profile names proxies), the static order, and `alphaxenas:uniform_share=1`, the same harness
without a search. Behind a colon stand parameters that differ from the profile's, so variants of AlphaXENAS can be
compared as well: `alphaxenas alphaxenas:planning=rollouts alphaxenas:prior=uniform`.

Runs go to exp/<run>/, those with other parameters to exp/<run>-<controller and parameters>/; notebook 05 shows them by
`-p run <run>` and `-p compare_with`. Searches that are finished are read, an interrupted one is continued, and after
every seed the result so far is printed and, with `--record`, recorded: so the command may be stopped and given again on
another day, with more seeds as well; it names the revisions of the code that the searches are of. Fewer than six seeds
show nothing.

Prints JSON last: for every control and measure (`alphaxenas.report.equal_cost.measures`) the mean difference, Student's
95 % interval, and the exact signed-rank test after Holm's correction. The best final at equal seconds decides; it is
corrected for the number of controls, the other measures for their own number.

The numbers on the page of results are of `--profile quick` and of

    --profile cifar10-cells-cpu

Finals are trained from scratch, whatever the profile says, unless `-p final_weights shared`: then a search also trains
what it likes more often than random search does, and its ratings say as much about that as about the cells.
`--scratch-epochs N` tells the two apart, or checks finals of a short budget by a longer one: the choice of every search
is trained again, from initial values, for N epochs on all training images, at the size of the search, and rated on the
validation images.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.record import finish, parser

if TYPE_CHECKING:
    from alphaxenas.report.runs import StoredRun
    from alphaxenas.report.statistics import Comparison

CONTROLS = ("random", "ranked", "static", "alphaxenas:uniform_share=1")
"""What AlphaXENAS is compared with by default; `ranked` only where there are proxies to rank by."""

Values = dict[str, dict[str, dict[str, list[float]]]]
"""Other controller to measure to `seeds`, and values of the first controller (`ours`) and of the other (`theirs`)."""


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--profile", default="quick")
    arguments.add_argument("--run", help="name of the suite (default: vs-random-<profile>)")
    arguments.add_argument("--controllers", nargs="+", help="the first is compared with the others (default: controls)")
    arguments.add_argument("--seeds", type=int, default=8)
    arguments.add_argument("--scratch-epochs", type=int, default=0)
    arguments.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="parameters")
    options = arguments.parse_args()

    from alphaxenas.config import from_values, load_profile, parse_value
    from alphaxenas.networks.devices import prepare_tensorflow
    from alphaxenas.tabular.choices import parse_controllers

    profile = Path(options.profile).stem
    run = options.run or f"vs-random-{profile}"
    given = {name: parse_value(name, text) for name, text in options.parameters}
    values = {**load_profile(options.profile), "final_weights": "scratch", **given}
    named = options.controllers or [
        "alphaxenas",
        *(one for one in CONTROLS if one != "ranked" or values.get("proxies")),
    ]
    configs = {}
    for choice in parse_controllers(",".join(named), "--controllers"):
        suite = f"{run}-{re.sub('[^A-Za-z0-9._]+', '-', choice.label)}" if choice.settings else run
        changed = {"run": suite, "controllers": [choice.name], **dict(choice.settings)}
        configs[choice.label] = choice.name, from_values({**values, **changed})
    (_, config), *_ = configs.values()
    prepare_tensorflow(config.run.threads, config.run.memory_growth, config.run.op_determinism)

    from alphaxenas.pipelines.factory import load_images
    from alphaxenas.pipelines.search import search

    data = load_images(config)
    for seed in range(options.seeds):
        for label, (controller, own) in configs.items():
            results = search(own, controller, seed, data)
            said = f"{label} seed {seed}: {results['headline']}, {results['seconds']:.0f} s"
            print(said, file=sys.stderr, flush=True)
        groups = {label: finished(own, controller) for label, (controller, own) in configs.items()}
        scratch = {}
        if options.scratch_epochs:
            scratch = {
                label: {one.seed: from_scratch(config, one, data, options.scratch_epochs) for one in runs}
                for label, runs in groups.items()
            }
        found = compared(groups, scratch, options.scratch_epochs)
        revisions = {one.description["revision"] or "unknown" for runs in groups.values() for one in runs}
        figures = {"run": run, "compared": next(iter(groups)), "revisions": sorted(revisions), **said_of(found)}
        spent = sum(one.outcome["seconds"] for runs in groups.values() for one in runs)
        name = f"search_vs_random_{profile.replace('-', '_')}"
        finish("search_vs_random", options.record, time.perf_counter() - spent, figures, found, name)


def finished(config, controller: str) -> tuple[StoredRun, ...]:
    """The finished searches of a controller, whatever their seeds: those of earlier days, too."""
    from alphaxenas.report.runs import load_suite

    searches = load_suite(config.run.run, config.run.exp_dir).searches
    return tuple(one for one in searches if one.controller == controller and one.results is not None)


def compared(
    groups: Mapping[str, Sequence[StoredRun]], scratch: Mapping[str, Mapping[int, float]], epochs: int
) -> Values:
    """What the first controller and each other one reached at equal cost, by the seeds that both have.

    Args:
        groups: Finished searches by controller.
        scratch: Accuracy of the choice, trained again, by controller and seed; empty where it was not.
        epochs: Of that training.
    """
    import numpy as np

    from alphaxenas.report.equal_cost import measures

    first, *others = groups
    found: Values = {}
    for other in others:
        pairs = measures(groups, first, other)
        if scratch:
            pairs[f"choice, trained from scratch for {epochs} epochs"] = scratch[first], scratch[other]
        for measure, (ours, theirs) in pairs.items():
            seeds = sorted(seed for seed in {*ours} & {*theirs} if np.isfinite([ours[seed], theirs[seed]]).all())
            sides = {"ours": [ours[seed] for seed in seeds], "theirs": [theirs[seed] for seed in seeds]}
            found.setdefault(other, {})[measure] = {"seeds": seeds, **sides}
    return found


def comparisons(values: Values) -> dict[tuple[str, str], Comparison]:
    """The differences by other controller and measure; the measure that decides is corrected apart from the others."""
    from alphaxenas.report.equal_cost import compare_decisive_apart

    pairs = {
        (other, measure): tuple(dict(zip(one["seeds"], one[side])) for side in ("ours", "theirs"))
        for other, measured in values.items()
        for measure, one in measured.items()
    }
    return compare_decisive_apart(pairs)


def said_of(values: Values) -> dict[str, Any]:
    """The figures of a result: seeds that every pair has at least, and what each difference says."""
    found = comparisons(values)
    rows = [
        {
            "control": other,
            "measure": measure,
            "difference": one.mean,
            "interval": [one.low, one.high],
            "p": one.p,
            "verdict": f"{one.verdict}: {one.reason}",
        }
        for (other, measure), one in found.items()
    ]
    return {"seeds": min((one.n for one in found.values()), default=0), "measures": rows}


def from_scratch(config, stored: StoredRun, data, epochs: int) -> float:
    """Validation accuracy of the choice of a stored search, trained without the weights of that search; once."""
    from alphaxenas.contracts import Budget, Proposal
    from alphaxenas.pipelines.factory import make_evaluator, search_space
    from alphaxenas.pipelines.stages import open_stage
    from alphaxenas.report.runs import best_records

    space = search_space(config)
    [(_, best)] = best_records([stored], 1)
    what = {"search": f"{stored.suite}/{stored.stage}", "architecture": best["architecture"]}
    with open_stage(config, f"scratch-{epochs}", config.parameters("data", "space", "child"), data) as folder:
        for record in folder.journal.read():
            if what.items() <= record.items():
                return record["reward"]
        proposal = Proposal(0, space.encode(space.parse(best["architecture"])), Budget(epochs), "final")
        reward = make_evaluator(config, data, stored.seed, share_weights=False).evaluate(proposal).reward
        folder.journal.append({**what, "reward": reward})
    told = f"{what['search']}: {reward:.4f} from scratch for {epochs} epochs, {best['reward']:.4f} in the search"
    print(told, file=sys.stderr, flush=True)
    return reward


if __name__ == "__main__":
    main()

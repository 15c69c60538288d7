"""ENAS's micro space at CPU size: what shared weights say about accuracy from scratch, and whether the derived cell is
any better.

    python -m benchmarks.enas_micro [--run enas-micro] [--architectures 30] [--retrained 8] [--seeds 8] [--epochs 8] [-p
    NAME VALUE]...

1. Shared weights are trained with uniformly drawn architectures, the policy on their ratings, and cells are derived
   (`alphaxenas.pipelines.enas.search`; by default 8 filters, 3 cells, a stem of stride 2, a tenth of CIFAR-10's
   training images).
2. `--architectures` random architectures are rated with the shared weights, all on all validation images, and trained
   from scratch for `--epochs` epochs at the same size. Spearman's correlation of the two, with its interval
   (bootstrap, BCa).
3. ENAS retrains what it derives and takes the best; random search may retrain as many. So of the `--retrained` best
   derived architectures and of as many random ones, that with the highest accuracy from scratch is chosen (seed 0), and
   the two chosen ones are compared by `--seeds` further trainings each, from other seeds, the same for both: neither
   gains from the luck it was chosen by. Fewer than six seeds show nothing.

Test images are not touched. Everything is recorded in exp/<run>/, and the same command continues. Prints JSON last.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np

from benchmarks.record import finish, parser

DEFAULTS = {
    "dataset": "cifar10",
    "fraction": 0.1,
    "blocks": 5,
    "filters": 8,
    "cells": 3,
    "stem_stride": 2,
    "batch_size": 32,
    "learning_rate": 0.05,
    "enas_rounds": 15,
    "enas_sampling": "uniform",
    "enas_policy_steps": 4,
    "enas_samples": 4,
    "enas_reward_images": 1000,
    "enas_derive": 40,
}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--run", default="enas-micro")
    arguments.add_argument("--architectures", type=int, default=30)
    arguments.add_argument("--retrained", type=int, default=8)
    arguments.add_argument("--seeds", type=int, default=8)
    arguments.add_argument("--epochs", type=int, default=8)
    arguments.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="parameters")
    options, started = arguments.parse_args(), time.perf_counter()

    from alphaxenas.config import from_values, parse_value
    from alphaxenas.networks.devices import prepare_tensorflow

    given = {name: parse_value(name, value) for name, value in options.parameters}
    config = from_values({**DEFAULTS, **given, "run": options.run})
    prepare_tensorflow(config.run.threads, config.run.memory_growth, config.run.op_determinism)

    from alphaxenas.pipelines.enas import derive, enas_space
    from alphaxenas.pipelines.factory import load_images

    data = load_images(config)
    derived = derive(config, "micro", data=data)[: options.retrained]
    space, rng = enas_space(config, "micro"), np.random.default_rng(config.run.seed)
    drawn = [space.sample(rng) for _ in range(options.architectures)]
    shared = rated(config, drawn, data)
    scratch = Scratch(config, options, data)
    single = {str(one): scratch.accuracy(one, 0) for one in (*drawn, *derived)}
    sides = {"derived": derived, "random": drawn[: options.retrained]}
    chosen = {side: max(group, key=lambda one: single[str(one)]) for side, group in sides.items()}
    again = {
        side: [scratch.accuracy(one, seed) for seed in range(1, options.seeds + 1)] for side, one in chosen.items()
    }
    figures = {
        "run": options.run,
        "epochs": options.epochs,
        **correlation(shared, [single[str(one)] for one in drawn]),
        **{
            side: {
                "retrained": len(group),
                "mean": round(float(np.mean([single[str(one)] for one in group])), 4),
                "chosen": str(chosen[side]),
                "chosen_by": round(single[str(chosen[side])], 4),
                "again_mean": round(float(np.mean(again[side])), 4),
            }
            for side, group in sides.items()
        },
        **difference(again["derived"], again["random"]),
    }
    values = {"shared": shared, "single": single, **{f"{side}_again": found for side, found in again.items()}}
    finish("enas_micro", options.record, started, figures, values)


def rated(config, architectures, data) -> list[float]:
    """Validation accuracy of each with the shared weights as the search left them; rated once, then read."""
    from alphaxenas.networks.training.loop import EVALUATION_BATCH
    from alphaxenas.pipelines.enas import enas_supernetwork
    from alphaxenas.pipelines.factory import image_weights
    from alphaxenas.pipelines.stages import open_stage
    from alphaxenas.runs.checkpoint import Checkpoints

    seed, suite = config.run.seed, Path(config.run.exp_dir) / config.run.run
    with open_stage(config, "enas-rated", config.parameters("data", "child", "enas")) as folder:
        known = {record["architecture"]: record["reward"] for record in folder.journal.read()}
        if missing := [one for one in architectures if str(one) not in known]:
            network = enas_supernetwork(config, "micro", data.num_classes)
            weights = image_weights(config, network, data, seed, EVALUATION_BATCH)
            weights.restore(Checkpoints(suite / f"enas-micro-s{seed}" / "checkpoints").load()[1]["supernet"])
            for one, rating in zip(missing, weights.rate(missing, config.enas.enas_rounds)):
                known[str(one)] = rating.reward
                folder.journal.append({"architecture": str(one), "reward": rating.reward})
    return [known[str(one)] for one in architectures]


class Scratch:
    """Trains architectures from their initial values; what is recorded is not trained again."""

    def __init__(self, config, options, data) -> None:
        self._config, self._options, self._data = config, options, data
        self._known: dict[tuple[str, int], float] | None = None

    def accuracy(self, architecture, seed: int) -> float:
        """Validation accuracy after the epochs asked for; `seed` is that of initial weights and batches."""
        from alphaxenas.contracts import Budget, Proposal
        from alphaxenas.pipelines.enas import enas_space
        from alphaxenas.pipelines.factory import make_evaluator
        from alphaxenas.pipelines.stages import open_stage

        config, data = self._config, self._data
        parameters = {
            **config.parameters("data", "child"),
            "blocks": config.space.blocks,
            "epochs": self._options.epochs,
        }
        with open_stage(config, "enas-scratch", parameters) as folder:
            if self._known is None:
                self._known = {
                    (record["architecture"], record["seed"]): record["reward"] for record in folder.journal.read()
                }
            if (str(architecture), seed) not in self._known:
                space = enas_space(config, "micro")
                evaluator = make_evaluator(config, data, seed, space, share_weights=False)
                outcome = evaluator.evaluate(Proposal(0, space.encode(architecture), Budget(self._options.epochs)))
                record = {
                    "architecture": str(architecture),
                    "seed": seed,
                    "reward": outcome.reward,
                    "status": outcome.status,
                    "seconds": outcome.seconds,
                }
                folder.journal.append({**record, "parameters": outcome.metrics["parameters"]})
                self._known[str(architecture), seed] = outcome.reward
                print(
                    f"{len(self._known)} trained from scratch: {outcome.reward:.4f}, {outcome.seconds:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
        return self._known[str(architecture), seed]


def correlation(shared: list[float], single: list[float]) -> dict:
    """Spearman's rank correlation of both ratings with its interval; mean and standard deviation of each rating."""
    from alphaxenas.report.statistics import rank_correlation_interval

    found = rank_correlation_interval(shared, single)
    bounds = [None if bound is None else round(bound, 3) for bound in (found.low, found.high)]
    return {
        "architectures": found.count,
        "spearman": round(found.mean, 3),
        "interval": bounds,
        "shared": [round(float(value), 4) for value in (np.mean(shared), np.std(shared, ddof=1))],
        "scratch": [round(float(value), 4) for value in (np.mean(single), np.std(single, ddof=1))],
    }


def difference(first: list[float], second: list[float]) -> dict:
    """Mean difference over trainings of equal seeds, its interval, the exact test and what they show."""
    from alphaxenas.report.statistics import compare

    found = compare(dict(enumerate(first)), dict(enumerate(second)))
    return {
        "derived_minus_random": round(found.mean, 4),
        "difference_interval": [None if bound is None else round(bound, 4) for bound in (found.low, found.high)],
        "p": found.p,
        "verdict": f"{found.verdict}: {found.reason}",
    }


if __name__ == "__main__":
    main()

"""A pool of NAS-Bench-201 cells, each really trained on CIFAR-10 at two small budgets, to replay searches on.

    python -m benchmarks.image_truth train --out exp/image_truth --data-dir data [--cells 600] [--seconds S]

Cells are drawn uniformly by the seed, all different as strings; those in which no path leads from input to output are
left out (341 of 15,625: they classify no image and no search should be praised for avoiding them). Each is trained
from scratch on images halved to 16x16 by averaging, with 8 channels and one cell a stage, once for every budget of
`BUDGETS` with a learning rate that falls to 0 along a cosine, and scored on validation images that no training sees.
Test images are not read.

`seconds` is the processor time of one thread, graph building and validation included. Every cell is appended to a
journal in OUT at once, and the same command goes on where it was stopped. The order is random, so that a part of the
pool is a sample of all; `--part 1/2` and `--part 2/2` share the work between two processes. TensorFlow keeps some MiB
for every network it has ever traced, so the process replaces itself by a fresh one after `CELLS_PER_PROCESS` cells.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alphaxenas.runs import Journal
from alphaxenas.seeds import stream
from alphaxenas.spaces.nasbench.nasbench201 import NONE, PATHS, NASBench201

if TYPE_CHECKING:
    from alphaxenas.data.images import ImageData
    from alphaxenas.evaluators.trained import TrainedEvaluator

SPACE = NASBench201()
BUDGETS = {"low": (1, 0.2), "high": (3, 0.25)}
"""Epochs, and the share of the 46,000 training images drawn for each."""
SETTINGS = {
    "format": 1,
    "dataset": "cifar10",
    "validation_size": 4_000,
    "side": 16,
    "filters": 8,
    "cells": 3,
    "batch_size": 64,
    "learning_rate": 0.1,
    "weight_decay": 5e-4,
    "augment": False,
    "budgets": {name: list(budget) for name, budget in BUDGETS.items()},
    "seed": 0,
}
"""Of every training: what a pilot on other cells could pay for. The first line of every journal."""
CELLS_PER_PROCESS = 100
POOL_CELLS = 600


def drawn_cells(count: int, seed: int = SETTINGS["seed"]) -> list[str]:
    """Codes of different random cells that join input and output; a longer list begins with a shorter one.

    Args:
        count: How many, at most all of them.
        seed: Of the draw.

    Returns:
        Codes of six digits, see `NASBench201`.
    """
    rng, codes = stream(seed, "image_truth"), dict[str, None]()
    while len(codes) < count:
        tokens = SPACE.encode(SPACE.sample(rng))
        if any(NONE not in [tokens[edge] for edge in path] for path in PATHS):
            codes["".join(map(str, tokens))] = None
    return list(codes)


def train(options: argparse.Namespace) -> int:
    """Trains the cells of a part that its journal lacks; returns the exit code."""
    part, parts = map(int, options.part.split("/"))
    folder, until = Path(options.out), options.until or (time.time() + options.seconds if options.seconds else 0.0)
    folder.mkdir(parents=True, exist_ok=True)
    journal = opened(folder / f"trained-{part}-of-{parts}.jsonl", SETTINGS)
    done = {record["code"] for path in folder.glob("trained-*.jsonl") for record in Journal(path).read()[1:]}
    missing = [code for code in drawn_cells(options.cells)[part - 1 :: parts] if code not in done]
    evaluator = _evaluator(options.data_dir) if missing else None
    for number, code in enumerate(missing):
        if until and time.time() > until:
            break
        if number == CELLS_PER_PROCESS:
            journal.close()
            words = [*sys.argv[1:], "--until", str(until)]
            os.execv(sys.executable, [sys.executable, "-m", "benchmarks.image_truth", *words])
        assert evaluator is not None
        journal.append(_trained(evaluator, code))
    journal.close()
    return 0


def opened(path: Path, settings: dict) -> Journal:
    """A journal that begins with its settings.

    Args:
        path: The file.
        settings: What its first line says or has to say.

    Raises:
        SystemExit: It holds results of other settings.
    """
    journal = Journal(path)
    stored = journal.read()
    if not stored:
        journal.append(settings)
    elif stored[0] != settings:
        sys.exit(f"image_truth: {path} holds results of other settings: {stored[0]}. Received: {settings}")
    return journal


def pool_data(data_dir: str) -> ImageData:
    """CIFAR-10 as the pool is trained on it: halved images, no test part."""
    from alphaxenas.data import load_data
    from benchmarks.chain_table import halved

    return halved(
        load_data(SETTINGS["dataset"], data_dir, validation_size=SETTINGS["validation_size"], seed=SETTINGS["seed"])
    )


def _evaluator(data_dir: str) -> TrainedEvaluator:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from alphaxenas.networks.devices import prepare_tensorflow

    prepare_tensorflow(1, True)
    from alphaxenas.evaluators.trained import TrainedEvaluator
    from alphaxenas.networks.nasbench.nasbench201 import NASBench201Network
    from alphaxenas.networks.training.recipe import Recipe

    data = pool_data(data_dir)
    return TrainedEvaluator(
        SPACE,
        lambda cell: NASBench201Network(cell, data.num_classes, SETTINGS["filters"], SETTINGS["cells"]),
        data,
        Recipe(SETTINGS["learning_rate"], weight_decay=SETTINGS["weight_decay"]),
        SETTINGS["batch_size"],
        SETTINGS["seed"],
        share_weights=False,
        augment=SETTINGS["augment"],
    )


def _trained(evaluator: TrainedEvaluator, code: str) -> dict:
    """The record of a cell: reward, loss and seconds of every budget, 0 where a training failed."""
    from alphaxenas.contracts import Budget, Proposal

    record: dict = {"code": code}
    for name, budget in BUDGETS.items():
        begin = time.process_time()
        outcome = evaluator.evaluate(Proposal(0, tuple(map(int, code)), Budget(*budget)))
        record[name] = {
            "reward": round(outcome.reward, 6),
            "train_accuracy": round(outcome.metrics.get("train_accuracy", 0.0), 5),
            "seconds": round(time.process_time() - begin, 3),
            "status": outcome.status,
        }
    return record


def _parser() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = words.add_subparsers(dest="verb", required=True)
    trained = verbs.add_parser("train", help="train the cells of the pool")
    trained.add_argument("--out", required=True, metavar="FOLDER", help="where the journals are written")
    trained.add_argument("--data-dir", default="data", metavar="FOLDER", help="folder of CIFAR-10 [%(default)s]")
    trained.add_argument("--cells", type=int, default=POOL_CELLS, help="size of the pool [%(default)s]")
    trained.add_argument("--seconds", type=float, default=0.0, help="begin no cell after so long; 0 = no limit")
    trained.add_argument("--part", default="1/1", metavar="K/N", help="the K-th of N parts of the work [%(default)s]")
    trained.add_argument("--until", type=float, default=0.0, help=argparse.SUPPRESS)
    return words


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb; returns the exit code."""
    options = _parser().parse_args(arguments)
    return {"train": train}[options.verb](options)


if __name__ == "__main__":
    sys.exit(main())

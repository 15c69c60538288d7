"""All 1,296 networks of titu1994's space, each trained once from scratch on CIFAR-10 at a small budget, as a table to
search in.

    python -m benchmarks.chain_table --data-dir data --out chain_table [--epochs 1] [--fraction 0.1] [--side 16]

A code is kernel-filters-kernel-filters-... of the four layers, e.g. 3-64-3-64-3-32-3-64. Every network starts from the
same seed, sees the same images in the same order (a tenth of the training images, once) and is scored on all 5,000
validation images; the test images are not read. Images are halved to 16x16 by averaging, unless `--side 32`, so that a
network costs one to two seconds of one core. At this budget accuracies are far below what the networks reach in the
end: the table is for comparing controllers, not for statements about networks.

Every result is appended to OUT/trials.jsonl at once; the same command goes on where it was stopped, in an order drawn
by the seed, so that a part of the results is a sample of all. The CSV is written when all are there. `seconds` is
processor time. Prints JSON last.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alphaxenas.runs.files import write_atomically
from alphaxenas.seeds import stream
from alphaxenas.spaces.chains.presets import convolution_chains
from benchmarks.record import finish, journal_of, parser

if TYPE_CHECKING:
    from alphaxenas.data.images import ImageData

COLUMNS = ("code", "validation_accuracy", "parameters", "seconds")
FILE = "chain_table.csv"


def main(arguments: list[str] | None = None) -> int:
    """Trains what is missing and writes the table; returns the exit code. SystemExit if other settings are stored."""
    options, started = _parser().parse_args(arguments), time.perf_counter()
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        name: getattr(options, name)
        for name in ("dataset", "epochs", "fraction", "side", "batch_size", "learning_rate", "seed")
    }
    journal = journal_of(folder / "trials.jsonl", settings)
    done = {record["code"]: record for record in journal.read()[1:]}
    space = convolution_chains()
    sequences = [space.encode(chain) for chain in _all_chains(space)]
    order = [sequences[place] for place in stream(options.seed, "chain_table").permutation(len(sequences))]
    if options.most:
        order = order[: options.most]
    missing = [tokens for tokens in order if code_of(space.decode(tokens)) not in done]
    if missing:
        evaluator = _evaluator(space, options)
        for tokens in missing:
            record = _trained(space, evaluator, tokens, options)
            journal.append(record)
            done[record["code"]] = record
    journal.close()
    rows = [done[code] for code in (code_of(space.decode(tokens)) for tokens in sequences) if code in done]
    if len(rows) == space.size():
        write_atomically(folder / FILE, as_csv(rows).encode())
    rewards = np.array([row["validation_accuracy"] for row in rows])
    best = rows[int(rewards.argmax())]
    figures = {
        **settings,
        "networks": len(rows),
        "of": space.size(),
        "complete": len(rows) == space.size(),
        "best": best["code"],
        "best_validation_accuracy": float(rewards.max()),
        "mean": round(float(rewards.mean()), 4),
        "worst": float(rewards.min()),
        "mean_seconds": round(float(np.mean([row["seconds"] for row in rows])), 2),
    }
    finish("chain_table", options.record, started, figures)
    return 0


def code_of(chain: object) -> str:
    """Kernel and filters of every layer, with dashes between."""
    return "-".join(f"{layer['kernel']}-{layer['filters']}" for layer in chain.layers)


def as_csv(rows: list[dict]) -> str:
    """The table, in the order of the token sequences."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([row[column] for column in COLUMNS] for row in rows)
    return text.getvalue()


def halved(data: ImageData) -> ImageData:
    """The same data with the mean of every 2x2 pixels in place of them; without test part."""
    from alphaxenas.data.images import Part

    def half(part: Part) -> Part:
        count, height, width, channels = part.images.shape
        sums = part.images.reshape(count, height // 2, 2, width // 2, 2, channels).astype(np.uint16).sum((2, 4))
        return Part(((sums + 2) // 4).astype(np.uint8), part.labels.copy())

    return replace(data, train=half(data.train), validation=half(data.validation), test=None)


def _evaluator(space: object, options: argparse.Namespace) -> object:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    from alphaxenas.data import load_data
    from alphaxenas.evaluators.trained import ChildTraining, TrainedEvaluator
    from alphaxenas.networks.chain import chain_network
    from alphaxenas.networks.options import NetworkOptions
    from alphaxenas.networks.training.loop import Recipe

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    data = load_data(options.dataset, options.data_dir, seed=options.seed)
    if options.side == data.image_shape[0] // 2:
        data = halved(data)
    recipe = Recipe(options.learning_rate, weight_decay=0.0, gradient_clip=0.0, optimizer="adam")
    return TrainedEvaluator(
        space,
        lambda chain: chain_network(chain, NetworkOptions(data.num_classes)),
        data,
        recipe,
        ChildTraining(options.batch_size, share_weights=False, augment=False),
        options.seed,
    )


def _trained(space: object, evaluator: object, tokens: tuple[int, ...], options: argparse.Namespace) -> dict:
    from alphaxenas.contracts import Budget, Proposal

    begin = time.process_time()
    outcome = evaluator.evaluate(Proposal(0, tokens, Budget(options.epochs, options.fraction)))
    if outcome.status != "ok":
        raise RuntimeError(f"{space.decode(tokens)} failed: {outcome.reason}")
    return {
        "code": code_of(space.decode(tokens)),
        "validation_accuracy": round(outcome.reward, 6),
        "parameters": int(outcome.metrics["parameters"]),
        "seconds": round(time.process_time() - begin, 3),
        "loss": round(outcome.metrics["loss"], 5),
    }


def _all_chains(space: object, tokens: tuple[int, ...] = ()) -> list:
    actions = space.legal_actions(tokens)
    return (
        [chain for action in actions for chain in _all_chains(space, (*tokens, action))]
        if actions
        else [space.decode(tokens)]
    )


def _parser() -> argparse.ArgumentParser:
    words = parser(__doc__)
    words.add_argument("--out", required=True, metavar="FOLDER", help="where journal and table are written")
    words.add_argument("--data-dir", default="data", metavar="FOLDER", help="folder of the data set [%(default)s]")
    words.add_argument("--dataset", default="cifar10", choices=("cifar10", "cifar100"), help="[%(default)s]")
    words.add_argument("--epochs", type=int, default=1, help="passes [%(default)s]")
    words.add_argument(
        "--fraction", type=float, default=0.1, help="share of the training images in a pass [%(default)s]"
    )
    words.add_argument("--side", type=int, default=16, choices=(16, 32), help="of the images [%(default)s]")
    words.add_argument("--batch-size", type=int, default=32, help="[%(default)s]")
    words.add_argument("--learning-rate", type=float, default=0.003, help="Adam's [%(default)s]")
    words.add_argument("--seed", type=int, default=0, help="[%(default)s]")
    words.add_argument("--most", type=int, default=0, metavar="N", help="only the first N of the order; 0 = all")
    return words


if __name__ == "__main__":
    sys.exit(main())

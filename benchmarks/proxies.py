"""Zero-cost proxies against published accuracies: do ours order NAS-Bench-201 as the published values do, at what cost?

    python -m benchmarks.proxies --tables FOLDER --data-dir FOLDER --out proxies [--cells 200] [--record]

Random cells of `nasbench201_proxies.csv.gz` (the values of NAS-Bench-Suite-Zero) are built at published size, 16
channels and 15 cells, and scored by every proxy of `alphaxenas.proxies` on one batch of CIFAR-10 training images.
Reported for every proxy: Kendall's tau of its scores with the mean test accuracy after 200 epochs, the tau of the
published values on the same cells, the tau of both with each other, and processor seconds per cell. The two sets of
values come from different initial weights and batches, so they can agree in rank only. Last: the sum of the ranks of
NASWOT, synflow and jacov, and of all proxies.

Every cell is appended to OUT/proxies.jsonl at once; the same command goes on where it was stopped. Prints JSON last.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from alphaxenas.workers.processes import thread_limits

if __name__ == "__main__":  # numerical libraries read them when NumPy is imported
    os.environ.update(thread_limits(1))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from alphaxenas.proxies import PROXIES, ProxyScores, rank_sum
from alphaxenas.seeds import stream
from alphaxenas.spaces import NASBench201
from benchmarks.record import finish, journal_of, parser

PUBLISHED = {
    "parameters": "params",
    "multiply_adds": "flops",
    "naswot": "nwot",
    **{name: name for name in ("jacov", "grad_norm", "snip", "grasp", "fisher", "synflow", "zen")},
}
"""Our name to the column of the published values; of the others no values were published."""
ACCURACY = "cifar10_test_200ep_mean"
SUMS = {"sum of ranks: NASWOT, synflow, jacov": ("naswot", "synflow", "jacov"), "sum of ranks: all": tuple(PROXIES)}
CELLS, VALUES = 15, 5 * (16 * 32**2 + 32 * 16**2 + 64 * 8**2)
"""Cells of a network, and values that one edge of all of them puts out for an image."""
NEAR = 0.05
"""Largest difference of the two correlations with accuracy that counts as agreement."""


def main(arguments: list[str] | None = None) -> int:
    """Scores what is missing and prints the result; returns the exit code. SystemExit if other settings are stored."""
    options, started = _parser().parse_args(arguments), time.perf_counter()
    tables, folder = Path(options.tables), Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    published = rows(tables / "nasbench201_proxies.csv.gz")
    accuracy = {code: float(row[ACCURACY]) for code, row in rows(tables / "nasbench201_cifar.csv.gz").items()}
    codes = sorted(published)
    codes = [codes[place] for place in stream(options.seed, "proxies", "cells").permutation(len(codes))][
        : options.cells
    ]
    settings = {"batch": options.batch, "seed": options.seed, "proxies": list(PROXIES)}
    journal = journal_of(folder / "proxies.jsonl", settings)
    done = {record["code"]: record for record in journal.read()[1:]}
    if missing := [code for code in codes if code not in done]:
        scores = scorer(options.data_dir, options.batch, options.seed)
        for code in missing:
            done[code] = scored(scores, code)
            journal.append(done[code])
            print(f"{len(done)} of {len(codes)}: {code}", file=sys.stderr, flush=True)
    journal.close()
    chosen = [done[code] for code in codes]
    truth = np.array([accuracy[code] for code in codes])
    ours = np.array([[math.nan if v is None else v for v in record["scores"].values()] for record in chosen])
    figures = {
        **settings,
        "cells": len(codes),
        "table": "NAS-Bench-201, CIFAR-10",
        "methods": compared(ours, {code: published[code] for code in codes}, truth),
        "seconds": dict(zip(PROXIES, np.round(np.mean([list(r["seconds"].values()) for r in chosen], 0), 4).tolist())),
        "not_finite": {name: int(np.isnan(ours[:, place]).sum()) for place, name in enumerate(PROXIES)},
    }
    flops = {code: int(row["flops_cifar"]) for code, row in rows(tables / "nasbench201_cifar.csv.gz").items()}
    figures["explained"] = explained(ours, [published[code] for code in codes], [flops[code] for code in codes], truth)
    values = {"cells": codes, **{name: column.tolist() for name, column in zip(PROXIES, _plain(ours).T)}}
    finish("proxies", options.record, started, figures, values)
    return 0


def rows(path: Path) -> dict[str, dict[str, str]]:
    """The rows of a gzipped CSV file by their `op_code`."""
    with gzip.open(path, "rt", newline="") as file:
        return {row["op_code"]: row for row in csv.DictReader(file)}


def scorer(data_dir: str, batch: int, seed: int) -> ProxyScores:
    """All proxies over the networks of NAS-Bench-201 at published size.

    Args:
        data_dir: Folder with the files of CIFAR-10.
        batch: Images, drawn from the training images.
        seed: Of initial weights and draws.
    """
    import tensorflow as tf

    from alphaxenas.data import load_data
    from alphaxenas.networks.nasbench.nasbench201 import NASBench201Network
    from alphaxenas.networks.training.initial import NetworkWithBatch, initial_batch

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    data = load_data("cifar10", data_dir, seed=seed)
    images = initial_batch(data.train.images, data.train.labels, data.mean, data.std, batch, seed)
    return ProxyScores(
        tuple(PROXIES),
        NASBench201().key,
        lambda cell: NetworkWithBatch(NASBench201Network(cell, data.num_classes), data.image_shape, images, seed),
        time.process_time,
    )


def scored(scores: ProxyScores, code: str) -> dict:
    """The record of a cell: scores, None where one is not finite, and seconds of every proxy."""
    before = scores.seconds()
    row = scores.scores([NASBench201().parse(code)])[0]
    return {
        "code": code,
        "scores": dict(zip(scores.names, _plain(row).tolist())),
        "seconds": {name: round(total - before[name], 4) for name, total in scores.seconds().items()},
    }


def compared(ours: np.ndarray, published: dict[str, dict[str, str]], truth: np.ndarray) -> dict[str, dict]:
    """Rank correlations of every proxy and sum of ranks.

    Args:
        ours: Scores `[n, p]` in the order of `PROXIES`; NaN counts as the worst.
        published: Rows of the published values by code, in the order of the cells.
        truth: Accuracies `[n]`.
    """
    names, lists = list(PROXIES), list(published.values())
    theirs = np.array([[float(row[PUBLISHED[n]]) if n in PUBLISHED else math.nan for n in names] for row in lists])
    pairs = {name: (filled(ours[:, place]), theirs[:, place]) for place, name in enumerate(names)}
    for title, parts in SUMS.items():
        places = [names.index(part) for part in parts]
        known = all(part in PUBLISHED for part in parts)
        pairs[title] = (
            rank_sum(ours[:, places]),
            rank_sum(theirs[:, places]) if known else np.full(len(truth), math.nan),
        )
    found = {}
    for name, (own, other) in pairs.items():
        found[name] = {"tau": tau(own, truth)}
        if np.isfinite(other).all():
            found[name] |= {"published": tau(other, truth), "agreement": tau(own, other)}
            found[name]["near"] = bool(abs(found[name]["tau"] - found[name]["published"]) <= NEAR)
    return found


def explained(
    ours: np.ndarray, published: Sequence[dict[str, str]], flops: Sequence[int], truth: np.ndarray
) -> dict[str, float]:
    """Why two proxies differ from the published values, from the numbers of layers of every cell.

    Args:
        ours: Scores `[n, p]` in the order of `PROXIES`.
        published: Rows of the published values.
        flops: Exact published counts of the cells.
        truth: Accuracies `[n]`.

    Returns:
        `offsets`: different values of the published count without pools and normalisations minus ours; `zen_step`: by
        how much the published Zen-score is lower for every normalisation (least squares); `zen_agreement`, `zen_tau`:
        rank correlation of ours without that with the published values and with accuracy.
    """
    names, codes = list(PROXIES), [row["op_code"] for row in published]
    convolutions, pools = (np.array([sum(map(code.count, each)) for code in codes]) for each in ("23", "4"))
    extra = VALUES * (3 * convolutions + 9 * pools)
    zen, theirs = ours[:, names.index("zen")], np.array([float(row["zen"]) for row in published])
    known = np.isfinite(zen)
    layers = CELLS * convolutions[known]
    step = float(np.polyfit(layers, (zen - theirs)[known], 1)[0]) if known.sum() > 1 and np.ptp(layers) else 0.0
    without = zen[known] - step * layers
    return {
        "offsets": len(set((np.array(flops) - extra - ours[:, names.index("multiply_adds")]).tolist())),
        "zen_step": round(step, 4),
        "zen_agreement": tau(without, theirs[known]),
        "zen_tau": tau(without, truth[known]),
    }


def filled(column: np.ndarray) -> np.ndarray:
    """Scores with what is not finite below all others."""
    return np.where(np.isfinite(column), column, np.nanmin(column, initial=0.0) - 1.0)


def tau(first: np.ndarray, second: np.ndarray) -> float:
    """Kendall's tau-b.

    Args:
        first: `[n]`.
        second: `[n]`.
    """
    from scipy.stats import kendalltau

    return round(float(kendalltau(first, second)[0]), 4)


def _plain(scores: np.ndarray) -> np.ndarray:
    """None for NaN, which JSON does not know."""
    return np.where(np.isfinite(scores), scores.astype(object), None)


def _parser() -> argparse.ArgumentParser:
    words = parser(__doc__)
    words.add_argument("--tables", default="data", metavar="FOLDER", help="folder of the tables [%(default)s]")
    words.add_argument("--data-dir", default="data", help="folder of CIFAR-10 [%(default)s]")
    words.add_argument("--out", default="exp/proxies", help="folder of the journal [%(default)s]")
    words.add_argument("--cells", type=int, default=200, help="random cells [%(default)s]")
    words.add_argument("--batch", type=int, default=32, help="images [%(default)s]")
    words.add_argument("--seed", type=int, default=0, help="[%(default)s]")
    return words


if __name__ == "__main__":
    sys.exit(main())

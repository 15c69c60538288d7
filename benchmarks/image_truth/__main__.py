"""A pool of NAS-Bench-201 cells, each really trained on CIFAR-10 at two small budgets, to replay searches on.

    python -m benchmarks.image_truth train --out exp/image_truth --data-dir data [--cells 600] [--seconds S]
    python -m benchmarks.image_truth deepen --out exp/image_truth --data-dir data
    python -m benchmarks.image_truth score --out exp/image_truth --data-dir data
    python -m benchmarks.image_truth share --out exp/image_truth --data-dir data
    python -m benchmarks.image_truth table --out exp/image_truth --published nasbench201_cifar.csv.gz
    python -m benchmarks.image_truth journals --out exp/image_truth
    python -m benchmarks.image_truth replay --published nasbench201_cifar.csv.gz [--methods M ...] [--seeds 20]
    python -m benchmarks.image_truth real --out exp/image_truth_real --data-dir data --published TABLE [--seeds 3]

Cells are drawn uniformly by the seed, all different as strings; those in which no path leads from input to output are
left out (341 of 15,625: they classify no image, and no search should be praised for avoiding them). `train` trains each
from scratch on images halved to 16x16 by averaging, with 8 channels and one cell a stage, once for every budget of
`BUDGETS` with a learning rate that falls to 0 along a cosine, and scores it on validation images that no training sees.
Test images are not read. `deepen` trains each at the high budget in a network of three cells a stage. `score` computes
every zero-cost proxy of the cell's initial network. `share` trains one supernet, a random cell at every step, and rates
each cell with its weights. `table` joins all of them to one file, `POOL`, without published accuracies, and prints
their rank correlations with those; `journals` writes the journals of the table's cells anew, so that a pool of which
only the table is left can grow. `replay` lets controllers search the pool, see `benchmarks.image_truth.replay`;
`real` lets them train cells of the whole space, see `benchmarks.image_truth.real`.

Seconds are processor time of one thread: graph building and validation included, and of shared weights an equal part of
the supernet's training. Everything is appended to a journal in OUT at once, and the same command goes on where it was
stopped. The order is random, so that a part of the pool is a sample of all; `--part 1/2` and `--part 2/2` share the
work between two processes. TensorFlow keeps some MiB for every network that it has ever traced, so a process replaces
itself by a fresh one after `CELLS_PER_PROCESS` cells.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.runs import Journal
from alphaxenas.runs.files import write_atomically
from alphaxenas.seeds import stream
from alphaxenas.spaces.nasbench.nasbench201 import NONE, PATHS
from benchmarks.image_truth.children import (
    BUDGETS,
    DEEP,
    SETTINGS,
    SPACE,
    evaluator_of,
    network_of,
    one_thread,
    pool_data,
)
from benchmarks.image_truth.pool import ranking, read_pool
from benchmarks.image_truth.real import METHODS as REAL
from benchmarks.image_truth.real import search as real
from benchmarks.image_truth.replay import BUDGETS as REPLAYED
from benchmarks.image_truth.replay import HELD_OUT, METHODS, search
from benchmarks.record import finish, journal_of, load, note_confirmed

SHARED = {**SETTINGS, "epochs": 20, "calibration": 10}
"""Of the supernet: passes over all training images, and batches that statistics are measured on before a rating."""
SCORED = {**SETTINGS, "images": 64}
"""Of proxies: images of the batch."""
POOL = PROJECT_ROOT / "benchmarks" / "results" / "image_truth_pool.csv.gz"
PUBLISHED = "cifar10_test_200ep_mean"
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
    """Trains the cells of a part that the journals lack; returns the exit code."""
    return _each_cell(options, "trained", SETTINGS, lambda: _trainer(options.data_dir))


def deepen(options: argparse.Namespace) -> int:
    """Trains the cells of a part that the journals lack in deeper networks; returns the exit code."""
    return _each_cell(options, "deep", DEEP, lambda: _trainer(options.data_dir, DEEP, {"deep": BUDGETS["high"]}))


def score(options: argparse.Namespace) -> int:
    """Scores the cells of a part that the journals lack by every proxy; returns the exit code."""
    return _each_cell(options, "scored", SCORED, lambda: _scorer(options.data_dir))


def share(options: argparse.Namespace) -> int:
    """Trains the supernet and rates the cells of a part that the journals lack; returns the exit code."""
    from benchmarks.image_truth.shared import rater

    return _each_cell(options, "shared", SHARED, lambda: rater(options, SHARED))


def _each_cell(options: argparse.Namespace, name: str, settings: dict, worker: Callable[[], Callable]) -> int:
    """Appends what a worker tells of every cell of a part to its journal, and begins no cell after the time limit."""
    part, parts = map(int, options.part.split("/"))
    folder, until = Path(options.out), options.until or (time.time() + options.seconds if options.seconds else 0.0)
    folder.mkdir(parents=True, exist_ok=True)
    journal = journal_of(folder / f"{name}-{part}-of-{parts}.jsonl", settings)
    done = stored(folder, name)
    missing = [code for code in drawn_cells(options.cells)[part - 1 :: parts] if code not in done]
    work = worker() if missing else None
    for number, code in enumerate(missing):
        if until and time.time() > until:
            break
        if number == CELLS_PER_PROCESS:
            journal.close()
            words = [*sys.argv[1:], "--until", str(until)]
            os.execv(sys.executable, [sys.executable, "-m", "benchmarks.image_truth", *words])
        assert work is not None
        journal.append({"code": code, **work(code)})
    journal.close()
    return 0


def stored(folder: Path, name: str) -> dict[str, dict]:
    """The records of all journals of a name, by code."""
    journals = sorted(folder.glob(f"{name}-*-of-*.jsonl"))
    return {record["code"]: record for path in journals for record in Journal(path).read()[1:]}


def _trainer(
    data_dir: str, settings: Mapping[str, Any] = SETTINGS, budgets: Mapping[str, tuple[int, float]] = BUDGETS
) -> Callable[[str], dict]:
    one_thread()
    from alphaxenas.contracts import Budget, Proposal

    evaluator = evaluator_of(pool_data(data_dir), settings["seed"], settings)

    def trained(code: str) -> dict:
        record = {}
        for name, budget in budgets.items():
            begin = time.process_time()
            outcome = evaluator.evaluate(Proposal(0, tuple(map(int, code)), Budget(*budget)))
            record[name] = {
                "reward": round(outcome.reward, 6),
                "train_accuracy": round(outcome.metrics.get("train_accuracy", 0.0), 5),
                "seconds": round(time.process_time() - begin, 3),
                "status": outcome.status,
            }
        return record

    return trained


def _scorer(data_dir: str) -> Callable[[str], dict]:
    one_thread()
    from alphaxenas.data.pipeline import Batches
    from alphaxenas.networks.training.initial import NetworkWithBatch
    from alphaxenas.proxies.catalogue import PROXIES, undefined

    data = pool_data(data_dir)
    batch = next(iter(Batches.of(data, "train", SCORED["images"]).epoch(SETTINGS["seed"], 0)))

    def scored(code: str) -> dict:
        cell, record = SPACE.parse(code), {}
        network = NetworkWithBatch(
            network_of(cell, data.num_classes), data.image_shape, lambda: batch, SETTINGS["seed"]
        )
        for name, proxy in PROXIES.items():
            begin = time.process_time()
            value = float("nan") if undefined(name, network.outline) else float(proxy(network))
            record[name] = {
                "score": value if np.isfinite(value) else None,
                "seconds": round(time.process_time() - begin, 4),
            }
        return record

    return scored


def table(options: argparse.Namespace) -> int:
    """Writes the pool and prints the rank correlation of every column with the published accuracies."""
    folder = Path(options.out)
    trained, deep, scored, shared = (stored(folder, name) for name in ("trained", "deep", "scored", "shared"))
    rows = []
    wanted = set(drawn_cells(options.cells))
    for code in trained:  # in the order of the journals: what a table held before stays in its place
        if code not in wanted or (deep and code not in deep):
            continue
        row = {"code": code}
        for name, record in {**trained[code], **deep.get(code, {})}.items():
            if name != "code":
                row |= {name: record["reward"], f"{name}_seconds": record["seconds"]}
        if shared:
            found = shared.get(code, {"reward": "", "seconds": ""})
            row |= {"shared": found["reward"], "shared_seconds": found["seconds"]}
        for name in next(iter(scored.values()), {}).keys() - {"code"}:
            found = scored.get(code, {}).get(name, {"score": None, "seconds": ""})
            value = "" if found["score"] is None else float(f"{found['score']:.6g}")
            row |= {name: value, f"{name}_seconds": found["seconds"]}
        rows.append(row)
    names = ["code", *sorted({name for row in rows for name in row} - {"code"})]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(Path(options.to), gzip.compress(text.getvalue().encode(), mtime=0))
    print(f"{len(rows)} cells, Kendall's tau with {options.column}:")
    for name, found in ranking(read_pool(options.to, options.published, options.column)).items():
        print(f"{name:25} {found['tau']:6.3f}  {found['seconds']:7.3f} s  {found['cells']} cells")
    return 0


def journals(options: argparse.Namespace) -> int:
    """Writes the journals from which `table` makes the same rows again; returns the exit code."""
    from alphaxenas.proxies.catalogue import PROXIES

    with gzip.open(options.to, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    for name, settings, columns, value in (
        ("trained", SETTINGS, BUDGETS, "reward"),
        ("deep", DEEP, ("deep",), "reward"),
        ("scored", SCORED, PROXIES, "score"),
    ):
        known = [column for column in columns if column in rows[0]]
        if not known or stored(folder, name):
            continue
        journal = journal_of(folder / f"{name}-1-of-1.jsonl", settings)
        for row in rows:
            found = {c: {value: _number(row[c]), "seconds": _number(row[f"{c}_seconds"])} for c in known}
            journal.append({"code": row["code"], **found})
        journal.close()
    return 0


def _number(text: str) -> float | None:
    return float(text) if text else None


def replay(options: argparse.Namespace) -> int:
    """Lets controllers search the pool; returns the exit code."""
    started = time.perf_counter()
    others = [] if tuple(options.budgets) == REPLAYED else dict.fromkeys(options.budgets)
    name = "_".join(["image_truth_replay", *others])
    if options.confirm:
        recorded = load()[name]["values"]
        options.methods, options.seeds = list(recorded), options.confirm
        note_confirmed(name, _by_mark(search(options)[1], options.seeds), _by_mark(recorded, options.seeds))
        return 0
    figures, values = search(options)
    keep = tuple(options.methods) != METHODS
    finish("image_truth", options.record, started, figures, values, name, keep=keep)
    return 0


def _by_mark(values: Mapping[str, Mapping[str, list]], seeds: int) -> dict[str, dict[str, list]]:
    """Regrets of the first seeds, by method and mark."""
    columns = {method: zip(*(found[str(seed)] for seed in range(seeds))) for method, found in values.items()}
    return {method: {f"regret {n}": list(column) for n, column in enumerate(c)} for method, c in columns.items()}


VERBS: dict[str, tuple[Callable[[argparse.Namespace], int], str]] = {
    "train": (train, "train the cells of the pool"),
    "deepen": (deepen, "train them in deeper networks"),
    "score": (score, "compute their proxies"),
    "share": (share, "rate them with shared weights"),
    "table": (table, "write the pool as a table"),
    "journals": (journals, "write the journals of a table anew"),
    "replay": (replay, "search in it"),
    "real": (real, "search the whole space by real trainings"),
}


def _parser() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(
        "python -m benchmarks.image_truth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = words.add_subparsers(dest="verb", required=True)
    for name, (_, text) in VERBS.items():
        verb = verbs.add_parser(name, help=text)
        if name != "replay":
            verb.add_argument("--out", required=True, metavar="FOLDER", help="folder of the journals")
        if name not in ("journals", "replay", "real"):
            verb.add_argument("--cells", type=int, default=POOL_CELLS, help="size of the pool [%(default)s]")
        if name in ("train", "deepen", "score", "share", "real"):
            verb.add_argument("--data-dir", default="data", metavar="FOLDER", help="folder of CIFAR-10 [%(default)s]")
            verb.add_argument("--part", default="1/1", metavar="K/N", help="the K-th of N parts [%(default)s]")
        if name in ("train", "deepen", "score", "share"):
            verb.add_argument("--seconds", type=float, default=0.0, help="begin no cell after so long; 0 = no limit")
            verb.add_argument("--until", type=float, default=0.0, help=argparse.SUPPRESS)
        elif name != "journals":
            verb.add_argument("--published", required=True, metavar="TABLE", help="table of published accuracies")
            verb.add_argument("--column", default=PUBLISHED, help="its column [%(default)s]")
    for name in ("table", "journals"):
        verbs.choices[name].add_argument("--to", default=str(POOL), metavar="FILE", help="the table [%(default)s]")
    replayed = verbs.choices["replay"]
    replayed.add_argument("--pool", default=str(POOL), metavar="FILE", help="the table of the pool [%(default)s]")
    replayed.add_argument("--methods", nargs="+", default=METHODS, metavar="METHOD", help=f"[{' '.join(METHODS)}]")
    replayed.add_argument("--seeds", type=int, default=20, metavar="N", help="seeds 0 to N-1 [%(default)s]")
    replayed.add_argument("--promote-every", type=int, default=4, metavar="N", help="searched cells a promotion [4]")
    replayed.add_argument(
        "--budgets",
        nargs=2,
        choices=[*BUDGETS, "deep"],
        default=REPLAYED,
        help=f"of search and promotion [{' '.join(REPLAYED)}]",
    )
    replayed.add_argument(
        "--held-out", type=float, default=HELD_OUT, metavar="S", help="share in which a seed does not search [1/3]"
    )
    replayed.add_argument(
        "--confirm", type=int, default=0, metavar="N", help="run N seeds of every recorded method again and compare"
    )
    replayed.add_argument("--processes", type=int, default=1, help="searches at the same time [%(default)s]")
    replayed.add_argument("--record", action="store_true", help="write the result to benchmarks/results/")
    searched = verbs.choices["real"]
    searched.add_argument("--methods", nargs="+", default=REAL, metavar="METHOD", help=f"[{' '.join(REAL)}]")
    searched.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds 0 to N-1 [%(default)s]")
    searched.add_argument("--seconds", type=float, default=3600.0, help="of one core a search [%(default)s]")
    searched.add_argument(
        "--confirm", type=int, default=0, metavar="N", help="train N children of every recorded method again"
    )
    searched.add_argument("--record", action="store_true", help="write the result to benchmarks/results/")
    return words


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb; returns the exit code."""
    options = _parser().parse_args(arguments)
    return VERBS[options.verb][0](options)


if __name__ == "__main__":
    sys.exit(main())

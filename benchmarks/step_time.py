"""Training step of the same random children here and in PyTorch (eager, channels_last), in turn, on the same threads.

    python benchmarks/step_time.py [--children 20] [--precision float32]

Needs PyTorch (`pip install torch==2.13.0`) for the comparison; without it only our own times are printed.
16 filters, 6 cells, 4 blocks, two reductions, batch 64, 32x32x3. Also measures how long a child takes from its
architecture to its first finished step, as a share of one epoch of 13,500 images. Prints JSON last.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BATCH, SIDE, CLASSES, EPOCH_IMAGES = 64, 32, 10, 13_500


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--children", type=int, default=20)
    arguments.add_argument("--steps", type=int, default=6, help="timed steps of each child; the median counts")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()

    import tensorflow as tf

    from alphaxenas.networks.bank import WeightBank
    from alphaxenas.networks.cell import CellNetwork
    from alphaxenas.networks.training.loop import CompiledChild, Recipe
    from alphaxenas.spaces.cell import CellSpace

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    try:
        from torch_child import TorchChild
    except ImportError:
        TorchChild = None
    rng, space, bank = np.random.default_rng(options.seed), CellSpace(), WeightBank(0)
    images, labels = (
        rng.standard_normal((BATCH, SIDE, SIDE, 3), np.float32),
        rng.integers(0, CLASSES, BATCH).astype(np.int32),
    )
    x, y = tf.constant(images), tf.constant(labels)
    ours, theirs, starts, shares = [], [], [], []
    for number in range(options.children):
        network = CellNetwork(space.sample(rng), CLASSES)
        begin = time.perf_counter()
        child = CompiledChild(network, bank, (SIDE, SIDE, 3), Recipe(precision=options.precision))
        step = functools.partial(child.train_step, x, y, 0.01)
        step()
        starts.append(time.perf_counter() - begin)
        their_step = (
            TorchChild(network, images, labels, options.threads, options.precision).step if TorchChild else None
        )
        if their_step:
            their_step()
        times = np.array(
            [(_seconds(step), _seconds(their_step) if their_step else np.nan) for _ in range(options.steps)]
        )
        ours.append(float(np.median(times[:, 0])))
        theirs.append(float(np.median(times[:, 1])))
        shares.append((starts[-1] - ours[-1]) / (ours[-1] * EPOCH_IMAGES / BATCH))
        print(
            f"child {number + 1:2d}: {child.multiply_adds / 1e6:6.1f} M multiply-adds, ours {ours[-1] * 1e3:4.0f} ms, "
            f"PyTorch {theirs[-1] * 1e3:4.0f} ms, start {starts[-1]:.2f} s ({shares[-1]:.1%} of an epoch)",
            flush=True,
        )
    ratio = np.log(np.array(theirs) / np.array(ours))
    print(
        json.dumps(
            {
                "children": options.children,
                "precision": options.precision,
                "threads": options.threads,
                "ours_ms_median": 1e3 * float(np.median(ours)),
                "pytorch_ms_median": 1e3 * float(np.median(theirs)),
                "speed_ratio_geometric_mean": float(np.exp(ratio.mean())),
                "start_seconds_median": float(np.median(starts)),
                "start_share_of_epoch_median": float(np.median(shares)),
                "start_share_of_epoch_max": float(np.max(shares)),
            }
        )
    )


def _seconds(step) -> float:
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()

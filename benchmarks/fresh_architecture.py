"""A training step with a fresh architecture each time against a step of one fixed architecture, and memory over many
steps.

    python -m benchmarks.fresh_architecture [--space micro|macro] [--filters 20] [--cells 8] [--side 32] [--batch 64]
    [--steps 2000] [--record]

Random architectures are stepped in turn by the supernet (one graph, a switch for every choice) and by their own
networks (a graph of their own, traced before), the same images, the same process, the same threads. Processor time is
compared as well as wall time, because only the former means something on a machine that is shared. Then the supernet
takes `--steps` steps, a fresh random architecture at each, while resident memory is followed. Targets: a ratio of at
most 1.5, and at most 50 MiB more at the end than after a tenth of the steps. Prints JSON last.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np

from benchmarks.record import finish, parser

CLASSES, TARGET_RATIO, TARGET_MIB = 10, 1.5, 50


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--space", choices=("micro", "macro"), default="micro")
    arguments.add_argument("--filters", type=int, default=20)
    arguments.add_argument("--cells", type=int, default=8, help="micro: cells; macro: layers")
    arguments.add_argument("--side", type=int, default=32)
    arguments.add_argument("--batch", type=int, default=64)
    arguments.add_argument("--architectures", type=int, default=8)
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--steps", type=int, default=2000, help="of the measurement of memory; 0 = none")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=0)
    options, started = arguments.parse_args(), time.perf_counter()

    from alphaxenas.networks.devices import prepare_tensorflow

    prepare_tensorflow(options.threads, True)
    space, network = spaces(options)
    from alphaxenas.networks.training.recipe import Recipe
    from alphaxenas.supernet.supernet import Supernet

    rng = np.random.default_rng(options.seed)
    supernet = Supernet(network, (options.side, options.side, 3), Recipe(learning_rate=0.01), options.seed)
    print(f"{supernet.parameters:,} weights of all architectures", file=sys.stderr, flush=True)
    found = ratios(options, supernet, [space.sample(rng) for _ in range(options.architectures)])
    found |= memory(options, supernet, space, rng) if options.steps else {}
    found["targets"] = {"ratio": TARGET_RATIO, "mib": TARGET_MIB}
    finish("fresh_architecture", options.record, started, {**vars(options), **found})


def spaces(options):
    """The space, and all its networks of the chosen size."""
    from alphaxenas.networks.macro import MacroNetwork
    from alphaxenas.networks.micro import MicroNetwork
    from alphaxenas.spaces import MacroSpace, MicroSpace
    from alphaxenas.supernet.supernetworks import MacroSupernetwork, MicroSupernetwork

    if options.space == "micro":
        space = MicroSpace()
        return space, MicroSupernetwork(space, lambda one: MicroNetwork(one, CLASSES, options.filters, options.cells))
    space = MacroSpace(options.cells)
    return space, MacroSupernetwork(space, lambda one: MacroNetwork(one, CLASSES, options.filters, 2))


def batch(options, seed: int):
    """Random images and labels."""
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    images = rng.standard_normal((options.batch, options.side, options.side, 3)).astype(np.float32)
    return tf.constant(images), tf.constant(rng.integers(0, CLASSES, options.batch).astype(np.int32))


def ratios(options, supernet, architectures) -> dict:
    """Times of both, in turn; of each architecture the fastest of its steps counts."""
    images, labels = batch(options, options.seed)
    begin = time.process_time()
    supernet.train_step(architectures[0], images, labels, 0.01)
    traced = time.process_time() - begin
    children = [supernet.child(one) for one in architectures]
    for one, child in zip(architectures, children):
        child.train_step(images, labels, 0.01)
        supernet.train_step(one, images, labels, 0.01)
    wall, processor = (np.zeros((2, options.repeats, len(architectures))) for _ in range(2))
    for repeat in range(options.repeats):
        for number, (one, child) in enumerate(zip(architectures, children)):
            supernet._path.cache_clear()  # every architecture is as new as in a search
            for kind, step in enumerate((child.train_step, lambda *given: supernet.train_step(one, *given))):
                begin, spent = time.perf_counter(), time.process_time()
                step(images, labels, 0.01)
                wall[kind, repeat, number], processor[kind, repeat, number] = (
                    time.perf_counter() - begin,
                    time.process_time() - spent,
                )
    found = {"seconds_to_trace": round(traced, 1)}
    for name, times in (("wall", wall), ("processor", processor)):
        fixed, fresh = times.min(1)
        found |= {
            f"fixed_{name}_ms": round(1e3 * float(fixed.mean()), 1),
            f"fresh_{name}_ms": round(1e3 * float(fresh.mean()), 1),
            f"ratio_{name}": round(float(fresh.sum() / fixed.sum()), 3),
            f"largest_ratio_{name}": round(float((fresh / fixed).max()), 3),
        }
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found


def memory(options, supernet, space, rng) -> dict:
    """Resident memory while every step has an architecture of its own."""
    import psutil

    images, labels = batch(options, options.seed + 1)
    process, curve, every = psutil.Process(), [], max(1, options.steps // 20)
    for step in range(options.steps):
        supernet.train_step(space.sample(rng), images, labels, 0.01)
        if (step + 1) % every == 0:
            curve.append(round(process.memory_info().rss / 2**20, 1))
            print(f"{step + 1:5d} steps: {curve[-1]:7.1f} MiB", file=sys.stderr, flush=True)
    return {
        "mib": curve,
        "growth_mib": round(curve[-1] - curve[1], 1),
        "memory_flat": curve[-1] - curve[1] <= TARGET_MIB,
    }


if __name__ == "__main__":
    main()

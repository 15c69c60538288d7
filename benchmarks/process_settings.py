"""Training steps of a plain convolution net under settings of the process: threads and memory allocators.

    python -m benchmarks.process_settings [--batch 500] [--repeats 3] [--record]

Every repeat runs `benchmarks.roofline` once under each setting, in a process of its own, so that a busy machine slows
all; what counts is how many times as many images a second a setting trains as the process does without it, the median
over the repeats. Allocators that this machine lacks are left out (Debian: libjemalloc2, libtcmalloc-minimal4). Then, in
this process, a convolution of subnormal numbers (1e-39) against the same one of usual numbers: some processors need
many times as long for them, unless they are set to zero. Prints JSON last.
"""

from __future__ import annotations

import ctypes.util
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks.record import finish, parser
from benchmarks.roofline import seconds_of

USUAL = "as it is"
STEPS = ("frozen_float32", "frozen_bfloat16")


def settings() -> dict[str, tuple[dict[str, str], int]]:
    """By name: variables of the environment and threads of one operation; the first one is the usual process."""
    found: dict[str, tuple[dict[str, str], int]] = {
        USUAL: ({}, 2),
        "1 thread": ({}, 1),
        "4 threads": ({}, 4),
        "1 operation at a time": ({"TF_NUM_INTEROP_THREADS": "1"}, 2),
        "glibc, memory kept": ({"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**60)}, 2),
        "glibc, huge pages": ({"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}, 2),
    }
    for name in ("jemalloc", "tcmalloc_minimal"):
        library = ctypes.util.find_library(name)
        if library is not None:
            found[name] = ({"LD_PRELOAD": library}, 2)
    return found


def rates(variables: dict[str, str], threads: int, batch: int) -> dict[str, float]:
    """Images a second of the steps in a process of its own.

    Args:
        variables: Of its environment.
        threads: Of one operation.
        batch: Images of a step.

    Raises:
        subprocess.CalledProcessError: The process failed.
    """
    command = [sys.executable, "-m", "benchmarks.roofline", "--rounds=3", f"--batch={batch}", f"--threads={threads}"]
    ended = subprocess.run(command, env=os.environ | variables, check=True, stdout=subprocess.PIPE, text=True)
    figures = json.loads(ended.stdout.splitlines()[-1])
    return {step: figures[f"{step}_images_per_second"] for step in STEPS}


def subnormal_ratio(rounds: int = 5) -> float:
    """How many times as long a convolution takes with subnormal numbers as with usual ones, median over rounds."""
    import tensorflow as tf

    images = tf.constant(np.random.default_rng(0).standard_normal((64, 32, 32, 32)), tf.float32)
    kernel = tf.random.stateless_normal((3, 3, 32, 32), (0, 0))
    small = images * 1e-39

    def convolution(x: Any) -> object:
        return tf.nn.conv2d(x, kernel, 1, "SAME").numpy()

    convolution(images)
    return statistics.median(
        seconds_of(lambda: convolution(small)) / seconds_of(lambda: convolution(images)) for _ in range(rounds)
    )


def main() -> None:
    """Measures all settings and prints the result."""
    words = parser(__doc__)
    words.add_argument("--batch", type=int, default=500, help="images of a step [%(default)s]")
    words.add_argument("--repeats", type=int, default=3, help="of all settings [%(default)s]")
    options, started = words.parse_args(), time.perf_counter()
    values: dict[str, list[dict[str, float]]] = {name: [] for name in settings()}
    for _ in range(options.repeats):
        for name, (variables, threads) in settings().items():
            values[name].append(rates(variables, threads, options.batch))
            print(name, values[name][-1], file=sys.stderr, flush=True)
    ratios = {
        name: {
            step: round(statistics.median(one[step] / usual[step] for one, usual in zip(found, values[USUAL])), 3)
            for step in STEPS
        }
        for name, found in values.items()
        if name != USUAL
    }
    figures = {"batch": options.batch, "settings": ratios, "subnormal_ratio": round(subnormal_ratio(), 3)}
    finish("process_settings", options.record, started, figures, values)


if __name__ == "__main__":
    main()

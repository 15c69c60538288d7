"""Training steps of random children and of a published cell, against what the machine computes in plain products.

    python -m benchmarks.step_time [--children 10] [--cell darts_v2] [--threads 2] [--pytorch ENVIRONMENT] [--record]

Random children: 16 filters, 6 cells, 4 blocks, two reductions; the published cell: 16 filters, 8 cells. Batch 64,
images of 32x32x3, float32. A step is a forward and a backward pass and the update; its work is counted as three times
the multiply-adds of the forward pass. The machine's own rate is that of the product of two matrices of side 1,024,
measured between the steps in the same process on the same threads, so that a busy machine slows both. The first step of
a child includes tracing its graph; it is given as a share of one epoch of 13,500 images.

ENVIRONMENT is one of benchmarks/rivals/requirements.txt; PyTorch then takes the same steps in a process of its own, in
turn with ours: the same layers, because it is one more `LayerInterface` over which our networks are built, and,
checked, the same number of parameters. Its median step by ours is the ratio. A second ratio is that of PyTorch's steps
where 1x1 convolutions read a concatenation, as papers draw cells: ours add a product for each input instead, and the
first ratio gives PyTorch that too. Prints JSON last.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks.record import finish, parser

BATCH, SIDE, CLASSES, EPOCH_IMAGES, MATRIX, PRODUCTS = 64, 32, 10, 13_500, 1024, 10
LEARNING_RATE, WEIGHT_DECAY = 0.01, 5e-4


def networks_of(children: int, cell: str, seed: int) -> list[Any]:
    """Random children and, last, the network of a published cell.

    Args:
        children: How many.
        cell: Name of the published one.
        seed: Of the draw.
    """
    from alphaxenas.networks.cell import CellNetwork
    from alphaxenas.networks.micro import MicroNetwork
    from alphaxenas.spaces import CellSpace
    from alphaxenas.spaces.zoo import zoo_cell

    rng, space, known = np.random.default_rng(seed), CellSpace(), zoo_cell(cell)
    drawn = [CellNetwork(space.sample(rng), CLASSES) for _ in range(children)]
    return [*drawn, MicroNetwork(known.architecture, CLASSES, 16, 8, concat_all=known.concat_all)]


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Images `[B, h, w, 3]` and labels `[B]`, made up."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((BATCH, SIDE, SIDE, 3), np.float32)
    return images, rng.integers(0, CLASSES, BATCH).astype(np.int32)


class Peer:
    """The process in which PyTorch takes its steps, see `benchmarks.torch_peer`.

    Args:
        environment: Its folder.
        words: Arguments of the process.

    Attributes:
        version: Of PyTorch, once it has taken a step.
    """

    version = ""

    def __init__(self, environment: str, words: list[str]) -> None:
        command = [str(Path(environment) / "bin" / "python"), "-m", "benchmarks.torch_peer", *words]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self, number: int, steps: int, parameters: int) -> tuple[float, float]:
        """The median seconds of some steps of a network, over our layers and concatenating.

        Args:
            number: Of the network.
            steps: How many.
            parameters: That it has to have.

        Raises:
            RuntimeError: PyTorch's network has others, or the process ended; why, it has printed.
        """
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{json.dumps([number, steps])}\n")
        self._process.stdin.flush()
        if not (answer := self._process.stdout.readline()):
            raise RuntimeError(f"The process with PyTorch ended at network {number}; its message stands above.")
        self.version, *found, same, concatenating = json.loads(answer)
        if found != [parameters]:
            raise RuntimeError(f"Network {number} has {parameters:,} parameters here and {found} in PyTorch.")
        return statistics.median(same), statistics.median(concatenating)

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()


def seconds_of(step: Callable[..., object], *arguments: object) -> float:
    """How long a call takes."""
    begin = time.perf_counter()
    step(*arguments)
    return time.perf_counter() - begin


def main() -> None:
    """Times every network and prints the result."""
    words = parser(__doc__)
    words.add_argument("--children", type=int, default=10, help="random children [%(default)s]")
    words.add_argument("--cell", default="darts_v2", help="a published cell [%(default)s]")
    words.add_argument("--steps", type=int, default=5, help="timed steps of each; the median counts [%(default)s]")
    words.add_argument("--threads", type=int, default=2, help="[%(default)s]")
    words.add_argument("--seed", type=int, default=0, help="[%(default)s]")
    words.add_argument("--pytorch", metavar="ENVIRONMENT", help="folder of a virtual environment that has it")
    options, started = words.parse_args(), time.perf_counter()

    import tensorflow as tf

    from alphaxenas.networks.bank import WeightBank
    from alphaxenas.networks.training.loop import CompiledChild, Recipe

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    given = options.children, options.cell, options.seed
    peer = Peer(options.pytorch, [str(word) for word in (*given, options.threads)]) if options.pytorch else None
    x, y = map(tf.constant, batch())
    rng = np.random.default_rng(options.seed)
    matrix = tf.constant(rng.standard_normal((MATRIX, MATRIX), np.float32))

    def product() -> None:
        found = matrix
        for _ in range(PRODUCTS):
            found = tf.linalg.matmul(matrix, found) / MATRIX
        found[0, 0].numpy()

    values: dict[str, list[float]] = {"step_ms": [], "first_step_share": [], "share_of_machine": []}
    if peer:
        values |= {"pytorch_ratio": [], "pytorch_concatenating_ratio": []}
    for number, network in enumerate(networks_of(*given)):
        begin = time.perf_counter()
        recipe = Recipe(learning_rate=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        child = CompiledChild(network, WeightBank(0), (SIDE, SIDE, 3), recipe)
        step = child.train_step
        step(x, y, LEARNING_RATE)
        first = time.perf_counter() - begin
        times = np.array([(seconds_of(product), seconds_of(step, x, y, LEARNING_RATE)) for _ in range(options.steps)])
        seconds, rates = float(np.median(times[:, 1])), times[:, 0] / (PRODUCTS * MATRIX**3)
        share = float(np.median(3 * child.multiply_adds * BATCH / times[:, 1] * rates))
        values["step_ms"].append(round(1e3 * seconds, 1))
        values["first_step_share"].append(round((first - seconds) / (seconds * EPOCH_IMAGES / BATCH), 4))
        values["share_of_machine"].append(round(share, 4))
        if peer:
            same, concatenating = peer.seconds(number, options.steps, child.parameters)
            values["pytorch_ratio"].append(round(same / seconds, 3))
            values["pytorch_concatenating_ratio"].append(round(concatenating / seconds, 3))
        print({name: found[-1] for name, found in values.items()}, file=sys.stderr, flush=True)
    if peer:
        peer.close()
    figures = {
        **({"pytorch": peer.version} if peer else {}),
        "children": options.children,
        "threads": options.threads,
        "cell": options.cell,
        **{f"{name}_median": round(statistics.median(found[:-1]), 4) for name, found in values.items()},
        **{f"known_{name}": found[-1] for name, found in values.items()},
    }
    finish("step_time", options.record, started, figures, values)


if __name__ == "__main__":
    main()

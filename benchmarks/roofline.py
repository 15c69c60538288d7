"""Training steps of a plain convolution net against the rates of this machine, measured in the same process.

    python -m benchmarks.roofline [--net airbench93] [--batch 1000] [--threads 2] [--rounds 5] [--record]

Rates of the machine, in float32 and bfloat16: a product of matrices of side 1,024, and a 3x3 convolution of 128
channels at 15x15 pixels with both of its gradients. A step is a forward and a backward pass and the update; its work is
what has to be computed: every convolution and its two gradients, the whitening without gradients, and no gradient
towards the whitening once its bias is frozen (`frozen`). In every round each is measured once, so that a busy machine
slows all; the medians of the rounds' ratios count. `data_share` is the time for an augmented batch, `relu_share` that
of a step with ReLU instead of the net's activation, both as shares of a float32 step that is frozen. Prints JSON last.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks.record import finish, parser

SIDE, CLASSES, MATRIX, PRODUCTS, CHANNELS, PIXELS = 32, 10, 1024, 10, 128, 15
PRECISIONS = ("float32", "bfloat16")


def seconds_of(work: Callable[[], object]) -> float:
    """How long a call takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def step_work(net: Any, batch: int, frozen: bool) -> float:
    """Floating-point operations of a training step.

    Args:
        net: A `ConvNet`.
        batch: Its images.
        frozen: Whether the gradient towards the whitening is left out.
    """
    layers = [9 * at**2 * before * after for at, before, after in net.layers(SIDE, 3)]
    whitening = net.multiply_adds(SIDE, 3, 0) - sum(layers)
    return 2.0 * batch * (whitening + 3 * sum(layers) - frozen * layers[0])


def machine(batch: int) -> dict[str, tuple[Callable[[], object], float]]:
    """By name: what is timed of the machine itself, and its floating-point operations.

    Args:
        batch: Images of the convolution.
    """
    import tensorflow as tf

    rng, found = np.random.default_rng(0), {}
    for precision in PRECISIONS:
        matrix = tf.cast(rng.standard_normal((MATRIX, MATRIX)), precision)
        x = tf.cast(rng.standard_normal((batch, PIXELS, PIXELS, CHANNELS)), precision)
        kernel = tf.cast(rng.standard_normal((3, 3, CHANNELS, CHANNELS)), precision)

        def product(matrix: Any = matrix) -> object:
            value = matrix
            for _ in range(PRODUCTS):
                value = tf.linalg.matmul(matrix, value) / MATRIX
            return tf.cast(value[0, 0], tf.float32).numpy()

        def convolution(x: Any = x, kernel: Any = kernel) -> object:
            with tf.GradientTape() as tape:
                tape.watch([x, kernel])
                y = tf.nn.conv2d(x, kernel, 1, "SAME")
            return tape.gradient(y, [x, kernel])

        found[f"product_{precision}"] = product, 2.0 * PRODUCTS * MATRIX**3
        found[f"convolution_{precision}"] = convolution, 6.0 * batch * PIXELS**2 * 9 * CHANNELS**2
    return found


def main() -> None:
    """Times everything and prints the result."""
    words = parser(__doc__)
    words.add_argument("--net", default="airbench93", help="text or name of a plain convolution net [%(default)s]")
    words.add_argument("--batch", type=int, default=1000, help="[%(default)s]")
    words.add_argument("--threads", type=int, default=2, help="[%(default)s]")
    words.add_argument("--rounds", type=int, default=5, help="[%(default)s]")
    options, started = words.parse_args(), time.perf_counter()

    import tensorflow as tf

    from alphaxenas.data.images import Part
    from alphaxenas.data.pipeline import Batches
    from alphaxenas.networks.bank import WeightBank
    from alphaxenas.networks.convnet.network import ConvNetwork
    from alphaxenas.networks.training.loop import CompiledChild, Recipe
    from alphaxenas.spaces.convnet import ConvNet

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    net, rng = ConvNet.parse(options.net), np.random.default_rng(0)
    pixels = rng.integers(0, 256, (options.batch, SIDE, SIDE, 3), np.uint8)
    part = Part(pixels, rng.integers(0, CLASSES, options.batch).astype(np.int32))
    batches = Batches(part, np.full(3, 0.5), np.full(3, 0.25), options.batch, True, pad=2, alternating=True)
    [(x, y)] = batches.epoch(0, 0)

    def stepping(text: str, precision: str, progress: float) -> Callable[[], object]:
        recipe = Recipe(1e-3, 0.85, 0.0153, 0.0, 0.2, precision=precision, optimizer="decoupled", whitening=0.5)
        child = CompiledChild(ConvNetwork(ConvNet.parse(text), CLASSES), WeightBank(0), (SIDE, SIDE, 3), recipe)
        child.prepare(batches.in_order())
        return lambda: child.train_step(x, y, 1e-3, progress)

    timed = {name: work for name, (work, _) in machine(options.batch // 4).items()}
    for precision in PRECISIONS:
        timed[f"step_{precision}"] = stepping(str(net), precision, 0.0)
        timed[f"frozen_{precision}"] = stepping(str(net), precision, 1.0)
    timed["relu"] = stepping(str(net).replace(net.activation, "relu"), "float32", 1.0)
    timed["data"] = lambda: list(batches.epoch(0, 1))
    for work in timed.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(options.rounds):
        for name, work in timed.items():
            seconds[name].append(seconds_of(work))
        print({name: round(found[-1], 3) for name, found in seconds.items()}, file=sys.stderr, flush=True)

    def ratio(one: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(seconds[one], seconds[other]))

    work = {name: amount for name, (_, amount) in machine(options.batch // 4).items()}
    figures: dict[str, Any] = {"net": str(net), "batch": options.batch, "threads": options.threads}
    figures |= {f"{name}_gflops": round(work[name] / min(seconds[name]) / 1e9, 1) for name in work}
    for precision in PRECISIONS:
        for kind in ("step", "frozen"):
            name, amount = f"{kind}_{precision}", step_work(net, options.batch, kind == "frozen")
            figures[f"{name}_images_per_second"] = round(options.batch / statistics.median(seconds[name]), 1)
            for machines in ("convolution_float32", "product_float32"):
                figures[f"{name}_share_of_{machines}"] = round(ratio(machines, name) * amount / work[machines], 4)
    figures["data_share"] = round(ratio("data", "frozen_float32"), 4)
    figures["relu_share"] = round(ratio("relu", "frozen_float32"), 4)
    figures["bfloat16_speedup"] = round(ratio("frozen_float32", "frozen_bfloat16"), 3)
    finish("roofline", options.record, started, figures, seconds)


if __name__ == "__main__":
    main()

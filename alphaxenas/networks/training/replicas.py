"""One training step on several devices at once, of one machine or of several (`tf.distribute.MirroredStrategy`,
`MultiWorkerMirroredStrategy`).

On several machines every one runs the same program over the same batches and computes its own share of each.

Every device holds all weights and computes its share of the batch. What is normally computed over the whole batch still
is: gradients are summed over the devices, batch normalisation uses the mean and variance of all images (one exchange
per normalisation), and dropout draws for the whole batch and keeps the device's part. So the loss curve is that of one
device, up to the order of additions.

Departure: MirroredStrategy alone would normalise each share with its own statistics, which is another function and,
with few images a device, a worse one.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import tensorflow as tf

from alphaxenas.suggestions import invalid


class Share:
    """The part of a batch that one device computes; made inside its step.

    Attributes:
        images: Number of images of the whole batch, an int32 scalar.
    """

    def __init__(self, images: tf.Tensor) -> None:
        context = tf.distribute.get_replica_context()
        number, devices = context.replica_id_in_sync_group, context.num_replicas_in_sync
        self.images = images
        self._first, self._end = images * number // devices, images * (number + 1) // devices
        self._context = context

    def of(self, batch: tf.Tensor) -> tf.Tensor:
        """This device's part of something with one row per image of the whole batch."""
        return batch[self._first : self._end]

    def sum(self, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Each tensor summed over all devices; differentiable."""
        return self._context.all_reduce(tf.distribute.ReduceOp.SUM, list(values))


class Replicas:
    """The devices of a training.

    Args:
        devices: How many; GPUs where there are any, else CPU devices. On several machines all GPUs of each count.
        machines: `host:port` of every machine, the first of which keeps the records; empty for this one alone.
        machine: Which of them this is.

    Raises:
        ValueError: There are not so many devices.
    """

    def __init__(self, devices: int, machines: tuple[str, ...] = (), machine: int = 0) -> None:
        if machines:
            self._strategy = _joined(machines, machine)
            return
        present = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        if not 2 <= devices <= len(present):
            names = ", ".join(device.name.removeprefix("/device:") for device in present)
            raise invalid("devices", f"1 to {len(present)}, the devices of this machine ({names})", devices)
        self._strategy = tf.distribute.MirroredStrategy([device.name for device in present[:devices]])

    def scope(self) -> AbstractContextManager:
        """Variables made within it exist once on every device."""
        return self._strategy.scope()

    def from_first(self, data: bytes) -> bytes:
        """The bytes that the first device's process hands in, for every process; others hand in anything."""
        length = int(self._sum(np.array([len(data)], np.int32))[0])
        padded = np.zeros(length, np.int32)
        padded[: len(data)] = np.frombuffer(data, np.uint8)[:length]
        return self._sum(padded).astype(np.uint8).tobytes()

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """What the first device holds; the others add zeros."""

        def first(mine: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            kept = mine * tf.cast(tf.equal(context.replica_id_in_sync_group, 0), mine.dtype)
            return context.all_reduce(tf.distribute.ReduceOp.SUM, kept)

        summed = tf.function(lambda mine: self._strategy.run(first, (mine,)), autograph=False)(tf.constant(values))
        return self._strategy.experimental_local_results(summed)[0].numpy()

    def run(self, step: Callable[..., tuple[tf.Tensor, ...]], *arguments: Any) -> list[tf.Tensor]:
        """Runs a step on every device and sums its results; to be called while tracing."""
        results = self._strategy.run(step, arguments)
        return [self._strategy.reduce(tf.distribute.ReduceOp.SUM, result, axis=None) for result in results]


@functools.cache
def _joined(machines: tuple[str, ...], machine: int) -> tf.distribute.Strategy:
    """All machines, once they have found each other."""
    task = {"cluster": {"worker": list(machines)}, "task": {"type": "worker", "index": machine}}
    os.environ["TF_CONFIG"] = json.dumps(task)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise ValueError(
            "Invalid value for `train_machines`. Expected none in a process that has computed already: machines "
            "have to find each other first. Restart it (in a notebook, the kernel). Received: " + ", ".join(machines)
        ) from error

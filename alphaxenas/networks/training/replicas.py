"""One training step on several devices at once (`tf.distribute.MirroredStrategy`).

Every device holds all weights and computes its share of the batch. What is normally computed over the whole batch still
is: gradients are summed over the devices, batch normalisation uses the mean and variance of all images (one exchange
per normalisation), and dropout draws for the whole batch and keeps the device's part. So the loss curve is that of one
device, up to the order of additions.

Departure: MirroredStrategy alone would normalise each share with its own statistics, which is another function and,
with few images a device, a worse one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf


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
        devices: How many; GPUs where there are any, else CPU devices.

    Raises:
        ValueError: There are not so many devices.
    """

    def __init__(self, devices: int) -> None:
        present = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        if not 2 <= devices <= len(present):
            raise ValueError(
                f"Invalid value for `devices`. Expected 1 to {len(present)}, the devices of this machine "
                f"({', '.join(device.name.removeprefix('/device:') for device in present)}). Received: {devices}"
            )
        self._strategy = tf.distribute.MirroredStrategy([device.name for device in present[:devices]])

    def scope(self) -> AbstractContextManager:
        """Variables made within it exist once on every device."""
        return self._strategy.scope()

    def run(self, step: Callable[..., tuple[tf.Tensor, ...]], *arguments: Any) -> list[tf.Tensor]:
        """Runs a step on every device and sums its results; to be called while tracing."""
        results = self._strategy.run(step, arguments)
        return [self._strategy.reduce(tf.distribute.ReduceOp.SUM, result, axis=None) for result in results]

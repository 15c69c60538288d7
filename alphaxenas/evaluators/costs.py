"""What networks cost: parameters and multiply-adds from their outline, latency as measured on this machine.

A limit on parameters or multiply-adds is a property of the searched space (`alphaxenas.spaces.user_space`): nothing
that breaks it is suggested. Latency has to be measured, which takes seconds, so it is measured when an architecture is
about to be trained; one that is too slow is refused, which costs no training. What was measured is kept in a file, so
that a continued search decides as it did before, and all searches of a suite see the same latencies.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.contracts import Evaluator, Outcome, Proposal, SearchSpace
from alphaxenas.networks.outline import outline_of
from alphaxenas.spaces.user_space import Limits

WARM_UP, LEAST, MOST, SECONDS = 3, 15, 200, 0.5
"""Predictions before the clock runs; measured ones at least and at most, and seconds after which they are enough."""


class NetworkCosts:
    """Costs of architectures, each counted or measured once.

    Args:
        space: Gives the keys.
        build: Network of an architecture.
        image_shape: Height, width, channels.
        batch_size: Of the training; latency is measured with one image and with so many.
        file: Where latencies are kept; None to keep them in memory alone.
    """

    def __init__(
        self,
        space: SearchSpace,
        build: Callable[[Any], Any],
        image_shape: tuple[int, int, int],
        batch_size: int = 1,
        file: Path | None = None,
    ) -> None:
        self._space, self._build, self._image_shape, self._batch_size = space, build, image_shape, batch_size
        self._file = file
        self._counted: dict[str, dict[str, float]] = {}
        self._measured: dict[str, dict[str, float]] = {}
        if file is not None and file.is_file():
            for line in file.read_text(encoding="utf-8").splitlines():
                try:
                    record = json.loads(line)
                    self._measured.setdefault(record["network"], record["latency"])
                except (ValueError, KeyError, TypeError):
                    continue  # what is left of the line of a process that was killed while it wrote

    def counted(self, architecture: Any) -> Mapping[str, float]:
        """`parameters` and `multiply_adds` (of one image), without computing anything."""
        key = self._space.key(architecture)
        if key not in self._counted:
            outline = outline_of(self._build(architecture), self._image_shape)
            self._counted[key] = {
                "parameters": float(outline.parameters),
                "multiply_adds": float(outline.multiply_adds),
            }
        return self._counted[key]

    def measured(self, architecture: Any) -> Mapping[str, float]:
        """`latency_ms` of one image and `latency_batch_ms` of a training batch: medians of predictions, in ms."""
        outline = self.counted(architecture)
        # Equal keys are one network only at equal sizes, which the counts tell apart.
        sizes = "-".join(map(str, (*self._image_shape, self._batch_size, *(int(one) for one in outline.values()))))
        name = f"{self._space.key(architecture)} {sizes}"
        if name not in self._measured:
            found = latency(self._build(architecture), self._image_shape, (1, self._batch_size))
            self._measured[name] = dict(zip(("latency_ms", "latency_batch_ms"), found))
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                line = json.dumps({"network": name, "latency": self._measured[name]}) + "\n"
                with self._file.open("a+b") as stream:
                    if stream.seek(0, os.SEEK_END):
                        stream.seek(-1, os.SEEK_END)
                        # A line that a kill left unfinished is ended, or this one would be part of it.
                        line = line if stream.read(1) == b"\n" else f"\n{line}"
                    stream.write(line.encode())
                    stream.flush()
                    os.fsync(stream.fileno())
        return self._measured[name]


def latency(
    network: Any, image_shape: tuple[int, int, int], batch_sizes: tuple[int, ...], clock: Any = time.perf_counter
) -> list[float]:
    """Milliseconds that a network takes for a batch of images, on this machine.

    Args:
        network: See `networks.training.loop.Network`.
        image_shape: Height, width, channels.
        batch_sizes: For each of them one number.
        clock: Seconds since whenever.

    Returns:
        Medians, each of `LEAST` predictions or more.
    """
    import tensorflow as tf

    from alphaxenas.networks.bank import WeightBank
    from alphaxenas.networks.training.loop import CompiledChild
    from alphaxenas.networks.training.recipe import Recipe

    child, found = CompiledChild(network, WeightBank(0), image_shape, Recipe()), []
    for size in batch_sizes:
        images = [(tf.zeros((size, *image_shape)), tf.zeros(size, tf.int32))]
        for _ in range(WARM_UP):
            list(child.predict(images))
        taken: list[float] = []
        while len(taken) < LEAST or (len(taken) < MOST and sum(taken) < SECONDS):
            begin = clock()
            list(child.predict(images))
            taken.append(clock() - begin)
        found.append(round(1000 * float(np.median(taken)), 4))
    return found


class PricedEvaluator:
    """An evaluator whose outcomes tell what architectures cost, and that refuses too dear ones without training them.

    Everything else is the evaluator's own (`alphaxenas.contracts.Evaluator`).

    Args:
        evaluator: Any.
        space: Decodes the proposals' tokens.
        limits: What an architecture may cost; its costs are added to the metrics.
    """

    def __init__(self, evaluator: Evaluator, space: SearchSpace, limits: Limits) -> None:
        self._evaluator, self._space, self._limits = evaluator, space, limits

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_evaluator":
            raise AttributeError(name)
        return getattr(self._evaluator, name)

    def evaluate(self, proposal: Proposal) -> Outcome:
        """The outcome; of an architecture that breaks a limit status `"refused"`, with the limit as the reason."""
        begin = time.perf_counter()
        architecture = self._space.decode(proposal.tokens)
        costs = dict(self._limits.costs(architecture))
        if reason := self._limits.broken(architecture):
            return Outcome(proposal, 0.0, "refused", costs, time.perf_counter() - begin, reason)
        outcome = self._evaluator.evaluate(proposal)
        return replace(outcome, metrics={**outcome.metrics, **costs}, seconds=time.perf_counter() - begin)

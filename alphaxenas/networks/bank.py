"""The shared weights: plain arrays addressed by name, each with its momentum slot.

Every name says a position and an operation, for example `cell2/block1/first/conv3x3/kernel`, so that two children that
place the same operation at the same position share its weights, and nothing else is shared. An array's initial value
depends on its name and the seed alone, never on the order in which children were met.

A child takes copies of its path's arrays, trains them as one flat vector (see `alphaxenas.networks.training.loop`) and
puts them back when the training went well: whatever is not on the path cannot move, and a child that diverges leaves no
trace.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from alphaxenas.seeds import stream


@dataclass(frozen=True)
class ArraySpec:
    """What a bank must know to create an array.

    Attributes:
        shape: Its shape.
        initial: `"he"` (normal, variance 2 / fan-in), `"dirac"` (the first outputs copy an input each, others are
            normal with variance 1 / (3 fan-in)), `"ones"`, `"zeros"`, or `"whitening"` (zeros until the images are
            known, see `CompiledChild.prepare`).
        fan_in: Number of inputs of one output; for `"he"` and `"dirac"`.
    """

    shape: tuple[int, ...]
    initial: str = "he"
    fan_in: int = 1

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


class WeightBank:
    """Weights, momentum slots and moving statistics of all children met so far.

    Args:
        seed: Seed of the initial values.
    """

    PARTS = ("weights", "slots", "statistics")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._arrays: dict[str, dict[str, np.ndarray]] = {part: {} for part in self.PARTS}

    def __getitem__(self, part: str) -> Mapping[str, np.ndarray]:
        """The arrays of `"weights"`, `"slots"` or `"statistics"` by name."""
        return self._arrays[part]

    def take(self, part: str, specs: Mapping[str, ArraySpec]) -> np.ndarray:
        """The named arrays as one flat float32 vector.

        Args:
            part: One of `PARTS`.
            specs: Arrays by name. Missing ones have their initial values; the bank keeps them only when they are `put`.

        Returns:
            Float32 `[sum of sizes]`, in the order of `specs`.

        Raises:
            ValueError: A name is taken by an array of another shape.
        """
        pieces = [self._array(part, name, spec).reshape(-1) for name, spec in specs.items()]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)

    def put(self, part: str, specs: Mapping[str, ArraySpec], flat: np.ndarray) -> None:
        """Replaces the named arrays by the pieces of a flat vector.

        Args:
            part: One of `PARTS`.
            specs: Arrays by name.
            flat: As `take` returned it for the same `specs`.
        """
        start = 0
        for name, spec in specs.items():
            self._arrays[part][name] = flat[start : start + spec.size].reshape(spec.shape).copy()
            start += spec.size

    def state(self) -> dict[str, Any]:
        """All arrays by part and name."""
        return {part: dict(arrays) for part, arrays in self._arrays.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()` and forgets everything else."""
        self._arrays = {part: {name: np.asarray(value) for name, value in state[part].items()} for part in self.PARTS}

    def _array(self, part: str, name: str, spec: ArraySpec) -> np.ndarray:
        array = self._arrays[part].get(name)
        if array is None:
            return np.zeros(spec.shape, np.float32) if part == "slots" else self._initial(name, spec)
        if array.shape != spec.shape:
            raise ValueError(f"Invalid shape for `{name}`. Expected {array.shape}, as stored. Received: {spec.shape}")
        return array

    def _initial(self, name: str, spec: ArraySpec) -> np.ndarray:
        if spec.initial not in ("he", "dirac"):
            return np.full(spec.shape, float(spec.initial == "ones"), np.float32)
        draws = stream(self.seed, "weights", name).standard_normal(spec.shape, np.float32)
        if spec.initial == "he":
            return draws * np.float32(np.sqrt(2.0 / spec.fan_in))
        # Zagoruyko & Komodakis 2017, "DiracNets", as used with pooling by Jordan 2024, section 3.2.
        kernel, copied = draws * np.float32(np.sqrt(1 / (3.0 * spec.fan_in))), np.arange(min(spec.shape[2:]))
        kernel[..., copied] = 0.0
        kernel[spec.shape[0] // 2, spec.shape[1] // 2, copied, copied] = 1.0
        return kernel

"""The outline of the graph of all architectures: where its weights lie, and which of them an architecture has."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from alphaxenas.networks.outline import Outline, Shaped
from alphaxenas.supernet.choice_array import ChoiceShapes, Path

GROUPS = ("kernels", "matrices", "vectors", "statistics")
Branch = Callable[[Any, Any], Any]
"""One alternative: of (layers, inputs), over tensors and over shapes."""


class SwitchedOutline(Outline):
    """An outline of all branches; afterwards it lays out weights and paths.

    Attributes:
        place_of: Number of the place of the graph that uses an array, by group and name.
        branches: Outline of every branch, by the number of its switch.
        choices: How many choices the walk makes.
    """

    def __init__(self) -> None:
        super().__init__(training=True)
        self.place_of: dict[str, dict[str, int]] = {group: {} for group in GROUPS}
        self.branches: list[list[Outline]] = []
        self.choices = self.places = 0

    @contextmanager
    def optional(self) -> Iterator[None]:
        """As `SwitchedLayers.optional`."""
        yield

    def choice(self) -> None:
        """As `SwitchedLayers.choice`."""
        self.choices += 1

    def choice_array(self, x: Shaped) -> ChoiceShapes:
        """As `SwitchedLayers.choice_array`."""
        return ChoiceShapes(x)

    def switch(
        self, chosen: None, branches: Sequence[Branch], inputs: Sequence[Shaped], same: Hashable = None
    ) -> Shaped:
        """As `SwitchedLayers.switch`, over shapes: walks every branch.

        Args:
            chosen: Not used.
            branches: The alternatives, functions of (outline, inputs) with outputs of one shape.
            inputs: What the branches read.
            same: Not used.

        Returns:
            The shape of the output.
        """
        self._settle()
        outlines = []
        for branch in branches:
            outline = Outline(self.training)
            y = branch(outline, inputs)
            for group in GROUPS:
                getattr(self, group).update(getattr(outline, group))
            outlines.append(outline)
        self.branches.append(outlines)
        for group in GROUPS:
            for name in getattr(self, group):
                self.place_of[group].setdefault(name, self.places)
        self.places += 1
        return y

    def finish(self) -> None:
        """Ends the walk: every array has its place in the graph and in the vector of all weights."""
        self._settle()
        self._offsets, start = {}, 0
        for name, spec in self.weights.items():
            self._offsets[name] = np.arange(start, start + spec.size, dtype=np.int32)
            start += spec.size

    def path(self, choices: Sequence[int], outline: Outline) -> Path:
        """The path of one architecture.

        Args:
            choices: In the order of the walk.
            outline: Of the architecture's own network, in training.

        Returns:
            The path.
        """
        indices, sizes, decayed = [], {}, 0
        for group in GROUPS:
            own = getattr(outline, group)
            ordered = sorted(own, key=self.place_of[group].__getitem__)
            sizes[group] = np.zeros(self.places, np.int32)
            for name in ordered:
                sizes[group][self.place_of[group][name]] += own[name].size
            if group != "statistics":
                indices += [self._offsets[name] for name in ordered]
            if group in ("kernels", "matrices"):
                decayed += int(sizes[group].sum())
        return Path(np.asarray(choices, np.int32), np.concatenate(indices), decayed, sizes)

    def _settle(self) -> None:
        """Arrays met since the last switch have a place each."""
        for group in GROUPS:
            for name in getattr(self, group):
                if name not in self.place_of[group]:
                    self.place_of[group][name] = self.places
                    self.places += 1

"""Layers of which an architecture's choices take one branch: one graph for all architectures of a space.

A supernetwork is walked twice, like every network: over `SwitchedOutline`, which walks all branches of every choice and
so lays out the weights of all architectures in one long vector, and over `SwitchedLayers`, which builds a graph with a
switch for every choice. Branches contain the same layer code as the network of one architecture, under the same names.

What a step needs to know of its architecture is a `Path`: the choices in the order of the walk, and where the weights
of the path lie in the long vector. The path's weights are gathered into one short vector and split over the places of
the graph; a place that the architecture does not use receives nothing, and is not computed. So only what is on the path
is read, differentiated and written, however many alternatives there are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import cond_v2

from alphaxenas.networks.bank import ArraySpec
from alphaxenas.networks.layers import Layers
from alphaxenas.networks.outline import Outline
from alphaxenas.supernet.choice_array import ChoiceArray
from alphaxenas.supernet.switched_outline import GROUPS, Branch, SwitchedOutline


class SwitchedLayers(Layers):
    """Layer functions of one forward pass of any architecture.

    Args:
        outline: The finished outline of the same walk.
        pieces: By group, the values of every place.
        choices: int32 `[outline.choices]`.
        training, precision, seed, progress: As for `Layers`.
    """

    def __init__(
        self,
        outline: SwitchedOutline,
        pieces: Mapping[str, Sequence[tf.Tensor]],
        choices: tf.Tensor,
        training: bool,
        precision: str = "float32",
        seed: tf.Tensor | None = None,
        progress: tf.Tensor | float = 0.0,
    ) -> None:
        weights = _Placed(outline, pieces, ("kernels", "matrices", "vectors"))
        super().__init__(weights, _Placed(outline, pieces, ("statistics",)), training, precision, seed, progress)
        self._outline, self._pieces, self._precision = outline, pieces, precision
        self._choices = iter(tf.unstack(choices, num=outline.choices))
        self._switches = iter(outline.branches)
        self._optional = False
        self._evaluated: dict[int, tf.Tensor] = {}
        self._functions: dict[Hashable, Callable] = {}

    def measured_statistics(self) -> tf.Tensor:
        """Batch means and variances of the path, in its order."""
        for name, value in self.measured.items():
            self._evaluated[self._outline.place_of["statistics"][name]] = value
        return tf.concat([self._evaluated[place] for place in sorted(self._evaluated)], 0)

    @contextmanager
    def optional(self) -> Iterator[None]:
        """Within it, a layer whose weights are not on the path is left out: a convolution gives zeros, a batch norm its
        input.
        """
        self._optional = True
        yield
        self._optional = False

    def choice(self) -> tf.Tensor:
        """The next choice of the architecture, an int32 scalar."""
        return next(self._choices)

    def choice_array(self, x: tf.Tensor) -> ChoiceArray:
        """Tensors of the shape of `x`, of which a choice picks one; empty at first."""
        return ChoiceArray(x)

    def switch(
        self, chosen: tf.Tensor, branches: Sequence[Branch], inputs: Sequence[tf.Tensor], same: Hashable = None
    ) -> tf.Tensor:
        """The output of the chosen branch; no other is computed.

        Args:
            chosen: Number of the branch.
            branches: The alternatives, functions of (layers, inputs) with outputs of one shape.
            inputs: What the branches read.
            same: Switches with an equal value, and inputs of equal shapes, are the same but for the names of their
                weights: they are traced once. None: not the same as any other.

        Returns:
            The chosen branch's output.
        """
        outlines = next(self._switches)
        place = self._place_of(outlines)
        self._draws += 1
        pieces = {group: values[place] for group, values in self._pieces.items()} if place is not None else {}
        seed = tf.zeros([2], tf.int32) if self._seed is None else self._seed + tf.constant([self._draws, 0])

        def computed(
            branch: Branch, outline: Outline, inputs: list, pieces: dict, seed: tf.Tensor, progress: tf.Tensor
        ) -> Callable:
            def compute():
                weights, statistics = dict[str, tf.Tensor](), dict[str, tf.Tensor]()
                for group in GROUPS:
                    into = statistics if group == "statistics" else weights
                    specs = getattr(outline, group)
                    if specs and group in pieces:
                        piece = tf.ensure_shape(pieces[group], [sum(spec.size for spec in specs.values())])
                        parts = tf.split(piece, [spec.size for spec in specs.values()])
                        into |= {name: tf.reshape(part, spec.shape) for (name, spec), part in zip(specs.items(), parts)}
                layers = Layers(weights, statistics, self.training, self._precision, seed, progress)
                y = branch(layers, inputs)
                return y, tf.concat([tf.zeros([0]), *layers.measured.values()], 0)

            return compute

        def switched(chosen, inputs, pieces, seed, progress):
            cases = [computed(*alternative, inputs, pieces, seed, progress) for alternative in zip(branches, outlines)]
            return _case(chosen, cases)

        key = None if same is None else ("switch", same)
        progress = tf.convert_to_tensor(self._progress)
        y, measured = self._shared(key, switched, chosen, list(inputs), pieces, seed, progress)
        if place is not None:
            self._evaluated[place] = measured
        return y

    def conv(
        self, x: tf.Tensor, name: str, filters: int, size: Any, stride: int = 1, bias: bool = False, initial: str = "he"
    ) -> tf.Tensor:
        """As `LayerInterface.conv`; one that may be left out has no bias."""
        if not self._optional:
            return super().conv(x, name, filters, size, stride, bias, initial)
        kernel = f"{name}/kernel"
        shape, place = self._outline.kernels[kernel].shape, self._outline.place_of["kernels"][kernel]
        height, width = -(-x.shape[1] // stride), -(-x.shape[2] // stride)

        def convolved(x, piece):
            def present():
                kernel = {"conv/kernel": tf.reshape(piece, shape)}
                return Layers(kernel, {}, self.training, self._precision).conv(x, "conv", filters, size, stride)

            empty = tf.stack([tf.shape(x)[0], height, width, filters])
            return _if_any(piece, present, lambda: tf.zeros(empty, x.dtype))

        y = self._shared(("conv", *x.shape[1:], filters, size, stride), convolved, x, self._pieces["kernels"][place])
        y.set_shape([x.shape[0], height, width, filters])
        return y

    def batch_norm(self, x: tf.Tensor, name: str, scale: bool = True) -> tf.Tensor:
        """As `LayerInterface.batch_norm`; one that may be left out has a scale."""
        if not self._optional:
            return super().batch_norm(x, name, scale)
        channels, places = [x.shape[-1]], self._outline.place_of
        needed = {"scale": "vectors", "offset": "vectors"}
        if not self.training:
            needed |= {"mean": "statistics", "variance": "statistics"}
        pieces = {kind: self._pieces[group][places[group][f"{name}/{kind}"]] for kind, group in needed.items()}

        def normalised(x, pieces):
            def present():
                arrays = {f"norm/{kind}": tf.ensure_shape(piece, channels) for kind, piece in pieces.items()}
                layers = Layers(arrays, arrays, self.training, self._precision)
                y = layers.batch_norm(x, "norm")
                return y, *(layers.measured.get(f"norm/{kind}", tf.zeros([0])) for kind in ("mean", "variance"))

            return _if_any(pieces["scale"], present, lambda: (x, tf.zeros([0]), tf.zeros([0])))

        y, mean, variance = self._shared(("norm", *x.shape[1:]), normalised, x, pieces)
        if self.training:
            self.measured[f"{name}/mean"], self.measured[f"{name}/variance"] = mean, variance
        y.set_shape(x.shape)
        return y

    def dense_of_parts(self, parts: Mapping[str, tf.Tensor], name: str, units: int) -> tf.Tensor:
        """As `LayerInterface.dense_of_parts`; parts whose weights are not on the path do not count."""
        products = []
        for part, x in parts.items():
            kernel = f"{name}/{part}/kernel"
            piece = self._pieces["matrices"][self._outline.place_of["matrices"][kernel]]
            absent = functools.partial(tf.zeros, tf.stack([tf.shape(x)[0], units]))
            products.append(_if_any(piece, functools.partial(self._product, x, kernel), absent))
        return self.add(products) + self._weights[f"{name}/bias"]

    def _product(self, x: tf.Tensor, kernel: str) -> tf.Tensor:
        return tf.linalg.matmul(x, self._weights[kernel])

    def _shared(self, key: Hashable, function: Callable, *arguments: Any) -> Any:
        """The function's value; functions of one key are traced once for arguments of equal shapes."""
        if key is None:
            return function(*arguments)
        if key not in self._functions:
            self._functions[key] = tf.function(function, autograph=False)
        return self._functions[key](*arguments)

    def _place_of(self, outlines: Sequence[Outline]) -> int | None:
        """The place whose values the branches share; None where no branch has weights."""
        names = ((group, name) for outline in outlines for group in GROUPS for name in getattr(outline, group))
        return next((self._outline.place_of[group][name] for group, name in names), None)


def _if_any(piece: tf.Tensor, present: Callable, absent: Callable) -> Any:
    """What `present` gives where there are weights, else what `absent` gives."""
    return _case(tf.cast(tf.size(piece) > 0, tf.int32), [absent, present])


def _case(chosen: tf.Tensor, branches: Sequence[Callable]) -> Any:
    """As `tf.switch_case`, but the branches stay functions of their own.

    Inlined, as `tf.switch_case` has it, every operation of every branch not taken is still passed over one by one.
    """
    return cond_v2.indexed_case(chosen, branches, lower_using_switch_merge=False)


class _Placed(Mapping):
    """Arrays by name, cut out of the values of their places when they are asked for, in the graph that asks."""

    def __init__(
        self, outline: SwitchedOutline, pieces: Mapping[str, Sequence[tf.Tensor]], groups: Sequence[str]
    ) -> None:
        self._outline, self._pieces = outline, pieces
        self._group = {name: group for group in groups for name in getattr(outline, group)}

    def __getitem__(self, name: str) -> tf.Tensor:
        group = self._group[name]
        spec: ArraySpec = getattr(self._outline, group)[name]
        return tf.reshape(self._pieces[group][self._outline.place_of[group][name]], spec.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._group)

    def __len__(self) -> int:
        return len(self._group)

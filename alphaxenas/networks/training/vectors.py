"""What a child consists of, as flat vectors in TensorFlow variables, and how a training step moves them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from alphaxenas.networks.bank import ArraySpec, WeightBank
from alphaxenas.networks.outline import Outline
from alphaxenas.networks.training.optimizers import (
    adam_rate,
    apply_adam,
    apply_momentum,
    apply_muon,
    assign,
    decoupled,
    subtract,
)
from alphaxenas.networks.training.recipe import Recipe

DECAY = 0.9
"""Of the moving statistics: short, because a child under search sees a few hundred steps only."""


def vector(values: np.ndarray) -> tf.Variable:
    """A variable that holds a flat vector."""
    # TensorFlow leaks about 70 KiB per distinct variable shape, so every vector is declared with shape [None].
    return tf.Variable(values, shape=[None], aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)


def total(specs: Mapping[str, ArraySpec]) -> int:
    """Number of values of all arrays together."""
    return sum(spec.size for spec in specs.values())


def read(variable: tf.Variable, specs: Mapping[str, ArraySpec]) -> tf.Tensor:
    """The present values of a vector, with its length known.

    Args:
        variable: As `vector` makes it.
        specs: Arrays that it holds.

    Returns:
        Float32 `[total(specs)]`.
    """
    values = variable.read_value()
    values.set_shape([total(specs)])
    return values


def pieces(flat: tf.Tensor, specs: Mapping[str, ArraySpec]) -> dict[str, tf.Tensor]:
    """The arrays in a flat vector.

    Args:
        flat: `[total(specs)]`.
        specs: Arrays by name, in the vector's order.

    Returns:
        Name to tensor.
    """
    parts = tf.split(flat, [spec.size for spec in specs.values()]) if specs else []
    return {
        name: part if len(spec.shape) == 1 else tf.reshape(part, spec.shape)
        for (name, spec), part in zip(specs.items(), parts)
    }


class ChildVectors:
    """The vectors of one child; see `CompiledChild` for why they are flat.

    Args:
        outline: Of its network, in training.
        bank: Where the values come from.
        recipe: How they move.

    Attributes:
        weights: Trained values, in the order of `Outline.weights`.
        slots: Momentum of each.
        moving: Moving means and variances, and the kernels of whitenings.
        averaged: What predictions are made with: averages of the weights and statistics, or these themselves.
        steps: How many steps were made.
    """

    def __init__(self, outline: Outline, bank: WeightBank, recipe: Recipe) -> None:
        self._outline, self._recipe = outline, recipe
        self._adam = recipe.optimizer == "adam"
        self.weights = vector(bank.take("weights", outline.weights))
        self.slots = vector(
            np.zeros(outline.parameters, np.float32) if self._adam else bank.take("slots", outline.weights)
        )
        self.squares = vector(np.zeros(outline.parameters, np.float32)) if self._adam else None
        self.moving = vector(bank.take("statistics", outline.statistics))
        present = (self.weights, self.moving)
        self.averaged = tuple(vector(one.numpy()) for one in present) if recipe.averages else present
        self.steps = 0

    def state(self) -> dict[str, np.ndarray]:
        """Everything by name, for a checkpoint of this child alone."""
        named = {"values": self.weights, "slots": self.slots, "moving": self.moving}
        if self.squares is not None:
            named["squares"] = self.squares
        if self._recipe.averages:
            named |= dict(zip(("average", "average_moving"), self.averaged))
        state = {name: variable.numpy() for name, variable in named.items()}
        return state | {"steps": np.array(self.steps)} if self._adam or self._recipe.averages else state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Takes over a `state()` of the same network.

        Raises:
            ValueError: It is the state of another network, or of another recipe.
        """
        for part, array in self.state().items():
            if part not in state or np.shape(state[part]) != array.shape:
                received = f"{np.size(state[part]):,}" if part in state else "none"
                raise ValueError(
                    f"The stored state is of another architecture or recipe. Expected {array.size:,} numbers as "
                    f"`{part}`. Received: {received}"
                )
        self.weights.assign(state["values"])
        self.slots.assign(state["slots"])
        self.moving.assign(state["moving"])
        if self.squares is not None:
            self.squares.assign(state["squares"])
        if self._recipe.averages:
            for variable, name in zip(self.averaged, ("average", "average_moving")):
                variable.assign(state[name])
        self.steps = int(state.get("steps", 0))

    def store(self, bank: WeightBank) -> None:
        """Puts weights (averaged, if the recipe averages), slots and statistics into a bank."""
        weights, moving = self.averaged
        bank.put("weights", self._outline.weights, weights.numpy())
        if not self._adam:
            bank.put("slots", self._outline.weights, self.slots.numpy())
        bank.put("statistics", self._outline.statistics, moving.numpy())

    def set_statistic(self, name: str, array: np.ndarray) -> None:
        """Sets one statistic to a value that training does not move.

        Args:
            name: In `Outline.statistics`.
            array: Of its shape.
        """
        start = 0
        for other, spec in self._outline.statistics.items():
            if other == name:
                for variable in {id(one): one for one in (self.moving, self.averaged[1])}.values():
                    flat = variable.numpy()
                    flat[start : start + spec.size] = array.reshape(-1)
                    variable.assign(flat)
            start += spec.size

    def rate(self, rate: float) -> float:
        """The learning rate that the graph of the next step gets; counts that step."""
        self.steps += 1
        return adam_rate(rate, self.steps) if self._adam else rate

    def step(
        self,
        gradient: tf.Tensor,
        images: tf.Tensor,
        rate: tf.Tensor,
        decay: tf.Tensor,
        measured: tf.Tensor | None,
        frozen: bool,
    ) -> None:
        """One update of everything, to be called while tracing.

        Args:
            gradient: Of the mean loss, `[n]`.
            images: Size of the batch, an int32 scalar.
            rate: Learning rate, as `rate` gives it.
            decay: Of the averages of weights.
            measured: Statistics of the batch; None where there are none.
            frozen: Whether the biases of whitenings stay as they are.
        """
        recipe, specs = self._recipe, self._outline.weights
        values = read(self.weights, specs)
        if recipe.weight_decay and not recipe.per_image:
            decayed = total(self._outline.kernels) + total(self._outline.matrices)
            gradient += recipe.weight_decay * tf.pad(values[:decayed], [[0, values.shape[0] - decayed]])
        if recipe.gradient_clip:
            gradient = tf.clip_by_norm(gradient, recipe.gradient_clip)
        factors = self._factors(frozen)
        if recipe.per_image:
            gradient, rate = decoupled(gradient * factors, values, images, rate, recipe)
        elif recipe.offset_rate != 1.0 or frozen:
            gradient *= factors
        if frozen:
            trained = tf.cast(factors > 0.0, tf.float32)
            gradient *= trained
            assign(self.slots, self.slots.read_value() * trained)
        if self._adam:
            apply_adam(self.weights, self.slots, self.squares, gradient, rate)
        elif recipe.optimizer == "muon":
            apply_muon(self.weights, self.slots, gradient, rate, self._outline.kernels, recipe)
        else:
            apply_momentum(self.weights, self.slots, gradient, rate, recipe.momentum)
        if measured is not None:
            subtract(self.moving, (1.0 - DECAY) * (read(self.moving, self._outline.statistics) - measured))
        if recipe.averages:
            for averaged, present, kinds in zip(
                self.averaged, (self.weights, self.moving), (specs, self._outline.statistics)
            ):
                subtract(averaged, (1.0 - decay) * (read(averaged, kinds) - read(present, kinds)))
                if recipe.lookahead:
                    # A decay of 1 stands for a step between two meetings.
                    meet = tf.cast(decay < 1.0, tf.float32)
                    subtract(present, meet * (read(present, kinds) - read(averaged, kinds)))

    def _factors(self, frozen: bool) -> tf.Tensor:
        """By what the gradient of every value is multiplied, `[n]`."""
        whitened = {
            name.removesuffix("kernel") + "bias"
            for name, spec in self._outline.statistics.items()
            if spec.initial == "whitening"
        }
        normalised = {name.removesuffix("mean") + "offset" for name in self._outline.statistics}
        factors = [
            0.0 if frozen and name in whitened else self._recipe.offset_rate if name in normalised else 1.0
            for name in self._outline.weights
        ]
        return tf.repeat(tf.constant(factors), [spec.size for spec in self._outline.weights.values()])

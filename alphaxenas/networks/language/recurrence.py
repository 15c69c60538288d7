"""The loop over time of a recurrent cell, forward and backward, as one graph.

What does not depend on the state before is computed for a whole window of text at once: the products of the inputs
before the loop, the gradients of all weights after it. The loop itself holds only the products with the states, one for
all nodes that read the same state: its weights stand side by side, first those of all gates, then those of all values.

Backpropagation is written out because TensorFlow's gradient of a loop adds up the gradient of every weight matrix in
every step; here one product over the window gives it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from alphaxenas.networks.language.over_time import in_parts, over_time, weight_gradient
from alphaxenas.spaces.recurrent import RecurrentCell

_FUNCTIONS = {"tanh": tf.tanh, "relu": tf.nn.relu, "sigmoid": tf.sigmoid, "identity": tf.identity}
_DERIVATIVES = {  # of the activation, as a function of its value
    "tanh": lambda value: 1.0 - value * value,
    "relu": tf.sign,
    "sigmoid": lambda value: value * (1.0 - value),
    "identity": tf.ones_like,
}
BEFORE = -1
"""Number of the hidden state of the step before, which s0 reads."""


@dataclass(frozen=True)
class _Readers:
    """The states that are computed from one state.

    Attributes:
        source: Number of the state that they read.
        nodes: Their numbers, those with equal activations side by side.
        runs: Activation and number of nodes of each run of equal activations.
    """

    source: int
    nodes: tuple[int, ...]
    runs: tuple[tuple[str, int], ...]

    def wide(self, state: tf.Tensor) -> tf.Tensor:
        """`[batch, units]` once for each node: `[batch, nodes x units]`."""
        return state if len(self.nodes) == 1 else tf.tile(state, (1, len(self.nodes)))

    def split(self, values: tf.Tensor) -> list[tf.Tensor]:
        """`[batch, nodes x units]` to `[batch, units]` of each node."""
        return [values] if len(self.nodes) == 1 else tf.split(values, len(self.nodes), -1)

    def apply(self, functions: Mapping[str, Any], values: tf.Tensor) -> tf.Tensor:
        """The function of each node's activation on its values; `[batch, nodes x units]`."""
        if len(self.runs) == 1:
            return functions[self.runs[0][0]](values)
        units = values.shape[-1] // len(self.nodes)
        parts = tf.split(values, [count * units for _, count in self.runs], -1)
        return tf.concat([functions[name](part) for (name, _), part in zip(self.runs, parts)], -1)


def _readers(cell: RecurrentCell) -> list[_Readers]:
    """All states of a cell, each after the one that it reads."""
    by_source: dict[int, list[int]] = {BEFORE: [0]}
    for number, source in enumerate(cell.inputs, 1):
        by_source.setdefault(source, []).append(number)
    found = []
    for source in sorted(by_source):
        nodes = sorted(by_source[source], key=lambda number: (cell.activations[number], number))
        names = [cell.activations[number] for number in nodes]
        found.append(_Readers(source, tuple(nodes), tuple((name, names.count(name)) for name in dict.fromkeys(names))))
    return found


def recurrence(
    cell: RecurrentCell, inputs: tf.Tensor, state: tf.Tensor, first: tf.Tensor, weights: tf.Tensor, mask: tf.Tensor
) -> tf.Tensor:
    """Hidden states of a window of text.

    Args:
        cell: Which node reads which state, with which activation.
        inputs: `[time, batch, 2 units]`: the products of the inputs with their weights.
        state: `[batch, units]`: the hidden state before the window.
        first: `[units, 2 units]`: weights from the previous hidden state to s0.
        weights: `[nodes, units, 2 units]`: weights of nodes 1, 2, ...
        mask: `[batch, units]`: variational dropout of every state that is multiplied with weights; ones for none. No
            gradient flows into it.

    Returns:
        `[time, batch, units]`: the hidden state after every step.

    Source: Gal and Ghahramani 2016, section 4 (one mask for all steps); equations of `alphaxenas.spaces.recurrent`.
    """
    every, single = _readers(cell), tf.unstack(weights, len(cell.nodes))
    matrices = [first, *(_side_by_side([single[node - 1] for node in readers.nodes]) for readers in every[1:])]

    @tf.custom_gradient
    def run(inputs: tf.Tensor, state: tf.Tensor, mask: tf.Tensor, *matrices: tf.Tensor) -> Any:
        loop = _Loop(cell, every, matrices, mask)
        hidden, kept = loop.forward(inputs, state)
        return hidden, lambda upstream: loop.backward(upstream, kept)

    return in_parts(lambda *part: run(*part, *matrices), inputs, state, mask)


@dataclass(frozen=True)
class _Loop:
    """A cell's way through a window.

    Attributes:
        cell: The cell.
        every: Its states.
        matrices: Weights of the items of `every`.
        mask: As of `recurrence`.
    """

    cell: RecurrentCell
    every: Sequence[_Readers]
    matrices: Sequence[tf.Tensor]
    mask: tf.Tensor

    def forward(self, inputs: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, list[tf.TensorArray]]:
        """Hidden states `[time, batch, units]`; and for every step, beside each other in the order of `every`: what was
        read, and gates, activations' values, and by how much these differ from the state before.
        """
        outputs = self.cell.output_nodes

        def step(time: tf.Tensor, hidden: tf.Tensor) -> Any:
            states = {BEFORE: hidden}
            reads, others = list[tf.Tensor](), list[tf.Tensor]()
            for readers, matrix in zip(self.every, self.matrices):
                source = states[readers.source]
                reads.append(source * self.mask)
                product = tf.matmul(reads[-1], matrix)
                if readers.source == BEFORE:
                    product += inputs[time]
                gate, value = tf.split(product, 2, -1)
                gate, value, before = tf.sigmoid(gate), readers.apply(_FUNCTIONS, value), readers.wide(source)
                moved = value - before
                states |= zip(readers.nodes, readers.split(before + gate * moved))
                others += [gate, value, moved]
            new = tf.add_n([states[node] for node in outputs]) / len(outputs)
            return (new,), [new, tf.concat(reads, -1), tf.concat(others, -1)]

        _, (hidden, *kept) = over_time(step, (state,), inputs, 3)
        return hidden.stack(), kept

    def backward(self, upstream: tf.Tensor, kept: Sequence[tf.TensorArray]) -> tuple[tf.Tensor | None, ...]:
        """Gradients of the inputs, of the state before the window, of the mask (none), and of the weights."""
        outputs, units = self.cell.output_nodes, upstream.shape[-1]
        widths = [len(readers.nodes) * units for readers in self.every]

        def back(time: tf.Tensor, carried: tf.Tensor) -> Any:
            share = (upstream[time] + carried) / len(outputs)
            errors = {state: [share] if state in outputs else [] for state in range(BEFORE, len(self.cell.nodes) + 1)}
            others = tf.split(kept[1].read(time), [width for width in widths for _ in range(3)], -1)
            products = list[tf.Tensor]()
            for place in reversed(range(len(self.every))):
                readers, (gate, value, moved) = self.every[place], others[3 * place : 3 * place + 3]
                error = _joined([tf.add_n(errors[node]) for node in readers.nodes])
                to_value = error * gate
                to_gate = to_value * moved * (1.0 - gate)
                product = tf.concat([to_gate, to_value * readers.apply(_DERIVATIVES, value)], -1)
                passed = tf.matmul(product, self.matrices[place], transpose_b=True) * self.mask
                errors[readers.source] += [passed, *readers.split(error - to_value)]
                products.insert(0, product)
            return (tf.add_n(errors[BEFORE]),), [tf.concat(products, -1)]

        (to_state,), (stored,) = over_time(back, (tf.zeros_like(upstream[0]),), upstream, 1, backwards=True)
        products = tf.split(stored.stack(), [2 * width for width in widths], -1)
        reads = tf.split(kept[0].stack(), len(self.every), -1)
        return products[0], to_state, None, *map(weight_gradient, reads, products)


def _joined(parts: Sequence[tf.Tensor]) -> tf.Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, -1)


def _side_by_side(weights: Sequence[tf.Tensor]) -> tf.Tensor:
    """Weights `[units, 2 x nodes x units]` of nodes, from `[units, 2 units]` each."""
    halves = [tf.split(matrix, 2, -1) for matrix in weights]
    return _joined(weights) if len(weights) == 1 else tf.concat([half for part in zip(*halves) for half in part], -1)

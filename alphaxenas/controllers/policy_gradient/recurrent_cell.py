"""The two recurrent cells of policies, as plain functions with hand-written derivatives: LSTM and NASCell.

A cell gets what the input and what its last output contribute to each of its branches, `x` and `m`, both of shape
`[n, branches * U]`, and its last memory `c`, `[n, U]`. It returns output, memory and what its derivative needs. The
matrix products that make `x` and `m` belong to the network (`alphaxenas.controllers.policy_gradient.policy_network`).

LSTM (Hochreiter & Schmidhuber 1997; Gers et al. 2000), branches i, g, f, o, with z = x + m:

    c' = sigmoid(z_f) c + sigmoid(z_i) tanh(z_g),   h' = sigmoid(z_o) tanh(c')

NASCell (Zoph & Le 2017, "Neural architecture search with reinforcement learning", figure 8; the published
implementation numbers the eight leaves of the tree 0 to 7), z_j = x_j + m_j except leaf 3, which multiplies:

    a0 = sigmoid(z0)  a1 = relu(z1)   a2 = sigmoid(z2)  a3 = relu(x3 m3)
    a4 = tanh(z4)     a5 = sigmoid(z5)  a6 = tanh(z6)   a7 = sigmoid(z7)
    b0 = tanh(a0 a1)  b1 = tanh(a2 + a3)  b2 = tanh(a4 a5)  b3 = sigmoid(a6 + a7)
    d  = tanh(b0 + c)                                       the memory is injected here
    c' = d b1,   h' = tanh(c' tanh(b2 + b3))

Notation: n sequences, U units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Cell(NamedTuple):
    """A recurrent cell.

    Attributes:
        branches: How many sums of input and last output it takes.
        forward: `(x, m, c) -> (output, memory, trace)`.
        backward: `(trace, output gradient, memory gradient) -> (gradients of x, m and c)`.
        forget: Place of the branch whose bias starts at 1, so that little is forgotten at first; None without one.
    """

    branches: int
    forward: Callable[..., tuple[np.ndarray, np.ndarray, Any]]
    backward: Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]
    forget: int | None


def sigmoid(value: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-value)), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * value))


def lstm_forward(x: np.ndarray, m: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, Any]:
    """One step of the LSTM.

    Args:
        x: Contribution of the input, `[n, 4U]`.
        m: Contribution of the last output, biases included, `[n, 4U]`.
        c: Last memory, `[n, U]`.

    Returns:
        Output and memory, `[n, U]` each, and the trace for `lstm_backward`.
    """
    z_i, z_g, z_f, z_o = np.split(x + m, 4, axis=-1)
    i, g, f, o = sigmoid(z_i), np.tanh(z_g), sigmoid(z_f), sigmoid(z_o)
    memory = f * c + i * g
    squashed = np.tanh(memory)
    return o * squashed, memory, (i, g, f, o, c, squashed)


def lstm_backward(trace: Any, d_output: np.ndarray, d_memory: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Derivative of `lstm_forward`.

    Args:
        trace: What the step returned.
        d_output: Gradient with respect to its output, `[n, U]`.
        d_memory: Gradient with respect to its memory, from later steps, `[n, U]`.

    Returns:
        Gradients with respect to x, m and c.
    """
    i, g, f, o, c, squashed = trace
    d_memory = d_memory + d_output * o * (1 - squashed**2)
    d_i, d_g, d_f = d_memory * g * i * (1 - i), d_memory * i * (1 - g**2), d_memory * c * f * (1 - f)
    d_z = np.concatenate([d_i, d_g, d_f, d_output * squashed * o * (1 - o)], axis=-1)
    return d_z, d_z, d_memory * f


def nas_forward(x: np.ndarray, m: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, Any]:
    """One step of Zoph & Le's cell; arguments and result as of `lstm_forward`, with `[n, 8U]`.

    Args:
        x: Contribution of the input, `[n, 8U]`.
        m: Contribution of the last output, `[n, 8U]`.
        c: Last memory, `[n, U]`.
    """
    xs, ms = np.split(x, 8, axis=-1), np.split(m, 8, axis=-1)
    z = [one + other for one, other in zip(xs, ms)]
    a = [sigmoid(z[0]), np.maximum(z[1], 0), sigmoid(z[2]), np.maximum(xs[3] * ms[3], 0)]
    a += [np.tanh(z[4]), sigmoid(z[5]), np.tanh(z[6]), sigmoid(z[7])]
    b0, b1, b2, b3 = np.tanh(a[0] * a[1]), np.tanh(a[2] + a[3]), np.tanh(a[4] * a[5]), sigmoid(a[6] + a[7])
    injected, right = np.tanh(b0 + c), np.tanh(b2 + b3)
    memory = injected * b1
    output = np.tanh(memory * right)
    return output, memory, (xs[3], ms[3], a, (b0, b1, b2, b3), injected, right, memory, output)


def nas_backward(trace: Any, d_output: np.ndarray, d_memory: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Derivative of `nas_forward`; arguments and result as of `lstm_backward`.

    Args:
        trace: From `nas_forward`.
        d_output: With respect to the output, `[n, U]`.
        d_memory: With respect to the memory, `[n, U]`.
    """
    x3, m3, a, (b0, b1, b2, b3), injected, right, memory, output = trace
    d_last = d_output * (1 - output**2)
    d_memory = d_memory + d_last * right
    d_right = d_last * memory * (1 - right**2)
    d_injected = d_memory * b1 * (1 - injected**2)
    d0, d1 = d_injected * (1 - b0**2), d_memory * injected * (1 - b1**2)
    d2, d3 = d_right * (1 - b2**2), d_right * b3 * (1 - b3)
    d_product = d1 * (a[3] > 0)
    d_z = [d0 * a[1] * a[0] * (1 - a[0]), d0 * a[0] * (a[1] > 0), d1 * a[2] * (1 - a[2])]
    rest = [d2 * a[5] * (1 - a[4] ** 2), d2 * a[4] * a[5] * (1 - a[5]), d3 * (1 - a[6] ** 2), d3 * a[7] * (1 - a[7])]
    d_x, d_m = ([*d_z, d_product * other, *rest] for other in (m3, x3))
    return np.concatenate(d_x, axis=-1), np.concatenate(d_m, axis=-1), d_injected


CELLS = {"lstm": Cell(4, lstm_forward, lstm_backward, 2), "nascell": Cell(8, nas_forward, nas_backward, None)}

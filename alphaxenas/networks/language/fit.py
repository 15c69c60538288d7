"""Window after window of a language model's training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from alphaxenas.networks.language.model import LanguageModel
from alphaxenas.networks.training.loop import DivergedError


class TextReader:
    """The training text as windows of contiguous streams, read round and round.

    Args:
        text: Inputs, targets and weights, `[length, streams]` each; see `alphaxenas.data.text.streams`.
        window: Words of every stream in a window.

    Attributes:
        windows: Windows in one pass over the text; the last may be shorter.
    """

    def __init__(self, text: tuple[np.ndarray, np.ndarray, np.ndarray], window: int) -> None:
        self._text, self._window = text, window
        self.windows = -(-len(text[0]) // window)
        self.streams = text[0].shape[1]

    def at(self, number: int) -> tuple[np.ndarray, ...]:
        """Inputs, targets and weights of a window; numbers beyond the text begin again."""
        begin = (number % self.windows) * self._window
        return tuple(part[begin : begin + self._window] for part in self._text)


def train_windows(
    model: LanguageModel,
    reader: TextReader,
    begin: int,
    end: int,
    rate: Callable[[int], float],
    state: tuple[Any, ...] | None = None,
    cell: Any = (),
) -> tuple[float, tuple[Any, ...]]:
    """Trains on windows `begin` to `end - 1`, state carried from each to the next.

    Args:
        model: Its weights move in place.
        reader: The text.
        begin: Number of the first window, counted from the start of the training.
        end: Number after the last.
        rate: Learning rate of a window's number.
        state: The core's state after the window before; zeros if None, and at every new pass over the text.
        cell: What the core is told about the cell.

    Returns:
        Mean loss of a word in nats, and the state after the last window.

    Raises:
        DivergedError: A loss is not finite.
    """
    total, words = 0.0, 0.0
    for number in range(begin, end):
        inputs, targets, weights = reader.at(number)
        if state is None or number % reader.windows == 0:
            state = model.start(reader.streams)
        loss, state = model.train_window(inputs, targets, weights, state, rate(number), number, cell)
        total, words = total + loss * weights.sum(), words + weights.sum()
    assert state is not None, "at least one window"
    return float(total / max(words, 1.0)), state


def train_shared(
    model: LanguageModel, reader: TextReader, begin: int, cells: Iterable[Any], rate: Callable[[int], float]
) -> list[float]:
    """Trains shared weights on windows `begin`, `begin + 1` ..., each with a cell of its own.

    A window whose loss is not finite is left out, so that one cell cannot spoil the weights of all; the state after it
    is zero.

    Args:
        model: Its weights move in place; its core knows all cells.
        reader: The text.
        begin: Number of the first window.
        cells: What the core is told about the cell of each window.
        rate: Learning rate of a window's number.

    Returns:
        Mean loss of a word in nats, for every window; not finite where it was left out.
    """
    losses, state = list[float](), None
    for number, cell in enumerate(cells, begin):
        try:
            loss, state = train_windows(model, reader, number, number + 1, rate, state, cell)
        except DivergedError:
            loss, state = math.nan, None
        losses.append(loss)
    return losses

"""The LSTM's memories of prefixes: it reads token by token, so the memory of a prefix begins its continuations'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens

if TYPE_CHECKING:
    from alphaxenas.controllers.alphaxenas.network import Memory, PolicyValueLSTM

CAPACITY = 4096
"""Prefixes whose memories are kept at once."""


class PrefixMemories:
    """Memories of one LSTM, remembered until its weights change.

    Args:
        space: Gives the legal actions.
        network: The LSTM.
    """

    def __init__(self, space: SearchSpace, network: PolicyValueLSTM) -> None:
        self._space, self._network = space, network
        self.begin((0.0, 0.0, 0.0))

    def begin(self, context: Sequence[float]) -> None:
        """Forgets everything, because the weights or the context have changed.

        Args:
            context: The three numbers of `Replay.context`.
        """
        self._memories: dict[Tokens, Memory] = {}
        self._start, self._drive = self._network.begin(context)

    def of(self, tokens: Tokens) -> Memory:
        """The memory of a prefix, always computed beside its siblings (see `PolicyValueLSTM.extend`)."""
        if not tokens:
            return self._start
        parent = tokens[:-1]
        actions = self._space.legal_actions(parent)
        siblings, row = self.after(parent, actions), actions.index(tokens[-1])
        return type(siblings)(*(part[row] for part in siblings))

    def after(self, tokens: Tokens, actions: Tokens) -> Memory:
        """Memories of all continuations of a prefix.

        Args:
            tokens: A prefix that is no complete sequence.
            actions: Its legal actions.
        """
        found = self._memories.get(tokens)
        if found is None:
            memory = self.of(tokens)
            if len(self._memories) >= CAPACITY:
                self._memories.clear()
            found = self._memories[tokens] = self._network.extend(memory, actions, self._drive)
        return found

    def values_after(self, tokens: Tokens, actions: Tokens) -> np.ndarray:
        """Values after each action, `[n]`, float64.

        Args:
            tokens: A prefix that is no complete sequence.
            actions: Its legal actions.
        """
        return self._network.values(self.after(tokens, actions)).astype(np.float64)

    def policy(self, tokens: Tokens, actions: Tokens) -> np.ndarray:
        """The LSTM's probability of each action, `[n]`.

        Args:
            tokens: A prefix that is no complete sequence.
            actions: Its legal actions.
        """
        return self._network.policy(self.of(tokens), actions)

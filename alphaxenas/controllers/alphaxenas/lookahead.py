"""What the original search is told by its LSTM: priors and values of prefixes, all at the search budget.

The LSTM predicts standardised rewards (`replay.py`); here they become accuracies, which is what the tree holds. Until
the first iteration has ended, priors are uniform and every value is a placeholder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.contracts import Budget, SearchSpace, Tokens
from alphaxenas.controllers.alphaxenas.memories import PrefixMemories
from alphaxenas.controllers.alphaxenas.replay import CLIP, Replay, Scale, rank_correlation
from alphaxenas.controllers.mcts.tree import Prediction

if TYPE_CHECKING:
    from alphaxenas.controllers.alphaxenas.network import PolicyValueLSTM

WINDOW = 60
"""Latest outcomes that the held-out rank correlation is taken over."""
FEWEST = 5
"""Outcomes at the search budget before there is a correlation."""


class Lookahead:
    """Predictions of one LSTM for one search space.

    Args:
        space: The search space.
        network: The LSTM, which is trained here.
        search_budget: What values are about.
        final_budget: Lends its scale while nothing was measured at the search budget.
        placeholder: The value of everything before anything was learned.
    """

    def __init__(
        self,
        space: SearchSpace,
        network: PolicyValueLSTM,
        search_budget: Budget,
        final_budget: Budget,
        placeholder: Callable[[], float],
    ) -> None:
        self._space, self._network = space, network
        self._search_budget, self._final_budget = search_budget, final_budget
        self._placeholder = placeholder
        self.scale: Scale | None = None
        self._age = 0
        self._held_out: list[list[float]] = []
        self._correlation: float | None = None
        self._memories = PrefixMemories(space, network)
        self._forget()

    def _forget(self) -> None:
        """Drops remembered memories; they are computed again to the same bits."""
        self._memories.begin(Replay.context(self._search_budget, self._age))

    @property
    def learned(self) -> bool:
        """Whether the LSTM has been trained."""
        return self.scale is not None

    # --- predictions -------------------------------------------------------------------------------------------------

    def predict(self, tokens: Tokens, actions: Tokens, with_policy: bool) -> Prediction:
        """Priors and values of a prefix, in accuracy, for the tree.

        Args:
            tokens: A prefix that is no complete sequence.
            actions: Its legal actions.
            with_policy: Take the LSTM's priors instead of uniform ones.
        """
        uniform = [1.0 / len(actions)] * len(actions)
        if not self.learned:
            return Prediction(uniform, self._placeholder())
        memory = self._memories.of(tokens)
        priors = self._network.policy(memory, actions).tolist() if with_policy else uniform
        values = [self._accuracy(value) for value in self._network.values(self._memories.after(tokens, actions))]
        return Prediction(priors, self._accuracy(memory.total), values)

    def value(self, tokens: Tokens) -> float:
        """Expected accuracy of a prefix or a complete sequence."""
        return self._accuracy(self._memories.of(tokens).total) if self.learned else self._placeholder()

    def favourite(self) -> Tokens:
        """The complete sequence of the highest predicted value at every token; only after a fit."""
        tokens: Tokens = ()
        while actions := self._space.legal_actions(tokens):
            tokens = (*tokens, actions[int(np.argmax(self._network.values(self._memories.after(tokens, actions))))])
        return tokens

    def _accuracy(self, value: float | np.ndarray) -> float:
        assert self.scale is not None, "only after a fit"
        return self.scale.reward(min(max(float(value), -CLIP), CLIP))

    # --- learning ----------------------------------------------------------------------------------------------------

    def compare(self, tokens: Tokens, budget: Budget, reward: float) -> None:
        """Stores the prediction for an architecture that the LSTM was never trained on, with its reward.

        Args:
            tokens: A complete sequence.
            budget: What it was evaluated with.
            reward: What it got.
        """
        if self.learned:
            _, value = self._network.predict([tokens], np.array([Replay.context(budget, self._age)]))
            self._held_out.append([float(value[0]), reward, float(budget == self._search_budget)])
            del self._held_out[:-WINDOW]

    def learn(self, replay: Replay, age: int) -> None:
        """Takes stock of the predictions made, then trains the LSTM on the replay.

        Args:
            replay: Everything measured.
            age: Children trained so far.
        """
        window = [pair for pair in self._held_out if pair[2]]
        correlation = rank_correlation([pair[0] for pair in window], [pair[1] for pair in window])
        self._correlation = correlation if len(window) >= FEWEST and np.isfinite(correlation) else None
        scale = replay.scale(self._search_budget) or replay.scale(self._final_budget)
        if scale is not None:
            self._network.fit(replay.examples())
            self.scale, self._age = scale, age
        self._forget()

    # --- records -----------------------------------------------------------------------------------------------------

    def diagnostics(self) -> dict[str, float]:
        """Losses of the latest fit, and rank correlation of predictions and outcomes at the search budget."""
        numbers = {f"lstm/{name}": value for name, value in self._network.losses.items()}
        return numbers if self._correlation is None else numbers | {"lstm/rank_correlation": self._correlation}

    def state(self) -> dict[str, Any]:
        """The LSTM with its optimiser, the scale, and the predictions to be judged."""
        return {
            "lstm": self._network.state(),
            "scale": None if self.scale is None else [float(part) for part in self.scale],
            "age": self._age,
            "held_out": [list(pair) for pair in self._held_out],
            "correlation": self._correlation,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self._network.restore(state["lstm"])
        self.scale = None if state["scale"] is None else Scale(*state["scale"])
        self._age = int(state["age"])
        self._held_out = [list(pair) for pair in state["held_out"]]
        self._correlation = state["correlation"]
        self._forget()

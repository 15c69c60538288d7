"""Random search: architectures drawn uniformly over complete sequences, never one twice (equal keys count as one).

The baseline of every other controller. With two budgets it promotes by the same rule as all of them
(`alphaxenas.controllers.promotion`). Where children share weights, one thing besides the choice differs from AlphaXENAS
with a `uniform_share`: all children of random search train the shared weights. The control without that difference is
AlphaXENAS with `uniform_share=1`.

Source: Li & Talwalkar 2019, "Random search and reproducibility for neural architecture search".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.history import TrialHistory
from alphaxenas.seeds import generator_state, restore_generator, stream


class RandomSearch:
    """Uniform random search (`alphaxenas.controllers.promotion.Strategy`).

    Never waits for a reward; what is suggested never depends on one.

    Args:
        space: Any search space.
        seed: The run's seed.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._rng = stream(seed, "random_search")
        self._history = TrialHistory(space)

    def suggest(self) -> Tokens | None:
        """A new architecture; None when every key has been suggested."""
        return self._history.draw(self._rng)

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a suggestion.

        Args:
            tokens: An outstanding suggestion.
            reward: None if the evaluation failed.
        """
        self._history.observe(tokens, reward)

    def diagnostics(self) -> dict[str, float]:
        """Nothing: it believes nothing."""
        return {}

    def status_line(self) -> str:
        """Nothing: it believes nothing."""
        return ""

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {"generator": generator_state(self._rng), "history": self._history.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        restore_generator(self._rng, state["generator"])
        self._history.restore(state["history"])

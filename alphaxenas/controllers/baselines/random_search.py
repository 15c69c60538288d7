"""Random search: architectures drawn uniformly over complete sequences, never one twice (equal keys count as one).

The baseline of every other controller. With two budgets it promotes by the same rule as all of them
(`alphaxenas.controllers.promotion`), and where children share weights the same share of its children trains them as in
AlphaXENAS (`uniform_share`).

Source: Li & Talwalkar 2019, "Random search and reproducibility for neural architecture search".
"""

from __future__ import annotations

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.history import HistoryStrategy
from alphaxenas.seeds import stream


class RandomSearch(HistoryStrategy):
    """Uniform random search (`alphaxenas.controllers.promotion.Strategy`).

    Never waits for a reward; what is suggested never depends on one.

    Args:
        space: Any search space.
        seed: The run's seed.
    """

    uniform = True
    """All suggestions are drawn uniformly."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, stream(seed, "random_search"))

    def suggest(self) -> Tokens | None:
        """A new architecture; None when every key has been suggested."""
        return self.draw()

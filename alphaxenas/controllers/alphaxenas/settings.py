"""Settings of AlphaXENAS."""

from __future__ import annotations

from dataclasses import dataclass

from alphaxenas.controllers.promotion import PROMOTION_RULES

PRIORS = ("lstm", "uniform")


@dataclass(frozen=True)
class Settings:
    """How AlphaXENAS searches.

    Attributes:
        num_simulations: Simulations per move, >= 1.
        exploration: c of PUCT, >= 0; values are scaled to [0, 1].
        promotion: Which architecture is trained for the final budget: `"best_unpromoted"` = the child of the highest
            reward so far that was not yet, `"rollout"` = the one that the moves built.
        temperature: Moves are drawn from visits ** (1 / temperature); 0 = most visited.
        prior: `"lstm"` or `"uniform"`.
        warmup_iterations: Iterations with a uniform prior before the LSTM's is used.
        tree_renewal: A new tree every so many iterations; 0 = never. Outcomes are kept.
        dirichlet_alpha: Concentration of the noise at the root of each move, > 0.
        dirichlet_weight: Share of that noise in the prior, in [0, 1].
        refresh_after: Trained children after which an outcome is scored again when met; 0 = never.
        search_children: New children trained per iteration; 0 = as many as the simulations meet.
        uniform_share: Share of those that are drawn uniformly, in [0, 1], and alone train the shared weights; 0 = all
            do. With 1 nothing is searched: the control in which everything but the choice stays the same.
        lstm_units: LSTM units.
        lstm_learning_rate: Of Adam.
        lstm_batch_size: Architectures per mini-batch.
        lstm_steps: Mini-batches per fit, one fit per iteration.
        replay_capacity: Evaluated architectures kept for training the LSTM.

    Raises:
        ValueError: A value out of its range.
    """

    num_simulations: int = 24
    exploration: float = 1.0
    promotion: str = "best_unpromoted"
    temperature: float = 0.0
    prior: str = "lstm"
    warmup_iterations: int = 4
    tree_renewal: int = 1
    dirichlet_alpha: float = 0.3
    dirichlet_weight: float = 0.25
    refresh_after: int = 50
    search_children: int = 6
    uniform_share: float = 0.0
    lstm_units: int = 100
    lstm_learning_rate: float = 0.003
    lstm_batch_size: int = 32
    lstm_steps: int = 40
    replay_capacity: int = 1000

    def __post_init__(self) -> None:
        _check("num_simulations", self.num_simulations >= 1, "a whole number >= 1", self.num_simulations)
        _check("promotion", self.promotion in PROMOTION_RULES, " or ".join(PROMOTION_RULES), repr(self.promotion))
        _check("temperature", self.temperature >= 0, "a number >= 0", self.temperature)
        _check("prior", self.prior in PRIORS, '"lstm" or "uniform"', repr(self.prior))
        _check("warmup_iterations", self.warmup_iterations >= 0, "a whole number >= 0", self.warmup_iterations)
        _check("tree_renewal", self.tree_renewal >= 0, "a whole number >= 0 (0 = never)", self.tree_renewal)
        _check("dirichlet_alpha", self.dirichlet_alpha > 0, "a number > 0", self.dirichlet_alpha)
        _check("dirichlet_weight", 0 <= self.dirichlet_weight <= 1, "a number in [0, 1]", self.dirichlet_weight)
        _check("refresh_after", self.refresh_after >= 0, "a whole number >= 0 (0 = never)", self.refresh_after)
        _check(
            "search_children",
            self.search_children >= 0,
            "a whole number >= 0 (0 = all that are met)",
            self.search_children,
        )
        _check("uniform_share", 0 <= self.uniform_share <= 1, "a number in [0, 1]", self.uniform_share)
        _check(
            "uniform_share",
            not self.uniform_share or self.search_children > 0,
            "0 where search_children is 0",
            self.uniform_share,
        )


def _check(name: str, holds: bool, expected: str, received: object) -> None:
    if not holds:
        raise ValueError(f"Invalid value for `{name}`. Expected {expected}. Received: {received}")

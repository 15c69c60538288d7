"""Settings of AlphaXENAS."""

from __future__ import annotations

from dataclasses import dataclass

from alphaxenas.controllers.promotion import PROMOTION_RULES
from alphaxenas.controllers.surrogate.belief import TRUST

PRIORS = ("lstm", "uniform")
PLANNINGS = ("tree", "rollouts", "children")
MOVE_RULES = ("gumbel", "puct")


@dataclass(frozen=True)
class Settings:
    """How AlphaXENAS searches.

    Attributes:
        planning: `"tree"` = before every child the tree is searched inside the model; `"rollouts"` = as many rollouts
            of the policy inside the model, without a tree; `"children"` = as in the original, every new sequence that a
            simulation completes is a child.
        move_rule: How a move of a plan is found: `"gumbel"` (sequential halving) or `"puct"` (most visited). The
            original search has PUCT.
        prior: `"lstm"`, or `"uniform"`: priors, predicted values and rollouts know nothing of an LSTM.
        num_simulations: Simulations per move, >= 1.
        exploration: c of PUCT, >= 0; values are scaled to [0, 1].
        uncertainty: Weight of the deviation in the value of an architecture, >= 0.
        initial_children: Children before the model of rewards is asked, >= 2.
        free_features: The first child that is not drawn is the best of many by what its structure tells of size and
            depth; the others before the model is asked are drawn uniformly, as all of them are without.
        reward_trust: Where children are promoted: how far rewards at the search budget tell what is looked for, in
            [0, 1]; see `alphaxenas.controllers.surrogate.belief`.
        climb: From the best that the tree met the plan climbs along single changes, which know no order of tokens.
        search_children: Children per promotion; 0 = no promotions, or, where planning is `"children"`, as many children
            an iteration as the simulations meet.
        uniform_share: Share of the children that is drawn uniformly, in [0, 1], and alone trains the shared weights;
            0 = all do. With 1 nothing is searched: the control in which everything but the choice stays the same.
        promotion: Which architecture is trained for the final budget: `"best_unpromoted"` = the child of the highest
            reward so far that was not yet, `"rollout"` = the one that the moves built (planning `"children"` alone).
        temperature: Planning `"children"`: moves are drawn from visits ** (1 / temperature); 0 = most visited.
        warmup_iterations: Planning `"children"`: iterations with a uniform prior before the LSTM's is used.
        tree_renewal: Planning `"children"`: a new tree every so many iterations; 0 = never. Outcomes are kept.
        refresh_after: Planning `"children"`: trained children after which an outcome is scored again; 0 = never.
        lstm_units: LSTM units.
        lstm_learning_rate: Of Adam.
        lstm_batch_size: Architectures per mini-batch.
        lstm_steps: Mini-batches per fit: one whenever a tenth more children are known, with planning `"children"` every
            iteration.
        replay_capacity: Evaluated architectures that are learned from.

    Raises:
        ValueError: A value out of its range.
    """

    planning: str = "tree"
    move_rule: str = "gumbel"
    prior: str = "lstm"
    num_simulations: int = 12
    exploration: float = 1.0
    uncertainty: float = 2.0
    initial_children: int = 5
    free_features: bool = True
    reward_trust: float = TRUST
    climb: bool = True
    search_children: int = 6
    uniform_share: float = 0.0
    promotion: str = "best_unpromoted"
    temperature: float = 0.0
    warmup_iterations: int = 0
    tree_renewal: int = 0
    refresh_after: int = 0
    lstm_units: int = 64
    lstm_learning_rate: float = 0.003
    lstm_batch_size: int = 32
    lstm_steps: int = 40
    replay_capacity: int = 1000

    def __post_init__(self) -> None:
        original = self.planning == "children"
        for name, holds, expected in (
            ("planning", self.planning in PLANNINGS, f"one of {', '.join(PLANNINGS)}"),
            ("move_rule", self.move_rule in MOVE_RULES, " or ".join(MOVE_RULES)),
            ("prior", self.prior in PRIORS, " or ".join(PRIORS)),
            ("num_simulations", self.num_simulations >= 1, "a whole number >= 1"),
            ("exploration", self.exploration >= 0, "a number >= 0"),
            ("uncertainty", self.uncertainty >= 0, "a number >= 0"),
            ("initial_children", self.initial_children >= 2, "a whole number >= 2"),
            ("reward_trust", 0 <= self.reward_trust <= 1, "a number in [0, 1]"),
            ("search_children", self.search_children >= 0, "a whole number >= 0"),
            ("search_children", not (original and self.search_children), "0 where planning is 'children'"),
            ("uniform_share", 0 <= self.uniform_share <= 1, "a number in [0, 1]"),
            ("uniform_share", self.search_children or not self.uniform_share, "0 where search_children is 0"),
            ("promotion", self.promotion in PROMOTION_RULES, " or ".join(PROMOTION_RULES)),
            ("promotion", original or self.promotion != "rollout", "'best_unpromoted' unless planning is 'children'"),
            ("temperature", self.temperature >= 0, "a number >= 0"),
            ("warmup_iterations", self.warmup_iterations >= 0, "a whole number >= 0"),
            ("tree_renewal", self.tree_renewal >= 0, "a whole number >= 0 (0 = never)"),
            ("refresh_after", self.refresh_after >= 0, "a whole number >= 0 (0 = never)"),
        ):
            if not holds:
                raise ValueError(f"Invalid value for `{name}`. Expected {expected}. Received: {getattr(self, name)!r}")

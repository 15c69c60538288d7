"""Names that parameters had before. Stored runs are read under today's; in a profile or notebook an old one is an error
that tells the new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED = {
    "expansions": "num_simulations",
    "finals": "promotion",
    "chain_layers": "layers",
    "enas_layers": "layers",
    "enas_nodes": "blocks",
    "chain_trials": "trials",
    "nao_trials": "trials",
    "chain_epochs": "search_epochs",
    "nao_child_epochs": "search_epochs",
    "nao_best": "top_k",
    "chain_controllers": "controllers",
    "chain_table": "tables",
    "chain_table_controllers": "study_controllers",
    "chain_table_seeds": "study_seeds",
    "chain_table_cap": "cap",
}
_VALUES = {"finals": {"best": "best_unpromoted", "played": "rollout"}}
"""Values that were renamed with their parameter."""
REMOVED = {
    "evaluate_model": "Use the command: alphaxenas evaluate MODEL",
    "dirichlet_alpha": "The root explores by Gumbel variables (move_rule)",
    "dirichlet_weight": "The root explores by Gumbel variables (move_rule)",
}
"""Parameters that are gone, and what to do instead."""


def under_new_names(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Recorded parameters under today's names.

    Args:
        parameters: Name to JSON value, as in a run.json of any age.

    Returns:
        The same in the same order, with new names and values.
    """
    return {
        RENAMED.get(name, name): _VALUES[name].get(value, value) if name in _VALUES else value
        for name, value in parameters.items()
    }

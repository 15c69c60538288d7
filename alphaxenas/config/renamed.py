"""Names that parameters had before, in runs that are stored with the project. They are read under today's names; in a
profile or notebook an old one is an error that tells the new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED = {"expansions": "num_simulations", "finals": "promotion", "chain_layers": "layers"}
_VALUES = {"finals": {"best": "best_unpromoted", "played": "rollout"}}
"""Values that were renamed with their parameter."""


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

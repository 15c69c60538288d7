"""Simulations per second of the tree search on the default cell space, constant prior and value; prints JSON last.

Run: python benchmarks/tree_speed.py
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alphaxenas.controllers.mcts.selection import PUCT  # noqa: E402
from alphaxenas.controllers.mcts.tree import Prediction, Tree  # noqa: E402
from alphaxenas.spaces import CellSpace  # noqa: E402

SIMULATIONS = 20_000


def main() -> None:
    """Times the first simulations of a fresh tree, three times."""
    space, rates = CellSpace(), []
    for _ in range(3):
        tree = Tree(
            space.legal_actions, lambda tokens, actions: Prediction([1 / len(actions)] * len(actions), 0.5), PUCT(1.0)
        )
        start = time.perf_counter()
        made = tree.search(SIMULATIONS, lambda tokens: 0.5)
        rates.append(made / (time.perf_counter() - start))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {"simulations": made, "simulations_per_second": round(sorted(rates)[1]), "peak_memory_mib": round(peak, 1)}
    print(json.dumps(result | tree.summary()))


if __name__ == "__main__":
    main()

"""Simulations per second of the tree search on the default cell space, with constant prior and value.

    python -m benchmarks.tree_speed [--record]

The first simulations of a fresh tree are timed, three times; the median counts. Prints JSON last.
"""

from __future__ import annotations

import statistics
import time

from alphaxenas.controllers.mcts.selection import PUCT
from alphaxenas.controllers.mcts.tree import Prediction, Tree
from alphaxenas.spaces import CellSpace
from benchmarks.record import finish, parser

SIMULATIONS, REPEATS = 20_000, 3


def main() -> None:
    """Times the trees and prints the result."""
    options, started = parser(__doc__).parse_args(), time.perf_counter()
    space, rates = CellSpace(), []
    for _ in range(REPEATS):
        tree = Tree(
            space.legal_actions, lambda tokens, actions: Prediction([1 / len(actions)] * len(actions), 0.5), PUCT(1.0)
        )
        begin = time.perf_counter()
        made = tree.search(SIMULATIONS, lambda tokens: 0.5)
        rates.append(made / (time.perf_counter() - begin))
    figures = {"simulations": made, "simulations_per_second": round(statistics.median(rates)), **tree.summary()}
    finish("tree_speed", options.record, started, figures, {"simulations_per_second": [round(rate) for rate in rates]})


if __name__ == "__main__":
    main()

"""AlphaXENAS against random search on a SYNTHETIC objective: a sanity check of the search, not a result about networks.

Reward = 0.7 + effects of operations, of their places, of pairs, of combinations, of depth + noise 0.01. Reported: true
value of the best final (chosen by noisy reward) and mean true value over the last quarter of trials, paired by seed.

Run: python benchmarks/search_synthetic.py [seeds] [trials]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alphaxenas.contracts import Budget, Outcome  # noqa: E402
from alphaxenas.controllers import AlphaXENAS, make_controller  # noqa: E402
from alphaxenas.spaces import CellSpace  # noqa: E402

NOISE = 0.01
SEARCH, FINAL, CHILDREN = Budget(1), Budget(3), 6


def objective(seed: int):
    """A function from the tokens of the default cell space to a true value."""
    rng = np.random.default_rng([seed, 0])
    single, place, pair = rng.normal(0, 0.012, 10), rng.normal(0, 0.004, (4, 2, 10)), rng.normal(0, 0.006, (10, 10))
    combination, per_depth = rng.normal(0, 0.006, 2), rng.normal(0.006, 0.003)
    space = CellSpace()
    names = {name: number for number, name in enumerate(space.operations)}

    def value(tokens) -> float:
        depths, result = [0, 0], 0.7
        for number, block in enumerate(space.decode(tokens).blocks):
            first, second = names[block.operation1], names[block.operation2]
            result += single[first] + single[second] + place[number, 0, first] + place[number, 1, second]
            result += pair[min(first, second), max(first, second)] + combination[int(block.combination == "add")]
            depths.append(1 + max(depths[block.input1], depths[block.input2]))
        return result + per_depth * max(depths)

    return value


def play(controller, seed: int, trials: int) -> tuple[float, float]:
    """True value of the final with the best noisy reward, and mean true value of the last quarter of trials."""
    value, noise, finals, values = objective(seed), np.random.default_rng([seed, 1]), [], []
    for _ in range(trials):
        proposal = controller.ask()
        true = value(proposal.tokens)
        reward = true + noise.normal(0, NOISE)
        values.append(true)
        if proposal.purpose == "final":
            finals.append((reward, true))
        controller.tell(Outcome(proposal, reward))
    return max(finals)[1], float(np.mean(values[-trials // 4 :]))


def main(seeds: int = 20, trials: int = 63) -> None:
    """Plays both on every seed."""
    ours = np.array([play(AlphaXENAS(CellSpace(), SEARCH, FINAL, search_children=CHILDREN, seed=s), s, trials) for s in range(seeds)])
    theirs = np.array([play(make_controller("random", CellSpace(), s, SEARCH, FINAL, CHILDREN), s, trials) for s in range(seeds)])
    gains = ours - theirs
    half = 1.96 * gains.std(0, ddof=1) / np.sqrt(seeds)
    report = {"synthetic": True, "seeds": seeds, "trials": trials}
    for column, name in enumerate(("best_final", "last_quarter")):
        report[name] = {
            "alphaxenas": round(ours[:, column].mean(), 4),
            "random_search": round(theirs[:, column].mean(), 4),
            "gain": round(gains[:, column].mean(), 4),
            "interval_95": [round(gains[:, column].mean() + sign * half[column], 4) for sign in (-1, 1)],
            "wins": int((gains[:, column] > 0).sum()),
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

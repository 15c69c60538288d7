"""AlphaXENAS against random search on a SYNTHETIC objective: a sanity check of the search, not a result about networks.

Reward = 0.7 + effects of operations, of their places, of pairs, of combinations, of depth + noise 0.01. Reported: true
value of the best final (chosen by noisy reward) and mean true value over the last quarter of trials, paired by seed.

    python -m benchmarks.search_synthetic [--seeds 20] [--trials 63] [--noise 0.01] [--drift 0] [--uniform-share 0]

`--drift D` imitates shared weights: every reward at the search budget rises by D * sqrt(children that trained the
shared weights so far), for both searches alike; finals, which are trained from scratch, do not. On CIFAR-10 the rewards
of random search rose by 0.009 * sqrt(n), 0.6 standard deviations of the children of one age, with a noise of half of
one: here that is `--noise 0.025 --drift 0.03 --uniform-share 0.5`.
"""

from __future__ import annotations

import time

import numpy as np

from alphaxenas.contracts import Budget, Outcome
from alphaxenas.controllers import make_controller
from alphaxenas.report.statistics import compare
from alphaxenas.spaces import CellSpace
from benchmarks.record import finish, parser

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


def play(controller, seed: int, trials: int, noise: float, drift: float) -> tuple[float, float]:
    """True value of the final with the best noisy reward, and mean true value of the last quarter of trials."""
    value, rng, finals, values, kept = objective(seed), np.random.default_rng([seed, 1]), [], [], 0
    for _ in range(trials):
        proposal = controller.ask()
        true = value(proposal.tokens)
        final = proposal.purpose == "final"
        reward = true + (0.0 if final else drift * kept**0.5) + rng.normal(0, noise)
        kept += proposal.updates_shared_weights and not final
        values.append(true)
        if final:
            finals.append((reward, true))
        controller.tell(Outcome(proposal, reward))
    return max(finals)[1], float(np.mean(values[-trials // 4 :]))


def main() -> None:
    """Plays both on every seed."""
    arguments = parser(__doc__)
    for name, default in (("seeds", 20), ("trials", 63), ("noise", 0.01), ("drift", 0.0), ("uniform-share", 0.0)):
        arguments.add_argument(f"--{name}", type=type(default), default=default)
    options, started = arguments.parse_args(), time.perf_counter()
    space, rest = CellSpace(), (options.trials, options.noise, options.drift)
    ours, theirs = np.zeros((2, options.seeds, 2))
    for seed in range(options.seeds):
        alphaxenas = make_controller(
            "alphaxenas", space, seed, SEARCH, FINAL, CHILDREN, uniform_share=options.uniform_share
        )
        ours[seed] = play(alphaxenas, seed, *rest)
        theirs[seed] = play(make_controller("random", space, seed, SEARCH, FINAL, CHILDREN), seed, *rest)
    figures = {"synthetic": True, **{name: value for name, value in vars(options).items() if name != "record"}}
    values = {}
    for column, name in enumerate(("best_final", "last_quarter")):
        first, second = ours[:, column].round(5).tolist(), theirs[:, column].round(5).tolist()
        gain = compare(dict(enumerate(first)), dict(enumerate(second)))
        figures[name] = {
            "alphaxenas": round(float(np.mean(first)), 4),
            "random_search": round(float(np.mean(second)), 4),
            "gain": round(gain.mean, 4),
            "interval_95": [round(gain.low, 4), round(gain.high, 4)],
            "p": gain.p,
            "shown": gain.shown,
        }
        values[name] = {"alphaxenas": first, "random": second}
    finish("search_synthetic", options.record, started, figures, values)


if __name__ == "__main__":
    main()

"""The numbers in the drawings of notebook 00: computed by the code that they explain, or published by the original."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from alphaxenas.controllers.mcts.selection import PUCT
from alphaxenas.controllers.mcts.tree import Prediction, Tree

ORIGINAL_ACCURACIES = {
    "after 1 epoch\n(trained children)": (0.535, 0.579, 0.587, 0.590),
    "after 6 epochs\n(what the LSTM learned)": (0.762, 0.771, 0.781, 0.792),
}
"""Mean accuracies by quarter of the original's published log (run MultipleMCTS: 608 and 48 children)."""
ORIGINAL_EXPLORATION, ORIGINAL_EXPANSIONS = 5.0, 12


def toy_tree(simulations: int, exploration: float) -> Tree:
    """A tree over sequences of three tokens out of a, b, c; sequences with b or c are the better ones.

    Args:
        simulations: How many simulations have grown it.
        exploration: c of PUCT.
    """
    merit = np.array([0.0, 0.08, 0.05])
    priors = np.array([0.5, 0.3, 0.2])

    def value(tokens: Sequence[int]) -> float:
        return float(0.60 + merit[list(tokens)].sum() / max(1, len(tokens)))

    tree = Tree(
        lambda tokens: (0, 1, 2) if len(tokens) < 3 else (),
        lambda tokens, actions: Prediction(
            priors.tolist(), value(tokens), [value((*tokens, action)) for action in actions]
        ),
        PUCT(exploration),
    )
    tree.search(simulations, value)
    return tree


def snapshot(tree: Tree) -> dict[tuple[int, ...], tuple[int, float]]:
    """Every expanded prefix of the toy tree with its visits and mean value."""
    root = tree.statistics()
    assert root is not None, "the root of a tree that has been searched is open"
    open_prefixes: list[tuple[int, ...]] = [()]
    found: dict[tuple[int, ...], tuple[int, float]] = {(): (root["total"][0], float("nan"))}
    while open_prefixes:
        prefix = open_prefixes.pop(0)
        node = tree.statistics(prefix)
        for action, count, mean in zip(node["actions"], node["visits"], node["means"]) if node else ():
            tokens = (*prefix, action)
            if tree.statistics(tokens) is not None:
                found[tokens] = (count, mean)
                open_prefixes.append(tokens)
    return found


def puct_scores(tree: Tree, exploration: float) -> dict[tuple[int, ...], float]:
    """PUCT score of every edge that hangs on a node of the tree, as `PUCT` computes it.

    Args:
        tree: A tree whose predictions have action values.
        exploration: Its c of PUCT.

    Returns:
        Prefix that ends with the edge's token, to its score.
    """
    low, high = tree.state()["range"]
    scale = 1.0 / (high - low) if high > low else 0.0
    found = {}
    for prefix in snapshot(tree):
        node = tree.statistics(prefix)
        if node is None:
            continue
        for action, prior, count, mean in zip(node["actions"], node["priors"], node["visits"], node["means"]):
            tokens = (*prefix, action)
            quality = mean
            if not count:
                expected = tree.predict(prefix, tuple(node["actions"])).action_values
                assert expected is not None, "predictions of the tree have action values"
                quality = expected[action]
            found[tokens] = scale * (quality - low) + exploration * prior * np.sqrt(node["total"][0]) / (1 + count)
    return found


def tree_layout(prefixes: set[tuple[int, ...]]) -> dict[tuple[int, ...], tuple[float, float]]:
    """Leaves side by side in the order of their tokens, parents above the middle of their children."""
    places: dict[tuple[int, ...], tuple[float, float]] = {}
    column = 0.0
    for tokens in sorted(prefixes, key=lambda tokens: (-len(tokens), tokens)):
        places[tokens] = (0.0, -float(len(tokens)))

    def place(tokens: tuple[int, ...]) -> float:
        nonlocal column
        children = sorted(other for other in prefixes if len(other) == len(tokens) + 1 and other[:-1] == tokens)
        if children:
            xs = [place(child) for child in children]
            x = (xs[0] + xs[-1]) / 2
        else:
            x, column = column, column + 1.0
        places[tokens] = (x, places[tokens][1])
        return x

    place(())
    return places


def nesterov_step(uses: int) -> float:
    """How far a kernel with gradient 1 moves in its first step if its update is applied once per use.

    Args:
        uses: How often the network uses the kernel; the original updates it as often in one step.
    """
    rate, momentum, slot, moved = 0.1, 0.9, 0.0, 0.0
    for _ in range(uses):
        slot = momentum * slot + 1.0
        moved += rate * (1.0 + momentum * slot)
    return moved


def original_visits(values: np.ndarray) -> np.ndarray:
    """Visits of one move by the original's rule: raw values, unvisited edges worth 0, uniform prior.

    Args:
        values: What each action returns, `[n]`.
    """
    counts, prior = np.zeros(len(values)), 1.0 / len(values)
    for total in range(ORIGINAL_EXPANSIONS):
        bonus = ORIGINAL_EXPLORATION * prior * np.sqrt(total + 1e-8) / (1 + counts)
        counts[np.argmax(np.where(counts > 0, values, 0.0) + bonus)] += 1
    return counts


def our_visits(values: np.ndarray, exploration: float) -> np.ndarray:
    """The same by the tree of this project, as before its LSTM has learned anything: uniform prior, no predictions.

    Args:
        values: What each action returns, `[n]`.
        exploration: c of PUCT.
    """
    actions, uniform = tuple(range(len(values))), [1.0 / len(values)] * len(values)
    tree = Tree(
        lambda tokens: actions if not tokens else (),
        lambda tokens, legal: Prediction(uniform, float(values.mean())),
        PUCT(exploration),
    )
    for _ in range(ORIGINAL_EXPANSIONS):
        leaf = tree.select_and_expand()
        assert leaf is not None, "values do not solve a tree"
        tree.backup(leaf, float(values[leaf.tokens[0]]))
    root = tree.statistics()
    assert root is not None, "the root of a tree that has been searched is open"
    return np.array(root["visits"], dtype=float)


def mean_visits(rule: Callable[[np.ndarray], np.ndarray], values: np.ndarray) -> np.ndarray:
    """Visits of each action, averaged over random orders of the actions, because ties go to the first.

    Args:
        rule: Visits `[n]` of actions with values `[n]`.
        values: What each action returns, `[n]`.
    """
    rng, counts, orders = np.random.default_rng(0), np.zeros(len(values)), 200
    for _ in range(orders):
        order = rng.permutation(len(values))
        counts[order] += rule(values[order]) / orders
    return counts

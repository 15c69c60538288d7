"""Monte Carlo tree search over token prefixes, with no network and no architecture in it.

A node is a prefix, an edge the token that extends it. Priors and values come in as a function (`predict`), the choice
of edges as another (`alphaxenas.controllers.mcts.selection`); values of complete sequences come from outside too,
possibly much later, because measuring one means training a child. One simulation is therefore two calls:
`select_and_expand` walks down to a new node, `backup` adds its value to all edges from the empty prefix to it. In
between, these edges hold a virtual loss, so that further simulations go elsewhere.

- An edge below which every complete sequence has its value is solved: simulations never walk it again.
- An edge below which every complete sequence was finished (`mark_fully_played`) is never chosen as a move again.

All values handed to one tree must be of one fidelity. One simulation walks at a time over plain lists per node, which
at a dozen actions is several times faster than arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.controllers.mcts.nodes import (
    Leaf,
    Node,
    Predict,
    Prediction,
    flag,
    flatten,
    path_along,
    snapshot,
    unflatten,
)
from alphaxenas.controllers.mcts.selection import SelectionRule

__all__ = ["Leaf", "Predict", "Prediction", "Tree"]


class Tree:
    """A search tree for one fidelity, kept while one sequence is built and, until it is renewed, over sequences.

    Args:
        legal_actions: Tokens that may follow a prefix; empty for a complete sequence.
        predict: Priors and value of a prefix.
        select: The edge that a simulation takes, for example `PUCT()`.
    """

    def __init__(self, legal_actions: Callable[[Tokens], Tokens], predict: Predict, select: SelectionRule) -> None:
        self.legal_actions = legal_actions
        self.predict = predict
        self.select = select
        self.reset()

    def reset(self) -> None:
        """Forgets everything: a new tree."""
        self._top: Node | None = None
        self._low, self._high = float("inf"), float("-inf")
        self._nodes, self._deepest = 0, 0
        self.rewind()

    def rewind(self) -> None:
        """Puts the root back to the empty prefix, keeping the tree: a new sequence."""
        self._line: list[tuple[Node, int]] = []
        self._root = self._top
        self.prefix: Tokens = ()

    # --- simulations -------------------------------------------------------------------------------------------------

    def open_root(self) -> None:
        """Expands the root if no simulation has been there; this is the first visit of that node, of no edge."""
        if self._root is None:
            self._root = self._expand(self.prefix)
            if self._line:
                node, slot = self._line[-1]
                node.children[slot] = self._root
            else:
                self._top = self._root

    def root(self) -> Node:
        """The node of the present prefix, expanded; a complete sequence has none."""
        self.open_root()
        assert self._root is not None, "a complete sequence has no moves"
        return self._root

    def select_and_expand(self, first: int | None = None) -> Leaf | None:
        """Walks from the root to a prefix that is not in the tree yet, or to a complete sequence, with virtual loss.

        Args:
            first: Slot of the root's edge to begin with; None = as the rule says.

        Returns:
            The leaf, to be answered by `backup` or `cancel`; None if everything below the root is solved.
        """
        node, tokens = self.root(), list(self.prefix)
        while True:
            slot = self.select(node, node.priors, self._low, self._high) if first is None else first
            first = None
            if slot < 0:
                return None
            node.virtual_loss[slot] += 1
            tokens.append(node.actions[slot])
            child = node.children[slot]
            if child is None:
                break
            node = child
        self._deepest = max(self._deepest, len(tokens))
        child = node.children[slot] = self._expand(tuple(tokens))
        for above, taken in self._line:
            above.virtual_loss[taken] += 1
        return Leaf(tuple(tokens), child is None, float("nan") if child is None else child.sum)

    def enter(self, tokens: Tokens) -> Leaf:
        """Walks from the empty prefix along a complete sequence that comes from outside, adding every prefix of it.

        Returns:
            The leaf, to be answered by `backup` or `cancel`.
        """
        self.open_root()
        node = self._top
        for length, token in enumerate(tokens, 1):
            assert node is not None, "only a complete sequence has no node"
            slot = node.actions.index(token)
            if slot not in node.order:
                node.order = [*node.order, slot]
            node.virtual_loss[slot] += 1
            if node.children[slot] is None:
                node.children[slot] = self._expand(tokens[:length])
            node = node.children[slot]
        self._deepest = max(self._deepest, len(tokens))
        return Leaf(tokens, True, float("nan"))

    def _expand(self, tokens: Tokens) -> Node | None:
        """A new node, or None for a complete sequence."""
        actions = self.legal_actions(tokens)
        if not actions:
            return None
        self._nodes += 1
        prediction = self.predict(tokens, actions)
        self._see(prediction.value)
        return Node(actions, prediction)

    def _see(self, value: float) -> None:
        self._low, self._high = min(self._low, value), max(self._high, value)

    def backup(self, leaf: Leaf, value: float, solved: bool = False) -> None:
        """Adds a value to all edges from the empty prefix to a leaf, and releases its virtual loss.

        Args:
            leaf: From `select_and_expand`, answered once.
            value: The leaf's value, at the tree's fidelity.
            solved: For a complete sequence whose value was measured: no simulation goes there again.
        """
        value = float(value)
        self._see(value)
        for node, slot in path_along(self._top, leaf.tokens):
            node.virtual_loss[slot] -= 1
            node.visits[slot] += 1
            node.sums[slot] += value
            node.total += 1
            node.sum += value
        if solved:
            self.mark_solved(leaf.tokens)

    def cancel(self, leaf: Leaf) -> None:
        """Releases the virtual loss of a leaf without counting the simulation."""
        for node, slot in path_along(self._top, leaf.tokens):
            node.virtual_loss[slot] -= 1

    def search(self, simulations: int, score: Callable[[Tokens], float]) -> int:
        """Simulations with values at hand: predicted ones for prefixes, `score` for complete sequences.

        Args:
            simulations: How many, >= 0.
            score: Value of a complete sequence.

        Returns:
            How many were made: fewer than asked for once the tree is exhausted.
        """
        for done in range(simulations):
            leaf = self.select_and_expand()
            if leaf is None:
                return done
            self.backup(leaf, score(leaf.tokens) if leaf.complete else leaf.value, solved=leaf.complete)
        return simulations

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest value seen."""
        return self._low, self._high

    # --- values that change ------------------------------------------------------------------------------------------

    def correct(self, leaf: Leaf, difference: float) -> None:
        """Replaces a value backed up earlier: adds `new - old` to the sums of the path that one simulation took.

        Exact: the tree is then the one that would have been, had the simulation returned the new value (its walk
        excepted). A value counted in several simulations is corrected once for each.

        Args:
            leaf: Where the value was backed up from.
            difference: New value - old value.
        """
        for node, slot in path_along(self._top, leaf.tokens):
            node.sums[slot] += difference
            node.sum += difference

    def rebase(self, value: float) -> None:
        """Replaces all backed-up placeholder values by `value` and resets the min-max range."""
        nodes = [] if self._top is None else [self._top]
        for node in nodes:
            node.sums = [visits * value for visits in node.visits]
            node.sum, node.initial_values = node.total * value, None
            nodes.extend(child for child in node.children if child is not None)
        self._low = self._high = float(value)

    def mark_solved(self, tokens: Tokens) -> None:
        """Excludes a complete sequence from further simulations."""
        flag(path_along(self._top, tokens), "solved")

    def reopen(self, tokens: Tokens) -> None:
        """Lets simulations go to a complete sequence again, because its measured value is out of date."""
        path = path_along(self._top, tokens)
        if len(path) == len(tokens):
            for node, slot in path:
                node.solved[slot] = False

    def mark_fully_played(self, tokens: Tokens) -> None:
        """Excludes a finished sequence from future moves; does nothing if the tree has not grown so far."""
        path = path_along(self._top, tokens)
        if len(path) == len(tokens):
            flag(path, "fully_played")

    # --- moves -------------------------------------------------------------------------------------------------------

    def root_actions(self) -> Tokens:
        """Legal actions of the root; empty once the sequence is complete."""
        return self.legal_actions(self.prefix) if self._root is None else self._root.actions

    def root_fully_played(self) -> bool:
        """Whether every complete sequence below the root was finished."""
        return self._root is not None and all(self._root.fully_played)

    def visit_counts(self) -> np.ndarray:
        """How strongly the search recommends each action of the root, `[n]`, the basis of moves and policy targets.

        Visits, with two exceptions. A solved edge stopped collecting visits when its value became known: it counts
        as many as the most visited open edge if its mean is at least as high (between solved edges the best mean
        decides), else its own. A fully played edge counts 0, unless all are.
        """
        node = self.root()
        counts = np.array(node.visits, dtype=np.float64)
        means = np.array([s / v if v else float("-inf") for s, v in zip(node.sums, node.visits)])
        free = ~np.array(node.fully_played, dtype=bool)
        if not free.any():
            free[:] = True
        solved = np.array(node.solved, dtype=bool) & free & (counts > 0)
        still_open = ~np.array(node.solved, dtype=bool) & free & (counts > 0)
        if solved.any():
            most = counts[still_open].max() if still_open.any() else counts[solved].max()
            leader = np.flatnonzero(still_open & (counts == most))
            best = np.argmax(np.where(solved, means, -np.inf))
            if not len(leader) or means[best] >= means[leader].max():
                counts[solved] = np.minimum(counts[solved], most)
                counts[best] = most + 1
        counts[~free] = 0
        # Nothing visited is left to choose: let the priors decide.
        return counts if counts.any() else np.where(free, np.maximum(node.priors, 1e-12), 0.0)

    def choose(self, rng: np.random.Generator, temperature: float) -> int:
        """A move: action a with probability proportional to count(a) ** (1 / temperature).

        Args:
            rng: Source of the draw; not touched when greedy.
            temperature: 0 takes the largest count (the first of equals).

        Raises:
            ValueError: If `temperature` is negative.
        """
        if not temperature >= 0:
            raise ValueError(f"Invalid value for `temperature`. Expected a number >= 0. Received: {temperature}")
        counts, actions = self.visit_counts(), self.root().actions
        if temperature == 0:
            return actions[int(np.argmax(counts))]
        weights = (counts / counts.max()) ** (1.0 / temperature)
        return actions[int(rng.choice(len(weights), p=weights / weights.sum()))]

    def advance(self, action: int) -> None:
        """Makes a move: the root becomes the node below, with its subtree."""
        root = self.root()
        slot = root.actions.index(action)
        self._line.append((root, slot))
        self._root = root.children[slot]
        self.prefix = (*self.prefix, action)

    # --- size, state -------------------------------------------------------------------------------------------------

    def summary(self) -> dict[str, float]:
        """Nodes, visits below the empty prefix (`visits`), and the longest prefix reached (`depth`)."""
        visits = 0 if self._top is None else self._top.total - 1
        return {"nodes": float(self._nodes), "visits": float(visits), "depth": float(self._deepest)}

    def statistics(self, tokens: Tokens = ()) -> dict[str, list] | None:
        """Edges of a prefix, for drawings and tests: actions, priors, visits, means, flags, and node visits."""
        node = self._find(tokens)
        if node is None:
            return None
        means = [s / v if v else float("nan") for s, v in zip(node.sums, node.visits)]
        return {
            "actions": list(node.actions),
            "priors": list(node.priors),
            "visits": list(node.visits),
            "means": means,
            "solved": list(node.solved),
            "fully_played": list(node.fully_played),
            "total": [node.total],
        }

    def snapshot(self) -> dict[str, np.ndarray]:
        """The tree as one row per walked edge; see `alphaxenas.controllers.mcts.nodes.snapshot`."""
        return snapshot(self._top)

    def state(self) -> dict[str, Any]:
        """The tree as flat arrays (`flatten`), the prefix and the range of values."""
        return flatten(self._top) | {
            "prefix": list(self.prefix),
            "range": np.array([self._low, self._high], dtype=np.float64),
            "size": [self._nodes, self._deepest],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self.reset()
        self._top = self._root = unflatten(state)
        self._low, self._high = np.asarray(state["range"]).tolist()
        self._nodes, self._deepest = map(int, state["size"])
        for action in state["prefix"]:
            self.advance(int(action))

    def _find(self, tokens: Tokens) -> Node | None:
        path = path_along(self._top, tokens)
        if len(path) < len(tokens):
            return None
        return path[-1][0].children[path[-1][1]] if path else self._top

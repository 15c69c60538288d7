"""Monte Carlo tree search over token prefixes: PUCT selection, with no network and no architecture in it.

A node is a prefix, an edge the token that extends it. Priors and values come in as a function (`predict`); values of
complete games come from outside too, possibly much later, because measuring one means training a child. One simulation
is therefore two calls: `reach` walks down to a new node, `settle` backs its value up. In between, the edges walked hold
a virtual loss, so that further simulations go elsewhere.

Edge choice, Silver et al. 2017, "Mastering the game of Go without human knowledge", Methods, "Select":

    argmax_a  Q(a) + c P(a) sqrt(N) / (1 + N(a)),      N = visits of the node = 1 + sum_b N(b)

Departures:

- Q is scaled by the range of the values seen (Schrittwieser et al. 2020, "Mastering Atari, Go, chess and shogi by
  planning with a learned model", eq. 5), because accuracies of one run lie in a narrow band.
- An unvisited edge starts from the value predicted for it, or else from its node's mean, instead of 0: accuracies are
  never near 0, and a pessimistic start would chain the search to the first edge it tried.
- An edge below which every complete game has been measured is closed: simulations never walk it again.
- An edge below which every complete game has been played to its end (`spend`) is never chosen as a move again.

All values handed to one tree must be of one fidelity. One simulation walks at a time over plain lists per node, which
at a dozen actions is several times faster than arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.controllers.mcts.nodes import Leaf, Node, Predict, Prediction, flag, flatten, unflatten, walk

__all__ = ["Leaf", "Predict", "Prediction", "Tree"]


class Tree:
    """A search tree for one fidelity, kept while a game is played and, until it is renewed, over games.

    Args:
        legal_actions: Tokens that may follow a prefix; empty for a complete game.
        predict: Priors and value of a prefix.
        exploration: c >= 0. With 0 the choice is greedy in Q.

    Raises:
        ValueError: If `exploration` is negative.
    """

    def __init__(self, legal_actions: Callable[[Tokens], Tokens], predict: Predict, exploration: float = 1.0) -> None:
        if not exploration >= 0:
            raise ValueError(f"Invalid value for `exploration`. Expected a number >= 0. Received: {exploration}")
        self.legal_actions = legal_actions
        self.predict = predict
        self.exploration = float(exploration)
        self.reset()

    def reset(self) -> None:
        """Forgets everything: a new tree."""
        self._top: Node | None = None
        self._low, self._high = float("inf"), float("-inf")
        self._nodes, self._deepest = 0, 0
        self.rewind()

    def rewind(self) -> None:
        """Puts the root back to the empty prefix, keeping the tree: a new game."""
        self._line: list[tuple[Node, int]] = []
        self._root = self._top
        self._noisy: list[float] | None = None
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

    def add_noise(self, rng: np.random.Generator, alpha: float, weight: float) -> None:
        """Mixes Dirichlet noise into the root's priors until the next move: P <- (1 - weight) P + weight Dir(alpha).

        Args:
            rng: Source of the noise.
            alpha: Concentration > 0 of every legal action.
            weight: In [0, 1]; 0 draws nothing.

        Source: Silver et al. 2017, Methods, "Self-play".
        """
        self.open_root()
        self._noisy = None
        if weight > 0:
            noise = rng.dirichlet([alpha] * len(self._root.actions)).tolist()
            self._noisy = [(1 - weight) * p + weight * n for p, n in zip(self._root.priors, noise)]

    def reach(self) -> Leaf | None:
        """Walks from the root to a prefix that is not in the tree yet, or to a complete game, and holds the path.

        Returns:
            The leaf, to be answered by `settle` or `cancel`; None if everything below the root is measured.
        """
        self.open_root()
        node, tokens, priors = self._root, list(self.prefix), self._noisy or self._root.priors
        low = self._low
        span = self._high - low
        scale = 1.0 / span if span > 0 else 0.0
        while True:
            factor = self.exploration * sqrt(node.total + sum(node.waiting))
            mean = (node.sum / node.total - low) * scale if scale else 0.0
            best, chosen = float("-inf"), -1
            firsts, visits, sums, waiting, closed = node.firsts, node.visits, node.sums, node.waiting, node.closed
            for slot, prior in enumerate(priors):
                if closed[slot]:
                    continue
                real = visits[slot]
                count = real + waiting[slot]
                # A waiting visit counts as one that returned the lowest value seen, which scales to 0: virtual loss.
                if count:
                    score = (sums[slot] - real * low) * scale / count if scale else 0.0
                elif firsts is None or not scale:
                    score = mean
                else:
                    score = (firsts[slot] - low) * scale
                score += prior * factor / (1 + count)
                if score > best:
                    best, chosen = score, slot
            if chosen < 0:
                return None
            waiting[chosen] += 1
            tokens.append(node.actions[chosen])
            child = node.children[chosen]
            if child is None:
                return self._arrive(node, chosen, tuple(tokens))
            node, priors = child, child.priors

    def _arrive(self, node: Node, slot: int, tokens: Tokens) -> Leaf:
        """Expands the edge that a walk ended on, unless the game is complete there."""
        depth = len(self.prefix)
        self._deepest = max(self._deepest, len(tokens))
        child = self._expand(tokens)
        node.children[slot] = child
        return Leaf(tokens, depth, child is None, float("nan") if child is None else child.sum)

    def _expand(self, tokens: Tokens) -> Node | None:
        """A new node, or None for a complete game."""
        actions = self.legal_actions(tokens)
        if not actions:
            return None
        self._nodes += 1
        prediction = self.predict(tokens, actions)
        self._see(prediction.value)
        return Node(actions, prediction)

    def _see(self, value: float) -> None:
        self._low, self._high = min(self._low, value), max(self._high, value)

    def settle(self, leaf: Leaf, value: float, close: bool = False) -> None:
        """Backs a value up the path of a leaf and releases its virtual loss.

        Args:
            leaf: From `reach`, answered once.
            value: The leaf's value, at the tree's fidelity.
            close: For a complete game whose value was measured: no simulation goes there again.
        """
        value = float(value)
        self._see(value)
        path = walk(self._top, leaf.tokens)
        for node, slot in path[leaf.depth :]:
            node.waiting[slot] -= 1
            node.visits[slot] += 1
            node.sums[slot] += value
            node.total += 1
            node.sum += value
        if close:
            flag(path, "closed")

    def cancel(self, leaf: Leaf) -> None:
        """Releases the virtual loss of a leaf without counting the simulation."""
        for node, slot in walk(self._top, leaf.tokens)[leaf.depth :]:
            node.waiting[slot] -= 1

    def hold(self, leaf: Leaf) -> None:
        """Lays the virtual loss of a leaf again, after `restore` (which starts without any)."""
        for node, slot in walk(self._top, leaf.tokens)[leaf.depth :]:
            node.waiting[slot] += 1

    def search(self, simulations: int, score: Callable[[Tokens], float]) -> int:
        """Simulations with values at hand: predicted ones for prefixes, `score` for complete games.

        Returns:
            How many were made: fewer than asked for once the tree is exhausted.
        """
        for done in range(simulations):
            leaf = self.reach()
            if leaf is None:
                return done
            self.settle(leaf, score(leaf.tokens) if leaf.complete else leaf.value, close=leaf.complete)
        return simulations

    # --- values that change ------------------------------------------------------------------------------------------

    def correct(self, leaf: Leaf, difference: float) -> None:
        """Replaces a value backed up earlier: adds `new - old` to the sums of the path that one simulation took.

        Exact: the tree is then the one that would have been, had the simulation returned the new value (its walk
        excepted). A value counted in several simulations is corrected once for each.
        """
        for node, slot in walk(self._top, leaf.tokens)[leaf.depth :]:
            node.sums[slot] += difference
            node.sum += difference

    def rebase(self, value: float) -> None:
        """Puts `value` in the place of everything backed up so far, which was a placeholder, and forgets the range."""
        nodes = [] if self._top is None else [self._top]
        for node in nodes:
            node.sums = [visits * value for visits in node.visits]
            node.sum, node.firsts = node.total * value, None
            nodes.extend(child for child in node.children if child is not None)
        self._low = self._high = float(value)

    def reopen(self, tokens: Tokens) -> None:
        """Lets simulations go to a complete game again, because its measured value is out of date."""
        path = walk(self._top, tokens)
        if len(path) == len(tokens):
            for node, slot in path:
                node.closed[slot] = False

    def spend(self, tokens: Tokens) -> None:
        """Marks a complete game as played to its end: never a move again. Nothing if the tree has not grown so far."""
        path = walk(self._top, tokens)
        if len(path) == len(tokens):
            flag(path, "spent")

    # --- moves -------------------------------------------------------------------------------------------------------

    def root_actions(self) -> Tokens:
        """Legal actions of the root; empty once the game is complete."""
        return self.legal_actions(self.prefix) if self._root is None else self._root.actions

    def root_spent(self) -> bool:
        """Whether every complete game below the root has been played to its end."""
        return self._root is not None and all(self._root.spent)

    def visit_counts(self) -> np.ndarray:
        """How strongly the search recommends each action of the root, `[n]`, the basis of moves and policy targets.

        Visits, with two exceptions. A closed edge stopped collecting visits when its value became known: it counts
        as many as the most visited open edge if its mean is at least as high (between closed edges the best mean
        decides), else its own. A spent edge counts 0, unless all are.
        """
        self.open_root()
        node = self._root
        counts = np.array(node.visits, dtype=np.float64)
        means = np.array([s / v if v else float("-inf") for s, v in zip(node.sums, node.visits)])
        free = ~np.array(node.spent, dtype=bool)
        if not free.any():
            free[:] = True
        closed = np.array(node.closed, dtype=bool) & free & (counts > 0)
        still_open = ~np.array(node.closed, dtype=bool) & free & (counts > 0)
        if closed.any():
            most = counts[still_open].max() if still_open.any() else counts[closed].max()
            leader = np.flatnonzero(still_open & (counts == most)) if still_open.any() else []
            best = np.argmax(np.where(closed, means, -np.inf))
            if not len(leader) or means[best] >= means[leader].max():
                counts[closed] = np.minimum(counts[closed], most)
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
        counts = self.visit_counts()
        if temperature == 0:
            return self._root.actions[int(np.argmax(counts))]
        weights = (counts / counts.max()) ** (1.0 / temperature)
        return self._root.actions[int(rng.choice(len(weights), p=weights / weights.sum()))]

    def advance(self, action: int) -> None:
        """Makes a move: the root becomes the child, with everything below it."""
        self.open_root()
        slot = self._root.actions.index(action)
        self._line.append((self._root, slot))
        self._root = self._root.children[slot]
        self._noisy = None
        self.prefix = (*self.prefix, action)

    # --- size, state -------------------------------------------------------------------------------------------------

    def summary(self) -> dict[str, float]:
        """Nodes, visits below the empty prefix (`visits`), and the longest prefix reached (`depth`)."""
        visits = 0 if self._top is None else self._top.total - 1
        return {"nodes": float(self._nodes), "visits": float(visits), "depth": float(self._deepest)}

    def statistics(self, tokens: Tokens = ()) -> dict[str, list] | None:
        """Edges of a prefix, for drawings and tests: actions, priors, visits, means, closed, spent, and node visits."""
        node = self._find(tokens)
        if node is None:
            return None
        means = [s / v if v else float("nan") for s, v in zip(node.sums, node.visits)]
        return {
            "actions": list(node.actions),
            "priors": list(node.priors),
            "visits": list(node.visits),
            "means": means,
            "closed": list(node.closed),
            "spent": list(node.spent),
            "total": [node.total],
        }

    def state(self) -> dict[str, Any]:
        """The tree as flat arrays (`flatten`), the prefix, the noise and the range of values.

        Simulations that wait for a value are left out; `hold` them again after `restore`.
        """
        return flatten(self._top) | {
            "prefix": list(self.prefix),
            "range": np.array([self._low, self._high], dtype=np.float64),
            "noisy": np.array(self._noisy or [], dtype=np.float64),
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
        self._noisy = np.asarray(state["noisy"]).tolist() or None

    def _find(self, tokens: Tokens) -> Node | None:
        path = walk(self._top, tokens)
        if len(path) < len(tokens):
            return None
        return path[-1][0].children[path[-1][1]] if path else self._top

"""UCT: tree search over token prefixes that knows nothing but rewards. The tree is AlphaX's, without its meta-DNN.

A node is a prefix, an edge the token that extends it. One simulation walks down from the empty prefix, at every node along
the edge with the largest

    Q(s,a) + 2 c sqrt(2 ln N(s) / N(s,a)),      Q = mean value of the simulations that took the edge,

an untried edge before all others, ties at random; it adds one node, plays on from there at random to a complete game, and
backs the reward of that architecture up the path it walked, and up no other. The tree is kept over the whole search.

Source: Wang et al. 2020, "Neural Architecture Search using Deep Neural Networks and Monte Carlo Tree Search" (AlphaX),
with the code beside it; Kocsis & Szepesvari 2006, "Bandit based Monte-Carlo planning". Departures from AlphaX's code:

- By default the value of a reward is its rank among the rewards known, in (0, 1), and c = 0.15. The original form is
  `values="raw", exploration=2.0`: accuracies as they are, of which c = 2 makes the second term dozens of times larger than
  any difference between them, so that it visits everything about equally often. Accuracies have a long tail downwards
  besides, and a mean over a subtree says more about its worst architectures than about its best.
- A walk counts where it walked, so that a node's visits are those of its edges + 1 (there a shared node kept one parent).
- Subtrees whose games are all known are closed. A simulation that ends in a known architecture uses the known reward and
  costs nothing; simulations go on until one ends in a new architecture.
- A failed or missing architecture is no reward of 0 (there it was 0, 0.1 or nothing, depending on when it was met): nothing
  is backed up. The walk still counts as an attempt in the second term, as one whose reward is awaited does, and an edge
  without any value yet takes the lowest of its siblings', so that several rewards can be outstanding and a part of the space
  that always fails is left.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping
from math import log, sqrt
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.ledger import Ledger
from alphaxenas.seeds import generator_state, restore_generator, stream

FREE_SIMULATIONS = 1000
"""Simulations in a row that may end in known architectures before a new one is drawn uniformly instead."""

VALUES = ("ranked", "raw")

Complete = Callable[[Tokens], tuple[Tokens, float | None]]
"""From the prefix of a new node to the complete game that it is played on to, and the value predicted for the node, if any."""


class _Node:
    """A prefix. `visits` and `total` count values backed up, `tried` every walk; `open` are the children not yet closed."""

    __slots__ = ("parent", "action", "visits", "tried", "total", "fresh", "open", "children")

    def __init__(self, parent: _Node | None, action: int, legal: Tokens) -> None:
        self.parent, self.action = parent, action
        self.visits = self.tried = 0
        self.total = 0.0
        self.fresh = list(legal)
        self.open: list[_Node] = []
        self.children: list[_Node] = []


_Simulation = tuple[_Node, Tokens, float | None]
"""A new node whose reward is awaited, its prefix, and the value predicted for it."""


class UCT:
    """UCT with random rollouts (`alphaxenas.controllers.rounds.Strategy`).

    Args:
        space: Any search space.
        seed: The run's seed.
        exploration: c >= 0.
        values: `"ranked"`: the share of known rewards that are lower, when a simulation is backed up; `"raw"`: rewards.
        complete: How a simulation is played on from its new node; None: one random rollout. Where it predicts a value, the
            mean of this and the true one is backed up.

    Attributes:
        ledger: What was suggested and what came of it.
        rng: Where its random choices come from.

    Raises:
        ValueError: A value out of its range.
    """

    def __init__(
        self, space: SearchSpace, seed: int, exploration: float = 0.15, values: str = "ranked", complete: Complete | None = None
    ) -> None:
        if not exploration >= 0:
            raise ValueError(f"Invalid value for `exploration`. Expected a number >= 0. Received: {exploration}")
        if values not in VALUES:
            raise ValueError(f"Invalid value for `values`. Expected one of {', '.join(VALUES)}. Received: {values!r}")
        self.ledger = Ledger(space)
        self._space, self._exploration, self._values = space, exploration, values
        self._complete = complete or (lambda prefix: (self.rollout(prefix, self.rng), None))
        self.rng = stream(seed, "uct")
        self._root: _Node | None = None
        self._sorted: list[float] = []
        self._nodes = self._free = 0
        self._waiting: dict[str, list[_Simulation]] = {}

    def suggest(self) -> Tokens | None:
        """The game at the end of the next simulation that needs a reward; None when every key has been suggested."""
        ledger = self.ledger
        for _ in range(FREE_SIMULATIONS):
            node, prefix = self._reach()
            if node is None:
                break
            tokens, predicted = self._complete(prefix)
            key = ledger.key(tokens)
            if key not in ledger:
                self._waiting[key] = [(node, prefix, predicted)]
                return ledger.suggest(tokens, key)
            self._free += 1
            if key in self._waiting:
                self._waiting[key].append((node, prefix, predicted))
            else:
                self._back_up(node, ledger.rewards.get(key), predicted)
        return ledger.draw(self.rng)

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a suggestion and backs it up every path that waits for it."""
        key = self.ledger.observe(tokens, reward)
        if reward is not None:
            insort(self._sorted, reward)
        for node, _, predicted in self._waiting.pop(key, ()):
            self._back_up(node, reward, predicted)

    def value(self, reward: float) -> float:
        """What a reward counts in the tree now."""
        if self._values == "raw":
            return reward
        below, up_to = bisect_left(self._sorted, reward), bisect_right(self._sorted, reward)
        return (below + up_to) / (2 * len(self._sorted))

    def _reach(self) -> tuple[_Node | None, Tokens]:
        """Walks to an untried edge and adds its node; None when every complete game is in the tree."""
        node, prefix, random = self._root, (), self.rng.random
        if node is None:
            self._root = node = self._add(None, 0, ())
            return node, prefix
        node.tried += 1
        while not node.fresh:
            if not node.open:
                node.tried -= 1
                return None, prefix
            node = self._best(node)
            node.tried += 1
            prefix = (*prefix, node.action)
        action = node.fresh.pop(int(random() * len(node.fresh)) if len(node.fresh) > 1 else 0)
        prefix = (*prefix, action)
        return self._add(node, action, prefix), prefix

    def _best(self, node: _Node) -> _Node:
        """The open child with the largest upper confidence bound."""
        children = node.open
        if len(children) == 1:
            return children[0]
        # The walk in progress is counted already.
        width = 2 * self._exploration * sqrt(2 * log(node.tried - 1))
        best, ties, lowest = -1.0, [], None
        for child in children:
            if child.visits:
                mean = child.total / child.visits
            else:
                # Failed or awaited so far, and nothing is known of it: as the worst of the others.
                if lowest is None:
                    lowest = min((other.total / other.visits for other in children if other.visits), default=0.0)
                mean = lowest
            score = mean + width / sqrt(child.tried)
            if score > best:
                best, ties = score, [child]
            elif score == best:
                ties.append(child)
        return ties[int(self.rng.random() * len(ties))] if len(ties) > 1 else ties[0]

    def _add(self, parent: _Node | None, action: int, prefix: Tokens) -> _Node:
        """A new node; a complete game is closed at once, and with it all that it exhausts."""
        node = _Node(parent, action, self._space.legal_actions(prefix))
        node.tried = 1
        self._nodes += 1
        if parent is not None:
            parent.children.append(node)
            if node.fresh:
                parent.open.append(node)
            else:
                _close(parent)
        return node

    def rollout(self, prefix: Tokens, rng: np.random.Generator) -> Tokens:
        """A complete game from `prefix`, every move uniform."""
        legal, random = self._space.legal_actions, rng.random
        while actions := legal(prefix):
            prefix = (*prefix, actions[int(random() * len(actions))])
        return prefix

    def _back_up(self, node: _Node | None, reward: float | None, predicted: float | None) -> None:
        """Adds the value of a simulation to the nodes it walked; a failure adds nothing."""
        if reward is None:
            return
        value = self.value(reward) if predicted is None else (self.value(reward) + predicted) / 2
        while node is not None:
            node.visits += 1
            node.total += value
            node = node.parent

    def diagnostics(self) -> dict[str, float]:
        """Size of the tree, simulations that cost nothing, and how far the tree has grown below the best edges."""
        return {"tree/nodes": float(self._nodes), "tree/visits": float(self._root.visits if self._root else 0), "tree/free": float(self._free)}

    def beliefs(self) -> str:
        """The most visited prefix and its mean."""
        node, words = self._root, []
        while node is not None and node.children:
            node = max(node.children, key=lambda child: child.visits)
            words.append(self._space.vocabulary[node.action])
        if not words or not self._root.visits:
            return ""
        return f"most visited {' '.join(words)}"

    def tree(self) -> dict[str, np.ndarray]:
        """The tree as it is, parents before children: arrays of shape `[nodes]`.

        Returns:
            `parent` (index, -1 for the root), `action`, `visits` (values backed up), `tried` (walks), `total` (sum of
            values).
        """
        rows: list[tuple[int, _Node]] = [] if self._root is None else [(-1, self._root)]
        for place, (_, node) in enumerate(rows):
            rows += [(place, child) for child in node.children]
        return {
            "parent": np.array([parent for parent, _ in rows], np.int64),
            "action": np.array([node.action for _, node in rows], np.int64),
            "visits": np.array([node.visits for _, node in rows], np.int64),
            "tried": np.array([node.tried for _, node in rows], np.int64),
            "total": np.array([node.total for _, node in rows], np.float64),
        }

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        simulations = [(key, simulation) for key, group in self._waiting.items() for simulation in group]
        return {
            "generator": generator_state(self.rng),
            "ledger": self.ledger.state(),
            "tree": self.tree(),
            "free": self._free,
            "waiting": [[key, [int(token) for token in prefix], predicted] for key, (_, prefix, predicted) in simulations],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        restore_generator(self.rng, state["generator"])
        self.ledger.restore(state["ledger"])
        self._sorted = sorted(reward for reward in self.ledger.rewards.values() if reward is not None)
        self._free = int(state["free"])
        tree = {name: np.asarray(column).tolist() for name, column in state["tree"].items()}
        self._root, self._nodes, nodes, prefixes = None, 0, [], []
        for parent, action, visits, tried, total in zip(*(tree[name] for name in ("parent", "action", "visits", "tried", "total"))):
            above = nodes[parent] if parent >= 0 else None
            prefix = (*prefixes[parent], action) if above else ()
            if above:
                above.fresh.remove(action)
            node = self._add(above, action, prefix)
            node.visits, node.tried, node.total = visits, tried, total
            nodes.append(node)
            prefixes.append(prefix)
        self._root = nodes[0] if nodes else None
        place = dict(zip(prefixes, nodes))
        self._waiting = {}
        for key, prefix, predicted in state["waiting"]:
            self._waiting.setdefault(key, []).append((place[tuple(prefix)], tuple(prefix), predicted))


def _close(node: _Node) -> None:
    """Closes `node` if it has nothing left to walk to, and its parents for the same reason."""
    while not node.fresh and not node.open and node.parent is not None:
        node.parent.open.remove(node)
        node = node.parent

"""UCT: tree search over token prefixes that knows nothing but rewards. It is AlphaX without its meta-DNN.

A node is a prefix, an edge the token that extends it. One simulation walks down from the empty prefix, at every node
along the edge with the largest

    Q(s,a) + 2 c sqrt(2 ln N(s) / N(s,a)),      Q = mean value of the simulations that took the edge,

an untried edge before all others, ties at random; it adds one node, plays on from there at random to a complete game,
and backs the value of that architecture's reward up the path it walked, and up no other. The tree is kept over the
whole search.

Source: Wang et al. 2020, "Neural Architecture Search using Deep Neural Networks and Monte Carlo Tree Search" (AlphaX),
with the code beside it; Kocsis & Szepesvari 2006, "Bandit based Monte-Carlo planning". Departures from AlphaX's code:

- By default the value of a reward is its rank among the rewards known, in (0, 1), and c = 0.15. The original form is
  `values="raw", exploration=2.0`: accuracies as they are, of which c = 2 makes the second term dozens of times larger
  than any difference between them, so that it visits everything about equally often. Accuracies have a long tail
  downwards besides, and a mean over a subtree says more about its worst architectures than about its best.
- A walk counts where it walked, so that a node's visits are those of its edges + 1 (there a shared node kept one
  parent).
- Subtrees whose games are all known are closed. A simulation that ends in a known architecture uses the known reward
  and costs nothing; simulations go on until one ends in a new architecture.
- A failed or missing architecture is no reward of 0 (there it was 0, 0.1 or nothing, depending on when it was met):
  nothing is backed up. The walk still counts as an attempt in the second term, as one whose reward is awaited does, and
  an edge without any value yet takes the lowest of its siblings', so that several rewards can be outstanding and a part
  of the space that always fails is left.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.history import TrialHistory
from alphaxenas.controllers.mcts.uct_tree import Node, UCTTree
from alphaxenas.seeds import generator_state, restore_generator, stream

FREE_SIMULATIONS = 1000
"""Simulations in a row that may end in known architectures before a new one is drawn uniformly instead."""

VALUES = ("ranked", "raw")


class UCT:
    """UCT with random rollouts (`alphaxenas.controllers.promotion.Strategy`).

    Args:
        space: Any search space.
        seed: The run's seed.
        exploration: c >= 0.
        values: `"ranked"`: the share of known rewards that are lower, when a simulation is backed up; `"raw"`: rewards.

    Attributes:
        history: What was suggested and what came of it.
        nodes: The tree.

    Raises:
        ValueError: A value out of its range.
    """

    def __init__(self, space: SearchSpace, seed: int, exploration: float = 0.15, values: str = "ranked") -> None:
        if not exploration >= 0:
            raise ValueError(f"Invalid value for `exploration`. Expected a number >= 0. Received: {exploration}")
        if values not in VALUES:
            raise ValueError(f"Invalid value for `values`. Expected one of {', '.join(VALUES)}. Received: {values!r}")
        self._space, self._values = space, values
        self._rng = stream(seed, "uct")
        self.history = TrialHistory(space)
        self.nodes = UCTTree(space.legal_actions, exploration, self._rng.random)
        self._sorted: list[float] = []
        self._free = 0
        # By key: the new nodes whose simulation waits for that reward, and the value predicted for each, if any.
        self._waiting: dict[str, list[tuple[Node, float | None]]] = {}

    def suggest(self) -> Tokens | None:
        """The game at the end of the next simulation that needs a reward; None when every key has been suggested."""
        for _ in range(FREE_SIMULATIONS):
            node = self.nodes.reach()
            if node is None:
                break
            suggested = self.end(node, self.rollout(node.prefix, self._rng))
            if suggested is not None:
                return suggested
        return self.history.draw(self._rng)

    def end(self, node: Node, tokens: Tokens, predicted: float | None = None) -> Tokens | None:
        """Ends the simulation that reached `node` with a complete game below it.

        Args:
            node: What `nodes.reach` returned.
            tokens: The game that it was played on to.
            predicted: A value that is averaged with the one of the game's reward.

        Returns:
            The game, as a suggestion, if its key is new; None if the known reward was backed up, or is awaited.
        """
        history = self.history
        key = history.key(tokens)
        if node.complete:
            self.nodes.close(node)
        if key not in history:
            self._waiting[key] = [(node, predicted)]
            return history.suggest(tokens, key)
        self._free += 1
        if key in history.rewards:
            self._back_up(node, history.rewards[key], predicted)
        else:
            self._waiting.setdefault(key, []).append((node, predicted))
        return None

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a suggestion and backs it up every path that waits for it."""
        key = self.history.observe(tokens, reward)
        if reward is not None:
            insort(self._sorted, reward)
        for node, predicted in self._waiting.pop(key, ()):
            self._back_up(node, reward, predicted)

    def value(self, reward: float) -> float:
        """What a reward counts in the tree now."""
        if self._values == "raw":
            return reward
        below, up_to = bisect_left(self._sorted, reward), bisect_right(self._sorted, reward)
        return (below + up_to) / (2 * len(self._sorted))

    def rollout(self, prefix: Tokens, rng: np.random.Generator) -> Tokens:
        """A complete game from `prefix`, every move uniform."""
        legal, random = self._space.legal_actions, rng.random
        while actions := legal(prefix):
            prefix = (*prefix, actions[int(random() * len(actions))])
        return prefix

    def _back_up(self, node: Node, reward: float | None, predicted: float | None) -> None:
        """Adds the value of a simulation to the nodes it walked; a failure adds nothing."""
        if reward is not None:
            value = self.value(reward)
            self.nodes.back_up(node, value if predicted is None else (value + predicted) / 2)

    def diagnostics(self) -> dict[str, float]:
        """Nodes of the tree, values backed up, and simulations that ended in a known architecture."""
        visits = self.nodes.root.visits if self.nodes.root else 0
        return {"tree/nodes": float(self.nodes.size), "tree/visits": float(visits), "tree/free": float(self._free)}

    def status_line(self) -> str:
        """The most visited moves."""
        node, words = self.nodes.root, []
        while node is not None and node.visits and node.children:
            node = max(node.children, key=lambda child: child.visits)
            words.append(self._space.vocabulary[node.prefix[-1]])
        return f"most visited {' '.join(words)}" if words else ""

    def tree(self) -> dict[str, np.ndarray]:
        """The tree as it is; see `UCTTree.arrays`."""
        return self.nodes.arrays()

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        simulations = [(key, *simulation) for key, group in self._waiting.items() for simulation in group]
        return {
            "generator": generator_state(self._rng),
            "history": self.history.state(),
            "tree": self.tree(),
            "free": self._free,
            "waiting": [
                [key, [int(token) for token in node.prefix], predicted] for key, node, predicted in simulations
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        restore_generator(self._rng, state["generator"])
        self.history.restore(state["history"])
        self._sorted = sorted(reward for reward in self.history.rewards.values() if reward is not None)
        self._free = int(state["free"])
        nodes = self.nodes.restore(state["tree"])
        self._waiting = {}
        for key, prefix, predicted in state["waiting"]:
            self._waiting.setdefault(key, []).append((nodes[tuple(prefix)], predicted))

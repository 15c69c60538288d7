"""UCT: tree search over token prefixes that knows nothing but rewards. It is AlphaX without its meta-DNN.

A node is a prefix, an edge the token that extends it. One simulation walks down from the empty prefix, at every node
along the edge with the largest

    Q(s,a) + 2 c sqrt(2 ln N(s) / N(s,a)),      Q = mean value of the simulations that took the edge,

an untried edge before all others, ties at random; it adds one node, plays on from there at random to a complete
sequence, and backs the value of that architecture's reward up the path it walked, and up no other. The tree is kept
over the whole search.

Source: Wang et al. 2020, "Neural Architecture Search using Deep Neural Networks and Monte Carlo Tree Search" (AlphaX),
with the code beside it; Kocsis & Szepesvari 2006, "Bandit based Monte-Carlo planning". Departures from AlphaX's code:

- By default the value of a reward is its rank among the rewards known, in (0, 1), and c = 0.15. The original form is
  `values="raw", exploration=2.0`: accuracies as they are, of which c = 2 makes the second term dozens of times larger
  than any difference between them, so that it visits everything about equally often. Accuracies have a long tail
  downwards besides, and a mean over a subtree says more about its worst architectures than about its best.
- A walk counts where it walked, so that a node's visits are those of its edges + 1 (there a shared node kept one
  parent).
- Subtrees whose sequences are all known are solved. A simulation that ends in a known architecture uses the known
  reward and costs nothing; simulations go on until one ends in a new architecture.
- A failed or missing architecture is no reward of 0 (there it was 0, 0.1 or nothing, depending on when it was met):
  nothing is backed up. The walk still counts as an attempt in the second term, as one whose reward is awaited does, and
  an edge without any value yet takes the lowest of its siblings', so that several rewards can be outstanding and a part
  of the space that always fails is left.
- Where the user prefers some choices, rollouts are drawn by that prior, and edges wait by it (`UCB1`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.history import TrialHistory
from alphaxenas.controllers.mcts.nodes import leaf_from_json, leaf_to_json
from alphaxenas.controllers.mcts.selection import UCB1
from alphaxenas.controllers.mcts.tree import Leaf, Prediction, Tree
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
        nodes: The tree, whose first simulation ends at the empty prefix.

    Raises:
        ValueError: A value out of its range.
    """

    def __init__(self, space: SearchSpace, seed: int, exploration: float = 0.15, values: str = "ranked") -> None:
        if values not in VALUES:
            raise ValueError(f"Invalid value for `values`. Expected one of {', '.join(VALUES)}. Received: {values!r}")
        self._space, self._values = space, values
        self._rng = stream(seed, "uct")
        self.history = TrialHistory(space)
        self.nodes = Tree(space.legal_actions, self._predict, UCB1(exploration, self._rng.random, self.history.prior))
        self._sorted: list[float] = []
        self._free = 0
        # The first simulation walks no edge; its value stands here once there is one.
        self._first: float | None = None
        self._simulations = self._backed_up = 0
        # By key: the leaves whose simulation waits for that reward, and the value predicted for each, if any.
        self._waiting: dict[str, list[tuple[Leaf, float | None]]] = {}

    def suggest(self) -> Tokens | None:
        """The sequence at the end of the next simulation that needs a reward; None once every key was suggested."""
        for _ in range(FREE_SIMULATIONS):
            leaf = self.reach()
            if leaf is None:
                break
            suggested = self.end(leaf, self.rollout(leaf.tokens, self._rng))
            if suggested is not None:
                return suggested
        return self.history.draw(self._rng)

    def start(self, tokens: Tokens) -> Tokens | None:
        """A suggestion that comes from outside: its path becomes part of the tree."""
        started = self.history.start(tokens)
        if started is not None:
            leaf = self.nodes.enter(started)
            self.nodes.mark_solved(started)
            self._waiting[self.history.key(started)] = [(leaf, None)]
        return started

    def reach(self) -> Leaf | None:
        """The leaf of the next simulation, to be answered by `end` or `back_up`; None when the space is exhausted."""
        if not self._simulations:
            self.nodes.open_root()
            leaf: Leaf | None = Leaf((), False, float("nan"))
        else:
            leaf = self.nodes.select_and_expand()
        self._simulations += leaf is not None
        return leaf

    def end(self, leaf: Leaf, tokens: Tokens, predicted: float | None = None) -> Tokens | None:
        """Ends the simulation that reached `leaf` with a complete sequence below it.

        Args:
            leaf: What `reach` returned.
            tokens: The complete sequence that it was rolled out to.
            predicted: A value that is averaged with the one of the sequence's reward.

        Returns:
            The sequence, as a suggestion, if its key is new; None if the known reward was backed up, or is awaited.
        """
        history = self.history
        key = history.key(tokens)
        if leaf.complete:
            self.nodes.mark_solved(leaf.tokens)
        if key not in history:
            self._waiting[key] = [(leaf, predicted)]
            return history.suggest(tokens, key)
        self._free += 1
        if key in history.rewards:
            self._back_up_reward(leaf, history.rewards[key], predicted)
        else:
            self._waiting.setdefault(key, []).append((leaf, predicted))
        return None

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a suggestion and backs it up every path that waits for it.

        Args:
            tokens: An outstanding suggestion.
            reward: None if the evaluation failed.
        """
        key = self.history.observe(tokens, reward)
        if reward is not None:
            insort(self._sorted, reward)
        for leaf, predicted in self._waiting.pop(key, ()):
            self._back_up_reward(leaf, reward, predicted)

    def learn(self, tokens: Tokens, reward: float) -> None:
        """As `alphaxenas.controllers.promotion.Strategy.learn`: simulations that meet the sequence back its reward up.

        Args:
            tokens: A complete sequence.
            reward: At the search budget.
        """
        if self.history.start(tokens) is not None:
            self.observe(tokens, reward)

    def value(self, reward: float) -> float:
        """What a reward counts in the tree now."""
        if self._values == "raw":
            return reward
        below, up_to = bisect_left(self._sorted, reward), bisect_right(self._sorted, reward)
        return (below + up_to) / (2 * len(self._sorted))

    def rollout(self, prefix: Tokens, rng: np.random.Generator) -> Tokens:
        """A complete sequence with uniformly drawn tokens, or by the user's prior.

        Args:
            prefix: Where it begins.
            rng: Source of the draws.
        """
        return self.history.prior.draw(rng, prefix)

    def _predict(self, prefix: Tokens, actions: Tokens) -> Prediction:
        """No value, and the user's prior."""
        return Prediction(self.history.prior.chances(actions).tolist(), 0.0)

    def back_up(self, leaf: Leaf, value: float) -> None:
        """Adds the value of a simulation to the edges it walked.

        Args:
            leaf: What `reach` returned.
            value: On the scale of `value`.
        """
        self._backed_up += 1
        if leaf.tokens:
            self.nodes.backup(leaf, value)
        else:
            self._first = float(value)

    def _back_up_reward(self, leaf: Leaf, reward: float | None, predicted: float | None) -> None:
        """Backs up what a reward is worth; a failure adds nothing, and its walk keeps counting as an attempt."""
        if reward is not None:
            value = self.value(reward)
            self.back_up(leaf, value if predicted is None else (value + predicted) / 2)

    def diagnostics(self) -> dict[str, float]:
        """Nodes of the tree, values backed up, and simulations that ended in a known architecture."""
        # A simulation adds one node.
        counts = {"nodes": self._simulations, "visits": self._backed_up, "free": self._free}
        return {f"tree/{name}": float(count) for name, count in counts.items()}

    def status_line(self) -> str:
        """The most visited moves."""
        tokens: Tokens = ()
        words = []
        while (node := self.nodes.statistics(tokens)) is not None and any(node["visits"]):
            tokens = (*tokens, node["actions"][int(np.argmax(node["visits"]))])
            words.append(self._space.vocabulary[tokens[-1]])
        return f"most visited {' '.join(words)}" if words else ""

    def tree_snapshot(self) -> dict[str, np.ndarray]:
        """The tree as `alphaxenas.contracts.Controller.tree_snapshot`, with its first simulation counted in row 0."""
        tree = self.nodes.snapshot()
        if self._simulations:
            tree["tried"][0] += 1
            if self._first is not None:
                tree["visits"][0] += 1
                tree["total"][0] += self._first
        return tree

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        waiting = [(key, *simulation) for key, group in self._waiting.items() for simulation in group]
        return {
            "generator": generator_state(self._rng),
            "history": self.history.state(),
            "tree": self.nodes.state(),
            "first": self._first,
            "counts": [self._simulations, self._backed_up, self._free],
            "waiting": [[key, leaf_to_json(leaf), predicted] for key, leaf, predicted in waiting],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        restore_generator(self._rng, state["generator"])
        self.history.restore(state["history"])
        self._sorted = sorted(reward for reward in self.history.rewards.values() if reward is not None)
        self._first = state["first"]
        self._simulations, self._backed_up, self._free = map(int, state["counts"])
        self.nodes.restore(state["tree"])
        self._waiting = {}
        for key, leaf, predicted in state["waiting"]:
            self._waiting.setdefault(key, []).append((leaf_from_json(leaf), predicted))

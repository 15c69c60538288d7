"""The tree of UCT: token prefixes, what came of the simulations that walked through them, and where the next one walks.

Knows nothing of rewards, architectures or surrogates: one simulation is `reach`, then `back_up` with a value, possibly
much later, or never, if there was none. Plain objects and lists: at a handful of actions that is several times faster
than arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log, sqrt
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens

_COLUMNS = ("parent", "action", "visits", "tried", "total", "closed")


class Node:
    """A prefix.

    Attributes:
        prefix: The tokens so far.
        complete: Whether the game is over here.
        closed: Whether no simulation walks here again.
        visits: Values backed up.
        total: Their sum.
        tried: Walks, also those whose value is awaited or failed to come.
        fresh: Actions without a node yet, ascending.
        open: Children that are not closed, oldest first.
        children: All children, oldest first.
    """

    __slots__ = ("parent", "prefix", "complete", "closed", "visits", "tried", "total", "fresh", "open", "children")

    def __init__(self, parent: Node | None, prefix: Tokens, legal: Tokens) -> None:
        self.parent, self.prefix, self.complete, self.closed = parent, prefix, not legal, False
        self.visits = self.tried = 0
        self.total = 0.0
        self.fresh = list(legal)
        self.open: list[Node] = []
        self.children: list[Node] = []


class UCTTree:
    """Chooses edges by their upper confidence bounds; see `alphaxenas.controllers.mcts.uct` for the formula.

    Args:
        legal_actions: The rules of the game, as `SearchSpace.legal_actions`.
        exploration: c >= 0.
        random: Draws uniformly from [0, 1), for ties.
    """

    def __init__(
        self, legal_actions: Callable[[Tokens], Tokens], exploration: float, random: Callable[[], float]
    ) -> None:
        self._legal_actions, self._exploration, self._random = legal_actions, exploration, random
        self.root: Node | None = None
        self.size = 0

    def reach(self) -> Node | None:
        """Walks to an untried edge and adds its node, or to a complete game that is still open; None when all is
        closed.
        """
        node = self.root
        if node is None:
            self.root = node = self._add(None, ())
            return node
        if node.closed:
            return None
        node.tried += 1
        while not node.fresh:
            node = self._best(node)
            node.tried += 1
            if node.complete:
                return node
        fresh = node.fresh
        return self._add(node, (*node.prefix, fresh.pop(int(self._random() * len(fresh)) if len(fresh) > 1 else 0)))

    def back_up(self, node: Node | None, value: float) -> None:
        """Adds the value of a simulation to the nodes it walked."""
        while node is not None:
            node.visits += 1
            node.total += value
            node = node.parent

    def close(self, node: Node | None) -> None:
        """Closes a complete game, and the prefixes that it leaves without anything open."""
        while node is not None and not node.closed and not node.fresh and not node.open:
            node.closed = True
            if node.parent is not None:
                node.parent.open.remove(node)
            node = node.parent

    def _best(self, node: Node) -> Node:
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
        return ties[int(self._random() * len(ties))] if len(ties) > 1 else ties[0]

    def _add(self, parent: Node | None, prefix: Tokens) -> Node:
        """A new node that is walked to for the first time."""
        node = Node(parent, prefix, self._legal_actions(prefix))
        node.tried = 1
        self.size += 1
        if parent is not None:
            parent.children.append(node)
            parent.open.append(node)
        return node

    def arrays(self) -> dict[str, np.ndarray]:
        """The tree as it is, parents before children: arrays of shape `[nodes]`.

        Returns:
            `parent` (index, -1 for the root), `action`, `visits` (values backed up), `tried` (walks), `total` (sum of
            values), `closed` (1: walked no more).
        """
        rows: list[tuple[int, Node]] = [] if self.root is None else [(-1, self.root)]
        for place, (_, node) in enumerate(rows):
            rows += [(place, child) for child in node.children]
        plain = [(parent, n.prefix[-1] if n.prefix else -1, n.visits, n.tried, n.total, n.closed) for parent, n in rows]
        columns = zip(*plain) if plain else [()] * len(_COLUMNS)
        return {
            name: np.array(column, np.float64 if name == "total" else np.int64)
            for name, column in zip(_COLUMNS, columns)
        }

    def restore(self, arrays: Mapping[str, Any]) -> dict[Tokens, Node]:
        """Takes over `arrays()`; returns the nodes by prefix."""
        self.root, self.size = None, 0
        nodes: list[Node] = []
        for parent, action, visits, tried, total, closed in zip(
            *(np.asarray(arrays[name]).tolist() for name in _COLUMNS)
        ):
            above = nodes[parent] if parent >= 0 else None
            if above is not None:
                above.fresh.remove(action)
            node = self._add(above, (*above.prefix, action) if above is not None else ())
            node.visits, node.tried, node.total, node.closed = visits, tried, total, bool(closed)
            if closed and above is not None:
                above.open.remove(node)
            nodes.append(node)
        self.root = nodes[0] if nodes else None
        return {node.prefix: node for node in nodes}

"""What a search tree is made of: predictions, leaves, nodes, and all nodes as flat arrays for a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alphaxenas.contracts import Tokens


@dataclass(frozen=True)
class Prediction:
    """What `predict` says about a prefix with `n` legal actions.

    Attributes:
        priors: Probability of each legal action, `[n]`, in the order of the actions.
        value: Expected value of the prefix.
        action_values: Expected value after each action, `[n]`; None to start unvisited edges from the node's mean.
    """

    priors: Sequence[float]
    value: float
    action_values: Sequence[float] | None = None


Predict = Callable[[Tokens, Tokens], Prediction]
"""`predict(prefix, legal actions)`; never asked about a complete game."""


@dataclass(frozen=True)
class Leaf:
    """A simulation that waits for its value.

    Attributes:
        tokens: The prefix reached.
        depth: Length of the prefix the simulation started from; only edges below it take part.
        complete: Whether `tokens` is a complete game.
        value: The value predicted for the prefix; NaN for a complete game.
    """

    tokens: Tokens
    depth: int
    complete: bool
    value: float


class Node:
    """One prefix and its edges, edge `i` in slot `i` of every list.

    Attributes:
        actions: Legal actions.
        priors: Their probabilities.
        firsts: Values that unvisited edges start from; None for the node's mean.
        visits: Simulations that came back through an edge.
        sums: Sums of the values they brought.
        waiting: Simulations below an edge that wait for their values.
        closed: Whether every complete game below an edge has been measured.
        spent: Whether every complete game below an edge has been played to its end.
        children: The nodes below; None where none has been made, and for complete games.
        total: 1 + visits of all edges.
        sum: The predicted value plus all that was backed up.
    """

    __slots__ = (
        "actions",
        "priors",
        "firsts",
        "visits",
        "sums",
        "waiting",
        "closed",
        "spent",
        "children",
        "total",
        "sum",
    )

    def __init__(self, actions: Tokens, prediction: Prediction) -> None:
        count = len(actions)
        self.actions = actions
        self.priors = list(prediction.priors)
        self.firsts = None if prediction.action_values is None else list(prediction.action_values)
        self.visits = [0] * count
        self.sums = [0.0] * count
        self.waiting = [0] * count
        self.closed = [False] * count
        self.spent = [False] * count
        self.children: list[Node | None] = [None] * count
        self.total = 1
        self.sum = float(prediction.value)


def walk(top: Node | None, tokens: Tokens) -> list[tuple[Node, int]]:
    """Nodes and slots along `tokens`, as far as the tree below `top` has grown."""
    path, node = [], top
    for token in tokens:
        if node is None:
            break
        slot = node.actions.index(token)
        path.append((node, slot))
        node = node.children[slot]
    return path


def flag(path: list[tuple[Node, int]], name: str) -> None:
    """Sets `"closed"` or `"spent"` on the last edge of a path, and on every edge above whose node has all its edges
    flagged.
    """
    for node, slot in reversed(path):
        flags = getattr(node, name)
        flags[slot] = True
        if not all(flags):
            return


def flatten(top: Node | None) -> dict[str, np.ndarray]:
    """The nodes below and with `top` as arrays: nodes in the order of a breadth-first walk, edges in the order of their
    nodes.

    Simulations that wait for a value are left out.
    """
    nodes = [] if top is None else [top]
    links: list[int] = []
    for node in nodes:  # grows while it is walked: breadth first, without recursion
        for child in node.children:
            links.append(len(nodes) if child is not None else -1)
            if child is not None:
                nodes.append(child)

    def edges(name: str, kind: str) -> np.ndarray:
        return np.array([value for node in nodes for value in getattr(node, name)], dtype=kind)

    return {
        "node_edges": np.array([len(node.actions) for node in nodes], dtype=np.int32),
        "node_total": np.array([node.total for node in nodes], dtype=np.int64),
        "node_sum": np.array([node.sum for node in nodes], dtype=np.float64),
        "edge_child": np.array(links, dtype=np.int64),
        "edge_action": edges("actions", "int32"),
        "edge_prior": edges("priors", "float64"),
        "edge_visits": edges("visits", "int64"),
        "edge_sum": edges("sums", "float64"),
        "edge_closed": edges("closed", "bool"),
        "edge_spent": edges("spent", "bool"),
        "edge_first": np.array(
            [v for n in nodes for v in (n.firsts or [float("nan")] * len(n.actions))], dtype=np.float64
        ),
    }


def unflatten(arrays: Mapping[str, Any]) -> Node | None:
    """The uppermost node of arrays from `flatten`, with everything below it; further entries are ignored."""
    columns = {name: np.asarray(value).tolist() for name, value in arrays.items()}
    nodes, start = [], 0
    for count, total, value in zip(columns["node_edges"], columns["node_total"], columns["node_sum"]):
        part = slice(start, start + count)
        firsts = columns["edge_first"][part]
        node = Node(tuple(columns["edge_action"][part]), Prediction(columns["edge_prior"][part], value, firsts))
        if firsts[0] != firsts[0]:
            node.firsts = None
        node.visits, node.sums = columns["edge_visits"][part], columns["edge_sum"][part]
        node.closed, node.spent = columns["edge_closed"][part], columns["edge_spent"][part]
        node.total, node.sum = total, value
        nodes.append(node)
        start += count
    start = 0
    for node in nodes:
        for slot in range(len(node.actions)):
            child = columns["edge_child"][start + slot]
            node.children[slot] = nodes[child] if child >= 0 else None
        start += len(node.actions)
    return nodes[0] if nodes else None


def leaf_to_json(leaf: Leaf) -> list:
    """A leaf as JSON values; a NaN value (of a complete game) as None."""
    return [list(leaf.tokens), leaf.depth, leaf.complete, None if leaf.complete else float(leaf.value)]


def leaf_from_json(values: list) -> Leaf:
    """The inverse of `leaf_to_json`."""
    tokens, depth, complete, value = values
    return Leaf(tuple(tokens), int(depth), bool(complete), float("nan") if value is None else float(value))

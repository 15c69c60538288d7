"""What a search tree is made of: predictions, leaves, nodes; and all nodes as flat arrays, for checkpoints and
pictures.
"""

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
"""`predict(prefix, legal actions)`; never called with a complete token sequence."""


@dataclass(frozen=True)
class Leaf:
    """A simulation that waits for its value.

    Attributes:
        tokens: The prefix reached.
        complete: Whether `tokens` is a complete token sequence.
        value: The value predicted for the prefix; NaN for a complete sequence.
    """

    tokens: Tokens
    complete: bool
    value: float


class Node:
    """One prefix and its edges, edge `i` in slot `i` of every list.

    Attributes:
        actions: Legal actions.
        priors: Their probabilities.
        initial_values: Values that unvisited edges start from; None for the node's mean.
        visits: Simulations whose value was backed up through an edge.
        sums: Sums of those values.
        virtual_loss: Simulations below an edge whose value is awaited, or failed to come and is not replaced.
        solved: Whether every complete sequence below an edge has its value; simulations never walk it again.
        fully_played: Whether every complete sequence below an edge was finished; it is never chosen as a move again.
        children: The nodes below; None where none has been made, and for complete sequences.
        order: Edges in the order of their first simulation, if the selection rule keeps it (`UCB1`).
        total: 1 + visits of all edges.
        sum: The predicted value plus all that was backed up.
    """

    __slots__ = (
        "actions",
        "priors",
        "initial_values",
        "visits",
        "sums",
        "virtual_loss",
        "solved",
        "fully_played",
        "children",
        "order",
        "total",
        "sum",
    )

    def __init__(self, actions: Tokens, prediction: Prediction) -> None:
        count = len(actions)
        self.actions = actions
        self.priors = list(prediction.priors)
        self.initial_values = None if prediction.action_values is None else list(prediction.action_values)
        self.visits = [0] * count
        self.sums = [0.0] * count
        self.virtual_loss = [0] * count
        self.solved = [False] * count
        self.fully_played = [False] * count
        self.children: list[Node | None] = [None] * count
        self.order: Sequence[int] = ()
        self.total = 1
        self.sum = float(prediction.value)


def path_along(top: Node | None, tokens: Tokens) -> list[tuple[Node, int]]:
    """The edges of a prefix, as far as the tree has grown.

    Args:
        top: The node of the empty prefix.
        tokens: A prefix of length `n`.

    Returns:
        At most `n` pairs of a node and the slot of the edge that the prefix takes there.
    """
    path, node = [], top
    for token in tokens:
        if node is None:
            break
        slot = node.actions.index(token)
        path.append((node, slot))
        node = node.children[slot]
    return path


def flag(path: list[tuple[Node, int]], name: str) -> None:
    """Flags the last edge of a path, and every edge above whose node has all its edges flagged.

    Args:
        path: As `path_along` returns it.
        name: `"solved"` or `"fully_played"`.
    """
    for node, slot in reversed(path):
        flags = getattr(node, name)
        flags[slot] = True
        if not all(flags):
            return


def _breadth_first(top: Node | None) -> tuple[list[Node], list[int]]:
    """All nodes, and for every edge of them in turn the place of the node below it (-1 = none)."""
    nodes = [] if top is None else [top]
    links: list[int] = []
    for node in nodes:  # grows while it is walked, which needs no recursion
        for child in node.children:
            links.append(len(nodes) if child is not None else -1)
            if child is not None:
                nodes.append(child)
    return nodes, links


def flatten(top: Node | None) -> dict[str, np.ndarray]:
    """All nodes as arrays: nodes in the order of a breadth-first walk, edges in the order of their nodes."""
    nodes, links = _breadth_first(top)

    def edges(name: str, kind: str) -> np.ndarray:
        return np.array([value for node in nodes for value in getattr(node, name)], dtype=kind)

    unknown = float("nan")
    initial = [v for node in nodes for v in (node.initial_values or [unknown] * len(node.actions))]
    ranks = [
        node.order.index(slot) if slot in node.order else -1 for node in nodes for slot in range(len(node.actions))
    ]
    return {
        "node_edges": np.array([len(node.actions) for node in nodes], dtype=np.int32),
        "node_total": np.array([node.total for node in nodes], dtype=np.int64),
        "node_sum": np.array([node.sum for node in nodes], dtype=np.float64),
        "edge_child": np.array(links, dtype=np.int64),
        "edge_action": edges("actions", "int32"),
        "edge_prior": edges("priors", "float64"),
        "edge_visits": edges("visits", "int64"),
        "edge_sum": edges("sums", "float64"),
        "edge_virtual_loss": edges("virtual_loss", "int64"),
        "edge_solved": edges("solved", "bool"),
        "edge_fully_played": edges("fully_played", "bool"),
        "edge_initial_value": np.array(initial, dtype=np.float64),
        "edge_order": np.array(ranks, dtype=np.int32),
    }


def unflatten(arrays: Mapping[str, Any]) -> Node | None:
    """The uppermost node of arrays from `flatten`, with everything below it; further entries are ignored."""
    columns = {name: np.asarray(value).tolist() for name, value in arrays.items()}
    nodes, start = [], 0
    for count, total, value in zip(columns["node_edges"], columns["node_total"], columns["node_sum"]):
        edges = {name[5:]: column[start : start + count] for name, column in columns.items() if name[:5] == "edge_"}
        initial = edges["initial_value"]
        node = Node(tuple(edges["action"]), Prediction(edges["prior"], value, initial))
        if initial[0] != initial[0]:
            node.initial_values = None
        node.visits, node.sums, node.virtual_loss = edges["visits"], edges["sum"], edges["virtual_loss"]
        node.solved, node.fully_played = edges["solved"], edges["fully_played"]
        node.order = sorted(
            (slot for slot in range(count) if edges["order"][slot] >= 0), key=edges["order"].__getitem__
        )
        node.total, node.sum = total, value
        nodes.append(node)
        start += count
    links = iter(columns["edge_child"])
    for node in nodes:
        node.children = [nodes[child] if child >= 0 else None for child in (next(links) for _ in node.actions)]
    return nodes[0] if nodes else None


def snapshot(top: Node | None) -> dict[str, np.ndarray]:
    """The tree with one row for every edge that was walked, complete sequences included, for pictures.

    Returns:
        Arrays of shape `[walked edges + 1]`, parents first, the empty prefix in row 0: `parent` (row, -1 for the empty
        prefix), `action` (-1), `visits`, `tried` (visits and simulations without a value) and `total` (sum of values).
    """
    rows: list[tuple[int, int, int, int, float]] = []
    nodes: list[Node | None] = []
    if top is not None:
        rows.append((-1, -1, sum(top.visits), sum(top.visits) + sum(top.virtual_loss), sum(top.sums)))
        nodes.append(top)
    for place, node in enumerate(nodes):  # grows while it is walked
        if node is None:
            continue
        for slot, action in enumerate(node.actions):
            tried = node.visits[slot] + node.virtual_loss[slot]
            if tried:
                rows.append((place, action, node.visits[slot], tried, node.sums[slot]))
                nodes.append(node.children[slot])
    columns = list(zip(*rows)) or [()] * 5
    return {
        name: np.array(column, np.float64 if name == "total" else np.int64)
        for name, column in zip(("parent", "action", "visits", "tried", "total"), columns)
    }


def leaf_to_json(leaf: Leaf) -> list:
    """A leaf as JSON values; a NaN value (of a complete sequence) as None."""
    return [
        [int(token) for token in leaf.tokens],
        leaf.complete,
        None if leaf.value != leaf.value else float(leaf.value),
    ]


def leaf_from_json(values: list) -> Leaf:
    """The inverse of `leaf_to_json`."""
    tokens, complete, value = values
    return Leaf(tuple(tokens), bool(complete), float("nan") if value is None else float(value))
